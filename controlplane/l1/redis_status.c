// SPDX-License-Identifier: BSD-3-Clause
#include "redis_internal.h"

#include <string.h>
#include <weir/clock.h>

// The node that the status shows: a master that is up, else any.
static const struct redis_node *node_shown(const struct redis *r)
{
	const struct redis_node *any = NULL;
	for (unsigned i = 0; i < r->node_count; i++) {
		if (r->node[i]->master && !r->node[i]->away)
			return r->node[i];
		if (!any || r->node[i]->master)
			any = r->node[i];
	}
	return any;
}

bool redis_usable(const struct redis *r)
{
	const struct redis_node *node = r->topology ? node_shown(r) : NULL;
	return node && node->master && !node->away;
}

static const char *state_text(const struct redis *r, const struct redis_node *node)
{
	if (!r->topology)
		return "off";
	if (r->unreachable && !redis_usable(r))
		return "away";
	if (!node || (!node->proved && !node->away))
		return "connecting";
	if (!redis_usable(r))
		return "away";
	return r->topology->partial && r->topology->partial(r) ? "partial" : "up";
}

void redis_status(const struct redis *r, struct redis_status *out)
{
	const struct redis_node *node = node_shown(r);
	*out = r->totals;
	out->state = state_text(r, node);
	memcpy(out->server, node ? node->name : "", node ? sizeof(out->server) : 1);
	out->nodes = redis_nodes(r);
	out->connections = r->sub.conn.state == REDIS_CONN_UP ? 1 : 0;
	for (unsigned i = 0; i < r->node_count; i++) {
		for (unsigned j = 0; j < r->node[i]->connections; j++)
			out->connections += r->node[i]->conn[j].state == REDIS_CONN_UP ? 1 : 0;
	}
	out->pending = r->pending;
	out->sub_breaks = r->sub.breaks;
	out->buffer_bytes = r->buffers.unsent + r->copied;
	out->away_since_ms = node && !redis_usable(r) ? node->away_since_ms : 0;
}

// How much is amiss: a state's place in the list.
static unsigned state_rank(const char *state)
{
	static const char *const states[] = {
		"off", "up", "connecting", "partial", "refusing", "away"};
	unsigned i = 0;

	while (i < ARRAY_LEN(states) && (!state || strcmp(states[i], state) != 0))
		i++;
	return i % ARRAY_LEN(states);
}

#define SUM(field) (sum->field += one->field)

static void counts_add(struct redis_status *sum, const struct redis_status *one)
{
	SUM(connections);
	SUM(pending);
	SUM(commands);
	SUM(errors);
	SUM(timeouts);
	SUM(lost);
	SUM(away);
	SUM(full);
	SUM(reconnects);
	SUM(moved);
	SUM(asked);
	SUM(failovers);
	SUM(oom);
	SUM(readonly);
	SUM(wrongtype);
	SUM(denied);
	SUM(sub_breaks);
	SUM(buffer_bytes);
}

void redis_status_add(struct redis_status *sum, const struct redis_status *one)
{
	counts_add(sum, one);
	if (state_rank(one->state) > state_rank(sum->state)) {
		sum->state = one->state;
		memcpy(sum->server, one->server, sizeof(sum->server));
	}
	if (one->error_ms > sum->error_ms) {
		sum->error_ms = one->error_ms;
		memcpy(sum->error, one->error, sizeof(sum->error));
	}
	sum->away_since_ms = age_earlier(sum->away_since_ms, one->away_since_ms);
	if (one->nodes > sum->nodes)
		sum->nodes = one->nodes;
	if (one->rtt_us > sum->rtt_us)
		sum->rtt_us = one->rtt_us;
}

static size_t conns_bytes(const struct redis_node *node)
{
	size_t bytes = sizeof(*node);
	for (unsigned i = 0; i < node->connections; i++)
		bytes += redis_conn_bytes(&node->conn[i]);
	return bytes;
}

static unsigned conns_open(const struct redis_node *node)
{
	unsigned n = 0;
	for (unsigned i = 0; i < node->connections; i++)
		n += node->conn[i].state != REDIS_CONN_CLOSED;
	return n;
}

void redis_tables(const struct redis *r, struct table_registry *out)
{
	uint64_t now_ms = clock_mono_ms();
	uint64_t bytes = sizeof(*r) + r->copied + redis_conn_bytes(&r->sub.conn);
	unsigned open = r->sub.conn.state != REDIS_CONN_CLOSED;
	for (unsigned i = 0; i < r->node_count; i++) {
		bytes += conns_bytes(r->node[i]);
		open += conns_open(r->node[i]);
	}
	for (unsigned i = 0; i < r->retired_count; i++) {
		bytes += conns_bytes(r->retired[i]);
		open += conns_open(r->retired[i]);
	}
	table_register(out, &(struct table_info){.name = "redis_calls",
				    .owner = "resolver loop",
				    .eviction = "refuse: skip L1",
				    .lifetime = "its deadline plus 1 s",
				    TABLE_WORK_FOR(10000),
				    .cap = REDIS_PENDING_MAX,
				    .used = r->pending,
				    .bytes = r->calls ? REDIS_PENDING_MAX * sizeof(*r->calls) : 0,
				    .high = r->pending_most,
				    .refused = r->full_calls,
				    .oldest_ms = table_age(age_since(&r->call_ages), now_ms),
				    .has = TABLE_AGES | TABLE_REFUSES});
	table_register(out, &(struct table_info){.name = "redis_buffers",
				    .owner = "resolver loop",
				    .eviction = "refuse: skip L1",
				    .lifetime = "until sent or the connection closes",
				    .kind = TABLE_WORK,
				    .cap = (uint64_t)r->c->buffer_kb << 10,
				    .used = r->buffers.unsent + r->copied,
				    .bytes = bytes,
				    .descriptors = open,
				    .refused = r->full_buffers,
				    .grown = r->buffers.growth.grown,
				    .shrunk = r->buffers.growth.shrunk,
				    .has = TABLE_REFUSES | TABLE_GROWS});
}
