// SPDX-License-Identifier: BSD-3-Clause
// A server that no set has is tried, apart from all sets, one at a time and not often.

#include "controlplane/upstream/upstream_candidate.h"
#include "controlplane/upstream/upstream_internal.h"
#include "tests/unit/clock_still.h"
#include "tests/unit/unit.h"
#include "upstream_rig.h"

#include <event2/event.h>

#include <errno.h>
#include <weir/bytes.h>

static struct upstream_candidate candidate;
static struct upstream_wish wish;
static struct upstream_tried tried[UPSTREAM_TRANSPORTS];
static int tried_err;
static unsigned tries;

static void on_tried(void *arg, int err, const struct upstream_tried t[UPSTREAM_TRANSPORTS])
{
	assert_ptr_equal(arg, tried);
	assert_null(candidate.set); // nothing is left by then
	memcpy(tried, t, sizeof(tried));
	tried_err = err;
	tries++;
}

static int candidate_setup(void **state)
{
	candidate = (struct upstream_candidate){0};
	tries = 0;
	return rig_setup(state);
}

static int candidate_teardown(void **state)
{
	upstream_candidate_stop(&candidate);
	return rig_teardown(state);
}

static int try_begin(unsigned i)
{
	const struct config_upstream s = {.address = socket_here(fake[i].port), .weight = 1};
	fx.config.check_name = name_of_text("check.example");
	fx.config.check_type = DNS_TYPE_A;
	upstream_wish_fill(&wish, &fx.config, &s);
	return upstream_candidate_try(&candidate, fx.loop, &wish, on_tried, tried);
}

static void try_server(unsigned i)
{
	const unsigned before = tries;
	assert_int_equal(try_begin(i), 0);
	assert_int_equal(tries, before); // not from within
	while (tries == before)
		event_base_loop(loop_base(fx.loop), EVLOOP_ONCE);
	assert_int_equal(tried_err, 0);
}

TEST_WITH(test_answers, candidate_setup, candidate_teardown)
{
	fake[2].mode = FAKE_NXDOMAIN;
	fake[2].sets_ad = true;
	fake[2].delay_ms = 20;
	try_server(2);
	for (unsigned i = 0; i < UPSTREAM_TRANSPORTS; i++) {
		assert_true(tried[i].is_sent && tried[i].is_answered);
		assert_int_equal(tried[i].flags & (DNS_FLAG_RCODE | DNS_FLAG_AD),
			DNS_RCODE_NXDOMAIN | DNS_FLAG_AD);
		assert_false(tried[i].is_signed);
	}
	assert_in_range(tried[0].took_us, 20000, 60000);
	assert_string_equal(fake[2].last_name, "check.example");
	assert_int_equal(fake[2].udp_queries, 1);
	assert_int_equal(fake[2].tcp_queries, 1);
	assert_int_equal(totals().sent + totals().replies, 0);
}

// A server of a set that is tried so keeps its state: a silent try says nothing of it.
TEST_WITH(test_leaves_the_sets_alone, candidate_setup, candidate_teardown)
{
	fake[0].mode = FAKE_SILENT;
	fake[0].refuse_tcp = true;
	for (unsigned i = 0; i < 2 * UPSTREAM_DOWN_AFTER; i++) {
		try_server(0);
		assert_true(tried[0].is_sent && !tried[0].is_answered && !tried[1].is_answered);
	}
	const struct upstream_status s = status(0);
	assert_true(s.up && !s.suspect);
	assert_int_equal(s.sent + s.checks + s.checks_failed + s.timeouts + s.srtt_us, 0);
	assert_int_equal(upstream_health_get(fx.up->server[0].health, silent), 0);
	assert_int_equal(upstream_health_get(fx.up->server[0].health, latency_us), 0);
}

// One query by each transport, whatever the reply.
TEST_WITH(test_asks_once, candidate_setup, candidate_teardown)
{
	static const struct {
		enum fake_mode mode;
		unsigned rcode;
	} cases[] = {
		{FAKE_SERVFAIL, DNS_RCODE_SERVFAIL},
		{FAKE_REFUSED, DNS_RCODE_REFUSED},
		{FAKE_NO_EDNS, DNS_RCODE_FORMERR},
	};
	for (unsigned i = 0; i < ARRAY_LEN(cases); i++) {
		fake[2].mode = (int)cases[i].mode;
		try_server(2);
		assert_true(tried[0].is_answered && tried[1].is_answered);
		assert_int_equal(tried[0].flags & DNS_FLAG_RCODE, cases[i].rcode);
		assert_int_equal(fake[2].udp_queries, i + 1);
		assert_int_equal(fake[2].tcp_queries, i + 1);
	}
	fake[2].mode = FAKE_TRUNCATE;
	try_server(2);
	assert_true(tried[0].flags & DNS_FLAG_TC);
	assert_true(tried[1].is_answered);
}

TEST_WITH(test_one_at_a_time, candidate_setup, candidate_teardown)
{
	fake[2].mode = FAKE_SILENT;
	assert_int_equal(try_begin(2), 0);
	assert_int_equal(try_begin(3), -EBUSY);
	upstream_candidate_stop(&candidate);
	assert_int_equal(tries, 1);
	assert_int_equal(tried_err, -ECANCELED);
	upstream_candidate_stop(&candidate);
	assert_int_equal(tries, 1);
	try_server(3);
	assert_true(tried[0].is_answered);
}

TEST_WITH(test_not_often, candidate_setup, candidate_teardown)
{
	for (unsigned i = 0; i < UPSTREAM_CANDIDATE_BURST; i++)
		try_server(2);
	assert_int_equal(try_begin(2), -EAGAIN);
	clock_pass_ms(1000);
	try_server(2);
	assert_int_equal(try_begin(2), -EAGAIN);
}

// A message whose answer section has records of these types, the last one cut by `cut` bytes.
static bool is_signed(const uint16_t *type, unsigned count, unsigned counted, unsigned cut)
{
	uint8_t msg[512];
	struct wr w = wr_init(msg, sizeof(msg));
	wr_u16(&w, 7);
	wr_u16(&w, DNS_FLAG_QR);
	wr_u16(&w, 1);
	wr_u16(&w, (uint16_t)counted);
	wr_u32(&w, 0);
	wr_bytes(&w, "\1a\0\0\1\0\1", 7);
	for (unsigned i = 0; i < count; i++) {
		wr_bytes(&w, "\xc0\x0c", 2);
		wr_u16(&w, type[i]);
		wr_u16(&w, DNS_CLASS_IN);
		wr_u32(&w, 60);
		wr_u16(&w, 4);
		wr_u32(&w, 0);
	}
	return upstream_answer_is_signed(msg, w.pos - cut);
}

TEST(test_finds_signatures)
{
	static const uint16_t types[] = {DNS_TYPE_A, DNS_TYPE_RRSIG};
	assert_true(is_signed(types, 2, 2, 0));
	assert_false(is_signed(types, 2, 1, 0)); // in another section
	assert_false(is_signed(types, 1, 1, 0));
	assert_false(is_signed(types, 1, 9, 0));
	assert_false(is_signed(types, 2, 2, 1));
	assert_false(is_signed(types, 2, 2, 15));
	assert_false(upstream_answer_is_signed((const uint8_t *)"", 0));
}
