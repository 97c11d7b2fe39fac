// SPDX-License-Identifier: BSD-3-Clause
#include "why_cached.h"

#include "answer_policy/answer_records.h"

#include <stdio.h>
#include <string.h>

static void on_address(void *arg, const uint8_t *bytes, unsigned count)
{
	struct ip_address a = {.version = count == 4 ? 4 : 6, .prefix_len = (uint8_t)(8 * count)};
	memcpy(a.bytes, bytes, count);
	(void)why_address_add(arg, &a);
}

// The message for the answer policy: the part behind its question.
static void answer_read(struct why *w, const struct cache_entry *e)
{
	size_t front = DNS_HEADER_LEN + w->name[0].len + 4U;
	if (e->answer_len < front)
		return;
	struct dns_answer_view view = {.bytes = e->answer + front,
		.len = (uint32_t)(e->answer_len - front),
		.ancount = e->ancount};
	struct answer_records records = answer_records_of(&w->name[0], &view);
	struct answer_record r;
	struct dns_name target;
	while (answer_records_next(&records, &r)) {
		if (answer_record_target(&records, &r, &target))
			(void)why_name_add(w, &target);
		answer_record_addresses(&records, &r, on_address, w);
	}
}

// The latest one of the question.
static void bogus_read(struct why *w, const struct cache_look *look)
{
	uint64_t age_ms = UINT64_MAX;
	for (unsigned i = 0; i < look->bogus_count; i++) {
		const struct bogus_found *b = &look->bogus[i];
		if (b->view != w->view || b->qtype != w->qtype || b->age_ms >= age_ms)
			continue;
		age_ms = b->age_ms;
		w->bogus = (struct why_bogus){
			.is_known = true, .ede = b->ede, .age_s = b->age_ms / 1000};
		snprintf(w->bogus.why, sizeof(w->bogus.why), "%s", b->why);
	}
}

void why_cached(struct why *w, const struct cache_look *look)
{
	w->cache = WHY_CACHE_NOTHING;
	for (unsigned i = 0; i < look->count; i++) {
		const struct cache_entry *e = &look->entry[i];
		if (e->in_l1 || e->view != w->view || e->qclass != DNS_CLASS_IN
			|| e->qtype != w->qtype || e->hard_left_ms <= 0)
			continue;
		w->cache = WHY_CACHE_FOUND;
		answer_read(w, e);
		return;
	}
	bogus_read(w, look);
}
