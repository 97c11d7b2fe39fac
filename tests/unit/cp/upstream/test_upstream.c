// SPDX-License-Identifier: BSD-3-Clause
#include "controlplane/upstream/upstream_internal.h"
#include "tests/unit/clock_still.h"
#include "tests/unit/merge_fields.h"
#include "upstream_rig.h"

#include <event2/event.h>

TEST_WITH(test_one_query_one_reply, rig_setup, rig_teardown)
{
	ANSWERED(2000);
	assert_memory_equal(fx.first, "\300\0\2\1", 4);
	assert_int_equal(fake[0].udp_queries, 1);
	assert_int_equal(fake[1].udp_queries, 0);
	assert_int_equal(status(0).answered, 1);
	assert_int_equal(totals().replies, 1);
	assert_int_equal(totals().mismatched, 0);
	assert_true(status(0).srtt_us > 0);
	assert_true(status(0).up);
}

TEST_WITH(test_ports_ids_and_case_are_drawn_anew, rig_setup, rig_teardown)
{
	enum { SEEN = 200 };
	unsigned same_port = 0, same_id = 0, low = 0;
	for (unsigned i = 0; i < 2 * SEEN && fake[0].udp_queries < SEEN; i++)
		ask(2000);
	assert_true(fake[0].udp_queries >= SEEN);
	for (unsigned i = 0; i < SEEN; i++) {
		low += fake[0].source_port[i] < 1024;
		for (unsigned k = 0; k < i; k++) {
			same_port += fake[0].source_port[i] == fake[0].source_port[k];
			same_id += fake[0].id[i] == fake[0].id[k];
		}
	}
	// 19,900 pairs over some 64,512 ports: 0.3 expected; 8 comes once in a billion runs.
	assert_true(same_port < 8);
	assert_true(same_id < 8);
	assert_int_equal(low, 0);
	assert_true(fake[0].upper_seen);
}

TEST_WITH(test_wrong_question_is_ignored, rig_setup, rig_teardown)
{
	fake[0].mode = FAKE_WRONG_QUESTION;
	ANSWERED(2000);
	assert_int_equal(fake[0].udp_queries, 1);
	assert_int_equal(status(0).bad_replies, 1);
	assert_int_equal(totals().mismatched, 1);
}

TEST_WITH(test_garbage_is_ignored, rig_setup, rig_teardown)
{
	fake[0].mode = FAKE_GARBAGE;
	ANSWERED(2000);
	assert_int_equal(fake[0].udp_queries + fake[0].tcp_queries, 1);
	assert_true(status(0).bad_replies >= 150);
	fake[0].mode = FAKE_BAD_BODY;
	ANSWERED(2000);
	assert_int_equal(fake[0].udp_queries, 2);
}

TEST_WITH(test_wrong_id_moves_to_tcp, rig_setup, rig_teardown)
{
	fake[0].mode = FAKE_WRONG_ID;
	ANSWERED(2000);
	assert_int_equal(fake[0].udp_queries, 1);
	assert_int_equal(fake[0].tcp_queries, 1);
	assert_int_equal(status(0).tcp_retries, 1);
}

TEST_WITH(test_wrong_id_without_tcp_still_resolves, rig_setup, rig_teardown)
{
	configure_servers(1);
	fake[0].mode = FAKE_WRONG_ID;
	fake[0].refuse_tcp = true;
	ANSWERED(2000);
	assert_int_equal(fake[0].udp_queries, 2);
}

TEST_WITH(test_truncated_goes_to_tcp, rig_setup, rig_teardown)
{
	fake[0].mode = FAKE_TRUNCATE;
	ANSWERED(2000);
	assert_memory_equal(fx.first, "\300\0\2\1", 4);
	assert_int_equal(fake[0].tcp_queries, 1);
	// Without TCP it is no answer at all: the next server.
	fake[0].refuse_tcp = true;
	ANSWERED(2000);
	assert_int_equal(fake[1].udp_queries, 1);
}

TEST_WITH(test_timeout_fails_over_and_backs_off, rig_setup, rig_teardown)
{
	fake[0].mode = FAKE_SILENT;
	for (unsigned i = 0; i < UPSTREAM_DOWN_AFTER; i++) {
		ANSWERED(2000);
		assert_in_range(fx.took_ms, 50, 400);
	}
	assert_false(status(0).up);
	assert_in_range(status(0).down_for_ms, 25001, fx.config.backoff_s * 1000);
	assert_int_equal(totals().sets_down, 0); // the other one answers
	unsigned before = fake[0].udp_queries;
	ANSWERED(2000);
	assert_int_equal(fake[0].udp_queries, before); // asked last, so not at all
}

TEST_WITH(test_failures_go_to_the_next, rig_setup, rig_teardown)
{
	fake[0].mode = FAKE_SERVFAIL;
	ANSWERED(2000);
	fake[1].mode = FAKE_REFUSED;
	UNANSWERED(2000);
	assert_int_equal(fx.why, UPSTREAM_END_FAILURE);
	assert_true(fx.took_ms < 500);
	assert_int_equal(status(0).failures, 2);
	assert_int_equal(status(1).failures, 1);
}

// With the one asked before, as many as put a silent server down.
static void other_zones_unanswered(unsigned life_ms)
{
	for (unsigned i = 1; i < UPSTREAM_DOWN_AFTER; i++) {
		fx.zone++;
		UNANSWERED(life_ms);
	}
}

TEST_WITH(test_all_dead_ends_at_the_deadline, rig_setup, rig_teardown)
{
	fake[0].mode = fake[1].mode = FAKE_SILENT;
	UNANSWERED(1200);
	assert_int_equal(fx.why, UPSTREAM_END_TIMEOUT);
	assert_in_range(fx.took_ms, 1190, 1700);
	assert_int_equal(fake[0].udp_queries + fake[1].udp_queries, 6);
	assert_int_equal(fake[0].udp_queries, 3);
	other_zones_unanswered(1200);
	assert_false(status(0).up || status(1).up);
	assert_int_equal(totals().sets, 1);
	assert_int_equal(totals().sets_down, 1);
}

TEST_WITH(test_sends_are_bounded_over_all_causes, rig_setup, rig_teardown)
{
	struct upstream_totals t;
	fake[0].mode = fake[1].mode = FAKE_TRUNCATE;
	fake[0].refuse_tcp = fake[1].refuse_tcp = true;
	UNANSWERED(2000);
	upstreams_totals(fx.up, &t);
	assert_true(t.sent <= 6);
	fake[0].mode = fake[1].mode = FAKE_WRONG_ID;
	CONFIGURE(max_sends, 2);
	uint64_t before = t.sent;
	ask(600);
	upstreams_totals(fx.up, &t);
	assert_true(t.sent - before <= 2);
}

TEST_WITH(test_lower_casing_server_is_tolerated, rig_setup, rig_teardown)
{
	fake[0].mode = FAKE_LOWERCASE;
	for (unsigned i = 0; i < 20; i++) {
		ANSWERED(2000);
	}
	assert_int_equal(fake[0].tcp_queries, UPSTREAM_STRIKES);
	assert_int_equal(status(0).case_changed, UPSTREAM_STRIKES);
	assert_false(status(0).mixed_case);
	// And the other way, without TCP.
	fake[1].mode = FAKE_LOWERCASE;
	fake[1].refuse_tcp = true;
	fake[0].mode = FAKE_SERVFAIL;
	ANSWERED(2000);
}

TEST_WITH(test_server_without_edns_is_asked_without_opt, rig_setup, rig_teardown)
{
	fake[0].mode = FAKE_NO_EDNS;
	configure_servers(1);
	assert_true(status(0).edns);
	for (unsigned i = 1; i <= UPSTREAM_STRIKES; i++) {
		ANSWERED(2000);
		assert_int_equal(fake[0].udp_queries, 2 * i);
	}
	assert_false(status(0).edns);
	ANSWERED(2000);
	assert_int_equal(fake[0].udp_queries, 2 * UPSTREAM_STRIKES + 1);
}

TEST_WITH(test_formerr_without_a_question_is_understood, rig_setup, rig_teardown)
{
	fake[0].mode = FAKE_NO_EDNS_HEADER;
	ANSWERED(2000);
	assert_int_equal(fake[0].udp_queries, 2);
	assert_int_equal(fake[1].udp_queries, 0);
	assert_true(status(0).edns); // once is no habit
}

TEST_WITH(test_server_in_back_off_is_asked_once, rig_setup, rig_teardown)
{
	fake[0].mode = FAKE_SILENT;
	configure_servers(1);
	ask(600);
	assert_int_equal(fake[0].udp_queries, UPSTREAM_SENDS_EACH);
	other_zones_unanswered(600);
	unsigned before = fake[0].udp_queries;
	assert_false(status(0).up);
	ask(600);
	assert_int_equal(fake[0].udp_queries, before + 1);
	fake[0].mode = FAKE_ANSWER;
	ANSWERED(600);
	assert_true(status(0).up);
}

// However long the configuration lets one be (300 s are the most of it), and with no query that
// could show that it is there again. RFC 2308 has it that a server is dead for one question; here
// it is asked last for all of them, and so for each.
TEST_WITH(rfc2308_7_2_a_dead_server_is_dead_for_five_minutes_at_most, rig_setup, rig_teardown)
{
	CONFIGURE(backoff_s, 300);
	fake[0].mode = FAKE_SILENT;
	for (unsigned i = 0; i < UPSTREAM_DOWN_AFTER; i++)
		ask(2000);
	assert_false(status(0).up);
	fake[0].mode = FAKE_ANSWER;
	unsigned before = fake[0].udp_queries;
	clock_still_work_us(290 * 1000000u);
	ANSWERED(2000);
	assert_int_equal(fake[0].udp_queries, before);
	clock_still_work_us(10 * 1000000u);
	assert_true(status(0).up);
	ANSWERED(2000);
	assert_int_equal(fake[0].udp_queries, before + 1);
}

TEST_WITH(test_new_servers_while_asking, rig_setup, rig_teardown)
{
	fake[0].mode = FAKE_SILENT;
	configure_servers(1);
	ask_start(2000);
	CONFIGURE(server[0], fx.config.server[1]); // the other server alone
	event_base_loop(loop_base(fx.loop), 0);
	assert_int_equal(fx.replies, 1);
	assert_int_equal(fake[1].udp_queries, 1);
	assert_int_equal(status(0).answered, 1);
}

// From the last moment on that the server is known to lack it; the fake one lacks it still.
TEST_WITH(test_edns_is_tried_again, rig_setup, rig_teardown)
{
	fake[0].mode = FAKE_NO_EDNS;
	fx.up->server[0].no_edns.until_ms = clock_mono_ms() + 1;
	ANSWERED(2000);
	assert_int_equal(fake[0].udp_queries, 1);
	fx.up->server[0].no_edns.until_ms = clock_mono_ms();
	assert_true(status(0).edns);
	ANSWERED(2000);
	assert_int_equal(fake[0].udp_queries, 1 + 2);
}

TEST_WITH(test_letter_case_is_tried_again, rig_setup, rig_teardown)
{
	struct upstream *s = &fx.up->server[0];
	s->no_case = (struct upstream_lack){UPSTREAM_STRIKES, clock_mono_ms() + 1};
	fake[0].mode = FAKE_LOWERCASE;
	ask(2000);
	assert_int_equal(fake[0].tcp_queries, 0);
	s->no_case.until_ms = clock_mono_ms();
	assert_true(status(0).mixed_case);
	ask(2000); // the server changes it still: once is enough
	assert_int_equal(fake[0].tcp_queries, 1);
	assert_false(status(0).mixed_case);
	assert_in_range(
		s->no_case.until_ms - clock_mono_ms(), UPSTREAM_PLAIN_MS - 2000, UPSTREAM_PLAIN_MS);
	s->no_case.until_ms = clock_mono_ms();
	fake[0].mode = FAKE_ANSWER;
	ask(2000); // and now no longer
	assert_int_equal(s->no_case.strikes, 0);
	assert_true(status(0).mixed_case);
}

static void add_totals(void *to, const void *from)
{
	upstream_totals_add(to, from);
}

TEST(test_every_total_of_two_sets_is_added)
{
	const struct merge_left left[] = {
		MERGE_GAP(struct upstream_totals, streams.waiting_high, streams.waited),
		MERGE_GAP(struct upstream_totals, https.high, https.late),
	};
	static const struct upstream_totals none;
	MERGE_CHECK(struct upstream_totals, add_totals, left, ARRAY_LEN(left), &none, &none);
}
