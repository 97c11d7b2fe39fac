// SPDX-License-Identifier: BSD-3-Clause
#include "resolvers_rig.h"

#include "controlplane/querylog/upstream_book.h"
#include "resolver_config.h"
#include "tests/unit/cp/l1/redis_local.h"
#include "tests/unit/cp/upstream/fake_upstream.h"

struct part part[COUNT];
struct resolvers all;
struct config config;
static struct shm_paths paths;
struct publisher *published;
static struct link_server *link_of_all;
static struct upstream_book *book;
static struct fake_upstream fake;
struct loop *asking;
static pthread_t asking_thread;
static struct ring_mesh *mesh;
static struct ring_mesh_end *questions; // of the asking loop
struct errand errand;

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

int resolvers_setup(void **)
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

int resolvers_teardown(void **)
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

void errand_on(struct loop *l, void (*fn)(struct errand *e))
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

unsigned both_filled(void)
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
