// SPDX-License-Identifier: BSD-3-Clause
// Which node has a slot, where not one server has all: the master that the sentinels name, or the
// masters of a Cluster.

#include "redis_internal.h"

#include <event2/event.h>

#include <errno.h>
#include <string.h>
#include <weir/clock.h>
#include <weir/heap_site.h>
#include <weir/log.h>

enum {
	REDIS_ASK_MS = 500,
	REDIS_ASK_CALM_MS = 20000,
	REDIS_ASK_MIN_MS = 50,      // between two questions, whatever happens
	REDIS_ASK_TIMEOUT_MS = 500, // for its reply
};

// One question (where is the master, which node has which slots), sent to one server after another
// until one gives a usable answer: at once, again every REDIS_ASK_MS while there is a problem, else
// every REDIS_ASK_CALM_MS. Over a connection of its own, which stays while the server answers. One
// thread.
struct redis_ask {
	struct redis *owner;
	struct redis_conn conn;
	struct redis_call call;
	struct event timer;
	const struct redis_command *command; // lives as long as this
	// The i-th server to ask; false: no more, 0 is next.
	bool (*where)(struct redis *r, unsigned i, struct redis_login *out);
	// False: not usable; ask the next one.
	bool (*answer)(struct redis *r, const struct redis_reply *reply);
	bool (*amiss)(const struct redis *r);
	unsigned at;
	bool asking;
	uint64_t asked_ms;
	struct socket_address address; // of the connection
};

static void ask_in(struct redis_ask *a, unsigned ms)
{
	struct timeval tv = {.tv_sec = ms / 1000, .tv_usec = (suseconds_t)(ms % 1000) * 1000};
	event_add(&a->timer, &tv);
}

static void ask_end(struct redis_ask *a, bool of_use)
{
	struct redis *r = a->owner;
	struct redis_login login;
	a->asking = false;
	if (of_use) {
		r->unreachable = false;
		ask_in(a, a->amiss(r) ? REDIS_ASK_MS : REDIS_ASK_CALM_MS);
		return;
	}
	redis_conn_close(&a->conn, REDIS_LOST);
	if (a->where(r, ++a->at, &login)) {
		ask_in(a, REDIS_ASK_MIN_MS);
		return;
	}
	a->at = 0;
	r->unreachable = true;
	ask_in(a, REDIS_ASK_MS);
}

static void on_down(struct redis_conn *c, bool, const char *why)
{
	struct redis_ask *a = c->owner;
	redis_error_at(a->owner, &a->address, why);
	if (a->asking)
		ask_end(a, false);
}

static void on_reply(struct redis_conn *c, struct redis_call *, const struct redis_reply *reply)
{
	struct redis_ask *a = c->owner;
	size_t len;
	bool error = redis_reply_kind(reply) == REDIS_ERROR;
	if (error)
		redis_error_at(a->owner, &a->address, redis_reply_text(reply, &len));
	if (a->asking)
		ask_end(a, !error && a->answer(a->owner, reply));
}

static void on_late(struct redis_conn *c, struct redis_call *)
{
	struct redis_ask *a = c->owner;
	redis_error_at(a->owner, &a->address, "no reply");
	if (a->asking)
		ask_end(a, false);
}

static const struct redis_conn_ops ask_ops = {
	.down = on_down,
	.reply = on_reply,
	.late = on_late,
};

static bool ask_send(struct redis_ask *a)
{
	struct redis_login login;
	if (a->conn.state == REDIS_CONN_CLOSED) {
		if (!a->where(a->owner, a->at, &login))
			return false;
		a->address = login.address;
		if (redis_conn_open(&a->conn, &login) < 0)
			return false;
	}
	a->call = (struct redis_call){
		.deadline_ms = clock_mono_ms() + REDIS_ASK_TIMEOUT_MS, .left = 1};
	char *at = redis_conn_take(&a->conn, &a->call, redis_command_size(a->command));
	if (!at)
		return false;
	(void)redis_command_write(a->command, at);
	return true;
}

static void on_timer(evutil_socket_t, short, void *arg)
{
	struct redis_ask *a = arg;
	if (a->asking)
		return;
	a->asking = true;
	a->asked_ms = clock_mono_ms();
	if (!ask_send(a))
		ask_end(a, false);
}

// The function pointers, the command and the owner are set. Asks.
static void ask_start(struct redis_ask *a)
{
	redis_conn_init(&a->conn, loop_base(a->owner->loop), &ask_ops, a, &a->owner->buffers);
	event_assign(&a->timer, loop_base(a->owner->loop), -1, 0, on_timer, a);
	ask_in(a, 0);
}

static void ask_stop(struct redis_ask *a)
{
	a->asking = false;
	event_del(&a->timer);
	redis_conn_close(&a->conn, REDIS_LOST);
}

static void ask_now(struct redis_ask *a)
{
	uint64_t now = clock_mono_ms(), next = a->asked_ms + REDIS_ASK_MIN_MS;
	if (!a->asking)
		ask_in(a, next > now ? (unsigned)(next - now) : 0);
}

// The master that the sentinels name. The client asks one of them; a subscription to its
// +switch-master reports a change at once. The node's log-in checks that it is a master (ROLE),
// since a sentinel may be behind (Redis Sentinel client guidelines).

struct sentinel {
	struct redis_ask ask;
	struct redis_sub sub;
	struct redis_command command;
};

static bool sentinel_where(struct redis *r, unsigned i, struct redis_login *out)
{
	if (i >= r->c->address_count)
		return false;
	*out = (struct redis_login){
		.address = r->c->addresses[i],
		.username = "",
		.password = r->c->sentinel_password,
	};
	return true;
}

// The subscription goes where the answers come from.
static bool sentinel_sub_where(void *arg, struct redis_login *out)
{
	struct redis *r = arg;
	const struct sentinel *s = r->topology_state;
	return sentinel_where(r, s->ask.at, out);
}

static void master_set(struct redis *r, const struct socket_address *address)
{
	struct redis_node *old = r->node_count > 0 ? r->node[0] : NULL;
	if (old && redis_same_address(&old->address, address))
		return;
	if (old && r->retired_count == REDIS_NODES_MAX)
		return; // it changes faster than its connections end; asked again
	struct redis_node *node = redis_node_add(r, address);
	if (!node)
		return;
	node->master = true;
	if (!old)
		return;
	r->totals.failovers++;
	log_info("redis: master changed to %s from %s", node->name, old->name);
	(void)redis_node_retire(old);
}

// Decimal digits to a port; -1.
static int64_t port_read(const char *text, size_t len)
{
	int64_t port = 0;
	for (size_t i = 0; i < len; i++) {
		if (len > 5 || text[i] < '0' || text[i] > '9')
			return -1;
		port = port * 10 + (text[i] - '0');
	}
	return port;
}

// ["192.0.2.7", "6379"], or nil: it does not watch that master.
static bool sentinel_answer(struct redis *r, const struct redis_reply *reply)
{
	const struct redis_reply *host = redis_reply_at(reply, 0), *port = redis_reply_at(reply, 1);
	struct socket_address a;
	size_t host_len = 0, port_len = 0;
	const char *host_text = host ? redis_reply_text(host, &host_len) : NULL;
	const char *port_text = port ? redis_reply_text(port, &port_len) : NULL;
	if (!host_text || !port_text
		|| redis_host_parse(host_text, host_len, port_read(port_text, port_len), &a) < 0)
		return false;
	master_set(r, &a);
	return true;
}

static bool sentinel_amiss(const struct redis *r)
{
	return r->node_count == 0 || r->node[0]->away;
}

// "NAME OLD-ADDRESS OLD-PORT ADDRESS PORT"
static void sentinel_on_switch(void *arg, const char *text, size_t len)
{
	struct redis *r = arg;
	const char *word[5], *end = text + len;
	size_t size[5];
	unsigned words = 0;
	while (words < 5 && text < end) {
		const char *blank = memchr(text, ' ', (size_t)(end - text));
		word[words] = text;
		size[words] = (size_t)((blank ? blank : end) - text);
		text += size[words++] + 1;
	}
	struct socket_address a;
	if (words == 5 && size[0] == strlen(r->c->master_name)
		&& memcmp(word[0], r->c->master_name, size[0]) == 0
		&& redis_host_parse(word[3], size[3], port_read(word[4], size[4]), &a) == 0)
		master_set(r, &a);
}

static void sentinel_on_gap(void *arg)
{
	struct redis *r = arg;
	struct sentinel *s = r->topology_state;
	ask_now(&s->ask);
}

static int sentinel_start(struct redis *r)
{
	struct sentinel *s = heap_calloc(1, sizeof(*s));
	if (!s)
		return -ENOMEM;
	r->topology_state = s;
	s->command = (struct redis_command){.count = 3,
		.word = {{"SENTINEL", 8}, {"get-master-addr-by-name", 23},
			{r->c->master_name, strlen(r->c->master_name)}}};
	s->ask.owner = r;
	s->ask.command = &s->command;
	s->ask.where = sentinel_where;
	s->ask.answer = sentinel_answer;
	s->ask.amiss = sentinel_amiss;
	ask_start(&s->ask);
	s->sub.on_message = sentinel_on_switch;
	s->sub.on_gap = sentinel_on_gap;
	s->sub.arg = r;
	redis_sub_start(&s->sub, r, "+switch-master", sentinel_sub_where, r);
	return 0;
}

static void sentinel_stop(struct redis *r)
{
	struct sentinel *s = r->topology_state;
	redis_sub_stop(&s->sub);
	ask_stop(&s->ask);
	FREE_AND_NULL(r->topology_state);
}

static struct redis_node *sentinel_node(struct redis *r, unsigned)
{
	return r->node_count > 0 ? r->node[0] : NULL;
}

static void sentinel_trouble(struct redis *r, struct redis_node *)
{
	struct sentinel *s = r->topology_state;
	ask_now(&s->ask);
}

const struct redis_topology redis_sentinel = {
	.start = sentinel_start,
	.stop = sentinel_stop,
	.node = sentinel_node,
	.trouble = sentinel_trouble,
	.master = true,
};

// A Redis Cluster: the master of each of the 16384 slots, by CLUSTER SLOTS of one node. Looked up
// again when a node is away, a slot has moved or has no node, and now and then. A MOVED reply takes
// effect at once for its slot.

struct cluster {
	struct redis_ask ask;
	bool holes;     // slots without a node
	unsigned given; // slots, in the present answer
	struct redis_node *owner[REDIS_SLOTS];
};

static const struct redis_command cluster_slots = {
	.count = 2, .word = {{"CLUSTER", 7}, {"SLOTS", 5}}};

// First the nodes that we know, then those of the configuration.
static bool cluster_where(struct redis *r, unsigned i, struct redis_login *out)
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

static bool cluster_answer(struct redis *r, const struct redis_reply *reply)
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

static bool cluster_amiss(const struct redis *r)
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
	s->ask.where = cluster_where;
	s->ask.answer = cluster_answer;
	s->ask.amiss = cluster_amiss;
	ask_start(&s->ask);
	return 0;
}

static void cluster_stop(struct redis *r)
{
	struct cluster *s = r->topology_state;
	ask_stop(&s->ask);
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
	ask_now(&s->ask);
}

static void cluster_moved(struct redis *r, unsigned slot, const struct socket_address *to)
{
	struct cluster *s = r->topology_state;
	struct redis_node *node = to->port ? redis_node_find(r, to) : NULL;
	if (!node && to->port)
		node = redis_node_add(r, to);
	if (node && slot < REDIS_SLOTS)
		s->owner[slot] = node;
	ask_now(&s->ask);
}

const struct redis_topology redis_cluster = {
	.start = cluster_start,
	.stop = cluster_stop,
	.node = cluster_node,
	.trouble = cluster_trouble,
	.moved = cluster_moved,
	.partial = cluster_amiss,
	.redirects = true,
};
