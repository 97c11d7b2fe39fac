// SPDX-License-Identifier: BSD-3-Clause
// The miss path from ring to ring.
#include "resolver_rig.h"
#include "tests/unit/clock_still.h"

TEST_WITH(test_a_miss_is_resolved_stored_and_answered, rig_setup, rig_teardown)
{
	resolves("WwW.Example", 77, ANSWER_UPSTREAM);
	assert_memory_equal(got.dns + DNS_HEADER_LEN, "\3WwW\7Example\0\0\1\0\1", 17);
	assert_int_equal(get_u16(got.dns + 6), 1);
	resolves("www.exAMPLE", 78, ANSWER_CACHED); // as a worker that has not seen it yet
	assert_memory_equal(got.dns + DNS_HEADER_LEN, "\3www\7exAMPLE\0\0\1\0\1", 17);
	struct resolver_status s = status();
	assert_int_equal(s.upstream_sent, 1);
	assert_int_equal(s.stored, 1);
	assert_int_equal(s.l0.entries, 1);
	assert_int_equal(s.link_up, 1);
	assert_int_equal(s.worker_rings, 2);
}

TEST_WITH(test_ten_thousand_clients_one_upstream_packet, rig_setup, rig_teardown)
{
	unsigned sent = 0, answered = 0;
	fake[0].delay_ms = 300;
	for (unsigned i = 0; i < 10000; i++) {
		const struct fake_miss m = {.name = i % 2 ? "hot.example" : "HOT.example",
			.type = DNS_TYPE_A,
			.id = (uint16_t)i,
			.client_port = (uint16_t)i,
			.rings = i % 2};
		WAIT_FOR(fake_dataplane_ask(&dp, &m), fake_dataplane_ring(&dp));
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
	assert_int_equal(rig_asked(), 1);
	struct resolver_status s = status();
	assert_int_equal(s.upstream_sent, 1);
	assert_true(answered >= 1024);
	assert_int_equal(s.answered, answered);
	assert_int_equal(s.answered + s.refused_waiters + s.answer_ring_full, 10000);
	assert_int_equal(s.inflight, 0);
	assert_int_equal(s.waiters, 0);
}

TEST_WITH(test_failures_are_remembered, rig_setup, rig_teardown)
{
	fake[0].mode = FAKE_SERVFAIL;
	fake[1].mode = FAKE_REFUSED;
	fails("bad.example", 1);
	assert_int_equal(ede_of_answer(), DNS_EDE_NO_REACHABLE_AUTHORITY);
	unsigned before = rig_asked();
	assert_int_equal(before, 2);
	for (uint16_t i = 0; i < 50; i++) {
		fails("bad.example", i);
		assert_int_equal(ede_of_answer(), DNS_EDE_CACHED_ERROR);
	}
	assert_int_equal(rig_asked(), before);
	fake[0].mode = FAKE_ANSWER;
	clock_pass_ms(1050);
	resolves("bad.example", 9, ANSWER_UPSTREAM);
}

TEST_WITH(test_servfail_goes_to_the_next_server, rig_setup, rig_teardown)
{
	fake[0].mode = FAKE_SERVFAIL;
	resolves("next.example", 5, ANSWER_UPSTREAM);
	assert_int_equal(fake[1].udp_queries, 1);
}

TEST_WITH(test_all_dead_is_servfail_at_1900_ms_and_late_answers_fill, rig_setup, rig_teardown)
{
	uint64_t start = clock_mono_ms();
	fake[0].mode = fake[1].mode = FAKE_SILENT;
	fails("dead.example", 3);
	assert_in_range(clock_mono_ms() - start, 1850, 2100);
	assert_int_equal(ede_of_answer(), DNS_EDE_NO_REACHABLE_AUTHORITY);
	ask("dead.example", 4); // still being asked: it has its own 1.9 s
	assert_false(fake_dataplane_answer(&dp, &got, 200));
	// Servers come back within the question's life: the next query of it fills the cache.
	fake[0].mode = fake[1].mode = FAKE_ANSWER;
	expect_answer(4, 0, ANSWER_UPSTREAM);
	WAIT_FOR(status().stored > 0);
	assert_int_equal(status().stored, 1);
	resolves("dead.example", 5, ANSWER_CACHED);
}

static void set_deadline(uint32_t ms)
{
	rig.config.limits.answer_deadline_ms = ms;
	rig_reload();
}

// An answer after 2.5 s: clients that wait for 5 s get it, whether they asked first or a moment
// ago.
TEST_WITH(test_a_late_answer_reaches_who_still_waits, rig_setup, rig_teardown)
{
	set_deadline(4500);
	fake[0].delay_ms = fake[1].delay_ms = 2500;
	uint64_t start = clock_mono_ms();
	ask("slow.example", 1);
	assert_false(fake_dataplane_answer(&dp, &got, 2100));
	ask("slow.example", 2);
	expect_answer(1, 0, ANSWER_UPSTREAM);
	assert_true(clock_mono_ms() - start >= 2450);
	expect_answer(2, 0, ANSWER_UPSTREAM);
	assert_int_equal(status().servfail, 0);
}

// Each client is answered by the time that has passed since it asked, not since the first did.
TEST_WITH(test_each_client_has_its_own_deadline, rig_setup, rig_teardown)
{
	set_deadline(2200);
	fake[0].mode = fake[1].mode = FAKE_SILENT;
	uint64_t first = clock_mono_ms();
	ask("dead.example", 1);
	assert_false(fake_dataplane_answer(&dp, &got, 1000));
	uint64_t second = clock_mono_ms();
	ask("dead.example", 2);
	expect_answer(1, DNS_RCODE_SERVFAIL, ANSWER_SERVFAIL);
	assert_true(clock_mono_ms() - first >= 2150);
	expect_answer(2, DNS_RCODE_SERVFAIL, ANSWER_SERVFAIL);
	assert_true(clock_mono_ms() - second >= 2150);
	assert_int_equal(ede_of_answer(), DNS_EDE_NO_REACHABLE_AUTHORITY);
	assert_int_equal(status().coalesced, 1);
}

// Shorter than the stale timer: SERVFAIL comes in time all the same.
TEST_WITH(test_a_short_deadline, rig_setup, rig_teardown)
{
	set_deadline(600);
	fake[0].mode = fake[1].mode = FAKE_SILENT;
	uint64_t start = clock_mono_ms();
	fails("dead.example", 1);
	assert_in_range(clock_mono_ms() - start, 550, 800);
}

TEST_WITH(test_stale_at_1800_ms_then_held, rig_setup, rig_teardown)
{
	fake[0].ttl_s = 1;
	resolves("old.example", 1, ANSWER_UPSTREAM);
	clock_pass_ms(1050); // past soft expiry
	fake[0].mode = fake[1].mode = FAKE_SILENT;
	uint64_t start = clock_mono_ms();
	resolves("old.example", 2, ANSWER_STALE);
	assert_in_range(clock_mono_ms() - start, 1750, 2000);
	assert_int_equal(ede_of_answer(), DNS_EDE_STALE_ANSWER);
	// The TTL is the stale one; the record follows the question: pointer, type, class, TTL.
	const uint8_t *record = got.dns + DNS_HEADER_LEN + 13 + 4;
	assert_int_equal(get_u32(record + 6), 30);
	resolves("old.example", 3, ANSWER_STALE);
	resolves("old.example", 4, ANSWER_STALE); // and from a worker that asks again all the same
}

TEST_WITH(test_failing_upstreams_give_stale_at_once, rig_setup, rig_teardown)
{
	fake[0].ttl_s = 1;
	resolves("old.example", 1, ANSWER_UPSTREAM);
	clock_pass_ms(1050);
	fake[0].mode = fake[1].mode = FAKE_SERVFAIL;
	resolves("old.example", 2, ANSWER_STALE);
	assert_int_equal(status().servfail, 0);
}

TEST_WITH(test_inflight_and_waiters_are_capped, rig_setup_small, rig_teardown)
{
	unsigned refused = 0;
	fake[0].mode = fake[1].mode = FAKE_SILENT;
	for (unsigned i = 0; i < 40; i++) {
		ask(text_from("n%u.example", i), (uint16_t)i);
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
	WAIT_FOR(s.refused_waiters >= 13, s = status());
	assert_int_equal(s.inflight, 16);
	assert_int_equal(s.refused_inflight, 24);
	assert_int_equal(s.refused_waiters, 13);
	assert_int_equal(s.waiters, 16 + 7);
	assert_int_equal(s.inflight_cap, 16);
}

TEST_WITH(test_refresh_has_no_waiter_and_late_misses_no_answer, rig_setup, rig_teardown)
{
	const struct fake_miss refresh = {
		.name = "re.example", .type = DNS_TYPE_A, .refresh = true};
	assert_true(fake_dataplane_ask(&dp, &refresh));
	const struct fake_miss late = {.name = "late.example", .type = DNS_TYPE_A, .age_ms = 2500};
	FAKE_DATAPLANE_SEND(&dp, &late);
	assert_false(fake_dataplane_answer(&dp, &got, 300));
	struct resolver_status s = status();
	assert_int_equal(s.refreshes, 1);
	assert_int_equal(s.stored, 0); // there was no record to renew
	assert_int_equal(s.late, 1);
}

TEST_WITH(test_hostile_misses_are_counted, rig_setup, rig_teardown)
{
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
	resolves("good.example", 6, ANSWER_UPSTREAM);
	struct resolver_status s = status();
	assert_int_equal(s.bad_misses, 1);
	assert_int_equal(s.foreign_messages, 2);
}
