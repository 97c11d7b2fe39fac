// SPDX-License-Identifier: BSD-3-Clause
// Floods of misses: what a zone or a client may have, and what is left for others.
#include "resolver_rig.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <weir/clock.h>
#include <weir/dns_proto.h>

static void reconfigure(void *)
{
	assert_int_equal(resolver_reconfigure(rig.resolver, &rig.config), 0);
}

static void set_limits(unsigned questions, unsigned zone, unsigned client)
{
	rig.config.limits.inflight = questions;
	rig.config.limits.zone_inflight = zone;
	rig.config.limits.client_waiters = client;
	on_loop(reconfigure, NULL);
}

static void ask_as(const char *name, uint16_t id, uint32_t client)
{
	const struct fake_miss m = {
		.name = name, .type = DNS_TYPE_A, .id = id, .has_opt = true, .client = client};
	assert_true(fake_dataplane_ask(&dp, &m));
}

// `count` names below a zone, each from another client.
static void flood(const char *below, unsigned count)
{
	static unsigned serial;
	for (unsigned i = 0; i < count; i++) {
		char name[96];
		snprintf(name, sizeof(name), "r%u.%s", ++serial, below);
		ask_as(name, (uint16_t)i, 0x1000 + serial);
	}
	fake_dataplane_ring(&dp);
}

// The next `count` answers are SERVFAIL with that EDE.
static void expect_refused(unsigned count, unsigned wait_ms, int ede)
{
	for (unsigned i = 0; i < count; i++) {
		assert_true(fake_dataplane_answer(&dp, &got, wait_ms));
		assert_int_equal(get_u16(got.dns + 2) & DNS_FLAG_RCODE, DNS_RCODE_SERVFAIL);
		assert_int_equal(ede_of_answer(), ede);
	}
}

static void test_water_torture_leaves_other_zones(void **)
{
	fake[0].silent_below = fake[1].silent_below = "victim.co.uk";
	set_limits(4096, 16, 0);
	flood("victim.co.uk", 1000);
	expect_refused(984, 1000, DNS_EDE_NO_REACHABLE_AUTHORITY);
	// Also while it goes on, and for who has the same suffix.
	for (unsigned i = 0; i < 20; i++) {
		char name[64];
		snprintf(name, sizeof(name), "www.site%u.%s", i, i % 2 ? "co.uk" : "example");
		flood("victim.co.uk", 20);
		expect_refused(20, 1000, DNS_EDE_NO_REACHABLE_AUTHORITY);
		ask(name, (uint16_t)(500 + i));
		expect_answer(1000, (uint16_t)(500 + i), 0, ANSWER_UPSTREAM);
	}
	struct resolver_status s = status();
	assert_int_equal(s.refused_zone, 984 + 400);
	assert_int_equal(s.refused_inflight, 0);
	assert_int_equal(s.inflight, 16);
	assert_true(s.inflight_max <= 17);
	// Each of the 16 is sent max_sends times at most, whatever was asked.
	assert_true(s.upstream_sent <= 16 * 6 + 20);
}

// Answers that an upstream held back, let go all at once: no more than one client may wait for.
static void test_a_forged_client_gets_few_answers(void **)
{
	set_limits(4096, 0, 8);
	fake[0].delay_ms = fake[1].delay_ms = 300;
	for (unsigned i = 0; i < 200; i++) {
		char name[64];
		snprintf(name, sizeof(name), "n%u.bomb%u.example", i, i);
		ask_as(name, (uint16_t)i, 7);
	}
	ask_as("other.example", 999, 8);
	fake_dataplane_ring(&dp);
	expect_refused(192, 250, DNS_EDE_OTHER);
	unsigned to_victim = 0, to_other = 0;
	while (fake_dataplane_answer(&dp, &got, 3000)) {
		assert_int_equal(get_u16(got.dns + 2) & DNS_FLAG_RCODE, 0);
		to_victim += got.head.path.client_ip[0] == 7;
		to_other += got.head.path.client_ip[0] == 8;
		if (to_victim + to_other == 9)
			break;
	}
	assert_int_equal(to_victim, 8);
	assert_int_equal(to_other, 1);
	assert_int_equal(status().refused_client, 192);
	// It has its answers, so it may ask again.
	ask_as("again.example", 1000, 7);
	fake_dataplane_ring(&dp);
	expect_answer(2000, 1000, 0, ANSWER_UPSTREAM);
}

// An answer that comes when its clients have given up is kept and not sent.
static void test_no_answer_after_its_time(void **)
{
	fake[0].delay_ms = fake[1].delay_ms = 2300;
	ask("slow.example", 1);
	expect_answer(2500, 1, DNS_RCODE_SERVFAIL, ANSWER_SERVFAIL);
	for (unsigned i = 0; i < 300 && status().stored == 0; i++)
		usleep(10000);
	assert_int_equal(status().stored, 1);
	assert_false(fake_dataplane_answer(&dp, &got, 200));
}

// The table full of what nobody answers: when the clients have been told, the places are free.
static void test_a_full_table_is_not_full_for_long(void **)
{
	fake[0].silent_below = fake[1].silent_below = "dead";
	set_limits(64, 0, 0);
	uint64_t start_ms = clock_mono_ms();
	flood("dead", 100);
	expect_refused(36, 1000, DNS_EDE_NO_REACHABLE_AUTHORITY);
	expect_refused(64, 5000, DNS_EDE_NO_REACHABLE_AUTHORITY);
	assert_true(clock_mono_ms() - start_ms >= 1850);
	for (unsigned i = 0; i < 300 && status().cut_short < 32; i++)
		usleep(10000);
	struct resolver_status s = status();
	assert_true(s.cut_short >= 32);
	assert_true(s.inflight <= 32);
	assert_int_equal(s.refused_inflight, 36);
	ask("www.example", 7);
	expect_answer(1000, 7, 0, ANSWER_UPSTREAM);
}

#define T(name) cmocka_unit_test_setup_teardown(name, rig_setup, rig_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_water_torture_leaves_other_zones),
		T(test_a_forged_client_gets_few_answers),
		T(test_no_answer_after_its_time),
		T(test_a_full_table_is_not_full_for_long),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
