// SPDX-License-Identifier: BSD-3-Clause
#include "redis_rig.h"

#include <event2/event.h>

enum { GIVE_MAX = 1024, DO_MS = 20000 };

void redis_rig_address(struct redis_rig *g, uint16_t port)
{
	g->config.addresses[g->config.address_count++] = socket_here(port);
}

void redis_rig_start(struct redis_rig *g, enum redis_mode mode, uint16_t port)
{
	static char empty[] = "", space[] = "weir";
	if (!g->config.space)
		g->config.space = space;
	if (!g->config.username)
		g->config.username = empty;
	if (!g->config.password)
		g->config.password = empty;
	if (!g->config.master_name)
		g->config.master_name = empty;
	if (!g->config.sentinel_password)
		g->config.sentinel_password = empty;
	g->config.mode = mode;
	g->config.connections = g->config.connections ? g->config.connections : 2;
	g->config.timeout_ms = g->config.timeout_ms ? g->config.timeout_ms : 1000;
	if (!g->config.lookup_timeout_ms)
		g->config.lookup_timeout_ms = 500; // the machine may be busy
	g->config.buffer_kb = g->config.buffer_kb ? g->config.buffer_kb : 4096;
	if (port)
		redis_rig_address(g, port);
	assert_int_equal(loop_new("test", &g->loop), 0);
	assert_int_equal(redis_new(&g->redis, g->loop, &g->config), 0);
}

void redis_rig_stop(struct redis_rig *g)
{
	redis_free(g->redis);
	loop_free(g->loop);
	*g = (struct redis_rig){0};
}

static void on_turned(evutil_socket_t, short, void *)
{
}

void redis_rig_turn_once(struct redis_rig *g, unsigned ms)
{
	struct timeval tv = {.tv_sec = ms / 1000, .tv_usec = (suseconds_t)(ms % 1000) * 1000};
	struct event *end = event_new(loop_base(g->loop), -1, 0, on_turned, NULL);
	assert_non_null(end);
	event_add(end, &tv);
	event_base_loop(loop_base(g->loop), EVLOOP_ONCE);
	event_free(end);
}

void redis_rig_turn(struct redis_rig *g, unsigned ms)
{
	uint64_t end = clock_mono_ms() + ms;
	for (uint64_t now; (now = clock_mono_ms()) < end;)
		redis_rig_turn_once(g, (unsigned)(end - now));
}

void redis_rig_done(void *arg, enum redis_end end, const struct redis_reply *reply)
{
	struct redis_seen *seen = arg;
	size_t len;
	assert_int_equal(reply != NULL, end == REDIS_DONE || end == REDIS_REFUSED);
	*seen = (struct redis_seen){.ends = seen->ends + 1, .end = end};
	if (!reply)
		return;
	seen->kind = redis_reply_kind(reply);
	seen->integer = redis_reply_integer(reply);
	seen->count = redis_reply_count(reply);
	const char *text = redis_reply_text(reply, &len);
	if (text)
		snprintf(seen->text, sizeof(seen->text), "%.*s", (int)len, text);
}

bool redis_rig_give(struct redis_rig *g, const char *text, struct redis_seen *seen)
{
	char buf[GIVE_MAX];
	struct redis_command commands[REDIS_COMMANDS_MAX] = {0};
	unsigned count = 1;
	snprintf(buf, sizeof(buf), "%s", text);
	char *rest = buf;
	for (char *word; (word = strsep(&rest, " ")) != NULL;) {
		struct redis_command *c = &commands[count - 1];
		if (strcmp(word, "|") == 0)
			count++;
		else
			c->word[c->count++] = (struct redis_word){word, strlen(word)};
	}
	unsigned ends = seen->ends;
	bool given = redis_send(g->redis, commands, count, 0, redis_rig_done, seen);
	assert_int_equal(seen->ends, ends);
	return given;
}

void redis_rig_ends(struct redis_rig *g, const struct redis_seen *seen, unsigned ends)
{
	uint64_t end = clock_mono_ms() + DO_MS;
	while (seen->ends < ends && clock_mono_ms() < end)
		redis_rig_turn_once(g, 100);
	assert_int_equal(seen->ends, ends);
}

struct redis_seen redis_rig_do(struct redis_rig *g, const char *text)
{
	struct redis_seen seen = {0};
	if (!redis_rig_give(g, text, &seen))
		return (struct redis_seen){.end = REDIS_AWAY};
	redis_rig_ends(g, &seen, 1);
	return seen;
}

struct redis_status redis_rig_status(const struct redis_rig *g)
{
	struct redis_status s;
	redis_status(g->redis, &s);
	return s;
}

void redis_rig_await(struct redis_rig *g, const char *state, unsigned ms)
{
	uint64_t end = clock_mono_ms() + (ms > DO_MS ? ms : DO_MS);
	while (strcmp(redis_rig_status(g).state, state) != 0) {
		if (clock_mono_ms() >= end)
			fail_msg("is \"%s\" (%s), not \"%s\"", redis_rig_status(g).state,
				redis_rig_status(g).error, state);
		redis_rig_turn_once(g, 10);
	}
}

void redis_rig_empties(struct redis_rig *g)
{
	uint64_t end = clock_mono_ms() + DO_MS;
	while (redis_rig_status(g).buffer_bytes > 0 && clock_mono_ms() < end)
		redis_rig_turn_once(g, 10);
	assert_int_equal(redis_rig_status(g).buffer_bytes, 0);
}
