// SPDX-License-Identifier: BSD-3-Clause
// The stream of the control API over a real socket: the rows; clients that are refused, hang up or
// are cut off; and the end of the API with readers on it.

#include "controlplane/api/api.h"
#include "http_client.h"
#include "tests/unit/cp/querylog/querylog_rig.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <weir/clock.h>

enum { WAIT_MS = 20000 };

static char folder[] = "/tmp/weir-test-tail-XXXXXX";
static struct loop *service;
static struct api *api;
static struct tail *tail;
static struct querylog_sink sink;
static struct querylog_rig rig;
static pthread_t thread;

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
	uint64_t end_ms = clock_mono_ms() + WAIT_MS;
	while (counts().readers != readers && clock_mono_ms() < end_ms)
		usleep(5000);
	assert_int_equal(counts().readers, readers);
}

static int watch(const char *query, unsigned readers)
{
	char text[256];
	int fd = client_connect();
	snprintf(text, sizeof(text), "GET /log/tail%s HTTP/1.1\r\n\r\n", query);
	client_send(fd, text);
	readers_wait(readers);
	return fd;
}

static void part_wait(int fd, const char *part)
{
	uint64_t end_ms = clock_mono_ms() + WAIT_MS;
	char all[4 * sizeof(reply)] = "";
	while (!strstr(all, part) && clock_mono_ms() < end_ms) {
		assert_int_equal(client_read(fd, 50), -1); // it goes on
		if (strlen(all) + strlen(reply) < sizeof(all))
			strcat(all, reply);
	}
	assert_non_null(strstr(all, part));
}

static void test_rows_come(void **)
{
	int fd = watch("", 1), other = watch("?client=203.0.113.9", 2);
	feed(2);
	part_wait(fd, "\"time_us\":");
	feed(1);
	part_wait(fd, "\"time_us\":");
	assert_int_equal(client_read(other, 50), -1);
	assert_null(strstr(reply, "time_us"));
	close(fd);
	readers_wait(1);
	close(other);
	readers_wait(0);
	assert_int_equal(counts().cut, 0);
}

static void test_refused(void **)
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
static void test_stuck_is_cut(void **)
{
	int fd = watch("", 1);
	uint64_t end_ms = clock_mono_ms() + WAIT_MS;
	while (counts().cut == 0 && clock_mono_ms() < end_ms) {
		feed(200);
		usleep(10000);
	}
	assert_int_equal(counts().cut, 1);
	assert_int_equal(counts().readers, 0);
	assert_true(counts().missed > 0);
	close(fd);
}

// What it sends into its stream is not kept, and hurts nobody.
static void test_talks_back(void **)
{
	static char noise[1 << 20];
	int fd = watch("", 1);
	memset(noise, 'x', sizeof(noise));
	ssize_t sent = send(fd, noise, sizeof(noise), MSG_NOSIGNAL | MSG_DONTWAIT);
	assert_true(sent > 0 && (size_t)sent < sizeof(noise));
	feed(1);
	part_wait(fd, "\"time_us\":");
	close(fd);
	feed(1);
	readers_wait(0);
}

static void test_close_while_watched(void **)
{
	int fd = watch("", 1);
	loop_stop(service);
	assert_int_equal(pthread_join(thread, NULL), 0);
	api_close(api);
	assert_int_equal(counts().readers, 0);
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
	querylog_rig_open(&rig, 3);
	if (!mkdtemp(folder) || loop_new("service", &service) < 0 || tail_open(&tail) < 0)
		return -1;
	sink = tail_sink(tail);
	snprintf(path, sizeof(path), "%s/control.sock", folder);
	const struct api_deps deps = {
		.service = service, .socket_path = path, .state_directory = folder, .tail = tail};
	if (api_open(&api, &deps, why) < 0)
		return -1;
	return pthread_create(&thread, NULL, service_run, NULL);
}

static int teardown(void **)
{
	loop_free(service);
	tail_free(tail);
	querylog_rig_close(&rig);
	return rmdir(folder);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows_come),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_stuck_is_cut),
		cmocka_unit_test(test_talks_back),
		cmocka_unit_test(test_close_while_watched),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
