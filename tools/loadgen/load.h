// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The load itself: a window of outstanding queries on a started port, every reply checked.
//
// Queries go out in full bursts, so that the other side's receive bursts are full as well; with a
// window of one each goes alone, for latency. Unanswered and SERVFAIL ones are asked again, a few
// times, since a cold name may take a moment. Bounded in count and time.

#include "latency.h"
#include "packet.h"

struct rte_mempool;
struct rte_mbuf;

enum {
	LOAD_BURST = 32,
	LOAD_WINDOW_MAX = 512,
	LOAD_ENDPOINTS_MAX = 2,
	LOAD_TRIES_MAX = 8,
	LOAD_TRY_MS = 500
};

struct load_slot { // one outstanding query; its index is the low part of the client port
	struct question q;
	uint64_t sent_tsc;
	unsigned tries; // 0: free
};

struct load {
	uint16_t port;
	struct rte_mempool *pool;
	uint8_t mac[6];
	struct endpoint endpoint[LOAD_ENDPOINTS_MAX];
	unsigned endpoints, window, names;
	bool corpus;                     // names of the corpus, drawn at random
	unsigned listed, listed_percent; // of these
	bool reflected;                  // the other side reflects, now and then
	uint64_t queries, seconds;

	// From here on each run starts anew.
	struct load_slot slot[LOAD_WINDOW_MAX];
	uint16_t free[LOAD_WINDOW_MAX]; // slots
	unsigned free_count, out_count;
	struct rte_mbuf *out[LOAD_BURST];
	uint64_t asked, answered, sent_back, bad, again, given_up, unmatched;
	uint64_t received_tsc;                    // of the last receive burst
	struct latency answer_time, reflect_time; // of those not asked twice
};

// Asks for the MAC addresses that are not known yet. False: no answer in 10 s.
bool load_resolve(struct load *l);
double load_run(struct load *l); // seconds that it took
// A line of JSON; true if every query was answered and every reply was right.
bool load_report(const struct load *l, double seconds);
