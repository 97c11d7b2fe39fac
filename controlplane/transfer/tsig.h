// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// TSIG (RFC 8945) of one query over TCP and the messages of its reply: signs the one, verifies the
// others. The HMACs are OpenSSL's (tls/tls_crypto.h); this file finds the TSIG record, which must
// be the last one, and says which bytes are signed.
//
// The first message of a reply must be signed, and so must the last one, which the caller asks for
// by tsig_is_closed; between them up to TSIG_UNSIGNED_MAX in a row may not be (RFC 8945 5.3.1). The
// key and the algorithm must be those of the query, the code of full length, and the time at most
// TSIG_FUDGE_S from ours. An unsigned reply of one message that says an error is let through: the
// reader refuses it with the error's name.
//
// The other way round too: the query of a server that has the key (a NOTIFY), and its reply of one
// message. There is no table of queries that were seen: one may come twice in TSIG_FUDGE_S. A query
// that is not right gets a reply whose TSIG says why (RFC 8945 5.3.2): signed for BADTIME, which
// has our time, unsigned for BADKEY, BADSIG and BADTRUNC.
//
// A value of its caller's. Takes OpenSSL's memory for one HMAC. One pass over each message.

#include "tls/tls_crypto.h"

#include <weir/bytes.h>
#include <weir/config.h>

enum {
	TSIG_FUDGE_S = 300,
	TSIG_UNSIGNED_MAX = 99,
	TSIG_WHY_MAX = 96,
	TSIG_RECORD_MAX = 2 * DNS_NAME_MAX + 26,
};

// Error codes of TSIG (RFC 8945 3).
enum { TSIG_BADSIG = 16, TSIG_BADKEY = 17, TSIG_BADTIME = 18, TSIG_BADTRUNC = 22 };

struct tsig {
	const struct config_tsig_key *key;
	struct tls_hmac *hmac; // over the messages since the last signed one; NULL before the first
	bool is_first;         // no signed message of the reply came
	uint16_t error;        // why a query was refused, for its reply; 0: it has no TSIG
	unsigned not_signed;   // messages since the last signed one
	size_t mac_len;        // the last signed message's, the query's at first
	uint8_t mac[TLS_HMAC_MAX];
	char why[TSIG_WHY_MAX];
};

// Signs the query of `len` bytes in `msg`, which has room for TSIG_RECORD_MAX more. Its new length;
// 0: no memory.
ATTR_MUST_CHECK size_t tsig_begin(struct tsig *t, const struct config_tsig_key *key, uint8_t *msg,
	size_t len, uint64_t now_unix_s);
// The next message of the reply. 0: it is right so far; -EBADMSG, -EKEYREJECTED with `why`.
ATTR_MUST_CHECK int tsig_take(struct tsig *t, const uint8_t *msg, size_t len, uint64_t now_unix_s);
bool tsig_is_closed(const struct tsig *t); // the last message was signed
// Of the other side: 0: the query is signed right; -EBADMSG, -EKEYREJECTED with `why`.
ATTR_MUST_CHECK int tsig_take_query(struct tsig *t, const struct config_tsig_key *key,
	const uint8_t *msg, size_t len, uint64_t now_unix_s);
// Signs the reply to it as tsig_begin does a query.
ATTR_MUST_CHECK size_t tsig_sign_reply(
	struct tsig *t, uint8_t *msg, size_t len, uint64_t now_unix_s);
// Adds a TSIG to the reply to a query that was refused with an `error`.
ATTR_MUST_CHECK size_t tsig_refuse_reply(struct tsig *t, const uint8_t *query, size_t query_len,
	uint8_t *msg, size_t len, uint64_t now_unix_s);
void tsig_end(struct tsig *t); // any number of times
