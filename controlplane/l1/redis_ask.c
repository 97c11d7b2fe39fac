// SPDX-License-Identifier: BSD-3-Clause
#include "redis_ask.h"

#include <event2/event.h>

#include <string.h>
#include <weir/clock.h>

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

void redis_ask_start(struct redis_ask *a)
{
	redis_conn_init(&a->conn, loop_base(a->owner->loop), &ask_ops, a, &a->owner->buffers);
	event_assign(&a->timer, loop_base(a->owner->loop), -1, 0, on_timer, a);
	ask_in(a, 0);
}

void redis_ask_stop(struct redis_ask *a)
{
	a->asking = false;
	event_del(&a->timer);
	redis_conn_close(&a->conn, REDIS_LOST);
}

void redis_ask_now(struct redis_ask *a)
{
	uint64_t now = clock_mono_ms(), next = a->asked_ms + REDIS_ASK_MIN_MS;
	if (!a->asking)
		ask_in(a, next > now ? (unsigned)(next - now) : 0);
}
