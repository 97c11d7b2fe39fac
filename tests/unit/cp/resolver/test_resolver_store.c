// SPDX-License-Identifier: BSD-3-Clause

// What becomes of a cached record when a newer answer of its key arrives: one that is stored
// replaces it, one that may not be kept ends it, and one for which there is no room ends it if
// clients get it, and leaves it if no client waits.
#include "controlplane/resolver/resolver_store.h"
#include "resolver_rig.h"
#include "tests/unit/cp/rule_image/rule_fixture.h"

enum { ANSWER_LEN = 400, TTL_S = 300, REFUSED_IN_A_ROW = 500, PUTS_MAX = 200000 };

static void answer_make(struct dns_answer *a, unsigned len, uint32_t ttl_s)
{
	memset(a, 0, sizeof(*a));
	struct wr w = wr_init(a->bytes, sizeof(a->bytes));
	wr_u16(&w, 0xc00c);
	wr_u16(&w, DNS_TYPE_TXT);
	wr_u16(&w, DNS_CLASS_IN);
	wr_u32(&w, ttl_s);
	wr_u16(&w, (uint16_t)(len - 12));
	a->len = (uint16_t)len;
	a->ancount = a->ttl_count = 1;
	a->ttl_off[0] = 6;
	a->ttl_s = a->auth_ttl_s = ttl_s;
	a->sum = csum_partial(a->bytes, a->len);
}

static void question_make(struct question *q, const char *name)
{
	struct resolver *r = rig.resolver;
	struct l0_key key;
	*q = (struct question){.owner = r, .def = views_everyone(r->views)};
	q->query = (struct dns_query){
		.name = fixture_name(name), .qtype = DNS_TYPE_TXT, .qclass = DNS_CLASS_IN};
	l0_key_of_query(l0_writer_reader(r->l0), &q->query, 0, &key);
	q->hash = key.hash;
}

struct put {
	const char *name;
	unsigned len;
	uint32_t ttl_s;
	struct answer_match finding;
	uint64_t created_ms;
	uint32_t age_ms;  // it has that age now
	unsigned waiters; // clients that wait for it
};

static void put(void *arg)
{
	const struct put *p = arg;
	static struct dns_answer a;
	struct question q;
	question_make(&q, p->name);
	q.waiters = p->waiters;
	answer_make(&a, p->len, p->ttl_s);
	store_answer(rig.resolver, &q, &a, &p->finding, p->created_ms, p->created_ms + p->age_ms);
}

struct look {
	const char *name;
	bool there;
	uint64_t created_ms;
};

static void look(void *arg)
{
	struct look *l = arg;
	struct question q;
	struct l0_view v;
	question_make(&q, l->name);
	const struct l0_key key = inflight_key(&q);
	l->there = store_find(rig.resolver, &key, &v);
	l->created_ms = l->there ? v.created_ms : 0;
}

// When the record of that name was made; 0: there is none.
static uint64_t made_ms(const char *name)
{
	struct look l = {.name = name};
	on_loop(look, &l);
	return l.created_ms;
}

// New names, until a worker that stands still leaves no room; the last one that found some.
static void fill(void *arg)
{
	struct resolver *r = rig.resolver;
	static unsigned number;
	unsigned *last = arg, in_a_row = 0;
	static struct dns_answer a;
	struct l0_writer_stats before, s;
	answer_make(&a, ANSWER_LEN, TTL_S);
	for (unsigned i = 0; in_a_row < REFUSED_IN_A_ROW && i < PUTS_MAX; i++) {
		const struct answer_match none = {.count = 0};
		struct question q;
		question_make(&q, text_from("n%u.example", ++number));
		l0_writer_stats(r->l0, &before);
		store_answer(r, &q, &a, &none, clock_mono_ms(), clock_mono_ms());
		l0_writer_stats(r->l0, &s);
		bool is_stored = s.puts > before.puts;
		in_a_row = is_stored ? 0 : in_a_row + 1;
		if (is_stored)
			*last = number;
	}
	assert_int_equal(in_a_row, REFUSED_IN_A_ROW);
}

// A worker reads what it reads from now on, and the cache is full.
static void stick(char name[32])
{
	unsigned last = 0;
	dp.dp[0]->seen_epoch = 1;
	on_loop(fill, &last);
	snprintf(name, 32, "n%u.example", last);
	assert_true(made_ms(name) > 0);
}

// It goes on; the beat gives back what it read.
static void go_on(void)
{
	dp.dp[0]->seen_epoch = EPOCH_OFFLINE;
	WAIT_FOR(status().l0.units_retired == 0);
}

// A renewal that no client waits for; nobody knows the newer answer.
TEST_WITH(test_no_room_leaves_the_old_record, rig_setup, rig_teardown)
{
	char name[32];
	stick(name);
	uint64_t then_ms = made_ms(name), refused = status().l0.refused_nospace;
	uint64_t entries = status().l0.entries;
	struct put p = {
		.name = name, .len = ANSWER_LEN, .ttl_s = TTL_S, .created_ms = then_ms + 5000};
	for (unsigned i = 0; i < 50; i++)
		on_loop(put, &p);
	assert_int_equal(status().l0.refused_nospace, refused + 50);
	assert_int_equal(made_ms(name), then_ms);
	assert_int_equal(status().l0.entries, entries);
	go_on();
	on_loop(put, &p);
	assert_int_equal(made_ms(name), then_ms + 5000);
}

// Workers would give a client that has the newer answer the older one again, as soon as they serve
// stale records.
TEST_WITH(test_no_room_ends_a_record_that_clients_are_past, rig_setup, rig_teardown)
{
	char name[32];
	stick(name);
	uint64_t then_ms = made_ms(name);
	struct put p = {.name = name,
		.len = ANSWER_LEN,
		.ttl_s = TTL_S,
		.created_ms = then_ms + 5000,
		.waiters = 1};
	// Stale itself, out of L1: no client gets it while a server may give a newer one.
	p.age_ms = TTL_S * 1000;
	on_loop(put, &p);
	assert_int_equal(made_ms(name), then_ms);
	p.age_ms--;
	on_loop(put, &p);
	assert_int_equal(made_ms(name), 0);
	go_on();
	on_loop(put, &p);
	assert_int_equal(made_ms(name), then_ms + 5000);
}

// Whoever has the answer must not get the one before it again.
TEST_WITH(test_what_may_not_be_kept_ends_the_old_record, rig_setup, rig_teardown)
{
	char name[32];
	uint64_t now_ms = clock_mono_ms();
	const struct put good = {
		.name = name, .len = ANSWER_LEN, .ttl_s = TTL_S, .created_ms = now_ms};
	struct put bad[] = {good, good, good};
	bad[0].ttl_s = 0;
	bad[1].len = L0_ANSWER_MAX + 1;
	bad[2].finding = (struct answer_match){
		.count = 2, .clause = {{.block = {{1}}}, {.block = {{2}}, .unless = {{4}}}}};
	for (unsigned i = 0; i < ARRAY_LEN(bad); i++) {
		snprintf(name, sizeof(name), "free%u.example", i);
		struct put p = good;
		on_loop(put, &p);
		assert_int_equal(made_ms(name), now_ms);
		on_loop(put, &bad[i]);
		assert_int_equal(made_ms(name), 0);
	}
	// So it is where there is no room, too.
	for (unsigned i = 0; i < ARRAY_LEN(bad); i++) {
		stick(name);
		on_loop(put, &bad[i]);
		assert_int_equal(made_ms(name), 0);
		go_on();
	}
}

// The longest answer that is stored, which is as long as it may be.
TEST_WITH(test_the_longest_answer, rig_setup, rig_teardown)
{
	struct put p = {.name = "long.example",
		.len = L0_ANSWER_MAX,
		.ttl_s = TTL_S,
		.created_ms = clock_mono_ms()};
	on_loop(put, &p);
	assert_int_equal(made_ms("long.example"), p.created_ms);
}

struct slices {
	unsigned records, of_slice, most;
};

// Dearer than a whole slice may be.
static void on_dear_record(struct resolver *, const struct l0_view *, void *arg)
{
	struct slices *s = arg;
	const uint64_t until_us = clock_mono_us() + 500;
	while (clock_mono_us() < until_us)
		;
	s->records++;
	s->of_slice++;
}

static void walk_dear(void *arg)
{
	struct slices *s = arg;
	uint64_t cursor = 0;
	bool is_done = false;
	while (!is_done && s->records < 300) {
		s->of_slice = 0;
		is_done = store_walk(rig.resolver, &cursor, on_dear_record, s);
		s->most = s->of_slice > s->most ? s->of_slice : s->most;
	}
}

// Whatever a record costs, the loop has its turn behind a bucket of them.
TEST_WITH(test_slices_are_short, rig_setup, rig_teardown)
{
	struct slices s = {0};
	char name[32];
	stick(name);
	on_loop(walk_dear, &s);
	go_on();
	assert_in_range(s.records, 100, 310);
	assert_in_range(s.most, 1, L0_BUCKET_SLOTS);
}
