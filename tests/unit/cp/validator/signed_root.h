// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// A server of a signed root zone, on a loop of the test: ECDSA P-256, one key. Made with ldns, so
// its signatures are not of the library under test.

#include <stdbool.h>
#include <stdint.h>

struct event_base;

enum signed_how {
	SIGNED_GOOD,
	SIGNED_BAD,     // the address is another one than that signed
	SIGNED_EXPIRED, // three days ago: the library allows for a clock that is a day off
	SIGNED_EARLY,   // in three days
	SIGNED_NOT,
};

struct signed_root {
	uint16_t port;
	unsigned queries;    // UDP
	unsigned cd_queries; // with CD and DO
	bool is_silent, is_failing;
	bool is_keyless; // fails for its key
};

// Writes its key as a trust anchor to `anchors`.
void signed_root_start(struct signed_root *r, struct event_base *base, const char *anchors);
void signed_root_stop(struct signed_root *r);
// `name`. A 192.0.2.1 with a TTL of 300 s.
void signed_root_add(const char *name, enum signed_how how);
