// SPDX-License-Identifier: BSD-3-Clause

// The client behind a real sentinel that watches a real master and its replica.

#include "controlplane/l1/redis_internal.h"
#include "redis_rig.h"

static struct redis_server server[2], sentinel, stale;
static struct redis_rig rig;

static void sentinel_start(struct redis_server *s, const char *host, unsigned master)
{
	s->port = redis_free_port();
	snprintf(s->folder, sizeof(s->folder), "/tmp/weir-test-redis-XXXXXX");
	assert_non_null(mkdtemp(s->folder));
	const char *path = text_from("%s/sentinel.conf", s->folder);
	text_to_file(path,
		text_from("port %u\nbind 127.0.0.1\ndir %s\nsentinel resolve-hostnames yes\n"
			  "sentinel announce-hostnames yes\nsentinel monitor weir %s %u 1\n"
			  "sentinel down-after-milliseconds weir 2000\nsentinel failover-timeout "
			  "weir 3000\n",
			s->port, s->folder, host, master));
	redis_server_start(s, (const char *const[]){path, "--sentinel", NULL});
}

static void await_said(const struct redis_server *s, const char *command, const char *word)
{
	WAIT_FOR(strstr(redis_server_say(s, command), word));
}

static int setup(void **)
{
	redis_server_start(
		&server[0], (const char *const[]){"--repl-diskless-sync-delay", "0", NULL});
	const char *port = text_from("%u", server[0].port);
	redis_server_start(
		&server[1], (const char *const[]){"--replicaof", "127.0.0.1", port, NULL});
	sentinel_start(&sentinel, "127.0.0.1", server[0].port);
	await_said(&server[0], "INFO replication", "state=online");
	await_said(&sentinel, "SENTINEL master weir", "num-slaves\r\n$1\r\n1");
	return 0;
}

static int teardown(void **)
{
	redis_server_clean(&sentinel);
	redis_server_clean(&stale);
	redis_server_clean(&server[0]);
	redis_server_clean(&server[1]);
	return 0;
}

static void assert_server(uint16_t port)
{
	assert_string_equal(redis_rig_status(&rig).server, text_from("127.0.0.1:%u", port));
}

static void await_error(const char *why)
{
	const char *error = text_from("127.0.0.1:%u: %s", rig.config.addresses[0].port, why);
	redis_rig_until(&rig, strcmp(redis_rig_status(&rig).error, error) == 0);
}

static void await_failover(unsigned ms)
{
	uint64_t end = clock_mono_ms() + (ms > 30000 ? ms : 30000);
	while (redis_rig_status(&rig).failovers == 0) {
		if (clock_mono_ms() > end)
			fail_msg("no failover seen");
		redis_rig_turn(&rig, 10);
	}
	redis_rig_await(&rig, "up", 5000);
}

TEST_WITH(test_failover, setup, teardown)
{
	char name[] = "weir";
	rig.config.master_name = name;
	redis_rig_address(&rig, redis_free_port()); // nobody there: the client asks the next one
	redis_rig_start(&rig, REDIS_MODE_SENTINEL, sentinel.port);
	redis_rig_await(&rig, "up", 3000);
	assert_server(server[0].port);
	assert_int_equal(redis_rig_do(&rig, "SET k 1 PX 60000").end, REDIS_DONE);
	assert_int_equal(redis_nodes(rig.redis), 1);

	// Asked for: the master becomes a replica.
	redis_rig_turn(&rig, 1200); // the subscription stands
	await_said(&sentinel, "SENTINEL FAILOVER weir", "+OK");
	await_failover(8000);
	assert_server(server[1].port);
	assert_int_equal(redis_rig_do(&rig, "SET k 2 PX 60000").end, REDIS_DONE);
	assert_int_equal(redis_rig_status(&rig).failovers, 1);
	redis_rig_stop(&rig);
}

TEST_WITH(test_killed_master, setup, teardown)
{
	char name[] = "weir";
	rig.config.master_name = name;
	redis_rig_start(&rig, REDIS_MODE_SENTINEL, sentinel.port);
	redis_rig_await(&rig, "up", 3000);
	assert_server(server[0].port);
	assert_int_equal(redis_rig_do(&rig, "SET k 2 PX 60000").end, REDIS_DONE);
	await_said(&server[1], "GET k", "2");
	redis_server_stop(&server[0]);
	redis_rig_await(&rig, "away", 2000);
	await_failover(15000);
	assert_server(server[1].port);
	assert_string_equal(redis_rig_do(&rig, "GET k").text, "2");
	redis_rig_stop(&rig);
}

// A reload that leaves the client as it is frees the texts that it began with.
TEST_WITH(test_a_reload_between_two_questions, setup, teardown)
{
	char first[] = "weir", second[] = "weir";
	rig.config.master_name = first;
	redis_rig_start(&rig, REDIS_MODE_SENTINEL, sentinel.port);
	redis_rig_await(&rig, "up", 3000);
	struct config_redis reloaded = rig.config;
	reloaded.master_name = second;
	redis_configure(rig.redis, &reloaded);
	memcpy(first, "gone", 4);
	rig.redis->topology->trouble(rig.redis, NULL); // it asks for the master again
	redis_rig_turn(&rig, 1500);
	assert_false(rig.redis->unreachable);
	redis_rig_stop(&rig);
}

TEST_WITH(test_wrong_name, setup, teardown)
{
	char name[] = "other";
	rig.config.master_name = name;
	redis_rig_start(&rig, REDIS_MODE_SENTINEL, sentinel.port);
	await_error("the sentinel watches no master of that name");
	redis_rig_stop(&rig);
}

// A server to which there is no way: connect(2) fails at once.
TEST_WITH(test_no_way_to_a_sentinel, setup, teardown)
{
	char name[] = "weir";
	rig.config.master_name = name;
	redis_rig_address(&rig, 1);
	memset(rig.config.addresses[0].ip.bytes, 255, 4);
	redis_rig_start(&rig, REDIS_MODE_SENTINEL, redis_free_port());
	redis_rig_until(&rig, strstr(redis_rig_status(&rig).error, "255.255.255.255:1: "));
	redis_rig_stop(&rig);
}

TEST_WITH(test_host_name, setup, teardown)
{
	char name[] = "weir";
	rig.config.master_name = name;
	sentinel_start(&stale, "localhost", server[0].port);
	redis_rig_start(&rig, REDIS_MODE_SENTINEL, stale.port);
	await_error("the sentinel does not name the master by address");
	redis_rig_stop(&rig);
}

// Cut off from the others, it goes on to name a master that is gone.
TEST_WITH(test_stale_sentinel, setup, teardown)
{
	char name[] = "weir";
	rig.config.master_name = name;
	sentinel_start(&stale, "127.0.0.1", redis_free_port());
	redis_rig_address(&rig, stale.port);
	redis_rig_start(&rig, REDIS_MODE_SENTINEL, sentinel.port);
	redis_rig_await(&rig, "up", 10000);
	assert_server(server[0].port);
	redis_rig_stop(&rig);
}
