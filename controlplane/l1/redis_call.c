// SPDX-License-Identifier: BSD-3-Clause
#include "redis_error.h"
#include "redis_internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <weir/clock.h>
#include <weir/heap_site.h>

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

enum redis_given redis_call_give(struct redis_node *node, struct redis_conn *c,
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
	struct redis_conn *c = node ? redis_node_conn(node, call->slot) : NULL;
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

void redis_call_reply(
	struct redis_conn *c, struct redis_call *call, const struct redis_reply *reply)
{
	struct redis_node *node = c->owner;
	struct redis *r = node->owner;
	errors_take(call, reply);
	if (call->left > 0)
		return;
	if (!call->late)
		redis_node_answered(node, clock_mono_us() - call->given_us);
	if (call->refused && call_again(r, call))
		return;
	call_done(r, call, call->refused ? REDIS_REFUSED : REDIS_DONE, reply);
}

void redis_call_end(struct redis_conn *c, struct redis_call *call, enum redis_end end)
{
	struct redis_node *node = c->owner;
	struct redis *r = node->owner;
	if (!call->late && end == REDIS_LOST) {
		r->totals.lost++;
		redis_node_failed(node, 0, "connections break");
	} else if (!call->late && end == REDIS_AWAY) {
		r->totals.away++;
	}
	call_done(r, call, end, NULL);
}

void redis_call_late(struct redis_conn *c, struct redis_call *call)
{
	struct redis_node *node = c->owner;
	redis_done_fn done = call->done;
	call->done = NULL;
	node->owner->totals.timeouts++;
	redis_node_failed(node, call->given_us, "no replies in time");
	if (done)
		done(call->arg, REDIS_TIMEOUT, NULL);
}
