// SPDX-License-Identifier: BSD-3-Clause
#include "clickhouse_places.h"

#include <weir/clock.h>

static uint32_t bit_of(unsigned server)
{
	return UINT32_C(1) << server;
}

void clickhouse_places_all(struct clickhouse_places *p, unsigned servers)
{
	*p = (struct clickhouse_places){.may_have = (uint32_t)((UINT64_C(1) << servers) - 1)};
}

bool clickhouse_places_is_at(const struct clickhouse_places *p, unsigned server)
{
	return (p->may_have | p->given_up) & bit_of(server);
}

bool clickhouse_places_is_elsewhere(const struct clickhouse_places *p, unsigned server)
{
	return (p->may_have | p->given_up) & ~bit_of(server);
}

void clickhouse_places_set(struct clickhouse_places *p, unsigned server, bool may_have)
{
	p->given_up &= ~bit_of(server);
	if (may_have)
		p->may_have |= bit_of(server);
	else
		p->may_have &= ~bit_of(server);
}

bool clickhouse_places_may_send(struct clickhouse_places *p, unsigned server, uint32_t replicas,
	unsigned hold_ms, bool *is_uncertain)
{
	uint32_t others = p->may_have & ~bit_of(server);
	uint64_t now_ms = clock_mono_ms();
	*is_uncertain = false;
	if (!others)
		p->since_ms = 0;
	if (!(others & ~replicas))
		return true;
	if (!p->since_ms)
		p->since_ms = now_ms;
	if (now_ms - p->since_ms < hold_ms)
		return false;
	p->may_have &= ~others;
	p->given_up |= others;
	p->since_ms = 0;
	*is_uncertain = true;
	return true;
}
