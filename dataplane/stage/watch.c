// SPDX-License-Identifier: BSD-3-Clause
#include "stage_cycles.h"
#include "stages.h"

#include <weir/shm_msg.h>
#include <weir/watch_msg.h>

static_assert((int)WATCH_STAGES == (int)STAGE_COUNT);

void stage_watch_begin(struct batch *b)
{
	struct worker *w = b->w;
	memset(w->watched_trace, 0, sizeof(w->watched_trace));
	if (b->tables->config.watch.frames)
		stage_keep_frames(b);
	else
		for (unsigned i = 0; i < b->count; i++)
			w->came_len[i] = rte_pktmbuf_data_len(b->store[i].m);
}

static bool name_passes(const struct dp_watch *f, const struct packet *p)
{
	return watch_passes_name(f, p->q.name.wire, p->q.question_len ? p->q.name.len : 0);
}

uint32_t watch_trace(struct batch *b, const struct packet *p)
{
	struct worker *w = b->w;
	const struct dp_watch *f = &b->tables->config.watch;
	if (!w->watching || f->frames || (f->verdicts && !(f->verdicts >> VERDICT_miss & 1))
		|| !name_passes(f, p) || !watch_passes_client(f, p->ip_version, packet_source(p)))
		return 0;
	return w->watched_trace[p - b->store] = watch_trace_number(f->id, w->traces++);
}

static bool has_room(struct ring_producer *ring)
{
	return ring->units && !ring_is_fuller(ring, ring->units / 2);
}

static void show(struct batch *b, unsigned i, const struct stage_cycles *c, unsigned received)
{
	struct worker *w = b->w;
	const struct dp_watch *f = &b->tables->config.watch;
	const struct packet *p = &b->store[i];
	const struct batch_note *n = &b->note[i];
	struct watch_msg msg = {
		.frame_len = w->came_len[i], .batch = (uint16_t)received, .id = f->id};
	bool is_query = stage_log_has_query(n->verdict);
	uint8_t name_len = is_query && p->q.question_len ? p->q.name.len : 0;
	msg.kept = !f->frames                        ? 0
		   : msg.frame_len < WATCH_FRAME_MAX ? msg.frame_len
						     : WATCH_FRAME_MAX;
	if ((f->verdicts && !(f->verdicts >> n->verdict & 1)) || (is_query && !name_passes(f, p))
		|| (!is_query && (f->name_hash || f->client_version)))
		return;
	stage_log_describe(&msg.record, b, p, n, is_query);
	if (is_query
		&& !watch_passes_client(f, msg.record.flags & LOG_IPV6 ? 6 : 4, msg.record.client))
		return;
	msg.trace = n->verdict == VERDICT_miss ? w->watched_trace[i] : 0;
	msg.worker = (uint16_t)w->index;
	msg.record.name_len = name_len;
	for (unsigned s = 0; s < STAGE_COUNT; s++)
		msg.stage_ns[s] = (uint32_t)(c->cycles[s] * w->ns_shifted >> CYCLES_SHIFT);
	uint8_t *out = has_room(&w->log.ring) ? ring_reserve(
			       &w->log.ring, MSG_WATCH, (uint32_t)sizeof(msg) + name_len + msg.kept)
					      : NULL;
	if (!out) {
		stats_add(&w->stats->counter[COUNTER_watch_full], 1);
		return;
	}
	memcpy(out, &msg, sizeof(msg));
	memcpy(out + sizeof(msg), p->q.name.wire, name_len);
	memcpy(out + sizeof(msg) + name_len, w->came[i], msg.kept);
}

void watch_answer(
	struct worker *w, uint16_t trace, uint64_t taken_tsc, uint64_t left_tsc, bool is_sent)
{
	if (!w->watching)
		return;
	const uint16_t id = w->tables->config.watch.id;
	struct watch_msg msg = {.id = id,
		.trace = (uint32_t)id << 16 | trace,
		.worker = (uint16_t)w->index,
		.part = WATCH_ANSWER,
		.record = {.time_us = stage_log_clock_us(&w->log_clock, taken_tsc, w->now_ms),
			.verdict = VERDICT_miss,
			.flags = is_sent ? LOG_ANSWERED : 0}};
	msg.stage_ns[STAGE_tx] = (uint32_t)((left_tsc - taken_tsc) * w->ns_shifted >> CYCLES_SHIFT);
	uint8_t *out = has_room(&w->log.ring)
			       ? ring_reserve(&w->log.ring, MSG_WATCH, (uint32_t)sizeof(msg))
			       : NULL;
	if (!out) {
		stats_add(&w->stats->counter[COUNTER_watch_full], 1);
		return;
	}
	memcpy(out, &msg, sizeof(msg));
	log_writer_publish(&w->log);
}

void stage_watch(struct batch *b, unsigned received, const struct stage_cycles *c)
{
	for (unsigned i = 0; i < received; i++)
		show(b, i, c, received);
}
