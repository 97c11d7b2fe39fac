// SPDX-License-Identifier: BSD-3-Clause
// What bounds traces, and which of them are whose. The clock stands still while the test works.

#include "controlplane/querylog/trace.h"
#include "tests/unit/clock_still.h"
#include "tests/unit/unit.h"

#include <weir/keyhash.h>
#include <weir/shm_stats.h>

static struct traces *traces;
static struct trace last;
static unsigned put_count, left_out;

static void on_put(void *, const struct trace *t)
{
	last = *t;
	put_count++;
	left_out += t->is_left_out;
}

static void begin(const struct dp_watch *more)
{
	struct dp_watch f = *more;
	f.until_ms = clock_mono_ms() + 60000;
	put_count = left_out = 0;
	assert_int_equal(traces_begin(traces, &f, on_put, NULL), 0);
}

static struct trace of(uint16_t watch, uint32_t n)
{
	return (struct trace){.number = watch_trace_number(watch, n),
		.worker = 2,
		.verdict = VERDICT_miss,
		.client_port = 5300,
		.arrival_us = clock_mono_us()};
}

static trace_handle start(uint16_t watch, uint32_t n)
{
	const struct trace t = of(watch, n);
	return traces_start(traces, &t);
}

static unsigned step(unsigned i)
{
	assert_true(i < last.count);
	return last.event[i].step;
}

FIXTURE_OF(setup, traces_new(&traces))

FIXTURE(teardown, traces_free(traces))

TEST_WITH(test_alone, setup, teardown)
{
	begin(&(struct dp_watch){.id = 7});
	trace_handle h = start(7, 3);
	assert_true(h != 0);
	assert_int_equal(*traces_live(traces), 1);
	clock_still_work_us(1500);
	traces_note(traces, h, TRACE_l0_hit, 0, 12);
	traces_answered(traces, h, ANSWER_CACHED, 3);
	assert_int_equal(put_count, 0);
	traces_settle(traces, h);
	assert_int_equal(put_count, 1);
	assert_int_equal(*traces_live(traces), 0);
	assert_int_equal(last.number, watch_trace_number(7, 3));
	assert_int_equal(last.outcome, ANSWER_CACHED);
	assert_int_equal(last.count, 4);
	assert_int_equal(step(0), TRACE_received);
	assert_int_equal(step(1), TRACE_l0_hit);
	assert_int_equal(last.event[1].value, 12);
	assert_true(last.event[1].at_us >= 1500);
	assert_int_equal(step(2), TRACE_answered);
	assert_int_equal(last.event[2].value, 3);
	assert_int_equal(step(3), TRACE_ended);
	// It is gone: nothing is of it any more.
	traces_note(traces, h, TRACE_l0_hit, 0, 0);
	traces_settle(traces, h);
	assert_int_equal(put_count, 1);
}

// Two clients of one question: each has its own beginning, both see the following steps.
TEST_WITH(test_chain, setup, teardown)
{
	trace_handle first = 0, other = 0;
	begin(&(struct dp_watch){.id = 7});
	trace_handle a = start(7, 1), b = start(7, 2), c = start(7, 3);
	traces_join(traces, &first, a);
	traces_note(traces, first, TRACE_began, 0, 0);
	traces_join(traces, &other, c);
	traces_join(traces, &first, b);
	traces_settle(traces, a); // goes on with the question
	assert_int_equal(put_count, 0);
	traces_note_server(
		traces, first, &(struct trace_event){.step = TRACE_udp_sent, .n = 1, .server = 5});
	traces_finish(traces, first);
	assert_int_equal(put_count, 2);
	assert_int_equal(last.number, watch_trace_number(7, 1));
	assert_int_equal(last.count, 4);
	assert_int_equal(step(2), TRACE_udp_sent);
	assert_int_equal(last.event[2].server, 5);
	assert_int_equal(*traces_live(traces), 1);
	traces_finish(traces, other);
	assert_int_equal(last.count, 2);
	traces_finish(traces, 0);
	assert_int_equal(put_count, 3);
}

TEST_WITH(test_bounds, setup, teardown)
{
	trace_handle h[TRACES_MAX];
	struct traces_counts c;
	begin(&(struct dp_watch){.id = 7});
	for (unsigned i = 0; i < TRACES_MAX; i++)
		assert_true((h[i] = start(7, i)) != 0);
	assert_int_equal(start(7, TRACES_MAX), 0);
	assert_int_equal(left_out, 1);
	assert_int_equal(last.count, 0);
	traces_counts(traces, &c);
	assert_int_equal(c.live, TRACES_MAX);
	assert_int_equal(c.left_out, 1);
	assert_true(c.since_ms > 0 && c.bytes > 0);
	// Of more events than there is room for the newest is kept, and so is how many were not.
	for (unsigned i = 0; i < TRACE_EVENTS_MAX + 10; i++)
		traces_note(traces, h[0], TRACE_unbelieved, 0, i);
	traces_settle(traces, h[0]);
	assert_int_equal(last.count, TRACE_EVENTS_MAX);
	assert_int_equal(last.lost, 12);
	assert_int_equal(step(TRACE_EVENTS_MAX - 1), TRACE_ended);
	traces_end(traces);
	traces_counts(traces, &c);
	assert_false(c.is_on);
	assert_int_equal(c.live + c.bytes + c.since_ms, 0);
}

// In one second, which does not pass here by itself.
TEST_WITH(test_rate, setup, teardown)
{
	unsigned begun = 0;
	clock_pass_ms(1000 - (unsigned)(clock_mono_ms() % 1000));
	begin(&(struct dp_watch){.id = 7});
	for (unsigned i = 0; i < TRACES_A_SECOND + 20; i++) {
		trace_handle h = start(7, i);
		begun += h != 0;
		traces_settle(traces, h);
	}
	assert_int_equal(begun, TRACES_A_SECOND);
	assert_int_equal(left_out, 20);
	// A flood of them is counted, and no longer shown.
	for (unsigned i = TRACES_A_SECOND + 20; i < TRACES_TOLD_A_SECOND + 30; i++)
		assert_int_equal(start(7, i), 0);
	assert_int_equal(left_out, TRACES_TOLD_A_SECOND - TRACES_A_SECOND);
	struct traces_counts c;
	traces_counts(traces, &c);
	assert_int_equal(c.left_out, TRACES_TOLD_A_SECOND - TRACES_A_SECOND + 30);
	clock_pass_ms(1000);
	assert_true(start(7, 1) != 0);
}

// A watch ends, and another begins in its place.
TEST_WITH(test_former, setup, teardown)
{
	begin(&(struct dp_watch){.id = 7});
	trace_handle h = start(7, 1);
	begin(&(struct dp_watch){.id = 8});
	assert_int_equal(*traces_live(traces), 0);
	trace_handle now = start(8, 1);
	traces_note(traces, h, TRACE_l0_hit, 0, 0);
	traces_finish(traces, h);
	assert_int_equal(put_count, 0);
	assert_int_equal(start(7, 2), 0); // of a miss that lay on the ring
	traces_settle(traces, now);
	assert_int_equal(last.count, 2);
	traces_end(traces);
	assert_int_equal(start(8, 2), 0);
	assert_int_equal(put_count, 1);
	assert_false(traces_on(traces));
}

// Who should have ended it is gone.
TEST_WITH(test_ends_by_itself, setup, teardown)
{
	begin(&(struct dp_watch){.id = 7});
	traces_beat(traces, clock_mono_ms() + 60000);
	assert_true(traces_on(traces));
	traces_beat(traces, clock_mono_ms() + 70000);
	assert_false(traces_on(traces));
}

static struct trace from_frontend(const char *text, uint8_t last_byte)
{
	struct trace t = {.worker = TRACE_OF_FRONTEND,
		.ip_version = 4,
		.verdict = VERDICT_miss,
		.client = {198, 18, 0, last_byte}};
	struct dns_name name = name_of_text(text);
	memcpy(t.name, name.wire, name.len);
	t.name_len = name.len;
	t.arrival_us = clock_mono_us();
	return t;
}

static bool frontend_passes(const char *name, uint8_t last_byte, unsigned verdict)
{
	struct trace t = from_frontend(name, last_byte);
	t.verdict = (uint8_t)verdict;
	unsigned before = put_count;
	trace_handle h = traces_start(traces, &t);
	traces_settle(traces, h);
	return put_count > before;
}

// Queries to the control plane itself: no worker has asked the filter.
TEST_WITH(test_frontend, setup, teardown)
{
	const struct dp_watch f = {.id = 9,
		.verdicts = UINT64_C(1) << VERDICT_hit,
		.name_hash = contenthash("\7example", 9),
		.client = {198, 18, 0, 16},
		.client_version = 4,
		.client_bits = 28};
	begin(&f);
	assert_true(frontend_passes("example", 16, VERDICT_hit));
	assert_int_equal(last.number >> 16, 9);
	assert_true(frontend_passes("a.b.example", 31, VERDICT_hit));
	assert_false(frontend_passes("example", 32, VERDICT_hit));
	assert_false(frontend_passes("example", 15, VERDICT_hit));
	assert_false(frontend_passes("xexample", 16, VERDICT_hit));
	assert_false(frontend_passes("example", 16, VERDICT_miss));
	struct dp_watch frames = f;
	frames.frames = 1;
	begin(&frames);
	assert_false(frontend_passes("example", 16, VERDICT_hit));
}

TEST(test_words)
{
	for (unsigned s = 0; s < TRACE_STEP_COUNT; s++) {
		assert_true(strlen(trace_step_names[s]) > 0);
		assert_non_null(trace_step_keys[s][0]);
		for (unsigned other = 0; other < s; other++)
			assert_string_not_equal(trace_step_names[s], trace_step_names[other]);
	}
	for (unsigned o = 0; o < TRACE_OUTCOMES; o++)
		assert_non_null(trace_outcome_names[o]);
	assert_int_not_equal(watch_trace_number(0, 0), 0);
	assert_int_equal(watch_trace_number(3, 0), watch_trace_number(3, UINT16_MAX));
}
