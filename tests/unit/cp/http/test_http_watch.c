// SPDX-License-Identifier: BSD-3-Clause
// The watch of the control API over a real socket: one at a time, and the next one at once when its
// client has hung up.

#include "api_rig.h"
#include "controlplane/api/api_server.h"
#include "controlplane/querylog/watch.h"
#include "controlplane/shm/publish.h"
#include "tests/unit/clock_shift.h"

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

// What the log hides of clients no watch tells, neither by what it shows nor by what it is of.
TEST(test_hidden_clients)
{
	config.query_log.anonymize = LOG_CLIENTS_TRUNCATED;
	assert_reply("GET /watch?seconds=9&client=198.18.0.2", 409, "no more than /24");
	assert_reply("GET /watch?seconds=9&client=2001:db8::/49", 409, "no more than /48");
	assert_reply("GET /watch?seconds=9&frames=1", 409, "query_log.anonymize hides");
	int fd = client_connect();
	client_send(fd, "GET /watch?seconds=9&client=198.18.0.0/24 HTTP/1.1\r\nHost: a\r\n\r\n");
	begin_wait(fd);
	config.query_log.anonymize = LOG_CLIENTS_HASHED;
	assert_true(client_read(fd, PATIENCE_MS) >= 0); // it was begun with another setting
	close(fd);
	assert_reply("GET /watch?seconds=9&client=198.18.0.0/24", 409, "hides clients");
	config.query_log.anonymize = LOG_CLIENTS_WHOLE;
}

static struct http_server *remote; // as control.listen: with users
static char remote_path[sizeof(path)];

static _Atomic uint64_t right = 7;

static void on_remote(void *arg, struct http_exchange *x)
{
	http_set_right(x, right);
	api_serve(arg, x, 0, CONTROL_ADMIN);
}

static bool admit_all(void *, const struct ucred *, int)
{
	return true;
}

static _Atomic int remote_error = 1;

static int remote_open(void)
{
	struct sockaddr_un sun = {.sun_family = AF_UNIX};
	snprintf(sun.sun_path, sizeof(sun.sun_path), "%s/remote", api_folder);
	snprintf(remote_path, sizeof(remote_path), "%s", sun.sun_path);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0 || bind(fd, (struct sockaddr *)&sun, sizeof(sun)) < 0 || listen(fd, 4) < 0)
		return -1;
	return http_server_open(&remote, fd,
		&(struct http_settings){.base = loop_base(service),
			.exchanges_max = 4,
			.connections_max = 4,
			.connection_ms = PATIENCE_MS,
			.admit = admit_all,
			.handle = on_remote,
			.arg = api});
}

static void on_open(void *)
{
	remote_error = remote_open();
}

static int remote_watch_ask(void)
{
	char local[sizeof(path)];
	memcpy(local, path, sizeof(local));
	memcpy(path, remote_path, sizeof(path));
	int fd = watch_ask();
	memcpy(path, local, sizeof(path));
	return fd;
}

// The control socket takes the place of a user over the network, never the other way round.
TEST(test_makes_way)
{
	int fd = remote_watch_ask();
	begin_wait(fd);
	int local = watch_ask();
	begin_wait(local);
	assert_true(client_read(fd, PATIENCE_MS) >= 0);
	int again = remote_watch_ask();
	assert_true(client_waits(again, PATIENCE_MS));
	assert_int_equal(client_read(again, 100), -1);
	assert_non_null(strstr(reply, "watches already"));
	close(again);
	close(local);
	close(fd);
}

static void refused(const char *why)
{
	int fd = remote_watch_ask();
	assert_true(client_waits(fd, PATIENCE_MS));
	assert_int_equal(client_read(fd, 100), -1);
	assert_non_null(strstr(reply, why));
	close(fd);
}

// Users over the network take turns: nobody holds the place for long, and nobody by many watches.
TEST(test_turns)
{
	int fd = remote_watch_ask();
	begin_wait(fd);
	int own = remote_watch_ask();
	begin_wait(own);
	assert_true(client_read(fd, PATIENCE_MS) >= 0);
	right = 8;
	refused("watches already: try again in ");
	clock_ahead_by_ms(40000);
	int other = remote_watch_ask();
	begin_wait(other);
	assert_true(client_read(own, PATIENCE_MS) >= 0);
	right = 7;
	refused("watches already: try again in ");
	close(other);
	close(own);
	close(fd);
}

static int setup(void **)
{
	char why[SHM_WHY_MAX];
	config.cache.l0_mb = 2;
	if (api_rig_begin() < 0 || shm_paths_init(&paths, api_folder, "off", why) < 0
		|| publisher_open(&publisher, &paths, &config, why) < 0 || watch_open(&watch) < 0)
		return -1;
	if (api_rig_open((struct api_deps){.publisher = publisher, .watch = watch}) != 0
		|| loop_call(service, on_open, NULL) != 0)
		return -1;
	WAIT_FOR(remote_error != 1);
	return remote_error;
}

static int teardown(void **)
{
	api_rig_end();
	http_server_close(remote);
	watch_free(watch);
	publisher_close(publisher);
	shm_paths_close(&paths);
	return api_rig_close(NULL) + folder_remove(paths.mem, "");
}

TEST_GROUP(setup, teardown)
