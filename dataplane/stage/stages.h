// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The stages, in the order in which turn_run (turn.h) calls them. Each takes the whole batch; see
// batch.h for what "settle" means. Only turn.h knows the order; no stage calls another.

#include "batch.h"

void stage_rx(struct batch *b);     // burst, one packet struct per frame, prefetch headers
void stage_screen(struct batch *b); // first part of stage_net, of ports that are screened
void stage_net(
	struct batch *b); // Ethernet, VLAN, IPv4/IPv6, UDP: settles all that is not UDP/53 to us
// Only where some senders are balancers. Last part of stage_net: reads the headers of their
// queries, whose frames become those of the clients that these name. First part of stage_tx, behind
// all that notes the client: turns the replies to such into frames to the balancers.
void stage_proxy(struct batch *b);
void stage_proxy_return(struct batch *b);
void stage_policy(struct batch *b); // group of the client, if there are groups
void stage_parse(struct batch *b); // DNS query; FORMERR, NOTIMP, BADVERS, REFUSED; hashes, prefetch
void stage_rules(struct batch *b); // answers what is blocked or local; the view of safe search
void stage_lookup(struct batch *b); // L0: answers hits (and stale ones, where allowed)
void stage_miss(struct batch *b);   // the rest to the miss ring, or SERVFAIL, or dropped
// Instead of their log and their send, once the worker is evicted: records may have been reused
// while these replies were copied from them (shm_epoch.h). Their verdicts are counted already.
void stage_drop_replies(struct batch *b);
void stage_tx(struct batch *b); // sends, keeps what is the kernel's, frees; then the bell

// The query log, when it is on: notes about each packet, before stage_net, and records of the
// queries that the worker ended itself, before their packets leave. They are published after the
// packets are sent, so that nothing waits for the records' stores.
void stage_log_begin(struct batch *b);
void stage_log(struct batch *b, unsigned received);
// What came, before any stage writes a reply over it.
void stage_keep_frames(struct batch *b);
// Does this verdict imply that the stages recognised a query to weir?
bool stage_log_has_query(enum verdict v);
// Fills in a record of the log, without the name.
void stage_log_describe(struct log_record *r, const struct batch *b, const struct packet *p,
	const struct batch_note *n, bool is_query);

// During a watch: the received frames, before stage_net, and their results, before stage_tx;
// published by stage_log_end, after whose fence the records are complete.
struct stage_cycles;
void stage_watch_begin(struct batch *b);
// The number of a query that goes to the control plane, for its miss; 0: not watched.
uint32_t watch_trace(struct batch *b, const struct packet *p);
void stage_watch(struct batch *b, unsigned received, const struct stage_cycles *c);
// Reports that the answer to such a query left, or that its port had no room for it. Nothing if the
// watch has ended.
void watch_answer(
	struct worker *w, uint16_t trace, uint64_t taken_tsc, uint64_t left_tsc, bool is_sent);
void stage_log_end(struct batch *b);
uint64_t stage_log_clock_us(const struct log_clock *c, uint64_t tsc, uint64_t now_ms);

// Frames from the kernel, unchanged to the client ports, if it is time to look: at once after a
// look that brought some, else kernel_look_cycles after the last one. A look at a TAP is a system
// call, and costs more than a look at all other queues. `tsc`: now. Number moved.
unsigned stage_exceptions(struct worker *w, uint64_t tsc);
// Sends some of the frames that wait for the kernel (exception.h), at the end of an iteration;
// returns their number. `crowded`: clients' frames wait too.
unsigned stage_kernel(struct worker *w, bool crowded);
// Sends answers of the control plane, each in a new packet of this worker's pool; returns their
// number. The bound protects cached answers, which may wait behind them: a resolver that rejects a
// flood sends hundreds at once. It is not lower than the misses of one iteration, or the ring would
// fill by the pace alone. Where answers take longer than one in ANSWERS_SHARE of the time that
// makes a burst slow, as on a TAP with a system call per frame, the worker sends as many as fit
// into that time, at least ANSWERS_LEAST, until the ring is half full. The time of the last ones
// gives the number.
enum { ANSWERS_PER_TURN = WORKER_BATCH, ANSWERS_LEAST = 4, ANSWERS_SHARE = 4 };
unsigned stage_answer(struct worker *w);
