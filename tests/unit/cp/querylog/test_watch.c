// SPDX-License-Identifier: BSD-3-Clause

#include "controlplane/querylog/querylog_row.h"
#include "controlplane/querylog/watch.h"
#include "tests/unit/unit.h"

#include <weir/shm_stats.h>

static struct watch *watch;
static char out[WATCH_BUFFER_MAX];
static uint8_t msg[WATCH_MESSAGE_MAX];
static uint16_t id;

static size_t make(uint8_t kept)
{
	static const uint8_t name[] = "\3www\5a\"\\.b\4test";
	struct watch_msg m = {.frame_len = 60, .kept = kept, .batch = 2, .id = id};
	m.stage_ns[STAGE_parse] = 77;
	m.record = (struct log_record){.time_us = 5,
		.client = {198, 18, 0, 2},
		.client_port = 5300,
		.qtype = 28,
		.rcode = 3,
		.list = LOG_NO_LIST,
		.verdict = VERDICT_blocked,
		.group = group_in_image(2, 7),
		.flags = LOG_ANSWERED,
		.name_len = sizeof(name)};
	memcpy(msg, &m, sizeof(m));
	memcpy(msg + sizeof(m), name, sizeof(name));
	memset(msg + sizeof(m) + sizeof(name), 0xa5, kept);
	return sizeof(m) + sizeof(name) + kept;
}

FIXTURE_OF(setup, watch_open(&watch))

FIXTURE(teardown, watch_free(watch))

TEST_WITH(test_line, setup, teardown)
{
	uint64_t missed;
	assert_int_equal(watch_begin(watch, 0, &id), 0);
	assert_int_equal(watch_begin(watch, 0, &id), -EBUSY);
	size_t made = make(2);
	assert_true(watch_put(watch, 1000, msg, made));
	size_t len = watch_take(watch, out, &missed);
	out[len] = '\0';
	assert_int_equal(missed, 0);
	assert_non_null(strstr(out, "{\"time_us\":1005,\"verdict\":\"blocked\","));
	assert_non_null(strstr(out, "\"client\":\"198.18.0.2\",\"client_port\":5300,"));
	assert_non_null(strstr(out, "\"group\":2,\"qtype\":\"AAAA\",\"rcode\":\"NXDOMAIN\""));
	assert_non_null(strstr(out, "\"parse\":77,"));
	assert_non_null(strstr(out, "\"frame\":\"a5a5\"}\n"));
	// Quotes, backslashes and dots of a name stay inside its string.
	assert_non_null(strstr(out, "\"qname\":\"www.a"));
	char *end = strstr(strstr(out, "\"qname\":\"") + 9, "test\",\"stage_ns\"");
	assert_non_null(end);
	assert_int_equal(watch_take(watch, out, &missed), 0);
	watch_end(watch);
	assert_int_equal(watch_begin(watch, 0, &id), 0);
	watch_end(watch);
}

// What was on its way when a watch ended is nothing for the next one.
TEST_WITH(test_former, setup, teardown)
{
	struct watch_counts c;
	uint64_t missed;
	assert_int_equal(watch_begin(watch, 0, &id), 0);
	size_t len = make(2);
	watch_end(watch);
	assert_true(watch_put(watch, 0, msg, len));
	assert_int_equal(watch_begin(watch, 0, &id), 0);
	assert_true(watch_put(watch, 0, msg, len));
	assert_int_equal(watch_take(watch, out, &missed), 0);
	assert_int_equal(missed, 0);
	len = make(2);
	assert_true(watch_put(watch, 0, msg, len));
	assert_true(watch_take(watch, out, &missed) > 0);
	watch_counts(watch, &c);
	assert_int_equal(c.former, 2);
	assert_int_equal(c.shown, 1);
	watch_end(watch);
}

// Lengths from another process are checked; each cut is one too short or too long.
TEST_WITH(test_hostile, setup, teardown)
{
	struct watch_counts c;
	assert_int_equal(watch_begin(watch, 0, &id), 0);
	size_t whole = make(9);
	for (size_t len = 0; len < whole + 3; len++)
		assert_int_equal(watch_put(watch, 0, msg, len), len == whole);
	((struct watch_msg *)(void *)msg)->record.verdict = VERDICT_COUNT;
	assert_false(watch_put(watch, 0, msg, whole));
	watch_counts(watch, &c);
	assert_int_equal(c.shown, 1);
	assert_int_equal(c.bad, whole + 3);
	watch_end(watch);
}

TEST_WITH(test_full, setup, teardown)
{
	uint64_t missed, put = 0;
	assert_int_equal(watch_begin(watch, 0, &id), 0);
	size_t whole = make(200);
	for (; put < 4000; put++)
		assert_true(watch_put(watch, 0, msg, whole));
	size_t len = watch_take(watch, out, &missed), lines = 0;
	for (size_t i = 0; i < len; i++)
		lines += out[i] == '\n';
	assert_true(missed > 0);
	assert_int_equal(lines + missed, put);
	watch_end(watch);
	assert_true(watch_put(watch, 0, msg, whole)); // nobody watches: it goes nowhere
	assert_int_equal(watch_take(watch, out, &missed), 0);
}

// A worker's part of a miss, and what the control plane did for it.
static size_t make_miss(uint32_t n, uint16_t worker)
{
	size_t len = make(0);
	struct watch_msg m;
	memcpy(&m, msg, sizeof(m));
	m.record.verdict = VERDICT_miss;
	m.record.flags = 0;
	m.trace = watch_trace_number(id, n);
	m.worker = worker;
	memcpy(msg, &m, sizeof(m));
	return len;
}

static struct trace make_trace(uint32_t n, uint16_t worker, unsigned outcome)
{
	struct trace t = {.number = watch_trace_number(id, n),
		.worker = worker,
		.verdict = VERDICT_miss,
		.outcome = (uint8_t)outcome,
		.ip_version = 4,
		.client = {198, 18, 0, 9},
		.client_port = 77,
		.name = "\3www\4test",
		.name_len = 10,
		.qtype = 1,
		.count = 3};
	t.event[0] = (struct trace_event){.step = TRACE_received, .server = LOG_NO_UPSTREAM};
	t.event[1] = (struct trace_event){
		.at_us = 150, .step = TRACE_udp_sent, .n = 1, .server = 3, .value = 400};
	t.event[2] = (struct trace_event){.at_us = 900,
		.step = TRACE_answered,
		.n = (uint8_t)outcome,
		.server = LOG_NO_UPSTREAM,
		.value = 3};
	return t;
}

// Both parts of a line have clients as the log has them.
TEST_WITH(test_hidden, setup, teardown)
{
	const struct querylog_hiding hiding = {.how = LOG_CLIENTS_TRUNCATED};
	uint64_t missed;
	assert_int_equal(watch_begin(watch, 0, &id), 0);
	watch_hide(watch, &hiding);
	size_t len = make(0);
	assert_true(watch_put(watch, 0, msg, len));
	out[watch_take(watch, out, &missed)] = '\0';
	assert_non_null(strstr(out, "\"client\":\"198.18.0.0\",\"client_port\":0,"));
	struct trace t = make_trace(1, TRACE_OF_FRONTEND, ANSWER_UPSTREAM);
	watch_put_trace(watch, &t);
	out[watch_take(watch, out, &missed)] = '\0';
	assert_non_null(strstr(out, "\"client\":\"198.18.0.0\",\"client_port\":0,"));
	watch_end(watch);
}

static unsigned take(void)
{
	uint64_t missed;
	unsigned lines = 0;
	size_t len = watch_take(watch, out, &missed);
	out[len] = '\0';
	for (size_t i = 0; i < len; i++)
		lines += out[i] == '\n';
	return lines;
}

// One line, whichever part comes first.
TEST_WITH(test_joined, setup, teardown)
{
	for (unsigned control_first = 0; control_first < 2; control_first++) {
		assert_int_equal(watch_begin(watch, 0, &id), 0);
		size_t len = make_miss(4, 1);
		const struct trace t = make_trace(4, 1, ANSWER_UPSTREAM),
				   other = make_trace(4, 2, ANSWER_UPSTREAM);
		if (control_first)
			watch_put_trace(watch, &t);
		else
			assert_true(watch_put(watch, 0, msg, len));
		assert_int_equal(take(), 0);
		watch_put_trace(watch, &other); // of another worker
		assert_int_equal(take(), 0);
		assert_int_equal(watch_waiting(watch), 2);
		if (control_first)
			assert_true(watch_put(watch, 0, msg, len));
		else
			watch_put_trace(watch, &t);
		assert_int_equal(take(), 1);
		assert_non_null(strstr(out, "\"verdict\":\"miss\""));
		assert_non_null(strstr(out, "\"parse\":77,"));
		assert_non_null(strstr(out, text_from("\"trace\":\"%04x-1-5\"", id)));
		assert_non_null(strstr(out, "\"outcome\":\"upstream\",\"events\":[{\"at_us\":0,"
					    "\"step\":\"received\"},{\"at_us\":150,\"step\":"
					    "\"udp_sent\",\"server\":\"\",\"attempt\":1,"
					    "\"wait_ms\":400},{\"at_us\":900,\"step\":"
					    "\"answered\",\"kind\":\"upstream\","
					    "\"rcode\":\"NXDOMAIN\"}]}\n"));
		assert_null(strstr(out, "incomplete"));
		watch_complete(watch);
		assert_int_equal(take(), 1); // what nobody completed
		assert_non_null(strstr(out, "\"incomplete\":true"));
		assert_non_null(strstr(out, "\"client\":\"198.18.0.9\",\"client_port\":77"));
		assert_non_null(strstr(out, "\"qname\":\"www.test"));
		watch_end(watch);
	}
}

// A query whose answer went to its worker is shown once that has left, with the time of that.
TEST_WITH(test_answer_left, setup, teardown)
{
	for (unsigned order = 0; order < 3; order++) {
		assert_int_equal(watch_begin(watch, 0, &id), 0);
		struct trace t = make_trace(4, 1, ANSWER_UPSTREAM);
		t.is_handed = true;
		t.arrival_us = 5000;
		t.event[3] = (struct trace_event){
			.at_us = 2000, .step = TRACE_ended, .server = LOG_NO_UPSTREAM};
		t.count = 4;
		struct watch_msg answer = {.id = id,
			.trace = watch_trace_number(id, 4),
			.worker = 1,
			.part = WATCH_ANSWER,
			.stage_ns[STAGE_tx] = 1500,
			.record = {.time_us = 5950,
				.verdict = VERDICT_miss,
				.flags = order == 2 ? 0 : LOG_ANSWERED}};
		for (unsigned part = 0; part < 3; part++) {
			assert_int_equal(take(), 0);
			switch ((part + order) % 3) {
			case 0:
				watch_put_trace(watch, &t);
				break;
			case 1:
				assert_true(watch_put(watch, 0, msg, make_miss(4, 1)));
				break;
			default:
				assert_true(watch_put(watch, 0, (void *)&answer, sizeof(answer)));
			}
		}
		assert_int_equal(take(), 1);
		assert_non_null(strstr(out, order == 2 ? "\"NXDOMAIN\"},{\"at_us\":950,\"step\":"
							 "\"worker_took\"},{\"at_us\":951,"
							 "\"step\":\"worker_tx_full\","
							 "\"tx_ns\":1500},{\"at_us\":2000,"
						       : "\"NXDOMAIN\"},{\"at_us\":950,\"step\":"
							 "\"worker_took\"},{\"at_us\":951,"
							 "\"step\":\"worker_sent\","
							 "\"tx_ns\":1500},{\"at_us\":2000,"));
		assert_null(strstr(out, "incomplete"));
		// One more, of a query that nobody knows any more, is no line.
		assert_true(watch_put(watch, 0, (void *)&answer, sizeof(answer)));
		watch_complete(watch);
		assert_int_equal(take(), 0);
		answer.part = WATCH_PARTS;
		assert_false(watch_put(watch, 0, (void *)&answer, sizeof(answer)));
		watch_end(watch);
	}
}

// More than may wait: those that have waited longest are shown as they are, and none is lost.
TEST_WITH(test_join_full, setup, teardown)
{
	struct watch_counts c;
	assert_int_equal(watch_begin(watch, 0, &id), 0);
	for (unsigned n = 0; n < WATCH_JOIN_MAX + 10; n++)
		assert_true(watch_put(watch, 0, msg, make_miss(n, 0)));
	assert_int_equal(watch_waiting(watch), WATCH_JOIN_MAX);
	assert_int_equal(take(), 10);
	for (unsigned n = 10; n < WATCH_JOIN_MAX + 10; n++) {
		struct trace t = make_trace(n, 0, ANSWER_CACHED);
		t.is_left_out = n == 10;
		watch_put_trace(watch, &t);
	}
	assert_int_equal(watch_waiting(watch), 0);
	assert_int_equal(take(), WATCH_JOIN_MAX);
	watch_counts(watch, &c);
	assert_int_equal(c.incomplete, 10);
	assert_int_equal(c.shown, WATCH_JOIN_MAX + 10);
	watch_end(watch);
	const struct trace late = make_trace(1, 0, ANSWER_CACHED);
	watch_put_trace(watch, &late); // nobody watches
	assert_int_equal(watch_waiting(watch), 0);
}

// The end of a miss comes from the control plane; a query that a worker settled is shown at once.
TEST_WITH(test_outcomes, setup, teardown)
{
	uint64_t bits;
	unsigned outcomes;
	assert_true(watch_verdicts("servfail", &bits, &outcomes));
	assert_true(bits >> VERDICT_servfail_ring_full & 1 && bits >> VERDICT_miss & 1);
	assert_int_equal(outcomes, 1 << ANSWER_SERVFAIL);
	assert_int_equal(watch_begin(watch, outcomes, &id), 0);
	assert_true(watch_put(watch, 0, msg, make_miss(1, 0)));
	assert_true(watch_put(watch, 0, msg, make_miss(2, 0)));
	assert_true(watch_put(watch, 0, msg, make_miss(3, 0)));
	const struct trace good = make_trace(1, 0, ANSWER_UPSTREAM),
			   bad = make_trace(2, 0, ANSWER_SERVFAIL);
	watch_put_trace(watch, &good);
	watch_put_trace(watch, &bad);
	watch_complete(watch);
	assert_int_equal(take(), 1);
	assert_non_null(strstr(out, "\"outcome\":\"servfail\""));
	size_t len = make_miss(4, 0);
	((struct watch_msg *)(void *)msg)->record.verdict = VERDICT_servfail_ring_full;
	((struct watch_msg *)(void *)msg)->trace = 0;
	assert_true(watch_put(watch, 0, msg, len));
	assert_int_equal(take(), 1);
	watch_end(watch);
}

// The longest names there are, everywhere, and each event with a server: a whole line of JSON.
TEST_WITH(test_longest, setup, teardown)
{
	uint8_t name[255];
	for (unsigned i = 0; i < 252; i += 4)
		memcpy(name + i, "\3\"\"\"", 4);
	memcpy(name + 252, "\1\"", 3);
	assert_int_equal(watch_begin(watch, 0, &id), 0);
	struct trace t = make_trace(1, TRACE_OF_FRONTEND, ANSWER_UPSTREAM);
	memcpy(t.name, name, sizeof(name));
	t.name_len = sizeof(name);
	t.count = TRACE_EVENTS_MAX;
	t.lost = 9;
	for (unsigned i = 0; i < TRACE_EVENTS_MAX; i++)
		t.event[i] = (struct trace_event){.at_us = UINT32_MAX,
			.step = TRACE_udp_sent,
			.n = UINT8_MAX,
			.server = 0,
			.value = UINT32_MAX};
	watch_put_trace(watch, &t);
	assert_int_equal(take(), 1);
	assert_non_null(strstr(out, "\"transport\":\"udp\""));
	assert_non_null(strstr(out, "],\"events_lost\":"));
	assert_string_equal(out + strlen(out) - 2, "}\n");
	watch_end(watch);
}

TEST(test_words)
{
	uint64_t bits;
	unsigned outcomes;
	assert_true(watch_verdicts("formerr", &bits, &outcomes));
	assert_int_equal(bits, UINT64_C(1) << VERDICT_formerr);
	assert_int_equal(outcomes, 0);
	assert_true(watch_verdicts("malformed", &bits, &outcomes));
	assert_true(bits >> VERDICT_formerr & 1 && bits >> VERDICT_drop_udp_csum & 1);
	assert_false(bits >> VERDICT_hit & 1);
	assert_true(watch_verdicts("dropped", &bits, &outcomes));
	assert_true(bits >> VERDICT_drop_limited & 1);
	assert_true(watch_verdicts("stale", &bits, &outcomes));
	assert_true(bits >> VERDICT_hit_stale & 1 && bits >> VERDICT_miss & 1);
	assert_false(bits >> VERDICT_hit & 1);
	assert_int_equal(outcomes, 1 << ANSWER_STALE);
	assert_true(watch_verdicts("unanswered", &bits, &outcomes));
	assert_int_equal(bits, UINT64_C(1) << VERDICT_miss);
	assert_false(watch_verdicts("drop", &bits, &outcomes));
	assert_false(watch_verdicts("", &bits, &outcomes));
	assert_string_equal(watch_verdict_near("drop_unt"), "drop_runt");
	assert_string_equal(watch_verdict_near("malformd"), "malformed");
	assert_null(watch_verdict_near("xyzxyzxyz"));
}
