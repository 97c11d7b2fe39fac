// SPDX-License-Identifier: BSD-3-Clause
// The watch of the control API over a real socket: one at a time, and the next one at once when its
// client has hung up.

#include "api_rig.h"
#include "controlplane/querylog/watch.h"
#include "controlplane/shm/publish.h"

enum { ROUNDS = 20 };

static struct shm_paths paths;
static struct publisher *publisher;
static struct watch *watch;

static int watch_ask(void)
{
	int fd = client_connect();
	client_send(fd, "GET /watch?seconds=600 HTTP/1.1\r\nHost: a\r\n\r\n");
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

static int setup(void **)
{
	char why[SHM_WHY_MAX];
	config.cache.l0_mb = 2;
	if (api_rig_begin() < 0 || shm_paths_init(&paths, api_folder, "off", why) < 0
		|| publisher_open(&publisher, &paths, &config, why) < 0 || watch_open(&watch) < 0)
		return -1;
	return api_rig_open((struct api_deps){.publisher = publisher, .watch = watch});
}

static int teardown(void **)
{
	api_rig_end();
	watch_free(watch);
	publisher_close(publisher);
	shm_paths_close(&paths);
	return api_rig_close(NULL) + folder_remove(paths.mem, "");
}

TEST_GROUP(setup, teardown)
