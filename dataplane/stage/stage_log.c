// SPDX-License-Identifier: BSD-3-Clause
#include "frame.h"
#include "query_record.h"
#include "stages.h"

#include <rte_cycles.h>

#include <weir/bytes.h>

// Frames that are no query to us, and misses, which the control plane records with their answer.
#define V(name) (UINT64_C(1) << VERDICT_##name)
static const uint64_t unlogged =
	V(miss) | V(to_kernel) | V(arp_reply) | V(ndp_reply) | V(echo_reply) | V(drop_kernel_rate)
	| V(drop_exception_full) | V(drop_not_ours) | V(drop_runt) | V(drop_ip_header)
	| V(drop_ip_csum) | V(drop_udp_header) | V(drop_udp_csum) | V(drop_source_port)
	| V(drop_fragment) | V(drop_source) | V(drop_proxy) | V(drop_mac) | V(drop_vlan)
	| V(drop_other_host) | V(drop_dns_short) | V(drop_dns_response) | V(drop_chained)
	| V(reflected) | V(upstream_reply) | V(upstream_reply_ring_full);
#undef V
static_assert((int)VERDICT_COUNT <= 64);

static const uint8_t tier_of[VERDICT_COUNT] = {
	[VERDICT_hit] = LOG_TIER_L0,
	[VERDICT_hit_stale] = LOG_TIER_STALE,
	[VERDICT_blocked] = LOG_TIER_RULES,
	[VERDICT_blocked_answer] = LOG_TIER_RULES,
	[VERDICT_local] = LOG_TIER_RULES,
	[VERDICT_drop_rule] = LOG_TIER_RULES,
};

uint64_t stage_log_clock_us(const struct log_clock *c, uint64_t tsc, uint64_t now_ms)
{
	if (unlikely_(c->scale == 0))
		return now_ms * 1000;
	return c->us + ((tsc - c->tsc) * c->scale >> LOG_CLOCK_BITS);
}

// What sets nothing else is a plain hit.
static const struct batch_note plain = {
	.ede = LOG_NO_EDE, .list = LOG_NO_LIST, .verdict = VERDICT_hit, .is_answered = true};

ATTR_INLINE uint64_t note_word(const struct batch_note *n)
{
	uint64_t word;
	memcpy(&word, (const uint8_t *)n + offsetof(struct batch_note, ede), sizeof(word));
	return word;
}

// Whatever its validation.
ATTR_INLINE bool note_is_plain(const struct batch_note *n)
{
	return (note_word(n) ^ note_word(&plain)) << 8 == 0;
}

static unsigned rcode_of(const struct batch_note *n, const uint8_t *dns)
{
	const bool is_hit = n->verdict == VERDICT_hit || n->verdict == VERDICT_hit_stale;
	return n->is_answered
		       ? (dns[3] & 0xfu) | (unsigned)n->rcode_high << 4
				 | (is_hit ? (unsigned)n->validation << LOG_VALIDATION_SHIFT : 0)
		       : 0;
}

void stage_keep_frames(struct batch *b)
{
	struct worker *w = b->w;
	for (unsigned i = 0; i < b->count; i++) {
		const struct rte_mbuf *m = b->store[i].m;
		const uint16_t len = rte_pktmbuf_data_len(m);
		w->came_len[i] = len;
		w->came_at[i] = m->data_off;
		memcpy(w->came[i], rte_pktmbuf_mtod(m, const uint8_t *),
			len < WATCH_FRAME_MAX ? len : WATCH_FRAME_MAX);
	}
}

void stage_log_begin(struct batch *b)
{
	const uint64_t word = note_word(&plain);
	const unsigned count = b->count;
	for (unsigned i = 0; i < count; i++) {
		struct packet *p = &b->store[i];
		b->note[i].m = p->m;
		memcpy((uint8_t *)&b->note[i] + offsetof(struct batch_note, ede), &word,
			sizeof(word));
		p->q.question_len = 0; // not read yet
	}
	b->log_lines = false;
	if (unlikely_(b->tables->config.log_detail == LOG_DETAIL_MESSAGES))
		stage_keep_frames(b);
}

ATTR_INLINE bool is_logged(const struct batch_note *n)
{
	return !(unlogged >> n->verdict & 1);
}

struct log_times {
	uint64_t at_us;
	uint16_t took_us;
};

// A reply has the client in place of the query's destination.
static void note_client(struct log_record *r, const struct packet *p, const struct batch_note *n)
{
	const uint8_t *frame = rte_pktmbuf_mtod(n->m, const uint8_t *);
	const uint8_t *ip = frame + p->l3, *udp = frame + p->l4;
	unsigned port = n->is_answered ? 2 : 0;
	if (likely_(p->ip_version == 4)) {
		memcpy(r->client, ip + (n->is_answered ? 16 : 12), 4);
		memset(r->client + 4, 0, 12);
	} else {
		memcpy(r->client, ip + (n->is_answered ? 24 : 8), 16);
	}
	r->client_port = get_u16(udp + port);
}

// The rest of the line that the writer has begun, and the name behind it.
static void fill(struct log_record *r, const struct batch *b, const struct packet *p,
	const struct batch_note *n, const struct log_times *t)
{
	const uint8_t *dns = rte_pktmbuf_mtod_offset(n->m, const uint8_t *, p->dns);
	bool is_read = p->q.question_len != 0;
	r->time_us = t->at_us;
	r->total_us = 0;
	note_client(r, p, n);
	r->qtype = is_read ? p->q.qtype : 0;
	r->qclass = is_read ? p->q.qclass : 0;
	r->query_len = p->dns_len;
	r->reply_len = n->is_answered ? (uint16_t)(n->m->pkt_len - p->dns) : 0;
	r->rcode = (uint16_t)rcode_of(n, dns);
	r->ede = n->ede;
	r->list = n->list;
	r->upstream = LOG_NO_UPSTREAM;
	r->dataplane_us = t->took_us;
	r->verdict = n->verdict;
	r->group =
		b->tables->has_groups ? group_in_image(p->group, b->tables->policy_generation) : 0;
	r->flags =
		(uint8_t)((p->ip_version == 6 ? LOG_IPV6 : 0) | (n->is_answered ? LOG_ANSWERED : 0)
			  | tier_of[n->verdict] << LOG_TIER_SHIFT);
	memcpy(r + 1, p->q.name.wire, r->name_len);
}

static struct log_times times_of(const struct batch *b)
{
	const struct log_clock *c = &b->w->log_clock;
	uint64_t at = stage_log_clock_us(c, b->start_tsc, b->now_ms);
	uint64_t took = (rte_rdtsc() - b->start_tsc) * c->scale >> LOG_CLOCK_BITS;
	return (struct log_times){
		.at_us = at, .took_us = took < UINT16_MAX ? (uint16_t)took : UINT16_MAX};
}

bool stage_log_has_query(enum verdict v)
{
	return v == VERDICT_miss || !(unlogged >> v & 1);
}

void stage_log_describe(struct log_record *r, const struct batch *b, const struct packet *p,
	const struct batch_note *n, bool is_query)
{
	const struct log_times times = times_of(b);
	*r = (struct log_record){.time_us = times.at_us,
		.weight = 1,
		.ede = LOG_NO_EDE,
		.list = LOG_NO_LIST,
		.upstream = LOG_NO_UPSTREAM,
		.dataplane_us = times.took_us,
		.verdict = n->verdict};
	if (is_query)
		fill(r, b, p, n, &times);
}

ATTR_INLINE uint8_t name_len_of(const struct packet *p)
{
	return p->q.question_len ? p->q.name.len : 0;
}

// One that is no plain hit, in a piece of the ring; where the next one goes.
static uint8_t *put(uint8_t *unit, const struct batch *b, unsigned i, const struct log_times *times)
{
	const struct packet *p = &b->store[i];
	uint8_t name_len = name_len_of(p);
	uint32_t len = (uint32_t)sizeof(struct log_record) + name_len;
	uint64_t units = ring_units_of(len);
	ring_header_put(
		unit, (struct ring_unit){.len = len, .units = (uint16_t)units, .type = MSG_LOG});
	struct log_record *r = (void *)(unit + sizeof(struct ring_unit));
	r->weight = 1;
	r->name_len = name_len;
	fill(r, b, p, &b->note[i], times);
	return unit + units * RING_UNIT;
}

// A record for every query, all in one piece of the ring.
static void record_all(struct batch *b, unsigned received, uint8_t *unit)
{
	const struct log_times times = times_of(b);
	const struct query_record line =
		query_record_of(b, times.at_us, times.took_us, tier_of[VERDICT_hit]);
	const uint8_t *first = unit;
	for (unsigned i = 0; i < received; i++) {
		const struct batch_note *n = &b->note[i];
		const struct packet *p = &b->store[i];
		if (likely_(note_is_plain(n)) && likely_(p->q.question_len))
			unit = query_record_put(unit, p, n, &line);
		else if (is_logged(n))
			unit = put(unit, b, i, &times);
	}
	log_writer_span_take(&b->w->log, (uint64_t)(unit - first) / RING_UNIT);
	b->log_lines = true;
}

// The query as it came, NULL if not all of it was kept. came_at and the query's place in the buffer
// say where it is in the copy, whatever became of the headers before it.
static const uint8_t *query_of(const struct batch *b, unsigned i)
{
	const struct worker *w = b->w;
	const struct packet *p = &b->store[i];
	const unsigned at = (unsigned)b->note[i].m->data_off + p->dns - w->came_at[i];
	const unsigned end = at + p->dns_len;
	return at <= end && end <= w->came_len[i] && end <= WATCH_FRAME_MAX ? w->came[i] + at
									    : NULL;
}

// A reply has the service address in place of the query's source. The frame of a client that a
// balancer named has none.
static struct log_parts parts_of(const struct batch *b, unsigned i)
{
	enum { IPV4_FROM = 12, IPV4_TO = 16, IPV6_FROM = 8, IPV6_TO = 24 };
	const struct packet *p = &b->store[i];
	const struct batch_note *n = &b->note[i];
	const uint8_t *frame = rte_pktmbuf_mtod(n->m, const uint8_t *), *ip = frame + p->l3;
	struct log_parts parts = {.ip_version = p->ip_version,
		.service_port = get_u16(frame + p->l4 + (n->is_answered ? 0 : 2)),
		.query_len = p->dns_len};
	const struct return_path *forwarded = batch_forwarded(b, p);
	if (unlikely_(forwarded)) {
		parts.ip_version = return_path_version(forwarded);
		parts.service = forwarded->service_ip;
	} else if (p->ip_version == 4) {
		parts.service = ip + (n->is_answered ? IPV4_FROM : IPV4_TO);
	} else {
		parts.service = ip + (n->is_answered ? IPV6_FROM : IPV6_TO);
	}
	if (b->tables->config.log_detail != LOG_DETAIL_MESSAGES)
		return parts;
	parts.query = query_of(b, i);
	if (n->is_answered) {
		parts.reply = frame + p->dns;
		parts.reply_len = (uint16_t)(n->m->pkt_len - p->dns);
	}
	return parts;
}

static void record_one(struct batch *b, unsigned i, struct log_times *times)
{
	const struct packet *p = &b->store[i];
	const uint8_t name_len = name_len_of(p);
	const bool is_whole = b->tables->config.log_detail != LOG_DETAIL_NONE;
	struct log_parts parts = is_whole ? parts_of(b, i) : (struct log_parts){0};
	struct log_record *r = is_whole ? log_writer_take_whole(&b->w->log, name_len, &parts)
					: log_writer_take(&b->w->log, name_len);
	if (unlikely_(!r))
		return;
	if (!times->at_us)
		*times = times_of(b);
	fill(r, b, p, &b->note[i], times);
	if (is_whole)
		log_writer_whole_put(r, &parts);
}

static void record_some(struct batch *b, unsigned received)
{
	struct log_writer *log = &b->w->log;
	struct log_times times = {0};
	uint32_t left = log_writer_left(log), skipped = 0;
	for (unsigned i = 0; i < received; i++) {
		if (!is_logged(&b->note[i]))
			continue;
		if (likely_(left > 1)) {
			left--;
			skipped++;
			continue;
		}
		log_writer_skip(log, skipped);
		record_one(b, i, &times);
		left = log_writer_left(log);
		skipped = 0;
	}
	log_writer_skip(log, skipped);
}

void stage_log(struct batch *b, unsigned received)
{
	uint64_t most = received * ring_units_of(LOG_MESSAGE_MAX);
	uint8_t *unit = likely_(b->tables->config.log_detail == LOG_DETAIL_NONE)
				? log_writer_span(&b->w->log, most)
				: NULL;
	if (likely_(unit))
		record_all(b, received, unit);
	else
		record_some(b, received);
}

void stage_log_end(struct batch *b)
{
	if (b->log_lines)
		query_record_fence();
	log_writer_publish(&b->w->log);
}
