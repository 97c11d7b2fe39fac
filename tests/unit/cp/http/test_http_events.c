// SPDX-License-Identifier: BSD-3-Clause
// The stream of events over a real socket: as server-sent events, on after a break, for more
// readers than there may be, for one that reads nothing; and as one document.

#include "api_rig.h"

enum { READERS_MAX = 8 };

static struct events *events;

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
	WAIT_FOR(e->is_done);
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
	WAIT_FOR(table("event_readers").used == readers);
}

static int follow(const char *query, const char *header)
{
	return stream_begin(text_from("/events%s", query), header);
}

TEST(test_stream)
{
	int fd = follow("", "");
	stream_wait(fd, ": weir\n\n");
	assert_non_null(strstr(stream_text, "Content-Type: text/event-stream"));
	const uint64_t number = add(1, "first");
	stream_wait(fd, "\"text\":\"first\"");
	const char *id =
		text_from("id: %llu\nevent: list_failed\ndata: {", (unsigned long long)number);
	close(fd);
	readers_wait(0);
	// Again from the beginning, in one piece.
	fd = follow("", "");
	stream_wait(fd, "\"text\":\"first\"");
	assert_non_null(strstr(stream_text, id));
	assert_non_null(strstr(stream_text, "\"severity\":\"warning\""));
	assert_non_null(strstr(stream_text, "\"fields\":{\"list\":\"ads\\n\\\"two\\\"\"}}"));
	close(fd);
	readers_wait(0);
}

TEST(test_goes_on_after_a_break)
{
	const uint64_t number = add(1, "before");
	add(1, "behind");
	const char *query = text_from("?after=%llu", (unsigned long long)number);
	const char *header = text_from("Last-Event-ID: %llu\r\n", (unsigned long long)number);
	int fd = follow(query, "");
	stream_wait(fd, "\"text\":\"behind\"");
	assert_null(strstr(stream_text, "before"));
	close(fd);
	fd = follow("?after=0", header); // what a browser sends in its second try
	stream_wait(fd, "\"text\":\"behind\"");
	assert_null(strstr(stream_text, "before"));
	close(fd);
	fd = follow("", "Last-Event-ID: none\r\n");
	stream_wait(fd, "\"text\":\"before\"");
	close(fd);
	readers_wait(0);
}

TEST(test_missed)
{
	const uint64_t number = add(1, "old");
	add(EVENTS_MAX + 6, "new");
	int fd = follow(text_from("?after=%llu", (unsigned long long)number), "");
	stream_wait(fd, "event: missed\ndata: {\"missed\":6}\n\n");
	close(fd);
	readers_wait(0);
	assert_true(table("events").evicted >= 6);
	assert_int_equal(table("events").used, EVENTS_MAX);
}

TEST(test_document)
{
	char text[64];
	const uint64_t number = add(1, "one");
	const uint64_t newest = add(1, "two");
	const char *request =
		text_from("GET /events?follow=0&after=%llu", (unsigned long long)number);
	assert_reply(request, 200, "\"text\":\"two\"");
	assert_null(strstr(reply, "\"text\":\"one\""));
	snprintf(text, sizeof(text), "\"newest\":%llu", (unsigned long long)newest);
	assert_non_null(strstr(reply, text));
	assert_non_null(strstr(reply, "\"missed\":0"));
	request = text_from("GET /events?follow=0&after=%llu", (unsigned long long)newest);
	assert_reply(request, 200, "\"events\":[]");
}

TEST(test_refused)
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
TEST(test_stuck_is_cut)
{
	char text[EVENT_TEXT_MAX];
	memset(text, 'y', sizeof(text));
	text[sizeof(text) - 1] = '\0';
	int fd = follow("", ""), small = 4096;
	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small)), 0);
	readers_wait(1);
	WAIT_FOR(table("event_readers").evicted > 0, add(50, text));
	assert_int_equal(table("event_readers").evicted, 1);
	assert_int_equal(table("event_readers").used, 0);
	close(fd);
}

TEST(test_close_while_followed)
{
	int fd = follow("", "");
	readers_wait(1);
	stream_end(fd);
}

static int setup(void **)
{
	if (events_open(&events, "box") < 0)
		return -1;
	return api_rig_open((struct api_deps){.events = events});
}

static int teardown(void **)
{
	events_close(events);
	return api_rig_close(NULL);
}

TEST_GROUP(setup, teardown)
