// SPDX-License-Identifier: BSD-3-Clause
// When each server drops what has expired there.

#include "clickhouse_sender_internal.h"

#include <string.h>
#include <time.h>
#include <weir/clock.h>
#include <weir/log.h>

// One tidy in so many reaches the servers that are not in use, which may be away.
enum { TIDIES_OF_OTHERS = 10 };

static int64_t unix_now(const struct clickhouse_sender *s)
{
	return s->settings.unix_s ? s->settings.unix_s() : (int64_t)time(NULL);
}

// At the server of s->here. One that is away while another is in use drops nothing, which is no
// failure.
static void server_tidy(struct clickhouse_sender *s, bool is_in_use)
{
	char text[CLICKHOUSE_WHY_MAX];
	struct clickhouse_answer a = {.status = 200};
	uint64_t dropped_before = s->here->schema.dropped_partitions;
	enum clickhouse_end end = clickhouse_sender_schema(s, &a);
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

// Servers that are not in use may have rows of a failover.
static void others_tidy(struct clickhouse_sender *s)
{
	const unsigned in_use = clickhouse_sender_at(s);
	for (unsigned i = 1; i < s->urls && !s->stop && !s->is_closing && !s->is_renewed; i++) {
		clickhouse_sender_use(s, (in_use + i) % s->urls);
		server_tidy(s, false);
	}
	clickhouse_sender_use(s, in_use);
}

bool clickhouse_expire(struct clickhouse_sender *s)
{
	uint64_t now_ms = clock_mono_ms();
	if (!s->here->is_ready || now_ms < s->tidy_at_ms || s->is_closing)
		return false;
	s->tidy_at_ms = now_ms + s->settings.tidy_ms;
	server_tidy(s, true);
	if (s->urls > 1 && ++s->tidies % TIDIES_OF_OTHERS == 0)
		others_tidy(s);
	return true;
}
