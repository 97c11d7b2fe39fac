// SPDX-License-Identifier: BSD-3-Clause
// Two resolvers as one (resolvers.h).
#include "resolvers_rig.h"

static void on_status(void *arg, const struct resolver_status *s)
{
	struct errand *e = arg;
	e->status = *s;
	e->there = true;
}

static void ask_status(struct errand *e)
{
	assert_int_equal(resolvers_status(&all, asking, on_status, e), 0);
}

static const struct table_info *table_of(const struct table_registry *t, const char *name)
{
	unsigned i = 0;
	while (i < t->count && strcmp(t->table[i].name, name) != 0)
		i++;
	assert_in_range(i, 0, t->count - 1);
	return &t->table[i];
}

// Nine questions in all: four for each; 65,536 places.
TEST_WITH(test_status_is_of_both, resolvers_setup, resolvers_teardown)
{
	unsigned asked = both_filled();
	errand_on(asking, ask_status);
	assert_int_equal(errand.status.l0.entries, asked);
	assert_int_equal(errand.status.l0.refused_foreign, 0);
	assert_int_equal(errand.status.upstream_count, 1);
	assert_int_equal(errand.status.upstream[0].answered, asked);
	assert_int_equal(errand.status.inflight_cap, 8);
	assert_int_equal(table_of(&errand.status.tables, "inflight")->cap, 8);
	assert_int_equal(table_of(&errand.status.tables, "waiters")->cap, 65536);
	assert_int_equal(table_of(&errand.status.tables, "upstream_names")->used, 1);
}

static void on_look(void *arg, int err, const struct cache_look *look)
{
	struct errand *e = arg;
	assert_int_equal(err, 0);
	assert_true(look->count <= ARRAY_LEN(e->look.entry));
	e->look.count = look->count;
	e->look.l1_types = look->l1_type_count;
	memcpy(e->look.entry, look->entry, look->count * sizeof(look->entry[0]));
	e->there = true;
}

static bool lives(const void *)
{
	return true;
}

static void ask_look(struct errand *e)
{
	const struct cache_wish wish = {.name = e->what.name, .from = LOOK_SOCKET, .lives = lives};
	assert_int_equal(resolvers_cache_get(&all, &wish, asking, on_look, e), 0);
}

static void on_flushed(void *arg, int err, const struct cache_flushed *f)
{
	struct errand *e = arg;
	assert_int_equal(err, 0);
	e->flushed = *f;
	e->there = true;
}

static void ask_flush(struct errand *e)
{
	assert_int_equal(resolvers_cache_flush(&all, &e->what, true, asking, on_flushed, e), 0);
}

static unsigned looked, most_walks;

static unsigned walks(unsigned of)
{
	unsigned n = 0;
	for (unsigned i = 0; i < RESOLVER_WALKS_MAX; i++)
		n += all.one[of]->walk[i] != NULL;
	return n;
}

static void on_one_look(void *arg, int err, const struct cache_look *look)
{
	struct errand *e = arg;
	assert_int_equal(err, 0);
	assert_int_equal(look->count, 1);
	const unsigned now = walks(0) > walks(1) ? walks(0) : walks(1);
	most_walks = now > most_walks ? now : most_walks;
	e->there = ++looked == LOOKS_WAITING_MAX + 2;
}

static int ask_one(struct errand *e, enum look_from from)
{
	const struct cache_wish wish = {.name = e->what.name, .from = from, .lives = lives};
	return resolvers_cache_get(&all, &wish, asking, on_one_look, e);
}

static void ask_many(struct errand *e)
{
	for (unsigned i = 0; i < LOOKS_WAITING_MAX + 1; i++)
		assert_int_equal(ask_one(e, LOOK_NETWORK), 0);
	assert_int_equal(all.looks[LOOK_NETWORK].waiting, LOOKS_WAITING_MAX);
	assert_int_equal(ask_one(e, LOOK_NETWORK), -EAGAIN);
	assert_int_equal(ask_one(e, LOOK_SOCKET), 0);
}

// Users of the network wait for each other, the operator's socket for none of them.
TEST_WITH(test_looks_wait_for_each_other, resolvers_setup, resolvers_teardown)
{
	(void)both_filled();
	assert_int_equal(dns_name_from_text("n0.example", 10, &errand.what.name), 0);
	looked = most_walks = 0;
	errand_on(asking, ask_many);
	assert_int_equal(looked, LOOKS_WAITING_MAX + 2);
	assert_in_range(most_walks, 0, LOOK_FROMS);
	assert_int_equal(all.looks[LOOK_NETWORK].waiting, 0);
	assert_false(all.looks[LOOK_NETWORK].runs);
	errand_on(asking, ask_look);
}

static bool lives_once(const void *arg)
{
	const struct errand *e = arg;
	return e == &errand;
}

static unsigned gone;

static void on_gone_look(void *, int err, const struct cache_look *look)
{
	assert_int_equal(err, -ECANCELED);
	assert_int_equal(look->count, 0);
	gone++;
}

static void on_last_look(void *arg, int err, const struct cache_look *)
{
	assert_int_equal(err, 0);
	((struct errand *)arg)->there = true;
}

// The first one runs, the second and the third have gone by their turn, the fourth still waits.
static void ask_and_go(struct errand *e)
{
	static char other;
	struct cache_wish wish = {.name = e->what.name, .from = LOOK_NETWORK, .lives = lives_once};
	assert_int_equal(ask_one(e, LOOK_NETWORK), 0);
	assert_int_equal(resolvers_cache_get(&all, &wish, asking, on_gone_look, &other), 0);
	assert_int_equal(resolvers_cache_get(&all, &wish, asking, on_gone_look, &other), 0);
	assert_int_equal(resolvers_cache_get(&all, &wish, asking, on_last_look, e), 0);
}

TEST_WITH(test_a_look_whose_caller_has_gone_is_none, resolvers_setup, resolvers_teardown)
{
	(void)both_filled();
	assert_int_equal(dns_name_from_text("n0.example", 10, &errand.what.name), 0);
	looked = gone = 0;
	errand_on(asking, ask_and_go);
	assert_int_equal(gone, 2);
	assert_int_equal(looked, 1);
	assert_int_equal(all.looks[LOOK_NETWORK].waiting, 0);
	assert_false(all.looks[LOOK_NETWORK].runs);
}

static void on_found(void *arg, int err, const struct cache_look *look)
{
	const unsigned now = walks(0) > walks(1) ? walks(0) : walks(1);
	most_walks = now > most_walks ? now : most_walks;
	on_look(arg, err, look);
}

static void ask_find(struct errand *e)
{
	const struct cache_question q = {.name = e->what.name, .qtype = e->query.qtype};
	assert_int_equal(resolvers_cache_find(&all, &q, asking, on_found, e), 0);
}

// One client's question is looked up by its keys, whichever resolver has them, without a walk.
TEST_WITH(test_a_question_is_found_by_its_key, resolvers_setup, resolvers_teardown)
{
	const unsigned asked = both_filled();
	char name[32];

	most_walks = 0;
	errand.query.qtype = DNS_TYPE_A;
	for (unsigned i = 0; i < asked; i++) {
		int len = snprintf(name, sizeof(name), "n%u.example", i);
		assert_int_equal(dns_name_from_text(name, (size_t)len, &errand.what.name), 0);
		errand_on(asking, ask_find);
		assert_int_equal(errand.look.count, 1);
		assert_int_equal(errand.look.entry[0].qtype, DNS_TYPE_A);
		assert_int_equal(errand.look.l1_types, 0);
	}
	errand.query.qtype = DNS_TYPE_AAAA;
	errand_on(asking, ask_find);
	assert_int_equal(errand.look.count, 0);
	assert_int_equal(most_walks, 0);
}

// A name's types are spread over both parts; here each part has some names.
TEST_WITH(test_all_parts_are_looked_at_and_flushed, resolvers_setup, resolvers_teardown)
{
	const unsigned asked = both_filled();
	char name[32];

	for (unsigned i = 0; i < asked; i++) {
		int len = snprintf(name, sizeof(name), "n%u.example", i);
		assert_int_equal(dns_name_from_text(name, (size_t)len, &errand.what.name), 0);
		errand_on(asking, ask_look);
		assert_int_equal(errand.look.count, 1);
		assert_true(errand.look.l1_types > 1);
	}
	errand.what = (struct flush){.kind = FLUSH_BELOW};
	assert_int_equal(dns_name_from_text("example", 7, &errand.what.name), 0);
	errand_on(asking, ask_flush);
	assert_int_equal(errand.flushed.l0, asked);
	errand_on(asking, ask_status);
	assert_int_equal(errand.status.l0.entries, 0);
	assert_int_equal(errand.status.flush.asked, 1);
}

static void on_then(void *arg)
{
	struct errand *e = arg;
	e->on = pthread_self();
	e->there = true;
}

static void set_policy(struct errand *e)
{
	resolvers_set_answer_policy(&all, NULL, on_then, e);
}

// The first one's loop is told once both have looked through their part.
TEST_WITH(test_an_answer_policy_is_in_force_when_all_have_it, resolvers_setup, resolvers_teardown)
{
	for (unsigned n = 1; n <= 3; n++) {
		errand_on(part[0].loop, set_policy);
		assert_true(pthread_equal(errand.on, part[0].thread));
		assert_int_equal(all.policy.wait.left, 0);
		errand_on(asking, ask_status);
		assert_int_equal(errand.status.answer_policy.walks, n);
		for (unsigned i = 0; i < COUNT; i++)
			assert_int_equal(all.one[i]->count.answer_policy.walks, n);
	}
}

static char kids[] = "kids";
static struct config_group group = {.name = kids};

static void reconfigure(struct errand *e)
{
	assert_int_equal(resolvers_reconfigure(&all, &config, e->group, on_then, e), 0);
}

// A group's view has one number with both; the second takes it from the first.
TEST_WITH(test_views_have_the_same_numbers, resolvers_setup, resolvers_teardown)
{
	unsigned before = 0;

	config.group_count = 1;
	config.groups = &group;
	for (unsigned n = 1; n <= 2; n++) {
		group.disable_cache = n == 1;
		group.upstream_count = n == 2;
		group.upstreams = config.upstreams.server;
		errand_on(part[0].loop, reconfigure);
		assert_true(pthread_equal(errand.on, part[0].thread));
		assert_true(errand.group[1].view > before);
		before = errand.group[1].view;
		for (unsigned i = 0; i < COUNT; i++) {
			const struct view *v = views_of_group(part[i].views, 0);
			assert_int_equal(v->number, before);
			assert_true(v->hash == errand.group[1].view_hash);
			assert_ptr_equal(views_find(part[i].views, before), v);
		}
	}
}

// Other servers for everyone: each part is emptied, and the cache counts as theirs when both are.
TEST_WITH(test_other_servers_empty_all_parts, resolvers_setup, resolvers_teardown)
{
	_Atomic uint64_t *filled = &publisher_directory(published)->filled_by;

	(void)both_filled();
	config.upstreams.server[0].address.ip.bytes[3] = 2;
	errand_on(part[0].loop, reconfigure);
	WAIT_FOR(*filled == view_everyone_hash(&config));
	errand_on(asking, ask_status);
	assert_int_equal(errand.status.l0.entries, 0);
}

static void nothing(void *)
{
}

// Ends once the other resolver found the mailbox full.
static void reconfigure_behind_a_full_mailbox(struct errand *e)
{
	struct loop *first = part[0].loop;

	while (loop_call(first, nothing, NULL) == 0)
		;
	const uint64_t refused = loop_calls_refused(first);
	reconfigure(e);
	WAIT_FOR(loop_calls_refused(first) != refused);
	assert_true(loop_calls_refused(first) > refused);
}

// A part whose end cannot be said at once counts all the same.
TEST_WITH(test_a_full_mailbox_does_not_lose_a_part, resolvers_setup, resolvers_teardown)
{
	_Atomic uint64_t *filled = &publisher_directory(published)->filled_by;

	(void)both_filled();
	config.upstreams.server[0].address.ip.bytes[3] = 2;
	errand_on(part[0].loop, reconfigure_behind_a_full_mailbox);
	WAIT_FOR(*filled == view_everyone_hash(&config));
}
