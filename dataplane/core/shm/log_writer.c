// SPDX-License-Identifier: BSD-3-Clause

#include <string.h>
#include <weir/log_writer.h>
#include <weir/shm_msg.h>

void log_writer_init(struct log_writer *w, struct ring_index *tail, const struct ring_index *head,
	void *data, uint64_t units, _Atomic uint64_t *owed)
{
	*w = (struct log_writer){.owed = owed};
	ring_producer_init(&w->ring, tail, head, data, units);
	w->skipped = atomic_load_explicit(owed, memory_order_relaxed);
}

void log_writer_set(struct log_writer *w, uint32_t sample, uint64_t now_us)
{
	if (w->sample == sample)
		return;
	if (!sample)
		(void)log_writer_rest(w, now_us);
	w->sample = w->countdown = sample;
}

// Takes as much of the debt as fits in a weight. `more`: bytes behind the name.
static struct log_record *record_take(
	struct log_writer *w, uint8_t name_len, uint32_t more, uint64_t queries)
{
	struct log_record *r = ring_reserve(&w->ring, more ? MSG_LOG_WHOLE : MSG_LOG,
		(uint32_t)sizeof(struct log_record) + name_len + more);
	if (!r)
		return NULL;
	uint64_t weight = w->skipped + queries;
	r->weight = weight < UINT32_MAX ? (uint32_t)weight : UINT32_MAX;
	r->name_len = name_len;
	w->skipped = weight - r->weight;
	return r;
}

static struct log_record *due_take(struct log_writer *w, uint8_t name_len, uint32_t more)
{
	w->countdown = w->sample;
	struct log_record *r = record_take(w, name_len, more, 1);
	if (unlikely_(!r)) {
		w->skipped++;
		// The main lcore of a data plane shows it.
		__atomic_store_n(&w->full, w->full + 1, __ATOMIC_RELAXED);
	}
	return r;
}

struct log_record *log_writer_take(struct log_writer *w, uint8_t name_len)
{
	return due_take(w, name_len, 0);
}

struct log_record *log_writer_take_whole(
	struct log_writer *w, uint8_t name_len, struct log_parts *parts)
{
	if (ring_is_fuller(&w->ring, w->ring.units / 2))
		parts->query = parts->reply = NULL;
	return due_take(w, name_len, log_whole_len(parts));
}

void log_writer_publish(struct log_writer *w)
{
	ring_publish(&w->ring);
	if (atomic_load_explicit(w->owed, memory_order_relaxed) != w->skipped)
		atomic_store_explicit(w->owed, w->skipped, memory_order_relaxed);
}

bool log_writer_rest(struct log_writer *w, uint64_t now_us)
{
	if (w->skipped == 0)
		return false;
	struct log_record *r = record_take(w, 0, 0, 0);
	if (!r)
		return false;
	uint32_t weight = r->weight;
	*r = (struct log_record){.time_us = now_us,
		.weight = weight,
		.flags = LOG_REST,
		.ede = LOG_NO_EDE,
		.list = LOG_NO_LIST,
		.upstream = LOG_NO_UPSTREAM};
	log_writer_publish(w);
	return true;
}

void log_writer_beat(struct log_writer *w, uint64_t now_us)
{
	enum { QUIET_US = 1000000 };
	if (w->skipped == 0 || w->seen != w->skipped || now_us < w->seen_us) {
		w->seen = w->skipped;
		w->seen_us = now_us;
	} else if (now_us - w->seen_us >= QUIET_US) {
		(void)log_writer_rest(w, now_us);
	}
}
