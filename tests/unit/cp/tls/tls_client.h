// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Certificates of clients and files of the authorities that vouch for them, in a folder of its own;
// for the side of a client that tls_rig.h has.

#include "tls_rig.h"

enum tls_client_kind {
	TLS_CLIENT_NONE,
	TLS_CLIENT_NAMED,        // alternative name kid, common name guest
	TLS_CLIENT_BELOW,        // alternative names kid.dns.example and guest.dns.example
	TLS_CLIENT_COMMON,       // common name kid, for clients alone
	TLS_CLIENT_MAIL,         // the same, and an alternative name that is no host
	TLS_CLIENT_TWO,          // two common names
	TLS_CLIENT_WILD,         // alternative name *.dns.example, common name kid
	TLS_CLIENT_TALK,         // common name "Kid's phone"
	TLS_CLIENT_EXPIRED,      // since yesterday; this and the rest: alternative name kid
	TLS_CLIENT_STRANGER,     // of an authority that nobody knows
	TLS_CLIENT_SERVING,      // for servers alone
	TLS_CLIENT_BRIEF,        // for ten minutes
	TLS_CLIENT_REVOKED,      // by TLS_CLIENT_CA_LISTS
	TLS_CLIENT_LONG,         // with more bytes of chain than weir takes
	TLS_CLIENT_SIMPLE,       // with as many elements as weir takes
	TLS_CLIENT_COMPLEX,      // one more
	TLS_CLIENT_WITH_SIMPLE,  // and that one in its chain, although it has signed nothing
	TLS_CLIENT_WITH_COMPLEX, // the other one
	TLS_CLIENT_LARGE,        // with as many elements and about as many bytes as weir takes
	TLS_CLIENT_RELATIVE,     // with a point of lists relative to its issuer
	TLS_CLIENT_CHAIN_3,      // three authorities between
	TLS_CLIENT_CHAIN_4,
	TLS_CLIENT_KINDS,
};

enum tls_client_ca {
	TLS_CLIENT_CA_ONE,
	TLS_CLIENT_CA_STRANGER,  // the other one alone
	TLS_CLIENT_CA_BOTH,      // the stranger, too
	TLS_CLIENT_CA_LISTS,     // with its list of revoked certificates
	TLS_CLIENT_CA_OLD_LISTS, // the list is outdated
	TLS_CLIENT_CA_EACH,      // lists of the authorities between, too
	TLS_CLIENT_CA_BETWEEN,   // the same, and the first one between is revoked
	TLS_CLIENT_CA_32,        // so many
	TLS_CLIENT_CA_33,
	TLS_CLIENT_CA_KINDS,
};

void tls_client_start(void);
void tls_client_stop(void);
// The same for a TEST_GROUP, with the rig.
int tls_client_group_start(void **state);
int tls_client_group_stop(void **state);
const char *tls_client_ca(enum tls_client_ca kind); // the path of the file
void tls_client_shows(struct tls_side *s, enum tls_client_kind kind);

// The session that a side has been given, and another side that offers it.
struct ssl_session_st;
struct ssl_session_st *tls_client_session(struct tls_side *s);
void tls_client_resumes(struct tls_side *s, struct ssl_session_st *session); // frees it
// The same as the client of a server that allowed early data (0-RTT): the bytes go with the hello.
// Over a socket that blocks; whether the server has taken them.
bool tls_client_early(
	struct tls_side *s, struct ssl_session_st *session, const void *bytes, size_t len);
