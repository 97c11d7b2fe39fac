// SPDX-License-Identifier: BSD-3-Clause
#include "../../controlplane/inflight.h"
#include "unit.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static struct dns_query query_of(const char *text, uint16_t type)
{
	struct dns_query q = {.qtype = type, .qclass = DNS_CLASS_IN};
	assert_int_equal(dns_name_from_text(text, strlen(text), &q.name), 0);
	return q;
}

static struct l0_key key_of(const struct dns_query *q, uint64_t hash)
{
	return (struct l0_key){
		.hash = hash,
		.name = q->name.wire,
		.name_len = q->name.len,
		.qtype = q->qtype,
		.qclass = q->qclass,
	};
}

static void test_full_key_is_compared(void **state)
{
	struct inflight *f;
	(void)state;
	assert_int_equal(inflight_new(&f, 16, 16), 0);
	struct dns_query a = query_of("a.example", DNS_TYPE_A),
			 b = query_of("b.example", DNS_TYPE_A);
	struct l0_key key = key_of(&a, 7);
	struct question *q = inflight_add(f, &key, &a);
	assert_ptr_equal(inflight_find(f, &key), q);
	struct l0_key other = key_of(&b, 7); // same hash, other name
	assert_null(inflight_find(f, &other));
	other = key;
	other.qtype = DNS_TYPE_AAAA;
	assert_null(inflight_find(f, &other));
	other = key;
	other.flags = L0_KEY_DO;
	assert_null(inflight_find(f, &other));
	other = key;
	other.view = 1;
	assert_null(inflight_find(f, &other));
	inflight_free(f);
}

static void test_questions_are_capped_and_come_back(void **state)
{
	struct inflight *f;
	struct question *q[8];
	(void)state;
	assert_int_equal(inflight_new(&f, 8, 8), 0);
	struct dns_query query = query_of("x.example", DNS_TYPE_A);
	for (unsigned round = 0; round < 3; round++) {
		for (unsigned i = 0; i < 8; i++) {
			struct l0_key key = key_of(&query, i * 64 + round); // all in few chains
			assert_null(inflight_find(f, &key));
			q[i] = inflight_add(f, &key, &query);
			assert_non_null(q[i]);
		}
		struct l0_key more = key_of(&query, 999);
		assert_null(inflight_add(f, &more, &query));
		for (unsigned i = 0; i < 8; i++)
			inflight_remove(f, q[(i * 3) % 8]);
		assert_null(inflight_any(f));
	}
	inflight_set_limit(f, 1);
	struct l0_key one = key_of(&query, 1), two = key_of(&query, 2);
	assert_non_null(inflight_add(f, &one, &query));
	assert_null(inflight_add(f, &two, &query));
	inflight_free(f);
}

static void test_waiters_are_bounded_and_in_order(void **state)
{
	struct inflight *f;
	struct inflight_stats s;
	struct waiter w = {.id = 0};
	(void)state;
	assert_int_equal(inflight_new(&f, 4, 10), 0);
	struct dns_query query = query_of("x.example", DNS_TYPE_A);
	struct l0_key ka = key_of(&query, 1), kb = key_of(&query, 2);
	struct question *a = inflight_add(f, &ka, &query), *b = inflight_add(f, &kb, &query);
	for (w.id = 0; w.id < 6; w.id++)
		assert_int_equal(inflight_wait(f, a, &w, 6), 0);
	assert_int_equal(inflight_wait(f, a, &w, 6), -EDQUOT);
	for (w.id = 0; w.id < 4; w.id++)
		assert_int_equal(inflight_wait(f, b, &w, 6), 0);
	assert_int_equal(inflight_wait(f, b, &w, 6), -ENOSPC);
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
	inflight_free(f);
}

static void test_letter_case_is_kept(void **state)
{
	struct waiter w;
	uint8_t name[DNS_NAME_MAX], lower[DNS_NAME_MAX];
	(void)state;
	// The longest name: labels of 63, 63, 63, 61 octets, every second letter upper case.
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
	waiter_keep_case(&w, name, sizeof(name));
	waiter_give_case(&w, lower, sizeof(lower));
	assert_memory_equal(name, lower, sizeof(name));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_full_key_is_compared),
		cmocka_unit_test(test_questions_are_capped_and_come_back),
		cmocka_unit_test(test_waiters_are_bounded_and_in_order),
		cmocka_unit_test(test_letter_case_is_kept),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
