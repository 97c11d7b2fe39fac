// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Certificates for tests of TLS, valid since a month ago.

#include <stdbool.h>
#include <stdio.h>

struct evp_pkey_st;
struct x509_st;

struct tls_issue {
	struct evp_pkey_st *key;
	const char *common, *alternative, *usage; // the last two are extensions; NULL: none
	long until_s;                             // from now
	struct x509_st *issuer;                   // NULL: an authority, signed by itself
	bool is_authority;                        // of that issuer
	struct evp_pkey_st *issuer_key;
};
struct x509_st *tls_issue(const struct tls_issue *how);
void tls_issue_extend(struct x509_st *x, struct x509_st *issuer, int nid, const char *text);
// Writes the issuer's list of revoked certificates, since yesterday, with one in it.
void tls_issue_list(FILE *f, struct x509_st *issuer, struct evp_pkey_st *issuer_key,
	struct x509_st *revoked, long until_s);
