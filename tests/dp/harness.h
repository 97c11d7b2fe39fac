// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// A worker on rings instead of wires, for the packet tests: worker_turn and the stages of the
// product, net_ring ports for clients and kernel, L0 and rule tables made by their real writers in
// ordinary memory, real worker rings with the test as the control plane.
//
// One EAL per process, from the first harness_begin on; one struct harness per test (PACKET_TEST).
// harness_end also checks the laws that hold for every test: as many verdicts as frames, every
// packet buffer back in its pool. Failures fail the running cmocka test.

#include "dataplane/stage/batch.h"
#include "dataplane/stage/stages.h"
#include "tests/unit/unit.h"
#include "wire.h"

#include <rte_ring.h>

#include <weir/l0_writer.h>
#include <weir/shm_msg.h>

// Of a table that is keyed: any bytes will do as long as its first six words differ.
#define HARNESS_SECRET "where nobody aims at anything, any secret is as good"

struct harness_options {
	bool has_exception, has_partial, no_l0, no_marks;
	bool csums_verified; // as by a NIC that found the UDP checksums right
	unsigned miss_units; // 0: 32768
};

struct harness {
	struct worker w;
	struct kernel_flow_table kernel_flows;
	struct asked_ports asked_ports;
	struct worker_tables tables;
	struct worker_service service;
	struct stats_worker stats;
	struct rings_dp_page dp;
	struct rings_cp_page cp;
	struct ring_consumer miss; // the control plane's ends
	struct ring_producer answer;
	uint8_t *miss_data, *answer_data;
	struct recent_way *dedup;
	_Atomic uint64_t epoch_now;
	struct epoch_writer epoch;
	struct l0_writer *l0;
	uint8_t *l0_base;
	_Atomic uint8_t *marks;
	void *rules;                            // struct rule_arena
	void *policy;                           // the image in use
	struct config_proxy_protocol balancers; // from the next groups or access on
	struct limiter *limiter;
	unsigned pool_baseline;
	bool verified;    // frames come as from a NIC that found their UDP checksums right
	bool strip_vlan;  // frames come as from a driver that takes tags off
	uint8_t beyond;   // what the buffer holds behind an injected frame
	bool any_replies; // the test's control plane says what is no message, or frames are
			  // reflected
	uint64_t start_ms;
};

void harness_start(void); // EAL, until the process ends
struct harness *harness_begin(const struct harness_options *o);
void harness_end(struct harness *h);

// A TEST with `h`, a harness of its own: one without options, or the one that the second argument
// begins.
#define PACKET_TEST_OF(fn, ...)                  \
	static void fn##_on(struct harness *h);  \
	TEST(fn)                                 \
	{                                        \
		struct harness *h = __VA_ARGS__; \
		fn##_on(h);                      \
		harness_end(h);                  \
	}                                        \
	static void fn##_on(struct harness *h)
#define PACKET_TEST(fn) PACKET_TEST_OF(fn, harness_begin(NULL))

// Frames. `take` gives the next frame's length, 0 without a frame; one for a client is checked by
// the oracles of tests/fuzz, which abort.
void harness_inject(struct harness *h, const uint8_t *frame, size_t len);
void harness_inject_chained(struct harness *h, const uint8_t *frame, size_t len, size_t first);
void harness_inject_kernel(struct harness *h, const uint8_t *frame, size_t len);
size_t harness_take(struct harness *h, uint8_t *frame);
size_t harness_take_kernel(struct harness *h, uint8_t *frame);
unsigned harness_waiting(const struct harness *h); // frames out for clients
void harness_drain(struct harness *h);             // and away with them
void harness_turns(struct harness *h);             // until nothing more comes in
void harness_send(struct harness *h, const uint8_t *frame, size_t len); // and turns

// A query to ask, by its fields.
#define QUERY(...) (&(const struct wire_query){__VA_ARGS__})
// One query in, exactly one checked reply out, counted as `v`. The reply's pointers are good until
// the next call.
struct wire_reply harness_ask(struct harness *h, const struct wire_query *q, enum verdict v);
// One query in, no reply.
void harness_ask_dropped(struct harness *h, const struct wire_query *q, enum verdict v);

// One record: a SOA of the authority section; an IPv4 address, with NOERROR.
void expect_soa(const struct wire_reply *r, uint32_t ttl_s);
void expect_address(const struct wire_reply *r, const char *bytes, uint32_t ttl_s);

// Sends a frame so often; how many were hits.
unsigned harness_hits(struct harness *h, const uint8_t *frame, size_t len, unsigned count);
uint64_t harness_verdict(const struct harness *h, enum verdict v);
uint64_t harness_counter(const struct harness *h, enum counter c);

// A record of L0, times from now in ms (past ones negative). Each RR is `rdata_len` bytes of
// a pattern, of the type asked for, with TTL `ttl_s`.
struct harness_record {
	const char *name;
	uint16_t qtype; // 0: A
	uint16_t view;
	uint8_t key_flags;   // L0_KEY_*
	unsigned count;      // RRs
	unsigned rdata_len;  // of each; 0: 4
	uint32_t ttl_s;      // 0: 300
	int64_t created_ms;  // relative to now
	uint32_t soft_ms;    // after created; 0: 300,000
	uint32_t hard_ms;    // 0: 3,900,000
	uint32_t refresh_ms; // 0: never
	uint32_t stale_until_ms;
	uint8_t rcode;
	bool authenticated, insecure;
	const struct rule_set *mask; // NULL: not checked by the answer policy
};
void harness_put(struct harness *h, const struct harness_record *r);
#define HARNESS_PUT(h, ...) harness_put(h, &(const struct harness_record){__VA_ARGS__})
uint8_t harness_mark(const struct harness *h, const char *name); // of the A record's first unit

// Blocks these names (list 2 of group 0), or replaces what was blocked before.
void harness_block(struct harness *h, const char *const *names, unsigned count);
void harness_all_lists(struct harness *h); // group 0 has them

// Rules of any kind in place of those, each for its name and all below. Rule i is list 2 + i, which
// is to be in the group's mask. One with a record and the name of the rule before it is another
// record of that, and no list.
struct harness_rule {
	const char *name; // or /pattern/
	enum rule_class rule_class;
	enum rule_reply reply;
	// For RULE_REPLY_DATA, with TTL 77; rtype 0: no record. Of other replies rtype is the query
	// type that the rule is for; 0: all.
	uint16_t rtype, rdata_len;
	const char *rdata;
};
void harness_rules(struct harness *h, const struct harness_rule *rules, unsigned count);
void harness_rules_lost(struct harness *h); // zeros in place of the image

// Puts clients into group 1, 2, ... in place of what was: prefixes[i] go to group i + 1, separated
// by blanks, MAC addresses (02:00:...) and VLANs (vlan7) among them; `group` says what applies to
// each, group 0 first.
void harness_groups(struct harness *h, const char *const *prefixes, unsigned count,
	const struct policy_group *group);

// Who may ask and how often, in place of the groups; and the main lcore's look at
// what the limits leave.
void harness_access(struct harness *h, const struct config_access *access);
void harness_limits_look(struct harness *h, uint64_t now_ms);
void harness_access_at(struct harness *h, const struct config_access *access, uint64_t now_ms);

// The question of the last miss that was taken, and what goes along behind it.
extern uint8_t harness_question[300 + MSG_WHOLE_MAX];
// The next message of the miss ring, if there is one; the one that must be there; all of them, and
// how many these were.
bool harness_miss_is_there(struct harness *h, struct msg_miss *msg);
struct msg_miss harness_miss(struct harness *h);
unsigned harness_misses(struct harness *h);
// A query that gets no reply, and the miss that it makes.
struct msg_miss harness_ask_missed(struct harness *h, const struct wire_query *q);
// What the control plane says of the last miss, without records: its head, and its DNS message.
struct msg_answer harness_answer_to(const struct msg_miss *msg, unsigned flags, uint8_t *dns);
// Sends a message to the worker as the control plane would.
void harness_answer(
	struct harness *h, const struct msg_answer *head, const uint8_t *dns, uint32_t dns_len);
#define ANSWER_TAKEN(h, ...) \
	(harness_answer(h, __VA_ARGS__), assert_int_equal(stage_answer(&(h)->w), 1))
