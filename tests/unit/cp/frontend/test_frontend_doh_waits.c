// SPDX-License-Identifier: BSD-3-Clause
// Requests of DNS over HTTP/2 that wait for a place.

#include "doh_client.h"

#include <unistd.h>

enum { CANCEL = 8 };

static void reset(struct dot d, uint32_t stream)
{
	static const uint8_t code[4] = {0, 0, 0, CANCEL};
	http2_frame(d, sizeof(code), RST_STREAM, 0, stream, code);
}

// The place of a reset request is free when its answer comes: nothing more comes from the client.
static void test_a_request_waits_for_a_reset_one(void **)
{
	uint32_t value;

	tcp_config.pipelined = 1;
	doh_start();
	struct dot d = http2_connect();
	http2_post(d, 1, TCP_LATER);
	tcp_rig_until_asked(1);
	reset(d, 1);
	http2_post(d, 3, TCP_ECHO);
	tcp_rig_until(doh.counts.requests[DOH_http2][DOH_METHOD_post], 2);
	assert_int_equal(tcp_rig_asked(), 1);
	tcp_rig_release();
	tcp_rig_until(doh.counts.unwanted, 1);
	tcp_rig_until(doh.counts.responses[DOH_200], 1);
	assert_int_equal(http2_next(d, DATA, 0, &value), 3);
	dot_close(d);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, tcp_rig_each_start, tcp_rig_each_end)
	const struct CMUnitTest tests[] = {
		TEST(test_a_request_waits_for_a_reset_one),
	};
	return cmocka_run_group_tests(tests, dot_group_start, dot_group_stop);
}
