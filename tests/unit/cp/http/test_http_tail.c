// SPDX-License-Identifier: BSD-3-Clause
// The stream of the control API over a real socket: the rows; clients that are refused, hang up or
// are cut off; and the end of the API with readers on it.

#include "api_rig.h"
#include "tests/unit/cp/querylog/querylog_rig.h"

static struct tail *tail;
static struct querylog_sink sink;
static struct querylog_rig rig;

static void feed(unsigned rows)
{
	const struct querylog_batch *b = querylog_rig_batch(&rig, rows);
	assert_true(sink.take(sink.arg, b));
	querylog_release(b);
}

static struct tail_counts counts(void)
{
	struct tail_counts c;
	tail_counts(tail, &c);
	return c;
}

static void readers_wait(unsigned readers)
{
	WAIT_FOR(counts().readers == readers);
}

static int watch(const char *query, unsigned readers)
{
	int fd = stream_begin(text_from("/log/tail%s", query), "");
	readers_wait(readers);
	return fd;
}

TEST(test_rows_come)
{
	int fd = watch("", 1), other = watch("?client=203.0.113.9", 2);
	feed(2);
	stream_wait(fd, "\"time_us\":");
	feed(1);
	stream_wait(fd, "\"time_us\":");
	assert_int_equal(client_read(other, 50), -1);
	assert_null(strstr(reply, "time_us"));
	close(fd);
	readers_wait(1);
	close(other);
	readers_wait(0);
	assert_int_equal(counts().cut, 0);
}

TEST(test_refused)
{
	int fd[TAIL_READERS_MAX];
	for (unsigned i = 0; i < TAIL_READERS_MAX; i++)
		fd[i] = watch("", i + 1);
	assert_reply("GET /log/tail", 503, "readers are there already");
	assert_reply("GET /none", 404, "error"); // those who watch take no place of others
	for (unsigned i = 0; i < TAIL_READERS_MAX; i++)
		close(fd[i]);
	readers_wait(0);
	assert_reply("GET /log/tail?name=a..b", 400, "name: is not a domain name");
}

// Takes nothing: what it may have in memory is bounded, then the connection ends without a word.
TEST(test_stuck_is_cut)
{
	int fd = watch("", 1);
	WAIT_FOR(counts().cut > 0, feed(200));
	assert_int_equal(counts().cut, 1);
	assert_int_equal(counts().readers, 0);
	assert_true(counts().missed > 0);
	close(fd);
}

// What it sends into its stream is not kept, and hurts nobody.
TEST(test_talks_back)
{
	static char noise[1 << 20];
	int fd = watch("", 1);
	memset(noise, 'x', sizeof(noise));
	ssize_t sent = send(fd, noise, sizeof(noise), MSG_NOSIGNAL | MSG_DONTWAIT);
	assert_true(sent > 0 && (size_t)sent < sizeof(noise));
	feed(1);
	stream_wait(fd, "\"time_us\":");
	close(fd);
	feed(1);
	readers_wait(0);
}

TEST(test_close_while_watched)
{
	int fd = watch("", 1);
	stream_end(fd);
	assert_int_equal(counts().readers, 0);
}

static int setup(void **)
{
	querylog_rig_open(&rig, 3);
	if (tail_open(&tail) < 0)
		return -1;
	sink = tail_sink(tail);
	return api_rig_open((struct api_deps){.tail = tail});
}

static int teardown(void **)
{
	const int rc = api_rig_close(NULL);
	tail_free(tail);
	querylog_rig_close(&rig);
	return rc;
}

TEST_GROUP(setup, teardown)
