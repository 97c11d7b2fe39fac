// SPDX-License-Identifier: BSD-3-Clause
// New connections a second: what one address, or one that is refused, takes of those of all. And
// requests: how often an address or a user may ask, and how often be refused on one connection.

#include "controlplane/http/http_server.h"
#include "fake_listener.h"
#include "http_server_rig.h"

enum {
	RATE = 5,
	SOURCE_RATE = 3,
	TRIES = 20,
	WAIT_MS = 20000,
	ASKS = 8, // at once
	EXCHANGES = 4,
	DEAR_US = 2 * ASKS * HTTP_RATE_COST_US
};

static struct sockaddr_in address;
static struct http_rate rate = {.each_s = 1, .burst = ASKS};

static void cpu_burn(uint64_t us)
{
	const uint64_t until_us = clock_us_of(CLOCK_THREAD_CPUTIME_ID) + us;
	while (clock_us_of(CLOCK_THREAD_CPUTIME_ID) < until_us)
		continue;
}

static struct http_exchange *held[EXCHANGES];
static _Atomic unsigned held_count;

static void on_request(void *, struct http_exchange *x)
{
	const char *what = http_path(x);
	if (what[0] == '/' && strlen(what) == 2) { // "/a": user a waits for a reply; "/A": an admin
		if (http_may_ask(x, http_rate_key('w', what, 2), what[1] == 'A')) {
			http_defer(x, WAIT_MS);
			held[held_count++] = x;
		}
		return;
	}
	if (strcmp(what, "/user") == 0 && !http_may_ask(x, http_rate_key('w', "eve", 3), false))
		return;
	if (strcmp(what, "/dear") == 0)
		cpu_burn(DEAR_US);
	http_reply(x, strcmp(what, "/no") == 0 ? 403 : 200, strdup("{}"));
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
		       other = answered(2, RATE), third = answered(3, RATE),
		       last = answered(4, RATE);
	if (clock_mono_ms() / 1000 != now_s)
		return false;
	assert_int_equal(refused, 0);
	assert_int_equal(one, SOURCE_RATE);
	assert_int_equal(other, SOURCE_RATE);
	assert_int_equal(third, 1 + RATE - 2 * (SOURCE_RATE - 1));
	assert_int_equal(last, 1); // few use nothing up for the rest
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

// The status of the reply to a request on a connection that stays; 0: it has ended.
static int ask_on(int fd, const char *what)
{
	int status = 0;
	const char *text = text_from("GET %s HTTP/1.1\r\nHost: a\r\n\r\n", what);
	size_t len = 0;
	reply[0] = '\0';
	(void)!send(fd, text, strlen(text), MSG_NOSIGNAL);
	while (!strstr(reply, "\r\n\r\n{") || reply[len - 1] != '}') {
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

// A connection from 127.0.0.`from`, which has had one reply.
static int kept_from(unsigned from)
{
	const struct sockaddr_in source = {
		.sin_family = AF_INET, .sin_addr.s_addr = htonl(0x7f000000 + from)};
	for (unsigned tries = 0; tries < TRIES; tries++) {
		int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
		assert_int_equal(bind(fd, (const struct sockaddr *)&source, sizeof(source)), 0);
		assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
		if (ask_on(fd, "/") > 0)
			return fd;
		close(fd);
		const uint64_t now_s = clock_mono_ms() / 1000;
		WAIT_FOR(clock_mono_ms() / 1000 > now_s);
	}
	fail_msg("no connection");
	return -1;
}

// How many replies are 200, before one is 429.
static unsigned good_ones(int fd, const char *what)
{
	unsigned n = 0;
	int status;
	while ((status = ask_on(fd, what)) == 200)
		assert_true(++n < 100 * ASKS);
	assert_int_equal(status, 429);
	assert_non_null(strstr(reply, "Retry-After: 1\r\n"));
	return n;
}

TEST(test_asks)
{
	int fd = kept_from(11), other = kept_from(12);
	const uint64_t since_ms = clock_mono_ms();
	const unsigned n = good_ones(fd, "/");
	assert_in_range(n, ASKS - 1, ASKS + (clock_mono_ms() - since_ms) / 1000);
	assert_int_equal(ask_on(other, "/"), 200);
	const uint64_t refused_ms = clock_mono_ms();
	WAIT_FOR(clock_mono_ms() > refused_ms + 1000);
	assert_int_equal(ask_on(fd, "/"), 200);
	assert_true(rate.refused > 0);
	close(fd);
	close(other);
}

// A page of another site uses up nothing of those at its address.
TEST(test_asks_of_other_sites)
{
	int fd = kept_from(25), own = kept_from(25);
	(void)good_ones(fd, "/ HTTP/1.1\r\nSec-Fetch-Site: cross-site\r\nX: ");
	assert_int_equal(ask_on(own, "/"), 200);
	(void)good_ones(own, "/ HTTP/1.1\r\nSec-Fetch-Site: same-origin\r\nX: ");
	close(fd);
	close(own);
}

TEST(test_dear_asks)
{
	int fd = kept_from(13);
	assert_int_equal(good_ones(fd, "/dear"), 1);
	close(fd);
}

// Of one user, from several addresses.
TEST(test_user_asks)
{
	const uint64_t since_ms = clock_mono_ms();
	unsigned n = 0;
	for (unsigned from = 14; from < 17; from++) {
		int fd = kept_from(from);
		n += good_ones(fd, "/user");
		close(fd);
	}
	assert_in_range(n, ASKS, ASKS + (clock_mono_ms() - since_ms) / 1000);
}

// Refused again and again, here by the answer and then for asking too often.
TEST(test_refusals)
{
	int fd = kept_from(17), status;
	unsigned n = 0;
	while ((status = ask_on(fd, "/no")) != 0) {
		assert_true(status == 403 || status == 429);
		assert_true(n < HTTP_REFUSALS_MAX);
		n += status == 429 ? HTTP_FAST_WEIGHT : 1;
	}
	assert_in_range(n, HTTP_REFUSALS_MAX, HTTP_REFUSALS_MAX + HTTP_FAST_WEIGHT - 1);
	close(fd);
}

static void on_release(void *)
{
	while (held_count)
		http_reply(held[--held_count], 200, strdup("{}"));
}

// These users wait for a reply, a letter for each, and one more is refused.
static void users_wait(const char *users, const char *more)
{
	int fds[EXCHANGES], over = kept_from(18);
	const unsigned count = (unsigned)strlen(users);
	for (unsigned i = 0; i < count; i++) {
		const unsigned before = held_count;
		fds[i] = kept_from(19 + i);
		client_send(fds[i], text_from("GET /%c HTTP/1.1\r\nHost: a\r\n\r\n", users[i]));
		WAIT_FOR(held_count > before);
	}
	assert_int_equal(ask_on(over, more), 503);
	assert_int_equal(loop_call(loop, on_release, NULL), 0);
	WAIT_FOR(held_count == 0);
	for (unsigned i = 0; i < count; i++)
		close(fds[i]);
	close(over);
}

// A user has half of the requests that are served at a time.
TEST(test_user_waits)
{
	users_wait("aab", "/a");
}

static _Atomic int owes = -1;

static void on_dear_turn(void *)
{
	const bool before = http_owes(held[0]);
	const struct http_turn turn = http_turn_begin(held[0]);
	cpu_burn(DEAR_US);
	http_turn_end(&turn);
	owes = !before && http_owes(held[0]);
	on_release(NULL);
}

// Of several that wait, the next one sees what the first one took.
TEST(test_a_debt)
{
	int fd = kept_from(30);
	client_send(fd, "GET /z HTTP/1.1\r\nHost: a\r\n\r\n");
	WAIT_FOR(held_count == 1);
	assert_int_equal(loop_call(loop, on_dear_turn, NULL), 0);
	WAIT_FOR(owes >= 0);
	assert_int_equal(owes, 1);
	close(fd);
}

// And all who are no admins three quarters.
TEST(test_places_of_admins)
{
	users_wait("abc", "/d");
	users_wait("abcA", "/A");
}

static int setup(void **)
{
	uint16_t port = 0;
	const int fd = loopback_listen(&port);
	address = (struct sockaddr_in){.sin_family = AF_INET,
		.sin_port = htons(port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	return http_server_rig_open(fd, (struct http_settings){.exchanges_max = EXCHANGES,
						.connections_max = 16,
						.connection_ms = WAIT_MS,
						.rate_max = RATE,
						.source_rate_max = SOURCE_RATE,
						.rate = &rate,
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
