// SPDX-License-Identifier: BSD-3-Clause
// An IPv6 /64 may be a client or a LAN: each of its addresses has a client's share of connections
// and requests, and all of them together have a bound.

#include "controlplane/base/source_key.h"
#include "controlplane/http/http_server.h"
#include "http_server_rig.h"
#include "tests/unit/core/config/net_segment.h"

enum {
	OWN = 4,
	ALL = 16,
	OWN_RATE = 6,
	ALL_RATE = 20,
	ASKS = 8,
	TRIES = 20,
	WAIT_MS = 20000,
	NETWORK = ALL / 2,
	NETWORK_RATE = ALL_RATE / 2,
};

static struct sockaddr_in6 address;
static struct http_rate rate = {.burst = ASKS};

static void on_request(void *, struct http_exchange *x)
{
	http_reply(x, 200, strdup("{}"));
}

static int connect_from(const char *from)
{
	struct sockaddr_in6 source = {.sin6_family = AF_INET6};
	assert_int_equal(inet_pton(AF_INET6, from, &source.sin6_addr), 1);
	const int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&source, sizeof(source)), 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	return fd;
}

// The status of a reply; 0: the connection has ended.
static int ask_on(int fd)
{
	int status = 0;
	size_t len = 0;
	static const char text[] = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
	(void)!send(fd, text, strlen(text), MSG_NOSIGNAL);
	while (len == 0 || reply[len - 1] != '}') {
		struct pollfd p = {.fd = fd, .events = POLLIN};
		assert_int_equal(poll(&p, 1, WAIT_MS), 1);
		const ssize_t n = recv(fd, reply + len, sizeof(reply) - 1 - len, 0);
		if (n <= 0)
			return 0;
		len += (size_t)n;
		reply[len] = '\0';
	}
	assert_int_equal(sscanf(reply, "HTTP/1.1 %d", &status), 1);
	return status;
}

// Ends a connection, and waits until the server has let go of it too.
static void end(int fd)
{
	char rest[64];
	struct pollfd p = {.fd = fd, .events = POLLIN};
	shutdown(fd, SHUT_WR);
	while (poll(&p, 1, WAIT_MS) == 1 && recv(fd, rest, sizeof(rest), 0) > 0)
		;
	close(fd);
}

// How many connections of `count` are served, and stay. (A request of a slow machine may be 429.)
static unsigned opened(const char *from, unsigned count, int *fds, unsigned *used)
{
	unsigned n = 0;
	for (unsigned i = 0; i < count; i++) {
		const int fd = connect_from(from);
		const bool is = ask_on(fd) > 0;
		n += is;
		if (is)
			fds[(*used)++] = fd;
		else
			close(fd);
	}
	return n;
}

TEST(test_connections_of_networks)
{
	int fds[ALL];
	unsigned used = 0;
	net_segment_need();
	assert_int_equal(opened("fd00:0:0:1::1", OWN + 1, fds, &used), OWN);
	assert_int_equal(opened("fd00:0:0:1::2", NETWORK - OWN, fds, &used), NETWORK - OWN);
	assert_int_equal(opened("fd00:0:0:1::3", 1, fds, &used), 0);
	assert_int_equal(opened("fd00:0:0:2::1", 1, fds, &used), 1);
	while (used)
		close(fds[--used]);
}

TEST(test_asks_of_networks)
{
	char from[32];
	net_segment_need();
	for (unsigned i = 1; i <= SOURCE_NETWORK_TIMES + 1; i++) {
		snprintf(from, sizeof(from), "fd00:0:0:3::%u", i);
		const int fd = connect_from(from);
		unsigned n = 0;
		while (n <= ASKS && ask_on(fd) == 200)
			n++;
		assert_int_equal(n, i <= SOURCE_NETWORK_TIMES ? ASKS : 0);
		assert_int_equal(ask_on(fd), 429);
		close(fd);
	}
	const int fd = connect_from("fd00:0:0:4::1");
	assert_int_equal(ask_on(fd), 200);
	close(fd);
}

static unsigned served(const char *from, unsigned count)
{
	unsigned n = 0;
	for (unsigned i = 0; i < count; i++) {
		const int fd = connect_from(from);
		n += ask_on(fd) > 0; // 429 too
		end(fd);
	}
	return n;
}

// False: not all of it was in one second.
static bool one_second(void)
{
	WAIT_FOR(clock_mono_ms() % 1000 <= 100);
	const uint64_t now_s = clock_mono_ms() / 1000;
	const unsigned one = served("fd00:0:0:5::1", OWN_RATE + 2),
		       two = served("fd00:0:0:5::2", OWN_RATE), three = served("fd00:0:0:5::3", 1),
		       other = served("fd00:0:0:6::1", 1);
	if (clock_mono_ms() / 1000 != now_s)
		return false;
	assert_int_equal(one, OWN_RATE);
	assert_int_equal(two, NETWORK_RATE - OWN_RATE);
	assert_int_equal(three, 0);
	assert_int_equal(other, 1);
	return true;
}

TEST(test_rates_of_networks)
{
	unsigned tries = 0;
	net_segment_need();
	while (!one_second())
		assert_true(++tries < TRIES);
}

static int setup(void **)
{
	socklen_t len = sizeof(address);
	int fd = -1;
	if (net_segment_open("link set lo up\n") != 0)
		return -1;
	for (unsigned i = 1; net_segment_is_there && i <= 6; i++)
		if (net_segment_ip(text_from("addr add fd00:0:0:%u::1/64 dev lo\n"
					     "addr add fd00:0:0:%u::2/64 dev lo\n"
					     "addr add fd00:0:0:%u::3/64 dev lo\n"
					     "addr add fd00:0:0:%u::4/64 dev lo\n"
					     "addr add fd00:0:0:%u::5/64 dev lo\n",
			    i, i, i, i, i))
			!= 0)
			return -1;
	address =
		(struct sockaddr_in6){.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
	fd = socket(AF_INET6, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0
		|| listen(fd, ALL) < 0 || getsockname(fd, (struct sockaddr *)&address, &len) < 0)
		return -1;
	return http_server_rig_open(fd, (struct http_settings){.exchanges_max = ALL,
						.connections_max = ALL,
						.connection_ms = WAIT_MS,
						.source_max = OWN,
						.rate_max = ALL_RATE,
						.source_rate_max = OWN_RATE,
						.rate = &rate,
						.admit = admit_all,
						.handle = on_request});
}

static int teardown(void **)
{
	http_server_rig_end();
	loop_free(loop);
	return 0;
}

TEST_GROUP(setup, teardown)
