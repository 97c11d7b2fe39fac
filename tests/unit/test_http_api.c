// SPDX-License-Identifier: BSD-3-Clause
// The control API over its real socket, loop and HTTP server. The calls into the resolver, the
// rules and the publisher end here, in functions of the same names: what is tested is the API.

#include "../../controlplane/api.h"
#include "unit.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include <weir/bytes.h>
#include <weir/clock.h>

static char folder[] = "/tmp/weir-test-api-XXXXXX";
static char path[64];
static struct loop *service;
static struct api *api;
static pthread_t thread;
static _Atomic bool hold_replies; // the other side does not answer
static _Atomic unsigned held;
static _Atomic bool forced;
static struct config config = {.blocking = {.enabled = true}};

// A call on its way back to the service loop.
struct answer {
	void (*status)(void *arg, const struct resolver_status *s);
	void (*entries)(void *arg, const struct cache_entry *entries, unsigned count);
	void (*flushed)(void *arg, uint64_t deleted);
	void *arg;
	uint64_t deleted;
};

static struct answer held_answer;

static void answer_run(struct answer *a)
{
	static const uint8_t message[] = {0, 0, 0x81, 0x80, 0, 1, 0, 1, 0, 0, 0, 0, 1, 'a', 0, 0, 1,
		0, 1, 0xc0, 0x0c, 0, 1, 0, 1, 0, 0, 1, 44, 0, 4, 198, 18, 255, 80};
	if (a->status) {
		static struct resolver_status s = {.misses = 7,
			.upstream_count = 1,
			.upstream = {{.name = "near", .up = true, .srtt_us = 1234}}};
		a->status(a->arg, &s);
	} else if (a->entries) {
		static struct cache_entry e = {.qtype = 1,
			.qclass = 1,
			.ancount = 1,
			.hard_left_ms = -5,
			.answer_len = sizeof message};
		memcpy(e.answer, message, sizeof message);
		a->entries(a->arg, &e, 1);
	} else {
		a->flushed(a->arg, a->deleted);
	}
}

static void on_answer(void *arg)
{
	answer_run(arg);
	free(arg);
}

static int answer_later(const struct answer *a)
{
	if (hold_replies) {
		held_answer = *a;
		held++;
		return 0;
	}
	struct answer *copy = malloc(sizeof *copy);
	*copy = *a;
	return loop_call(service, on_answer, copy);
}

int resolver_status(struct resolver *, struct loop *,
	void (*done)(void *arg, const struct resolver_status *s), void *arg)
{
	return answer_later(&(struct answer){.status = done, .arg = arg});
}

int resolver_cache_get(struct resolver *, const struct dns_name *name, struct loop *,
	void (*done)(void *arg, const struct cache_entry *entries, unsigned count), void *arg)
{
	if (name->labels > 3)
		return -EAGAIN;
	return answer_later(&(struct answer){.entries = done, .arg = arg});
}

int resolver_cache_flush(struct resolver *, const struct dns_name *, bool subtree, struct loop *,
	void (*done)(void *arg, uint64_t deleted), void *arg)
{
	return answer_later(
		&(struct answer){.flushed = done, .arg = arg, .deleted = subtree ? 20 : 1});
}

void publish_status(const struct publisher *, struct publish_status *out)
{
	*out = (struct publish_status){.names_generation = 3};
}

void rules_status(struct rules *, struct rules_status *out)
{
	static const struct rules_list_status list = {.name = "ads", .error = -ENOENT};
	*out = (struct rules_status){.names = 150000, .list_count = 1, .lists = &list};
}

int rules_why(struct rules *, const struct dns_name *name, struct rules_why *out)
{
	if (name->labels == 1)
		return -ENOENT;
	*out = (struct rules_why){.verdict = {.action = RULE_BLOCK, .matched = true},
		.rule = "ads.example",
		.list_count = 1,
		.lists = {"ads"}};
	return 0;
}

int rules_reload(struct rules *, const struct config *, bool force, rules_done done, void *arg)
{
	static struct rules_status s;
	forced = force;
	s = (struct rules_status){
		.outcome = force ? RULES_PUBLISHED : RULES_FAILED, .error = "no such file"};
	done(arg, &s);
	return 0;
}

static const struct config *current(void *)
{
	return &config;
}

static int reload(void *arg, api_config_done done, void *done_arg)
{
	if (*(int *)arg == 0)
		done(done_arg, -EINVAL, "weir.yaml:1:1: bad", "");
	else if (*(int *)arg == 1)
		done(done_arg, 0, "", "dataplane.ports");
	else
		return -EBUSY;
	return 0;
}
static int reload_outcome;

static void *service_run(void *)
{
	assert_int_equal(loop_run(service), 0);
	return NULL;
}

static int client_connect(void)
{
	struct sockaddr_un sun = {.sun_family = AF_UNIX};
	memcpy(sun.sun_path, path, strlen(path) + 1);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_true(fd >= 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&sun, sizeof sun), 0);
	return fd;
}

// Everything until the server closes; at most `ms`. Length, or -1 when it did not close.
static int client_read(int fd, char *out, size_t cap, int ms)
{
	size_t len = 0;
	struct pollfd p = {.fd = fd, .events = POLLIN};
	out[0] = '\0';
	while (len + 1 < cap && poll(&p, 1, ms) == 1) {
		ssize_t n = read(fd, out + len, cap - 1 - len);
		if (n <= 0)
			return (int)len;
		len += (size_t)n;
		out[len] = '\0';
	}
	return -1;
}

static char reply[65536];

static void client_send(int fd, const char *text)
{
	assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

// Sends a request line; the status of the reply, whose body is then in `reply`.
static int ask(const char *request)
{
	int fd = client_connect();
	char text[512];
	int status = 0;
	snprintf(text, sizeof text, "%s HTTP/1.1\r\nHost: weir\r\n\r\n", request);
	client_send(fd, text);
	assert_true(client_read(fd, reply, sizeof reply, 5000) > 0);
	close(fd);
	assert_int_equal(sscanf(reply, "HTTP/1.1 %d", &status), 1);
	return status;
}

static void assert_reply(const char *request, int status, const char *part)
{
	assert_int_equal(ask(request), status);
	if (!strstr(reply, part))
		fail_msg("%s: %s", request, reply);
}

static void test_endpoints(void **)
{
	assert_reply("GET /health", 200, "{\"ok\":true}");
	assert_reply("GET /status", 200, "\"names\":150000");
	assert_reply("GET /status", 200, "\"srtt_us\":1234");
	assert_reply("GET /stats", 200, "\"misses\":7");
	assert_reply("GET /cache?name=a.example", 200, "\"data\":\"198.18.255.80\"");
	assert_reply("GET /cache?name=a.example", 200, "\"hard_left_ms\":-5");
	assert_reply("POST /cache/flush?name=a.example", 200, "\"deleted\":1}");
	assert_reply("POST /cache/flush?name=a.example&subtree=1", 200, "\"deleted\":20}");
	assert_reply("GET /blocklist", 200, "\"error\":\"No such file");
	assert_reply("GET /why?name=x.ads.example", 200, "\"action\":\"block\"");
	assert_reply("GET /why?name=x.ads.example", 200, "\"lists\":[\"ads\"]");
	assert_reply("POST /blocklist/reload?force=1", 200, "\"outcome\":\"published\"");
	assert_true(forced);
	assert_reply("POST /blocklist/reload", 500, "\"error\":\"no such file\"");
	assert_false(forced);
	reload_outcome = 1;
	assert_reply("POST /config/reload", 200, "\"needs_restart\":\"dataplane.ports\"");
	reload_outcome = 0;
	assert_reply("POST /config/reload", 400, "{\"error\":\"weir.yaml:1:1: bad\"}");
	reload_outcome = 2;
	assert_reply("POST /config/reload", 503, "\"error\"");
}

static void test_refused(void **)
{
	assert_reply("GET /nothing", 404, "{\"error\":\"no such endpoint\"}");
	assert_reply("POST /status", 405, "use GET");
	assert_reply("GET /config/reload", 405, "use POST");
	assert_reply("DELETE /cache", 405, "\"error\"");
	assert_reply("GET /why", 400, "name: is missing");
	assert_reply("GET /why?name=a..b", 400, "name: is not a domain name");
	assert_reply("GET /why?name=", 400, "name: is not a domain name");
	assert_reply("GET /why?name=a%00b.example", 400, "Bad Request");
	assert_reply("GET /why?name=com", 503, "no rules are loaded yet");
	assert_reply("GET /cache?name=a.b.c.d", 503, "too busy");
	assert_reply("POST /cache/flush?name=a&subtree=2", 400, "subtree: must be 0 or 1");
	assert_reply("GET /cache?name", 400, "\"error\"");
	assert_reply("GET /cache/..//health", 404, "\"error\"");
	assert_reply("nonsense", 405, "\"error\"");
}

static void test_sizes(void **)
{
	int fd = client_connect();
	client_send(fd, "GET /health HTTP/1.1\r\nX: ");
	static char filler[8192];
	memset(filler, 'x', sizeof filler - 1);
	client_send(fd, filler);
	assert_true(client_read(fd, reply, sizeof reply, 5000) > 0);
	assert_memory_equal(reply, "HTTP/1.1 431", 12);
	close(fd);

	fd = client_connect();
	client_send(fd, "POST /config/reload HTTP/1.1\r\nContent-Length: 65537\r\n\r\n");
	assert_true(client_read(fd, reply, sizeof reply, 5000) > 0);
	assert_memory_equal(reply, "HTTP/1.1 413", 12);
	close(fd);

	// A body that is allowed is read, then ignored; the request may come in any pieces.
	fd = client_connect();
	reload_outcome = 1;
	static const char parts[] =
		"POST /config/reload HTTP/1.1\r\nContent-Length: 10\r\n\r\n0123456789";
	for (size_t i = 0; i < sizeof parts - 1; i++)
		assert_int_equal(write(fd, parts + i, 1), 1);
	assert_true(client_read(fd, reply, sizeof reply, 5000) > 0);
	assert_memory_equal(reply, "HTTP/1.1 200", 12);
	close(fd);
}

static unsigned clients_wait(unsigned wanted)
{
	for (unsigned i = 0; i < 500 && held < wanted; i++)
		usleep(2000);
	return held;
}

// The client goes away, then the answer comes.
static void test_hang_up(void **)
{
	hold_replies = true;
	held = 0;
	int fd = client_connect();
	client_send(fd, "GET /stats HTTP/1.1\r\n\r\n");
	assert_int_equal(clients_wait(1), 1);
	close(fd);
	usleep(20000);
	hold_replies = false;
	struct answer *late = malloc(sizeof *late);
	*late = held_answer;
	assert_int_equal(loop_call(service, on_answer, late), 0);
	assert_reply("GET /health", 200, "true");
}

// A silent client, and a reply that never comes, both end on time; the answer comes late.
static void test_deadlines(void **)
{
	hold_replies = true;
	held = 0;
	int silent = client_connect(), waiting = client_connect();
	client_send(silent, "GET /hea");
	client_send(waiting, "GET /stats HTTP/1.1\r\n\r\n");
	uint64_t start = clock_mono_ms();
	assert_int_equal(client_read(silent, reply, sizeof reply, 4000), 0);
	assert_true(client_read(waiting, reply, sizeof reply, 4000) > 0);
	assert_memory_equal(reply, "HTTP/1.1 504", 12);
	assert_in_range(clock_mono_ms() - start, 1900, 3500);
	close(silent);
	close(waiting);
	hold_replies = false;
	struct answer *late = malloc(sizeof *late);
	*late = held_answer;
	assert_int_equal(loop_call(service, on_answer, late), 0);
	assert_reply("GET /health", 200, "true");
}

static void test_too_many(void **)
{
	int fd[API_CLIENTS_MAX], extra;
	for (unsigned i = 0; i < API_CLIENTS_MAX; i++)
		fd[i] = client_connect();
	extra = client_connect();
	assert_int_equal(client_read(extra, reply, sizeof reply, 1000), 0);
	close(extra);
	for (unsigned i = 0; i < API_CLIENTS_MAX; i++)
		close(fd[i]);
	usleep(20000);
	assert_reply("GET /stats", 200, "\"refused_full\":1");
}

static struct api_deps deps_make(void)
{
	return (struct api_deps){.service = service,
		.socket_path = path,
		.config_path = "/etc/weir/weir.yaml",
		.config_current = current,
		.reload_arg = &reload_outcome,
		.config_reload = reload};
}

static void test_socket(void **)
{
	struct stat st;
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);

	struct api_deps deps = deps_make();
	struct api *second = NULL;
	char why[API_WHY_MAX];
	assert_int_equal(api_open(&second, &deps, why), -EADDRINUSE);
	deps.group = "no-such-group-here";
	assert_int_equal(api_open(&second, &deps, why), -ENOENT);
	assert_non_null(strstr(why, "no-such-group-here"));
	deps.group = NULL;
	deps.socket_path = "/nonexistent/control.sock";
	assert_int_equal(api_open(&second, &deps, why), -ENOENT);
	assert_null(second);
}

// Closed while a client waits: it is told, and the late answer hurts nobody.
static void test_close_waiting(void **)
{
	hold_replies = true;
	held = 0;
	int fd = client_connect();
	client_send(fd, "GET /stats HTTP/1.1\r\n\r\n");
	assert_int_equal(clients_wait(1), 1);
	loop_stop(service);
	assert_int_equal(pthread_join(thread, NULL), 0);
	api_close(api);
	api = NULL;
	assert_true(client_read(fd, reply, sizeof reply, 1000) > 0);
	assert_memory_equal(reply, "HTTP/1.1 503", 12);
	assert_non_null(strstr(reply, "\r\n\r\n{\"error\": \"is stopping\"}"));
	close(fd);
	answer_run(&held_answer);
	assert_int_equal(access(path, F_OK), -1);
}

// What a process that was killed leaves behind is no obstacle.
static void test_stale_socket(void **)
{
	struct sockaddr_un sun = {.sun_family = AF_UNIX};
	memcpy(sun.sun_path, path, strlen(path) + 1);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&sun, sizeof sun), 0);
	close(fd);
	struct api_deps deps = deps_make();
	struct api *second = NULL;
	char why[API_WHY_MAX];
	assert_int_equal(api_open(&second, &deps, why), 0);
	api_close(second);
}

static int setup(void **)
{
	if (!mkdtemp(folder) || loop_new("service", &service) < 0)
		return -1;
	snprintf(path, sizeof path, "%s/control.sock", folder);
	struct api_deps deps = deps_make();
	char why[API_WHY_MAX];
	if (api_open(&api, &deps, why) < 0)
		return -1;
	return pthread_create(&thread, NULL, service_run, NULL);
}

static int teardown(void **)
{
	loop_free(service);
	return rmdir(folder);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_endpoints),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_sizes),
		cmocka_unit_test(test_hang_up),
		cmocka_unit_test(test_deadlines),
		cmocka_unit_test(test_too_many),
		cmocka_unit_test(test_socket),
		cmocka_unit_test(test_close_waiting),
		cmocka_unit_test(test_stale_socket),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
