// SPDX-License-Identifier: BSD-3-Clause
#include "tls_issue.h"

#include "tests/unit/unit.h"

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
