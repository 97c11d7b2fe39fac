// SPDX-License-Identifier: BSD-3-Clause

// A request of whoever may use the control socket, with any path and any parameters, to the real
// API over a real resolver, a query store without files, a query log with its tail and its watch, a
// history of memory, and the doubles of its unit test for the rules. Each gets one whole reply,
// whose JSON a parser takes, or the begin of a stream, which is hung up on.
//
// The first octet: POST or GET; the rest is the target. Octets that would end it are changed.

#include "../../controlplane/api.h"
#include "../../controlplane/memory_meter.h"
#include "../../controlplane/querylog.h"
#include "../../controlplane/tail.h"
#include "../../controlplane/watch.h"
#include "../unit/api_rules_double.h"
#include "../unit/api_tcp_double.h"
#include "../unit/api_top_double.h"
#include "resolver_box.h"

#include <event2/event.h>
#include <jansson.h>

#include <signal.h>
#include <weir/log.h>

enum { IS_POST = 1, TARGET_MOST = 600, PATIENCE_TURNS = 100000, QUIET_TURNS = 1000 };

static const char stream_type[] = "Content-Type: application/x-ndjson";

static struct api *api;
static struct querylog *log_of_queries;
static struct tail *tail;
static struct watch *watch;
static struct memory_meter *meter;
static struct config config = {.blocking = {.enabled = true}};

static const struct config *current(void *)
{
	return &config;
}

static void group_now(void *, unsigned, struct group_now *out)
{
	*out = (struct group_now){.mask = {.active = 1}, .pause_left_s = 61};
}

static int group_pause(void *, const char *name, unsigned)
{
	return strcmp(name, "bed") == 0 ? 0 : -ENOENT;
}

static int reload(void *, api_config_done done, void *done_arg)
{
	done(done_arg, 0, "", "");
	return 0;
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

static void meter_open(void)
{
	char history[96];
	snprintf(history, sizeof history, "%.60s/memory.history", box.paths.run);
	FUZZ_CHECK(memory_meter_open(&meter, history) == 0);
}

int LLVMFuzzerInitialize(int *, char ***)
{
	struct query_store *store;
	char why[API_WHY_MAX], folder[80];
	signal(SIGPIPE, SIG_IGN); // as the control plane does
	box_open();
	log_open();
	meter_open();
	box_link();
	log_init("fuzz", LOG_LEVEL_ERROR);
	snprintf(path, sizeof path, "%.40s/control.sock", box.paths.run);
	snprintf(folder, sizeof folder, "%.60s", box.paths.run);
	const struct query_store_settings settings = {
		.folder = folder, .hours = 10, .max_bytes = 16 << 20};
	FUZZ_CHECK(query_store_open(&store, &settings) == 0);
	const struct api_deps deps = {.service = box.loop,
		.resolver = box.resolver,
		.publisher = box.publisher,
		.store = store,
		.log = log_of_queries,
		.tail = tail,
		.watch = watch,
		.meter = meter,
		.top = top_double(),
		.socket_path = path,
		.config_path = "/etc/weir/weir.yaml",
		.config_current = current,
		.group_now = group_now,
		.group_pause = group_pause,
		.config_reload = reload};
	FUZZ_CHECK(api_open(&api, &deps, why) == 0);
	return 0;
}

// A request line that ends where it should.
static int request_make(const uint8_t *data, size_t len, char out[TARGET_MOST + 64])
{
	char target[TARGET_MOST + 1];
	for (size_t i = 1; i < len; i++)
		target[i - 1] = (char)(data[i] <= ' ' || data[i] == 0x7f ? '+' : data[i]);
	target[len - 1] = '\0';
	return sprintf(out, "%s /%s HTTP/1.1\r\nConnection: close\r\n\r\n",
		data[0] & IS_POST ? "POST" : "GET", target);
}

// Its head and its first line, where it has one at once, are there.
static bool is_stream(size_t len)
{
	reply[len] = '\0';
	return strstr(reply, stream_type) && strstr(reply, "\r\n\r\n");
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
		ssize_t n = recv(fd, reply + len, sizeof reply - 1 - len, MSG_DONTWAIT);
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
		if (len == sizeof reply - 1)
			len = sizeof reply / 2; // of one that is longer, only that it ends
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
	if (!strstr(reply, "Content-Type: application/json") || len >= sizeof reply / 2)
		return;
	for (const char *c = body + 4; *c; c++)
		FUZZ_CHECK((uint8_t)*c >= ' ' || *c == '\n');
	json_error_t error;
	json_t *root = json_loads(body + 4, JSON_REJECT_DUPLICATES, &error);
	FUZZ_CHECK(json_is_object(root));
	json_decref(root);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	char request[TARGET_MOST + 64];
	if (len < 1 || len > TARGET_MOST)
		return 0;
	int n = request_make(data, len, request), fd = client_connect();
	FUZZ_CHECK(send(fd, request, (size_t)n, MSG_NOSIGNAL) == n);
	reply_check(reply_read(fd));
	close(fd);
	return 0;
}
