// SPDX-License-Identifier: BSD-3-Clause
#include "flush_log.h"

static const struct flush_log_entry *entry_at(const struct flush_log *l, uint64_t number)
{
	return &l->entry[number % FLUSH_LOG_MAX];
}

static uint64_t oldest(const struct flush_log *l)
{
	return l->count > FLUSH_LOG_MAX ? l->count - FLUSH_LOG_MAX : 0;
}

static bool is_over(uint64_t at_ms, uint64_t now_ms)
{
	return now_ms >= at_ms + FLUSH_REMEMBER_MS;
}

void flush_log_add(struct flush_log *l, const struct flush *f, uint64_t now_ms)
{
	struct flush_log_entry *e = &l->entry[l->count % FLUSH_LOG_MAX];
	if (l->count >= FLUSH_LOG_MAX && !is_over(e->at_ms, now_ms)) {
		l->lost_ms = e->at_ms;
		l->lost++;
	}
	*e = (struct flush_log_entry){.at_ms = now_ms, .flush = *f};
	l->count++;
}

bool flush_log_covers(
	const struct flush_log *l, const struct dns_name *name, uint64_t since_ms, uint64_t now_ms)
{
	for (uint64_t n = l->count; n > oldest(l); n--) {
		const struct flush_log_entry *e = entry_at(l, n - 1);
		if (e->at_ms < since_ms || is_over(e->at_ms, now_ms))
			return false;
		if (flush_fits(&e->flush, name))
			return true;
	}
	return l->lost_ms != 0 && since_ms <= l->lost_ms && !is_over(l->lost_ms, now_ms);
}

unsigned flush_log_used(const struct flush_log *l, uint64_t now_ms)
{
	uint64_t n = l->count;
	while (n > oldest(l) && !is_over(entry_at(l, n - 1)->at_ms, now_ms))
		n--;
	return (unsigned)(l->count - n);
}

uint64_t flush_log_since(const struct flush_log *l, uint64_t now_ms)
{
	unsigned used = flush_log_used(l, now_ms);
	return used ? entry_at(l, l->count - used)->at_ms : 0;
}
