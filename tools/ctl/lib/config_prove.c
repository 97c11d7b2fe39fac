// SPDX-License-Identifier: BSD-3-Clause
#include "config_prove.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <weir/pattern_prove.h>

// Prevents OpenSSL from asking for a key's password at the terminal.
static int on_password(char *, int, int, void *)
{
	return 0;
}

// NULL, with the reason. Only a plain file is opened: anything else could block the open.
static FILE *file_open(const char *path, const char **why)
{
	struct stat st;
	FILE *f = stat(path, &st) == 0 && S_ISREG(st.st_mode) ? fopen(path, "re") : NULL;

	*why = f ? NULL : errno ? strerror(errno) : "is no file";
	return f;
}

static X509 *certificate_read(const char *path, const char **why)
{
	FILE *f = file_open(path, why);

	if (!f)
		return NULL;
	X509 *x = PEM_read_X509(f, NULL, on_password, NULL);
	fclose(f);
	*why = x ? NULL : "has no certificate (PEM)";
	return x;
}

static EVP_PKEY *key_read(const char *path, const char **why)
{
	FILE *f = file_open(path, why);

	if (!f)
		return NULL;
	EVP_PKEY *key = PEM_read_PrivateKey(f, NULL, on_password, NULL);
	fclose(f);
	*why = key ? NULL : "has no private key (PEM), or one with a password";
	return key;
}

const char *config_certificate_wrong(const char *cert, const char *key, bool *is_of_key)
{
	const char *why;

	errno = 0;
	*is_of_key = false;
	X509 *x = certificate_read(cert, &why);
	if (!x)
		return why;
	*is_of_key = true;
	EVP_PKEY *private = key_read(key, &why);
	if (private && X509_check_private_key(x, private) != 1)
		why = "is not the key of the certificate";
	X509_free(x);
	EVP_PKEY_free(private);
	ERR_clear_error();
	return why;
}

// Why the file of authorities cannot be used; NULL: it can.
static const char *authorities_wrong(const char *path)
{
	const char *why;

	errno = 0;
	X509_free(certificate_read(path, &why));
	ERR_clear_error();
	return why;
}

static time_t time_of(const ASN1_TIME *t)
{
	struct tm tm = {0};
	return t && ASN1_TIME_to_tm(t, &tm) == 1 ? timegm(&tm) : 0;
}

// Writes the common name, or the whole name if it has none.
static void name_of(const X509_NAME *from, char name[CONFIG_END_NAME_MAX])
{
	if (X509_NAME_get_text_by_NID(
		    (X509_NAME *)(uintptr_t)from, NID_commonName, name, CONFIG_END_NAME_MAX)
		< 0)
		X509_NAME_oneline(from, name, CONFIG_END_NAME_MAX);
}

static bool has_list_of(const STACK_OF(X509_INFO) * all, const X509_NAME *issuer, unsigned *lists)
{
	bool has = false;
	for (int i = *lists = 0; i < sk_X509_INFO_num(all); i++) {
		const X509_CRL *list = sk_X509_INFO_value(all, i)->crl;
		*lists += list != NULL;
		has = has || (list && X509_NAME_cmp(X509_CRL_get_issuer(list), issuer) == 0);
	}
	return has;
}

static void end_of_certificate(const STACK_OF(X509_INFO) * all, X509 *x, struct config_end *out)
{
	unsigned lists;
	*out = (struct config_end){
		.begins = time_of(X509_get0_notBefore(x)), .ends = time_of(X509_get0_notAfter(x))};
	name_of(X509_get_subject_name(x), out->name);
	out->lacks_list = !has_list_of(all, X509_get_subject_name(x), &lists) && lists > 0;
}

static void end_of_list(const X509_CRL *list, struct config_end *out)
{
	*out = (struct config_end){.is_list = true,
		.begins = time_of(X509_CRL_get0_lastUpdate(list)),
		.ends = time_of(X509_CRL_get0_nextUpdate(list))};
	name_of(X509_CRL_get_issuer(list), out->name);
}

static unsigned ends_collect(
	const STACK_OF(X509_INFO) * all, struct config_end out[CONFIG_ENDS_MAX])
{
	unsigned n = 0;
	for (int i = 0; i < sk_X509_INFO_num(all); i++) {
		const X509_INFO *one = sk_X509_INFO_value(all, i);
		if (one->x509 && n < CONFIG_ENDS_MAX)
			end_of_certificate(all, one->x509, &out[n++]);
		if (one->crl && n < CONFIG_ENDS_MAX)
			end_of_list(one->crl, &out[n++]);
	}
	return n;
}

unsigned config_ends_read(
	const char *path, struct config_end out[CONFIG_ENDS_MAX], const char **why)
{
	struct stat st;
	unsigned n = 0;
	errno = 0;
	FILE *f = file_open(path, why);
	if (!f)
		return 0;
	*why = "is larger than 1 MiB";
	if (fstat(fileno(f), &st) == 0 && st.st_size <= CONFIG_PEM_MAX) {
		STACK_OF(X509_INFO) *all = PEM_X509_INFO_read(f, NULL, on_password, NULL);
		n = ends_collect(all, out);
		*why = "has no certificate (PEM)";
		sk_X509_INFO_pop_free(all, X509_INFO_free);
	}
	fclose(f);
	ERR_clear_error();
	return n;
}

static void certificates_prove(const char *section, unsigned count,
	const struct config_certificate *certificate, const struct config_proof *p)
{
	for (unsigned i = 0; i < count; i++) {
		const struct config_certificate *c = &certificate[i];
		bool is_of_key;
		const char *why = config_certificate_wrong(c->cert, c->key, &is_of_key);
		char key[64];
		snprintf(key, sizeof(key), "%s.certificates[%u].%s", section, i,
			is_of_key ? "key" : "cert");
		if (why)
			config_proof_refuse(p, key, "%s: %s", is_of_key ? c->key : c->cert, why);
	}
}

static void authorities_prove(const char *section, const char *path, const struct config_proof *p)
{
	const char *why = path[0] ? authorities_wrong(path) : NULL;
	char key[64];

	snprintf(key, sizeof(key), "%s.client_ca", section);
	if (why)
		config_proof_refuse(p, key, "%s: %s", path, why);
}

void config_prove(const struct config *c, const struct config_proof *p)
{
	const char *root = getenv("WEIR_ROOT");
	config_machine_prove(c, root ? root : "", p);
	certificates_prove("tls", c->tls.count, c->tls.certificate, p);
	authorities_prove("tls", c->tls.client_ca, p);
	pattern_prove(c, p);
}

void config_prove_control(const struct config *c, const struct config_proof *p)
{
	certificates_prove("control", c->control.count, c->control.certificate, p);
	authorities_prove("control", c->control.client_ca, p);
}
