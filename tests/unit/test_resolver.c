// SPDX-License-Identifier: BSD-3-Clause
// The miss path from ring to ring: a real resolver on its own thread, scripted upstream servers,
// and this thread as the data plane.
#include "../../controlplane/resolver.h"
#include "fake_dataplane.h"
#include "fake_upstream.h"
#include "unit.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <weir/clock.h>
#include <weir/dns_proto.h>

static struct fake_upstream fake[2];
static struct fake_dataplane dp;
static struct fake_answer got;

struct fixture {
	char run[64];
	struct shm_paths paths;
	struct config config;
	struct publisher *publisher;
	struct loop *loop;
	struct resolver *resolver;
	pthread_t thread;
};
static struct fixture fx;

static void *run_loop(void *arg)
{
	return (void *)(intptr_t)loop_run(arg);
}

static void control_start(void)
{
	char why[SHM_WHY_MAX] = "";
	if (publisher_open(&fx.publisher, &fx.paths, &fx.config, why) < 0)
		fail_msg("publisher_open: %s", why);
	assert_int_equal(loop_new("test", &fx.loop), 0);
	if (resolver_open(&fx.resolver, fx.loop, fx.publisher, &fx.config, why) < 0)
		fail_msg("resolver_open: %s", why);
	assert_int_equal(pthread_create(&fx.thread, NULL, run_loop, fx.loop), 0);
}

static void control_stop(void)
{
	loop_stop(fx.loop);
	pthread_join(fx.thread, NULL);
	resolver_close(fx.resolver);
	publisher_close(fx.publisher);
	loop_free(fx.loop);
}

static void link_up_now(void)
{
	struct link_welcome welcome;
	assert_int_equal(fake_dataplane_link(&dp, &welcome), 0);
	assert_int_equal(welcome.cp_incarnation, publisher_incarnation(fx.publisher));
}

static int setup_with(unsigned inflight, unsigned waiters)
{
	char why[SHM_WHY_MAX] = "";
	memset(&fx, 0, sizeof(fx));
	snprintf(fx.run, sizeof(fx.run), "/tmp/weir-test-resolver-%d", getpid());
	if (shm_paths_init(&fx.paths, fx.run, "off", why) < 0)
		fail_msg("shm_paths_init: %s", why);
	fake_upstream_start(&fake[0]);
	fake_upstream_start(&fake[1]);
	struct config *c = &fx.config;
	c->cache.l0_mb = 4;
	c->cache.max_ttl_s = 86400;
	c->cache.negative_ttl_s = 3600;
	c->cache.stale_window_s = 3600;
	c->cache.stale_ttl_s = 30;
	c->limits.inflight = inflight;
	c->limits.waiters = waiters;
	c->limits.udp_reply_size = 1232;
	c->upstreams.count = 2;
	c->upstreams.first_timeout_ms = 400;
	c->upstreams.max_sends = 6;
	c->upstreams.backoff_s = 30;
	for (unsigned i = 0; i < 2; i++) {
		char text[SOCKET_ADDRESS_TEXT_MAX];
		snprintf(text, sizeof(text), "127.0.0.1:%u", fake[i].port);
		assert_int_equal(
			socket_address_parse(text, 53, &c->upstreams.server[i].address), 0);
	}
	control_start();
	fake_dataplane_open(&dp, &fx.paths, 2);
	link_up_now();
	return 0;
}

static int setup(void **state)
{
	(void)state;
	return setup_with(4096, 1024);
}

static int setup_small(void **state)
{
	(void)state;
	return setup_with(16, 8);
}

static int teardown(void **state)
{
	char command[256];
	(void)state;
	fake_dataplane_close(&dp);
	control_stop();
	fake_upstream_stop(&fake[0]);
	fake_upstream_stop(&fake[1]);
	snprintf(command, sizeof(command), "rm -rf '%.100s' '%.100s'", fx.paths.run, fx.paths.mem);
	return system(command);
}

struct status_wait {
	_Atomic bool there;
	struct resolver_status s;
};

static void on_status(void *arg, const struct resolver_status *s)
{
	struct status_wait *w = arg;
	w->s = *s;
	w->there = true;
}

static struct resolver_status status(void)
{
	static struct status_wait w;
	w.there = false;
	assert_int_equal(resolver_status(fx.resolver, fx.loop, on_status, &w), 0);
	for (unsigned i = 0; i < 2000 && !w.there; i++)
		usleep(1000);
	assert_true(w.there);
	return w.s;
}

static void ask(const char *name, uint16_t id)
{
	const struct fake_miss m = {.name = name, .type = DNS_TYPE_A, .id = id, .has_opt = true};
	assert_true(fake_dataplane_ask(&dp, &m));
	fake_dataplane_ring(&dp);
}

static void expect_answer(unsigned wait_ms, uint16_t id, unsigned rcode, enum answer_kind kind)
{
	if (!fake_dataplane_answer(&dp, &got, wait_ms))
		fail_msg("no answer in %u ms", wait_ms);
	assert_int_equal(get_u16(got.dns), id);
	assert_int_equal(get_u16(got.dns + 2) & DNS_FLAG_RCODE, rcode);
	assert_true(get_u16(got.dns + 2) & DNS_FLAG_QR);
	assert_int_equal(got.head.verdict, kind);
}

// Extended DNS Error of `got`, whose OPT is its last record; -1: none.
static int ede_of_answer(void)
{
	const uint8_t *end = got.dns + got.head.dns_len;
	for (const uint8_t *p = got.dns + DNS_HEADER_LEN; p + 6 <= end; p++)
		if (get_u16(p) == DNS_EDNS_OPTION_EDE && get_u16(p + 2) >= 2
			&& p + 4 + get_u16(p + 2) == end)
			return get_u16(p + 4);
	return -1;
}

static void test_a_miss_is_resolved_stored_and_answered(void **state)
{
	(void)state;
	ask("WwW.Example", 77);
	expect_answer(1000, 77, 0, ANSWER_UPSTREAM);
	assert_memory_equal(got.dns + DNS_HEADER_LEN, "\3WwW\7Example\0\0\1\0\1", 17);
	assert_int_equal(get_u16(got.dns + 6), 1);
	ask("www.exAMPLE", 78); // as a worker that has not seen it yet
	expect_answer(1000, 78, 0, ANSWER_CACHED);
	assert_memory_equal(got.dns + DNS_HEADER_LEN, "\3www\7exAMPLE\0\0\1\0\1", 17);
	struct resolver_status s = status();
	assert_int_equal(s.upstream_sent, 1);
	assert_int_equal(s.stored, 1);
	assert_int_equal(s.l0.entries, 1);
	assert_int_equal(s.link_up, 1);
	assert_int_equal(s.lanes, 2);
}

static void test_ten_thousand_clients_one_upstream_packet(void **state)
{
	unsigned sent = 0, answered = 0;
	(void)state;
	fake[0].delay_ms = 300;
	for (unsigned i = 0; i < 10000; i++) {
		const struct fake_miss m = {.name = i % 2 ? "hot.example" : "HOT.example",
			.type = DNS_TYPE_A,
			.id = (uint16_t)i,
			.client_port = (uint16_t)i,
			.lane = i % 2};
		while (!fake_dataplane_ask(&dp, &m)) {
			fake_dataplane_ring(&dp);
			usleep(500);
		}
		sent++;
		if (i % 32 == 0)
			fake_dataplane_ring(&dp);
	}
	fake_dataplane_ring(&dp);
	while (fake_dataplane_answer(&dp, &got, 500)) {
		answered++;
		assert_int_equal(get_u16(got.dns), got.head.path.client_udp);
		assert_int_equal(got.dns[DNS_HEADER_LEN + 1], got.head.path.worker ? 'h' : 'H');
	}
	assert_int_equal(sent, 10000);
	assert_int_equal(fake[0].udp_queries + fake[1].udp_queries, 1);
	struct resolver_status s = status();
	assert_int_equal(s.upstream_sent, 1);
	assert_true(answered >= 1024);
	assert_int_equal(s.answered, answered);
	assert_int_equal(s.answered + s.refused_waiters + s.answer_ring_full, 10000);
	assert_int_equal(s.inflight, 0);
	assert_int_equal(s.waiters, 0);
}

static void test_failures_are_remembered(void **state)
{
	(void)state;
	fake[0].mode = FAKE_SERVFAIL;
	fake[1].mode = FAKE_REFUSED;
	ask("bad.example", 1);
	expect_answer(1000, 1, DNS_RCODE_SERVFAIL, ANSWER_SERVFAIL);
	assert_int_equal(ede_of_answer(), DNS_EDE_NO_REACHABLE_AUTHORITY);
	unsigned before = fake[0].udp_queries + fake[1].udp_queries;
	assert_int_equal(before, 2);
	for (uint16_t i = 0; i < 50; i++) {
		ask("bad.example", i);
		expect_answer(1000, i, DNS_RCODE_SERVFAIL, ANSWER_SERVFAIL);
		assert_int_equal(ede_of_answer(), DNS_EDE_CACHED_ERROR);
	}
	assert_int_equal(fake[0].udp_queries + fake[1].udp_queries, before);
	fake[0].mode = FAKE_ANSWER;
	usleep(1050000);
	ask("bad.example", 9);
	expect_answer(1000, 9, 0, ANSWER_UPSTREAM);
}

static void test_servfail_goes_to_the_next_server(void **state)
{
	(void)state;
	fake[0].mode = FAKE_SERVFAIL;
	ask("next.example", 5);
	expect_answer(1000, 5, 0, ANSWER_UPSTREAM);
	assert_int_equal(fake[1].udp_queries, 1);
}

static void test_all_dead_is_servfail_at_1900_ms_and_late_answers_fill(void **state)
{
	uint64_t start = clock_mono_ms();
	(void)state;
	fake[0].mode = fake[1].mode = FAKE_SILENT;
	ask("dead.example", 3);
	expect_answer(2500, 3, DNS_RCODE_SERVFAIL, ANSWER_SERVFAIL);
	assert_in_range(clock_mono_ms() - start, 1850, 2100);
	assert_int_equal(ede_of_answer(), DNS_EDE_NO_REACHABLE_AUTHORITY);
	ask("dead.example", 4); // still being asked: an answer at once
	expect_answer(300, 4, DNS_RCODE_SERVFAIL, ANSWER_SERVFAIL);
	// Servers come back within the question's life: the next query of it fills the cache.
	fake[0].mode = fake[1].mode = FAKE_ANSWER;
	for (unsigned i = 0; i < 300 && status().stored == 0; i++)
		usleep(10000);
	assert_int_equal(status().stored, 1);
	ask("dead.example", 5);
	expect_answer(300, 5, 0, ANSWER_CACHED);
}

static void test_stale_at_1800_ms_then_held(void **state)
{
	(void)state;
	fake[0].ttl_s = 1;
	ask("old.example", 1);
	expect_answer(1000, 1, 0, ANSWER_UPSTREAM);
	usleep(1050000); // past soft expiry
	fake[0].mode = fake[1].mode = FAKE_SILENT;
	uint64_t start = clock_mono_ms();
	ask("old.example", 2);
	expect_answer(2500, 2, 0, ANSWER_STALE);
	assert_in_range(clock_mono_ms() - start, 1750, 2000);
	assert_int_equal(ede_of_answer(), DNS_EDE_STALE_ANSWER);
	// The TTL is the stale one; the record follows the question: pointer, type, class, TTL.
	const uint8_t *record = got.dns + DNS_HEADER_LEN + 13 + 4;
	assert_int_equal(get_u32(record + 6), 30);
	ask("old.example", 3);
	expect_answer(300, 3, 0, ANSWER_STALE);
	ask("old.example", 4); // and from a worker that asks again all the same
	expect_answer(300, 4, 0, ANSWER_STALE);
}

static void test_failing_upstreams_give_stale_at_once(void **state)
{
	(void)state;
	fake[0].ttl_s = 1;
	ask("old.example", 1);
	expect_answer(1000, 1, 0, ANSWER_UPSTREAM);
	usleep(1050000);
	fake[0].mode = fake[1].mode = FAKE_SERVFAIL;
	ask("old.example", 2);
	expect_answer(500, 2, 0, ANSWER_STALE);
	assert_int_equal(status().servfail, 0);
}

static void test_inflight_and_waiters_are_capped(void **state)
{
	unsigned refused = 0;
	(void)state;
	fake[0].mode = fake[1].mode = FAKE_SILENT;
	for (unsigned i = 0; i < 40; i++) {
		char name[32];
		snprintf(name, sizeof(name), "n%u.example", i);
		ask(name, (uint16_t)i);
	}
	for (; refused < 24; refused++) { // 16 fit, the others are told at once
		if (!fake_dataplane_answer(&dp, &got, 500))
			break;
		assert_int_equal(get_u16(got.dns + 2) & DNS_FLAG_RCODE, DNS_RCODE_SERVFAIL);
	}
	assert_int_equal(refused, 24);
	for (unsigned i = 0; i < 20; i++)
		ask("n1.example", (uint16_t)i); // 8 may wait, one does
	struct resolver_status s = status();
	for (unsigned i = 0; i < 100 && s.refused_waiters < 13; i++) {
		usleep(5000);
		s = status();
	}
	assert_int_equal(s.inflight, 16);
	assert_int_equal(s.refused_inflight, 24);
	assert_int_equal(s.refused_waiters, 13);
	assert_int_equal(s.waiters, 16 + 7);
	assert_int_equal(s.inflight_cap, 16);
}

static void test_refresh_has_no_waiter_and_late_misses_no_answer(void **state)
{
	(void)state;
	const struct fake_miss refresh = {
		.name = "re.example", .type = DNS_TYPE_A, .refresh = true};
	assert_true(fake_dataplane_ask(&dp, &refresh));
	const struct fake_miss late = {.name = "late.example", .type = DNS_TYPE_A, .age_ms = 2500};
	assert_true(fake_dataplane_ask(&dp, &late));
	fake_dataplane_ring(&dp);
	assert_false(fake_dataplane_answer(&dp, &got, 300));
	struct resolver_status s = status();
	assert_int_equal(s.refreshes, 1);
	assert_int_equal(s.stored, 1);
	assert_int_equal(s.late, 1);
}

static void test_hostile_misses_are_counted(void **state)
{
	(void)state;
	struct fake_miss m = {.name = "x.example", .type = DNS_TYPE_AXFR};
	assert_true(fake_dataplane_ask(&dp, &m));
	uint64_t right = dp.incarnation;
	dp.incarnation++; // another life's message
	m.type = DNS_TYPE_A;
	assert_true(fake_dataplane_ask(&dp, &m));
	dp.incarnation = right;
	uint8_t *junk = ring_reserve(&dp.misses[0], MSG_MISS, 20);
	assert_non_null(junk);
	memset(junk, 0xff, 20);
	ring_publish(&dp.misses[0]);
	fake_dataplane_ring(&dp);
	ask("good.example", 6);
	expect_answer(1000, 6, 0, ANSWER_UPSTREAM);
	struct resolver_status s = status();
	assert_int_equal(s.bad_misses, 1);
	assert_int_equal(s.foreign_messages, 2);
}

static void test_second_data_plane_is_refused_and_a_death_is_noticed(void **state)
{
	struct link_welcome welcome;
	struct fake_dataplane second = dp;
	(void)state;
	assert_int_equal(fake_dataplane_link(&second, &welcome), -EBUSY);
	close(second.link_fd);
	fake_dataplane_close(&dp);
	for (unsigned i = 0; i < 200 && status().lanes != 0; i++)
		usleep(5000);
	assert_int_equal(status().lanes, 0);
	assert_null(publisher_epoch(fx.publisher)->seen[0]);
	fake_dataplane_open(&dp, &fx.paths, 2);
	link_up_now();
	ask("again.example", 2);
	expect_answer(1000, 2, 0, ANSWER_UPSTREAM);
}

static void test_a_restart_serves_warm(void **state)
{
	(void)state;
	ask("warm.example", 1);
	expect_answer(1000, 1, 0, ANSWER_UPSTREAM);
	uint64_t before = publisher_incarnation(fx.publisher);
	control_stop();
	close(dp.link_fd);
	control_start();
	assert_int_not_equal(publisher_incarnation(fx.publisher), before);
	link_up_now();
	ask("warm.example", 2);
	expect_answer(1000, 2, 0, ANSWER_CACHED);
	assert_int_equal(fake[0].udp_queries, 1);
	assert_int_equal(status().l0.recovered, 1);
}

struct cache_wait {
	_Atomic bool there;
	unsigned count;
	uint64_t deleted;
	struct cache_entry first;
};

static void on_entries(void *arg, const struct cache_entry *entries, unsigned count)
{
	struct cache_wait *w = arg;
	w->count = count;
	if (count)
		w->first = entries[0];
	w->there = true;
}

static void on_flushed(void *arg, uint64_t deleted)
{
	struct cache_wait *w = arg;
	w->deleted = deleted;
	w->there = true;
}

static void wait_for(struct cache_wait *w)
{
	for (unsigned i = 0; i < 2000 && !w->there; i++)
		usleep(1000);
	assert_true(w->there);
	w->there = false;
}

static void test_cache_is_looked_at_and_flushed(void **state)
{
	static struct cache_wait w;
	struct dns_name name, above;
	(void)state;
	assert_int_equal(dns_name_from_text("a.look.example", 14, &name), 0);
	assert_int_equal(dns_name_from_text("look.example", 12, &above), 0);
	ask("a.look.example", 1);
	expect_answer(1000, 1, 0, ANSWER_UPSTREAM);
	assert_int_equal(resolver_cache_get(fx.resolver, &name, fx.loop, on_entries, &w), 0);
	wait_for(&w);
	assert_int_equal(w.count, 1);
	assert_int_equal(w.first.qtype, DNS_TYPE_A);
	assert_int_equal(w.first.ancount, 1);
	assert_in_range(w.first.soft_left_ms, 290000, 300000);
	assert_int_equal(w.first.answer_len, w.first.message_len);
	assert_int_equal(
		resolver_cache_flush(fx.resolver, &above, false, fx.loop, on_flushed, &w), 0);
	wait_for(&w);
	assert_int_equal(w.deleted, 0);
	assert_int_equal(
		resolver_cache_flush(fx.resolver, &above, true, fx.loop, on_flushed, &w), 0);
	wait_for(&w);
	assert_int_equal(w.deleted, 1);
}

static void test_every_table_is_registered(void **state)
{
	static const char *const expected[] = {"l0", "names", "inflight", "waiters", "failures"};
	(void)state;
	struct resolver_status s = status();
	assert_int_equal(s.tables.count, ARRAY_LEN(expected));
	for (unsigned i = 0; i < ARRAY_LEN(expected); i++) {
		const struct table_info *t = &s.tables.table[i];
		assert_string_equal(t->name, expected[i]);
		assert_true(t->cap > 0 && t->used <= t->cap);
		assert_true(t->owner && t->eviction && t->lifetime);
	}
}

#define T(name)       cmocka_unit_test_setup_teardown(name, setup, teardown)
#define T_SMALL(name) cmocka_unit_test_setup_teardown(name, setup_small, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_a_miss_is_resolved_stored_and_answered),
		T(test_ten_thousand_clients_one_upstream_packet),
		T(test_failures_are_remembered),
		T(test_servfail_goes_to_the_next_server),
		T(test_all_dead_is_servfail_at_1900_ms_and_late_answers_fill),
		T(test_stale_at_1800_ms_then_held),
		T(test_failing_upstreams_give_stale_at_once),
		T_SMALL(test_inflight_and_waiters_are_capped),
		T(test_refresh_has_no_waiter_and_late_misses_no_answer),
		T(test_hostile_misses_are_counted),
		T(test_second_data_plane_is_refused_and_a_death_is_noticed),
		T(test_a_restart_serves_warm),
		T(test_cache_is_looked_at_and_flushed),
		T(test_every_table_is_registered),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
