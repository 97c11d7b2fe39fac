// SPDX-License-Identifier: BSD-3-Clause
// Two resolvers as one (resolvers.h).
#include "controlplane/querylog/upstream_book.h"
#include "controlplane/resolver/resolver_internal.h"
#include "controlplane/resolver/resolvers.h"
#include "resolver_config.h"
#include "tests/unit/cp/l1/redis_local.h"
#include "tests/unit/cp/upstream/fake_upstream.h"
#include "tests/unit/unit.h"

// Two resolvers of one process, each on its own thread with its part of one L0; no data plane. A
// third loop asks.

enum { COUNT = 2, PATIENCE_MS = 20000 };

struct part {
	struct loop *loop;
	struct views *views;
	pthread_t thread;
};

// The calls are made on the loop that gets the answers.
struct errand {
	void (*fn)(struct errand *e);
	_Atomic bool there;
	pthread_t on;
	union {
		struct resolver_status status;
		struct cache_flushed flushed;
		struct {
			unsigned count, l1_types;
			struct cache_entry entry[4];
		} look;
		struct policy_group group[POLICY_GROUPS_MAX];
	};
	struct flush what;
	struct dns_query query;
};

static struct part part[COUNT];
static struct resolvers all;
static struct config config;
static struct shm_paths paths;
static struct publisher *published;
static struct link_server *link_of_all;
static struct upstream_book *book;
static struct fake_upstream fake;
static struct loop *asking;
static pthread_t asking_thread;
static struct ring_mesh *mesh;
static struct ring_mesh_end *questions; // of the asking loop
static struct errand errand;

static void *run(void *l)
{
	return (void *)(intptr_t)loop_run(l);
}

static void box_open(void)
{
	struct loop *loops[COUNT];
	char dir[64], why[SHM_WHY_MAX] = "";

	assert_int_equal(folder_make(dir, "resolvers"), 0);
	assert_int_equal(shm_paths_init(&paths, dir, "off", why), 0);
	assert_int_equal(publisher_open(&published, &paths, &config, why), 0);
	for (unsigned i = 0; i < COUNT; i++) {
		assert_int_equal(loop_new("part", &part[i].loop), 0);
		loops[i] = part[i].loop;
	}
	assert_int_equal(link_open(&link_of_all, loops, published, why), 0);
	assert_int_equal(resolver_client_mesh(&mesh, 1, COUNT), 0);
	for (unsigned i = 0; i < COUNT; i++) {
		struct part *p = &part[i];
		assert_int_equal(
			resolver_views_open(&p->views, p->loop, book, NULL, published, &config), 0);
		const struct resolver_given given = {.all = &all,
			.index = i,
			.loop = p->loop,
			.publisher = published,
			.link = link_of_all,
			.views = p->views,
			.frontends = mesh};
		assert_int_equal(resolver_open(&all.one[i], &given, &config, why), 0);
	}
}

static void on_answer(void *, unsigned, uint16_t type, uint8_t *msg, uint32_t len)
{
	assert_int_equal(type, MSG_ANSWER);
	assert_true(len > sizeof(struct client_answer) + DNS_HEADER_LEN);
	assert_int_equal(get_u16(msg + sizeof(struct client_answer) + 2) & DNS_FLAG_RCODE,
		DNS_RCODE_NOERROR);
	errand.there = true;
}

static void threads_start(void)
{
	all.running = true;
	for (unsigned i = 0; i < COUNT; i++)
		assert_int_equal(pthread_create(&part[i].thread, NULL, run, part[i].loop), 0);
	assert_int_equal(loop_new("asking", &asking), 0);
	assert_int_equal(
		ring_mesh_open(&questions, mesh, CLIENT_FRONTENDS, 0, asking, on_answer, NULL), 0);
	assert_int_equal(pthread_create(&asking_thread, NULL, run, asking), 0);
}

static int resolvers_setup(void **)
{

	fake_upstream_start(&fake);
	memset(&config, 0, sizeof(config));
	resolver_config_fill(&config);
	config.controlplane.resolvers = COUNT;
	config.limits.inflight = 9;
	config.limits.waiters = 64;
	config.redis = redis_local(0);
	config.upstreams.count = 1;
	config.upstreams.max_sends = 6;
	config.upstreams.server[0].address = socket_here(fake.port);
	assert_int_equal(upstream_book_open(&book), 0);
	all = (struct resolvers){.count = COUNT};
	box_open();
	threads_start();
	return 0;
}

static int resolvers_teardown(void **)
{
	struct loop *loops[COUNT + 1];

	for (unsigned i = 0; i < COUNT; i++) {
		loop_stop(part[i].loop);
		pthread_join(part[i].thread, NULL);
		loops[i] = part[i].loop;
	}
	loop_stop(asking);
	pthread_join(asking_thread, NULL);
	all.running = false;
	loops[COUNT] = asking;
	loops_settle(loops, COUNT + 1);
	ring_mesh_close(questions);
	for (unsigned i = COUNT; i-- > 0;) {
		resolver_close(all.one[i]);
		views_free(part[i].views);
	}
	ring_mesh_free(mesh);
	link_close(link_of_all);
	publisher_close(published);
	for (unsigned i = 0; i <= COUNT; i++)
		loop_free(loops[i]);
	shm_paths_close(&paths);
	assert_int_equal(folder_remove(paths.run, paths.mem), 0);
	upstream_book_close(book);
	fake_upstream_stop(&fake);
	return 0;
}

static void errand_run(void *arg)
{
	struct errand *e = arg;
	e->fn(e);
}

// Runs fn(&errand) on the loop, and waits until it is there.
static void errand_on(struct loop *l, void (*fn)(struct errand *e))
{
	errand.fn = fn;
	errand.there = false;
	assert_int_equal(loop_call(l, errand_run, &errand), 0);
	WAIT_FOR(errand.there);
}

// The resolver whose part the name's A is in.
static unsigned owner_of(const struct dns_query *q)
{
	const struct l0_reader *l0 = l0_writer_reader(all.one[0]->l0);
	struct l0_key key;
	l0_key_of_query(l0, q, 0, &key);
	return l0_resolver_of(l0, key.hash);
}

static void ask_name(struct errand *e)
{
	const struct dns_name *name = &e->query.name;
	const uint16_t question_len = (uint16_t)(name->len + 4);
	const struct client_miss c = {.is_stream = true,
		.m = {.arrival_ms = clock_mono_ms(),
			.flags = DNS_FLAG_RD,
			.path.ip_version = 4,
			.kind = MISS_WAITER,
			.question_len = question_len}};
	uint8_t *p = ring_mesh_reserve(
		questions, owner_of(&e->query), MSG_MISS, (uint32_t)sizeof(c) + question_len);
	assert_non_null(p);
	memcpy(p, &c, sizeof(c));
	memcpy(p + sizeof(c), name->wire, name->len);
	put_u16(p + sizeof(c) + name->len, DNS_TYPE_A);
	put_u16(p + sizeof(c) + name->len + 2, DNS_CLASS_IN);
}

// Whom it was asked of.
static unsigned answered(const char *name)
{
	errand.query = (struct dns_query){
		.qtype = DNS_TYPE_A, .qclass = DNS_CLASS_IN, .flags = DNS_FLAG_RD};
	assert_int_equal(dns_name_from_text(name, strlen(name), &errand.query.name), 0);
	unsigned owner = owner_of(&errand.query);
	errand_on(asking, ask_name);
	return owner;
}

// Asks for names until the part of each resolver has one; how many.
static unsigned both_filled(void)
{
	char name[32];
	unsigned asked = 0, of[COUNT] = {0};
	while (asked < 64 && !(of[0] && of[1])) {
		snprintf(name, sizeof(name), "n%u.example", asked++);
		of[answered(name)]++;
	}
	assert_true(of[0] && of[1]);
	return asked;
}

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
