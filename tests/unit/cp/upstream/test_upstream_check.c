// SPDX-License-Identifier: BSD-3-Clause
// Checks of servers, and races between two.

#include "controlplane/upstream/upstream_internal.h"
#include "tests/unit/clock_still.h"
#include "tests/unit/unit.h"
#include "upstream_rig.h"

#include <event2/event.h>

#define CHECK_NAME "check.example"

static void use_checks(enum upstream_check_mode mode)
{
	fx.config.check = mode;
	fx.config.check_interval_s = 1;
	fx.config.check_type = DNS_TYPE_A;
	CONFIGURE(check_name, name_of_text(CHECK_NAME));
}

// One wait in all, by whichever client is the first; the server is back as soon as a check says so.
TEST_WITH(test_a_dead_first_server_costs_one_wait, rig_setup, rig_teardown)
{
	use_checks(UPSTREAM_CHECK_DOWN);
	fake[0].mode = FAKE_SILENT;
	ask(2000);
	assert_in_range(fx.took_ms, 50, 200);
	for (unsigned i = 0; i < 100; i++) {
		ANSWERED(2000);
		assert_true(fx.took_ms < 50);
		run_for(100);
	}
	assert_int_equal(status(0).sent, 1);
	assert_int_equal(status(0).timeouts, 1);
	assert_false(status(0).up);
	assert_int_equal(status(0).down_for_ms, 0);
	// 10 s: one at once, then one each 0.875 to 1.125 s.
	assert_in_range(status(0).checks, 8, 13);
	assert_int_equal(fake[0].udp_queries, 1 + status(0).checks);
	assert_string_equal(fake[0].last_name, CHECK_NAME);
	fake[0].mode = FAKE_ANSWER;
	run_for(2200);
	assert_true(status(0).up && !status(0).suspect);
	ask(2000);
	assert_int_equal(status(0).answered, 1);
	assert_int_equal(status(1).checks, 0);
}

// A lost packet makes others come first for as long as a round trip.
TEST_WITH(test_a_lost_packet_is_soon_forgotten, rig_setup, rig_teardown)
{
	fx.config.first_timeout_ms = 100;
	use_checks(UPSTREAM_CHECK_DOWN);
	fake[0].silent_below = "www.example";
	fake[1].silent_below = "www.example";
	UNANSWERED(1000);
	assert_true(status(0).checks > 0 && status(0).checks_failed == 0);
	fake[0].silent_below = fake[1].silent_below = NULL;
	assert_true(status(0).up && !status(0).suspect);
	unsigned before = fake[0].udp_queries;
	ask(1000);
	assert_int_equal(fake[0].udp_queries, before + 1);
}

static void ask_other_zone(void)
{
	fx.zone++;
	ANSWERED(2000);
}

// A resolver whose own uplink is dead answers checks from its cache.
TEST_WITH(test_answered_checks_do_not_excuse_silence, rig_setup, rig_teardown)
{
	use_checks(UPSTREAM_CHECK_DOWN);
	fake[0].answers_only = CHECK_NAME;
	for (unsigned i = 0; i < 10; i++) {
		ask_other_zone();
		run_for(1500);
	}
	assert_int_equal(status(0).timeouts, UPSTREAM_STRIKES);
	assert_true(status(0).checks > 0 && status(0).checks_failed == 0);
	assert_false(status(0).up);
	run_for(fx.config.backoff_s * 1000ull);
	ANSWERED(2000); // one question finds out, and the next one does not wait
	ANSWERED(2000);
	assert_int_equal(status(0).timeouts, UPSTREAM_STRIKES + 1);
	assert_false(status(0).up);
	fake[0].answers_only = NULL;
	run_for(fx.config.backoff_s * 1000ull);
	ask(2000);
	assert_true(status(0).up);
	assert_int_equal(status(0).timeouts, UPSTREAM_STRIKES + 1);
}

// Names whose authorities are silent: nobody answers them, or they are those of one zone.
TEST_WITH(test_silent_names_put_nobody_down, rig_setup, rig_teardown)
{
	use_checks(UPSTREAM_CHECK_DOWN);
	fake[0].answers_only = fake[1].answers_only = CHECK_NAME;
	for (unsigned i = 0; i < 2 * UPSTREAM_STRIKES; i++) {
		fx.zone++;
		UNANSWERED(700);
		run_for(200); // of the network's quiet
		assert_true(status(0).up && status(1).up);
	}
	fake[1].answers_only = NULL;
	for (unsigned i = 0; i < 2 * UPSTREAM_STRIKES; i++) {
		ANSWERED(2000);
		run_for(200);
		assert_true(status(0).up && !status(0).suspect);
	}
	assert_int_equal(status(0).checks_failed + status(1).checks_failed, 0);
	fake[0].answers_only = NULL;
	const unsigned before = fake[0].udp_queries;
	ANSWERED(2000);
	assert_int_equal(fake[0].udp_queries, before + 1);
}

// Without checks a zone counts once, for who leaves what nobody answers.
TEST_WITH(test_one_silent_zone_puts_nobody_down, rig_setup, rig_teardown)
{
	use_checks(UPSTREAM_CHECK_OFF);
	fake[0].answers_only = fake[1].answers_only = CHECK_NAME;
	for (unsigned i = 0; i < 2 * UPSTREAM_STRIKES; i++) {
		UNANSWERED(700);
		assert_true(status(0).up && status(1).up);
	}
	for (unsigned i = 1; i < UPSTREAM_STRIKES; i++) {
		fx.zone++;
		UNANSWERED(700);
	}
	assert_false(status(0).up || status(1).up);
}

// Many questions wait for the servers when they die; a check brings them back all the same.
TEST_WITH(test_a_check_brings_back_what_left_many_unanswered, rig_setup, rig_teardown)
{
	use_checks(UPSTREAM_CHECK_DOWN);
	fake[0].mode = fake[1].mode = FAKE_SILENT;
	for (unsigned i = 0; i < UPSTREAM_DOWN_AFTER; i++) {
		UNANSWERED(700); // ends before a check fails
	}
	run_for(2500);
	assert_true(status(0).checks_failed > 0);
	assert_false(status(0).up);
	fake[0].mode = fake[1].mode = FAKE_ANSWER;
	run_for(2200); // shorter than the back-off
	assert_true(status(0).up && !status(0).suspect);
	assert_int_equal(status(0).answered, 0);
}

TEST_WITH(test_all_are_checked_without_clients, rig_setup, rig_teardown)
{
	use_checks(UPSTREAM_CHECK_ALL);
	fake[0].mode = FAKE_SILENT;
	fake[1].mode = FAKE_REFUSED; // is there
	run_for(6500);
	assert_false(status(0).up);
	assert_true(status(1).up && !status(1).suspect);
	assert_true(status(1).srtt_us > 0);
	assert_in_range(status(1).checks, 5, 8);
	assert_int_equal(status(1).checks_failed, 0);
	assert_int_equal(status(0).sent + status(1).sent + status(1).answered, 0);
	assert_int_equal(status(1).failures + status(0).timeouts, 0);
	assert_int_equal(totals().sent + totals().replies, 0);
	ask(2000); // REFUSED, and the one that is down
	assert_int_equal(fake[1].udp_queries, 1 + status(1).checks);
}

// Two sets with the same servers send as many checks as one.
TEST_WITH(test_sets_share_the_checks, rig_setup, rig_teardown)
{
	struct upstreams *other;
	use_checks(UPSTREAM_CHECK_ALL);
	assert_int_equal(
		upstreams_new(&other, &(struct upstream_shared){.loop = fx.loop}, &fx.config), 0);
	fake[0].delay_ms = 700; // which the next timer of the other set falls into
	run_for(10000);
	assert_in_range(status(0).checks, 7, 12);
	assert_in_range(status(1).checks, 7, 12);
	assert_int_equal(fake[1].udp_queries, status(1).checks);
	fake[0].mode = FAKE_SILENT;
	run_for(1000);
	upstreams_free(other); // perhaps with one under way
	uint64_t before = status(0).checks;
	run_for(4000);
	assert_true(status(0).checks >= before + 2);
}

// Neither the timer nor a check of the long interval holds back those of the short one.
TEST_WITH(test_a_shorter_interval_holds_at_once, rig_setup, rig_teardown)
{
	fx.config.first_timeout_ms = 100;
	use_checks(UPSTREAM_CHECK_ALL);
	CONFIGURE(check_interval_s, 3600);
	fake[0].mode = FAKE_SILENT;
	ask(2000);
	run_for(3000);
	assert_int_equal(status(0).checks, 1); // as it left a query unanswered
	assert_int_equal(status(1).checks, 0);
	CONFIGURE(check_interval_s, 1);
	run_for(2500);
	assert_in_range(status(0).checks, 3, 4);
	assert_in_range(status(1).checks, 2, 3);
}

TEST_WITH(test_no_checks, rig_setup, rig_teardown)
{
	use_checks(UPSTREAM_CHECK_OFF);
	fake[0].mode = FAKE_SILENT;
	ask(2000);
	run_for(3000);
	assert_int_equal(status(0).checks, 0);
	assert_false(status(0).suspect);
	ask(2000);
	assert_int_equal(status(0).sent, 2);
}

static void use_race(void)
{
	fx.config.race = 2;
	configure_servers(3);
}

TEST_WITH(test_race_first_good_answer, rig_setup, rig_teardown)
{
	use_race();
	fake[0].delay_ms = 30;
	fake[0].address = 0xc0000207;
	ANSWERED(2000);
	assert_memory_equal(fx.first, "\300\0\2\1", 4); // of the second
	assert_true(fx.took_ms < 30);
	assert_int_equal(totals().sent, 2);
	assert_int_equal(fake[2].udp_queries, 0);
	assert_int_equal(status(0).timeouts, 0);
	assert_int_equal(fx.up->server[0].under_way, 0);
}

TEST_WITH(test_race_one_fails, rig_setup, rig_teardown)
{
	use_race();
	fake[0].mode = FAKE_SERVFAIL;
	fake[1].delay_ms = 40;
	ANSWERED(2000);
	assert_in_range(fx.took_ms, 40, 59); // nobody else was asked meanwhile
	assert_int_equal(totals().sent, 2);
	fake[1].mode = FAKE_SERVFAIL;
	ANSWERED(2000);
	assert_int_equal(totals().sent, 5);
	assert_int_equal(status(2).answered, 1);
}

TEST_WITH(test_race_both_are_silent, rig_setup, rig_teardown)
{
	use_race();
	fake[0].mode = fake[1].mode = FAKE_SILENT;
	ANSWERED(2000);
	assert_in_range(fx.took_ms, 60, 200);
	assert_int_equal(status(0).timeouts, 1);
	assert_int_equal(status(1).timeouts, 1);
	assert_int_equal(status(2).answered, 1);
	assert_int_equal(totals().sent, 3);
}

TEST_WITH(test_race_alone, rig_setup, rig_teardown)
{
	use_race();
	configure_servers(1);
	ANSWERED(2000);
	assert_int_equal(totals().sent, 1);
}
