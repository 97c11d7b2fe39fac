// SPDX-License-Identifier: BSD-3-Clause
// Bogus answers are remembered with their reason, within bounds.

#include "controlplane/validator/validator_bogus.h"
#include "tests/unit/unit.h"

enum { VIEW = 3, NOW_MS = 5000 };

static struct bogus_names names;

FIXTURE(setup, names = (struct bogus_names){0})

FIXTURE(teardown, bogus_names_free(&names))

static void add(const char *text, uint16_t qtype, uint64_t hash, const char *why, uint64_t now_ms)
{
	const struct dns_name name = name_of_text(text);
	bogus_names_add(&names, &(struct bogus_question){hash, &name, qtype, VIEW},
		DNS_EDE_SIGNATURE_EXPIRED, why, now_ms);
}

static unsigned find(const char *text, uint16_t qtype, uint64_t now_ms, struct bogus_found *out)
{
	const struct dns_name name = name_of_text(text);
	return bogus_names_find(&names, &name, qtype, now_ms, out, 2);
}

static struct table_info table(uint64_t now_ms)
{
	static struct table_registry all;
	all.count = 0;
	bogus_names_table(&names, now_ms, &all);
	assert_int_equal(all.count, 1);
	return all.table[0];
}

TEST_WITH(test_by_name_and_type, setup, teardown)
{
	struct bogus_found found[2];
	assert_int_equal(find("a.example", 0, NOW_MS, found), 0);
	assert_int_equal(table(NOW_MS).bytes, 0);
	add("a.example", DNS_TYPE_A, 1, "expired", NOW_MS);
	add("a.example", DNS_TYPE_MX, 2, "late", NOW_MS);
	add("b.example", DNS_TYPE_A, 3, "", NOW_MS);
	assert_int_equal(find("a.example", DNS_TYPE_A, NOW_MS + 7000, found), 1);
	assert_string_equal(found[0].why, "expired");
	assert_int_equal(found[0].ede, DNS_EDE_SIGNATURE_EXPIRED);
	assert_int_equal(found[0].view, VIEW);
	assert_int_equal(found[0].qtype, DNS_TYPE_A);
	assert_int_equal(found[0].age_ms, 7000);
	assert_int_equal(find("a.example", 0, NOW_MS, found), 2);
	assert_int_equal(find("c.example", 0, NOW_MS, found), 0);
	const struct table_info t = table(NOW_MS + 7000);
	assert_int_equal(t.used, 3);
	assert_int_equal(t.oldest_ms, 7000);
	assert_true(t.bytes > 0);
}

TEST_WITH(test_it_leaves, setup, teardown)
{
	struct bogus_found found[2];
	add("a.example", DNS_TYPE_A, 1, "old", NOW_MS);
	add("a.example", DNS_TYPE_A, 1, "new", NOW_MS + 1000);
	assert_int_equal(find("a.example", 0, NOW_MS + BOGUS_NAME_MS, found), 1);
	assert_string_equal(found[0].why, "new");
	assert_int_equal(find("a.example", 0, NOW_MS + 1000 + BOGUS_NAME_MS, found), 0);
	bogus_names_clear(&names, 2);
	assert_int_equal(find("a.example", 0, NOW_MS, found), 1);
	bogus_names_clear(&names, 1);
	assert_int_equal(find("a.example", 0, NOW_MS, found), 0);
	add("a.example", DNS_TYPE_A, 1, "again", NOW_MS);
	bogus_names_clear_all(&names);
	assert_int_equal(find("a.example", 0, NOW_MS, found), 0);
	assert_int_equal(table(NOW_MS).used, 0);
}

TEST_WITH(test_as_many_as_there_is_room_for, setup, teardown)
{
	enum { MANY = 2000 };
	char text[32];
	struct bogus_found found[2];
	for (unsigned i = 0; i < MANY; i++) {
		snprintf(text, sizeof(text), "n%u.example", i);
		add(text, DNS_TYPE_A, i, "expired", NOW_MS + i);
	}
	const struct table_info t = table(NOW_MS + MANY);
	assert_int_equal(t.used, t.cap);
	assert_int_equal(t.high, t.cap);
	assert_int_equal(t.evicted, MANY - t.cap);
	assert_int_equal(find(text, 0, NOW_MS + MANY, found), 1);
	assert_int_equal(find("n0.example", 0, NOW_MS + MANY, found), 0);
}

TEST_WITH(test_reasons_are_short_and_printable, setup, teardown)
{
	struct bogus_found found[2];
	char why[500];
	memset(why, 'x', sizeof(why));
	why[0] = '\033';
	why[1] = '\200';
	why[sizeof(why) - 1] = '\0';
	add("a.example", DNS_TYPE_A, 1, why, NOW_MS);
	assert_int_equal(find("a.example", 0, NOW_MS, found), 1);
	assert_int_equal(strlen(found[0].why), VALIDATOR_WHY_MAX - 1);
	assert_memory_equal(found[0].why, "??xx", 4);
}
