// SPDX-License-Identifier: BSD-3-Clause
#include "resolver_log.h"

#include "bounds/bounds.h"
#include "querylog/querylog.h"
#include "querylog/querylog_row.h"

#include <errno.h>
#include <string.h>
#include <weir/clock.h>
#include <weir/heap_site.h>

enum { LOG_UNITS = 32768 }; // 2 MiB: some 16,000 records

struct resolver_log {
	struct log_writer writer;
	enum log_detail detail;
	_Atomic uint64_t owed;
	struct ring_index tail, head;
	uint8_t *data;
};

int resolver_log_open(struct resolver_log **out)
{
	struct resolver_log *l = heap_aligned_alloc(CACHE_LINE, sizeof(*l));
	if (!l)
		return -ENOMEM;
	memset(l, 0, sizeof(*l));
	l->data = heap_aligned_alloc(CACHE_LINE, (size_t)LOG_UNITS * RING_UNIT);
	if (!l->data) {
		heap_free(l);
		return -ENOMEM;
	}
	log_writer_init(&l->writer, &l->tail, &l->head, l->data, LOG_UNITS, &l->owed);
	*out = l;
	return 0;
}

void resolver_log_close(struct resolver_log *l)
{
	if (!l)
		return;
	FREE_AND_NULL(l->data);
	heap_free(l);
}

int resolver_log_source(struct resolver_log *l, struct querylog *q)
{
	struct querylog_source source = {.owed = &l->owed};
	ring_consumer_init(&source.ring, &l->tail, &l->head, l->data, LOG_UNITS);
	return querylog_add_source(q, &source);
}

void resolver_log_set(struct resolver_log *l, uint32_t sample, enum log_detail detail)
{
	l->detail = detail;
	log_writer_set(&l->writer, sample, clock_mono_us());
}

void resolver_log_beat(struct resolver_log *l)
{
	if (resolver_log_is_on(l))
		log_writer_beat(&l->writer, clock_mono_us());
}

void resolver_log_end(struct resolver_log *l)
{
	(void)log_writer_rest(&l->writer, clock_mono_us());
}

bool resolver_log_is_on(const struct resolver_log *l)
{
	return log_writer_is_on(&l->writer);
}

void resolver_log_answer(struct resolver_logged *what, const struct answer_source *source)
{
	static const struct {
		uint8_t verdict, tier;
	} of[ANSWER_KINDS] = {
		[ANSWER_UPSTREAM] = {LOG_VERDICT_RESOLVED, LOG_TIER_UPSTREAM},
		[ANSWER_CACHED] = {VERDICT_hit, LOG_TIER_L0},
		[ANSWER_STALE] = {VERDICT_hit_stale, LOG_TIER_STALE},
		[ANSWER_SERVFAIL] = {LOG_VERDICT_SERVFAIL, LOG_TIER_NONE},
		[ANSWER_BLOCKED] = {.tier = LOG_TIER_RULES}, // verdict: source->blocked
	};
	static const uint8_t of_bound[BOUNDS] = {
		[BOUND_inflight] = LOG_VERDICT_SERVFAIL_INFLIGHT,
		[BOUND_zone] = LOG_VERDICT_SERVFAIL_ZONE,
		[BOUND_suffix] = LOG_VERDICT_SERVFAIL_SUFFIX,
		[BOUND_question] = LOG_VERDICT_SERVFAIL_WAITERS,
		[BOUND_few] = LOG_VERDICT_SERVFAIL_WAITERS,
		[BOUND_waiters] = LOG_VERDICT_SERVFAIL_WAITERS,
		[BOUND_client] = LOG_VERDICT_SERVFAIL_CLIENT,
	};
	what->verdict = source->from_l1 ? LOG_VERDICT_RESOLVED : of[source->kind].verdict;
	if (source->kind == ANSWER_SERVFAIL && source->bound != BOUND_none)
		what->verdict = of_bound[source->bound];
	if (source->kind == ANSWER_BLOCKED)
		what->verdict = source->blocked;
	what->tier = source->from_l1 ? LOG_TIER_L1 : of[source->kind].tier;
	what->list = source->list;
	what->upstream = source->upstream;
	what->validation = source->validation;
}

static void fill(struct log_record *r, const struct resolver_logged *e, unsigned version)
{
	uint64_t now_us = clock_mono_us();
	uint64_t took = now_us > e->arrival_us ? now_us - e->arrival_us : 0;
	bool is_read = r->name_len != 0;
	r->time_us = e->arrival_us;
	r->total_us = took < UINT32_MAX ? (uint32_t)took : UINT32_MAX;
	r->qtype = is_read ? e->query->qtype : 0;
	r->qclass = is_read ? e->query->qclass : 0;
	r->query_len = e->query_len;
	r->reply_len = e->reply ? e->reply_len : 0;
	r->rcode = e->reply ? e->reply[3] & 0xf : 0;
	if (e->verdict == VERDICT_badvers)
		r->rcode = DNS_RCODE_BADVERS;
	if (e->verdict == VERDICT_badcookie)
		r->rcode = DNS_RCODE_BADCOOKIE;
	if (e->reply)
		r->rcode |= (uint16_t)(e->validation << LOG_VALIDATION_SHIFT);
	r->ede = is_read && e->query->has_opt && e->ede != DNS_EDE_NONE ? (uint16_t)e->ede
									: LOG_NO_EDE;
	r->list = e->list;
	r->upstream = e->upstream;
	r->dataplane_us = 0;
	r->verdict = e->verdict;
	r->group = e->group;
	r->flags = (uint8_t)((version == 6 ? LOG_IPV6 : 0) | e->over | (e->reply ? LOG_ANSWERED : 0)
			     | e->tier << LOG_TIER_SHIFT);
	if (is_read)
		memcpy(r + 1, e->query->name.wire, r->name_len);
}

// An endpoint: the client, or the queried address.
struct end {
	unsigned version;
	uint16_t port;
	uint8_t bytes[16];
};

static void record(struct resolver_log *l, const struct end *client, const struct end *service,
	const struct resolver_logged *e)
{
	struct log_writer *w = &l->writer;
	if (log_writer_left(w) > 1) {
		log_writer_skip(w, 1);
		log_writer_publish(w);
		return;
	}
	const bool is_read = e->query && e->query->question_len;
	const bool has_messages = l->detail == LOG_DETAIL_MESSAGES;
	const uint8_t name_len = is_read ? e->query->name.len : 0;
	struct log_parts parts = {.service = service->bytes,
		.ip_version = service->version,
		.service_port = service->port,
		.query_len = e->query_len,
		.reply_len = e->reply_len,
		.query = has_messages ? e->asked : NULL,
		.reply = has_messages ? e->reply : NULL};
	struct log_record *r = l->detail == LOG_DETAIL_NONE
				       ? log_writer_take(w, name_len)
				       : log_writer_take_whole(w, name_len, &parts);
	if (r) {
		memcpy(r->client, client->bytes, sizeof(r->client));
		r->client_port = client->port;
		fill(r, e, client->version);
		if (l->detail != LOG_DETAIL_NONE)
			log_writer_whole_put(r, &parts);
	}
	log_writer_publish(w);
}

void resolver_log_rings(
	struct resolver_log *l, const struct return_path *path, const struct resolver_logged *e)
{
	struct end client = {.version = path->ip_version, .port = ntohs(path->client_udp)};
	struct end service = {
		.version = return_path_version(path), .port = ntohs(path->service_udp)};
	memcpy(client.bytes, path->client_ip, sizeof(client.bytes));
	memcpy(service.bytes, path->service_ip, sizeof(service.bytes));
	record(l, &client, &service, e);
}

static struct end end_of(const union client_address *c)
{
	struct end end = {.port = client_port(c)};
	const uint8_t *bytes = client_bytes(c, &end.version);
	memcpy(end.bytes, bytes, end.version == 4 ? 4 : 16);
	return end;
}

void resolver_log_client(struct resolver_log *l, const union client_address *client,
	const union client_address *service, const struct resolver_logged *e)
{
	const struct end from = end_of(client), to = end_of(service);
	record(l, &from, &to, e);
}
