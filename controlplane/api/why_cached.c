// SPDX-License-Identifier: BSD-3-Clause
#include "why_cached.h"

#include "answer_policy/answer_records.h"
#include "upstream/upstream_edns.h"

#include <stdio.h>
#include <string.h>

static void on_address(void *arg, const uint8_t *bytes, unsigned count)
{
	struct ip_address a = {.version = count == 4 ? 4 : 6, .prefix_len = (uint8_t)(8 * count)};
	memcpy(a.bytes, bytes, count);
	(void)why_address_add(arg, &a);
}

// Reads names and addresses of a cached message, from the end of its question on.
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

// Reads why the latest bogus answer to the question was bogus.
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

enum { RANK_NONE = -1, RANK_STALE, RANK_STALE_SCOPED, RANK_FRESH_SCOPED = 256, RANK_FRESH = 512 };

// Ranks an answer in the order in which workers choose: fresh for everyone, fresh for a subnet,
// stale for a subnet, stale for everyone; among subnets the longest scope comes first.
static int entry_rank(
	const struct why *w, const struct cache_entry *e, const struct ip_address *client)
{
	const bool is_fresh = e->soft_left_ms > 0;

	if (e->in_l1 || e->view != w->view || e->qclass != DNS_CLASS_IN || e->qtype != w->qtype
		|| e->hard_left_ms <= 0)
		return RANK_NONE;
	if (!e->subnet.version)
		return is_fresh ? RANK_FRESH : RANK_STALE;
	if (!client || client->version != e->subnet.version || e->subnet.prefix_len == 0)
		return RANK_NONE;
	const struct ip_address cut =
		upstream_subnet_cut(client->version, client->bytes, e->subnet.prefix_len);
	if (memcmp(cut.bytes, e->subnet.bytes, sizeof(cut.bytes)) != 0)
		return RANK_NONE;
	return (is_fresh ? RANK_FRESH_SCOPED : RANK_STALE_SCOPED) + e->subnet.prefix_len;
}

void why_cached(struct why *w, const struct cache_look *look, const struct ip_address *client)
{
	const struct cache_entry *found = NULL;
	int best = RANK_NONE;

	w->cache = WHY_CACHE_NOTHING;
	w->subnet[0] = '\0';
	for (unsigned i = 0; i < look->count; i++) {
		const int rank = entry_rank(w, &look->entry[i], client);
		if (rank <= best)
			continue;
		best = rank;
		found = &look->entry[i];
	}
	if (!found) {
		bogus_read(w, look);
		return;
	}
	w->cache = WHY_CACHE_FOUND;
	if (found->subnet.version)
		ip_address_text(&found->subnet, true, w->subnet);
	answer_read(w, found);
}
