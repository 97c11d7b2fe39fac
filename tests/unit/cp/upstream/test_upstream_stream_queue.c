// SPDX-License-Identifier: BSD-3-Clause
// Queries over TCP that wait for a connection, to two servers of which neither answers.

#include "stream_rig.h"
#include "tests/unit/unit.h"

static int second_server(void)
{
	struct sockaddr_in sin;
	const int fd = socket(AF_INET, SOCK_STREAM, 0);

	assert_int_equal(
		getsockname(rig.listener, (struct sockaddr *)&sin, &(socklen_t){sizeof(sin)}), 0);
	sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK + 1);
	assert_int_equal(bind(fd, (struct sockaddr *)&sin, sizeof(sin)), 0);
	assert_int_equal(listen(fd, 8), 0);
	rig.config.server[1] = rig.config.server[0];
	rig.config.server[1].address.ip.bytes[3] = 2;
	rig.config.count = 2;
	return fd;
}

// A server that hangs leaves the others half of the queue.
TEST_WITH(test_a_server_fills_no_more_than_its_part, stream_rig_setup, stream_rig_teardown)
{
	enum { EACH = UPSTREAM_STREAMS_EACH + UPSTREAM_STREAMS_WAITING_EACH };
	const int other = second_server();

	STREAM_CONFIGURE(socket_uses, 1);
	for (rig.only = 1; rig.only <= 2; rig.only++) {
		ask_more(EACH);
		assert_int_equal(streams().waiting, rig.only * UPSTREAM_STREAMS_WAITING_EACH);
		assert_int_equal(streams().full, rig.only - 1);
		ask_more(1);
		assert_int_equal(streams().full, rig.only);
	}
	rig.only = 0;
	close(other);
}
