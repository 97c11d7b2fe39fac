// SPDX-License-Identifier: BSD-3-Clause
#include "inflight_box.h"

TEST(test_full_key_is_compared)
{
	struct inflight *f = inflight_of(16, 16);
	struct dns_query a = query_of("a.example", DNS_TYPE_A),
			 b = query_of("b.example", DNS_TYPE_A);
	struct l0_key key = key_of(&a, 7);
	struct question *q = add(f, &key, &a);
	assert_ptr_equal(inflight_find(f, &key, NULL), q);
	struct l0_key other = key_of(&b, 7); // same hash, other name
	assert_null(inflight_find(f, &other, NULL));
	other = key;
	other.qtype = DNS_TYPE_AAAA;
	assert_null(inflight_find(f, &other, NULL));
	other = key;
	other.flags = L0_KEY_DO;
	assert_null(inflight_find(f, &other, NULL));
	other = key;
	other.view = 1;
	assert_null(inflight_find(f, &other, NULL));
	struct ip_address subnet = {.version = 4, .prefix_len = 24, .bytes = {192, 0, 2}};
	struct question *of;
	assert_null(inflight_find(f, &key, &subnet));
	assert_int_equal(
		inflight_add(f, &key, &a, &subnet, 0, false, clock_mono_ms(), &of), BOUND_none);
	assert_ptr_equal(inflight_find(f, &key, &subnet), of);
	assert_ptr_equal(inflight_find(f, &key, NULL), q);
	inflight_remove(f, q);
	subnet.prefix_len = 25;
	assert_null(inflight_find(f, &key, &subnet));
	subnet.prefix_len = 24;
	assert_ptr_equal(inflight_find(f, &key, &subnet), of);
}

TEST(test_questions_are_capped_and_come_back)
{
	struct question *q[8];
	struct inflight *f = inflight_of(8, 8);
	struct dns_query query = query_of("x.example", DNS_TYPE_A);
	for (unsigned round = 0; round < 3; round++) {
		for (unsigned i = 0; i < 8; i++) {
			struct l0_key key = key_of(&query, i * 64 + round); // all in few chains
			assert_null(inflight_find(f, &key, NULL));
			q[i] = add(f, &key, &query);
			assert_non_null(q[i]);
		}
		struct l0_key more = key_of(&query, 999);
		assert_null(add(f, &more, &query));
		for (unsigned i = 0; i < 8; i++)
			inflight_remove(f, q[(i * 3) % 8]);
		assert_null(inflight_younger(f, NULL));
	}
	set_limits(f, 1, 0, 0);
	struct l0_key one = key_of(&query, 1), two = key_of(&query, 2);
	assert_non_null(add(f, &one, &query));
	assert_null(add(f, &two, &query));
}

TEST(test_waiters_are_bounded_and_in_order)
{
	struct inflight_stats s;
	struct waiter w = {.id = 0};
	struct inflight *f = inflight_of(4, 10);
	struct dns_query query = query_of("x.example", DNS_TYPE_A);
	struct l0_key ka = key_of(&query, 1), kb = key_of(&query, 2);
	struct question *a = add(f, &ka, &query), *b = add(f, &kb, &query);
	for (w.id = 0; w.id < 6; w.id++)
		assert_int_equal(inflight_wait(f, a, &w, 6), 0);
	assert_int_equal(inflight_wait(f, a, &w, 6), BOUND_question);
	for (w.id = 0; w.id < 4; w.id++)
		assert_int_equal(inflight_wait(f, b, &w, 6), 0);
	assert_int_equal(inflight_wait(f, b, &w, 6), BOUND_waiters);
	for (unsigned i = 0; i < 6; i++) {
		assert_true(inflight_take_waiter(f, a, &w));
		assert_int_equal(w.id, i);
	}
	assert_false(inflight_take_waiter(f, a, &w));
	assert_int_equal(inflight_wait(f, a, &w, 6), 0);
	inflight_remove(f, b); // with its four
	inflight_stats(f, &s);
	assert_int_equal(s.waiters, 1);
	assert_int_equal(s.questions, 1);
	assert_int_equal(s.questions_max, 2);
}

// A few names for which everybody waits, and new ones.
TEST(test_the_last_quarter_is_for_who_has_few)
{
	enum { ALL = 64, QUARTER = ALL / 4 };
	struct waiter w = {.id = 0};
	struct inflight *f = inflight_of(8, ALL);
	struct dns_query query = query_of("x.example", DNS_TYPE_A);
	struct l0_key key = key_of(&query, 1);
	struct question *crowded = add(f, &key, &query), *q = NULL;
	for (unsigned i = 0; i < ALL - QUARTER; i++)
		assert_int_equal(inflight_wait(f, crowded, &w, ALL), 0);
	assert_int_equal(inflight_wait(f, crowded, &w, ALL), BOUND_few);
	for (unsigned i = 0; i < QUARTER; i++) {
		if (i % INFLIGHT_FEW == 0) {
			key = key_of(&query, 2 + i);
			q = add(f, &key, &query);
		}
		assert_int_equal(inflight_wait(f, q, &w, ALL), 0);
		if (i % INFLIGHT_FEW == INFLIGHT_FEW - 1 && i < QUARTER - 1)
			assert_int_equal(inflight_wait(f, q, &w, ALL), BOUND_few);
	}
	key = key_of(&query, 100);
	assert_int_equal(inflight_wait(f, add(f, &key, &query), &w, ALL), BOUND_waiters);
	assert_true(inflight_take_waiter(f, q, &w));
	assert_true(inflight_take_waiter(f, crowded, &w));
	assert_int_equal(inflight_wait(f, crowded, &w, ALL), BOUND_few);
	assert_int_equal(inflight_wait(f, q, &w, ALL), 0);
}

TEST(test_letter_case_is_kept)
{
	struct waiter w;
	uint8_t name[DNS_NAME_MAX], lower[DNS_NAME_MAX];
	// The longest name: labels of 63, 63, 63, 61 bytes, every second letter upper case.
	memset(name, 0, sizeof(name));
	unsigned pos = 0;
	const unsigned labels[] = {63, 63, 63, 61};
	for (unsigned l = 0; l < 4; l++) {
		name[pos++] = (uint8_t)labels[l];
		for (unsigned i = 0; i < labels[l]; i++, pos++)
			name[pos] = (uint8_t)((i % 2 ? 'A' : 'a') + i % 26);
	}
	assert_int_equal(pos, DNS_NAME_MAX - 1);
	for (unsigned i = 0; i < DNS_NAME_MAX; i++)
		lower[i] = name[i] >= 'A' && name[i] <= 'Z' ? name[i] + 32 : name[i];
	inflight_keep_case(&w, name, sizeof(name));
	inflight_give_case(&w, lower, sizeof(lower));
	assert_memory_equal(name, lower, sizeof(name));
}

// Two buckets for each question, rounded up, at four bytes.
TEST(test_bytes_of_buckets)
{
	static struct table_registry few, many;
	struct inflight *small = inflight_of(32, 16), *large = inflight_of(1000, 16);
	inflight_tables(small, &few);
	inflight_tables(large, &many);
	// Of zones, clients and subnets, whatever the size.
	assert_true(few.table[0].bytes >= (64 + 3 * (2u << 14)) * sizeof(uint32_t));
	assert_int_equal(many.table[0].bytes - few.table[0].bytes, (2048 - 64) * sizeof(uint32_t));
}

// Copies for dnstap leave room for what the wait of a client needs.
TEST(test_a_log_leaves_room)
{
	static const uint8_t bytes[60000];
	struct kept_queries k = {.is_on = true};
	uint8_t *log[256], *wait[256];
	unsigned logs = 0, waits = 0;
	while (logs < 256 && (log[logs] = kept_query_new(&k, bytes, sizeof(bytes))))
		logs++;
	while (waits < 256 && (wait[waits] = kept_query_copy(&k, bytes, sizeof(bytes))))
		waits++;
	assert_int_equal(k.refused, 2);
	assert_in_range(
		(size_t)waits * sizeof(bytes), KEPT_QUERIES_BYTES / 5, KEPT_QUERIES_BYTES / 3);
	assert_in_range(k.bytes, KEPT_QUERIES_BYTES - sizeof(bytes), KEPT_QUERIES_BYTES);
	while (logs > 0)
		kept_query_end(&k, log[--logs], sizeof(bytes));
	while (waits > 0)
		kept_query_end(&k, wait[--waits], sizeof(bytes));
	assert_int_equal(k.bytes, 0);
}
