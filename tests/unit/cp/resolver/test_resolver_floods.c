// SPDX-License-Identifier: BSD-3-Clause
// Floods of misses: what a zone or a client may have, and what is left for others.
#include "controlplane/bounds/bounds.h"
#include "resolver_rig.h"

static void set_limits(unsigned questions, unsigned zone, unsigned client)
{
	rig.config.limits.inflight = questions;
	rig.config.limits.zone_inflight = zone;
	rig.config.limits.client_waiters = client;
	rig_reload();
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
		const char *name = text_from("r%u.%s", ++serial, below);
		ask_as(name, (uint16_t)i, 0x1000 + serial);
	}
	fake_dataplane_ring(&dp);
}

// The next `count` answers are SERVFAIL because of that bound; BOUND_none: nobody answered in time.
static void expect_refused(unsigned count, unsigned wait_ms, enum bound met)
{
	const char *text = met == BOUND_none ? "" : bound_text(met);
	const size_t len = strlen(text);
	for (unsigned i = 0; i < count; i++) {
		assert_true(fake_dataplane_answer(&dp, &got, wait_ms));
		assert_int_equal(get_u16(got.dns + 2) & DNS_FLAG_RCODE, DNS_RCODE_SERVFAIL);
		assert_int_equal(ede_of_answer(),
			met == BOUND_none ? DNS_EDE_NO_REACHABLE_AUTHORITY : DNS_EDE_OTHER);
		assert_memory_equal(got.dns + got.head.dns_len - len, text, len);
	}
}

TEST_WITH(test_water_torture_leaves_other_zones, rig_setup, rig_teardown)
{
	fake[0].silent_below = fake[1].silent_below = "victim.co.uk";
	set_limits(4096, 16, 0);
	flood("victim.co.uk", 1000);
	expect_refused(984, 1000, BOUND_zone);
	// Also while it goes on, and for who has the same suffix.
	for (unsigned i = 0; i < 20; i++) {
		const char *name = text_from("www.site%u.%s", i, i % 2 ? "co.uk" : "example");
		flood("victim.co.uk", 20);
		expect_refused(20, 1000, BOUND_zone);
		ask(name, (uint16_t)(500 + i));
		expect_answer((uint16_t)(500 + i), 0, ANSWER_UPSTREAM);
	}
	struct resolver_status s = status();
	assert_int_equal(s.refused_zone, 984 + 400);
	assert_string_equal(s.met_bounds.met[0].who, "victim.co.uk");
	assert_int_equal(s.met_bounds.met[0].bound, BOUND_zone);
	assert_int_equal(s.met_bounds.met[0].count, 984 + 400);
	assert_int_equal(s.refused_inflight, 0);
	assert_int_equal(s.inflight, 16);
	assert_true(s.inflight_max <= 17);
	// Each of the 16 is sent max_sends times at most, whatever was asked.
	assert_true(s.upstream_sent <= 16 * 6 + 20);
}

// Answers that an upstream held back, let go all at once: no more than one client may wait for.
TEST_WITH(test_a_forged_client_gets_few_answers, rig_setup, rig_teardown)
{
	set_limits(4096, 0, 8);
	fake[0].delay_ms = fake[1].delay_ms = 300;
	for (unsigned i = 0; i < 200; i++) {
		ask_as(text_from("n%u.bomb%u.example", i, i), (uint16_t)i, 7);
	}
	ask_as("other.example", 999, 8);
	fake_dataplane_ring(&dp);
	expect_refused(192, 250, BOUND_client);
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
	assert_string_equal(status().met_bounds.met[0].who, "7.0.0.0");
	// It has its answers, so it may ask again.
	ask_as("again.example", 1000, 7);
	fake_dataplane_ring(&dp);
	expect_answer(1000, 0, ANSWER_UPSTREAM);
}

// An answer that comes when its clients have given up is kept and not sent.
TEST_WITH(test_no_answer_after_its_time, rig_setup, rig_teardown)
{
	fake[0].delay_ms = fake[1].delay_ms = 2300;
	fails("slow.example", 1);
	WAIT_FOR(status().stored > 0);
	assert_int_equal(status().stored, 1);
	assert_false(fake_dataplane_answer(&dp, &got, 200));
}

// The table full of what nobody answers: when the clients have been told, the places are free.
TEST_WITH(test_a_full_table_is_not_full_for_long, rig_setup, rig_teardown)
{
	fake[0].silent_below = fake[1].silent_below = "dead";
	set_limits(64, 0, 0);
	uint64_t start_ms = clock_mono_ms();
	flood("dead", 100);
	expect_refused(36, 1000, BOUND_inflight);
	expect_refused(64, 5000, BOUND_none);
	assert_true(clock_mono_ms() - start_ms >= 1850);
	WAIT_FOR(status().cut_short >= 32);
	struct resolver_status s = status();
	assert_true(s.cut_short >= 32);
	assert_true(s.inflight <= 32);
	assert_int_equal(s.refused_inflight, 36);
	resolves("www.example", 7, ANSWER_UPSTREAM);
}

// Each name another registrable domain: a quarter is left for other suffixes.
TEST_WITH(test_a_suffix_is_named, rig_setup, rig_teardown)
{
	fake[0].mode = fake[1].mode = FAKE_SILENT;
	set_limits(16, 8, 0);
	flood("com", 14);
	expect_refused(2, 1000, BOUND_suffix);
	assert_int_equal(status().refused_suffix, 2);
	assert_string_equal(status().met_bounds.met[0].who, "com");
	assert_int_equal(status().refused_zone, 0);
}

// A company's own servers that do not answer: its public names are resolved all the same.
TEST_WITH(test_silent_servers_take_no_other_share, rig_setup, rig_teardown)
{
	struct config_upstream own = rig.config.upstreams.server[1];
	struct config_forward_zone zone = {.server_count = 1, .servers = &own};
	assert_int_equal(dns_name_from_text("corp.site.example", 17, &zone.name), 0);
	rig.config.forwards = &zone;
	rig.config.forward_count = 1;
	rig.config.upstreams.count = 1;
	fake[1].mode = FAKE_SILENT;
	set_limits(4096, 8, 0);
	flood("corp.site.example", 12);
	expect_refused(4, 1000, BOUND_zone);
	flood("site.example", 1);
	assert_true(fake_dataplane_answer(&dp, &got, 1000));
	assert_int_equal(got.head.verdict, ANSWER_UPSTREAM);
	assert_int_equal(status().refused_zone, 4);
	rig.config.forward_count = 0;
	set_limits(4096, 8, 0);
}

// So that the watch after a change knows whose answers are bad. What an operator turned off is no
// failure.
TEST_WITH(test_answers_count_for_their_client, rig_setup, rig_teardown)
{
	const uint32_t one = 0x0100007f, other = 0x0200007f;
	const unsigned of_one = client_crowd(4, (const uint8_t *)&one),
		       of_other = client_crowd(4, (const uint8_t *)&other);
	assert_int_not_equal(of_one, of_other);
	ask_as("www.good.example", 1, one);
	fake_dataplane_ring(&dp);
	expect_answer(1, 0, ANSWER_UPSTREAM);
	fake[0].mode = fake[1].mode = FAKE_SERVFAIL;
	ask_as("www.bad.example", 2, other);
	fake_dataplane_ring(&dp);
	expect_answer(2, DNS_RCODE_SERVFAIL, ANSWER_SERVFAIL);
	rig.config.resolver_off = true;
	rig_reload();
	ask_as("www.off.example", 3, one);
	fake_dataplane_ring(&dp);
	expect_answer(3, DNS_RCODE_SERVFAIL, ANSWER_SERVFAIL);
	const struct resolver_status s = status();
	assert_int_equal(s.clients.good[of_one], 1);
	assert_int_equal(s.clients.failed[of_one], 0);
	assert_int_equal(s.clients.good[of_other], 0);
	assert_int_equal(s.clients.failed[of_other], 1);
}
