// SPDX-License-Identifier: BSD-3-Clause
// Which servers may have a chunk, so that no second one gets it.

#include "clickhouse_sender_internal.h"

#include <string.h>
#include <weir/clock.h>

static uint32_t here_bit(const struct clickhouse_sender *s)
{
	return UINT32_C(1) << clickhouse_sender_at(s);
}

void clickhouse_places_begin(
	struct clickhouse_places *p, const struct clickhouse_sender *s, uint64_t run)
{
	*p = (struct clickhouse_places){0};
	if (run == s->settings.run)
		return;
	if (run == s->settled_run)
		p->may_have = here_bit(s);
	else
		clickhouse_places_all(p, s);
}

void clickhouse_places_all(struct clickhouse_places *p, const struct clickhouse_sender *s)
{
	*p = (struct clickhouse_places){.may_have = (uint32_t)((UINT64_C(1) << s->urls) - 1)};
}

bool clickhouse_places_is_here(const struct clickhouse_places *p, const struct clickhouse_sender *s)
{
	return (p->may_have | p->given_up) & here_bit(s);
}

bool clickhouse_places_is_elsewhere(
	const struct clickhouse_places *p, const struct clickhouse_sender *s)
{
	return (p->may_have | p->given_up) & ~here_bit(s);
}

void clickhouse_places_set_here(
	struct clickhouse_places *p, const struct clickhouse_sender *s, bool may_have)
{
	p->given_up &= ~here_bit(s);
	if (may_have)
		p->may_have |= here_bit(s);
	else
		p->may_have &= ~here_bit(s);
}

// Replicas of one table know each other's tokens.
static bool are_replicas(const struct clickhouse_sender *s, uint32_t others)
{
	const struct clickhouse_schema *here = &s->here->schema;
	if (!here->dedups || !*here->replicated)
		return false;
	for (unsigned i = 0; i < s->urls; i++)
		if (others >> i & 1
			&& strcmp(s->server[i].schema.replicated, here->replicated) != 0)
			return false;
	return true;
}

bool clickhouse_places_may_send(struct clickhouse_places *p, const struct clickhouse_sender *s,
	uint64_t tried_ms, bool *is_uncertain)
{
	uint32_t others = p->may_have & ~here_bit(s);
	uint64_t now_ms = clock_mono_ms();
	*is_uncertain = false;
	if (!others)
		p->since_ms = 0;
	if (!others
		|| (tried_ms && now_ms - tried_ms < CLICKHOUSE_TOKEN_MS && are_replicas(s, others)))
		return true;
	if (!p->since_ms)
		p->since_ms = now_ms;
	if (now_ms - p->since_ms < s->settings.hold_ms)
		return false;
	p->may_have &= ~others;
	p->given_up |= others;
	p->since_ms = 0;
	*is_uncertain = true;
	return true;
}
