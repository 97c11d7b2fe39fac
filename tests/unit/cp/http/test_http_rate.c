// SPDX-License-Identifier: BSD-3-Clause
// New connections a second: what one address, or one that is refused, takes of those of all.

#include "fake_listener.h"
#include "http_server_rig.h"

enum { RATE = 5, SOURCE_RATE = 3, TRIES = 20, WAIT_MS = 20000 };

static struct sockaddr_in address;

static void on_request(void *, struct http_exchange *x)
{
	http_reply(x, 200, strdup("{}"));
}

static bool on_refuses(void *, const struct sockaddr_storage *source)
{
	return ((const struct sockaddr_in *)source)->sin_addr.s_addr == htonl(0x7f000009);
}

// How many of `count` connections from 127.0.0.`from` have a reply.
static unsigned answered(unsigned from, unsigned count)
{
	static const char request[] = "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
	const struct sockaddr_in source = {
		.sin_family = AF_INET, .sin_addr.s_addr = htonl(0x7f000000 + from)};
	unsigned n = 0;
	for (unsigned i = 0; i < count; i++) {
		char said[64];
		int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
		assert_int_equal(bind(fd, (const struct sockaddr *)&source, sizeof(source)), 0);
		assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
		(void)!send(fd, request, sizeof(request) - 1, MSG_NOSIGNAL);
		struct pollfd p = {.fd = fd, .events = POLLIN};
		assert_int_equal(poll(&p, 1, WAIT_MS), 1);
		n += recv(fd, said, sizeof(said), 0) > 0;
		close(fd);
	}
	return n;
}

// False: not all of it was in one second.
static bool one_second(void)
{
	WAIT_FOR(clock_mono_ms() % 1000 <= 100);
	const uint64_t now_s = clock_mono_ms() / 1000;
	const unsigned refused = answered(9, 2 * RATE), one = answered(1, 2 * RATE),
		       other = answered(2, RATE);
	if (clock_mono_ms() / 1000 != now_s)
		return false;
	assert_int_equal(refused, 0);
	assert_int_equal(one, SOURCE_RATE);
	assert_int_equal(other, RATE - SOURCE_RATE);
	return true;
}

TEST(test_shares)
{
	for (unsigned i = 0; i < 2; i++) {
		unsigned tries = 0;
		while (!one_second())
			assert_true(++tries < TRIES);
		const uint64_t done_s = clock_mono_ms() / 1000;
		WAIT_FOR(clock_mono_ms() / 1000 > done_s);
	}
}

static int setup(void **)
{
	uint16_t port = 0;
	const int fd = loopback_listen(&port);
	address = (struct sockaddr_in){.sin_family = AF_INET,
		.sin_port = htons(port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	return http_server_rig_open(fd, (struct http_settings){.exchanges_max = 4,
						.connections_max = 16,
						.connection_ms = WAIT_MS,
						.rate_max = RATE,
						.source_rate_max = SOURCE_RATE,
						.admit = admit_all,
						.refuses = on_refuses,
						.handle = on_request});
}

static int teardown(void **)
{
	http_server_rig_end();
	loop_free(loop);
	return 0;
}

TEST_GROUP(setup, teardown)
