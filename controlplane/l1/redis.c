// SPDX-License-Identifier: BSD-3-Clause
// The client: one server (connections, breaker, probe), what a reply means, calls in, nodes kept,
// status and tables.

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

static void node_probe(struct redis_node *node);

static void on_probe_due(evutil_socket_t, short, void *arg)
{
	node_probe(arg);
}

// The wait before the next probe, plus up to a quarter so that boxes do not ask in step.
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

// The slot chooses, so that commands for one key keep their order.
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

// The connection for keys of this slot, perhaps still connecting; NULL: away.
static struct redis_conn *node_key_conn(struct redis_node *node, unsigned slot)
{
	return node->away || node->retired_ms ? NULL : node_conn(node, slot);
}

// Too slow for any look. A connection that has to come about first may take longer.
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

// A command without a reply; given_us 0: there is no use in waiting for one. A pause of a few
// milliseconds makes a whole batch of looks late: that is not being away yet.
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

// To that connection of the node. timeout_ms 0: the configured one.
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

// In the server's own words, which redis_error_at takes as hostile.
static void error_note(const struct redis_node *node, const struct redis_reply *reply)
{
	char why[REDIS_WHY_MAX];
	size_t len;
	const char *text = redis_reply_text(reply, &len);
	snprintf(why, sizeof(why), "%.*s", (int)(len < sizeof(why) ? len : sizeof(why)), text);
	redis_error_at(node->owner, &node->address, why);
}

// Counts it, and keeps what it asks for.
static void error_take(struct redis_call *call, const struct redis_reply *reply)
{
	struct redis_node *node = call->node;
	struct redis *r = node->owner;
	enum redis_error kind = redis_error_kind(reply);
	unsigned slot;
	if (call->refused)
		return; // one call, one error: the first
	call->refused = true;
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
		error_note(node, reply);
	if (node->retired_ms)
		return; // its view of other nodes is old
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

// The server did nothing and named another node. True: the call is in flight again.
static bool call_again(struct redis *r, struct redis_call *call)
{
	if (!call->copy || !call->moved_to.port || call->late
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
	if (!call->late && end == REDIS_LOST) {
		r->totals.lost++;
		node_failed(node, 0, "connections break");
	} else if (!call->late && end == REDIS_AWAY) {
		r->totals.away++;
	}
	call_done(r, call, end, NULL);
}

// To that connection of the node. timeout_ms 0: the configured one.
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

// A server that closes a working connection may be there again at once, and commands try; a probe
// finds out when there are none. One that could not be reached is left alone for a while.
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

// Its calls end with REDIS_AWAY.
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

// A write, because a server that is paused for a failover still answers PING.
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
	if (r->node_count == REDIS_NODES_MAX || node_new(r, address, &node) < 0)
		return NULL;
	r->node[r->node_count++] = node;
	node_probe(node);
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
	// The last connection, so that large replies are not in the way of the first one's.
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
