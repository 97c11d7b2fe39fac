// SPDX-License-Identifier: BSD-3-Clause
#include "redis_internal.h"

#include <event2/event.h>

#include <stdio.h>
#include <string.h>
#include <weir/clock.h>

enum {
	SUB_TICK_MS = 500,
	SUB_PING_MS = 10000,
	SUB_SILENT_MS = 25000, // longer than two pings
};

static bool is_word(const struct redis_reply *reply, const char *word)
{
	size_t len;
	const char *text = reply ? redis_reply_text(reply, &len) : NULL;
	return text && len == strlen(word) && memcmp(text, word, len) == 0;
}

static void sub_say(struct redis_sub *s, const char *word, const char *arg)
{
	struct redis_command command = {.count = arg ? 2 : 1, .word = {{word, strlen(word)}}};
	if (arg)
		command.word[1] = (struct redis_word){arg, strlen(arg)};
	char *at = redis_conn_take(&s->conn, NULL, redis_command_size(&command));
	if (at)
		(void)redis_command_write(&command, at);
}

static void on_up(struct redis_conn *c)
{
	struct redis_sub *s = c->owner;
	s->pinged_ms = clock_mono_ms();
	s->confirmed = false;
	sub_say(s, "SUBSCRIBE", s->channel);
}

static void sub_wait(struct redis_sub *s)
{
	s->backoff_ms = s->backoff_ms ? s->backoff_ms * 2 : REDIS_BACKOFF_MS;
	if (s->backoff_ms > REDIS_PROBE_MS)
		s->backoff_ms = REDIS_PROBE_MS;
	s->retry_ms = clock_mono_ms() + s->backoff_ms;
}

static void on_down(struct redis_conn *c, bool, const char *)
{
	struct redis_sub *s = c->owner;
	s->breaks++;
	sub_wait(s);
}

// An error (no permission) ends a connection that has no subscription. A refused PING ends none.
static void sub_error(struct redis_sub *s, const struct redis_reply *reply)
{
	redis_error_count(s->redis, &s->address, reply);
	if (s->confirmed)
		return;
	redis_conn_close(&s->conn, REDIS_LOST);
	s->breaks++;
	sub_wait(s);
}

// ["subscribe", channel, 1], ["message", channel, text], ["pong", ""], or an error.
static void on_push(struct redis_conn *c, const struct redis_reply *reply)
{
	struct redis_sub *s = c->owner;
	size_t len;
	const struct redis_reply *kind = redis_reply_at(reply, 0);
	if (redis_reply_kind(reply) == REDIS_ERROR) {
		sub_error(s, reply);
		return;
	}
	if (!is_word(redis_reply_at(reply, 1), s->channel))
		return;
	if (is_word(kind, "subscribe")) {
		s->confirmed = true;
		s->backoff_ms = 0;
		if (s->on_gap)
			s->on_gap(s->arg);
	} else if (is_word(kind, "message") && redis_reply_at(reply, 2)) {
		const char *text = redis_reply_text(redis_reply_at(reply, 2), &len);
		if (text)
			s->on_message(s->arg, text, len);
	}
}

static const struct redis_conn_ops sub_ops = {
	.up = on_up,
	.down = on_down,
	.push = on_push,
};

static void sub_open(struct redis_sub *s, uint64_t now)
{
	struct redis_login login;
	if (now < s->retry_ms || !s->where(s->where_arg, &login))
		return;
	s->address = login.address;
	if (redis_conn_open(&s->conn, &login) < 0)
		sub_wait(s);
}

static void sub_keep(struct redis_sub *s, uint64_t now)
{
	struct redis_login login;
	bool moved =
		s->where(s->where_arg, &login) && !redis_same_address(&login.address, &s->address);
	if (moved || now >= s->conn.read_ms + SUB_SILENT_MS) {
		redis_conn_close(&s->conn, REDIS_LOST);
		s->breaks++;
		s->retry_ms = 0;
		sub_open(s, now);
	} else if (now >= s->pinged_ms + SUB_PING_MS) {
		s->pinged_ms = now;
		sub_say(s, "PING", NULL);
	}
}

static void on_tick(evutil_socket_t, short, void *arg)
{
	struct redis_sub *s = arg;
	uint64_t now = clock_mono_ms();
	if (s->conn.state == REDIS_CONN_CLOSED)
		sub_open(s, now);
	else if (s->conn.state == REDIS_CONN_UP)
		sub_keep(s, now);
}

void redis_sub_start(struct redis_sub *s, struct redis *r, const char *channel,
	bool (*where)(void *arg, struct redis_login *out), void *where_arg)
{
	static const struct timeval tick = {.tv_usec = SUB_TICK_MS * 1000};
	s->redis = r;
	redis_conn_init(&s->conn, loop_base(r->loop), &sub_ops, s, &r->buffers);
	snprintf(s->channel, sizeof(s->channel), "%s", channel);
	s->where = where;
	s->where_arg = where_arg;
	s->retry_ms = s->backoff_ms = 0;
	event_assign(&s->tick, loop_base(r->loop), -1, EV_PERSIST, on_tick, s);
	event_add(&s->tick, &tick);
	sub_open(s, clock_mono_ms());
}

void redis_sub_stop(struct redis_sub *s)
{
	if (!s->where)
		return;
	event_del(&s->tick);
	redis_conn_close(&s->conn, REDIS_LOST);
	s->where = NULL;
}

void redis_sub_moved(struct redis_sub *s)
{
	if (!s->where)
		return;
	redis_conn_close(&s->conn, REDIS_LOST);
	s->retry_ms = s->backoff_ms = 0;
	sub_open(s, clock_mono_ms());
}

// Names any master that is up: a cluster forwards messages.
static bool sub_where(void *arg, struct redis_login *out)
{
	struct redis *r = arg;
	for (unsigned i = 0; r->topology && i < r->node_count; i++) {
		const struct redis_node *node = r->node[i];
		if (!node->master || node->away)
			continue;
		*out = (struct redis_login){
			.address = node->address,
			.username = r->c->username,
			.password = r->c->password,
			.master = r->topology->master,
		};
		return true;
	}
	return false;
}

void redis_subscribe(struct redis *r, const char *channel,
	void (*on_message)(void *arg, const char *text, size_t len), void (*on_gap)(void *arg),
	void *arg)
{
	redis_sub_stop(&r->sub);
	if (!channel)
		return;
	r->sub.on_message = on_message;
	r->sub.on_gap = on_gap;
	r->sub.arg = arg;
	redis_sub_start(&r->sub, r, channel, sub_where, r);
}
