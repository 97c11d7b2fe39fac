// SPDX-License-Identifier: BSD-3-Clause

// A request of any client of the control socket, or of a scraper over the network, with any path
// and any parameters, to the real API over a real resolver, a query log with its tail and its
// watch, a history of memory, and the doubles of its unit test for the rules; of a box with
// everything (api_box.h), whose data plane says anything in its statistics, or of one with little.
// Each gets one whole reply, whose JSON a parser takes, or the begin of a stream, which is hung up
// on.
//
// The first byte: enum; the rest is the target, up to a NUL, and behind that changes to the
// statistics, which are the body of a PUT, too. Bytes that would end the target are changed.

#include "api_box.h"
#include "controlplane/api/api.h"
#include "controlplane/memory/memory_meter.h"
#include "controlplane/querylog/querylog.h"
#include "controlplane/querylog/sinks/tail.h"
#include "controlplane/querylog/watch.h"
#include "resolver_box.h"
#include "tests/unit/cp/api/api_rooms_double.h"

#include <event2/event.h>
#include <jansson.h>

enum {
	IS_POST = 1,
	IS_BARE = 2,      // of the box with little; all else is of the other:
	OVER_NETWORK = 4, // to metrics.listen
	IS_OFF = 8,       // the toggle api
	OUTCOME = 16,     // enum api_box_outcome, two bits: of a reload
	IS_PUT = 64,
	TARGET_MOST = 600,
	INPUT_MOST = 4096,
	REQUEST_MOST = TARGET_MOST + INPUT_MOST + 96,
	PATIENCE_TURNS = 100000,
	QUIET_TURNS = 1000
};

static const char *const stream_types[] = {
	"Content-Type: application/x-ndjson", "Content-Type: text/event-stream"};

static struct api *bare, *whole;
static char bare_path[sizeof(path)];
static struct querylog *log_of_queries;
static struct tail *tail;
static struct watch *watch;
static struct memory_meter *meter;
static struct events *events;

static const struct config *bare_config(void *)
{
	static char directory[] = "/";
	static const struct config none = {.runtime = {.state_directory = directory}};
	return &none;
}

static int bare_apply(void *, const struct apply_request *, api_config_done, void *)
{
	return -EBUSY;
}

static void log_open(void)
{
	static const struct querylog_settings settings = {.box = "fuzz"};
	FUZZ_CHECK(querylog_open(&log_of_queries, &settings) == 0);
	FUZZ_CHECK(watch_open(&watch) == 0 && tail_open(&tail) == 0);
	querylog_set_watch(log_of_queries, watch_put, watch);
	const struct querylog_sink sink = tail_sink(tail);
	FUZZ_CHECK(querylog_add(log_of_queries, &sink) == 0);
	FUZZ_CHECK(resolver_set_log(box.resolver, log_of_queries, &box.config) == 0);
	FUZZ_CHECK(querylog_start(log_of_queries) == 0);
}

static void events_begin(void)
{
	FUZZ_CHECK(events_open(&events, "box") == 0);
	events_add(events, EVENT_list_failed, EVENT_FIELDS({"list", "a\xff\n\"b\""}), "list %s",
		"\x01\x80");
}

static void meter_open(void)
{
	char history[96];
	snprintf(history, sizeof(history), "%.63s/memory.history", box.paths.run);
	FUZZ_CHECK(memory_meter_open(&meter, history) == 0);
}

// Its socket is the one that client_connect knows.
static void whole_open(void)
{
	char why[API_WHY_MAX];
	snprintf(path, sizeof(path), "%.63s/" SHM_NAME_CONTROL_SOCKET, box.paths.run);
	struct api_deps deps = {.service = box.loop,
		.resolvers = &box.all,
		.publisher = box.publisher,
		.log = log_of_queries,
		.tail = tail,
		.watch = watch,
		.meter = meter,
		.events = events,
		.top = top_double(),
		.socket_path = path,
		.state_directory = box.paths.run};
	api_box_open(&deps);
	FUZZ_CHECK(api_open(&whole, &deps, why) == 0);
}

static void bare_open(void)
{
	char why[API_WHY_MAX];
	snprintf(bare_path, sizeof(bare_path), "%.63s/bare.sock", box.paths.run);
	const struct api_deps deps = {.service = box.loop,
		.resolvers = &box.all,
		.publisher = box.publisher,
		.socket_path = bare_path,
		.state_directory = box.paths.run,
		.config_path = "",
		.config_current = bare_config,
		.config_apply = bare_apply};
	FUZZ_CHECK(api_open(&bare, &deps, why) == 0);
}

// What is in L0 before each input: one may flush it.
static void names_ask(void)
{
	static struct fake_answer answer;
	static const struct fake_miss misses[] = {{.name = "a.example", .type = 1, .id = 1},
		{.name = "x.ads.example", .type = 1, .id = 2},
		{.name = "b.a.example", .type = 28, .id = 3}};
	for (unsigned i = 0; i < ARRAY_LEN(misses); i++)
		FUZZ_CHECK(fake_dataplane_ask(&box.dp, &misses[i]));
	fake_dataplane_ring(&box.dp);
	box_settle();
	while (fake_dataplane_answer(&box.dp, &answer, 0))
		continue;
}

FUZZ_BEGIN
{
	signal(SIGPIPE, SIG_IGN); // as the control plane does
	box_open();
	log_open();
	meter_open();
	events_begin();
	box_link();
	log_init("fuzz", LOG_LEVEL_ERROR);
	whole_open();
	bare_open();
	names_ask();
	return 0;
}

// A request line that ends where it should, and a body.
static int request_make(const uint8_t *data, size_t len, const uint8_t *body, size_t body_len,
	char out[REQUEST_MOST])
{
	char target[TARGET_MOST + 1];
	for (size_t i = 1; i < len; i++)
		target[i - 1] = (char)(data[i] <= ' ' || data[i] == 0x7f ? '+' : data[i]);
	target[len - 1] = '\0';
	if (!(data[0] & IS_PUT))
		return sprintf(out, "%s /%s HTTP/1.1\r\nHost: [::1]\r\nConnection: close\r\n\r\n",
			data[0] & IS_POST ? "POST" : "GET", target);
	const int head = sprintf(out,
		"PUT /%s HTTP/1.1\r\nHost: [::1]\r\nConnection: close\r\n"
		"Content-Length: %zu\r\n\r\n",
		target, body_len);
	memcpy(out + head, body, body_len);
	return head + (int)body_len;
}

// Its head and its first line, where it has one at once, are there.
static bool is_stream(size_t len)
{
	reply[len] = '\0';
	bool is = false;
	for (size_t i = 0; i < ARRAY_LEN(stream_types); i++)
		is |= strstr(reply, stream_types[i]) != NULL;
	return is && strstr(reply, "\r\n\r\n");
}

// Everything until the server closes, or a stream has begun. Explanations and searches have threads
// of their own.
static size_t reply_read(int fd)
{
	size_t len = 0;
	for (unsigned i = 0; i < PATIENCE_TURNS; i++) {
		box_turn();
		while (box_upstream_answer())
			continue;
		ssize_t n = recv(fd, reply + len, sizeof(reply) - 1 - len, MSG_DONTWAIT);
		if (n == 0) {
			reply[len] = '\0';
			return len;
		}
		if (n > 0)
			len += (size_t)n;
		if (n > 0 && is_stream(len))
			return len;
		else if (i > QUIET_TURNS)
			usleep(100);
		if (len == sizeof(reply) - 1)
			len = sizeof(reply) / 2; // of one that is longer, only that it ends
	}
	FUZZ_CHECK(!"a reply");
	return 0;
}

static void reply_check(size_t len)
{
	unsigned status = 0;
	FUZZ_CHECK(len > 12 && sscanf(reply, "HTTP/1.1 %3u", &status) == 1);
	FUZZ_CHECK(status >= 200 && status < 600);
	const char *body = strstr(reply, "\r\n\r\n");
	FUZZ_CHECK(body);
	if (!strstr(reply, "Content-Type: application/json") || len >= sizeof(reply) / 2)
		return;
	for (const char *c = body + 4; *c; c++)
		FUZZ_CHECK((uint8_t)*c >= ' ' || *c == '\n');
	json_error_t error;
	json_t *root = json_loads(body + 4, JSON_REJECT_DUPLICATES, &error);
	FUZZ_CHECK(json_is_object(root));
	json_decref(root);
}

static int connect_to(uint8_t how)
{
	char usual[sizeof(path)];
	if (!(how & IS_BARE))
		return how & OVER_NETWORK ? api_box_connect() : client_connect();
	memcpy(usual, path, sizeof(usual));
	memcpy(path, bare_path, sizeof(path));
	int fd = client_connect();
	memcpy(path, usual, sizeof(path));
	return fd;
}

FUZZ_BODY(data, len)
{
	char request[REQUEST_MOST];
	if (len < 1 || len > INPUT_MOST)
		return 0;
	const uint8_t *end = memchr(data + 1, '\0', len - 1);
	size_t target_len = end ? (size_t)(end - data) : len;
	size_t changes_len = end ? len - target_len - 1 : 0;
	if (target_len > TARGET_MOST)
		return 0;
	api_box_reset(
		data[0] & IS_OFF, data[0] / OUTCOME % 4, data + len - changes_len, changes_len);
	int n = request_make(data, target_len, data + len - changes_len, changes_len, request);
	// This one takes the seconds that it says, 30 without.
	if (memmem(request, (size_t)n, " /profile/cpu", 13)
		&& !memmem(request, (size_t)n, "seconds=0", 9))
		return 0;
	int fd = connect_to(data[0]);
	FUZZ_CHECK(send(fd, request, (size_t)n, MSG_NOSIGNAL) == n);
	reply_check(reply_read(fd));
	close(fd);
	if (data[0] & IS_POST)
		names_ask();
	return 0;
}
