// SPDX-License-Identifier: BSD-3-Clause

// The UDP sockets that answer while no data plane does: replies from the address that was asked,
// bounds, and addresses that another program holds.
#include "controlplane/frontend/frontends.h"
#include "udp_rig.h"

#include <semaphore.h>

// Also for a client that is answered later, and on each address by itself.
TEST_WITH(test_answers_from_the_address_asked, setup, teardown)
{
	static const char *const addresses[] = {"127.0.0.77", "127.0.0.78"};
	open_on(FALLBACK_ON, addresses, 2);
	client_ask("127.0.0.78", "www.example", 1);
	assert_int_equal(client_hears("127.0.0.78"), 1);
	client_ask("127.0.0.77", "www.example", 2);
	assert_int_equal(client_hears("127.0.0.77"), 2);
	struct frontend_udp_status s = udp_status();
	assert_int_equal(s.bound, 2);
	assert_int_equal(s.received, 2);
	assert_int_equal(s.sent, 2);
	assert_int_equal(s.alone, 0); // a data plane is attached
	assert_int_equal(frontend_now().of[FRONTEND_UDP].verdict[VERDICT_hit], 1);
}

// More than one batch, from one iteration of the loop.
static void hold(void *arg)
{
	for (unsigned i = 0; i < 200; i++)
		client_ask("127.0.0.77", "many.example", (uint16_t)i);
	(void)arg;
}

TEST_WITH(test_many_at_once, setup, teardown)
{
	static const char *const addresses[] = {"127.0.0.77"};
	bool heard[200] = {false};
	open_on(FALLBACK_ON, addresses, 1);
	on_loop(hold, NULL);
	for (unsigned i = 0; i < 200; i++) {
		uint16_t id = client_hears("127.0.0.77");
		assert_true(id < 200 && !heard[id]);
		heard[id] = true;
	}
	assert_int_equal(udp_status().sent, 200);
}

TEST_WITH(test_what_is_no_query, setup, teardown)
{
	static const char *const addresses[] = {"127.0.0.77"};
	static uint8_t large[FRONTEND_UDP_QUERY_MAX + 1];
	open_on(FALLBACK_ON, addresses, 1);
	client_send("127.0.0.77", large, sizeof(large));
	client_send("127.0.0.77", "", 0);
	client_send("127.0.0.77", "\0\1\200\0", 4);
	client_ask("127.0.0.77", "after.example", 3);
	assert_int_equal(client_hears("127.0.0.77"), 3); // and nothing before
	assert_int_equal(udp_status().too_long, 1);
	assert_int_equal(frontend_now().of[FRONTEND_UDP].verdict[VERDICT_drop_dns_short], 2);
}

// As a worker does, with the same list.
TEST_WITH(test_source_ports, setup, teardown)
{
	static const char *const addresses[] = {"127.0.0.77"};
	static const uint16_t dropped[] = {7, 13, 17, 19, 53};
	struct sockaddr_in low = loopback("127.0.0.79", 7);
	int mine = client_fd, probe = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	assert_true(probe >= 0);
	int rc = bind(probe, (const struct sockaddr *)&low, sizeof(low));
	close(probe);
	if (rc < 0)
		skip(); // not root
	open_on(FALLBACK_ON, addresses, 1);
	for (unsigned i = 0; i < ARRAY_LEN(dropped); i++) {
		client_fd = bound_socket("127.0.0.79", dropped[i]);
		client_ask("127.0.0.77", "www.example", 1);
		close(client_fd);
	}
	client_fd = bound_socket("127.0.0.79", 52);
	client_ask("127.0.0.77", "www.example", 2);
	assert_int_equal(client_hears("127.0.0.77"), 2);
	close(client_fd);
	client_fd = mine;
	assert_int_equal(udp_status().received, ARRAY_LEN(dropped) + 1);
	assert_int_equal(udp_status().bad_source, ARRAY_LEN(dropped));
	assert_int_equal(udp_status().sent, 1);
}

// An address that another program holds is reported, and bound once that program is gone.
TEST_WITH(test_address_in_use, setup, teardown)
{
	static const char *const addresses[] = {"127.0.0.77", "127.0.0.78"};
	int squatter = bound_socket("127.0.0.77", port);
	open_on(FALLBACK_ON, addresses, 2);
	assert_int_equal(udp_status().sockets, 2);
	assert_int_equal(udp_status().bound, 1);
	client_ask("127.0.0.78", "www.example", 1);
	assert_int_equal(client_hears("127.0.0.78"), 1);
	close(squatter);
	WAIT_FOR(udp_status().bound >= 2);
	client_ask("127.0.0.77", "www.example", 2);
	assert_int_equal(client_hears("127.0.0.77"), 2);
}

static sem_t reported;

static void on_report(void *arg, const struct frontends_status *s)
{
	*(struct table_registry *)arg = s->tables;
	sem_post(&reported);
}

static void tables_now(void *arg)
{
	static struct frontends all = {.count = 1};
	all.one[0] =
		(struct frontends_one){.loop = rig.loop, .engine = rig.frontend, .udp = sockets};
	assert_int_equal(frontends_report(&all, rig.loop, on_report, arg), 0);
}

TEST_WITH(test_tables, setup, teardown)
{
	static const char *const addresses[] = {"127.0.0.77"};
	static const char *const expected[] = {"frontend_limits", "frontend_pending",
		"frontend_queries", "frontend_rings", "frontend_neighbours", "frontend_udp",
		"frontend_udp_proxied"};
	sem_init(&reported, 0, 0);
	for (unsigned on = 0; on < 2; on++) {
		struct table_registry tables = {0};
		open_on(on ? FALLBACK_ON : FALLBACK_OFF, addresses, 1);
		on_loop(tables_now, &tables);
		while (sem_wait(&reported) < 0)
			assert_int_equal(errno, EINTR);
		assert_int_equal(tables.count, ARRAY_LEN(expected));
		for (unsigned i = 0; i < ARRAY_LEN(expected); i++) {
			const struct table_info *t = &tables.table[i];
			assert_string_equal(t->name, expected[i]);
			assert_true(t->cap > 0 && t->used <= t->cap);
			assert_true(t->owner && t->eviction && t->lifetime);
			assert_true(t->shared <= t->bytes);
		}
		assert_true((tables.table[5].bytes > 0) == on);
	}
}

TEST_WITH(test_when_it_is_wanted, setup, teardown)
{
	static char tap[] = "net_tap0,iface=wt0", xdp[] = "net_af_xdp0,iface=eth0";
	static const char *const addresses[] = {"127.0.0.77"};
	struct config_dataplane *d = &rig.config.dataplane;
	d->port_count = 1;
	d->ports[0].device = tap;
	open_on(FALLBACK_AUTO, addresses, 1);
	assert_null(sockets);
	assert_int_equal(udp_status().sockets, 0);
	d->port_count = 2;
	d->ports[1].device = xdp;
	open_on(FALLBACK_OFF, addresses, 1);
	assert_null(sockets);
	open_on(FALLBACK_AUTO, addresses, 1);
	assert_non_null(sockets);
	d->port_count = 0;
}

TEST_GROUP(alone, NULL)
