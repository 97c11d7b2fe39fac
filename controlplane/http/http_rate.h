// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// How often who may ask an HTTP server: HTTP_RATE_PLACES allowances of requests, each of a source
// or of a user, by a key. One more takes the place of the one that asked longest ago, and begins
// with all of its own. What a request takes of the loop's CPU time counts too: HTTP_RATE_COST_US of
// it as one request more. So a client that may send 50 a second takes a tenth of the loop, whatever
// the requests cost.
//
// A value; the thread of the server's loop. A call looks through the table.

#include "base/allowance.h"

#include <stddef.h>

enum { HTTP_RATE_PLACES = 256, HTTP_RATE_COST_US = 2000 };

struct http_rate_place {
	uint64_t key; // 0: free
	unsigned times;
	struct allowance left;
};

struct http_rate {
	unsigned each_s, burst;
	uint64_t refused, evicted; // ever
	struct http_rate_place place[HTTP_RATE_PLACES];
};

// The key of `len` bytes, which may not be 0.
uint64_t http_rate_key(char kind, const void *of, size_t len);
// `times`: the share, of each_s and burst. False: refused.
bool http_rate_take(struct http_rate *r, uint64_t key, unsigned times, uint64_t now_ms);
// Charges `us` for a request. A key that is not there has no budget to pay from.
void http_rate_charge(struct http_rate *r, uint64_t key, uint64_t us);
unsigned http_rate_used(const struct http_rate *r);
