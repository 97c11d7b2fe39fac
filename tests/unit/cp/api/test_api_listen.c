// SPDX-License-Identifier: BSD-3-Clause
// Who may connect to an address of the API: the kernel's filter and our look at the peer agree.

#include "controlplane/api/api_listener.h"
#include "tests/unit/unit.h"

#include <weir/os/caps.h>

static struct ip_address prefixes[3][API_LISTENER_ALLOW_MAX];

// `n`: of the tables of prefixes that one test has at a time.
static struct api_listener_set of(
	unsigned n, const char *listen, const char *const *allow, unsigned count)
{
	struct api_listener_set c = {
		.key = "test", .backlog = 8, .allow = prefixes[n], .allow_count = count};
	c.address = socket_of_text(listen, 1);
	c.address.port = 0; // any that is free
	for (unsigned i = 0; i < count; i++)
		prefixes[n][i] = address_of_text(allow[i]);
	return c;
}

static struct sockaddr_storage address_of(const char *text)
{
	struct socket_address a;
	struct sockaddr_storage out;
	socklen_t len;
	a = socket_of_text(text, 1);
	a.port = 0;
	assert_true(socket_address_to_sockaddr(&a, &out, &len));
	return out;
}

static bool admits(const struct api_listener_set *c, const char *peer)
{
	struct sockaddr_storage a = address_of(peer);
	return api_listener_admits(c, &a);
}

TEST(test_prefixes)
{
	static const char *const allow[] = {
		"192.0.2.128/25", "198.51.100.7", "fd53:1:2::/47", "2001:db8::5"};
	const struct api_listener_set c = of(0, "127.0.0.1", allow, ARRAY_LEN(allow));
	assert_true(admits(&c, "192.0.2.128"));
	assert_true(admits(&c, "192.0.2.255"));
	assert_false(admits(&c, "192.0.2.127"));
	assert_false(admits(&c, "192.0.3.128"));
	assert_true(admits(&c, "198.51.100.7"));
	assert_false(admits(&c, "198.51.100.6"));
	assert_true(admits(&c, "fd53:1:3:ffff::1"));
	assert_false(admits(&c, "fd53:1:4::1"));
	assert_true(admits(&c, "2001:db8::5"));
	assert_false(admits(&c, "2001:db8::1:0:5"));
	const struct sockaddr_storage unix_peer = {.ss_family = AF_UNIX};
	assert_false(api_listener_admits(&c, &unix_peer));
}

// A socket on its way from `from`, or connected.
static int client_begin(int server, const char *from)
{
	struct sockaddr_storage to, own = address_of(from);
	socklen_t len = sizeof(to);
	assert_int_equal(getsockname(server, (struct sockaddr *)&to, &len), 0);
	int fd = socket(to.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&own, len), 0);
	if (connect(fd, (struct sockaddr *)&to, len) < 0)
		assert_int_equal(errno, EINPROGRESS);
	return fd;
}

// Those of `from` in order: whether each got a connection. The last one must, which shows that the
// ones before had their turn.
static void check_filter(const struct api_listener_set *c, const char *const *from,
	const bool *wanted, unsigned count)
{
	int server = api_listener_socket(c), client[16];
	assert_true(server >= 0);
	assert_true(count <= ARRAY_LEN(client) && wanted[count - 1]);
	for (unsigned i = 0; i < count; i++)
		client[i] = client_begin(server, from[i]);
	struct pollfd last = {.fd = client[count - 1], .events = POLLOUT};
	assert_int_equal(poll(&last, 1, 60000), 1);
	for (unsigned i = 0; i < count; i++) {
		struct sockaddr_storage peer;
		socklen_t len = sizeof(peer);
		bool is_there = getpeername(client[i], (struct sockaddr *)&peer, &len) == 0;
		if (is_there != wanted[i])
			fail_msg("%s: connected: %d", from[i], is_there);
		assert_int_equal(admits(c, from[i]), wanted[i]);
		close(client[i]);
	}
	close(server);
}

TEST(test_kernel_drops_others)
{
	static const char *const allow[] = {"127.0.2.128/25", "::1", "127.0.3.1"};
	static const char *const from[] = {
		"127.0.0.1", "127.0.2.127", "127.0.2.129", "127.0.3.2", "127.0.3.1"};
	static const bool wanted[] = {false, false, true, false, true};
	const struct api_listener_set c = of(0, "127.0.0.1", allow, ARRAY_LEN(allow));
	check_filter(&c, from, wanted, ARRAY_LEN(from));
}

TEST(test_anybody)
{
	static const char *const allow[] = {"0.0.0.0/0"}, *const from[] = {"127.9.9.9"};
	static const bool wanted[] = {true};
	const struct api_listener_set c = of(0, "127.0.0.1", allow, 1);
	check_filter(&c, from, wanted, 1);
}

TEST(test_ipv6)
{
	static const char *const exact[] = {"127.0.0.0/8", "fd53::/16", "::1"},
				 *const wide[] = {"::/127"}, *const other[] = {"::2/127"};
	static const char *const from[] = {"::1"};
	static const bool wanted[] = {true};
	const struct api_listener_set c = of(0, "::1", exact, 3), w = of(1, "::1", wide, 1),
				      o = of(2, "::1", other, 1);
	int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_storage own = address_of("::1");
	if (fd < 0 || bind(fd, (struct sockaddr *)&own, sizeof(struct sockaddr_in6)) < 0) {
		if (fd >= 0)
			close(fd);
		skip(); // a machine without IPv6
	}
	close(fd);
	check_filter(&c, from, wanted, 1);
	check_filter(&w, from, wanted, 1);
	assert_false(admits(&o, "::1"));
}

static void *listen_without_rights(void *arg)
{
	const int rc = caps_keep(0, 0);
	return (void *)(intptr_t)(rc < 0 ? rc : api_listener_socket(arg));
}

// As in the units, whose control plane has no CAP_NET_ADMIN: weir listens, whatever the kernel
// says about the filter.
TEST(test_no_capability)
{
	static const char *const allow[] = {"127.0.0.0/8"}, *const from[] = {"127.9.9.9"};
	struct api_listener_set c = of(0, "127.0.0.1", allow, 1);
	pthread_t thread;
	void *result;
	assert_int_equal(pthread_create(&thread, NULL, listen_without_rights, &c), 0);
	assert_int_equal(pthread_join(thread, &result), 0);
	const int server = (int)(intptr_t)result;
	assert_true(server >= 0);
	const int client = client_begin(server, from[0]);
	struct pollfd connected = {.fd = client, .events = POLLOUT};
	assert_int_equal(poll(&connected, 1, 60000), 1);
	assert_true(connected.revents & POLLOUT);
	assert_false(connected.revents & (POLLERR | POLLHUP));
	close(client);
	close(server);
}
