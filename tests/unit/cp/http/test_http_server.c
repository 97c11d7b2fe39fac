// SPDX-License-Identifier: BSD-3-Clause
// The HTTP server over a real socket and loop, against clients that do not mean well.

#include "http_server_rig.h"
#include "tests/unit/clock_shift.h"
#include "tests/unit/few_files.h"
#include "tests/unit/merge_fields.h"

#include <event2/event.h>

enum { REQUESTS_MAX = 8, LATE_MS = 200, TICK_MS = 5, BIG_LEN = 1 << 21 };

static struct http_exchange *held_exchanges[REQUESTS_MAX];
static _Atomic unsigned held;

static char *counts_text(void)
{
	struct http_counts c;
	char text[256];
	http_server_counts(server, &c);
	snprintf(text, sizeof(text), "full %u bad %u timeouts %u ", (unsigned)c.refused_full,
		(unsigned)c.bad_requests, (unsigned)c.timeouts);
	return strdup(text);
}

static bool on_admit(void *, const struct ucred *peer, int)
{
	return peer->pid == getpid();
}

static char *big_text(void)
{
	char *text = malloc(BIG_LEN + 1);
	memset(text, 'x', BIG_LEN);
	text[BIG_LEN] = '\0';
	return text;
}

// /held, /late: not replied to before held_release, but for the 504 of /late. /body: POST only.
// /big: more than a socket buffers. Else the counters.
static void on_request(void *, struct http_exchange *x)
{
	bool late = strcmp(http_path(x), "/late") == 0;
	if (late || strcmp(http_path(x), "/held") == 0) {
		http_defer(x, late ? LATE_MS : 60000);
		held_exchanges[held] = x;
		held++;
	} else if (strcmp(http_path(x), "/body") == 0) {
		http_reply(x, http_is_post(x) ? 200 : 405, strdup("{}"));
	} else if (strcmp(http_path(x), "/big") == 0) {
		http_reply(x, 200, big_text());
	} else {
		http_reply(x, 200, counts_text());
	}
}

static int client_held(const char *request)
{
	unsigned wanted = held + 1;
	int fd = client_connect();
	client_send(fd, request);
	client_send(fd, " HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
	WAIT_FOR(held >= wanted);
	assert_int_equal(held, wanted);
	return fd;
}

static void on_release(void *)
{
	for (; held > 0; held--)
		http_reply(held_exchanges[held - 1], 200, strdup("{}"));
}

static void held_release(void)
{
	assert_int_equal(loop_call(loop, on_release, NULL), 0);
	WAIT_FOR(held == 0);
}

// Sends `text` in one piece; the status of the reply, 0 when that is only the connection's
// end.
static int ask_raw(const char *text, size_t len)
{
	int fd = client_connect(), status = 0;
	assert_int_equal(send(fd, text, len, MSG_NOSIGNAL), len);
	assert_true(client_read(fd, PATIENCE_MS) >= 0);
	close(fd);
	(void)sscanf(reply, "HTTP/1.1 %d", &status);
	return status;
}

TEST(test_hostile)
{
	static const struct {
		int status;
		const char *text;
	} cases[] = {
		{400, "\r\n\r\n"},
		{400, "GET\r\n\r\n"},
		{400, "GET /health\r\n\r\n"},
		{400, "GET /health HTTP/2.0\r\n\r\n"},
		{400, "GET /health HTTP/1.1\r\nno colon\r\n\r\n"},
		{400, "POST /body HTTP/1.1\r\nContent-Length: -1\r\n\r\n"},
		{400, "POST /body HTTP/1.1\r\nContent-Length: 1x\r\n\r\n"},
		{413, "POST /body HTTP/1.1\r\nContent-Length: 65537\r\n\r\n"},
		{413, "POST /x HTTP/1.1\r\nContent-Length: 99999999999999999999999\r\n\r\n"},
		{413, "POST /x HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nfffffffff\r\n"},
		{417, "POST /x HTTP/1.1\r\nContent-Length: 5\r\nExpect: more\r\n\r\n"},
		{501, "FETCH /health HTTP/1.1\r\n\r\n"},
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		assert_int_equal(ask_raw(cases[i].text, strlen(cases[i].text)), cases[i].status);

	static char garbage[4096];
	srand(1);
	for (size_t i = 0; i < sizeof(garbage); i++)
		garbage[i] = (char)rand();
	memcpy(garbage + sizeof(garbage) - 4, "\r\n\r\n", 4);
	assert_int_equal(ask_raw(garbage, sizeof(garbage)), 400);
	assert_reply("GET /", 200, "bad 0");
}

TEST(test_sizes)
{
	static char text[8192 + 128] =
		"GET /health HTTP/1.1\r\nHost: a\r\nConnection: close\r\nX: ";
	size_t head = strlen(text);
	memset(text + head, 'x', sizeof(text) - head);
	assert_int_equal(ask_raw(text, sizeof(text)), 400);
	memcpy(text + 8100, "\r\n\r\n", 4);
	assert_int_equal(ask_raw(text, 8104), 200);
	memset(text + 5, 'x', sizeof(text) - 5); // a request line without an end
	assert_int_equal(ask_raw(text, sizeof(text)), 400);

	// A body that is allowed is read, then ignored; the request may come in any pieces.
	int fd = client_connect();
	static const char parts[] = "POST /body HTTP/1.1\r\nHost: a\r\nConnection: close\r\n"
				    "Content-Length: 10\r\n\r\n0123456789";
	for (size_t i = 0; i < sizeof(parts) - 1; i++)
		assert_int_equal(write(fd, parts + i, 1), 1);
	assert_true(client_read(fd, PATIENCE_MS) > 0);
	assert_memory_equal(reply, "HTTP/1.1 200", 12);
	close(fd);
}

// Two requests at once on one connection: two replies, in order.
TEST(test_keep_alive)
{
	static const char two[] = "POST /body HTTP/1.1\r\nHost: a\r\n\r\n"
				  "GET /body HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
	assert_int_equal(ask_raw(two, sizeof(two) - 1), 200);
	assert_non_null(strstr(reply + 1, "HTTP/1.1 405"));
}

// The client goes away, or sends what nobody asked for, or closes its half; then the answer comes.
TEST(test_while_waiting)
{
	static char more[20000];
	int gone = client_held("GET /held"), half = client_held("GET /held"),
	    eager = client_held("GET /held");
	close(gone);
	assert_int_equal(shutdown(half, SHUT_WR), 0);
	assert_int_equal(send(eager, more, sizeof(more), MSG_NOSIGNAL), sizeof(more));
	assert_reply("GET /", 200, "full 0"); // the server has had its turn
	held_release();
	assert_true(client_read(half, PATIENCE_MS) > 0);
	assert_memory_equal(reply, "HTTP/1.1 200", 12);
	assert_true(client_read(eager, PATIENCE_MS) > 0);
	assert_memory_equal(reply, "HTTP/1.1 200", 12);
	close(half);
	close(eager);
	assert_reply("GET /", 200, "timeouts 0 ");
}

// Clients that do not send, however many, end on time. Those that do not read: test_http_conns.c.
TEST(test_silent)
{
	int silent[100], slow = client_connect();
	uint64_t start = clock_mono_ms();
	for (unsigned i = 0; i < ARRAY_LEN(silent); i++)
		silent[i] = client_connect();
	client_send(slow, "GET /hea");
	assert_reply("GET /", 200, "full 0");
	for (unsigned i = 0; i < ARRAY_LEN(silent); i++) {
		assert_int_equal(client_read(silent[i], PATIENCE_MS), 0);
		close(silent[i]);
	}
	assert_int_equal(client_read(slow, PATIENCE_MS), 0);
	close(slow);
	assert_true(clock_mono_ms() - start >= 1900);
}

// What evhttp takes, but for both lengths, and RFC 9112 refuses: the status with its reason, then
// the connection's end, whatever comes behind.
TEST(test_malformed)
{
	static const struct {
		const char *text, *why;
	} cases[] = {
		{"GET / HTTP/1.1\r\n\r\n", "one Host"},
		{"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", "one Host"},
		{"GET / HTTP/1.1\r\nHost: a b\r\n\r\n", "one Host"},
		{"GET / HTTP/1.1\r\nHost: a\r\nX : b\r\n\r\n", "name of a header field"},
		{"GET / HTTP/1.1\r\nHost: a\r\nX y: b\r\n\r\n", "name of a header field"},
		{"GET / HTTP/1.1\nHost: a\n\n", "request line"},
		{"POST /body HTTP/1.1\r\nHost: a\r\nContent-Length: +5\r\n\r\nabcde",
			"the only length"},
		{"POST /body HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n"
		 "Content-Length: 5\r\n\r\nabcde",
			"the only length"},
		{"POST /body HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n",
			"is not chunked"},
		{"POST /body HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n"
		 "Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n",
			"Bad Request"},
		{"POST /body HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
		 "2\r\nab0\r\n\r\n\r\n0\r\n\r\n",
			"chunk"},
	};
	char text[512];
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const int n = snprintf(text, sizeof(text),
			"%sGET /held HTTP/1.1\r\nHost: a\r\n\r\n", cases[i].text);
		print_message("%s\n", text);
		assert_int_equal(ask_raw(text, (size_t)n), 400);
		assert_non_null(strstr(reply, cases[i].why));
		assert_non_null(strstr(reply, "Connection: close\r\n"));
	}
	assert_int_equal(held, 0);
	assert_reply("GET /", 200, "bad 10");
}

// Servers differ in whether they read the body of anything but a POST: what is in it is no request
// of its own, nor the beginning of the next one.
TEST(test_a_body_is_no_request)
{
	static const char *const methods[] = {"GET", "HEAD"};
	static const char *const more[] = {
		"GET /held HTTP/1.1\r\nHost: a\r\n\r\n", "POST /held HTTP/1.1\r\nX: "};
	for (unsigned i = 0; i < 4; i++) {
		const char *text = text_from("%s / HTTP/1.1\r\nHost: a\r\nContent-Length: %zu\r\n"
					     "\r\n%sGET /held HTTP/1.1\r\nHost: a\r\n\r\n",
			methods[i / 2], strlen(more[i % 2]), more[i % 2]);
		assert_int_equal(ask_raw(text, strlen(text)), 400);
		assert_non_null(strstr(reply, "Connection: close\r\n"));
		assert_null(strstr(reply + 1, "HTTP/1.1 "));
	}
	static const char chunked[] = "GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n"
				      "\r\n0\r\n\r\n";
	assert_int_equal(ask_raw(chunked, sizeof(chunked) - 1), 400);
	assert_int_equal(held, 0);
	assert_reply("GET /", 200, "full 0");
}

// No proxy, and none that stays open: it ends long before its time.
TEST(test_connect)
{
	int fd = client_connect();
	client_send(fd, "CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n");
	assert_true(client_read(fd, PATIENCE_MS / 2) > 0);
	assert_non_null(strstr(reply, "HTTP/1.1 501"));
	close(fd);
}

// The header of a GET, and the connection goes on.
TEST(test_head)
{
	static const char two[] = "HEAD / HTTP/1.1\r\nHost: a\r\n\r\n"
				  "HEAD /body HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
	assert_int_equal(ask_raw(two, sizeof(two) - 1), 200);
	assert_non_null(strstr(reply, "Content-Length: 2"));
	assert_null(strstr(reply, "full"));
	const char *second = strstr(reply, "\r\n\r\n");
	assert_memory_equal(second + 4, "HTTP/1.1 405 ", 13);
	assert_null(strstr(second, "{}"));
}

// A client that stands still for longer than evhttp's own limit gets the whole reply.
TEST(test_a_reader_that_pauses)
{
	int fd = client_connect();
	size_t total = 0;
	client_send(fd, "GET /big HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
	assert_true(client_waits(fd, PATIENCE_MS));
	clock_ahead_by_ms((HTTP_TIMEOUT_S + 1) * 1000);
	assert_reply("GET /", 200, "full 0"); // the server has seen what time it is
	for (ssize_t n; client_waits(fd, PATIENCE_MS) && (n = read(fd, reply, sizeof(reply))) > 0;)
		total += (size_t)n;
	assert_true(total > BIG_LEN);
	close(fd);
}

// A reply that is too late is 504, and comes to nothing.
TEST(test_deadline)
{
	uint64_t start = clock_mono_ms();
	int fd = client_held("GET /late");
	assert_true(client_read(fd, PATIENCE_MS) > 0);
	assert_memory_equal(reply, "HTTP/1.1 504", 12);
	assert_non_null(strstr(reply, "{\"error\":\"no answer in time\"}"));
	assert_true(clock_mono_ms() - start >= LATE_MS - TICK_MS);
	close(fd);
	held_release();
	assert_reply("GET /", 200, "timeouts 1 ");
}

// One request more than may be served at once gets a 503; those that hung up count until their
// reply.
TEST(test_too_many)
{
	int fd[REQUESTS_MAX];
	for (unsigned i = 0; i < REQUESTS_MAX; i++)
		fd[i] = client_held("GET /held");
	for (unsigned i = 0; i < REQUESTS_MAX; i++)
		close(fd[i]);
	assert_reply("GET /", 503, "{\"error\":\"too busy: try again\"}");
	assert_non_null(strstr(reply, "Retry-After: 1\r\n"));
	held_release();
	assert_reply("GET /", 200, "full 1 ");
}

static _Atomic unsigned warnings;

static void on_warning(int, const char *)
{
	warnings++;
}

// Without a free file a connection waits in the kernel; the loop neither turns nor forgets it.
TEST(test_files)
{
	enum { FILES = 128 };
	struct few_files files;
	few_files_begin(&files, FILES);
	event_set_log_callback(on_warning);
	int fd = client_connect();
	client_send(fd, "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
	STAYS_SO(warnings == 0, 300); // libevent's own way would be one for each turn
	few_files_lift(&files);
	assert_true(client_read(fd, PATIENCE_MS) > 0);
	assert_memory_equal(reply, "HTTP/1.1 200", 12);
	close(fd);
	few_files_close(&files);
}

// A client may have an address of its own, as long as it likes.
TEST(test_client_address)
{
	struct sockaddr_un sun = {.sun_family = AF_UNIX}, mine = {.sun_family = AF_UNIX};
	memcpy(sun.sun_path, path, strlen(path) + 1);
	memset(mine.sun_path + 1, 'x', sizeof(mine.sun_path) - 1);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&mine, sizeof(mine)), 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&sun, sizeof(sun)), 0);
	client_send(fd, "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
	assert_true(client_read(fd, PATIENCE_MS) > 0);
	assert_memory_equal(reply, "HTTP/1.1 200", 12);
	close(fd);
}

// Closed while a client waits: its connection ends, and the late reply goes nowhere.
TEST(test_close)
{
	int fd = client_held("GET /held");
	http_server_rig_end();
	assert_int_equal(client_read(fd, PATIENCE_MS), 0);
	close(fd);
	assert_false(http_is_live(held_exchanges[0]));
	on_release(NULL);
}

static int setup(void **)
{
	return http_server_rig_open(
		unix_listen(128), (struct http_settings){.exchanges_max = REQUESTS_MAX,
					  .connections_max = 200,
					  .connection_ms = PATIENCE_MS,
					  .admit = on_admit,
					  .handle = on_request});
}

static int teardown(void **state)
{
	loop_free(loop);
	return own_folder_teardown(state);
}

TEST_GROUP(setup, teardown)

static void add_counts(void *to, const void *from)
{
	http_counts_add(to, from);
}

TEST(test_every_count_of_two_servers_is_added)
{
	const struct merge_left left[] = {
		MERGE_GAP(struct http_counts, waiting_most, since_ms),
		MERGE_GAP(struct http_counts, conns.max, conns.made),
	};
	static const struct http_counts none;
	MERGE_CHECK(struct http_counts, add_counts, left, ARRAY_LEN(left), &none, &none);
}
