// SPDX-License-Identifier: BSD-3-Clause
// The answers of several resolvers as one (resolvers.h).
#include "resolvers_merge.h"

#include "base/age_list.h"

#include <string.h>

#define SUM(field)  (sum->field += one->field)
#define MOST(field) (sum->field = one->field > sum->field ? one->field : sum->field)

static void took_sum(struct took *sum, const struct took *one)
{
	for (unsigned i = 0; i < TOOK_BUCKETS; i++)
		SUM(bucket[i]);
	SUM(sum_ns);
}

static void l0_sum(struct l0_writer_stats *sum, const struct l0_writer_stats *one)
{
	sum->oldest_ms = age_earlier(sum->oldest_ms, one->oldest_ms);
	SUM(entries);
	SUM(units_used);
	SUM(units_retired);
	SUM(units_total);
	SUM(index_slots);
	SUM(puts);
	SUM(replaced);
	SUM(deleted);
	SUM(evicted_space);
	SUM(evicted_bucket);
	SUM(expired_swept);
	SUM(refused_nospace);
	SUM(refused_large);
	SUM(refused_foreign);
	SUM(recovered);
	SUM(discarded);
	SUM(renewed);
	SUM(renewed_used);
}

static void l1_sum(struct l1_status *sum, const struct l1_status *one)
{
	redis_status_add(&sum->redis, &one->redis);
	sum->looking_since_ms = age_earlier(sum->looking_since_ms, one->looking_since_ms);
	MOST(refused_in_a_row);
	SUM(lookups);
	SUM(hits);
	SUM(hits_stale);
	SUM(misses);
	SUM(bad);
	SUM(skipped);
	SUM(timeouts);
	SUM(puts);
	SUM(puts_lost);
	SUM(too_large);
	SUM(deletes);
	SUM(looking);
	SUM(looking_most);
	SUM(full);
	SUM(bytes);
}

// `walks` and `walk_ms` are of all parts at once.
static void answer_policy_sum(
	struct answer_policy_count *sum, const struct answer_policy_count *one)
{
	SUM(answers);
	SUM(listed);
	SUM(not_kept);
	SUM(cut);
	SUM(answered_blocked);
	SUM(questions_blocked);
	SUM(rechecked);
	SUM(rechecked_changed);
	SUM(rechecked_deleted);
	MOST(walk_ms);
}

// What the latest handshake of any of them has shown.
static void tls_latest(struct upstream_status *sum, const struct upstream_status *one)
{
	if (one->tls_about_ms > sum->tls_about_ms) {
		sum->tls_about_ms = one->tls_about_ms;
		memcpy(sum->tls_about, one->tls_about, sizeof(sum->tls_about));
	}
	if (one->tls_why_ms > sum->tls_why_ms) {
		sum->tls_why_ms = one->tls_why_ms;
		memcpy(sum->tls_why, one->tls_why, sizeof(sum->tls_why));
	}
}

static void https_sum(struct upstream_https_counts *sum, const struct upstream_https_counts *one)
{
	SUM(replies);
	for (unsigned i = 0; i < UPSTREAM_HTTPS_FAILURE_COUNT; i++)
		SUM(failed[i]);
	if (one->why_ms > sum->why_ms) {
		sum->why_ms = one->why_ms;
		memcpy(sum->why, one->why, sizeof(sum->why));
		sum->version = one->version ? one->version : sum->version;
	}
	if (one->status_ms > sum->status_ms) {
		sum->status_ms = one->status_ms;
		sum->status = one->status;
	}
}

// Each asks the same servers, by sockets of its own, and chooses among them by itself: its share
// counts by its queries. Resolvers share the state and the checks of a server.
void resolvers_merge_upstream(struct upstream_status *sum, const struct upstream_status *one)
{
	const uint64_t sent = sum->set_sent + one->set_sent;

	sum->up &= one->up;
	sum->suspect |= one->suspect;
	sum->failing |= one->failing;
	sum->drained |= one->drained;
	sum->mixed_case &= one->mixed_case;
	sum->edns &= one->edns;
	sum->sends_subnet |= one->sends_subnet;
	sum->tcp_limit = (unsigned)age_earlier(sum->tcp_limit, one->tcp_limit); // 0: none
	if (sent)
		sum->share = (uint16_t)((sum->share * sum->set_sent + one->share * one->set_sent)
					/ sent);
	SUM(set_sent);
	MOST(checks);
	MOST(checks_failed);
	SUM(refused);
	SUM(sent);
	SUM(answered);
	SUM(timeouts);
	SUM(bad_replies);
	SUM(tcp_retries);
	SUM(send_errors);
	SUM(failures);
	SUM(case_changed);
	SUM(tcp_opened);
	SUM(tcp_open);
	SUM(sent_port);
	SUM(tls_handshakes);
	SUM(tls_resumed);
	SUM(tls_sessions);
	for (unsigned i = 0; i < TLS_FAILURE_COUNT; i++)
		SUM(tls_failed[i]);
	tls_latest(sum, one);
	https_sum(&sum->https, &one->https);
	MOST(srtt_us);
	MOST(down_for_ms);
	took_sum(&sum->took, &one->took);
}

static void upstreams_sum(struct resolver_status *sum, const struct resolver_status *one)
{
	struct upstream_totals totals = {.sockets = sum->sockets, .streams = sum->streams};
	const struct upstream_totals more = {.sockets = one->sockets, .streams = one->streams};

	upstream_totals_add(&totals, &more);
	sum->sockets = totals.sockets;
	sum->streams = totals.streams;
	upstream_https_stats_add(&sum->https, &one->https);
	upstream_port_stats_add(&sum->port, &one->port);
	SUM(upstream_sent);
	SUM(upstream_replies);
	SUM(mismatched);
	SUM(upstream_tcp_again);
	MOST(upstream_sets_down);
	// By address: a resolver may have the new addresses of a host name before another one.
	for (unsigned i = 0; i < sum->upstream_count; i++)
		for (unsigned k = 0; k < one->upstream_count; k++)
			if (strcmp(sum->upstream[i].address, one->upstream[k].address) == 0)
				resolvers_merge_upstream(&sum->upstream[i], &one->upstream[k]);
}

static void loops_sum(struct resolver_status *sum, const struct resolver_status *one)
{
	MOST(lag.p50_us);
	MOST(lag.p99_us);
	MOST(lag.max_us);
	SUM(lag.samples);
	SUM(lag.late);
	for (unsigned i = 0; i < LOOP_LAG_BUCKETS; i++)
		SUM(lag_ever.count[i]);
	MOST(loop_busy_us);
}

static void recursion_sum(struct resolver_status *sum, const struct resolver_status *one)
{
	SUM(recursion.queries);
	SUM(recursion.answers);
	SUM(recursion.failed);
	SUM(recursion.repeated);
	SUM(recursion.refused);
	SUM(recursion.malformed);
	SUM(recursion.broken);
	SUM(recursion.questions);
	SUM(recursion.ipv4_off);
	SUM(recursion.ipv6_off);
}

static void validation_sum(struct resolver_status *sum, const struct resolver_status *one)
{
	SUM(validation.secure);
	SUM(validation.insecure);
	SUM(validation.bogus);
	SUM(validation.failed);
	SUM(validation.led);
	SUM(validation.late);
	SUM(validation.refused);
	SUM(validation.fetches);
	SUM(validation.fetches_refused);
	SUM(validation.foreign);
	SUM(validation.broken);
	SUM(validation.questions);
	SUM(validation.fetching);
	SUM(validation.contexts);
}

static void questions_sum(struct resolver_status *sum, const struct resolver_status *one)
{
	SUM(client_questions);
	SUM(misses);
	SUM(coalesced);
	SUM(refreshes);
	SUM(notifies);
	SUM(bad_misses);
	client_tally_add(&sum->clients, &one->clients);
	SUM(answered);
	SUM(answered_stale);
	SUM(servfail);
	SUM(no_waiter);
	SUM(answer_ring_full);
	SUM(answer_evicted);
	SUM(answers_truncated);
	SUM(refused_inflight);
	SUM(refused_waiters);
	SUM(refused_zone);
	SUM(refused_suffix);
	SUM(refused_client);
	SUM(unlimited_zone);
	SUM(unlimited_client);
	for (unsigned i = 0; i < one->met_bounds.count; i++)
		bound_top_add(&sum->met_bounds, &one->met_bounds.met[i]);
	SUM(cut_short);
	SUM(stored);
	SUM(not_stored);
	SUM(l1_answers);
	SUM(l1_too_large);
	SUM(refreshed_elsewhere);
	SUM(rewritten);
	SUM(refused_rewrites);
	SUM(forwarded);
	SUM(followed);
	SUM(unfollowed);
	SUM(subnet_sent);
	SUM(subnet_mismatched);
	SUM(subnet_answers);
	SUM(subnet_hits);
	SUM(dns64);
	SUM(filtered_aaaa);
	SUM(inflight);
	SUM(inflight_max);
	SUM(waiters);
	SUM(inflight_cap);
	SUM(waiter_cap);
	SUM(ring_anomalies);
	SUM(foreign_messages);
	SUM(late);
	SUM(failed_recently);
	SUM(failures);
}

void resolvers_merge_status(struct resolver_status *sum, const struct resolver_status *one)
{
	l0_sum(&sum->l0, &one->l0);
	SUM(l0_private_bytes);
	questions_sum(sum, one);
	loops_sum(sum, one);
	upstreams_sum(sum, one);
	tables_sum(&sum->tables, &one->tables);
	l1_sum(&sum->l1, &one->l1);
	SUM(flush.removed_for_others);
	SUM(flush.kept_out);
	SUM(flush.refused);
	answer_policy_sum(&sum->answer_policy, &one->answer_policy);
	validation_sum(sum, one);
	recursion_sum(sum, one);
	SUM(step.aged);
	SUM(step.dropped);
	for (unsigned i = 0; i < ANSWER_KINDS; i++)
		took_sum(&sum->took[i], &one->took[i]);
}

static void counts_sum(struct refresh_counts *sum, const struct refresh_counts *one)
{
	SUM(asked);
	SUM(done);
	SUM(failed);
	SUM(dropped);
	SUM(held_back);
	SUM(used);
	SUM(hot_stale);
	SUM(hot_missed);
	SUM(late_ms);
}

// A slot may still hold a minute of the day before in one of them.
static void minutes_sum(struct refresh_stats *sum, const struct refresh_stats *one)
{
	for (unsigned i = 0; i < REFRESH_MINUTES; i++) {
		if (sum->minute[i] < one->minute[i]) {
			sum->minute[i] = one->minute[i];
			sum->count[i] = one->count[i];
		} else if (sum->minute[i] == one->minute[i]) {
			counts_sum(&sum->count[i], &one->count[i]);
		}
	}
}

void resolvers_merge_refresh(struct refresh_report *sum, const struct refresh_report *one)
{
	MOST(round_ms);
	SUM(inflight);
	SUM(inflight_limit);
	SUM(planned);
	SUM(plan_limit);
	SUM(held_back);
	minutes_sum(&sum->stats, &one->stats);
}

// The oldest of both, by age; `room` for `limit` of them.
void resolvers_merge_pending(struct resolver_pending *sum, const struct resolver_pending *one,
	unsigned limit, struct pending_question *room)
{
	unsigned a = 0, b = 0, n = 0;

	while (n < limit && (a < sum->count || b < one->count)) {
		bool first =
			b == one->count
			|| (a < sum->count && sum->question[a].age_ms >= one->question[b].age_ms);
		room[n++] = first ? sum->question[a++] : one->question[b++];
	}
	SUM(total);
	SUM(clients);
	sum->count = n;
	sum->question = room;
}
