// SPDX-License-Identifier: BSD-3-Clause
// Sockets kept ready: who may use one again, and when it goes.
#include "socket_rig.h"

TEST_WITH(test_random_ports_used_again, rig_setup, rig_teardown)
{
	static bool seen[65536];
	unsigned ports = 0;
	wait_for_idle(MANY);
	uint64_t opened = now().opened, made = now().made;
	for (unsigned i = 0; i < 600; i++)
		ask(2000);
	assert_int_equal(now().made, made);
	assert_true(now().opened - opened <= UPSTREAM_SOCKETS_AHEAD - MANY + UPSTREAM_SOCKET_STEP);
	for (unsigned i = 0; i < 600; i++) {
		assert_true(fake[0].source_port[i] >= 1024);
		ports += !seen[fake[0].source_port[i]];
		seen[fake[0].source_port[i]] = true;
	}
	// Of 700 to 1,024 drawn 600 times: 403 to 454 expected, deviation 8.
	assert_in_range(ports, 330, 540);
}

TEST_WITH(test_unanswered_goes, rig_setup, rig_teardown)
{
	fx.config.max_sends = 1;
	configure_servers(1);
	wait_for_idle(MANY);
	fake[0].mode = FAKE_SILENT;
	ask_start(50);
	uint16_t port = 0;
	for (unsigned i = 0; i < UPSTREAM_LEGS; i++)
		if (fx.ask.leg[i].open) {
			struct sockaddr_in sin;
			socklen_t len = sizeof(sin);
			assert_int_equal(getsockname(fx.ask.leg[i].socket->fd,
						 (struct sockaddr *)&sin, &len),
				0);
			port = ntohs(sin.sin_port);
		}
	assert_int_equal(now().open - now().idle, 1);
	FINISHED(ended);
	assert_int_equal(now().open, now().idle);
	// Free again: nobody of ours listens there.
	int fd = socket(AF_INET, SOCK_DGRAM, 0);
	struct sockaddr_in sin = {.sin_family = AF_INET, .sin_port = htons(port)};
	assert_int_equal(bind(fd, (struct sockaddr *)&sin, sizeof(sin)), 0);
	close(fd);
}

// No socket blocks the loop, and no child inherits one.
TEST_WITH(test_flags, rig_setup, rig_teardown)
{
	configure_servers(1);
	ask_start(50);
	assert_true(fx.ask.leg[0].open);
	assert_true(fcntl(fx.ask.leg[0].socket->fd, F_GETFL) & O_NONBLOCK);
	assert_true(fcntl(fx.ask.leg[0].socket->fd, F_GETFD) & FD_CLOEXEC);
	FINISHED(replies);
}

TEST_WITH(test_asked_twice_goes, rig_setup, rig_teardown)
{
	configure_servers(1);
	wait_for_idle(MANY);
	fake[0].delay_ms = 90; // first wait: 60 ms
	ask_start(2000);
	struct upstream_socket *s = NULL;
	for (unsigned i = 0; i < UPSTREAM_LEGS; i++)
		if (fx.ask.leg[i].open)
			s = fx.ask.leg[i].socket;
	assert_non_null(s);
	int fd = s->fd;
	assert_int_equal(s->uses, 1);
	FINISHED(replies);
	assert_int_equal(fake[0].udp_queries, 2);
	assert_false(is_idle(s) && s->fd == fd && s->uses == 1); // its second reply is on the way
	assert_int_equal(now().open, now().idle);
}

TEST_WITH(test_worn_out_goes, rig_setup, rig_teardown)
{
	struct upstream_socket *s = NULL;
	unsigned uses = 0;
	wait_for_idle(MANY);
	struct upstream_leg leg = {.ask = &fx.ask};
	s = socket_take(0, &leg);
	struct upstream_socket *first = s;
	s->uses = UPSTREAM_SOCKET_USES - 1;
	upstream_socket_give(s, true);
	assert_true(is_idle(first));
	// Drawn sooner or later, for the last time.
	while (first->fd >= 0 && uses++ < 30000) {
		s = socket_take(0, &leg);
		if (s != first)
			s->uses = 1;
		upstream_socket_give(s, true);
	}
	assert_true(first->fd < 0);
}

TEST_WITH(test_last_use, rig_setup, rig_teardown)
{
	static const struct {
		unsigned most, uses;
	} cases[] = {{0, UPSTREAM_SOCKET_USES}, {2, 2},
		{UPSTREAM_SOCKET_USES - 1, UPSTREAM_SOCKET_USES - 1}, {10000, 10000},
		{UINT32_MAX, 1000000}};
	struct upstream_leg leg = {.ask = &fx.ask};
	wait_for_idle(MANY);
	for (unsigned i = 0; i < ARRAY_LEN(cases); i++) {
		struct upstream_socket *s;
		upstream_sockets_uses(fx.up->sockets, cases[i].most);
		s = socket_take(0, &leg);
		s->uses = cases[i].uses - 1;
		upstream_socket_give(s, true);
		assert_true(is_idle(s));
		s = socket_take(0, &leg);
		s->uses = cases[i].uses;
		upstream_socket_give(s, true);
		assert_int_equal(is_idle(s), cases[i].most == UINT32_MAX); // never closed for that
	}
}

TEST_WITH(test_stray_closes, rig_setup, rig_teardown)
{
	struct upstream_socket *s;
	struct upstream_leg leg = {.ask = &fx.ask};
	struct sockaddr_in sin;
	socklen_t len = sizeof(sin);
	make_busy(0);
	s = socket_take(0, &leg);
	assert_int_equal(getsockname(s->fd, (struct sockaddr *)&sin, &len), 0);
	upstream_socket_give(s, true);
	assert_true(is_idle(s));
	// Connected: only what seems to come from the server gets in.
	int other = socket(AF_INET, SOCK_DGRAM, 0);
	assert_int_equal(sendto(other, "x", 1, 0, (struct sockaddr *)&sin, len), 1);
	run_for(5);
	assert_true(is_idle(s));
	close(other);
	assert_int_equal(sendto(fake[0].udp_fd, "x", 1, 0, (struct sockaddr *)&sin, len), 1);
	assert_int_equal(sendto(fake[0].udp_fd, "y", 1, 0, (struct sockaddr *)&sin, len), 1);
	uint64_t until_ms = s->until_ms;
	for (unsigned i = 0; i < 1000 && now().strays < 2; i++)
		run_for(5);
	assert_int_equal(now().strays, 2);
	struct sockaddr_in its = {.sin_port = sin.sin_port};
	if (is_idle(s))
		assert_int_equal(getsockname(s->fd, (struct sockaddr *)&its, &len), 0);
	// Or another one has its place.
	assert_true(!is_idle(s) || s->until_ms != until_ms || its.sin_port != sin.sin_port);
}

TEST_WITH(test_too_old_goes, rig_setup, rig_teardown)
{
	struct upstream_socket *s;
	struct upstream_leg leg = {.ask = &fx.ask};
	make_busy(0);
	s = socket_take(0, &leg);
	assert_in_range(s->until_ms - clock_mono_ms(), 9900, 20000);
	int fd = s->fd;
	s->until_ms = clock_mono_ms();
	upstream_socket_give(s, true);
	uint64_t opened = now().opened;
	run_for(150);
	assert_true(now().opened > opened);
	assert_true(s->fd != fd || s->until_ms > clock_mono_ms());
}

TEST_WITH(test_new_list, rig_setup, rig_teardown)
{
	struct upstream_socket *s, *idle, *stays;
	struct upstream_leg leg = {.ask = &fx.ask}, other = leg;
	make_busy(0);
	make_busy(1);
	s = socket_take(1, &leg);
	stays = socket_take(1, &other);
	upstream_socket_give(stays, true);
	idle = socket_take(0, &leg);
	upstream_socket_give(idle, true);
	fx.config.server[0] = fx.config.server[1];
	CONFIGURE(count, 1);
	assert_false(is_idle(idle)); // its server has left
	assert_true(is_idle(stays));
	make_busy(0);
	upstream_socket_give(s, true);
	assert_true(is_idle(s)); // its server is the first now
	assert_int_equal(s->shelf, 0);
	s = socket_take(0, &leg);
	fx.config.server[0].address.port ^= 1;
	upstreams_configure(fx.up, &fx.config);
	upstream_socket_give(s, true);
	assert_int_equal(now().open, 0);
	assert_int_equal(now().idle, 0);
}

static void on_nothing(struct upstream_socket *)
{
}

// Descriptor 0 is one like others, where it was free.
TEST_WITH(test_descriptor_0_is_closed, rig_setup, rig_teardown)
{
	const union upstream_peer peer = fx.up->server[0].address;
	const socklen_t len = sizeof(peer.v4);
	struct upstream_leg leg = {.ask = &fx.ask};
	struct upstream_sockets *p;
	struct upstream_socket *s;
	assert_int_equal(upstream_sockets_new(&p, fx.loop, &fx.up->rng, on_nothing), 0);
	upstream_sockets_configure(p, &peer, &len, 1);
	upstream_sockets_uses(p, 0);
	make_busy_of(p, 0, 0);
	const int saved = dup(STDIN_FILENO);
	assert_true(saved > STDIN_FILENO);
	close(STDIN_FILENO);
	s = socket_take_of(p, 0, &leg, clock_mono_ms());
	assert_int_equal(s->fd, STDIN_FILENO);
	upstream_socket_give(s, true);
	assert_true(is_idle(s));
	upstream_sockets_free(p);
	assert_int_equal(fcntl(STDIN_FILENO, F_GETFD), -1);
	assert_int_equal(dup2(saved, STDIN_FILENO), STDIN_FILENO);
	close(saved);
}
