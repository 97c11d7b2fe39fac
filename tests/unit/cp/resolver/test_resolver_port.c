// SPDX-License-Identifier: BSD-3-Clause

// Misses whose upstream queries leave through the port: over the rings to a worker, which the test
// plays, and back.
#include "controlplane/route/route_board.h"
#include "resolver_rig.h"

#include <weir/csum.h>

enum { WAIT_MS = 20000, FOR_EVER_MS = 1 << 30, MANY = 2000, AT_ONCE = 100, MOVED_MS = 1500 };

static void board_say(enum route_way way)
{
	static struct route_board board;
	board = (struct route_board){.range_count = 1, .range = {{20000, 65535}}, .count = 2};
	for (unsigned i = 0; i < 2; i++)
		board.server[i] = (struct route_server){
			.address = rig.config.upstreams.server[i].address, .way = way};
	route_board_put(&board);
}

// A heartbeat that no slow machine lets grow old; 1: a dead worker's.
static void heartbeat(unsigned worker, uint64_t ms)
{
	atomic_store(&dp.dp[worker]->heartbeat_ms, ms);
}

static void beat(void *)
{
	upstream_port_beat(rig.port);
}

static int workers_begin(void)
{
	board_say(ROUTE_port);
	for (unsigned i = 0; i < 2; i++) {
		heartbeat(i, clock_mono_ms() + FOR_EVER_MS);
		atomic_store(&dp.dp[i]->activated_hops, 1);
	}
	on_loop(beat, NULL);
	return 0;
}

static int setup(void **state)
{
	rig_max_sends = 1;
	return rig_setup(state) || workers_begin();
}

// Nothing times out while they move.
static int setup_many(void **state)
{
	rig_max_sends = 1;
	if (rig_setup(state))
		return -1;
	rig_box_stop();
	rig.config.upstreams.first_timeout_ms = WAIT_MS;
	rig_box_start();
	return workers_begin();
}

static int teardown(void **state)
{
	static const struct route_board none;
	route_board_put(&none);
	return rig_teardown(state);
}

// What the server replies to the query.
static size_t reply_of(const struct fake_send *s, uint8_t dns[MSG_DNS_MAX])
{
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(s->head.server_port)};
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	memcpy(&to.sin_addr, s->head.server_ip, 4);
	assert_int_equal(sendto(fd, s->dns, s->head.dns_len, 0, (struct sockaddr *)&to, sizeof(to)),
		s->head.dns_len);
	ssize_t n = recv(fd, dns, MSG_DNS_MAX, 0);
	assert_true(n > 0);
	close(fd);
	return (size_t)n;
}

static struct msg_heard heard_of(const struct fake_send *s, const uint8_t *dns, size_t len)
{
	struct msg_heard m = {.dp_incarnation = s->head.dp_incarnation,
		.server_port = s->head.server_port,
		.local_port = s->head.local_port,
		.ip_version = s->head.ip_version,
		.kind = HEARD_REPLY,
		.dns_len = (uint16_t)len,
		.sum = csum_partial(dns, len)};
	memcpy(m.server_ip, s->head.server_ip, sizeof(m.server_ip));
	return m;
}

// Any worker may hear the reply.
static void serve(const struct fake_send *s, unsigned worker)
{
	uint8_t dns[MSG_DNS_MAX];
	const struct msg_heard m = heard_of(s, dns, reply_of(s, dns));
	assert_true(fake_dataplane_hear(&dp, worker, &m, dns));
}

TEST_WITH(test_over_the_rings, setup, teardown)
{
	struct fake_send s;
	unsigned worker[2];

	for (unsigned i = 0; i < 2; i++) {
		ask(i ? "two.example" : "one.example", (uint16_t)(7 + i));
		assert_true(fake_dataplane_send(&dp, &s, &worker[i], WAIT_MS));
		assert_int_equal(s.head.dp_incarnation, dp.incarnation);
		assert_int_equal(s.head.sum, csum_partial(s.dns, s.head.dns_len));
		assert_int_equal(s.head.server_port, fake[0].port);
		assert_true(s.head.local_port >= 20000);
		serve(&s, 1 - worker[i]);
		expect_answer((uint16_t)(7 + i), 0, ANSWER_UPSTREAM);
	}
	assert_int_not_equal(worker[0], worker[1]); // each has its turn
	const struct resolver_status now = status();
	assert_int_equal(now.port.sent, 2);
	assert_int_equal(now.port.replies, 2);
	assert_int_equal(now.port.open, 0);
	assert_int_equal(now.sockets.opened, 0);
	assert_int_equal(now.upstream[0].sent_port, 2);
	assert_int_equal(now.upstream[0].way, ROUTE_port);
}

static void expect_foreign(unsigned worker, const struct msg_heard *m, const uint8_t *dns)
{
	const uint64_t foreign = status().foreign_messages;
	assert_true(fake_dataplane_hear(&dp, worker, m, dns));
	WAIT_FOR(status().foreign_messages != foreign);
	assert_int_equal(status().foreign_messages, foreign + 1);
	assert_int_equal(status().port.replies, 0);
}

// Any bit that flips on the ring: else that answer would be every client's.
TEST_WITH(test_a_reply_that_changed_on_the_way, setup, teardown)
{
	uint8_t dns[MSG_DNS_MAX];
	struct fake_send s;
	unsigned worker;

	ask("www.example", 9);
	assert_true(fake_dataplane_send(&dp, &s, &worker, WAIT_MS));
	const size_t len = reply_of(&s, dns);
	const struct msg_heard m = heard_of(&s, dns, len);
	for (size_t bit = 0; bit < 8 * len; bit += 7) {
		dns[bit / 8] ^= (uint8_t)(1 << bit % 8);
		expect_foreign(worker, &m, dns);
		dns[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	assert_true(fake_dataplane_hear(&dp, worker, &m, dns));
	expect_answer(9, 0, ANSWER_UPSTREAM);
}

TEST_WITH(test_only_of_this_data_plane, setup, teardown)
{
	uint8_t dns[MSG_DNS_MAX];
	struct fake_send s;
	unsigned worker;

	ask("www.example", 9);
	assert_true(fake_dataplane_send(&dp, &s, &worker, WAIT_MS));
	struct msg_heard m = heard_of(&s, dns, reply_of(&s, dns));
	m.dp_incarnation++;
	expect_foreign(worker, &m, dns);
	serve(&s, worker);
	expect_answer(9, 0, ANSWER_UPSTREAM);
}

TEST_WITH(test_a_dead_worker_gets_no_queries, setup, teardown)
{
	struct fake_send s;
	unsigned worker;

	heartbeat(0, 1);
	on_loop(beat, NULL);
	ask("a.example", 1);
	assert_true(fake_dataplane_send(&dp, &s, &worker, WAIT_MS));
	assert_int_equal(worker, 1);
	heartbeat(1, 1); // dies with the query, which a socket sends again
	on_loop(beat, NULL);
	expect_answer(1, 0, ANSWER_UPSTREAM);
	assert_int_equal(status().port.dead, 1);
	resolves("b.example", 2, ANSWER_UPSTREAM);
	assert_int_equal(status().port.sent, 1);
	assert_int_equal(status().sockets.opened, 2);
}

// At once, as a question that waits for each one's query would have ended on a busy machine.
static void ask_many(unsigned first)
{
	struct fake_send s;
	unsigned worker;
	char name[32];

	for (unsigned i = 0; i < AT_ONCE; i++) {
		snprintf(name, sizeof(name), "n%u.example", first + i);
		ask(name, (uint16_t)(first + i));
	}
	for (unsigned i = 0; i < AT_ONCE; i++)
		assert_true(fake_dataplane_send(&dp, &s, &worker, WAIT_MS));
}

// A beat for each slice would take three seconds.
TEST_WITH(test_many_move_within_a_second, setup_many, teardown)
{
	for (unsigned i = 0; i < MANY; i += AT_ONCE)
		ask_many(i);
	assert_int_equal(status().port.open, MANY);
	heartbeat(0, 1);
	heartbeat(1, 1);
	const uint64_t begin = clock_mono_ms();
	while (status().port.open > 0)
		assert_in_range(clock_mono_ms() - begin, 0, WAIT_MS);
	assert_in_range(clock_mono_ms() - begin, 0, MOVED_MS);
	assert_int_equal(status().port.dead, MANY);
}

// A worker without an image sends nothing.
TEST_WITH(test_no_image, setup, teardown)
{
	for (unsigned i = 0; i < 2; i++)
		atomic_store(&dp.dp[i]->activated_hops, 0);
	on_loop(beat, NULL);
	resolves("www.example", 3, ANSWER_UPSTREAM);
	assert_int_equal(status().port.sent, 0);
}
