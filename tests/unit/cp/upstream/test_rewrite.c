// SPDX-License-Identifier: BSD-3-Clause
// Names that local CNAMEs lead to: a name's own record before a wildcard's, the nearest wildcard
// before those above it, a group's table before everyone's, and chains with an end.

#include "controlplane/upstream/rewrite.h"
#include "tests/unit/unit.h"

enum { TTL_S = 60 };

// A CNAME; without a target some other record.
static struct config_record record(const char *name, const char *target)
{
	static struct dns_name kept[32];
	static unsigned used;
	struct config_record r = {.type = DNS_TYPE_A, .ttl_s = TTL_S};
	r.wildcard = name[0] == '*';
	name += r.wildcard ? 2 : 0;
	r.name = name_of_text(name);
	if (!target)
		return r;
	assert_true(used < ARRAY_LEN(kept));
	struct dns_name *n = &kept[used++];
	*n = name_of_text(target);
	r.type = DNS_TYPE_CNAME;
	r.rdata = n->wire;
	r.rdata_len = n->len;
	return r;
}

static struct rewrite follow(
	const struct rewrite_table *own, const struct rewrite_table *everyone, const char *name)
{
	struct rewrite out;
	const struct dns_name n = name_of_text(name);
	assert_int_equal(rewrite_follow(own, everyone, &n, &out), 0);
	return out;
}

static void expect(const struct rewrite *r, unsigned at, const char *target)
{
	char text[DNS_NAME_TEXT_MAX];
	assert_true(at < r->count);
	assert_string_equal(dns_name_to_text(&r->alias[at].target, text), target);
	assert_int_equal(r->alias[at].ttl_s, TTL_S);
}

TEST(test_which_record_covers_a_name)
{
	static const struct {
		const char *name, *target; // NULL: is not rewritten
	} cases[] = {{"www.example", "a.test"}, {"x.www.example", NULL},
		{"x.shop.example", "b.test"}, {"x.y.shop.example", "b.test"},
		{"shop.example", NULL}, {"own.shop.example", NULL}, {"deep.shop.example", "b.test"},
		{"x.deep.shop.example", "c.test"}, {"other.example", NULL}, {"example", NULL}};
	const struct config_record records[] = {record("www.example", "a.test"),
		record("*.shop.example", "b.test"), record("own.shop.example", NULL),
		record("*.deep.shop.example", "c.test")};
	struct rewrite_table *t;
	assert_int_equal(rewrite_table_new(records, ARRAY_LEN(records), &t), 0);
	for (unsigned i = 0; i < ARRAY_LEN(cases); i++) {
		const struct rewrite r = follow(NULL, t, cases[i].name);
		assert_int_equal(r.count, cases[i].target != NULL);
		if (cases[i].target)
			expect(&r, 0, cases[i].target);
	}
	rewrite_table_free(t);
}

TEST(test_chains_and_tables)
{
	const struct config_record ours[] = {record("one.example", "two.example")},
				   all[] = {record("one.example", "elsewhere.test"),
					   record("two.example", "three.test"),
					   record("left.example", "right.example"),
					   record("right.example", "left.example")};
	struct rewrite_table *own, *everyone, *none;
	struct rewrite out;
	const struct dns_name left = name_of_text("left.example");
	assert_int_equal(rewrite_table_new(ours, ARRAY_LEN(ours), &own), 0);
	assert_int_equal(rewrite_table_new(all, ARRAY_LEN(all), &everyone), 0);
	out = follow(own, everyone, "one.example");
	assert_int_equal(out.count, 2);
	expect(&out, 0, "two.example");
	expect(&out, 1, "three.test");
	out = follow(NULL, everyone, "one.example");
	assert_int_equal(out.count, 1);
	expect(&out, 0, "elsewhere.test");
	assert_int_equal(rewrite_follow(own, everyone, &left, &out), -ELOOP);
	rewrite_table_free(everyone);
	rewrite_table_free(own);
	const struct config_record address = record("one.example", NULL);
	assert_int_equal(rewrite_table_new(&address, 1, &none), 0);
	assert_null(none);
	rewrite_table_free(none);
}
