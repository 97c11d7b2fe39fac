// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The load itself on a started port, every reply checked.
//
// Without a rate the loop is closed: a window of outstanding queries that go out in full bursts, so
// that the other side's receive bursts are full as well; with a window of one each goes alone.
// Latency counts from when a query left: making room for it, by checking another's reply, is work
// of ours. With a rate the loop is open: queries are due at even distances whatever the replies do,
// each goes when it is due, and its latency counts from then, so that a server that falls behind
// cannot hide it by slowing its clients down. When all slots are taken the due ones wait for one.
//
// The generator watches itself: when its own loop stood still for LOAD_STALL_US (something else had
// its CPU), it cannot say when the replies came that it then finds. These are timed until the stall
// began if they had waited for LOAD_STALL_US by then, and else not at all; nor are queries that the
// stall held up on their way out. An open loop goes on from there without making up for the time.
// Replies in the first LOAD_WARM_MS of an open loop are not timed either.
//
// Unanswered and SERVFAIL queries are asked again, a few times, since a cold name may take a
// moment. That is a loss and no latency, so they are counted and not timed. Bounded in count and
// time.

#include "latency.h"
#include "packet.h"

struct rte_mbuf;
struct rte_mempool;

enum {
	LOAD_BURST = 32,
	LOAD_WINDOW_MAX = 4096,
	LOAD_ENDPOINTS_MAX = 2,
	LOAD_TRIES_MAX = 40, // 20 s: longer than a busy machine holds a process up
	LOAD_TRY_MS = 500,
	LOAD_TURN_MAX = 3 * LOAD_BURST, // a burst and LOAD_LATE_SLOTS asked again
	LOAD_LATE_SLOTS = 2 * LOAD_BURST,
	LOAD_STALL_US = 20,
	LOAD_WARM_MS = 200
};

struct load_slot { // one outstanding query; its index is the low part of the client port
	struct question q;
	uint64_t due_tsc;  // since when it is timed
	uint64_t sent_tsc; // for the last time
	unsigned tries;    // 0: free
	bool untimed;
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
	uint64_t rate;   // queries/s of an open loop; 0: a closed one
	unsigned nap_us; // sleeps so long in each turn of an open loop; no reply is timed then

	// From here on each run starts from 0.
	struct load_slot slot[LOAD_WINDOW_MAX];
	uint16_t free[LOAD_WINDOW_MAX]; // slots
	unsigned free_count, out_count;
	struct rte_mbuf *out[LOAD_BURST];
	uint64_t asked, answered, sent_back, bad, again, given_up, unmatched;
	uint64_t next_tsc;            // when the next query of an open loop is due
	uint64_t seen_tsc;            // the last look at the clock
	uint64_t timed_tsc;           // only queries due from then on are timed
	uint64_t stall_tsc;           // replies came at some time from there on, or 0
	uint16_t turn[LOAD_TURN_MAX]; // slots of queries since the last look
	unsigned turn_count;
	uint64_t stalls, untimed;                 // of the generator; replies
	unsigned late_from;                       // the slot to look at next
	struct latency answer_time, reflect_time; // of the timed ones
};

// Asks for the MAC addresses that are not known yet. False: no answer in 10 s.
bool load_resolve(struct load *l);
double load_run(struct load *l); // seconds that it took
