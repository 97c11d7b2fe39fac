// SPDX-License-Identifier: BSD-3-Clause

// A Redis Cluster: the master of each of the 16384 slots, by CLUSTER SLOTS of one node. Looked up
// again when a node is away, a slot has moved or has no node, and now and then. A MOVED reply takes
// effect at once for its slot.

#include "redis_ask.h"
#include "redis_error.h"

#include <errno.h>
#include <string.h>
#include <weir/heap_site.h>

struct cluster {
	struct redis_ask ask;
	bool holes;     // slots without a node
	unsigned given; // slots, in the present answer
	struct redis_node *owner[REDIS_SLOTS];
};

static const struct redis_command cluster_slots = {
	.count = 2, .word = {{"CLUSTER", 7}, {"SLOTS", 5}}};

// First the nodes that we know, then those of the configuration.
static bool where(struct redis *r, unsigned i, struct redis_login *out)
{
	if (i >= r->node_count + r->c->address_count)
		return false;
	*out = (struct redis_login){
		.address = i < r->node_count ? r->node[i]->address
					     : r->c->addresses[i - r->node_count],
		.username = r->c->username,
		.password = r->c->password,
	};
	return true;
}

// [address, port, id, ...]; no address: the queried node.
static struct redis_node *master_take(struct redis *r, const struct redis_reply *entry)
{
	const struct cluster *s = r->topology_state;
	const struct redis_reply *host = redis_reply_at(entry, 0), *port = redis_reply_at(entry, 1);
	struct socket_address a = s->ask.address;
	size_t len = 0;
	if (!host || !port)
		return NULL;
	const char *text = redis_reply_text(host, &len);
	int64_t number = redis_reply_integer(port);
	if (number < 1 || number > UINT16_MAX)
		return NULL;
	a.port = (uint16_t)number;
	if (len > 0 && redis_host_parse(text, len, number, &a) < 0) {
		redis_error_at(r, &s->ask.address, "the cluster names its nodes by host name");
		return NULL;
	}
	struct redis_node *node = redis_node_find(r, &a);
	return node ? node : redis_node_add(r, &a);
}

static void range_take(struct redis *r, const struct redis_reply *range)
{
	struct cluster *s = r->topology_state;
	const struct redis_reply *first = redis_reply_at(range, 0),
				 *last = redis_reply_at(range, 1);
	const struct redis_reply *master = redis_reply_at(range, 2);
	if (!first || !last || !master)
		return;
	int64_t from = redis_reply_integer(first), to = redis_reply_integer(last);
	if (from < 0 || to >= REDIS_SLOTS || from > to || to - from >= REDIS_SLOTS - s->given)
		return; // also what names slots over and over
	struct redis_node *node = master_take(r, master);
	if (!node)
		return;
	node->seen = node->master = true;
	s->given += (unsigned)(to - from + 1);
	for (int64_t slot = from; slot <= to; slot++)
		s->owner[slot] = node;
}

static bool answer(struct redis *r, const struct redis_reply *reply)
{
	struct cluster *s = r->topology_state;
	if (redis_reply_count(reply) == 0)
		return false;
	for (unsigned i = 0; i < r->node_count; i++)
		r->node[i]->seen = false;
	memset(s->owner, 0, sizeof(s->owner));
	s->given = 0;
	for (unsigned i = 0; i < redis_reply_count(reply); i++)
		range_take(r, redis_reply_at(reply, i));
	for (unsigned i = r->node_count; i > 0; i--) {
		if (!r->node[i - 1]->seen)
			(void)redis_node_retire(r->node[i - 1]);
	}
	s->holes = false;
	for (unsigned slot = 0; slot < REDIS_SLOTS; slot++)
		s->holes |= !s->owner[slot];
	return r->node_count > 0;
}

static bool amiss(const struct redis *r)
{
	const struct cluster *s = r->topology_state;
	bool away = s->holes || r->node_count == 0;
	for (unsigned i = 0; i < r->node_count; i++)
		away |= r->node[i]->away;
	return away;
}

static int cluster_start(struct redis *r)
{
	struct cluster *s = heap_calloc(1, sizeof(*s));
	if (!s)
		return -ENOMEM;
	r->topology_state = s;
	s->ask.owner = r;
	s->ask.command = &cluster_slots;
	s->ask.where = where;
	s->ask.answer = answer;
	s->ask.amiss = amiss;
	redis_ask_start(&s->ask);
	return 0;
}

static void cluster_stop(struct redis *r)
{
	struct cluster *s = r->topology_state;
	redis_ask_stop(&s->ask);
	FREE_AND_NULL(r->topology_state);
}

static struct redis_node *cluster_node(struct redis *r, unsigned slot)
{
	struct cluster *s = r->topology_state;
	return s->owner[slot];
}

static void cluster_trouble(struct redis *r, struct redis_node *)
{
	struct cluster *s = r->topology_state;
	redis_ask_now(&s->ask);
}

static void cluster_moved(struct redis *r, unsigned slot, const struct socket_address *to)
{
	struct cluster *s = r->topology_state;
	struct redis_node *node = to->port ? redis_node_find(r, to) : NULL;
	if (!node && to->port)
		node = redis_node_add(r, to);
	if (node && slot < REDIS_SLOTS)
		s->owner[slot] = node;
	redis_ask_now(&s->ask);
}

const struct redis_topology redis_cluster = {
	.start = cluster_start,
	.stop = cluster_stop,
	.node = cluster_node,
	.trouble = cluster_trouble,
	.moved = cluster_moved,
	.partial = amiss,
	.redirects = true,
};
