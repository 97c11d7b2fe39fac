// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// A batch: the frames of one receive burst on their way through the stages.
//
// Each stage works on pkt[0..count), settles some and compacts the rest to the front, in order. A
// settled frame has its verdict counted (one for the kernel when it goes there) and its mbuf moved
// to one of the three out lists, which stage_tx empties at the end of the turn; from then on the
// batch holds no reference to it. One struct batch per worker lives on the worker's stack and is
// used again each turn.

#include "core/dns/dns_cookie_many.h"
#include "state/mbuf_owner.h"
#include "state/worker.h"

#include <weir/rule_probe.h>
#include <weir/shm_msg.h>

// Ordered so that a query of usual length touches few lines, because those of a whole batch with
// its frames must stay in the first-level cache: all that every stage reads is in the first, the
// name begins with the second, and what only the rules read is at the end.
struct packet {
	alignas(CACHE_LINE) struct rte_mbuf *m; // NULL once settled
	uint64_t hash;                          // the key of the question in L0: its hash
	uint64_t key_word;                      // packet_key
	uint64_t rest_sum;  // wide sum of the message behind its header; 0: not known
	uint8_t ip_version; // has_vlan to group are read as one word (packet_shape)
	bool has_vlan;
	uint16_t l3; // offsets from the start of the frame
	uint16_t l4;
	bool zero_csum; // IPv4 query without UDP checksum: the reply has none either
	uint8_t group;  // the client's; set only while there are groups
	uint16_t dns;
	uint16_t dns_len; // what the UDP header says
	uint32_t record;  // L0 record to try first; after stage_lookup the one found, or L0_NONE
	struct dns_query q;
	// What a rule allows: the name, and whatever its answer leads to. Set only with
	// probe.candidates.
	bool allowed, unchecked;
	bool is_led; // a list's CNAME, which the control plane follows: what L0 has is for others
	struct rule_probe probe; // set only while there are rules
};
static_assert(offsetof(struct packet, q.name.wire) == CACHE_LINE);

enum { PACKET_SHAPE = offsetof(struct packet, ip_version) };
static_assert(offsetof(struct packet, has_vlan) == PACKET_SHAPE + 1
	      && offsetof(struct packet, l3) == PACKET_SHAPE + 2
	      && offsetof(struct packet, l4) == PACKET_SHAPE + 4
	      && offsetof(struct packet, zero_csum) == PACKET_SHAPE + 6
	      && offsetof(struct packet, group) == PACKET_SHAPE + 7);

// The shape of a frame's headers as one word: with a checksum, without a group.
ATTR_INLINE uint64_t packet_shape(unsigned ip_version, bool has_vlan, unsigned l3, unsigned l4)
{
	return (uint64_t)l4 << 32 | (uint64_t)l3 << 16 | (uint64_t)has_vlan << 8 | ip_version;
}

ATTR_INLINE void packet_set_shape(struct packet *p, uint64_t shape)
{
	memcpy((uint8_t *)p + PACKET_SHAPE, &shape, sizeof(shape));
}

// Whatever its group.
ATTR_INLINE bool packet_has_shape(const struct packet *p, uint64_t shape)
{
	uint64_t w;
	memcpy(&w, (const uint8_t *)p + PACKET_SHAPE, sizeof(w));
	return w << 8 == shape << 8;
}

// Facts about a packet for the query log that its reply does not show; by its index in `store`. All
// but the frame is one word, whose lower seven bytes are equal for most packets.
struct batch_note {
	struct rte_mbuf *m;
	uint16_t ede;       // or LOG_NO_EDE
	uint16_t list;      // or LOG_NO_LIST
	uint8_t verdict;    // enum verdict
	uint8_t rcode_high; // what does not fit into the header
	bool is_answered;   // so the frame is the reply
	uint8_t validation; // enum log_validation of the record found; counts for a hit alone
};
static_assert(offsetof(struct batch_note, validation) == offsetof(struct batch_note, ede) + 7);

// The whole cookies of a batch's plain queries, over IPv4 and over IPv6 (cookie.h).
struct batch_cookies {
	bool any; // if not, nothing else is set
	struct packet *p[2][WORKER_BATCH];
	struct dns_cookie_many many[2];
};
static_assert((unsigned)DNS_COOKIE_MANY >= (unsigned)WORKER_BATCH);

// A query that a balancer forwarded, while its frame is that of the client (stage_proxy.c).
struct batch_proxied {
	struct rte_mbuf *m;
	struct return_path path; // leads by the balancer to the client
};

struct batch {
	struct worker *w;
	const struct worker_port *port;
	const struct worker_tables *tables; // the worker's, for the whole turn
	uint64_t now_ms;
	bool control_alive; // read once per batch, so that all stages decide alike
	bool rules;         // the rule image has rules for names
	bool blocks;        // rules and checked answers may block: neither off nor paused
	bool closed;        // no rules (blocking.closed): no client is answered
	bool blocks_all;    // some group of clients may ask for nothing, and the same goes for that
	uint8_t asked;      // miss rings on which something was put, one bit each
	bool logs;          // the query log is on: `note` is kept
	bool log_lines;     // records went past the caches (query_record.h)
	uint64_t start_tsc;
	uint32_t proven;  // bit i: the client of store[i] is over its limits and has a right cookie
	uint32_t proxied; // bit i: a balancer named the client of store[i]
	unsigned count;
	unsigned looked_home, looked_other; // so many packets are looked up (record_fast.h)
	unsigned tx_count, kernel_count, drop_count;
	struct packet *pkt[WORKER_BATCH];
	struct rte_mbuf *tx[WORKER_BATCH];
	struct rte_mbuf
		*kernel[WORKER_BATCH]; // counted to_kernel or drop_exception_full by stage_kernel
	struct rte_mbuf *drop[WORKER_BATCH];
	struct packet store[WORKER_BATCH];
	struct batch_note note[WORKER_BATCH]; // when `logs`
	struct batch_cookies cookies;
	struct batch_proxied
		forwarded[WORKER_BATCH]; // [i] is of store[i], if `proxied` has its bit
};

// What rules may do to a batch that has its tables and its time.
ATTR_INLINE void batch_see_rules(struct batch *b)
{
	const struct worker_tables *t = b->tables;
	const struct dp_config *c = &t->config;
	b->rules = t->has_rules && t->rules.depths;
	b->blocks = t->has_rules && c->blocking_on && b->now_ms >= c->pause_until_ms;
	b->closed = !t->has_rules && c->blocking_on == BLOCKING_CLOSED
		    && b->now_ms >= c->pause_until_ms;
	b->blocks_all = t->has_groups && t->policy.has_block_all && c->blocking_on
			&& b->now_ms >= c->block_all_pause_until_ms;
}

// Was the packet's query let through over its client's limits by a right cookie?
ATTR_INLINE bool batch_is_proven(const struct batch *b, const struct packet *p)
{
	return unlikely_(b->proven) && b->proven >> (p - b->store) & 1;
}

// The way back to the client that a balancer named for this packet; NULL if no balancer sent it.
ATTR_INLINE const struct return_path *batch_forwarded(const struct batch *b, const struct packet *p)
{
	return unlikely_(b->proxied) && b->proxied >> (p - b->store) & 1
		       ? &b->forwarded[p - b->store].path
		       : NULL;
}

// The lists that apply to the packet's client, while nothing is off or paused.
ATTR_INLINE const uint64_t *batch_lists(const struct batch *b, const struct packet *p)
{
	const struct worker_tables *t = b->tables;
	return unlikely_(t->has_groups) ? t->policy.group[p->group].lists : t->config.group_lists;
}

// The packet's client may ask for nothing but what an allow rule names, and local data.
ATTR_INLINE bool batch_blocks_all(const struct batch *b, const struct packet *p)
{
	return b->blocks_all && b->tables->policy.group[p->group].block_all;
}

// Does stage_parse look for the records already? Not where many of its packets will probably be
// settled before their turn, for which that is work in vain.
ATTR_INLINE bool batch_looks_early(const struct batch *b)
{
	return b->tables->has_l0 && !b->blocks_all && !(b->rules && b->w->rules_settle);
}

ATTR_INLINE struct batch_note *batch_note(struct batch *b, const struct packet *p)
{
	return &b->note[p - b->store];
}

ATTR_INLINE void batch_note_verdict(struct batch *b, const struct packet *p, enum verdict v)
{
	if (b->logs)
		batch_note(b, p)->verdict = (uint8_t)v;
}

// The three ways to settle a packet. Each takes the mbuf over for stage_tx.
ATTR_INLINE void batch_tx(struct batch *b, struct packet *p, enum verdict v)
{
	stats_add(&b->w->stats->verdict[v], 1);
	batch_note_verdict(b, p, v);
	b->tx[b->tx_count++] = p->m;
	p->m = NULL;
}

ATTR_INLINE void batch_drop(struct batch *b, struct packet *p, enum verdict v)
{
	stats_add(&b->w->stats->verdict[v], 1);
	batch_note_verdict(b, p, v);
	if (b->logs)
		batch_note(b, p)->is_answered = false;
	mbuf_own(p->m, mbuf_mark(MBUF_OWNER_VERDICTS + v, b->now_ms));
	b->drop[b->drop_count++] = p->m;
	p->m = NULL;
}

ATTR_INLINE void batch_to_kernel(struct batch *b, struct packet *p)
{
	batch_note_verdict(b, p, VERDICT_to_kernel);
	mbuf_own(p->m, mbuf_mark(MBUF_OWNER_kernel_queue, b->now_ms));
	b->kernel[b->kernel_count++] = p->m;
	p->m = NULL;
}

ATTR_INLINE void batch_count(struct batch *b, enum counter c, uint64_t n)
{
	stats_add(&b->w->stats->counter[c], n);
}

// What its question is known by.
ATTR_INLINE struct l0_key packet_key(const struct packet *p)
{
	return (struct l0_key){.hash = p->hash, .name = p->q.name.wire, .word = p->key_word};
}

// The address of a query's client as it lies in the frame, 4 or 16 bytes. After a reply was written
// in its place it is the service address.
ATTR_INLINE const uint8_t *packet_source(const struct packet *p)
{
	enum { IPV4_SOURCE = 12, IPV6_SOURCE = 8 };
	const uint8_t *ip = rte_pktmbuf_mtod_offset(p->m, const uint8_t *, p->l3);
	return ip + (p->ip_version == 4 ? IPV4_SOURCE : IPV6_SOURCE);
}

// The DNS message of a packet, and the bytes from there to the end of its buffer.
ATTR_INLINE uint8_t *packet_dns(const struct packet *p)
{
	return rte_pktmbuf_mtod_offset(p->m, uint8_t *, p->dns);
}

ATTR_INLINE size_t packet_dns_room(const struct packet *p)
{
	return (size_t)p->m->buf_len - p->m->data_off - p->dns;
}
