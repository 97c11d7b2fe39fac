// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The server's side of TSIG (RFC 8945), of fake_axfr.h: written for itself, so that the product's
// is compared with another one.

#include <stdbool.h>
#include <stdint.h>
#include <weir/bytes.h>

enum fake_tsig_how {
	FAKE_TSIG_NONE,
	FAKE_TSIG_ALL,      // every message is signed
	FAKE_TSIG_ENDS,     // the first and the last one
	FAKE_TSIG_FIRST,    // the first one alone
	FAKE_TSIG_LAST,     // the last one alone
	FAKE_TSIG_BAD,      // a bit of the last code is another one
	FAKE_TSIG_KEY,      // the name of another key
	FAKE_TSIG_OLD,      // a time of long ago
	FAKE_TSIG_SHORT,    // a code cut to half
	FAKE_TSIG_BADKEY,   // an unsigned TSIG that says so
	FAKE_TSIG_BADTIME,  // a signed one that says so
	FAKE_TSIG_CHANGED,  // a byte of the message changes behind the signature
	FAKE_TSIG_NOT_LAST, // another record behind it
	FAKE_TSIG_CUT,      // it ends early
};

struct fake_tsig {
	const char *digest; // of OpenSSL
	const char *algorithm;
	uint8_t secret[32];
	bool is_first, is_right; // the query's code is that of the key
	uint8_t mac[64];         // of the last signed message
	size_t mac_len, pending_len;
	uint8_t pending[1 << 20]; // messages since
};

// The query, without its length. False: it is not signed.
bool fake_tsig_query(struct fake_tsig *t, const uint8_t *msg, size_t len);
// The message in `w`, behind two bytes for its length.
void fake_tsig_reply(struct fake_tsig *t, struct wr *w, enum fake_tsig_how how, bool is_last);
