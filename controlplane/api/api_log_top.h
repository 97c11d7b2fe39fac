// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// A request that reads a span of the query store (query_top.h) on a helper thread, and the reply to
// it, on the service loop. Parameters: `seconds`, `client`, `limit`.

#include "api_server.h"
#include "querylog/store/query_top.h"

#include <limits.h>

struct log_top {
	struct api *api;
	struct http_exchange *exchange;
	void (*out)(struct json_out *o, struct json_node *root, const struct log_top *c);
	char folder[PATH_MAX];
	struct query_top_wanted wanted;
	unsigned limit;
	char unknown_client[API_WHY_MAX];
	struct query_top_report *report;
	struct frontend_neighbours *neighbours; // while the reply is made; NULL: no memory
};

// `out` adds to the reply what it is about.
void log_top_serve(struct api *a, struct http_exchange *x,
	void (*out)(struct json_out *o, struct json_node *root, const struct log_top *c));
// The `limit` first items of a bag by one of their counts.
void log_top_bag(struct json_out *o, struct json_node *root, const char *name,
	const struct log_top *c, enum query_top_of of, enum query_bag_order by);
