// SPDX-License-Identifier: BSD-3-Clause
// The watch of the control API over a real socket: one at a time, and the next one at once when its
// client has hung up.

#include "controlplane/api/api.h"
#include "controlplane/querylog/watch.h"
#include "controlplane/shm/publish.h"
#include "http_client.h"
#include "tests/unit/folder.h"

#include <pthread.h>
#include <signal.h>

enum { ROUNDS = 20 };

static struct shm_paths paths;
static struct config config;
static struct publisher *publisher;
static struct loop *service;
static struct api *api;
static struct watch *watch;
static pthread_t thread;

static int watch_ask(void)
{
	int fd = client_connect();
	client_send(fd, "GET /watch?seconds=600 HTTP/1.1\r\n\r\n");
	return fd;
}

// That it stands is said at once.
static void begin_wait(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};
	size_t len = 0;
	reply[0] = '\0';
	while (!strstr(reply, "{\"begin\":true}")) {
		assert_int_equal(poll(&p, 1, PATIENCE_MS), 1);
		ssize_t n = read(fd, reply + len, sizeof(reply) - 1 - len);
		if (n <= 0)
			fail_msg("hung up on: %s", reply);
		len += (size_t)n;
		reply[len] = '\0';
	}
}

TEST(test_one_at_a_time)
{
	int fd = watch_ask();
	begin_wait(fd);
	assert_reply("GET /watch?seconds=600", 503, "somebody watches already");
	close(fd);
}

// Nobody has to wait for the tick in which it would be seen that the one before has gone.
TEST(test_right_behind)
{
	for (unsigned i = 0; i < ROUNDS; i++) {
		int fd = watch_ask();
		begin_wait(fd);
		close(fd);
	}
	struct watch_counts c;
	watch_counts(watch, &c);
	assert_int_equal(c.begun, ROUNDS + 1);
	assert_int_equal(c.refused, 1); // test_one_at_a_time's
}

static void *service_run(void *)
{
	assert_int_equal(loop_run(service), 0);
	return NULL;
}

static int setup(void **)
{
	char run[FOLDER_MAX], why_shm[SHM_WHY_MAX], why[API_WHY_MAX];
	signal(SIGPIPE, SIG_IGN); // as the control plane does
	assert_int_equal(folder_make(run, "watch"), 0);
	snprintf(path, sizeof(path), "%s/control.sock", run);
	config.cache.l0_mb = 2;
	if (shm_paths_init(&paths, run, "off", why_shm) < 0
		|| publisher_open(&publisher, &paths, &config, why_shm) < 0
		|| watch_open(&watch) < 0 || loop_new("service", &service) < 0)
		return -1;
	const struct api_deps deps = {
		.service = service, .socket_path = path, .publisher = publisher, .watch = watch};
	if (api_open(&api, &deps, why) < 0)
		return -1;
	return pthread_create(&thread, NULL, service_run, NULL);
}

static int teardown(void **)
{
	loop_stop(service);
	pthread_join(thread, NULL);
	api_close(api);
	loop_free(service);
	watch_free(watch);
	publisher_close(publisher);
	shm_paths_close(&paths);
	return folder_remove(paths.run, paths.mem);
}

TEST_GROUP(setup, teardown)
