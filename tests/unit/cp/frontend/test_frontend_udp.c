// SPDX-License-Identifier: BSD-3-Clause

// The UDP sockets that answer while no data plane does: replies from the address that was asked,
// bounds, and addresses that another program holds.
#include "controlplane/frontend/frontends.h"
#include "frontend_rig.h"
#include "tests/unit/dp/config/net_segment.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <semaphore.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static struct frontend_udp *sockets;
static uint16_t port;
static int client_fd;

static struct sockaddr_in loopback(const char *address, uint16_t at_port)
{
	struct sockaddr_in sa = {.sin_family = AF_INET, .sin_port = htons(at_port)};
	assert_int_equal(inet_pton(AF_INET, address, &sa.sin_addr), 1);
	return sa;
}

static int bound_socket(const char *address, uint16_t at_port)
{
	const struct sockaddr_in sa = loopback(address, at_port);
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (const struct sockaddr *)&sa, sizeof(sa)), 0);
	return fd;
}

static uint16_t port_of(int fd)
{
	struct sockaddr_in sa;
	socklen_t len = sizeof(sa);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&sa, &len), 0);
	return ntohs(sa.sin_port);
}

static int opened;

static void open_now(void *arg)
{
	opened = frontend_udp_open(&sockets, rig.frontend, rig.publisher, rig.loop, arg, port);
}

static void close_now(void *arg)
{
	(void)arg;
	frontend_udp_close(sockets);
	sockets = NULL;
}

static void open_on(enum fallback_udp when, const char *const *addresses, unsigned count)
{
	struct config_dataplane *d = &rig.config.dataplane;
	rig.config.fallback.udp = when;
	d->address_count = count;
	for (unsigned i = 0; i < count; i++)
		assert_int_equal(ip_address_parse(addresses[i], &d->addresses[i]), 0);
	on_loop(open_now, &rig.config);
	assert_int_equal(opened, 0);
}

static void look_now(void *arg)
{
	frontend_udp_status(sockets, arg);
}

static struct frontend_udp_status udp_status(void)
{
	struct frontend_udp_status s;
	on_loop(look_now, &s);
	return s;
}

static int setup(void **state)
{
	rig_setup(state);
	fake[0].ttl_s = fake[1].ttl_s = 300;
	frontend_rig_admit_all();
	int fd = bound_socket("127.0.0.77", 0); // a port that is free there
	port = port_of(fd);
	close(fd);
	client_fd = bound_socket("127.0.0.1", 0);
	return 0;
}

static int teardown(void **state)
{
	on_loop(close_now, NULL);
	close(client_fd);
	return rig_teardown(state);
}

static void client_send(const char *service, const void *msg, size_t len)
{
	const struct sockaddr_in sa = loopback(service, port);
	ssize_t n = sendto(client_fd, msg, len, 0, (const struct sockaddr *)&sa, sizeof(sa));
	assert_int_equal(n, len);
}

static void client_ask(const char *service, const char *name, uint16_t id)
{
	uint8_t msg[600];
	const struct frontend_rig_query q = {.name = name, .type = DNS_TYPE_A, .id = id};
	client_send(service, msg, query_write(msg, &q));
}

// The next reply's id, which comes from this address; fails without one.
static uint16_t client_hears(const char *service)
{
	struct pollfd p = {.fd = client_fd, .events = POLLIN};
	struct sockaddr_in from, want = loopback(service, port);
	socklen_t len = sizeof(from);
	uint8_t msg[4096];
	assert_int_equal(poll(&p, 1, 60000), 1);
	ssize_t n = recvfrom(client_fd, msg, sizeof(msg), 0, (struct sockaddr *)&from, &len);
	assert_true(n >= DNS_HEADER_LEN);
	assert_memory_equal(&from.sin_addr, &want.sin_addr, 4);
	assert_int_equal(from.sin_port, want.sin_port);
	assert_int_equal(get_u16(msg + 2) & DNS_FLAG_RCODE, DNS_RCODE_NOERROR);
	assert_int_equal(get_u16(msg + 6), 1);
	return get_u16(msg);
}

// Also for a client that is answered later, and on each address by itself.
static void test_answers_from_the_address_asked(void **)
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

static void test_many_at_once(void **)
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

static void test_what_is_no_query(void **)
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
static void test_source_ports(void **)
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
static void test_address_in_use(void **)
{
	static const char *const addresses[] = {"127.0.0.77", "127.0.0.78"};
	int squatter = bound_socket("127.0.0.77", port);
	open_on(FALLBACK_ON, addresses, 2);
	assert_int_equal(udp_status().sockets, 2);
	assert_int_equal(udp_status().bound, 1);
	client_ask("127.0.0.78", "www.example", 1);
	assert_int_equal(client_hears("127.0.0.78"), 1);
	close(squatter);
	for (unsigned i = 0; i < 1500 && udp_status().bound < 2; i++)
		usleep(100000);
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

static void test_tables(void **)
{
	static const char *const addresses[] = {"127.0.0.77"};
	static const char *const expected[] = {"frontend_limits", "frontend_pending",
		"frontend_queries", "frontend_rings", "frontend_neighbours", "frontend_udp"};
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

static void test_when_it_is_wanted(void **)
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

// A loopback of our own, where that is allowed: nobody else takes a port that was free just now.
static int alone(void **)
{
	return unshare(CLONE_NEWNET) == 0 ? net_segment_ip("link set lo up\n") : 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			test_answers_from_the_address_asked, setup, teardown),
		cmocka_unit_test_setup_teardown(test_many_at_once, setup, teardown),
		cmocka_unit_test_setup_teardown(test_what_is_no_query, setup, teardown),
		cmocka_unit_test_setup_teardown(test_source_ports, setup, teardown),
		cmocka_unit_test_setup_teardown(test_address_in_use, setup, teardown),
		cmocka_unit_test_setup_teardown(test_tables, setup, teardown),
		cmocka_unit_test_setup_teardown(test_when_it_is_wanted, setup, teardown),
	};
	return cmocka_run_group_tests(tests, alone, NULL);
}
