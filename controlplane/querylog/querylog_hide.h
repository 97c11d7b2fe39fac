// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Hides clients' addresses, in the log and wherever else weir shows some. A key belongs to one
// thread; others have copies (querylog_hiding).
//
// Hashed: SipHash-2-4 (Aumasson, Bernstein 2012) under a key that is drawn at start and again each
// 24 hours and stored nowhere. So a client can be followed for a day on one box, but not identified
// by hashing all 2^32 addresses, as with a bare SHA-256.

#include <weir/attr.h>
#include <weir/config.h>

enum { QUERYLOG_CLIENT_TEXT_MAX = 48 };

struct querylog_hide {
	uint64_t key[2];
	uint64_t drawn_ms;
	bool has_key;
};

// What others than the log thread hide by.
struct querylog_hiding {
	enum log_clients how;
	struct querylog_hide key;
};

// Of a client's address, those that are shown: all, its network's, or none, of a hashed one.
unsigned querylog_hide_bits(enum log_clients how, unsigned version);
// -errno of the system's random source; then nothing can be hashed.
ATTR_MUST_CHECK int querylog_hide_beat(struct querylog_hide *h, uint64_t now_ms);
// Changes `bytes` and gives the text, NUL-terminated; its length.
size_t querylog_hide_client(const struct querylog_hide *h, enum log_clients how, unsigned version,
	uint8_t bytes[16], char out[QUERYLOG_CLIENT_TEXT_MAX]);
// Of 16 bytes. RFC 9018's appendix has it too.
uint64_t querylog_siphash(const uint64_t key[2], const uint8_t bytes[16]);
