// SPDX-License-Identifier: BSD-3-Clause

// Bounds of the chains of certificates that the other side shows, and the verdict on a server's.
#include "tls_internal.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

// Of bytes in DER, so about the number of objects that OpenSSL makes of them.
static unsigned elements_of(const unsigned char *bytes, long len)
{
	const unsigned char *const end = bytes + len;
	unsigned count = 0;

	for (long inside; bytes < end; count++) {
		int tag, class;
		const int form = ASN1_get_object(&bytes, &inside, &tag, &class, end - bytes);
		if (form & 0x80) // no DER: OpenSSL makes nothing of it either
			break;
		if (!(form & V_ASN1_CONSTRUCTED))
			bytes += inside;
	}
	return count;
}

// OpenSSL writes the issuer's whole name into each of them: 24 MB and 0.1 s for 6 KiB.
static bool has_relative_points(const X509 *x)
{
	CRL_DIST_POINTS *points = X509_get_ext_d2i(x, NID_crl_distribution_points, NULL, NULL);
	bool found = false;

	for (int i = 0; i < sk_DIST_POINT_num(points) && !found; i++) {
		const DIST_POINT_NAME *name = sk_DIST_POINT_value(points, i)->distpoint;
		found = name && name->type == 1;
	}
	CRL_DIST_POINTS_free(points);
	return found;
}

// OpenSSL decodes extensions too: an empty name of two bytes takes 120 bytes of memory.
static bool is_simple(X509 *x, int len, unsigned most)
{
	unsigned char *der = NULL;
	unsigned count = i2d_X509(x, &der) == len ? elements_of(der, len) : most + 1;

	OPENSSL_free(der);
	for (int i = 0; i < X509_get_ext_count(x); i++) {
		const ASN1_OCTET_STRING *value = X509_EXTENSION_get_data(X509_get_ext(x, i));
		count += elements_of(ASN1_STRING_get0_data(value), ASN1_STRING_length(value));
	}
	return count <= most && !has_relative_points(x);
}

static bool is_within(X509_STORE_CTX *x, const struct tls_chain_bounds *b)
{
	const STACK_OF(X509) *chain = X509_STORE_CTX_get0_untrusted(x);
	int left = b->bytes;

	for (int i = 0; i < sk_X509_num(chain); i++) {
		X509 *one = sk_X509_value(chain, i);
		const int len = i2d_X509(one, NULL);
		if (i > b->authorities || len < 0 || len > left
			|| !is_simple(one, len, b->elements))
			return false;
		left -= len;
	}
	return true;
}

bool tls_chain_fits(X509_STORE_CTX *x, const struct tls_chain_bounds *b)
{
	ERR_set_mark();
	const bool fits = is_within(x, b);
	ERR_pop_to_mark();
	if (!fits)
		X509_STORE_CTX_set_error(x, X509_V_ERR_CERT_CHAIN_TOO_LONG);
	return fits;
}

// Lists of revoked certificates, which OpenSSL reads with the authorities and then leaves alone.
static bool has_lists(X509_STORE *store)
{
	bool has = false;
	X509_STORE_lock(store); // a folder's authorities join it when they are first looked for
	const STACK_OF(X509_OBJECT) *objects = X509_STORE_get0_objects(store);
	for (int i = 0; !has && i < sk_X509_OBJECT_num(objects); i++)
		has = X509_OBJECT_get_type(sk_X509_OBJECT_value(objects, i)) == X509_LU_CRL;
	X509_STORE_unlock(store);
	return has;
}

bool tls_peer_chain_verify(X509_STORE_CTX *x)
{
	static const struct tls_chain_bounds bounds = {32 << 10, 10, 2048};
	if (!tls_chain_fits(x, &bounds))
		return false;
	if (has_lists(X509_STORE_CTX_get0_store(x)))
		X509_STORE_CTX_set_flags(x, X509_V_FLAG_CRL_CHECK | X509_V_FLAG_CRL_CHECK_ALL);
	return X509_verify_cert(x) > 0;
}

static int on_chain(X509_STORE_CTX *x, void *)
{
	return tls_peer_chain_verify(x);
}

void tls_chain_bound(SSL_CTX *context)
{
	SSL_CTX_set_cert_verify_callback(context, on_chain, NULL);
	tls_work_bound(context);
}
