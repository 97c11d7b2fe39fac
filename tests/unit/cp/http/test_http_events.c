// SPDX-License-Identifier: BSD-3-Clause
// The stream of events over a real socket: as server-sent events, on after a break, for more
// readers than there may be, for one that reads nothing; and as one document.

#include "controlplane/api/api.h"
#include "http_client.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <weir/clock.h>

enum { WAIT_MS = 20000, READERS_MAX = 8 };

static char folder[] = "/tmp/weir-test-events-XXXXXX";
static struct loop *service;
static struct api *api;
static struct events *events;
static pthread_t thread;

// Runs on the loop, whose thread owns the events; waits for it.
struct errand {
	void (*run)(struct errand *e);
	unsigned count;
	const char *text;
	uint64_t newest;
	struct table_registry tables;
	_Atomic bool is_done;
};

static void errand_run(void *arg)
{
	struct errand *e = arg;
	e->run(e);
	e->is_done = true;
}

static void on_loop(struct errand *e)
{
	e->is_done = false;
	assert_int_equal(loop_call(service, errand_run, e), 0);
	while (!e->is_done)
		usleep(500);
}

static void events_put(struct errand *e)
{
	for (unsigned i = 0; i < e->count; i++)
		events_add(events, EVENT_list_failed, EVENT_FIELDS({"list", "ads\n\"two\""}), "%s",
			e->text);
	e->newest = events_newest(events);
}

// The number of the last one.
static uint64_t add(unsigned count, const char *text)
{
	struct errand e = {.run = events_put, .count = count, .text = text};
	on_loop(&e);
	return e.newest;
}

static void tables_take(struct errand *e)
{
	api_tables(api, &e->tables);
}

static struct table_info table(const char *name)
{
	static struct errand e;
	e = (struct errand){.run = tables_take};
	on_loop(&e);
	for (unsigned i = 0; i < e.tables.count; i++)
		if (strcmp(e.tables.table[i].name, name) == 0)
			return e.tables.table[i];
	fail_msg("no table %s", name);
	return e.tables.table[0];
}

static void readers_wait(uint64_t readers)
{
	uint64_t end_ms = clock_mono_ms() + WAIT_MS;
	while (table("event_readers").used != readers && clock_mono_ms() < end_ms)
		usleep(5000);
	assert_int_equal(table("event_readers").used, readers);
}

static int follow(const char *query, const char *header)
{
	char text[256];
	int fd = client_connect();
	snprintf(text, sizeof(text), "GET /events%s HTTP/1.1\r\n%s\r\n", query, header);
	client_send(fd, text);
	return fd;
}

static char all[4 * sizeof(reply)];

static void part_wait(int fd, const char *part)
{
	uint64_t end_ms = clock_mono_ms() + WAIT_MS;
	all[0] = '\0';
	while (!strstr(all, part) && clock_mono_ms() < end_ms) {
		assert_int_equal(client_read(fd, 50), -1); // it goes on
		if (strlen(all) + strlen(reply) < sizeof(all))
			strcat(all, reply);
	}
	if (!strstr(all, part))
		fail_msg("no %s in: %s", part, all);
}

static void test_stream(void **)
{
	char id[64];
	int fd = follow("", "");
	part_wait(fd, ": weir\n\n");
	assert_non_null(strstr(all, "Content-Type: text/event-stream"));
	const uint64_t number = add(1, "first");
	part_wait(fd, "\"text\":\"first\"");
	snprintf(id, sizeof(id), "id: %llu\nevent: list_failed\ndata: {",
		(unsigned long long)number);
	close(fd);
	readers_wait(0);
	// Again from the beginning, in one piece.
	fd = follow("", "");
	part_wait(fd, "\"text\":\"first\"");
	assert_non_null(strstr(all, id));
	assert_non_null(strstr(all, "\"severity\":\"warning\""));
	assert_non_null(strstr(all, "\"fields\":{\"list\":\"ads\\n\\\"two\\\"\"}}"));
	close(fd);
	readers_wait(0);
}

static void test_goes_on_after_a_break(void **)
{
	char query[64], header[64];
	const uint64_t number = add(1, "before");
	add(1, "behind");
	snprintf(query, sizeof(query), "?after=%llu", (unsigned long long)number);
	snprintf(header, sizeof(header), "Last-Event-ID: %llu\r\n", (unsigned long long)number);
	int fd = follow(query, "");
	part_wait(fd, "\"text\":\"behind\"");
	assert_null(strstr(all, "before"));
	close(fd);
	fd = follow("?after=0", header); // what a browser sends in its second try
	part_wait(fd, "\"text\":\"behind\"");
	assert_null(strstr(all, "before"));
	close(fd);
	fd = follow("", "Last-Event-ID: none\r\n");
	part_wait(fd, "\"text\":\"before\"");
	close(fd);
	readers_wait(0);
}

static void test_missed(void **)
{
	char query[64];
	const uint64_t number = add(1, "old");
	add(EVENTS_MAX + 6, "new");
	snprintf(query, sizeof(query), "?after=%llu", (unsigned long long)number);
	int fd = follow(query, "");
	part_wait(fd, "event: missed\ndata: {\"missed\":6}\n\n");
	close(fd);
	readers_wait(0);
	assert_true(table("events").evicted >= 6);
	assert_int_equal(table("events").used, EVENTS_MAX);
}

static void test_document(void **)
{
	char request[64], text[64];
	const uint64_t number = add(1, "one");
	const uint64_t newest = add(1, "two");
	snprintf(request, sizeof(request), "GET /events?follow=0&after=%llu",
		(unsigned long long)number);
	assert_reply(request, 200, "\"text\":\"two\"");
	assert_null(strstr(reply, "\"text\":\"one\""));
	snprintf(text, sizeof(text), "\"newest\":%llu", (unsigned long long)newest);
	assert_non_null(strstr(reply, text));
	assert_non_null(strstr(reply, "\"missed\":0"));
	snprintf(request, sizeof(request), "GET /events?follow=0&after=%llu",
		(unsigned long long)newest);
	assert_reply(request, 200, "\"events\":[]");
}

static void test_refused(void **)
{
	int fd[READERS_MAX];
	assert_reply("GET /events?after=x", 400, "after: must be the number of an event");
	assert_reply("GET /events?after=", 400, "after: must be");
	assert_reply("GET /events?after=-1", 400, "after: must be");
	assert_reply("GET /events?after=1234567890123456789", 400, "after: must be");
	assert_reply("GET /events?follow=2", 400, "follow: must be 0 or 1");
	assert_reply("POST /events", 405, "use GET");
	for (unsigned i = 0; i < READERS_MAX; i++)
		fd[i] = follow("", "");
	readers_wait(READERS_MAX);
	assert_reply("GET /events", 503, "readers of events are there already");
	assert_int_equal(table("event_readers").refused, 1);
	assert_reply("GET /events?follow=0", 200, "\"newest\""); // a document takes no place
	for (unsigned i = 0; i < READERS_MAX; i++)
		close(fd[i]);
	readers_wait(0);
}

// The data that waits for a reader that reads nothing is bounded, and its connection is closed.
static void test_stuck_is_cut(void **)
{
	char text[EVENT_TEXT_MAX];
	memset(text, 'y', sizeof(text));
	text[sizeof(text) - 1] = '\0';
	int fd = follow("", ""), small = 4096;
	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small)), 0);
	readers_wait(1);
	uint64_t end_ms = clock_mono_ms() + WAIT_MS;
	while (table("event_readers").evicted == 0 && clock_mono_ms() < end_ms) {
		add(50, text);
		usleep(20000);
	}
	assert_int_equal(table("event_readers").evicted, 1);
	assert_int_equal(table("event_readers").used, 0);
	close(fd);
}

static void test_close_while_followed(void **)
{
	int fd = follow("", "");
	readers_wait(1);
	loop_stop(service);
	assert_int_equal(pthread_join(thread, NULL), 0);
	api_close(api);
	assert_true(client_read(fd, PATIENCE_MS) >= 0);
	close(fd);
}

static void *service_run(void *)
{
	assert_int_equal(loop_run(service), 0);
	return NULL;
}

static int setup(void **)
{
	char why[API_WHY_MAX];
	signal(SIGPIPE, SIG_IGN); // as the control plane does
	if (!mkdtemp(folder) || loop_new("service", &service) < 0 || events_open(&events) < 0)
		return -1;
	snprintf(path, sizeof(path), "%s/control.sock", folder);
	const struct api_deps deps = {.service = service,
		.socket_path = path,
		.state_directory = folder,
		.events = events};
	if (api_open(&api, &deps, why) < 0)
		return -1;
	return pthread_create(&thread, NULL, service_run, NULL);
}

static int teardown(void **)
{
	loop_free(service);
	events_close(events);
	return rmdir(folder);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_stream),
		cmocka_unit_test(test_goes_on_after_a_break),
		cmocka_unit_test(test_missed),
		cmocka_unit_test(test_document),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_stuck_is_cut),
		cmocka_unit_test(test_close_while_followed),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
