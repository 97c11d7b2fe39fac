// SPDX-License-Identifier: BSD-3-Clause

// How queries over HTTPS end: replies that are late or old. The server is a process of its own
// (doh_server.py); the clock stands still, as stream_rig.h says.
#include "https_stream.h"
#include "tests/unit/unit.h"

static bool is_sent(const void *)
{
	return server_status().sent == 1;
}

static bool none_is_left(const void *)
{
	return https().queries == 0;
}

// Of a dropped query a reply is late; anything else is a failure alone.
static void test_replies_that_are_late(void **)
{
	static const char *const path[] = {"/dns-query?late", "/status?late"};

	for (unsigned i = 0; i < ARRAY_LEN(path); i++) {
		https_is("dns.example", path[i]);
		const unsigned number = ask_more(1);
		wait_for(is_sent, NULL);
		upstream_ask_stop(&rig.ask[number]);
		wait_for(none_is_left, NULL);
		assert_int_equal(https().late, 1);
	}
	assert_int_equal(server_status().https.failed[UPSTREAM_HTTPS_status], 1);
}

// RFC 9111 5.1: of several values the first one; one that is no number is none.
static void test_age(void **)
{
	static const struct {
		const char *path;
		uint32_t ttl_s;
	} ages[] = {{"/age", 50}, {"/age/250,_10", 50}, {"/age/250_,10", 50}, {"/age/10/250", 290},
		{"/age/x,_250", 300}, {"/age/,250", 300}, {"/age/-1", 300}, {"/age/9999999999", 0}};

	for (unsigned i = 0; i < ARRAY_LEN(ages); i++) {
		https_is("dns.example", ages[i].path);
		asks_replied(1);
		assert_int_equal(rig.ttl_s, ages[i].ttl_s);
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, https_stream_setup, https_stream_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_replies_that_are_late),
		TEST(test_age),
	};
	return cmocka_run_group_tests(tests, https_stream_start, NULL);
}
