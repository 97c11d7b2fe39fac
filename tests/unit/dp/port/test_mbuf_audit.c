// SPDX-License-Identifier: BSD-3-Clause

#include "dataplane/port/mbuf_pool.h"
#include "tests/unit/unit.h"

static struct mbuf_audit tap(void)
{
	return (struct mbuf_audit){.base = 1000, .in_flight = 96};
}

static void window(struct mbuf_audit *audit, const uint32_t *samples, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		mbuf_audit_sample(audit, samples[i]);
}

TEST(full_bursts_are_sound_under_load)
{
	struct mbuf_audit audit = tap();
	const uint32_t samples[] = {1096, 1400, 1064, 1096};
	window(&audit, samples, 4);
	assert_int_equal(mbuf_audit_check(&audit, false), MBUF_SOUND);
}

TEST(one_leaked_buffer_shows_at_rest)
{
	struct mbuf_audit audit = tap();
	mbuf_audit_sample(&audit, 1000);
	assert_int_equal(mbuf_audit_check(&audit, true), MBUF_SOUND);
	mbuf_audit_sample(&audit, 1001);
	assert_int_equal(mbuf_audit_check(&audit, true), MBUF_LEAK);
}

TEST(a_leak_shows_under_load_once_it_exceeds_what_may_fly)
{
	struct mbuf_audit audit = tap();
	const uint32_t below[] = {1096, 1120}, above[] = {1097, 1500, 1098};
	window(&audit, below, 2);
	assert_int_equal(mbuf_audit_check(&audit, false), MBUF_SOUND);
	window(&audit, above, 3);
	assert_int_equal(mbuf_audit_check(&audit, false), MBUF_LEAK);
}

TEST(a_window_forgets_the_last_one)
{
	struct mbuf_audit audit = tap();
	mbuf_audit_sample(&audit, 1000);
	assert_int_equal(mbuf_audit_check(&audit, true), MBUF_SOUND);
	mbuf_audit_sample(&audit, 1200);
	assert_int_equal(mbuf_audit_check(&audit, false), MBUF_LEAK);
	mbuf_audit_sample(&audit, 1000);
	assert_int_equal(mbuf_audit_check(&audit, false), MBUF_SOUND);
}

TEST(tx_rings_may_keep_what_they_sent)
{
	struct mbuf_audit audit = tap();
	audit.tx_hold = 512;
	mbuf_audit_sample(&audit, 1512);
	assert_int_equal(mbuf_audit_check(&audit, true), MBUF_SOUND);
	mbuf_audit_sample(&audit, 1513);
	assert_int_equal(mbuf_audit_check(&audit, true), MBUF_LEAK);
}

TEST(fewer_than_posted_means_freed_twice)
{
	struct mbuf_audit audit = tap();
	mbuf_audit_sample(&audit, 999);
	assert_int_equal(mbuf_audit_check(&audit, true), MBUF_DOUBLE_FREE);
	audit.rx_vary = 64;
	mbuf_audit_sample(&audit, 936);
	assert_int_equal(mbuf_audit_check(&audit, true), MBUF_SOUND);
	mbuf_audit_sample(&audit, 935);
	assert_int_equal(mbuf_audit_check(&audit, true), MBUF_DOUBLE_FREE);
	mbuf_audit_sample(&audit, 935);
	// While frames flow the ports may have fewer posted for a moment.
	assert_int_equal(mbuf_audit_check(&audit, false), MBUF_SOUND);
}

TEST(no_sample_is_no_verdict)
{
	struct mbuf_audit audit = tap();
	assert_int_equal(mbuf_audit_check(&audit, true), MBUF_SOUND);
}

TEST(the_stage_that_keeps_frames_is_named)
{
	static struct stats_worker w;
	struct mbuf_flows a, b;
	memset(&w, 0, sizeof(w));
	w.counter[COUNTER_rx_frames] = 100;
	w.verdict[VERDICT_hit] = 60;
	w.verdict[VERDICT_miss] = 30;
	w.verdict[VERDICT_to_kernel] = 10;
	w.counter[COUNTER_answers] = 30;
	w.counter[COUNTER_tx_frames] = 88;
	w.counter[COUNTER_tx_full] = 2;
	w.counter[COUNTER_kernel_tx] = 10;
	mbuf_flows_read(&a, &w);
	assert_int_equal(a.settled, 100);
	assert_int_equal(a.to_send, a.sent);
	b = a;
	assert_int_equal(mbuf_suspect(&a, &b, 1), MBUF_OWNER_port);
	w.verdict[VERDICT_drop_runt] = 7;
	w.counter[COUNTER_rx_frames] += 7;
	mbuf_flows_read(&b, &w);
	assert_int_equal(mbuf_suspect(&a, &b, 1), MBUF_OWNER_VERDICTS + VERDICT_drop_runt);
	assert_int_equal(mbuf_suspect(&a, &b, 8), MBUF_OWNER_port);
	w.counter[COUNTER_rx_frames] += 3;
	mbuf_flows_read(&b, &w);
	assert_int_equal(mbuf_suspect(&a, &b, 3), MBUF_OWNER_rx);
	w.verdict[VERDICT_blocked] = 3;
	mbuf_flows_read(&b, &w);
	assert_int_equal(mbuf_suspect(&a, &b, 3), MBUF_OWNER_tx);
	w.counter[COUNTER_tx_frames] += 3;
	w.verdict[VERDICT_to_kernel] += 2;
	w.counter[COUNTER_rx_frames] += 2;
	mbuf_flows_read(&b, &w);
	assert_int_equal(mbuf_suspect(&a, &b, 2), MBUF_OWNER_kernel_tx);
}

// A leak grows over many windows that were sound, and shows in one that lost a single frame.
TEST(a_slow_leak_is_named_by_all_that_it_took)
{
	static struct stats_worker w;
	struct mbuf_flows a, b;
	memset(&w, 0, sizeof(w));
	w.counter[COUNTER_rx_frames] = 5000;
	w.verdict[VERDICT_hit] = 4000;
	w.verdict[VERDICT_miss] = 1000;
	w.counter[COUNTER_tx_frames] = 4000 - 99;
	mbuf_flows_read(&a, &w);
	w.counter[COUNTER_rx_frames] += 300;
	w.verdict[VERDICT_hit] += 100;
	w.verdict[VERDICT_miss] += 200 - 32; // a burst is on its way
	w.counter[COUNTER_tx_frames] += 99;
	mbuf_flows_read(&b, &w);
	assert_int_equal(mbuf_suspect(&a, &b, 65), MBUF_OWNER_tx);
	w.counter[COUNTER_tx_frames] += 100;
	mbuf_flows_read(&b, &w);
	assert_int_equal(mbuf_suspect(&a, &b, 65), MBUF_OWNER_VERDICTS + VERDICT_miss);
}

// The verdict with the most drops need not be the one that loses them.
TEST(of_two_verdicts_none_is_named)
{
	static struct stats_worker w;
	struct mbuf_flows a, b;
	memset(&w, 0, sizeof(w));
	mbuf_flows_read(&a, &w);
	w.counter[COUNTER_rx_frames] = 1007;
	w.verdict[VERDICT_drop_denied] = 1000;
	w.verdict[VERDICT_drop_runt] = 7;
	mbuf_flows_read(&b, &w);
	assert_int_equal(mbuf_suspect(&a, &b, 7), MBUF_OWNER_port);
	assert_int_equal(mbuf_suspect(&a, &b, 8), MBUF_OWNER_VERDICTS + VERDICT_drop_denied);
}
