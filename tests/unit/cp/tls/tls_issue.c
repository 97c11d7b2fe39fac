// SPDX-License-Identifier: BSD-3-Clause
#include "tls_issue.h"

#include "tests/unit/unit.h"

#include <openssl/pem.h>
#include <openssl/x509v3.h>

enum { DAY_S = 86400 };

void tls_issue_extend(X509 *x, X509 *issuer, int nid, const char *text)
{
	X509V3_CTX c;
	X509V3_set_ctx(&c, issuer, x, NULL, NULL, 0);
	X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, &c, nid, text);
	assert_non_null(e);
	assert_int_equal(X509_add_ext(x, e, -1), 1);
	X509_EXTENSION_free(e);
}

X509 *tls_issue(const struct tls_issue *how)
{
	static long serial;
	X509 *x = X509_new(), *issuer = how->issuer ? how->issuer : x;

	X509_set_version(x, 2);
	ASN1_INTEGER_set(X509_get_serialNumber(x), ++serial);
	X509_gmtime_adj(X509_getm_notBefore(x), -30L * DAY_S);
	X509_gmtime_adj(X509_getm_notAfter(x), how->until_s);
	X509_set_pubkey(x, how->key);
	X509_NAME_add_entry_by_txt(X509_get_subject_name(x), "CN", MBSTRING_ASC,
		(const unsigned char *)how->common, -1, -1, 0);
	X509_set_issuer_name(x, X509_get_subject_name(issuer));
	tls_issue_extend(x, issuer, NID_basic_constraints,
		how->issuer && !how->is_authority ? "critical,CA:FALSE" : "critical,CA:TRUE");
	if (how->alternative)
		tls_issue_extend(x, how->issuer, NID_subject_alt_name, how->alternative);
	if (how->usage)
		tls_issue_extend(x, how->issuer, NID_ext_key_usage, how->usage);
	assert_true(X509_sign(x, how->issuer_key, EVP_sha256()) > 0);
	return x;
}

void tls_issue_list(FILE *f, X509 *issuer, EVP_PKEY *issuer_key, X509 *revoked, long until_s)
{
	X509_CRL *list = X509_CRL_new();
	X509_REVOKED *one = X509_REVOKED_new();
	ASN1_TIME *at = ASN1_TIME_set(NULL, time(NULL) - DAY_S);

	X509_CRL_set_version(list, 1);
	X509_CRL_set_issuer_name(list, X509_get_subject_name(issuer));
	X509_CRL_set1_lastUpdate(list, at);
	X509_REVOKED_set_serialNumber(one, X509_get_serialNumber(revoked));
	X509_REVOKED_set_revocationDate(one, at);
	assert_int_equal(X509_CRL_add0_revoked(list, one), 1);
	ASN1_TIME_set(at, time(NULL) + until_s);
	X509_CRL_set1_nextUpdate(list, at);
	assert_true(X509_CRL_sign(list, issuer_key, EVP_sha256()) > 0);
	assert_int_equal(PEM_write_X509_CRL(f, list), 1);
	ASN1_TIME_free(at);
	X509_CRL_free(list);
}
