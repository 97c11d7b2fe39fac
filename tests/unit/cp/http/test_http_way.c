// SPDX-License-Identifier: BSD-3-Clause
// Whose connection makes way when all places are taken: a few addresses keep nobody out, and who
// has shown a right stays.

#include "controlplane/http/http_server.h"
#include "fake_listener.h"
#include "http_server_rig.h"

#include <sys/resource.h>

enum { PLACES = 8, SOURCE_MAX = 4, WAIT_MS = 20000 };

static struct sockaddr_in address;

// "/a": user a. "/": nobody.
static void on_request(void *, struct http_exchange *x)
{
	const char *what = http_path(x);
	if (!what[1] || http_may_ask(x, http_rate_key('w', what, 2), false))
		http_reply(x, 200, strdup("{}"));
}

static int connect_from(unsigned from)
{
	const struct sockaddr_in source = {
		.sin_family = AF_INET, .sin_addr.s_addr = htonl(0x7f000000 + from)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(fd, (const struct sockaddr *)&source, sizeof(source)), 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	return fd;
}

// The status of the reply; 0: it has ended.
static int ask_for(int fd, const char *what)
{
	int status = 0;
	client_send(fd, text_from("GET %s HTTP/1.1\r\nHost: a\r\n\r\n", what));
	struct pollfd p = {.fd = fd, .events = POLLIN};
	assert_int_equal(poll(&p, 1, WAIT_MS), 1);
	const ssize_t n = recv(fd, reply, sizeof(reply) - 1, 0);
	if (n <= 0)
		return 0;
	reply[n] = '\0';
	assert_int_equal(sscanf(reply, "HTTP/1.1 %d", &status), 1);
	return status;
}

static int fd[PLACES];

// So many from 127.0.0.`from`, each with a reply, in the order of their ages.
static void fill(unsigned first, unsigned count, unsigned from, const char *what)
{
	for (unsigned i = first; i < first + count; i++) {
		const uint64_t now_ms = clock_mono_ms();
		fd[i] = connect_from(from);
		assert_int_equal(ask_for(fd[i], what), 200);
		WAIT_FOR(clock_mono_ms() > now_ms);
	}
}

// Another client's request has this status, and of the others this one has ended; PLACES: none.
static void comes(int status, unsigned gone)
{
	char byte;
	int other = connect_from(9);
	assert_int_equal(ask_for(other, "/z"), status);
	if (gone < PLACES)
		assert_int_equal(recv(fd[gone], &byte, 1, 0), 0);
	for (unsigned i = 0; i < PLACES; i++)
		if (i != gone)
			assert_int_equal(recv(fd[i], &byte, 1, MSG_DONTWAIT), -1);
	close(other);
}

static int open_with(unsigned places)
{
	uint16_t port = 0;
	const int listener = loopback_listen(&port);
	address = (struct sockaddr_in){.sin_family = AF_INET,
		.sin_port = htons(port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	return http_server_rig_open(listener, (struct http_settings){.exchanges_max = places,
						      .connections_max = places,
						      .connection_ms = WAIT_MS,
						      .source_max = SOURCE_MAX,
						      .admit = admit_all,
						      .handle = on_request});
}

static int setup(void **)
{
	return open_with(PLACES);
}

static int teardown(void **)
{
	http_server_rig_end();
	loop_free(loop);
	for (unsigned i = 0; i < PLACES; i++)
		close(fd[i]);
	return 0;
}

TEST_WITH(test_two_addresses_keep_nobody_out, setup, teardown)
{
	fill(0, SOURCE_MAX, 1, "/");
	fill(SOURCE_MAX, SOURCE_MAX, 2, "/");
	comes(200, 0);
}

TEST_WITH(test_who_has_a_right_stays, setup, teardown)
{
	fill(0, 2, 1, "/a");
	fill(2, 2, 1, "/");
	fill(4, 4, 2, "/");
	comes(200, 4);
}

TEST_WITH(test_a_user_with_more_than_its_part, setup, teardown)
{
	fill(0, 3, 1, "/a");
	fill(3, 2, 2, "/");
	fill(5, 3, 3, "/b");
	comes(200, 0);
}

TEST_WITH(test_each_has_its_right, setup, teardown)
{
	for (unsigned i = 0; i < PLACES; i += 2)
		fill(i, 2, 1 + i, text_from("/%c", (int)('a' + i)));
	comes(503, PLACES);
}

// The least CPU time that one of so many took of the server, each from another address: what other
// programs add to it by interrupts and cold caches is not in each.
static uint64_t cost_us(unsigned first, unsigned count, int *open)
{
	clockid_t clock;
	uint64_t least_us = UINT64_MAX;
	assert_int_equal(pthread_getcpuclockid(thread, &clock), 0);
	for (unsigned i = first; i < first + count; i++) {
		const uint64_t before_us = clock_us_of(clock);
		open[i] = connect_from(0x100 + i);
		assert_int_equal(ask_for(open[i], "/"), 200);
		const uint64_t took_us = clock_us_of(clock) - before_us;
		least_us = took_us < least_us ? took_us : least_us;
	}
	return least_us;
}

// For whom another makes way costs little more than who finds a place.
TEST(test_a_full_house_is_searched_fast)
{
	enum { FULL = 768, SOME = 64, TIMES = 8 };
	static int open[FULL + SOME];
	const struct rlimit files = {4096, 4096};
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &files), 0);
	assert_int_equal(open_with(FULL), 0);
	(void)cost_us(0, FULL - SOME, open);
	const uint64_t with_place_us = cost_us(FULL - SOME, SOME, open);
	const uint64_t without_us = cost_us(FULL, SOME, open);
	http_server_rig_end();
	loop_free(loop);
	for (unsigned i = 0; i < FULL + SOME; i++)
		close(open[i]);
	assert_in_range(without_us, 1, TIMES * with_place_us);
}
