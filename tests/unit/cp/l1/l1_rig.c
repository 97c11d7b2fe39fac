// SPDX-License-Identifier: BSD-3-Clause
#include "l1_rig.h"

#include "redis_local.h"

#include <event2/event.h>

enum { PATIENCE_MS = 20000 };

struct l1_rig l1_rig;

int l1_rig_server_up(void **)
{
	redis_server_start(&l1_rig.server, NULL);
	return 0;
}

int l1_rig_server_down(void **)
{
	redis_server_clean(&l1_rig.server);
	return 0;
}

const char *l1_rig_say(const char *format, ...)
{
	char command[2048];
	va_list args;
	va_start(args, format);
	vsnprintf(command, sizeof(command), format, args);
	va_end(args);
	return redis_server_say(&l1_rig.server, command);
}

static void on_turned(evutil_socket_t, short, void *)
{
}

void l1_rig_turn(unsigned ms)
{
	uint64_t end = clock_mono_ms() + ms;
	struct event *e = event_new(loop_base(l1_rig.loop), -1, EV_PERSIST, on_turned, NULL);
	event_add(e, &(struct timeval){.tv_usec = 1000});
	while (clock_mono_ms() < end)
		event_base_loop(loop_base(l1_rig.loop), EVLOOP_ONCE);
	event_free(e);
}

void l1_rig_settle(void)
{
	struct l1_status s = {.redis.pending = 1};

	for (unsigned i = 0; i < 4000 && s.redis.pending; i++) {
		l1_rig_turn(5);
		l1_status(l1_rig.l1, &s);
	}
	assert_int_equal(s.redis.pending, 0);
}

void l1_rig_await_usable(bool usable)
{
	l1_rig_until(l1_usable(l1_rig.l1) == usable);
}

int l1_rig_setup(void **)
{
	l1_rig.config = (struct config){
		.cache = {.max_ttl_s = 86400, .negative_ttl_s = 3600, .stale_window_s = 3600},
		.redis = redis_local(l1_rig.server.port),
	};
	l1_rig.config.redis.timeout_ms = l1_rig.config.redis.lookup_timeout_ms = PATIENCE_MS;
	l1_rig_say("FLUSHALL");
	assert_int_equal(loop_new("test", &l1_rig.loop), 0);
	assert_int_equal(l1_new(&l1_rig.l1, l1_rig.loop, &l1_rig.config), 0);
	l1_rig_await_usable(true);
	return 0;
}

int l1_rig_teardown(void **)
{
	l1_free(l1_rig.l1);
	loop_free(l1_rig.loop);
	return 0;
}

void l1_rig_key(const char *name, struct l1_key *out)
{
	struct dns_name n = name_of_text(name);
	const struct l0_key key = {.name = n.wire, .name_len = n.len, .qtype = 1, .qclass = 1};
	l1_key_write(l1_space(l1_rig.l1), &key, 0, out);
}

const uint8_t l1_rig_message[40] = {0, 0, 0x81, 0x80, 0, 1, 13, 10, '"', '\'', 0xff};

void l1_rig_put(const char *name, uint32_t stored_ttl_s, uint32_t age_s, uint32_t hits)
{
	struct l1_key key;
	const struct l1_put p = {
		.msg = l1_rig_message,
		.len = sizeof(l1_rig_message),
		.age_s = age_s,
		.stored_ttl_s = stored_ttl_s,
		.auth_ttl_s = stored_ttl_s / 2,
		.hits = hits,
	};
	l1_rig_key(name, &key);
	l1_put(l1_rig.l1, &key, &p);
}

void l1_rig_put_many(unsigned count)
{
	char name[64];
	for (unsigned i = 0; i < count; i++) {
		snprintf(name, sizeof(name), "n%u.example", i);
		l1_rig_put(name, 300, 0, 0);
		if (i % 500 == 499)
			l1_rig_settle();
	}
	l1_rig_settle();
}

void l1_rig_every_key_has_ttl(void)
{
	const char *reply =
		l1_rig_say("EVAL \"local n=0 for _,k in ipairs(redis.call('KEYS','*')) do "
			   "if redis.call('TTL',k)<0 then n=n+1 end end return n\" 0");
	assert_string_equal(reply, ":0\r\n");
}
