// SPDX-License-Identifier: BSD-3-Clause
#include "api_hosts.h"

#include "api_lines.h"
#include "api_server.h"
#include "route/host_board.h"

#include <stdio.h>
#include <weir/clock.h>

static uint64_t seconds_since(uint64_t then_ms, uint64_t now_ms)
{
	return then_ms && now_ms > then_ms ? (now_ms - then_ms) / 1000 : 0;
}

static void host_out(struct json_out *o, struct json_node *list, const struct host_state *h)
{
	struct json_node *n = json_out_object(o, list, NULL);
	char text[CONFIG_HOST_TEXT_MAX], one[SOCKET_ADDRESS_TEXT_MAX];
	uint64_t now_ms = clock_mono_ms();

	snprintf(text, sizeof(text), "%s:%u", h->host, h->port);
	json_out_text(o, n, "host", text);
	json_out_bool(o, n, "resolved", h->count > 0);
	struct json_node *addresses = json_out_array(o, n, "addresses");
	for (unsigned i = 0; i < h->count; i++)
		json_out_text(o, addresses, NULL, ip_address_text(&h->address[i], false, one));
	json_out_bool(o, n, "drained", h->is_drained);
	json_out_count(o, n, "since_s", seconds_since(h->since_ms, now_ms));
	json_out_count(o, n, "resolved_s", seconds_since(h->resolved_ms, now_ms));
	json_out_count(o, n, "next_s", seconds_since(now_ms, h->next_ms));
	JSON_COUNTS(o, n, h, lookups, failures, changes, refused, left_out, unreachable);
	json_out_text(o, n, "error", h->why);
}

void api_hosts_out(struct json_out *o, struct json_node *root)
{
	struct json_node *list = json_out_array(o, root, "hosts");
	struct host_state h;

	for (unsigned i = 0; host_board_at(i, &h); i++)
		host_out(o, list, &h);
}
