// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The servers that may have a chunk and have not answered yet, so that no second one gets it. A
// server is known by its place in the list of URLs, from 0 on.

#include <stdbool.h>
#include <stdint.h>
#include <weir/attr.h>

struct clickhouse_places {
	uint32_t may_have; // a bit for each server
	uint32_t given_up; // may have it too, no longer waited for, but asked in their turn
	uint64_t since_ms; // when another server was wanted first; 0: not yet
};

// Any of that many servers may have it.
void clickhouse_places_all(struct clickhouse_places *p, unsigned servers);
bool clickhouse_places_is_at(const struct clickhouse_places *p, unsigned server);
// Whether another server than that one may have it.
bool clickhouse_places_is_elsewhere(const struct clickhouse_places *p, unsigned server);
void clickhouse_places_set(struct clickhouse_places *p, unsigned server, bool may_have);
// Whether that server may get the chunk, because no other one may have it, or only some of
// `replicas`, a bit for each server that knows the same tokens. *is_uncertain: another one may have
// it and did not answer within hold_ms, so the rows may be there twice.
bool clickhouse_places_may_send(struct clickhouse_places *p, unsigned server, uint32_t replicas,
	unsigned hold_ms, bool *is_uncertain);
