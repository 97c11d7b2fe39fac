// SPDX-License-Identifier: BSD-3-Clause
// When each server drops what has expired there.

#include "clickhouse_sender_internal.h"

#include <string.h>
#include <time.h>
#include <weir/clock.h>
#include <weir/log.h>

// Each URL that is not in use has its turn at one tidy in so many.
enum { TIDIES_OF_A_ROUND = 10 };
static_assert((int)CLICKHOUSE_URLS_MAX <= (int)TIDIES_OF_A_ROUND);

static int64_t unix_now(const struct clickhouse_sender *s)
{
	return s->settings.unix_s ? s->settings.unix_s() : (int64_t)time(NULL);
}

static bool is_interrupted(const struct clickhouse_sender *s)
{
	return s->stop || s->is_closing || s->is_renewed;
}

// At the server of s->here. One that is away while another is in use drops nothing, which is no
// failure.
static void server_tidy(struct clickhouse_sender *s, bool is_in_use)
{
	char text[CLICKHOUSE_WHY_MAX];
	struct clickhouse_answer a = {.status = 200};
	uint64_t dropped_before = s->here->schema.dropped_partitions;
	enum clickhouse_end end = clickhouse_sender_schema(s, &a);
	if (is_interrupted(s))
		return;
	if (end == CLICKHOUSE_DONE)
		end = clickhouse_schema_tidy(&s->here->schema, s->client, unix_now(s), &a);
	clickhouse_sender_text(s, a.why, text);
	if (end == CLICKHOUSE_DONE) {
		s->here->tidy_why[0] = '\0';
	} else if (is_in_use || end == CLICKHOUSE_REFUSED) {
		s->now.tidy_failures++;
		log_warning("clickhouse: could not drop expired partitions: %s", text);
		if (end == CLICKHOUSE_REFUSED)
			memcpy(s->here->tidy_why, text, sizeof(text));
	}
	s->now.dropped_partitions += s->here->schema.dropped_partitions - dropped_before;
	clickhouse_sender_heard(s, &a);
}

// A server that is not in use may have rows of a failover. Chunks do not wait for it.
static void other_tidy(struct clickhouse_sender *s)
{
	const unsigned in_use = clickhouse_sender_at(s), url = s->tidies % TIDIES_OF_A_ROUND;
	struct clickhouse_outbox_counts waiting;
	clickhouse_outbox_counts(s->settings.outbox, &waiting);
	if (waiting.chunks || waiting.spooled || is_interrupted(s))
		return;
	s->tidies++;
	if (url >= s->urls || url == in_use)
		return;
	clickhouse_sender_use(s, url);
	clickhouse_client_share_time(s->client, true);
	server_tidy(s, false);
	clickhouse_client_share_time(s->client, false);
	clickhouse_sender_use(s, in_use);
}

bool clickhouse_expire(struct clickhouse_sender *s)
{
	uint64_t now_ms = clock_mono_ms();
	if (!s->here->is_ready || now_ms < s->tidy_at_ms || s->is_closing)
		return false;
	s->tidy_at_ms = now_ms + s->settings.tidy_ms;
	server_tidy(s, true);
	other_tidy(s);
	return true;
}
