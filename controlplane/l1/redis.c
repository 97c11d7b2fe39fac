// SPDX-License-Identifier: BSD-3-Clause
#include "redis_internal.h"

#include <event2/event.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <weir/clock.h>
#include <weir/heap_site.h>
#include <weir/text.h>

enum { REAP_MS = 100 };

bool redis_same_address(const struct socket_address *a, const struct socket_address *b)
{
	return a->port == b->port && a->ip.version == b->ip.version
	       && memcmp(a->ip.bytes, b->ip.bytes, a->ip.version == 4 ? 4 : 16) == 0;
}

void redis_error_at(struct redis *r, const struct socket_address *address, const char *why)
{
	char shown[REDIS_WHY_MAX], name[SOCKET_ADDRESS_TEXT_MAX];
	snprintf(r->totals.error, sizeof(r->totals.error), "%s: %.*s",
		socket_address_text(address, name),
		(int)(sizeof(r->totals.error) - SOCKET_ADDRESS_TEXT_MAX - 4),
		text_escape(why, shown, sizeof(shown)));
	r->totals.error_ms = clock_mono_ms();
}

struct redis_node *redis_node_find(const struct redis *r, const struct socket_address *address)
{
	for (unsigned i = 0; i < r->node_count; i++) {
		if (redis_same_address(&r->node[i]->address, address))
			return r->node[i];
	}
	return NULL;
}

struct redis_node *redis_node_add(struct redis *r, const struct socket_address *address)
{
	struct redis_node *node;
	if (r->node_count == REDIS_NODES_MAX || redis_node_new(r, address, &node) < 0)
		return NULL;
	r->node[r->node_count++] = node;
	redis_node_probe(node);
	return node;
}

// One server that has everything. When it is away weir has no other: its probe brings it
// back.
static int standalone_start(struct redis *r)
{
	struct redis_node *node = redis_node_add(r, &r->c->addresses[0]);
	if (!node)
		return -ENOMEM;
	node->master = true;
	return 0;
}

static void standalone_stop(struct redis *)
{
}

static struct redis_node *standalone_node(struct redis *r, unsigned)
{
	return r->node_count > 0 ? r->node[0] : NULL;
}

static void standalone_trouble(struct redis *, struct redis_node *)
{
}

static const struct redis_topology standalone = {
	.start = standalone_start,
	.stop = standalone_stop,
	.node = standalone_node,
	.trouble = standalone_trouble,
};

static const struct redis_topology *topology_of(enum redis_mode mode)
{
	switch (mode) {
	case REDIS_MODE_STANDALONE:
		return &standalone;
	case REDIS_MODE_SENTINEL:
		return &redis_sentinel;
	case REDIS_MODE_CLUSTER:
		return &redis_cluster;
	case REDIS_MODE_OFF:
		break;
	}
	return NULL;
}

static void reap_arm(struct redis *r)
{
	static const struct timeval soon = {.tv_usec = REAP_MS * 1000};
	event_add(&r->reap, &soon);
}

// Frees retired nodes whose calls have ended, or should have.
static void on_reap(evutil_socket_t, short, void *arg)
{
	struct redis *r = arg;
	uint64_t now = clock_mono_ms();
	unsigned kept = 0;
	for (unsigned i = 0; i < r->retired_count; i++) {
		struct redis_node *node = r->retired[i];
		if (redis_node_pending(node) > 0 && now < node->retired_ms + REDIS_RETIRE_MS)
			r->retired[kept++] = node;
		else
			redis_node_free(node);
	}
	r->retired_count = kept;
	if (kept > 0)
		reap_arm(r);
}

static void node_remove(struct redis_node *node)
{
	struct redis *r = node->owner;
	unsigned at = 0;
	while (r->node[at] != node)
		at++;
	r->node[at] = r->node[--r->node_count];
	event_del(&node->probe);
	node->retired_ms = clock_mono_ms();
}

bool redis_node_retire(struct redis_node *node)
{
	struct redis *r = node->owner;
	if (r->retired_count == REDIS_NODES_MAX)
		return false;
	node_remove(node);
	r->retired[r->retired_count++] = node;
	reap_arm(r);
	return true;
}

static int calls_make(struct redis *r)
{
	if (r->calls)
		return 0;
	r->calls = heap_calloc(REDIS_PENDING_MAX, sizeof(*r->calls));
	if (!r->calls)
		return -ENOMEM;
	for (unsigned i = REDIS_PENDING_MAX; i > 0; i--) {
		r->calls[i - 1].next = r->free;
		r->free = &r->calls[i - 1];
	}
	return 0;
}

static int client_start(struct redis *r)
{
	r->unreachable = false;
	r->topology = topology_of(r->c->mode);
	if (!r->topology)
		return 0;
	int rc = calls_make(r);
	if (rc == 0)
		rc = r->topology->start(r);
	if (rc < 0)
		r->topology = NULL;
	return rc;
}

// Not within a callback.
static void client_stop(struct redis *r)
{
	if (r->topology)
		r->topology->stop(r);
	r->topology = NULL;
	while (r->node_count > 0) {
		struct redis_node *node = r->node[0];
		if (redis_node_retire(node))
			continue;
		node_remove(node);
		redis_node_free(node);
	}
}

int redis_new(struct redis **out, struct loop *loop, const struct config_redis *c)
{
	struct redis *r = heap_calloc(1, sizeof(*r));
	if (!r)
		return -ENOMEM;
	r->loop = loop;
	r->c = c;
	event_assign(&r->reap, loop_base(loop), -1, 0, on_reap, r);
	int rc = client_start(r);
	if (rc < 0) {
		FREE_AND_NULL(r->calls);
		heap_free(r);
		return rc;
	}
	*out = r;
	return 0;
}

void redis_free(struct redis *r)
{
	if (!r)
		return;
	redis_sub_stop(&r->sub);
	client_stop(r);
	for (unsigned i = 0; i < r->retired_count; i++)
		redis_node_free(r->retired[i]);
	event_del(&r->reap);
	FREE_AND_NULL(r->calls);
	heap_free(r);
}

static bool needs_reconnect(const struct config_redis *a, const struct config_redis *b)
{
	if (a->mode != b->mode || a->address_count != b->address_count || a->db != b->db
		|| a->connections != b->connections)
		return true;
	for (unsigned i = 0; i < a->address_count; i++) {
		if (!redis_same_address(&a->addresses[i], &b->addresses[i]))
			return true;
	}
	return strcmp(a->space, b->space) != 0 || strcmp(a->master_name, b->master_name) != 0
	       || strcmp(a->username, b->username) != 0 || strcmp(a->password, b->password) != 0
	       || strcmp(a->sentinel_password, b->sentinel_password) != 0;
}

void redis_configure(struct redis *r, const struct config_redis *c)
{
	bool again = needs_reconnect(r->c, c) || (c->mode != REDIS_MODE_OFF && !r->topology);
	if (again)
		client_stop(r);
	r->c = c;
	if (again && client_start(r) < 0)
		snprintf(r->totals.error, sizeof(r->totals.error), "out of memory");
	if (again)
		redis_sub_moved(&r->sub);
}

static bool call_count(struct redis *r, enum redis_given given)
{
	if (given == REDIS_GIVEN_FULL)
		r->totals.full++;
	return given == REDIS_GIVEN;
}

bool redis_send(struct redis *r, const struct redis_command *commands, unsigned count,
	unsigned timeout_ms, redis_done_fn done, void *arg)
{
	assert(count >= 1 && count <= REDIS_COMMANDS_MAX && commands[0].count >= 2);
	const struct redis_word *key = &commands[0].word[1];
	unsigned slot = redis_slot(key->text, key->len);
	struct redis_node *node = r->topology ? r->topology->node(r, slot) : NULL;
	struct redis_conn *c = node ? redis_node_conn(node, slot) : NULL;
	if (!c) {
		r->totals.away += r->topology ? 1 : 0;
		return false;
	}
	return call_count(
		r, redis_call_give(node, c, commands, count, slot, timeout_ms, done, arg));
}

unsigned redis_nodes(const struct redis *r)
{
	unsigned n = 0;
	for (unsigned i = 0; i < r->node_count; i++)
		n += r->node[i]->master ? 1 : 0;
	return n;
}

bool redis_send_node(struct redis *r, unsigned node, const struct redis_command *c,
	unsigned timeout_ms, redis_done_fn done, void *arg)
{
	struct redis_conn *conn = NULL;
	unsigned at = 0;
	for (unsigned n = 0; at < r->node_count; at++) {
		if (r->node[at]->master && n++ == node)
			break;
	}
	// The last connection, so that large replies are not in the way of the first one's.
	if (at < r->node_count)
		conn = redis_node_conn(r->node[at], r->node[at]->connections - 1);
	if (!conn) {
		r->totals.away += r->topology ? 1 : 0;
		return false;
	}
	return call_count(
		r, redis_call_give(r->node[at], conn, c, 1, REDIS_NO_SLOT, timeout_ms, done, arg));
}

bool redis_is_off(const struct redis *r)
{
	return !r->topology;
}

bool redis_is_cluster(const struct redis *r)
{
	return r->c->mode == REDIS_MODE_CLUSTER;
}
