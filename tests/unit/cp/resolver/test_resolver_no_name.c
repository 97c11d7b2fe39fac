// SPDX-License-Identifier: BSD-3-Clause

// A name that has no A because there is no such name has nothing of another type either: what the
// answer to a question of another type, made of that, is checked against the lists by. Group 0 has
// all lists, group 1 none.
#include "controlplane/resolver/resolver_store.h"
#include "policy_rig.h"
#include "tests/unit/clock_still.h"

static struct answer_policy_fixture image, no_patterns;
static _Atomic int put_fails;           // what l0_writer_put returns; 0: its own
static _Atomic uint64_t answers_at_put; // that clients had got when it was last called
static uint16_t next_id;

int __real_l0_writer_put(struct l0_writer *w, const struct l0_put *put);
int __wrap_l0_writer_put(struct l0_writer *w, const struct l0_put *put);
int __wrap_l0_writer_put(struct l0_writer *w, const struct l0_put *put)
{
	struct worker_rings_stats s;
	worker_rings_stats(rig.resolver->worker_rings, &s);
	answers_at_put = s.answers;
	return put_fails ? put_fails : __real_l0_writer_put(w, put);
}

static void image_make(struct answer_policy_fixture *f, bool has_patterns)
{
	fixture_begin(f);
	fixture_source(f, "ads");
	fixture_rule(f, RULE_CLASS_BLOCK, "tracker.example");
	if (has_patterns) {
		fixture_rule(f, RULE_CLASS_BLOCK, "/^ad[0-9]+[.]/");
		fixture_source(f, "four");
		fixture_rule_for(f, RULE_CLASS_BLOCK, "/^four[.]/", DNS_TYPE_A);
	}
	fixture_check(f);
}

static int setup(void **state)
{
	static const char *const titles[] = {"ads", "four"};
	struct policy_group of[2] = {0};
	image_make(&image, true);
	image_make(&no_patterns, false);
	assert_int_equal(fixture_list(&image, "ads", RULE_CLASS_BLOCK),
		fixture_list(&no_patterns, "ads", RULE_CLASS_BLOCK));
	rig_setup(state);
	groups_configure(1);
	of[0] = group_with(&image, titles, ARRAY_LEN(titles), DNS_BLOCK_NXDOMAIN);
	rig_policy(of);
	judge_by(&image);
	fake[0].mode = fake[1].mode = FAKE_NO_NAME;
	next_id = 0;
	return 0;
}

static int teardown(void **state)
{
	int rc = rig_teardown(state);
	fixture_close(&image);
	fixture_close(&no_patterns);
	return rc;
}

static void expect_rcode(
	unsigned of, const char *name, uint16_t type, enum answer_kind kind, unsigned rcode)
{
	rig_ask((struct fake_miss){.name = name,
		.type = type,
		.id = ++next_id,
		.group = (uint8_t)of,
		.has_opt = true});
	expect_answer(next_id, rcode, kind);
	assert_int_equal(ede_of_answer(), kind == ANSWER_BLOCKED ? DNS_EDE_BLOCKED : -1);
}

static void expect(unsigned of, const char *name, uint16_t type, enum answer_kind kind)
{
	expect_rcode(of, name, type, kind, DNS_RCODE_NXDOMAIN);
}

struct mask_look {
	const char *name;
	uint16_t type;
	bool there, listed;
};

static void mask_look(void *arg)
{
	struct mask_look *look = arg;
	const struct l0_reader *l0 = l0_writer_reader(rig.resolver->l0);
	const struct dns_query q = {
		.name = fixture_name(look->name), .qtype = look->type, .qclass = DNS_CLASS_IN};
	struct l0_key key;
	struct l0_view v;
	l0_key_of_query(l0, &q, 0, &key);
	look->there = store_find(rig.resolver, &key, &v);
	look->listed = look->there && v.masked;
}

// In L0, which workers answer from, and with a list or none.
static void expect_kept(const char *name, uint16_t type, bool listed)
{
	struct mask_look look = {.name = name, .type = type};
	on_loop(mask_look, &look);
	assert_true(look.there);
	assert_int_equal(look.listed, listed);
}

// What was found against another name's answer says nothing of a name that no list has. Without
// patterns no name is checked before its answer is.
TEST_WITH(test_of_others_nothing_is_found, setup, teardown)
{
	judge_by(&no_patterns);
	expect(0, "nope.example", DNS_TYPE_A, ANSWER_UPSTREAM);
	upstream_alias("tracker.example");
	expect(0, "www.shop.example", DNS_TYPE_A, ANSWER_BLOCKED);
	expect(0, "nope.example", DNS_TYPE_AAAA, ANSWER_CACHED);
	expect_kept("nope.example", DNS_TYPE_AAAA, false);
	expect(0, "nope.example", DNS_TYPE_AAAA, ANSWER_CACHED);
}

// The other way round: an answer that is not listed clears no other one that is.
TEST_WITH(test_its_own_finding_is_kept, setup, teardown)
{
	expect(1, "ad5.shop.example", DNS_TYPE_A, ANSWER_UPSTREAM);
	expect(1, "nope.example", DNS_TYPE_A, ANSWER_UPSTREAM);
	expect(1, "ad5.shop.example", DNS_TYPE_AAAA, ANSWER_CACHED);
	expect_kept("ad5.shop.example", DNS_TYPE_AAAA, true);
	expect(0, "ad5.shop.example", DNS_TYPE_AAAA, ANSWER_BLOCKED);
}

// A pattern for the type A says nothing of the type AAAA, whose answer comes from that of A.
TEST_WITH(test_rules_of_another_type, setup, teardown)
{
	expect(1, "four.shop.example", DNS_TYPE_A, ANSWER_UPSTREAM);
	expect_rcode(0, "four.shop.example", DNS_TYPE_A, ANSWER_BLOCKED, DNS_RCODE_NOERROR);
	expect(0, "four.shop.example", DNS_TYPE_AAAA, ANSWER_CACHED);
	expect(0, "four.shop.example", DNS_TYPE_AAAA, ANSWER_CACHED);
	expect_kept("four.shop.example", DNS_TYPE_A, true);
	expect_kept("four.shop.example", DNS_TYPE_AAAA, false);
}

// A client never gets an answer that workers cannot find yet: if the process died in between, they
// would give the next client an older one. So it is stored first, and if there is no room the
// older one goes.
TEST_WITH(test_stored_before_it_is_answered, setup, teardown)
{
	fake[0].ttl_s = fake[1].ttl_s = 1;
	expect(1, "gone.example", DNS_TYPE_AAAA, ANSWER_UPSTREAM);
	clock_pass_ms(1100);
	fake[0].ttl_s = fake[1].ttl_s = 300;
	expect(1, "gone.example", DNS_TYPE_A, ANSWER_UPSTREAM);
	expect_kept("gone.example", DNS_TYPE_AAAA, false);
	put_fails = -ENOSPC;
	expect(1, "gone.example", DNS_TYPE_AAAA, ANSWER_CACHED);
	assert_int_equal(answers_at_put, 2);
	struct mask_look look = {.name = "gone.example", .type = DNS_TYPE_AAAA};
	on_loop(mask_look, &look);
	assert_false(look.there);
	put_fails = 0;
	expect(1, "gone.example", DNS_TYPE_AAAA, ANSWER_CACHED);
	assert_int_equal(answers_at_put, 3);
	expect_kept("gone.example", DNS_TYPE_AAAA, false);
}

TEST_GROUP(rig_sends_once, NULL)
