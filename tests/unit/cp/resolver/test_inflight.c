// SPDX-License-Identifier: BSD-3-Clause
#include "controlplane/resolver/inflight.h"
#include "controlplane/resolver/kept_query.h"
#include "tests/unit/unit.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static struct kept_queries kept;

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

static struct question *add(struct inflight *f, const struct l0_key *key, const struct dns_query *q)
{
	struct question *out = NULL;
	(void)!inflight_add(f, key, q, false, &out);
	return out;
}

static void set_limits(struct inflight *f, unsigned questions, unsigned zone, unsigned client)
{
	inflight_set_limits(f,
		&(struct inflight_limits){
			.questions = questions, .zone_questions = zone, .client_waiters = client});
}

static void test_full_key_is_compared(void **state)
{
	struct inflight *f;
	(void)state;
	assert_int_equal(inflight_new(&f, 16, 16, &kept), 0);
	struct dns_query a = query_of("a.example", DNS_TYPE_A),
			 b = query_of("b.example", DNS_TYPE_A);
	struct l0_key key = key_of(&a, 7);
	struct question *q = add(f, &key, &a);
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
	assert_int_equal(inflight_new(&f, 8, 8, &kept), 0);
	struct dns_query query = query_of("x.example", DNS_TYPE_A);
	for (unsigned round = 0; round < 3; round++) {
		for (unsigned i = 0; i < 8; i++) {
			struct l0_key key = key_of(&query, i * 64 + round); // all in few chains
			assert_null(inflight_find(f, &key));
			q[i] = add(f, &key, &query);
			assert_non_null(q[i]);
		}
		struct l0_key more = key_of(&query, 999);
		assert_null(add(f, &more, &query));
		for (unsigned i = 0; i < 8; i++)
			inflight_remove(f, q[(i * 3) % 8]);
		assert_null(inflight_any(f));
	}
	set_limits(f, 1, 0, 0);
	struct l0_key one = key_of(&query, 1), two = key_of(&query, 2);
	assert_non_null(add(f, &one, &query));
	assert_null(add(f, &two, &query));
	inflight_free(f);
}

static void test_waiters_are_bounded_and_in_order(void **state)
{
	struct inflight *f;
	struct inflight_stats s;
	struct waiter w = {.id = 0};
	(void)state;
	assert_int_equal(inflight_new(&f, 4, 10, &kept), 0);
	struct dns_query query = query_of("x.example", DNS_TYPE_A);
	struct l0_key ka = key_of(&query, 1), kb = key_of(&query, 2);
	struct question *a = add(f, &ka, &query), *b = add(f, &kb, &query);
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

// A few names for which everybody waits, and new ones.
static void test_the_last_quarter_is_for_who_has_few(void **)
{
	enum { ALL = 64, QUARTER = ALL / 4 };
	struct inflight *f;
	struct waiter w = {.id = 0};
	assert_int_equal(inflight_new(&f, 8, ALL, &kept), 0);
	struct dns_query query = query_of("x.example", DNS_TYPE_A);
	struct l0_key key = key_of(&query, 1);
	struct question *crowded = add(f, &key, &query), *q = NULL;
	for (unsigned i = 0; i < ALL - QUARTER; i++)
		assert_int_equal(inflight_wait(f, crowded, &w, ALL), 0);
	assert_int_equal(inflight_wait(f, crowded, &w, ALL), -EDQUOT);
	for (unsigned i = 0; i < QUARTER; i++) {
		if (i % INFLIGHT_FEW == 0) {
			key = key_of(&query, 2 + i);
			q = add(f, &key, &query);
		}
		assert_int_equal(inflight_wait(f, q, &w, ALL), 0);
		if (i % INFLIGHT_FEW == INFLIGHT_FEW - 1 && i < QUARTER - 1)
			assert_int_equal(inflight_wait(f, q, &w, ALL), -EDQUOT);
	}
	key = key_of(&query, 100);
	assert_int_equal(inflight_wait(f, add(f, &key, &query), &w, ALL), -ENOSPC);
	assert_true(inflight_take_waiter(f, q, &w));
	assert_true(inflight_take_waiter(f, crowded, &w));
	assert_int_equal(inflight_wait(f, crowded, &w, ALL), -EDQUOT);
	assert_int_equal(inflight_wait(f, q, &w, ALL), 0);
	inflight_free(f);
}

static void test_letter_case_is_kept(void **state)
{
	struct waiter w;
	uint8_t name[DNS_NAME_MAX], lower[DNS_NAME_MAX];
	(void)state;
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

// Adds questions of the names until there is no room for one more; how many there was room for.
static unsigned fill(struct inflight *f, const char *below, unsigned most, int *why)
{
	static unsigned serial;
	*why = 0;
	for (unsigned n = 0; n < most; n++) {
		char text[96];
		snprintf(text, sizeof(text), "r%u%s", ++serial, below);
		struct dns_query query = query_of(text, DNS_TYPE_A);
		struct l0_key key = key_of(&query, serial * UINT64_C(0x9e3779b97f4a7c15));
		struct question *q;
		*why = inflight_add(f, &key, &query, false, &q);
		if (*why < 0)
			return n;
	}
	return most;
}

static void test_a_zone_has_its_share(void **)
{
	struct inflight *f;
	int why;
	assert_int_equal(inflight_new(&f, 4096, 16, &kept), 0);
	set_limits(f, 4096, 256, 0);
	assert_int_equal(fill(f, ".victim.co.uk", 1000, &why), 256);
	assert_int_equal(why, -EDQUOT);
	assert_int_equal(fill(f, ".deep.er.victim.co.uk", 1000, &why), 0);
	// A neighbour under the same suffix does not suffer, nor does another zone.
	assert_int_equal(fill(f, ".neighbour.co.uk", 200, &why), 200);
	assert_int_equal(fill(f, ".example.com", 200, &why), 200);
	assert_int_equal(fill(f, ".2.0.192.in-addr.arpa", 1000, &why), 256);
	assert_int_equal(fill(f, ".100.51.198.in-addr.arpa", 200, &why), 200);
	// Renewing what is asked for often goes on.
	struct dns_query query = query_of("hot.victim.co.uk", DNS_TYPE_A);
	struct l0_key key = key_of(&query, 1);
	struct question *q;
	assert_int_equal(inflight_add(f, &key, &query, true, &q), 0);
	// What ends makes room.
	while ((q = inflight_any(f)))
		inflight_remove(f, q);
	assert_int_equal(fill(f, ".victim.co.uk", 1000, &why), 256);
	set_limits(f, 4096, 0, 0);
	assert_int_equal(fill(f, ".victim.co.uk", 5000, &why), 4096 - 256);
	assert_int_equal(why, -ENOSPC);
	inflight_free(f);
}

// Each name another registrable domain.
static void test_a_suffix_leaves_a_quarter(void **)
{
	struct inflight *f;
	int why;
	assert_int_equal(inflight_new(&f, 4096, 16, &kept), 0);
	set_limits(f, 4096, 256, 0);
	// The sketch may count a few of the other names for the suffix (weir/sketch.h), never too
	// few.
	unsigned com = fill(f, ".com", 5000, &why);
	assert_in_range(com, 3072 - 8, 3072);
	assert_int_equal(why, -EDQUOT);
	assert_true(inflight_is_crowded(f));
	assert_int_equal(fill(f, ".org", 500, &why), 500);
	// Names without any domain: each is its own suffix.
	assert_int_equal(fill(f, "", 5000, &why), 4096 - com - 500);
	assert_int_equal(why, -ENOSPC);
	inflight_free(f);
}

// Of eight, six: so few that the sketch counts them exactly.
static void test_a_suffix_leaves_a_quarter_of_few(void **)
{
	struct inflight *f;
	int why;
	assert_int_equal(inflight_new(&f, 8, 16, &kept), 0);
	set_limits(f, 8, 256, 0);
	assert_int_equal(fill(f, ".com", 8, &why), 6);
	assert_int_equal(why, -EDQUOT);
	inflight_free(f);
}

static void test_a_client_has_its_share(void **)
{
	struct inflight *f;
	const uint8_t a[4] = {192, 0, 2, 1}, b[4] = {192, 0, 2, 2};
	const uint8_t v6[16] = {0xfd, 0x53, [15] = 1}, near[16] = {0xfd, 0x53, [15] = 2};
	assert_int_equal(inflight_new(&f, 4, 12000, &kept), 0);
	set_limits(f, 4, 0, 64);
	struct dns_query query = query_of("x.example", DNS_TYPE_A);
	struct l0_key ka = key_of(&query, 1), kb = key_of(&query, 2);
	struct question *q[2] = {add(f, &ka, &query), add(f, &kb, &query)};
	struct waiter w = {.client = inflight_client(f, 4, a)};
	for (unsigned i = 0; i < 64; i++)
		assert_int_equal(inflight_wait(f, q[i % 2], &w, 10000), 0);
	assert_int_equal(inflight_wait(f, q[0], &w, 10000), -EUSERS);
	w.client = inflight_client(f, 4, b);
	assert_int_equal(inflight_wait(f, q[0], &w, 10000), 0);
	w.client = inflight_client(f, 6, v6);
	assert_int_equal(w.client, inflight_client(f, 6, near)); // of one /64
	assert_int_equal(inflight_wait(f, q[0], &w, 10000), 0);
	w.client = 0; // over TCP
	for (unsigned i = 0; i < 200; i++)
		assert_int_equal(inflight_wait(f, q[1], &w, 10000), 0);
	// Whoever was answered may ask again.
	assert_true(inflight_take_waiter(f, q[1], &w));
	w.client = inflight_client(f, 4, a);
	assert_int_equal(inflight_wait(f, q[0], &w, 10000), 0);
	assert_int_equal(inflight_wait(f, q[0], &w, 10000), -EUSERS);
	inflight_remove(f, q[1]);
	inflight_remove(f, q[0]);
	struct question *again = add(f, &ka, &query);
	// Nobody is counted any more, also not by those who share a counter: as many as one
	// question may have.
	for (unsigned i = 0; i < 9000; i++) {
		const uint8_t address[4] = {10, 0, (uint8_t)(i / 3 >> 8), (uint8_t)(i / 3)};
		w.client = inflight_client(f, 4, address);
		assert_int_equal(inflight_wait(f, again, &w, 10000), 0);
	}
	inflight_free(f);
}

// Two buckets for each question, rounded up, at four bytes.
static void test_bytes_of_buckets(void **)
{
	struct inflight *small, *large;
	static struct table_registry few, many;
	assert_int_equal(inflight_new(&small, 32, 16, &kept), 0);
	assert_int_equal(inflight_new(&large, 1000, 16, &kept), 0);
	inflight_tables(small, &few);
	inflight_tables(large, &many);
	assert_true(few.table[0].bytes >= 64 * sizeof(uint32_t));
	assert_int_equal(many.table[0].bytes - few.table[0].bytes, (2048 - 64) * sizeof(uint32_t));
	inflight_free(small);
	inflight_free(large);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_full_key_is_compared),
		cmocka_unit_test(test_questions_are_capped_and_come_back),
		cmocka_unit_test(test_waiters_are_bounded_and_in_order),
		cmocka_unit_test(test_the_last_quarter_is_for_who_has_few),
		cmocka_unit_test(test_letter_case_is_kept),
		cmocka_unit_test(test_a_zone_has_its_share),
		cmocka_unit_test(test_a_suffix_leaves_a_quarter),
		cmocka_unit_test(test_a_suffix_leaves_a_quarter_of_few),
		cmocka_unit_test(test_a_client_has_its_share),
		cmocka_unit_test(test_bytes_of_buckets),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
