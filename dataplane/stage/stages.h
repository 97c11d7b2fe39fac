// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The stages, in the order in which worker_turn calls them. Each takes the whole batch; see batch.h
// for what "settle" means. Only worker.c knows the order; no stage calls another.

#include "batch.h"

void stage_rx(struct batch *b);     // burst, one packet struct per frame, prefetch headers
void stage_screen(struct batch *b); // first part of stage_net, of ports that are screened
void stage_net(
	struct batch *b); // Ethernet, VLAN, IPv4/IPv6, UDP: settles all that is not UDP/53 to us
void stage_policy(struct batch *b); // group of the client, if there are groups
void stage_parse(struct batch *b); // DNS query; FORMERR, NOTIMP, BADVERS, REFUSED; hashes, prefetch
void stage_rules(struct batch *b); // answers what is blocked or local; the view of safe search
void stage_lookup(struct batch *b); // L0: answers hits (and stale ones, where allowed)
void stage_miss(struct batch *b);   // the rest to the miss ring, or SERVFAIL, or dropped
void stage_tx(struct batch *b);     // sends, keeps what is the kernel's, frees; then the bell

// The query log, when it is on: what is noted of each packet, before stage_net, and the records of
// those queries that the worker ended itself, before their packets leave; published when these are
// on their way, so that nothing waits for the records' way to memory.
void stage_log_begin(struct batch *b);
void stage_log(struct batch *b, unsigned received);
// What came, before any stage writes a reply over it.
void stage_keep_frames(struct batch *b);
// Of what came with this verdict the stages have read that it is a query to us.
bool note_has_query(enum verdict v);
// As a record of the log, without its name.
void note_describe(struct log_record *r, const struct batch *b, const struct packet *p,
	const struct batch_note *n, bool is_query);

// While somebody watches: what came, before stage_net, and what became of it, before stage_tx;
// published by stage_log_end, behind whose fence the records before it are whole.
struct stage_cycles;
void stage_watch_begin(struct batch *b);
// The number of a query on its way to the control plane, for its miss; 0: nobody watches it.
uint32_t watch_trace(struct batch *b, const struct packet *p);
void stage_watch(struct batch *b, unsigned received, const struct stage_cycles *c);
// That the answer to such a query left, or that its port had no room for it. Nothing unless
// somebody watches still.
void watch_answer(
	struct worker *w, uint16_t trace, uint64_t taken_tsc, uint64_t left_tsc, bool is_sent);
void stage_log_end(struct batch *b);
uint64_t log_clock_us(const struct log_clock *c, uint64_t tsc, uint64_t now_ms);

// Frames from the kernel, unchanged to the client port; number moved.
unsigned stage_exception(struct worker *w, const struct worker_port *port);
// Some of what waits for the kernel (exception.h), when all else of a turn is done; number taken.
// `crowded`: clients' frames wait too.
unsigned stage_kernel(struct worker *w, bool crowded);
// Answers of the control plane, each in a fresh packet of this worker's pool; number sent. So many
// at most, as a cached answer may wait behind them: a resolver that turns a flood away sends
// hundreds at once. No fewer than misses come in one turn, or the ring would fill by the pace
// alone; but where they take longer than one in ANSWERS_SHARE of the time that makes a burst slow,
// as on a TAP, each of whose frames is a system call, as many as fit into that, at least
// ANSWERS_LEAST, until the ring is half full: what the last ones took says how many.
enum { ANSWERS_PER_TURN = WORKER_BATCH, ANSWERS_LEAST = 4, ANSWERS_SHARE = 4 };
unsigned stage_answer(struct worker *w);
