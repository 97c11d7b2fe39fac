// SPDX-License-Identifier: BSD-3-Clause

// Answers judged on their way through the resolver: for each waiter, in L0, and anew when the image
// changes. Group 0 has the list "ads", group 1 "ads" and "more", group 2 "more" and "good", group 3
// none.
#include "controlplane/resolver/resolver_check.h"
#include "controlplane/resolver/resolver_store.h"
#include "policy_rig.h"
#include "tests/unit/clock_shift.h"
#include "tests/unit/core/dns/dns_rand.h"
#include "tests/unit/cp/querylog/row_watch.h"

enum { GROUPS = 4 };
static struct answer_policy_fixture before, after; // images
static uint16_t next_id;

static void lists_publish(const struct answer_policy_fixture *f)
{
	static const char *const has[GROUPS][2] = {{"ads"}, {"ads", "more"}, {"more", "good"}};
	static const unsigned count[GROUPS] = {1, 2, 2, 0};
	struct policy_group group[GROUPS];
	for (unsigned i = 0; i < GROUPS; i++)
		group[i] = group_with(
			f, has[i], count[i], i == 1 ? DNS_BLOCK_NULL : DNS_BLOCK_NXDOMAIN);
	memset(group[3].lists, 0, sizeof(group[3].lists)); // not even the operator's
	rig_policy(group);
}

static void image_make(struct answer_policy_fixture *f, const char *more)
{
	fixture_open(f);
	fixture_source(f, "allow entries");
	fixture_rule(f, RULE_CLASS_OPERATOR_ALLOW, "wanted.example");
	fixture_source(f, "deny entries");
	fixture_rule(f, RULE_CLASS_OPERATOR_DENY, "/^never[.]/");
	fixture_source(f, "ads");
	fixture_rule(f, RULE_CLASS_BLOCK, "tracker.example");
	fixture_rule(f, RULE_CLASS_BLOCK, "/^ad[0-9]+[.]/");
	fixture_rule(f, RULE_CLASS_BLOCK, "192.0.2.99");
	fixture_source(f, "more");
	fixture_rule(f, RULE_CLASS_BLOCK, "shared.example");
	fixture_rule(f, RULE_CLASS_BLOCK, more);
	fixture_source(f, "good");
	fixture_rule(f, RULE_CLASS_ALLOW, "shared.example");
	fixture_check(f);
}

static int setup(void **state)
{
	image_make(&before, "other.example");
	image_make(&after, "fresh.example");
	rig_setup(state);
	groups_configure(GROUPS - 1);
	lists_publish(&before);
	judge_by(&before);
	fake[0].ttl_s = fake[1].ttl_s = 300;
	next_id = 0;
	return 0;
}

static int teardown(void **state)
{
	int rc = rig_teardown(state);
	fixture_close(&before);
	fixture_close(&after);
	return rc;
}

static void ask_as(unsigned group, const char *name)
{
	rig_ask((struct fake_miss){
		.name = name, .id = ++next_id, .group = (uint8_t)group, .has_opt = true});
}

static void expect_as(unsigned group, const char *name, enum answer_kind kind)
{
	ask_as(group, name);
	expect_answer(next_id,
		kind == ANSWER_BLOCKED && group != 1 ? DNS_RCODE_NXDOMAIN : DNS_RCODE_NOERROR,
		kind);
	const bool denied = strncasecmp(name, "never.", 6) == 0; // by the operator
	if (kind == ANSWER_BLOCKED)
		assert_int_equal(ede_of_answer(), denied ? DNS_EDE_FILTERED : DNS_EDE_BLOCKED);
}

TEST_WITH(test_cloaked_for_one_group, setup, teardown)
{
	upstream_alias("other.example");
	expect_as(1, "www.shop.example", ANSWER_BLOCKED);
	assert_int_equal(get_u16(got.dns + 6), 1); // 0.0.0.0, as its group says
	expect_as(0, "www.shop.example", ANSWER_CACHED);
	expect_as(2, "www.shop.example", ANSWER_BLOCKED);
	assert_int_equal(get_u16(got.dns + 6), 0);
	expect_as(3, "www.shop.example", ANSWER_CACHED);
	assert_int_equal(rig_asked(), 1);
	assert_int_equal(status().answer_policy.answered_blocked, 2);
	assert_int_equal(status().answer_policy.listed, 1);
	assert_int_equal(status().l0.entries, 1);
}

TEST_WITH(test_waiters_of_one_question, setup, teardown)
{
	upstream_alias("tracker.example");
	fake[0].held = true;
	for (unsigned g = 0; g < GROUPS; g++)
		ask_as(g, "www.shop.example");
	WAIT_FOR(status().coalesced >= GROUPS - 1);
	fake[0].held = false;
	bool blocked[GROUPS + 1] = {0};
	for (unsigned g = 0; g < GROUPS; g++) {
		assert_true(fake_dataplane_answer(&dp, &got, 20000));
		blocked[get_u16(got.dns)] = got.head.verdict == ANSWER_BLOCKED;
	}
	assert_true(blocked[1] && blocked[2] && !blocked[3] && !blocked[4]);
	assert_int_equal(rig_asked(), 1);
}

TEST_WITH(test_an_allow_list_of_a_group, setup, teardown)
{
	upstream_alias("shared.example");
	expect_as(0, "www.shop.example", ANSWER_UPSTREAM);
	expect_as(1, "www.shop.example", ANSWER_BLOCKED);
	expect_as(2, "www.shop.example", ANSWER_CACHED);
}

TEST_WITH(test_addresses, setup, teardown)
{
	fake[0].address = fake[1].address = 0xc0000263;
	for (unsigned i = 0; i < 2; i++) { // fresh, cached: the name may have other types
		ask_as(0, "www.shop.example");
		expect_answer(next_id, DNS_RCODE_NOERROR, ANSWER_BLOCKED);
		assert_int_equal(get_u16(got.dns + 6), 0);
	}
	expect_as(2, "www.shop.example", ANSWER_CACHED);
	expect_as(0, "www.wanted.example", ANSWER_UPSTREAM); // not judged
	expect_as(1, "www.wanted.example", ANSWER_CACHED);
}

TEST_WITH(test_patterns_ask_nobody, setup, teardown)
{
	expect_as(0, "ad7.shop.example", ANSWER_BLOCKED);
	expect_as(3, "never.shop.example", ANSWER_UPSTREAM);
	unsigned asked = rig_asked();
	expect_as(2, "never.shop.example", ANSWER_BLOCKED);
	expect_as(2, "Never.Shop.example", ANSWER_BLOCKED);
	assert_int_equal(rig_asked(), asked);
	expect_as(2, "ad7.shop.example", ANSWER_UPSTREAM); // its lists do not have that one
	assert_int_equal(rig_asked(), asked + 1);
	expect_as(0, "ad7.shop.example", ANSWER_BLOCKED);
	assert_int_equal(status().answer_policy.questions_blocked, 4);
}

TEST_WITH(test_pause, setup, teardown)
{
	upstream_alias("tracker.example");
	expect_as(0, "www.shop.example", ANSWER_BLOCKED);
	rig_pause(clock_mono_ms() + 60000, 0);
	expect_as(0, "www.shop.example", ANSWER_CACHED);
	expect_as(0, "ad7.shop.example", ANSWER_UPSTREAM);
	rig_pause(clock_mono_ms(), 0);
	expect_as(0, "www.shop.example", ANSWER_BLOCKED);
}

// The upstreams fail: what is served stale is judged as well.
TEST_WITH(test_stale, setup, teardown)
{
	upstream_alias("tracker.example");
	fake[0].ttl_s = fake[1].ttl_s = 1;
	expect_as(0, "www.shop.example", ANSWER_BLOCKED);
	clock_ahead_by_ms(1200);
	fake[0].mode = fake[1].mode = FAKE_SERVFAIL;
	expect_as(0, "www.shop.example", ANSWER_BLOCKED);
	expect_as(2, "www.shop.example", ANSWER_STALE);
}

// What is on record of a blocked answer, fresh and cached: the list of the group that blocked it.
TEST_WITH(test_rows_name_the_list, setup, teardown)
{
	static const char *const titles[] = {"allowed", "denied", "ads", "more", "good"};
	row_watch_start(titles, ARRAY_LEN(titles));
	upstream_alias("other.example");
	expect_as(1, "www.shop.example", ANSWER_BLOCKED);
	struct row_watch_row row = row_watch_await(1);
	assert_string_equal(row.verdict, "blocked_answer");
	assert_string_equal(row.list, "more");
	assert_int_equal(row.tier, QUERYLOG_TIER_RULES);
	expect_as(2, "www.shop.example", ANSWER_BLOCKED);
	assert_string_equal(row_watch_await(2).list, "more");
	expect_as(0, "www.shop.example", ANSWER_CACHED);
	assert_string_equal(row_watch_await(3).list, "");
	expect_as(0, "ad7.shop.example", ANSWER_BLOCKED);
	assert_string_equal(row_watch_await(4).list, "ads");
	row_watch_stop();
}

static _Atomic bool walked;

static void on_walked(void *)
{
	walked = true;
}

static void recheck(void *answer_policy)
{
	resolver_set_answer_policy(rig.resolver, answer_policy, on_walked, NULL);
}

static void recheck_by(const struct answer_policy_fixture *f)
{
	walked = false;
	on_loop(recheck, f->answer_policy);
	WAIT_FOR(walked);
}

TEST_WITH(test_new_image_acts_on_cached_answers, setup, teardown)
{
	upstream_alias("cdn.fresh.example");
	expect_as(1, "www.shop.example", ANSWER_UPSTREAM);
	upstream_alias("cdn.other.example");
	expect_as(1, "www.blog.example", ANSWER_BLOCKED);
	recheck_by(&after);
	expect_as(1, "www.shop.example", ANSWER_BLOCKED);
	expect_as(1, "www.blog.example", ANSWER_CACHED);
	expect_as(0, "www.shop.example", ANSWER_CACHED);
	const struct answer_policy_count c = status().answer_policy;
	assert_in_range(c.walks, 1, 2); // the one of the start may not have ended
	assert_int_equal(c.rechecked_changed, 2);
	assert_int_equal(c.rechecked_deleted, 0);
	recheck_by(&before);
	expect_as(1, "www.shop.example", ANSWER_CACHED);
	expect_as(1, "www.blog.example", ANSWER_BLOCKED);
	assert_int_equal(rig_asked(), 2);
}

static unsigned walks_told;

static void on_walk_told(void *)
{
	walks_told++;
}

static void recheck_in_slices(void *answer_policy)
{
	walks_told = 0;
	resolver_set_answer_policy(rig.resolver, answer_policy, on_walk_told, NULL);
	while (!resolver_recheck_slice(rig.resolver))
		assert_int_equal(walks_told, 0);
	assert_int_equal(walks_told, 1);
	assert_true(resolver_recheck_slice(rig.resolver)); // of nothing
	assert_int_equal(walks_told, 1);
}

// As at a start that waits for its lists: the image may be published when all slices are done.
TEST_WITH(test_walk_in_slices, setup, teardown)
{
	upstream_alias("cdn.fresh.example");
	expect_as(1, "www.shop.example", ANSWER_UPSTREAM);
	on_loop(recheck_in_slices, after.answer_policy);
	assert_int_equal(status().answer_policy.rechecked_changed, 1);
	expect_as(1, "www.shop.example", ANSWER_BLOCKED);
	assert_int_equal(walks_told, 1);
}

// Two names, one blocked by a list, the other by another unless a third allows it: no mask says so.
TEST_WITH(test_without_a_mask_nothing_is_kept, setup, teardown)
{
	upstream_alias("shared.example");
	expect_as(1, "ad1.shop.example", ANSWER_BLOCKED);  // by the pattern
	expect_as(2, "ad1.shop.example", ANSWER_UPSTREAM); // shared.example is allowed
	expect_as(2, "ad1.shop.example", ANSWER_UPSTREAM);
	assert_int_equal(status().answer_policy.not_kept, 2);
	assert_int_equal(status().l0.entries, 0);
}

// Every record's mask is what judging it from scratch says, whatever it was judged by before.
struct audit {
	const struct answer_policy *answer_policy;
	unsigned records, listed, wrong;
};

static void audit_record(struct audit *a, const struct l0_view *v)
{
	struct answer_match finding;
	struct rule_set mask, none = {{0}};
	struct rd rd = rd_init(v->name, v->name_len);
	struct dns_name name;
	assert_int_equal(dns_name_read(&rd, &name), 0);
	answer_policy_answer(a->answer_policy, ANSWER_POLICY_ON_RESOLVER, &name, v->qtype,
		&v->answer, NULL, &finding);
	a->records++;
	a->listed += v->masked;
	a->wrong += !answer_match_mask(&finding, &mask)
		    || memcmp(&mask, v->masked ? &v->mask : &none, sizeof(mask)) != 0;
}

static void audit_all(void *arg)
{
	const struct l0_reader *l0 = l0_writer_reader(rig.resolver->l0);
	for (uint64_t b = 0; b <= l0->bucket_mask; b++) {
		for (unsigned i = 0; i < L0_BUCKET_SLOTS; i++) {
			struct l0_view v;
			if (atomic_load(&l0->buckets[b].tag[i])
				&& l0_record_read(l0, l0->buckets[b].record[i], &v))
				audit_record(arg, &v);
		}
	}
}

static struct dns_rand rand_state;

// Puts some answers as the resolver does.
static void fill(void *arg)
{
	struct resolver *r = rig.resolver;
	for (unsigned n = *(unsigned *)arg; n; n--) {
		static const char *const target[] = {"tracker.example", "a.tracker.example",
			"shared.example", "other.example", "fresh.example", "x.fresh.example",
			"plain.example", "wanted.example"};
		static uint8_t bytes[256];
		struct dns_name to = fixture_name(target[dns_rand_below(&rand_state, 8)]);
		struct wr w = wr_init(bytes, sizeof(bytes));
		struct question q = {.owner = r, .def = views_everyone(r->views)};
		const char *text =
			text_from("%s%u.example", dns_rand_below(&rand_state, 8) ? "www" : "ad",
				dns_rand_below(&rand_state, 6000));
		q.query = (struct dns_query){
			.name = fixture_name(text), .qtype = DNS_TYPE_A, .qclass = DNS_CLASS_IN};
		struct l0_key key;
		l0_key_of_query(l0_writer_reader(r->l0), &q.query, 0, &key);
		q.hash = key.hash;
		wr_u16(&w, 0xc00c);
		wr_u32(&w, DNS_TYPE_CNAME << 16 | DNS_CLASS_IN);
		wr_u32(&w, 300);
		wr_u16(&w, to.len);
		wr_bytes(&w, to.wire, to.len);
		static struct dns_answer answer, *const a = &answer;
		struct answer_match finding;
		*a = (struct dns_answer){.len = (uint16_t)w.pos,
			.ancount = 1,
			.ttl_count = 1,
			.ttl_s = 300,
			.auth_ttl_s = 300,
			.ttl_off = {6}};
		memcpy(a->bytes, bytes, w.pos);
		a->sum = csum_partial(a->bytes, a->len);
		resolver_check_reply(r, views_everyone(r->views), &q.query, a, &finding);
		store_answer(r, &q, a, &finding, clock_mono_ms(), clock_mono_ms());
	}
}

// Some arrive before the walk has begun, and in the model more while it goes on.
static void recheck_and_fill(void *answer_policy)
{
	unsigned some = 50;
	recheck(answer_policy);
	fill(&some);
}

TEST_WITH(test_model, setup, teardown)
{
	rand_state.state = 23;
	unsigned many = 5000, some = 20;
	on_loop(fill, &many);
	for (unsigned round = 0; round < 12; round++) {
		const struct answer_policy_fixture *f = round % 2 ? &before : &after;
		struct audit a = {.answer_policy = f->answer_policy};
		walked = false;
		on_loop(recheck_and_fill, f->answer_policy);
		for (unsigned n = 0; !walked && n < 1000; n++)
			on_loop(fill, &some);
		WAIT_FOR(walked);
		on_loop(audit_all, &a);
		assert_true(a.records > 2000);
		assert_true(a.listed > a.records / 4 && a.listed < a.records);
		assert_int_equal(a.wrong, 0);
	}
	assert_true(status().answer_policy.rechecked_changed > 1000);
}

TEST_WITH(test_tables_count_every_refusal, setup, teardown)
{
	static struct resolver r;
	static struct table_registry tables;
	struct answer_policy_counts *c =
		(struct answer_policy_counts *)(uintptr_t)answer_policy_counts(after.answer_policy);
	r.answer_policy = after.answer_policy;
	c->patterns.refused_count = 1;
	c->patterns.refused_size = 20;
	c->patterns.refused_time = 300;
	c->prefixes.refused_count = 4000;
	resolver_check_tables(&r, &tables);
	assert_int_equal(tables.count, 2);
	assert_string_equal(tables.table[0].name, "answer_patterns");
	assert_int_equal(tables.table[0].refused, 321);
	assert_string_equal(tables.table[1].name, "answer_prefixes");
	assert_int_equal(tables.table[1].refused, 4000);
}

// As resolver_open() does when it fails before anything walks.
TEST(test_close_of_what_never_was)
{
	static struct resolver r;
	resolver_check_close(&r);
	assert_null(r.recheck);
}

TEST_GROUP(rig_sends_once, NULL)
