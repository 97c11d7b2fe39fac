// SPDX-License-Identifier: BSD-3-Clause

#include "../../controlplane/watch.h"
#include "unit.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
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
		.flags = LOG_ANSWERED,
		.name_len = sizeof name};
	memcpy(msg, &m, sizeof m);
	memcpy(msg + sizeof m, name, sizeof name);
	memset(msg + sizeof m + sizeof name, 0xa5, kept);
	return sizeof m + sizeof name + kept;
}

static void test_line(void **)
{
	uint64_t missed;
	assert_int_equal(watch_begin(watch, &id), 0);
	assert_int_equal(watch_begin(watch, &id), -EBUSY);
	size_t made = make(2);
	assert_true(watch_put(watch, 1000, msg, made));
	size_t len = watch_take(watch, out, &missed);
	out[len] = '\0';
	assert_int_equal(missed, 0);
	assert_non_null(strstr(out, "{\"time_us\":1005,\"verdict\":\"blocked\","));
	assert_non_null(strstr(out, "\"client\":\"198.18.0.2\",\"client_port\":5300,"));
	assert_non_null(strstr(out, "\"qtype\":\"AAAA\",\"rcode\":\"NXDOMAIN\""));
	assert_non_null(strstr(out, "\"parse\":77,"));
	assert_non_null(strstr(out, "\"frame\":\"a5a5\"}\n"));
	// Quotes, backslashes and dots of a name stay inside its string.
	assert_non_null(strstr(out, "\"qname\":\"www.a"));
	char *end = strstr(strstr(out, "\"qname\":\"") + 9, "test\",\"stage_ns\"");
	assert_non_null(end);
	assert_int_equal(watch_take(watch, out, &missed), 0);
	watch_end(watch);
	assert_int_equal(watch_begin(watch, &id), 0);
	watch_end(watch);
}

// What was on its way when a watch ended is nothing for the next one.
static void test_former(void **)
{
	struct watch_counts c;
	uint64_t missed;
	assert_int_equal(watch_begin(watch, &id), 0);
	size_t len = make(2);
	watch_end(watch);
	assert_true(watch_put(watch, 0, msg, len));
	assert_int_equal(watch_begin(watch, &id), 0);
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

// What another process says of lengths is not believed; each cut is one too short or too long.
static void test_hostile(void **)
{
	struct watch_counts c;
	assert_int_equal(watch_begin(watch, &id), 0);
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

static void test_full(void **)
{
	uint64_t missed, put = 0;
	assert_int_equal(watch_begin(watch, &id), 0);
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

static void test_words(void **)
{
	uint64_t bits;
	assert_true(watch_verdicts("formerr", &bits));
	assert_int_equal(bits, UINT64_C(1) << VERDICT_formerr);
	assert_true(watch_verdicts("malformed", &bits));
	assert_true(bits >> VERDICT_formerr & 1 && bits >> VERDICT_drop_udp_csum & 1);
	assert_false(bits >> VERDICT_hit & 1);
	assert_true(watch_verdicts("dropped", &bits));
	assert_true(bits >> VERDICT_drop_limited & 1);
	assert_false(watch_verdicts("drop", &bits));
	assert_false(watch_verdicts("", &bits));
}

static int setup(void **)
{
	return watch_open(&watch);
}

static int teardown(void **)
{
	watch_free(watch);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_line, setup, teardown),
		cmocka_unit_test_setup_teardown(test_former, setup, teardown),
		cmocka_unit_test_setup_teardown(test_hostile, setup, teardown),
		cmocka_unit_test_setup_teardown(test_full, setup, teardown),
		cmocka_unit_test(test_words),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
