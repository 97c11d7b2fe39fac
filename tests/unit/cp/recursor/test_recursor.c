// SPDX-License-Identifier: BSD-3-Clause
// The recursor's socket and its questions, with a double in the place of libunbound. Real
// recursion: tests/smoke/recursion_test.sh.
#include "base/loop.h"
#include "base/table_registry.h"
#include "library_double.h"
#include "recursor/recursor.h"
#include "tests/unit/unit.h"

#include <event2/event.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <weir/bytes.h>
#include <weir/dns_proto.h>

enum { QUESTIONS = 8, ID = 0x1234 };

// "Ab.Example" A IN, with its letter case.
static const uint8_t query[] = {ID >> 8, ID & 255, 1, 0x10, 0, 1, 0, 0, 0, 0, 0, 0, 2, 'A', 'b', 7,
	'E', 'x', 'a', 'm', 'p', 'l', 'e', 0, 0, 1, 0, 1};
// As the library answers it, with its spelling, AA, AD, no RA and one address.
static const uint8_t answer[] = {0, 0, 0x84, 0x20, 0, 1, 0, 1, 0, 0, 0, 0, 2, 'a', 'b', 7, 'e', 'x',
	'a', 'm', 'p', 'l', 'e', 0, 0, 1, 0, 1, 0xc0, 12, 0, 1, 0, 1, 0, 0, 1, 44, 0, 4, 192, 0, 2,
	7};

static struct loop *loop;
static struct recursor *r;
static int client[QUESTIONS + 1];
static struct recursor_settings set = {.is_on = true, .root_hints = "", .hash = 1};

static void turn(void)
{
	event_base_loop(loop_base(loop), EVLOOP_NONBLOCK);
}

static struct recursor_status now(void)
{
	struct recursor_status s;
	recursor_status(r, &s);
	return s;
}

static int client_open(void)
{
	struct sockaddr_in to = {.sin_family = AF_INET,
		.sin_port = htons(recursor_address(r)->port),
		.sin_addr = {htonl(INADDR_LOOPBACK)}};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	assert_true(fd >= 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof(to)), 0);
	return fd;
}

static int setup(void **)
{
	memset(&library_double, 0, sizeof(library_double));
	assert_int_equal(loop_new("test", &loop), 0);
	assert_int_equal(recursor_new(&r, loop, QUESTIONS), 0);
	assert_int_equal(recursor_configure(r, &set), 0);
	for (unsigned i = 0; i < ARRAY_LEN(client); i++)
		client[i] = client_open();
	return 0;
}

static int teardown(void **)
{
	recursor_free(r);
	r = NULL;
	assert_int_equal(library_double.open, 0);
	for (unsigned i = 0; i < ARRAY_LEN(client); i++)
		close(client[i]);
	loop_free(loop);
	return 0;
}

// Loopback: what is sent is there.
static void send_now(unsigned i, const void *bytes, size_t len)
{
	assert_int_equal(send(client[i], bytes, len, 0), (ssize_t)len);
	turn();
}

// 0: no reply has come.
static size_t reply(unsigned i, uint8_t *out, size_t cap)
{
	ssize_t n = recv(client[i], out, cap, MSG_DONTWAIT);
	return n > 0 ? (size_t)n : 0;
}

// With a zone of its own for each letter.
static void send_zone(unsigned i, char letter, uint16_t id)
{
	uint8_t other[sizeof(query)];

	memcpy(other, query, sizeof(query));
	put_u16(other, id);
	other[DNS_HEADER_LEN + 1] = (uint8_t)letter;
	send_now(i, other, sizeof(other));
}

static void expect_servfail(unsigned i)
{
	uint8_t got[512];
	assert_int_equal(reply(i, got, sizeof(got)), sizeof(query));
	assert_int_equal(get_u16(got), ID);
	assert_int_equal(get_u16(got + 2), 0x8192); // QR, RD, RA, CD
	assert_memory_equal(
		got + DNS_HEADER_LEN, query + DNS_HEADER_LEN, sizeof(query) - DNS_HEADER_LEN);
}

static void test_an_answer(void **)
{
	const struct library_answer a = {.msg = answer, .len = sizeof(answer)};
	uint8_t got[512];

	send_now(0, query, sizeof(query));
	assert_int_equal(library_double.calls, 1);
	assert_string_equal(library_double.call[0].name, "ab.example");
	assert_int_equal(library_double.call[0].qtype, DNS_TYPE_A);
	assert_int_equal(now().questions, 1);
	library_double_answer(0, &a);
	assert_int_equal(reply(0, got, sizeof(got)), sizeof(answer));
	assert_int_equal(get_u16(got), ID);
	assert_int_equal(get_u16(got + 2), 0x8190); // QR, RD, RA, CD: neither AA nor AD
	assert_memory_equal(
		got + DNS_HEADER_LEN, query + DNS_HEADER_LEN, sizeof(query) - DNS_HEADER_LEN);
	assert_memory_equal(
		got + sizeof(query), answer + sizeof(query), sizeof(answer) - sizeof(query));
	assert_int_equal(now().answers, 1);
	assert_int_equal(now().questions, 0);
}

static void test_failures_are_servfail(void **)
{
	static uint8_t large[65508];
	const struct library_answer none = {.rcode = 2},
				    cut = {.msg = answer, .len = sizeof(query) - 1},
				    long_one = {.msg = large, .len = sizeof(large)};
	const struct library_answer *const a[] = {&none, &cut, &long_one};

	memcpy(large, answer, sizeof(answer));
	for (unsigned i = 0; i < ARRAY_LEN(a); i++) {
		send_now(0, query, sizeof(query));
		library_double_answer(0, a[i]);
		expect_servfail(0);
	}
	library_double.ask_error = -22;
	send_now(0, query, sizeof(query));
	expect_servfail(0);
	assert_int_equal(now().broken, 1);
	assert_int_equal(now().failed, 4);
	assert_int_equal(now().questions, 0);
}

static void test_a_repeated_query_asks_once(void **)
{
	const struct library_answer a = {.msg = answer, .len = sizeof(answer)};
	uint8_t got[512], other[sizeof(query)];

	memcpy(other, query, sizeof(query));
	other[1]++;
	send_now(0, query, sizeof(query));
	send_now(0, query, sizeof(query));
	assert_int_equal(library_double.calls, 1);
	assert_int_equal(now().repeated, 1);
	send_now(0, other, sizeof(other)); // another id
	send_now(1, query, sizeof(query)); // another port
	assert_int_equal(library_double.calls, 3);
	library_double_answer(0, &a);
	assert_int_equal(reply(0, got, sizeof(got)), sizeof(answer));
	assert_int_equal(reply(0, got, sizeof(got)), 0);
	send_now(0, query, sizeof(query)); // asked again, as it has its answer
	assert_int_equal(library_double.calls, 3);
	assert_int_equal(now().repeated, 1);
}

static void test_questions_are_bounded(void **)
{
	const struct library_answer a = {.msg = answer, .len = sizeof(answer)};
	struct table_registry tables = {0};
	uint8_t got[512];

	for (unsigned i = 0; i < QUESTIONS; i++)
		send_zone(i, (char)('a' + i), ID);
	send_now(QUESTIONS, query, sizeof(query)); // of the zone of the first one
	expect_servfail(QUESTIONS);
	assert_int_equal(now().refused, 1);
	recursor_tables(r, &tables);
	assert_int_equal(tables.table[0].used, QUESTIONS);
	assert_int_equal(tables.table[0].refused, 1);
	library_double_answer(1, &a);
	assert_int_equal(reply(1, got, sizeof(got)), sizeof(answer));
	send_zone(QUESTIONS, 'z', ID);
	assert_int_equal(library_double.calls, QUESTIONS);
}

// One zone has as many as it leaves free.
static void test_a_zone_leaves_room(void **)
{
	const struct library_answer a = {.msg = answer, .len = sizeof(answer)};
	uint8_t got[512];

	for (uint16_t id = 0; id < QUESTIONS; id++)
		send_zone(0, 'a', id);
	assert_int_equal(library_double.calls, 4);
	assert_int_equal(now().refused, 4);
	send_zone(0, 'b', 100);
	send_zone(0, 'b', 101);
	send_zone(0, 'b', 102); // 2 of it, and 2 are free
	assert_int_equal(library_double.calls, 6);
	send_zone(0, 'c', 103);
	assert_int_equal(library_double.calls, 7);
	for (unsigned i = 0; i < 5; i++) // the refusals, one by one
		assert_true(reply(0, got, sizeof(got)) > 0);
	for (unsigned i = 0; i < 4; i++)
		library_double_answer(0, &a);
	send_zone(0, 'a', 200); // it has none any more
	assert_int_equal(library_double.calls, 4);
	assert_int_equal(now().questions, 4);
}

static void test_a_zone_has_half_of_the_sockets(void **)
{
	const unsigned most = RECURSOR_SOCKETS / 2;

	recursor_free(r);
	assert_int_equal(recursor_new(&r, loop, 4 * RECURSOR_SOCKETS), 0);
	assert_int_equal(recursor_configure(r, &set), 0);
	close(client[0]);
	client[0] = client_open();
	for (uint16_t id = 0; id <= most; id++)
		send_zone(0, 'a', id);
	assert_int_equal(library_double.calls, most);
	assert_int_equal(now().refused, 1);
	send_zone(0, 'b', 1000);
	assert_int_equal(library_double.calls, most + 1);
	assert_non_null(strstr(library_double.config, "outgoing-num-tcp: 64\n"));
}

// By default the library would leave a name server that was silent alone for 15 minutes.
static void test_silent_servers_come_back(void **)
{
	assert_non_null(strstr(library_double.config, "infra-host-ttl: 60\n"));
	assert_non_null(strstr(library_double.config, "infra-keep-probing: yes\n"));
}

static void test_what_is_no_query(void **)
{
	uint8_t bad[sizeof(query)];

	send_now(0, query, 5);
	send_now(0, query, sizeof(query) - 3);
	memcpy(bad, query, sizeof(query));
	bad[2] |= 0x80; // a response
	send_now(0, bad, sizeof(bad));
	memcpy(bad, query, sizeof(query));
	bad[sizeof(bad) - 1] = 3; // class CH
	send_now(0, bad, sizeof(bad));
	assert_int_equal(now().malformed, 4);
	assert_int_equal(library_double.calls, 0);
	assert_int_equal(reply(0, bad, sizeof(bad)), 0);
}

static void test_settings(void **)
{
	const struct recursor_settings other = {.is_on = true, .root_hints = "/x", .hash = 2},
				       off = {.root_hints = ""};
	const uint16_t port = recursor_address(r)->port;
	struct socket_address any;

	assert_true(port != 0 && recursor_address_any(&any));
	assert_int_equal(any.port, port);
	assert_null(strstr(library_double.config, "root-hints"));
	send_now(0, query, sizeof(query));
	assert_int_equal(recursor_configure(r, &set), 0); // nothing new
	assert_int_equal(library_double.calls, 1);
	assert_int_equal(recursor_configure(r, &other), 0);
	expect_servfail(0);
	assert_non_null(strstr(library_double.config, "root-hints: \"/x\""));
	assert_int_equal(library_double.open, 1);
	assert_int_equal(recursor_address(r)->port, port);
	assert_int_equal(recursor_configure(r, &off), 0);
	assert_int_equal(library_double.open, 0);
	assert_int_equal(recursor_address(r)->port, 0);
	assert_false(recursor_address_any(&any));
	assert_int_equal(recursor_configure(r, &set), 0);
	assert_true(recursor_address(r)->port != 0);
}

// Questions that run have their answers; later ones find empty caches.
static void test_flush(void **)
{
	const struct library_answer a = {.msg = answer, .len = sizeof(answer)};
	uint8_t got[512];

	send_now(0, query, sizeof(query));
	assert_int_equal(recursor_flush(r), 0);
	assert_int_equal(library_double.open, 2);
	assert_int_equal(library_double.calls, 1);
	send_now(1, query, sizeof(query));
	assert_int_equal(library_double.calls, 2);
	assert_ptr_not_equal(library_double.call[0].of, library_double.call[1].of);
	library_double_answer(0, &a);
	assert_int_equal(reply(0, got, sizeof(got)), sizeof(answer));
	send_zone(2, 'x', ID); // the next query ends the old one
	assert_int_equal(library_double.open, 1);
	assert_int_equal(library_double.calls, 2);
	assert_int_equal(recursor_flush(r), 0);
	assert_int_equal(recursor_flush(r), 0); // the second one before they end
	expect_servfail(1);
	assert_int_equal(library_double.calls, 0);
	assert_int_equal(library_double.open, 1);
	assert_int_equal(now().questions, 0);
}

static void test_flush_while_off(void **)
{
	const struct recursor_settings off = {.root_hints = ""};

	send_now(0, query, sizeof(query));
	assert_int_equal(recursor_flush(r), 0);
	assert_int_equal(recursor_configure(r, &off), 0);
	expect_servfail(0);
	assert_int_equal(recursor_flush(r), 0);
	assert_int_equal(library_double.open, 0);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_an_answer),
		T(test_failures_are_servfail),
		T(test_a_repeated_query_asks_once),
		T(test_questions_are_bounded),
		T(test_a_zone_leaves_room),
		T(test_a_zone_has_half_of_the_sockets),
		T(test_silent_servers_come_back),
		T(test_what_is_no_query),
		T(test_settings),
		T(test_flush),
		T(test_flush_while_off),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
