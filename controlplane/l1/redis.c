// SPDX-License-Identifier: BSD-3-Clause
// The Redis client: Sentinel and Cluster, the nodes with their connections, breaker and probe,
// calls and their replies, status and tables.

#include "redis_internal.h"
#include "redis_wire.h"

#include <event2/event.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <weir/clock.h>
#include <weir/heap_site.h>
#include <weir/log.h>
#include <weir/text.h>

static void redis_error_at(struct redis *r, const struct socket_address *address, const char *why);
static struct redis_node *redis_node_add(struct redis *r, const struct socket_address *address);
static struct redis_node *redis_node_find(
	const struct redis *r, const struct socket_address *address);
static bool redis_node_retire(struct redis_node *node);

// Finds the node of a slot when several servers are configured: the master that the sentinels name,
// or the masters of a Cluster.

enum {
	REDIS_ASK_MS = 500,
	REDIS_ASK_CALM_MS = 20000,
	REDIS_ASK_DOUBT_MS = 3000,  // answers that do not help for so long may be old
	REDIS_ASK_MIN_MS = 50,      // least time between two questions
	REDIS_ASK_TIMEOUT_MS = 500, // time for the reply
};

// One question (where is the master, which node has which slots), sent to one server after another
// until one gives a usable answer: at once, again every REDIS_ASK_MS while there is a problem, else
// every REDIS_ASK_CALM_MS. A server that is cut off from the others gives old answers, so weir asks
// the next one when a problem, or nodes that refuse keys, stay for REDIS_ASK_DOUBT_MS. It uses a
// separate connection, which stays while weir asks the same server. One thread.
struct redis_ask {
	struct redis *owner;
	struct redis_conn conn;
	struct redis_call call;
	struct event timer;
	const struct redis_command *command; // lives as long as this struct
	// The i-th server to ask; false: there are no more servers, 0 is next.
	bool (*where)(struct redis *r, unsigned i, struct redis_login *out);
	// False: the reply is not usable; weir asks the next server.
	bool (*answer)(struct redis *r, const struct redis_reply *reply);
	bool (*amiss)(const struct redis *r);
	unsigned at;
	unsigned failed; // servers in a row that gave no usable answer
	unsigned rounds; // times in a row that all servers gave none
	bool asking;
	bool refused; // a node that is up has refused a key since the last answer
	uint64_t asked_ms;
	uint64_t doubted_ms;           // when this server's answers began not to help; 0: they help
	struct socket_address address; // the server's
};

static void ask_in(struct redis_ask *a, unsigned ms)
{
	struct timeval tv = {.tv_sec = ms / 1000, .tv_usec = (suseconds_t)(ms % 1000) * 1000};
	event_add(&a->timer, &tv);
}

// Goes on to the next server, behind the last one to the first.
static void ask_next(struct redis_ask *a, unsigned ms)
{
	struct redis_login login;
	redis_conn_close(&a->conn, REDIS_LOST);
	a->doubted_ms = 0;
	a->at = a->where(a->owner, a->at + 1, &login) ? a->at + 1 : 0;
	ask_in(a, ms);
}

static void ask_failed(struct redis_ask *a)
{
	struct redis *r = a->owner;
	struct redis_login login;
	if (a->where(r, ++a->failed, &login)) {
		ask_next(a, REDIS_ASK_MIN_MS);
		return;
	}
	if (++a->rounds == 2)
		log_warning("redis: no server names a master: %s", r->totals.error);
	r->unreachable = true;
	a->failed = 0;
	ask_next(a, REDIS_ASK_MS);
}

static void ask_answered(struct redis_ask *a)
{
	struct redis *r = a->owner;
	bool is_amiss = a->amiss(r);
	r->unreachable = false;
	a->failed = a->rounds = 0;
	if (!is_amiss && !a->refused)
		a->doubted_ms = 0;
	else if (!a->doubted_ms)
		a->doubted_ms = a->asked_ms;
	a->refused = false;
	if (a->doubted_ms && a->asked_ms >= a->doubted_ms + REDIS_ASK_DOUBT_MS)
		ask_next(a, REDIS_ASK_MIN_MS);
	else
		ask_in(a, is_amiss ? REDIS_ASK_MS : REDIS_ASK_CALM_MS);
}

static void ask_end(struct redis_ask *a, bool of_use)
{
	a->asking = false;
	if (of_use)
		ask_answered(a);
	else
		ask_failed(a);
}

static void topology_on_down(struct redis_conn *c, bool, const char *why)
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
	.down = topology_on_down,
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
		int rc = redis_conn_open(&a->conn, &login);
		if (rc < 0) {
			redis_error_at(a->owner, &a->address, strerror(-rc));
			return false;
		}
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

// The caller has set the functions, the command and the owner. Asks at once.
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

// A node is away, or is up and refuses keys.
static void ask_trouble(struct redis_ask *a, const struct redis_node *node)
{
	a->refused |= node && !node->away;
	ask_now(a);
}

// The master that the sentinels name. The client asks one of them; a subscription to its
// +switch-master reports a change at once. The node's log-in checks that it is a master (ROLE),
// since a sentinel may be behind (Redis Sentinel client guidelines).

struct sentinel {
	struct redis_ask ask;
	struct redis_sub sub;
	struct redis_command command;
	char name[]; // asked for, also after the configuration has gone
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

// The subscription goes to the sentinel that answers the question.
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
		return; // masters change faster than their connections end; asked again
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

// Decimal digits to a port; -1: not at most five digits.
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

// Takes ["192.0.2.7", "6379"]; nil: the sentinel does not watch that master.
static bool sentinel_answer(struct redis *r, const struct redis_reply *reply)
{
	const struct sentinel *s = r->topology_state;
	const struct redis_reply *host = redis_reply_at(reply, 0), *port = redis_reply_at(reply, 1);
	struct socket_address a;
	size_t host_len = 0, port_len = 0;
	const char *host_text = host ? redis_reply_text(host, &host_len) : NULL;
	const char *port_text = port ? redis_reply_text(port, &port_len) : NULL;
	if (!host_text || !port_text
		|| redis_host_parse(host_text, host_len, port_read(port_text, port_len), &a) < 0) {
		redis_error_at(r, &s->ask.address,
			redis_reply_kind(reply) == REDIS_NIL
				? "the sentinel watches no master of that name"
				: "the sentinel does not name the master by address");
		return false;
	}
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
	const char *name = r->c->master_name;
	struct sentinel *s = heap_calloc(1, sizeof(*s) + strlen(name) + 1);
	if (!s)
		return -ENOMEM;
	r->topology_state = s;
	strcpy(s->name, name);
	s->command = (struct redis_command){.count = 3,
		.word = {{"SENTINEL", 8}, {"get-master-addr-by-name", 23},
			{s->name, strlen(s->name)}}};
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

static void sentinel_trouble(struct redis *r, struct redis_node *node)
{
	struct sentinel *s = r->topology_state;
	ask_trouble(&s->ask, node);
}

const struct redis_topology redis_sentinel = {
	.start = sentinel_start,
	.stop = sentinel_stop,
	.node = sentinel_node,
	.trouble = sentinel_trouble,
	.master = true,
};

// A Redis Cluster: the master of each of the 16384 slots, by CLUSTER SLOTS of one node. Looked up
// again when a node is away, a slot has moved or has no node, and every REDIS_ASK_CALM_MS. A MOVED
// reply takes effect at once for its slot.

struct cluster {
	struct redis_ask ask;
	bool holes;     // some slots have no node
	unsigned given; // slots named so far in the present answer
	struct redis_node *owner[REDIS_SLOTS];
};

static const struct redis_command cluster_slots = {
	.count = 2, .word = {{"CLUSTER", 7}, {"SLOTS", 5}}};

// First the known nodes, then the addresses of the configuration.
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
		return; // refuses an answer that repeats slots, too
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
	if (redis_reply_count(reply) == 0) {
		redis_error_at(r, &s->ask.address, "the cluster names no slots");
		return false;
	}
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

static void cluster_trouble(struct redis *r, struct redis_node *node)
{
	struct cluster *s = r->topology_state;
	ask_trouble(&s->ask, node);
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

static void node_probe(struct redis_node *node);

static void on_probe_due(evutil_socket_t, short, void *arg)
{
	node_probe(arg);
}

// Schedules the next probe, up to a quarter later so that boxes do not probe in step.
static void probe_later(struct redis_node *node)
{
	unsigned wait = node->backoff_ms ? node->backoff_ms : REDIS_BACKOFF_MS;
	node->backoff_ms = wait * 2 < REDIS_PROBE_MS ? wait * 2 : REDIS_PROBE_MS;
	wait += rng_u16(&node->owner->rng) % (wait / 4 + 1);
	struct timeval tv = {.tv_sec = wait / 1000, .tv_usec = (suseconds_t)(wait % 1000) * 1000};
	event_add(&node->probe, &tv);
}

static void node_away(struct redis_node *node, const char *why)
{
	struct redis *r = node->owner;
	redis_error_at(r, &node->address, why);
	if (node->away || node->retired_ms)
		return;
	node->away = true;
	node->away_since_ms = clock_mono_ms();
	log_warning("redis %s: unreachable: %s", node->name, why);
	if (!node->probing)
		probe_later(node);
	r->topology->trouble(r, node);
}

static void node_back(struct redis_node *node)
{
	if (node->away || !node->proved)
		log_info("redis %s: up", node->name);
	node->away = false;
	node->away_since_ms = 0;
	node->proved = true;
	node->failures = 0;
	node->backoff_ms = 0;
	event_del(&node->probe);
}

static int conn_open(struct redis_node *node, struct redis_conn *c)
{
	const struct redis *r = node->owner;
	struct redis_login login = {
		.address = node->address,
		.username = r->c->username,
		.password = r->c->password,
		.db = r->c->db,
		.master = r->topology->master,
	};
	return redis_conn_open(c, &login);
}

// Chooses the connection by slot, so that commands for one key keep their order.
static struct redis_conn *node_conn(struct redis_node *node, unsigned slot)
{
	struct redis_conn *c = &node->conn[slot % node->connections];
	if (c->state == REDIS_CONN_CLOSED && c->retry_ms > 0 && clock_mono_ms() < c->retry_ms) {
		for (unsigned i = 0; i < node->connections; i++) {
			if (node->conn[i].state == REDIS_CONN_UP)
				return &node->conn[i];
		}
	}
	if (c->state == REDIS_CONN_CLOSED) {
		int rc = conn_open(node, c);
		if (rc < 0) {
			node_away(node, strerror(-rc));
			return NULL;
		}
	}
	return c;
}

// The connection for keys of this slot, perhaps still connecting; NULL: the node is away.
static struct redis_conn *node_key_conn(struct redis_node *node, unsigned slot)
{
	return node->away || node->retired_ms ? NULL : node_conn(node, slot);
}

// Whether a reply was too slow for any lookup. Only for a connection that was up: connecting may
// take longer.
static bool is_slow(const struct redis_node *node, uint64_t rtt_us)
{
	return rtt_us > (uint64_t)node->owner->c->lookup_timeout_ms * 1000;
}

static void node_answered(struct redis_node *node, uint64_t rtt_us)
{
	uint32_t *avg = &node->owner->totals.rtt_us;
	uint32_t rtt = rtt_us > UINT32_MAX / 8 ? UINT32_MAX / 8 : (uint32_t)rtt_us;
	*avg = *avg == 0 ? rtt : *avg - *avg / 8 + rtt / 8;
	if (!is_slow(node, rtt_us) && node->failures > 0)
		node->failures--;
}

// Counts a command without a reply; given_us 0: no reply will come. A pause of a few milliseconds
// makes a whole batch of lookups late, but the server is not away yet.
static void node_failed(struct redis_node *node, uint64_t given_us, const char *why)
{
	uint64_t given_ms = given_us / 1000;
	if (node->failures == 0 || given_ms < node->failing_since_ms)
		node->failing_since_ms = given_ms;
	if (node->failures < REDIS_FAILURES_MAX)
		node->failures++;
	if (node->failures == REDIS_FAILURES_MAX
		&& clock_mono_ms() >= node->failing_since_ms + node->owner->c->timeout_ms)
		node_away(node, why);
}

// Calls, and what a reply means.

static const char multi[] = "*1\r\n$5\r\nMULTI\r\n";
static const char exec[] = "*1\r\n$4\r\nEXEC\r\n";
static const char asking[] = "*1\r\n$6\r\nASKING\r\n";

static struct redis_call *call_take(struct redis *r)
{
	struct redis_call *call = r->free;
	if (!call) {
		r->full_calls++;
		return NULL;
	}
	r->free = call->next;
	r->pending++;
	*call = (struct redis_call){0};
	age_add(&r->call_ages, &call->age);
	if (r->pending > r->pending_most)
		r->pending_most = r->pending;
	return call;
}

static void call_put(struct redis *r, struct redis_call *call)
{
	age_remove(&r->call_ages, &call->age);
	FREE_AND_NULL(call->copy);
	r->copied -= call->copy_len;
	call->copy_len = 0;
	call->next = r->free;
	r->free = call;
	r->pending--;
}

static size_t size_all(const struct redis_command *commands, unsigned count)
{
	size_t size = count > 1 ? sizeof(multi) - 1 + sizeof(exec) - 1 : 0;
	for (unsigned i = 0; i < count; i++)
		size += redis_command_size(&commands[i]);
	return size;
}

static void write_all(const struct redis_command *commands, unsigned count, char *out)
{
	if (count > 1) {
		memcpy(out, multi, sizeof(multi) - 1);
		out += sizeof(multi) - 1;
	}
	for (unsigned i = 0; i < count; i++)
		out = redis_command_write(&commands[i], out);
	if (count > 1)
		memcpy(out, exec, sizeof(exec) - 1);
}

static bool has_room(struct redis *r, size_t size)
{
	size_t cap = (size_t)r->c->buffer_kb << 10;
	size_t used = r->buffers.unsent + r->copied;
	bool fits = used <= cap && size <= cap - used;
	r->full_buffers += !fits;
	return fits;
}

enum redis_given { REDIS_GIVEN, REDIS_GIVEN_FULL };

// Submits commands to connection `c` of the node. timeout_ms 0: the configured one.
static enum redis_given call_give(struct redis_node *node, struct redis_conn *c,
	const struct redis_command *commands, unsigned count, unsigned slot, unsigned timeout_ms,
	redis_done_fn done, void *arg)
{
	struct redis *r = node->owner;
	size_t size = size_all(commands, count);
	bool copy = r->topology->redirects && slot != REDIS_NO_SLOT;
	struct redis_call *call = has_room(r, copy ? 2 * size : size) ? call_take(r) : NULL;
	if (!call)
		return REDIS_GIVEN_FULL;
	call->given_us = clock_mono_us();
	call->deadline_ms = call->given_us / 1000 + (timeout_ms ? timeout_ms : r->c->timeout_ms);
	call->transaction = count > 1;
	call->left = call->replies = count > 1 ? (uint8_t)(count + 2) : 1;
	call->slot = (uint16_t)slot;
	call->node = node;
	if (copy && (call->copy = heap_malloc(size)) != NULL) {
		call->copy_len = size;
		r->copied += size;
		write_all(commands, count, call->copy);
	}
	char *at = copy && !call->copy ? NULL : redis_conn_take(c, call, size);
	if (!at) {
		call_put(r, call);
		return REDIS_GIVEN_FULL;
	}
	if (call->copy)
		memcpy(at, call->copy, size);
	else
		write_all(commands, count, at);
	call->done = done;
	call->arg = arg;
	r->totals.commands++;
	return REDIS_GIVEN;
}

static void call_done(struct redis *r, struct redis_call *call, enum redis_end end,
	const struct redis_reply *reply)
{
	redis_done_fn done = call->done;
	void *arg = call->arg;
	call_put(r, call);
	if (done)
		done(arg, end, reply);
}

// Keeps the server's text as the last error; redis_error_at escapes it.
static void error_note(
	struct redis *r, const struct socket_address *address, const struct redis_reply *reply)
{
	char why[REDIS_WHY_MAX];
	size_t len;
	const char *text = redis_reply_text(reply, &len);
	snprintf(why, sizeof(why), "%.*s", (int)(len < sizeof(why) ? len : sizeof(why)), text);
	redis_error_at(r, address, why);
}

void redis_error_count(
	struct redis *r, const struct socket_address *address, const struct redis_reply *reply)
{
	enum redis_error kind = redis_error_kind(reply);
	r->totals.errors++;
	if (kind == REDIS_ERROR_OOM)
		r->totals.oom++;
	else if (kind == REDIS_ERROR_READONLY)
		r->totals.readonly++;
	else if (kind == REDIS_ERROR_WRONGTYPE)
		r->totals.wrongtype++;
	else if (kind == REDIS_ERROR_DENIED)
		r->totals.denied++;
	if (kind != REDIS_ERROR_MOVED && kind != REDIS_ERROR_ASK && kind != REDIS_ERROR_EXECABORT)
		error_note(r, address, reply);
}

// Counts an error, and notes where MOVED or ASK sends the call.
static void error_take(struct redis_call *call, const struct redis_reply *reply)
{
	struct redis_node *node = call->node;
	struct redis *r = node->owner;
	enum redis_error kind = redis_error_kind(reply);
	unsigned slot;
	if (call->refused)
		return; // only the first error of a call counts
	call->refused = true;
	redis_error_count(r, &node->address, reply);
	if (node->retired_ms)
		return; // a retired node's view of other nodes is old
	if (kind == REDIS_ERROR_READONLY || kind == REDIS_ERROR_CLUSTERDOWN)
		r->topology->trouble(r, node);
	if ((kind != REDIS_ERROR_MOVED && kind != REDIS_ERROR_ASK) || call->slot == REDIS_NO_SLOT)
		return;
	if (kind == REDIS_ERROR_MOVED)
		r->totals.moved++;
	else
		r->totals.asked++;
	call->ask = kind == REDIS_ERROR_ASK;
	if (redis_error_where(reply, &node->address, &slot, &call->moved_to) < 0)
		call->moved_to.port = 0;
	if (kind == REDIS_ERROR_MOVED && r->topology->moved)
		r->topology->moved(r, call->slot, &call->moved_to);
}

static void errors_take(struct redis_call *call, const struct redis_reply *reply)
{
	if (redis_reply_kind(reply) == REDIS_ERROR)
		error_take(call, reply);
	else if (call->transaction && call->left == 0) {
		for (unsigned i = 0; i < redis_reply_count(reply); i++) {
			const struct redis_reply *one = redis_reply_at(reply, i);
			if (redis_reply_kind(one) == REDIS_ERROR)
				error_take(call, one);
		}
	}
}

// Sends the call again to the node that MOVED or ASK names, unless the client has left the call's
// node meanwhile. True: the call is in flight again.
static bool call_again(struct redis *r, struct redis_call *call)
{
	if (!call->copy || !call->moved_to.port || call->late || call->node->retired_ms
		|| call->redirects >= REDIS_REDIRECTS_MAX)
		return false;
	struct redis_node *node = redis_node_find(r, &call->moved_to);
	if (!node)
		node = redis_node_add(r, &call->moved_to);
	struct redis_conn *c = node ? node_key_conn(node, call->slot) : NULL;
	if (!c || !has_room(r, call->copy_len))
		return false;
	size_t ask_len = call->ask ? sizeof(asking) - 1 : 0;
	call->left = call->replies + (call->ask ? 1u : 0u);
	char *at = redis_conn_take(c, call, ask_len + call->copy_len);
	if (!at)
		return false;
	memcpy(at, asking, ask_len);
	memcpy(at + ask_len, call->copy, call->copy_len);
	call->node = node;
	call->redirects++;
	call->refused = false;
	call->moved_to.port = 0;
	return true;
}

static void call_reply(
	struct redis_conn *c, struct redis_call *call, const struct redis_reply *reply)
{
	struct redis_node *node = c->owner;
	struct redis *r = node->owner;
	errors_take(call, reply);
	if (call->left > 0)
		return;
	if (!call->late)
		node_answered(node, clock_mono_us() - call->given_us);
	if (call->refused && call_again(r, call))
		return;
	call_done(r, call, call->refused ? REDIS_REFUSED : REDIS_DONE, reply);
}

static void call_end(struct redis_conn *c, struct redis_call *call, enum redis_end end)
{
	struct redis_node *node = c->owner;
	struct redis *r = node->owner;
	if (!call->late && (end == REDIS_LOST || end == REDIS_LARGE)) {
		r->totals.lost++;
		node_failed(node, 0, "connections break");
	} else if (!call->late && end == REDIS_AWAY) {
		r->totals.away++;
	}
	call_done(r, call, end, NULL);
}

// Ends the call for its caller; it stays in the connection's queue until the reply.
static void call_late(struct redis_conn *c, struct redis_call *call)
{
	struct redis_node *node = c->owner;
	redis_done_fn done = call->done;
	call->done = NULL;
	node->owner->totals.timeouts++;
	node_failed(node, call->given_us, "no replies in time");
	if (done)
		done(call->arg, REDIS_TIMEOUT, NULL);
}

// The connections of a server, and its probe.

static void on_up(struct redis_conn *c)
{
	c->retry_ms = 0;
}

static bool node_any_up(const struct redis_node *node)
{
	for (unsigned i = 0; i < node->connections; i++) {
		if (node->conn[i].state == REDIS_CONN_UP)
			return true;
	}
	return false;
}

// A server that closes a working connection may be back at once: commands connect again, and a
// probe does if there are none. A server that could not be reached is away until a probe succeeds.
static void on_down(struct redis_conn *c, bool was_up, const char *why)
{
	struct redis_node *node = c->owner;
	node->owner->totals.reconnects++;
	redis_error_at(node->owner, &node->address, why);
	if (node->retired_ms)
		return;
	if (node_any_up(node))
		c->retry_ms = clock_mono_ms() + REDIS_CONNECT_MS;
	else if (!was_up)
		node_away(node, why);
	else if (!node->away && !event_pending(&node->probe, EV_TIMEOUT, NULL))
		probe_later(node);
}

static const struct redis_conn_ops node_ops = {
	.up = on_up,
	.down = on_down,
	.reply = call_reply,
	.end = call_end,
	.late = call_late,
};

static int node_new(struct redis *r, const struct socket_address *address, struct redis_node **out)
{
	struct redis_node *node = heap_calloc(1, sizeof(*node));
	if (!node)
		return -ENOMEM;
	node->owner = r;
	node->address = *address;
	socket_address_text(address, node->name);
	node->connections = r->c->connections;
	for (unsigned i = 0; i < node->connections; i++)
		redis_conn_init(&node->conn[i], loop_base(r->loop), &node_ops, node, &r->buffers);
	event_assign(&node->probe, loop_base(r->loop), -1, 0, on_probe_due, node);
	*out = node;
	return 0;
}

// Ends the node's calls with REDIS_AWAY.
static void node_free(struct redis_node *node)
{
	event_del(&node->probe);
	for (unsigned i = 0; i < node->connections; i++)
		redis_conn_close(&node->conn[i], REDIS_AWAY);
	heap_free(node);
}

static unsigned node_pending(const struct redis_node *node)
{
	unsigned n = 0;
	for (unsigned i = 0; i < node->connections; i++)
		n += node->conn[i].calls;
	return n;
}

// Any reply will do, also MOVED or READONLY, unless the server says that it cannot serve yet.
static void on_probe(void *arg, enum redis_end end, const struct redis_reply *reply)
{
	struct redis_node *node = arg;
	static const char *const not_yet[] = {"LOADING", "MASTERDOWN", "BUSY", "CLUSTERDOWN"};
	size_t len;
	const char *text = reply ? redis_reply_text(reply, &len) : NULL;
	node->probing = false;
	for (size_t i = 0; text && end == REDIS_REFUSED && i < ARRAY_LEN(not_yet); i++) {
		if (strncmp(text, not_yet[i], strlen(not_yet[i])) == 0)
			end = REDIS_AWAY;
	}
	if (node->retired_ms)
		return;
	bool slow = node->away && node->probe_given_us != 0
		    && is_slow(node, clock_mono_us() - node->probe_given_us);
	if (!slow && (end == REDIS_DONE || end == REDIS_REFUSED)) {
		node_back(node);
		return;
	}
	if (slow)
		redis_error_at(node->owner, &node->address, "slower than redis.lookup_timeout_ms");
	if (node->away)
		probe_later(node);
	else
		node_away(node, end == REDIS_TIMEOUT ? "no reply" : "not ready");
}

// Probes with a write, because a server that is paused for a failover still answers PING.
static void node_probe(struct redis_node *node)
{
	if (node->probing || node->retired_ms)
		return;
	char key[CONFIG_NAMESPACE_MAX + 16];
	int len = snprintf(key, sizeof(key), "%s-meta:probe", node->owner->c->space);
	const struct redis_command set = {
		.count = 5,
		.word = {{"SET", 3}, {key, (size_t)len}, {"1", 1}, {"PX", 2}, {"10000", 5}},
	};
	struct redis_conn *c = node_conn(node, 0);
	bool given =
		c && call_give(node, c, &set, 1, REDIS_NO_SLOT, 0, on_probe, node) == REDIS_GIVEN;
	node->probe_given_us = given && c->state == REDIS_CONN_UP ? clock_mono_us() : 0;
	if (given)
		node->probing = true;
	else if (node->away && !event_pending(&node->probe, EV_TIMEOUT, NULL))
		probe_later(node);
	else if (!node->away)
		node_away(node, "cannot be asked");
}

enum { REAP_MS = 100 };

bool redis_same_address(const struct socket_address *a, const struct socket_address *b)
{
	return a->port == b->port && a->ip.version == b->ip.version
	       && memcmp(a->ip.bytes, b->ip.bytes, a->ip.version == 4 ? 4 : 16) == 0;
}

static void redis_error_at(struct redis *r, const struct socket_address *address, const char *why)
{
	char shown[REDIS_WHY_MAX], name[SOCKET_ADDRESS_TEXT_MAX];
	snprintf(r->totals.error, sizeof(r->totals.error), "%s: %.*s",
		socket_address_text(address, name),
		(int)(sizeof(r->totals.error) - SOCKET_ADDRESS_TEXT_MAX - 4),
		text_escape(why, shown, sizeof(shown)));
	r->totals.error_ms = clock_mono_ms();
}

static struct redis_node *redis_node_find(
	const struct redis *r, const struct socket_address *address)
{
	for (unsigned i = 0; i < r->node_count; i++) {
		if (redis_same_address(&r->node[i]->address, address))
			return r->node[i];
	}
	return NULL;
}

static struct redis_node *redis_node_add(struct redis *r, const struct socket_address *address)
{
	struct redis_node *node;
	if (r->node_count == REDIS_NODES_MAX || node_new(r, address, &node) < 0)
		return NULL;
	r->node[r->node_count++] = node;
	node_probe(node);
	return node;
}

// Standalone: one server has all keys. When it is away there is no other; a probe brings it back.
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

// Frees retired nodes whose calls have ended, or whose REDIS_RETIRE_MS are over.
static void on_reap(evutil_socket_t, short, void *arg)
{
	struct redis *r = arg;
	uint64_t now = clock_mono_ms();
	unsigned kept = 0;
	for (unsigned i = 0; i < r->retired_count; i++) {
		struct redis_node *node = r->retired[i];
		if (node_pending(node) > 0 && now < node->retired_ms + REDIS_RETIRE_MS)
			r->retired[kept++] = node;
		else
			node_free(node);
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

static bool redis_node_retire(struct redis_node *node)
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
		node_free(node);
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
		node_free(r->retired[i]);
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
	struct redis_conn *c = node ? node_key_conn(node, slot) : NULL;
	if (!c) {
		r->totals.away += r->topology ? 1 : 0;
		return false;
	}
	return call_count(r, call_give(node, c, commands, count, slot, timeout_ms, done, arg));
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
	// Uses the last connection, so that large replies do not delay replies on the first one.
	if (at < r->node_count)
		conn = node_key_conn(r->node[at], r->node[at]->connections - 1);
	if (!conn) {
		r->totals.away += r->topology ? 1 : 0;
		return false;
	}
	return call_count(
		r, call_give(r->node[at], conn, c, 1, REDIS_NO_SLOT, timeout_ms, done, arg));
}

bool redis_is_off(const struct redis *r)
{
	return !r->topology;
}

bool redis_is_cluster(const struct redis *r)
{
	return r->c->mode == REDIS_MODE_CLUSTER;
}

// The node that the status shows: a master that is up, else any master, else any node.
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

// The place of a state in a list from good to bad.
static unsigned state_rank(const char *state)
{
	static const char *const states[] = {
		"off", "up", "connecting", "partial", "refusing", "away"};
	unsigned i = 0;

	while (i < ARRAY_LEN(states) && (!state || strcmp(states[i], state) != 0))
		i++;
	return i % ARRAY_LEN(states);
}

void redis_status_add(struct redis_status *sum, const struct redis_status *one)
{
	counts_merge(redis_rows(), sum, one);
	if (state_rank(one->state) > state_rank(sum->state)) {
		sum->state = one->state;
		memcpy(sum->server, one->server, sizeof(sum->server));
	}
	if (one->error_ms > sum->error_ms) {
		sum->error_ms = one->error_ms;
		memcpy(sum->error, one->error, sizeof(sum->error));
	}
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
