// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The record of a plain hit, as most are: answered from L0, nothing noted of it. A twin of the
// general code in stage_log.c for the query log that has a record for every query.
//
// It is made in words and put into the ring past the caches, for the worker never reads it: a ring
// of 4 MiB would push out what the next packets need, and each line would be fetched only to be
// written over (docs/explanation/performance.md). Such stores are not in order with others, so the
// lines of a batch are for the log thread only after query_record_fence. Elsewhere than on x86-64
// these are stores as all others.

#include "batch.h"

#include <weir/bytes.h>
#include <weir/shm_msg.h>

#ifdef __SSE2__
#include <emmintrin.h>

ATTR_INLINE void query_record_store(uint8_t *at, uint64_t word)
{
	_mm_stream_si64((long long *)(void *)at, (long long)word);
}

ATTR_INLINE void query_record_copy(uint8_t *to, const uint8_t *from, unsigned bytes)
{
	for (unsigned i = 0; i < bytes; i += sizeof(__m128i))
		_mm_stream_si128((__m128i *)(void *)(to + i),
			_mm_loadu_si128((const __m128i *)(const void *)(from + i)));
}

ATTR_INLINE void query_record_fence(void)
{
	_mm_sfence();
}
#else
ATTR_INLINE void query_record_store(uint8_t *at, uint64_t word)
{
	memcpy(at, &word, sizeof(word));
}

ATTR_INLINE void query_record_copy(uint8_t *to, const uint8_t *from, unsigned bytes)
{
	memcpy(to, from, bytes);
}

ATTR_INLINE void query_record_fence(void)
{
}
#endif

// The common part of all records of a batch, in the words of struct log_record.
struct query_record {
	uint64_t time_us, last; // `last` packs upstream, dataplane_us, verdict and flags
	bool has_groups;
	uint8_t image; // group_in_image of group 0
};

// Which bytes of a word a field is. The first word is the ring's header.
enum {
	QUERY_RECORD_HALF = 16,
	QUERY_RECORD_VERDICT = 32,
	QUERY_RECORD_GROUP = 40,
	QUERY_RECORD_FLAGS = 48,
	QUERY_RECORD_NAME_LEN = 56,
};
static_assert(offsetof(struct log_record, client) == 16);
static_assert(offsetof(struct log_record, client_port) == 32);
static_assert(offsetof(struct log_record, qclass) == 36);
static_assert(offsetof(struct log_record, query_len) == 38);
static_assert(offsetof(struct log_record, reply_len) == 40);
static_assert(offsetof(struct log_record, list) == 46);
static_assert(offsetof(struct log_record, upstream) == 48);
static_assert(offsetof(struct log_record, verdict) == 52);
static_assert(offsetof(struct log_record, name_len) == 55);
static_assert(offsetof(struct dns_query, qclass) == offsetof(struct dns_query, qtype) + 2);

ATTR_INLINE struct query_record query_record_of(
	const struct batch *b, uint64_t time_us, uint16_t took_us, uint8_t tier)
{
	uint64_t flags = LOG_ANSWERED | (unsigned)tier << LOG_TIER_SHIFT;
	return (struct query_record){
		.time_us = time_us,
		.last = LOG_NO_UPSTREAM | (uint64_t)took_us << QUERY_RECORD_HALF
			| (uint64_t)VERDICT_hit << QUERY_RECORD_VERDICT
			| flags << QUERY_RECORD_FLAGS,
		.has_groups = b->tables->has_groups,
		.image = group_in_image(0, b->tables->policy_generation),
	};
}

// The words of client and port, and of the query's type, class and length.
ATTR_INLINE uint64_t query_record_client(
	uint8_t *client, const struct packet *p, const uint8_t *frame)
{
	enum {
		IPV4_TO = 16,
		IPV6_TO = 24,
		PORT_TO = 2
	}; // a reply has it in place of the query's destination
	uint64_t address[2] = {0};
	uint32_t type_class;
	if (likely_(p->ip_version == 4)) {
		uint32_t narrow;
		memcpy(&narrow, frame + p->l3 + IPV4_TO, sizeof(narrow));
		address[0] = narrow;
	} else {
		memcpy(address, frame + p->l3 + IPV6_TO, sizeof(address));
	}
	query_record_store(client, address[0]);
	query_record_store(client + sizeof(address[0]), address[1]);
	memcpy(&type_class, &p->q.qtype, sizeof(type_class));
	return get_u16(frame + p->l4 + PORT_TO) | (uint64_t)type_class << QUERY_RECORD_HALF
	       | (uint64_t)p->dns_len << 3 * QUERY_RECORD_HALF;
}

// Writes a record at `unit`, which begins a cache line; returns the place of the next one. The rest
// of the name's lines has bytes of the packet, which no reader uses.
ATTR_INLINE uint8_t *query_record_put(uint8_t *unit, const struct packet *p,
	const struct batch_note *n, const struct query_record *t)
{
	const struct rte_mbuf *m = n->m;
	const uint64_t name_len = p->q.name.len, len = sizeof(struct log_record) + name_len;
	const uint64_t units = ring_units_of((uint32_t)len);
	const uint64_t word = sizeof(word);
	const uint8_t *frame = rte_pktmbuf_mtod(m, const uint8_t *);
	uint64_t rcode =
		(frame[p->dns + 3] & 0xf) | (unsigned)n->validation << LOG_VALIDATION_SHIFT;
	uint64_t group = t->has_groups ? p->group | t->image : 0;
	uint64_t v6 = p->ip_version == 4 ? 0 : LOG_IPV6;
	query_record_store(unit, len | units << 32 | (uint64_t)MSG_LOG << 48);
	query_record_store(unit + word, t->time_us);
	query_record_store(unit + 2 * word, 1); // weight; total_us is 0
	uint64_t asked = query_record_client(unit + 3 * word, p, frame);
	query_record_store(unit + 5 * word, asked);
	query_record_store(
		unit + 6 * word, (uint16_t)(m->pkt_len - p->dns) | rcode << QUERY_RECORD_HALF
					 | (uint64_t)LOG_NO_EDE << 2 * QUERY_RECORD_HALF
					 | (uint64_t)LOG_NO_LIST << 3 * QUERY_RECORD_HALF);
	query_record_store(unit + 7 * word, t->last | group << QUERY_RECORD_GROUP
						    | v6 << QUERY_RECORD_FLAGS
						    | name_len << QUERY_RECORD_NAME_LEN);
	const uint8_t *name = (const uint8_t *)p + offsetof(struct packet, q.name.wire);
	uint8_t *end = unit + units * RING_UNIT;
	for (unit += RING_UNIT; unit != end; unit += RING_UNIT, name += RING_UNIT)
		query_record_copy(unit, name, RING_UNIT);
	return end;
}
