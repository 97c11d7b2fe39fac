// SPDX-License-Identifier: BSD-3-Clause

// The client against a server that lies, stalls and floods, and the reader of replies by itself.

#include "controlplane/l1/redis_internal.h"
#include "controlplane/l1/redis_wire.h"
#include "redis_rig.h"
#include "tests/unit/cp/http/fake_listener.h"

#include <event2/event.h>

#include <malloc.h>

enum { PEERS_MAX = 64 };

// Says yes to everything up to and including the first probe, so that the client is up. Then each
// time that it hears something it says `text`, `times` times.
struct fake {
	int listen_fd;
	uint16_t port;
	struct event *accept, *heard[PEERS_MAX];
	int fd[PEERS_MAX];
	unsigned peers, probes; // probes: that it has heard
	bool lying, closes, silent, polite_login;
	const char *text;
	size_t len;
	unsigned times, pause_us; // pause_us: before a right reply
	uint64_t bytes_heard;
};

static struct fake fake;
static struct redis_rig rig;
static const char *slots; // what a cluster says to CLUSTER SLOTS; NULL: no cluster
static char master[256];  // whom a sentinel was asked for

static unsigned commands_in(const char *buf, size_t n)
{
	unsigned count = 0;
	for (size_t i = 0; i < n; i++)
		count += buf[i] == '*' ? 1 : 0;
	return count;
}

static void say(int fd, const char *text, size_t len)
{
	while (len > 0) {
		ssize_t n = send(fd, text, len, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n <= 0)
			return; // gone, or it does not read so much at once
		text += n;
		len -= (size_t)n;
	}
}

static void on_heard(evutil_socket_t fd, short, void *)
{
	char buf[65536];
	ssize_t n = recv(fd, buf, sizeof(buf), MSG_DONTWAIT);
	if (n <= 0) {
		for (unsigned i = 0; n == 0 && i < fake.peers; i++) {
			if (fake.fd[i] == fd)
				event_del(fake.heard[i]);
		}
		return;
	}
	fake.bytes_heard += (uint64_t)n;
	fake.probes += memmem(buf, (size_t)n, "-meta:probe", 11) != NULL;
	const char *asked = memmem(buf, (size_t)n, "by-name\r\n$", 10);
	if (asked)
		sscanf(asked, "by-name $%*u %255[^\r]", master);
	if (slots && memmem(buf, (size_t)n, "SLOTS", 5)) {
		say(fd, slots, strlen(slots));
		return;
	}
	bool login = fake.polite_login && memmem(buf, (size_t)n, "SETNAME", 7);
	if (fake.silent)
		return;
	if (!fake.lying || login) {
		usleep(fake.pause_us);
		for (unsigned i = commands_in(buf, (size_t)n); i > 0; i--)
			say(fd, "+OK\r\n", 5);
		return;
	}
	for (unsigned i = 0; i < fake.times; i++)
		say(fd, fake.text, fake.len);
	if (fake.closes)
		shutdown(fd, SHUT_RDWR);
}

static void on_accept(evutil_socket_t fd, short, void *)
{
	int peer = accept4(fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	assert_true(peer >= 0 && fake.peers < PEERS_MAX);
	fake.fd[fake.peers] = peer;
	fake.heard[fake.peers] =
		event_new(loop_base(rig.loop), peer, EV_READ | EV_PERSIST, on_heard, NULL);
	event_add(fake.heard[fake.peers++], NULL);
}

static void listen_as(enum redis_mode mode)
{
	fake = (struct fake){.polite_login = true, .times = 1};
	fake.listen_fd = loopback_listen(&fake.port);
	if (mode == REDIS_MODE_CLUSTER)
		slots = text_from(
			"*1\r\n*3\r\n:0\r\n:16383\r\n*2\r\n$9\r\n127.0.0.1\r\n:%u\r\n", fake.port);
	rig.config.connections = 1;
	redis_rig_start(&rig, mode, fake.port);
	fake.accept = event_new(
		loop_base(rig.loop), fake.listen_fd, EV_READ | EV_PERSIST, on_accept, NULL);
	event_add(fake.accept, NULL);
}

static int setup(void **)
{
	listen_as(REDIS_MODE_STANDALONE);
	redis_rig_await(&rig, "up", 1000);
	return 0;
}

static int setup_cluster(void **)
{
	listen_as(REDIS_MODE_CLUSTER);
	redis_rig_await(&rig, "up", 2000);
	return 0;
}

static int teardown(void **)
{
	slots = NULL;
	event_free(fake.accept);
	for (unsigned i = 0; i < fake.peers; i++) {
		event_free(fake.heard[i]);
		close(fake.fd[i]);
	}
	close(fake.listen_fd);
	redis_rig_stop(&rig);
	return 0;
}

static void lie(const char *text, size_t len, unsigned times)
{
	fake.lying = true;
	fake.text = text;
	fake.len = len;
	fake.times = times;
}

// The configuration bounds the name, and nothing else does.
TEST_WITH(test_a_long_master_name, NULL, teardown)
{
	char name[201];
	memset(name, 'm', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	rig.config.master_name = name;
	listen_as(REDIS_MODE_SENTINEL);
	redis_rig_until(&rig, master[0] != '\0');
	assert_string_equal(master, name);
}

// A lie that is rejected: the command ends once, and the connection is closed.
static void assert_closed(const char *text, enum redis_end end)
{
	uint64_t before = redis_rig_status(&rig).reconnects;
	lie(text, strlen(text), 1);
	struct redis_seen s = redis_rig_do(&rig, "GET x");
	if (s.end != end || redis_rig_status(&rig).reconnects != before + 1)
		fail_msg("%d after %.40s", s.end, text);
	fake.lying = false;
	redis_rig_await(&rig, "up", 1000);
	assert_int_equal(redis_rig_do(&rig, "GET x").end, REDIS_DONE);
}

TEST_WITH(test_garbage, setup, teardown)
{
	static const char *const lies[] = {
		"HTTP/1.1 400 Bad Request\r\n\r\n",
		"$-2\r\n",
		"*-2\r\n",
		"*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n:1\r\n",
		"*4294967297\r\n",
		"$99999999999999999999\r\n",
		":99999999999999999999\r\n",
		":\r\n",
		":12x\r\n",
		"\r\n",
		"%1\r\n+a\r\n+b\r\n",
	};
	for (size_t i = 0; i < sizeof(lies) / sizeof(*lies); i++)
		assert_closed(lies[i], REDIS_LOST);
	assert_closed("*1000000000\r\n", REDIS_LARGE);
	assert_closed("*65537\r\n", REDIS_LARGE);
	assert_closed("*40000\r\n*40000\r\n", REDIS_LARGE);
}

// Looks after each pass of the loop: on a busy machine the next connection may fail, too. The
// client probes the server then, and what comes while it waits for the reply is none unasked.
static void await_unasked(uint64_t reconnects)
{
	redis_until(
		redis_rig_status(&rig).reconnects != reconnects, 10, redis_rig_turn_once(&rig, 10));
	assert_non_null(strstr(redis_rig_status(&rig).error, "not asked for"));
	const unsigned probes = fake.probes;
	fake.lying = false;
	redis_rig_until(&rig, fake.probes != probes && redis_rig_status(&rig).pending == 0);
	redis_rig_await(&rig, "up", 1000);
}

// A reply after which the server says this, although nobody asks for it.
static void say_unasked(const char *text)
{
	assert_int_equal(redis_rig_do(&rig, "GET x").end, REDIS_DONE);
	const uint64_t reconnects = redis_rig_status(&rig).reconnects;
	say(fake.fd[fake.peers - 1], text, strlen(text));
	await_unasked(reconnects);
}

// Replies that nobody asked for, behind one that was: hiredis' own client asserts here.
TEST_WITH(test_too_many, setup, teardown)
{
	static const char text[] = "+OK\r\n+MORE\r\n";
	const uint64_t reconnects = redis_rig_status(&rig).reconnects;
	lie(text, sizeof(text) - 1, 1);
	assert_int_equal(redis_rig_do(&rig, "GET x").end, REDIS_DONE);
	await_unasked(reconnects);
	// Without a command in flight.
	say_unasked("*2\r\n+message\r\n+x\r\n");
}

// The first byte ends the connection, so that an idle one collects nothing.
TEST_WITH(test_an_unasked_byte, setup, teardown)
{
	static const char behind[] = "+OK\r\n*60000\r\n";
	static const char *const parts[] = {"$", "+", "*60000\r\n"};
	for (size_t i = 0; i < sizeof(parts) / sizeof(*parts); i++)
		say_unasked(parts[i]);
	const uint64_t reconnects = redis_rig_status(&rig).reconnects;
	lie(behind, sizeof(behind) - 1, 1);
	assert_int_equal(redis_rig_do(&rig, "GET x").end, REDIS_DONE);
	await_unasked(reconnects);
}

// Nobody asks for what a subscription gets: a message has its own bound.
TEST_WITH(test_a_message_without_end, setup, teardown)
{
	static char block[2 * REDIS_PUSH_MAX];
	static const char *const heads[] = {
		"$1000000\r\n", "*3\r\n$7\r\nmessage\r\n$100000\r\n", "*1025\r\n"};
	redis_subscribe(rig.redis, "c", NULL, NULL, NULL);
	for (size_t i = 0; i < sizeof(heads) / sizeof(*heads); i++) {
		const struct redis_sub *sub = &rig.redis->sub;
		redis_rig_until(&rig, sub->conn.state == REDIS_CONN_UP);
		memset(block, 'a', sizeof(block));
		memcpy(block, heads[i], strlen(heads[i]));
		say(fake.fd[fake.peers - 1], block, i < 2 ? sizeof(block) : strlen(heads[i]));
		redis_rig_until(&rig, sub->breaks == i + 1);
	}
}

// Texts that never end, promised or not: memory stays within the bound of one reply.
TEST_WITH(test_flood, setup, teardown)
{
	enum { MOST = 6 << 20, FLOOD_MS = 60000 };
	static char block[1 << 16];
	static const char *const heads[] = {"$1000000000\r\n", "+", "*60000\r\n$100000\r\n", ":"};
	for (size_t h = 0; h < sizeof(heads) / sizeof(*heads); h++) {
		memset(block, '1', sizeof(block));
		memcpy(block, heads[h], strlen(heads[h]));
		struct redis_seen s = {0};
		rig.config.timeout_ms = 2 * FLOOD_MS;
		size_t before = mallinfo2().uordblks + mallinfo2().hblkhd, most = 0;
		fake.silent = true;
		assert_true(redis_rig_give(&rig, "GET x", &s));
		redis_rig_turn(&rig, 5);
		int fd = fake.fd[fake.peers - 1];
		const uint64_t until_ms = clock_mono_ms() + FLOOD_MS;
		while (s.ends == 0 && most <= MOST && clock_mono_ms() < until_ms) {
			say(fd, block, sizeof(block));
			redis_rig_turn(&rig, 1);
			memset(block, '1', sizeof(block));
			size_t now = mallinfo2().uordblks + mallinfo2().hblkhd;
			most = now > before + most ? now - before : most;
		}
		assert_int_equal(s.ends, 1);
		assert_int_equal(redis_rig_status(&rig).reconnects, h + 1);
		assert_in_range(most, 0, MOST);
		fake.silent = false;
		redis_rig_await(&rig, "up", 6000);
		assert_int_equal(redis_rig_do(&rig, "GET x").end, REDIS_DONE);
	}
}

TEST_WITH(test_half_replies, setup, teardown)
{
	static const char whole[] = "*2\r\n$3\r\nabc\r\n*1\r\n:7\r\n";
	struct redis_seen s = {0};
	rig.config.timeout_ms = 60000; // it comes in 21 turns
	fake.silent = true;
	assert_true(redis_rig_give(&rig, "GET x", &s));
	redis_rig_turn(&rig, 5);
	for (size_t i = 0; i < sizeof(whole) - 1; i++) {
		assert_int_equal(s.ends, 0);
		say(fake.fd[0], whole + i, 1);
		redis_rig_turn(&rig, 2);
	}
	redis_rig_ends(&rig, &s, 1);
	assert_int_equal(s.end, REDIS_DONE);
	assert_int_equal(s.count, 2);
	// A half, then the end of the connection.
	fake.silent = false;
	fake.closes = true;
	lie(whole, 9, 1);
	assert_int_equal(redis_rig_do(&rig, "GET x").end, REDIS_LOST);
}

// A reply that comes after its deadline belongs to its own command, not to the next one.
TEST_WITH(test_late, setup, teardown)
{
	struct redis_seen s = {0}, t = {0};
	fake.silent = true;
	rig.config.timeout_ms = 50;
	assert_true(redis_rig_give(&rig, "GET x", &s));
	redis_rig_ends(&rig, &s, 1);
	assert_int_equal(s.end, REDIS_TIMEOUT);
	rig.config.timeout_ms = 1000;
	assert_true(redis_rig_give(&rig, "GET y", &t));
	redis_rig_turn(&rig, 20);
	say(fake.fd[0], "+first\r\n", 8);
	redis_rig_turn(&rig, 20);
	assert_int_equal(t.ends, 0);
	say(fake.fd[0], "+second\r\n", 9);
	redis_rig_ends(&rig, &t, 1);
	assert_string_equal(t.text, "second");
	assert_int_equal(s.ends, 1);
	assert_int_equal(redis_rig_status(&rig).pending, 0);
	assert_int_equal(redis_rig_status(&rig).timeouts, 1);
}

TEST_WITH(test_never_answers, setup, teardown)
{
	struct redis_seen s[8] = {0};
	fake.silent = true;
	rig.config.timeout_ms = 50;
	for (unsigned i = 0; i < 8; i++)
		assert_true(redis_rig_give(&rig, "GET x", &s[i]));
	redis_rig_await(&rig, "away", 500);
	redis_rig_turn(&rig, 1500);
	assert_int_equal(redis_rig_status(&rig).connections, 0);
	redis_rig_turn(&rig, 1500);
	assert_in_range(fake.peers, 2, 4); // it is tried again, but not much
	for (unsigned i = 0; i < 8; i++)
		assert_int_equal(s[i].ends, 1);
	fake.silent = false;
	redis_rig_await(&rig, "up", 6000);
}

// It answers, but slower than any look waits.
TEST_WITH(test_slow, setup, teardown)
{
	struct redis_seen s[8] = {0};
	fake.silent = true;
	rig.config.timeout_ms = 50;
	for (unsigned i = 0; i < 8; i++)
		assert_true(redis_rig_give(&rig, "GET x", &s[i]));
	redis_rig_await(&rig, "away", 500);
	for (unsigned i = 0; i < 8; i++)
		say(fake.fd[0], "+OK\r\n", 5);
	fake.silent = false;
	fake.pause_us = 5000;
	rig.config.lookup_timeout_ms = 4;
	rig.config.timeout_ms = 1000;
	redis_rig_turn(&rig, 400);
	assert_string_equal(redis_rig_status(&rig).state, "away");
	assert_non_null(strstr(redis_rig_status(&rig).error, "slower than"));
	assert_int_equal(fake.peers, 1);
	fake.pause_us = 0;
	rig.config.lookup_timeout_ms = 500;
	redis_rig_await(&rig, "up", 6000);
}

// A pause delays the commands in flight, and is over before `timeout_ms`: no reason to go away.
TEST_WITH(test_pause, setup, teardown)
{
	struct redis_seen s[20] = {0};
	struct redis_command c = {.count = 2, .word = {{"GET", 3}, {"x", 1}}};
	fake.silent = true;
	for (unsigned i = 0; i < 20; i++)
		assert_true(redis_send(rig.redis, &c, 1, 5, redis_rig_done, &s[i]));
	redis_rig_ends(&rig, &s[19], 1);
	assert_int_equal(s[19].end, REDIS_TIMEOUT);
	assert_string_equal(redis_rig_status(&rig).state, "up");
	fake.silent = false;
	for (unsigned i = 0; i < 20; i++)
		say(fake.fd[0], "+OK\r\n", 5);
	assert_int_equal(redis_rig_do(&rig, "GET x").end, REDIS_DONE);
	assert_string_equal(redis_rig_status(&rig).state, "up");
}

// Each command closes the connection: after eight in a row there are only probes. On a machine so
// slow that the first probe comes before the eighth, after that one.
TEST_WITH(test_closes, setup, teardown)
{
	fake.closes = true;
	lie("", 0, 1);
	unsigned given = 0;
	const uint64_t begin = clock_mono_ms();
	for (unsigned i = 0; i < 50; i++) {
		struct redis_seen s = {0};
		if (!redis_rig_give(&rig, "GET x", &s))
			continue;
		given++;
		redis_rig_ends(&rig, &s, 1);
	}
	unsigned least = clock_mono_ms() < begin + REDIS_BACKOFF_MS ? 8 : 1;
	assert_in_range(given, least, 9);
	assert_in_range(fake.peers, least, 12);
	assert_string_equal(redis_rig_status(&rig).state, "away");
}

// It does not read: what we keep for it stays under the bound.
TEST_WITH(test_does_not_read, setup, teardown)
{
	static char value[64 << 10];
	struct redis_seen s = {0};
	struct redis_command c = {
		.count = 3, .word = {{"SET", 3}, {"b", 1}, {value, sizeof(value)}}};
	event_del(fake.heard[0]);
	rig.config.timeout_ms = 120000;
	unsigned given = 0;
	for (unsigned i = 0; i < 400; i++) {
		given += redis_send(rig.redis, &c, 1, 0, redis_rig_done, &s) ? 1 : 0;
		redis_rig_turn(&rig, 1);
		assert_in_range(redis_rig_status(&rig).buffer_bytes, 0, 4096 << 10);
	}
	assert_in_range(given, 63, 399);
	assert_true(redis_rig_status(&rig).full > 0);
	redis_free(rig.redis);
	rig.redis = NULL;
	assert_int_equal(s.ends, given);
}

// The rest of a transaction that is to go elsewhere comes when the client has been switched off.
TEST_WITH(test_a_redirect_after_the_end, setup_cluster, teardown)
{
	static const char begin[] = "+OK\r\n-MOVED 1 127.0.0.1:1\r\n",
			  rest[] = "+QUEUED\r\n-EXECABORT no\r\n";
	struct redis_seen s = {0};
	lie(begin, sizeof(begin) - 1, 1);
	assert_true(redis_rig_give(&rig, "SET k 1 | EXPIRE k 9", &s));
	redis_rig_turn(&rig, 20);
	assert_int_equal(s.ends, 0);
	struct config_redis off = rig.config;
	off.mode = REDIS_MODE_OFF;
	redis_configure(rig.redis, &off);
	for (unsigned i = 0; i < fake.peers; i++)
		say(fake.fd[i], rest, sizeof(rest) - 1);
	redis_rig_turn(&rig, 50);
	assert_int_equal(s.ends, 1);
	assert_int_equal(s.end, REDIS_REFUSED);
}

TEST(test_errors)
{
	static const struct {
		const char *reply, *where;
		int rc;
	} cases[] = {
		{"-MOVED 3999 127.0.0.1:6381\r\n", "127.0.0.1:6381", 0},
		{"-ASK 16383 fd53::1:6381\r\n", "[fd53::1]:6381", 0},
		{"-MOVED 1 :7\r\n", "192.0.2.1:7", 0},
		{"-MOVED 16384 127.0.0.1:6381\r\n", NULL, -EINVAL},
		{"-MOVED 1 127.0.0.1\r\n", NULL, -EINVAL},
		{"-MOVED 1 127.0.0.1:0\r\n", NULL, -EINVAL},
		{"-MOVED 1 127.0.0.1:65536\r\n", NULL, -EINVAL},
		{"-MOVED 1 redis.example:6379\r\n", NULL, -EINVAL},
		{"-MOVED 1 127.0.0.1/8:6379\r\n", NULL, -EINVAL},
		{"-MOVED \r\n", NULL, -EINVAL},
		{"-MOVED\r\n", NULL, -EINVAL},
		{"-MOVED  :1\r\n", NULL, -EINVAL},
	};
	struct socket_address from, to;
	char text[SOCKET_ADDRESS_TEXT_MAX];
	unsigned slot;
	from = socket_of_text("192.0.2.1:1", 1);
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct redis_reader *r;
		const struct redis_reply *reply;
		struct growth growth = {0};
		assert_int_equal(redis_reader_new(&r, REDIS_REPLY_MAX, &growth), 0);
		assert_int_equal(redis_reader_feed(r, cases[i].reply, strlen(cases[i].reply)), 0);
		assert_int_equal(redis_reader_next(r, &reply), 1);
		assert_int_equal(redis_error_where(reply, &from, &slot, &to), cases[i].rc);
		if (cases[i].where)
			assert_string_equal(socket_address_text(&to, text), cases[i].where);
		redis_reader_free(r);
	}
}

// A node says that it has all slots and refuses their keys, so the client asks another one.
TEST_WITH(test_cluster_down, setup_cluster, teardown)
{
	static const char down[] = "-CLUSTERDOWN The cluster is down\r\n";
	uint16_t port;
	struct pollfd other = {.fd = loopback_listen(&port), .events = POLLIN};
	redis_rig_address(&rig, port);
	lie(down, sizeof(down) - 1, 1);
	redis_rig_until(&rig, (redis_rig_do(&rig, "GET k"), poll(&other, 1, 0) == 1));
	close(other.fd);
}

TEST_WITH(test_cluster_without_slots, setup_cluster, teardown)
{
	slots = "*0\r\n";
	rig.redis->topology->trouble(rig.redis, NULL);
	redis_rig_until(&rig, strstr(redis_rig_status(&rig).error, "names no slots"));
}

// Known slots (redis-cli cluster keyslot) and hash tags.
TEST(test_slots)
{
	assert_int_equal(redis_slot("123456789", 9), 0x31c3 % REDIS_SLOTS);
	assert_int_equal(redis_slot("foo", 3), 12182);
	assert_int_equal(redis_slot("{foo}bar", 8), 12182);
	assert_int_equal(redis_slot("a{foo}{bar}", 11), 12182);
	assert_int_equal(redis_slot("", 0), 0);
	assert_int_not_equal(redis_slot("{}foo", 5), 12182);
	assert_int_equal(redis_slot("foo{", 4), redis_slot("foo{", 4));
	assert_int_not_equal(redis_slot("foo{}", 5), redis_slot("foo", 3));
}
