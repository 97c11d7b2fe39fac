// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The tables of both processes in the registry.

#include "api_server.h"

struct stats_copy;

// All tables: of resolvers, frontends, this loop, and the data plane.
void api_tables_look(const struct api_look *l, struct table_registry *tables);
// Adds the data plane's tables. `answer_ring_full`: answers that the resolver found no room for.
void api_tables_dataplane(
	const struct stats_copy *c, uint64_t answer_ring_full, struct table_registry *tables);
// Array "tables".
void api_tables_out(struct json_out *o, struct json_node *root, const struct table_registry *r);
