// SPDX-License-Identifier: BSD-3-Clause
// The recursor's socket and its questions, with a double in the place of libunbound. Real
// recursion: tests/smoke/recursion_test.sh.
#include "base/table_registry.h"
#include "recursor_rig.h"

TEST_WITH(test_an_answer, recursor_setup, recursor_teardown)
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

TEST_WITH(test_failures_are_servfail, recursor_setup, recursor_teardown)
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

TEST_WITH(test_a_repeated_query_asks_once, recursor_setup, recursor_teardown)
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

TEST_WITH(test_questions_are_bounded, recursor_setup, recursor_teardown)
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
TEST_WITH(test_a_zone_leaves_room, recursor_setup, recursor_teardown)
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

TEST_WITH(test_a_zone_has_half_of_the_sockets, recursor_setup, recursor_teardown)
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
	for (uint16_t id = 0; id <= most / 2; id++)
		send_zone(0, 'b', 1000 + id);
	assert_int_equal(library_double.calls, most + most / 2);
	assert_int_equal(now().refused, 2);
	send_zone(0, 'c', 2000);
	assert_int_equal(library_double.calls, most + most / 2 + 1);
	assert_non_null(strstr(library_double.config, "outgoing-num-tcp: 64\n"));
}

TEST_WITH(test_what_is_no_query, recursor_setup, recursor_teardown)
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
