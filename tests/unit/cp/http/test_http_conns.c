// SPDX-License-Identifier: BSD-3-Clause
// Connections of an HTTP server that counts them: no more than it may have, none for longer than it
// takes to ask and to read, and each one's descriptor comes back.

#include "http_server_rig.h"
#include "tests/unit/clock_shift.h"

enum {
	CONNECTIONS = 4,
	LIFE_MS = 600,
	BIG_LEN = 8 << 20,
	FLOOD = 900,
	OVERS = 2 * PATIENCE_MS / HTTP_CONNS_LOOK_MS
};

static struct http_conns_counts counts;
static _Atomic bool is_counted, may_go_on;
static struct http_exchange *late;
static struct http_stream *stream;
static _Atomic unsigned handled; // requests
static uint64_t cut_before;      // as asked() found it

static void on_request(void *, struct http_exchange *x)
{
	if (strcmp(http_path(x), "/stream") == 0) {
		stream = http_stream_begin(x, "application/x-ndjson");
	} else if (strcmp(http_path(x), "/held") == 0) {
		late = x;
		http_defer(x, PATIENCE_MS);
	} else {
		size_t len = strcmp(http_path(x), "/big") == 0 ? BIG_LEN : 2;
		char *text = malloc(len + 1);
		memset(text, 'x', len);
		text[len] = '\0';
		http_reply(x, 200, text);
	}
	handled++;
}

static void on_counts(void *)
{
	struct http_counts c;
	http_server_counts(server, &c);
	counts = c.conns;
	is_counted = true;
}

static struct http_conns_counts count(void)
{
	is_counted = false;
	assert_int_equal(loop_call(loop, on_counts, NULL), 0);
	WAIT_FOR(is_counted);
	return counts;
}

static void await_live(unsigned live)
{
	WAIT_FOR(count().live == live);
	assert_int_equal(counts.live, live);
}

// The other side hung up.
static void await_end(int fd)
{
	assert_true(client_read(fd, PATIENCE_MS) >= 0);
	close(fd);
}

// Asks until it has an answer: where the machine sleeps for all of a connection's time between its
// beginning and what it asks, it is cut. Answers how many were.
static unsigned answered(void)
{
	static const char request[] = "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
	for (unsigned cut = 0; cut < 20; cut++) {
		uint64_t before = count().cut;
		int fd = client_connect();
		(void)!send(fd, request, sizeof(request) - 1, MSG_NOSIGNAL);
		await_end(fd);
		if (strncmp(reply, "HTTP/1.1 200", 12) == 0)
			return cut;
		assert_string_equal(reply, "");
		assert_int_equal(count().cut - before, 1);
	}
	fail_msg("cut each time");
	return 0;
}

// A connection whose request has been handled. One whose time was over by then is made again.
static int asked(const char *request)
{
	for (unsigned cut = 0; cut < 20; cut++) {
		unsigned so_far = handled;
		cut_before = count().cut;
		int fd = client_connect();
		(void)!send(fd, request, strlen(request), MSG_NOSIGNAL);
		WAIT_FOR(handled != so_far || count().cut != cut_before);
		if (handled != so_far)
			return fd;
		close(fd);
	}
	fail_msg("cut each time");
	return -1;
}

// One more than there may be, which were accepted before it. False: the machine was so slow that
// the time of some was over by then.
static bool over_is_refused(void)
{
	int fd[CONNECTIONS];
	struct http_conns_counts before = count();
	for (unsigned i = 0; i < CONNECTIONS; i++)
		fd[i] = client_connect();
	int over = client_connect();
	(void)!send(over, "GET / HTTP/1.1\r\n\r\n", 18, MSG_NOSIGNAL);
	await_end(over);
	count();
	bool is_told = strncmp(reply, "HTTP/1.1 503", 12) == 0
		       && strstr(reply, "\r\n\r\n{\"error\":\"too many connections: try again\"}");
	assert_int_equal(is_told, counts.refused - before.refused);
	for (unsigned i = 0; i < CONNECTIONS; i++)
		close(fd[i]);
	assert_true(counts.refused - before.refused <= 1);
	return counts.refused - before.refused == 1;
}

TEST(test_cap)
{
	unsigned tries = 0;
	while (!over_is_refused())
		assert_true(++tries < 20);
	await_live(0);
	(void)answered(); // there is room again
	assert_int_equal(count().most, CONNECTIONS);
}

static void on_busy(void *)
{
	WAIT_FOR(may_go_on);
}

// More at once than there are places for, with those that get a 503: each gets one in its turn.
TEST(test_flood)
{
	static_assert((int)FLOOD > 64 + (int)HTTP_CONNS_MAX);
	int fd[FLOOD];
	struct http_conns_counts before = count();
	may_go_on = false;
	assert_int_equal(loop_call(loop, on_busy, NULL), 0);
	for (unsigned i = 0; i < FLOOD; i++)
		fd[i] = client_connect();
	may_go_on = true;
	for (unsigned i = 0; i < FLOOD; i++)
		await_end(fd[i]);
	await_live(0);
	assert_int_equal(counts.made - before.made, FLOOD);
	assert_int_equal(counts.most, CONNECTIONS);
	(void)answered();
}

// A byte now and then is no silence, yet its time ends. The test checks that while it sends.
TEST(test_slow_sender)
{
	struct http_conns_counts before = count();
	int fd = client_connect();
	struct pollfd p = {.fd = fd, .events = POLLIN};
	bool is_over = send(fd, "GET / HTTP/1.1\r\nX: ", 19, MSG_NOSIGNAL) < 0;
	for (unsigned i = 0; i < PATIENCE_MS / 100 && !is_over; i++) {
		is_over = poll(&p, 1, 100) == 1;
		if (!is_over && send(fd, "x", 1, MSG_NOSIGNAL) < 0)
			is_over = true;
	}
	assert_true(is_over);
	close(fd);
	await_live(0);
	assert_int_equal(count().cut - before.cut, 1);
}

// An early look, of which each one over the cap has one, does not put off the next one.
TEST(test_over_puts_nothing_off)
{
	for (unsigned i = 0; i < OVERS; i++)
		(void)over_is_refused();
	await_live(0);
	test_slow_sender(NULL);
}

// Takes some of a long reply now and then.
TEST(test_slow_reader)
{
	char some[16];
	int fd = asked("GET /big HTTP/1.1\r\nHost: a\r\n\r\n");
	WAIT_FOR(count().cut != cut_before, (void)!recv(fd, some, sizeof(some), MSG_DONTWAIT));
	assert_int_equal(counts.cut - cut_before, 1);
	close(fd);
	await_live(0);
}

// One that does not read its reply and sends on: nobody keeps what it sends.
TEST(test_sends_on)
{
	enum { MANY = 8 << 20 };
	static char junk[1 << 16];
	size_t taken = 0;
	// None was sent: the machine slept for all of its time.
	for (unsigned i = 0; i < 20 && taken == 0; i++) {
		int fd = asked("GET /big HTTP/1.1\r\nHost: a\r\n\r\n");
		while (taken < MANY && count().cut == cut_before) {
			ssize_t n = send(fd, junk, sizeof(junk), MSG_NOSIGNAL | MSG_DONTWAIT);
			taken += n > 0 ? (size_t)n : 0;
		}
		close(fd);
	}
	assert_in_range(taken, 1, MANY - 1);
	await_live(0);
}

// One that asks again and again has its time from each request on.
TEST(test_many_requests)
{
	struct http_conns_counts before = count();
	unsigned made = 50;
	for (unsigned i = 0; i < 50; i++)
		made += answered();
	await_live(0);
	assert_int_equal(count().made - before.made, made);
	assert_int_equal(counts.refused, before.refused);
	assert_int_equal(counts.since_ms, 0);
}

static int setup(void **)
{
	return http_server_rig_open(unix_listen(FLOOD), (struct http_settings){.exchanges_max = 4,
								.connections_max = CONNECTIONS,
								.connection_ms = LIFE_MS,
								.admit = admit_all,
								.handle = on_request});
}

static int teardown(void **state)
{
	int held = client_connect(); // ends with the server
	http_server_rig_end();
	loop_free(loop);
	close(held);
	return own_folder_teardown(state);
}

static void on_held(void *)
{
	if (http_stream_send(stream, "late\n", 5))
		http_stream_close(stream);
	http_reply(late, 200, strdup("late"));
}

// What the server takes its time for is not slow: the connection's own time begins with the reply.
TEST(test_late_reply)
{
	int waits = asked("GET /held HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
	int streams = asked("GET /stream HTTP/1.1\r\nHost: a\r\n\r\n");
	clock_ahead_by_ms(3 * LIFE_MS);
	(void)count(); // in a turn of the server
	assert_int_equal(count().cut, cut_before);
	assert_int_equal(counts.live, 2);
	assert_int_equal(loop_call(loop, on_held, NULL), 0);
	assert_true(client_read(waits, PATIENCE_MS) > 0);
	assert_non_null(strstr(reply, "\r\n\r\nlate"));
	assert_true(client_read(streams, PATIENCE_MS) > 0);
	close(waits);
	close(streams);
	await_live(0);
}

TEST_GROUP(setup, teardown)
