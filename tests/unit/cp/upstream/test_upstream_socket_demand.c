// SPDX-License-Identifier: BSD-3-Clause
// How many sockets are open: none at rest, one for each query, or enough to draw from.
#include "socket_rig.h"

#include <sys/resource.h>
#include <weir/heap_site.h>

TEST_WITH(test_opened_ahead_in_steps, rig_setup, rig_teardown)
{
	run_for(300);
	assert_int_equal(now().opened, 0); // nobody asks
	make_busy(0);
	const unsigned first = now().open;
	assert_in_range(first, 1, UPSTREAM_SHELF_BUSY);
	run_for(35);
	assert_in_range(now().open, first, first + 4 * UPSTREAM_SOCKET_STEP);
	wait_for_idle(UPSTREAM_SOCKETS_AHEAD);
	run_for(300);
	// For the server that is used; nobody has asked the other.
	assert_int_equal(now().open, UPSTREAM_SOCKETS_AHEAD);
}

// One query less in the second, and each has a socket of its own, which ends with it.
TEST_WITH(test_quiet_has_a_port_for_each_query, rig_setup, rig_teardown)
{
	enum { QUERIES = UPSTREAM_SHELF_BUSY - 1 };
	static bool seen[65536];
	struct upstream_leg leg = {.ask = &fx.ask};
	unsigned ports = 0;
	for (unsigned n = 0; n < 4 * QUERIES; n++) {
		struct sockaddr_in sin;
		socklen_t len = sizeof(sin);
		const uint64_t at_ms = 1 + n / QUERIES * 1000;
		struct upstream_socket *s = socket_take_of(fx.up->sockets, 0, &leg, at_ms);
		assert_int_equal(getsockname(s->fd, (struct sockaddr *)&sin, &len), 0);
		assert_int_equal(sin.sin_addr.s_addr, htonl(INADDR_LOOPBACK));
		ports += !seen[ntohs(sin.sin_port)];
		seen[ntohs(sin.sin_port)] = true;
		upstream_socket_give(s, true);
		assert_int_equal(now().open, 0);
	}
	assert_int_equal(now().made, 4 * QUERIES);
	// Of 508 drawn from 64,512 two are drawn twice: deviation 1.4.
	assert_in_range(ports, 4 * QUERIES - 12, 4 * QUERIES);
}

// The last busy second was almost ten seconds ago: all are closed soon, and no timer runs on.
TEST_WITH(test_closed_when_nobody_asks, rig_setup, rig_teardown)
{
	wait_for_idle(UPSTREAM_SOCKETS_AHEAD);
	make_busy_of(fx.up->sockets, 0, 9900);
	for (unsigned i = 0; i < 300 && now().open > 0; i++)
		run_for(20);
	assert_int_equal(now().open, 0);
	const uint64_t opened = now().opened;
	run_for(1100); // a second without queries
	assert_int_equal(now().opened, opened);
	ask(2000);
	assert_int_equal(now().opened, opened + 1);
}

TEST_WITH(test_few_idle_ones_are_not_used, rig_setup, rig_teardown)
{
	for (unsigned i = 0; i < 20; i++)
		ask(2000);
	assert_int_equal(now().made, 20);
	assert_int_equal(now().open, 0);
	make_busy(0);
	const uint64_t made = now().made;
	ask(2000);
	assert_int_equal(now().made, made + 1);
	wait_for_idle(20); // they come to lie ready
}

TEST_WITH(test_few_files_few_sockets, rig_setup, rig_teardown)
{
	struct rlimit all, few;
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &all), 0);
	few = all;
	few.rlim_cur = 400;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
	configure_servers(2);
	make_busy(0);
	run_for(400);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &all), 0);
	assert_int_equal(now().open, 400 / 4 / 2);
}

// However few queries keep a server busy, each socket is another one before it is 21 s old.
TEST_WITH(test_all_are_drawn_anew, rig_setup, rig_teardown)
{
	wait_for_idle(UPSTREAM_SOCKETS_AHEAD);
	const uint64_t opened = now().opened;
	for (unsigned s = 0; s < 21; s++) {
		run_for(1000);
		make_busy(0);
	}
	assert_true(now().opened - opened >= UPSTREAM_SOCKETS_AHEAD);
	assert_true(now().idle >= UPSTREAM_SOCKETS_AHEAD - 2 * UPSTREAM_SOCKET_STEP);
}

// Bytes that upstream_udp.c has taken, in all its blocks.
static uint64_t bytes_taken(void)
{
	const struct heap_site *site[HEAP_SITES_MAX];
	uint64_t bytes = 0;
	for (unsigned i = heap_sites(site, HEAP_SITES_MAX); i-- > 0;)
		if (strstr(site[i]->file, "upstream_udp.c"))
			bytes += site[i]->bytes;
	return bytes;
}

// Each group with servers of its own has a set of sockets, each of which may have thousands.
TEST_WITH(test_memory_follows_the_sockets, rig_setup, rig_teardown)
{
	enum { TAKEN = 600, LITTLE = 16 << 10 };
	static struct upstream_leg leg[TAKEN];
	const uint64_t none = bytes_taken(), counted = now().bytes;
	struct upstream_sockets *p;
	assert_int_equal(upstream_sockets_new(&p, fx.loop, &fx.up->rng, upstream_leg_readable), 0);
	assert_in_range(bytes_taken() - none, 1, LITTLE);
	upstream_sockets_free(p);
	assert_int_equal(bytes_taken(), none);
	for (unsigned i = 0; i < TAKEN; i++) {
		leg[i].ask = &fx.ask;
		(void)socket_take(0, &leg[i]);
	}
	const uint64_t more = bytes_taken() - none;
	assert_in_range(more, TAKEN * sizeof(struct upstream_socket),
		2 * TAKEN * sizeof(struct upstream_socket));
	assert_in_range(more, now().bytes - counted, now().bytes - counted + LITTLE);
	for (unsigned i = 0; i < TAKEN; i++)
		upstream_socket_give(leg[i].socket, false);
	assert_int_equal(now().open, now().idle);
}
