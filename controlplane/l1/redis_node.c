// SPDX-License-Identifier: BSD-3-Clause
#include "redis_internal.h"

#include <event2/event.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <weir/clock.h>
#include <weir/heap_site.h>
#include <weir/log.h>

static void on_probe_due(evutil_socket_t, short, void *arg)
{
	redis_node_probe(arg);
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
	.reply = redis_call_reply,
	.end = redis_call_end,
	.late = redis_call_late,
};

int redis_node_new(struct redis *r, const struct socket_address *address, struct redis_node **out)
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

void redis_node_free(struct redis_node *node)
{
	event_del(&node->probe);
	for (unsigned i = 0; i < node->connections; i++)
		redis_conn_close(&node->conn[i], REDIS_AWAY);
	heap_free(node);
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

struct redis_conn *redis_node_conn(struct redis_node *node, unsigned slot)
{
	return node->away || node->retired_ms ? NULL : node_conn(node, slot);
}

unsigned redis_node_pending(const struct redis_node *node)
{
	unsigned n = 0;
	for (unsigned i = 0; i < node->connections; i++)
		n += node->conn[i].calls;
	return n;
}

// Too slow for any look. A connection that has to come about first may take longer.
static bool is_slow(const struct redis_node *node, uint64_t rtt_us)
{
	return rtt_us > (uint64_t)node->owner->c->lookup_timeout_ms * 1000;
}

void redis_node_answered(struct redis_node *node, uint64_t rtt_us)
{
	uint32_t *avg = &node->owner->totals.rtt_us;
	uint32_t rtt = rtt_us > UINT32_MAX / 8 ? UINT32_MAX / 8 : (uint32_t)rtt_us;
	*avg = *avg == 0 ? rtt : *avg - *avg / 8 + rtt / 8;
	if (!is_slow(node, rtt_us) && node->failures > 0)
		node->failures--;
}

// A pause of a few milliseconds makes a whole batch of looks late: that is not being away yet.
void redis_node_failed(struct redis_node *node, uint64_t given_us, const char *why)
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
void redis_node_probe(struct redis_node *node)
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
	bool given = c
		     && redis_call_give(node, c, &set, 1, REDIS_NO_SLOT, 0, on_probe, node)
				== REDIS_GIVEN;
	node->probe_given_us = given && c->state == REDIS_CONN_UP ? clock_mono_us() : 0;
	if (given)
		node->probing = true;
	else if (node->away && !event_pending(&node->probe, EV_TIMEOUT, NULL))
		probe_later(node);
	else if (!node->away)
		node_away(node, "cannot be asked");
}
