// SPDX-License-Identifier: BSD-3-Clause
// The keepalive option: found in queries of any content, written into replies.

#include "controlplane/frontend/frontend_tcp_keepalive.h"
#include "tests/unit/unit.h"

#include <stdlib.h>
#include <string.h>
#include <weir/dns_proto.h>

enum { QUERIES = 20000, QUERY_MAX = 96 };

#define HEADER(additional) 0, 1, 1, 0, 0, 1, 0, 0, 0, 0, 0, additional
#define QUESTION           1, 'a', 0, 0, 1, 0, 1
#define OPT(bytes)         0, 0, 41, 4, 208, 0, 0, 0, 0, 0, bytes
#define COOKIE             0, 10, 0, 2, 7, 7
#define KEEPALIVE          0, 11, 0, 0
#define OTHER              0xc0, 12, 0, 250, 0, 1, 0, 0, 0, 0, 0, 2, 0, 41

static const struct {
	bool asked;
	uint8_t len, msg[QUERY_MAX];
} cases[] = {
	{false, 19, {HEADER(0), QUESTION}}, {false, 30, {HEADER(1), QUESTION, OPT(0)}},
	{true, 34, {HEADER(1), QUESTION, OPT(4), KEEPALIVE}},
	{true, 40, {HEADER(1), QUESTION, OPT(10), COOKIE, KEEPALIVE}},
	{false, 36, {HEADER(1), QUESTION, OPT(6), COOKIE}},
	{true, 48, {HEADER(2), QUESTION, OTHER, OPT(4), KEEPALIVE}},
	{false, 34, {HEADER(0), QUESTION, OPT(4), KEEPALIVE}}, // not counted
	{false, 33, {HEADER(1), QUESTION, OPT(4), KEEPALIVE}}, // cut short
	{false, 33, {HEADER(1), QUESTION, OPT(3), 0, 11, 0}},  // no option, but a part of one
};

static void test_asked(void **)
{
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		uint8_t *msg = malloc(cases[i].len);
		memcpy(msg, cases[i].msg, cases[i].len);
		bool expected = cases[i].asked;
		assert_int_equal(tcp_keepalive_asked(msg, cases[i].len), expected);
		free(msg);
	}
}

// Nothing is read behind the end, whatever it says.
static void test_asked_any(void **)
{
	srand(7828);
	for (unsigned i = 0; i < QUERIES; i++) {
		size_t k = (size_t)rand() % ARRAY_LEN(cases);
		size_t len = (size_t)rand() % (cases[k].len + 1U);
		uint8_t *msg = malloc(len + 1);
		memcpy(msg, cases[k].msg, len);
		for (unsigned n = (unsigned)rand() % 4; n && len; n--)
			msg[(size_t)rand() % len] = (uint8_t)rand();
		uint8_t *exact = realloc(msg, len ? len : 1);
		(void)tcp_keepalive_asked(exact, len);
		free(exact);
	}
}

static void test_tell(void **)
{
	static const uint8_t before[] = {HEADER(1), QUESTION, OPT(6), COOKIE};
	static const uint8_t after[] = {
		HEADER(1), QUESTION, OPT(12), COOKIE, 0, 11, 0, 2, 0x03, 0xe8};
	uint8_t room[REPLY_HEADROOM + sizeof(before) + REPLY_TAILROOM];
	struct frontend_reply r = {room + REPLY_HEADROOM, sizeof(before), 19};

	memcpy(r.msg, before, sizeof(before));
	tcp_keepalive_tell(&r, 100000);
	assert_int_equal(r.len, sizeof(after));
	assert_memory_equal(r.msg, after, sizeof(after));
	r.opt = 0;
	tcp_keepalive_tell(&r, 100000);
	assert_int_equal(r.len, sizeof(after));
	r.opt = 19;
	tcp_keepalive_tell(&r, UINT32_MAX);
	assert_memory_equal(r.msg + r.len - 2, "\xff\xff", 2);
}

// One that has no room left goes as it is.
static void test_tell_full(void **)
{
	uint8_t *room = calloc(1, REPLY_HEADROOM + DNS_MESSAGE_MAX + REPLY_TAILROOM);
	struct frontend_reply r = {room + REPLY_HEADROOM, DNS_MESSAGE_MAX - 5, 12};

	tcp_keepalive_tell(&r, 100000);
	assert_int_equal(r.len, DNS_MESSAGE_MAX - 5);
	r.len = DNS_MESSAGE_MAX - 6;
	tcp_keepalive_tell(&r, 100000);
	assert_int_equal(r.len, DNS_MESSAGE_MAX);
	free(room);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_asked),
		cmocka_unit_test(test_asked_any),
		cmocka_unit_test(test_tell),
		cmocka_unit_test(test_tell_full),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
