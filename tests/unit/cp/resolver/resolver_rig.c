// SPDX-License-Identifier: BSD-3-Clause
#include "resolver_rig.h"

#include "controlplane/base/rdata_text.h"
#include "controlplane/policy/policy_build.h"
#include "controlplane/upstream/views.h"
#include "resolver_config.h"
#include "tests/unit/cp/l1/redis_local.h"

#include <inttypes.h>

enum { PATIENCE_MS = 20000 };

struct resolver_rig rig;
struct fake_upstream fake[2];
struct fake_dataplane dp;
struct fake_answer got;
uint16_t rig_redis_port;
unsigned rig_max_sends = 6;

static void *run_loop(void *arg)
{
	return (void *)(intptr_t)loop_run(arg);
}

void control_start(void)
{
	char why[SHM_WHY_MAX] = "";
	if (publisher_open(&rig.publisher, &rig.paths, &rig.config, why) < 0)
		fail_msg("publisher_open: %s", why);
	assert_int_equal(loop_new("test", &rig.loop), 0);
	if (link_open(&rig.link, &rig.loop, rig.publisher, why) < 0)
		fail_msg("link_open: %s", why);
	assert_int_equal(upstream_book_open(&rig.book), 0);
	assert_int_equal(upstream_port_new(&rig.port, 0, 1), 0);
	assert_int_equal(resolver_views_open(&rig.views, rig.loop, rig.book, rig.port,
				 rig.publisher, &rig.config),
		0);
	rig.all = (struct resolvers){.count = 1, .running = true};
	assert_int_equal(resolver_client_mesh(&rig.mesh, 1, 1), 0);
	const struct resolver_given given = {.all = &rig.all,
		.loop = rig.loop,
		.publisher = rig.publisher,
		.link = rig.link,
		.views = rig.views,
		.frontends = rig.mesh,
		.port = rig.port};
	if (resolver_open(&rig.resolver, &given, &rig.config, why) < 0)
		fail_msg("resolver_open: %s", why);
	rig.all.one[0] = rig.resolver;
	const struct frontend_given frontend = {
		.loop = rig.loop, .resolvers = rig.mesh, .publisher = rig.publisher};
	assert_int_equal(frontend_open(&rig.frontend, &frontend, &rig.config), 0);
	assert_int_equal(pthread_create(&rig.thread, NULL, run_loop, rig.loop), 0);
}

void control_stop(void)
{
	loop_stop(rig.loop);
	pthread_join(rig.thread, NULL);
	frontend_close(rig.frontend);
	resolver_close(rig.resolver);
	ring_mesh_free(rig.mesh);
	views_free(rig.views);
	upstream_port_free(rig.port);
	upstream_book_close(rig.book);
	link_close(rig.link);
	publisher_close(rig.publisher);
	loop_free(rig.loop);
}

void link_up_now(void)
{
	struct link_welcome welcome;
	assert_int_equal(fake_dataplane_link(&dp, &welcome), 0);
	assert_int_equal(welcome.cp_incarnation, publisher_incarnation(rig.publisher));
}

static int setup_with(unsigned inflight, unsigned waiters)
{
	char why[SHM_WHY_MAX] = "";
	memset(&rig, 0, sizeof(rig));
	assert_int_equal(folder_make(rig.run, "resolver"), 0);
	if (shm_paths_init(&rig.paths, rig.run, "off", why) < 0)
		fail_msg("shm_paths_init: %s", why);
	fake_upstream_start(&fake[0]);
	fake_upstream_start(&fake[1]);
	struct config *c = &rig.config;
	resolver_config_fill(c);
	c->limits.inflight = inflight;
	c->limits.waiters = waiters;
	c->redis = redis_local(rig_redis_port);
	c->upstreams.count = 2;
	c->upstreams.max_sends = rig_max_sends;
	for (unsigned i = 0; i < 2; i++)
		c->upstreams.server[i].address = socket_here(fake[i].port);
	control_start();
	fake_dataplane_open(&dp, &rig.paths, 2);
	link_up_now();
	return 0;
}

int rig_sends_once(void **)
{
	rig_max_sends = 1;
	return 0;
}

int rig_setup(void **)
{
	return setup_with(4096, 1024);
}

int rig_setup_small(void **)
{
	return setup_with(16, 8);
}

void rig_box_stop(void)
{
	fake_dataplane_close(&dp);
	control_stop();
	shm_paths_close(&rig.paths);
	assert_int_equal(folder_remove(rig.paths.run, rig.paths.mem), 0);
}

void rig_box_start(void)
{
	char why[SHM_WHY_MAX] = "";
	assert_int_equal(folder_make(rig.run, "resolver"), 0);
	assert_int_equal(shm_paths_init(&rig.paths, rig.run, "off", why), 0);
	control_start();
	fake_dataplane_open(&dp, &rig.paths, 2);
	link_up_now();
}

void rig_restart(void)
{
	control_stop();
	close(dp.link_fd);
	control_start();
	link_up_now();
}

int rig_teardown(void **)
{
	fake_dataplane_close(&dp);
	control_stop();
	fake_upstream_stop(&fake[0]);
	fake_upstream_stop(&fake[1]);
	shm_paths_close(&rig.paths);
	return folder_remove(rig.paths.run, rig.paths.mem);
}

const char *rig_l1_key_type(const char *name, unsigned qtype)
{
	static char text[L1_KEY_MAX];
	snprintf(text, sizeof(text), "%s:%s:%u:1:v%016" PRIx64, rig.config.redis.space, name, qtype,
		view_hash(&rig.config, NULL));
	return text;
}

const char *rig_l1_key(const char *name)
{
	return rig_l1_key_type(name, DNS_TYPE_A);
}

const char *rig_l1_command(const char *format, const char *name)
{
	static char text[L1_KEY_MAX + 128];
	const char *mark = strstr(format, "%s");
	assert_non_null(mark);
	snprintf(text, sizeof(text), "%.*s%s%s", (int)(mark - format), format, rig_l1_key(name),
		mark + 2);
	return text;
}

struct status_wait {
	_Atomic bool there;
	struct resolver_status s;
};

static void on_status(void *arg, const struct resolver_status *s)
{
	struct status_wait *w = arg;
	w->s = *s;
	w->there = true;
}

struct resolver_status status(void)
{
	static struct status_wait w;
	w.there = false;
	assert_int_equal(resolvers_status(&rig.all, rig.loop, on_status, &w), 0);
	WAIT_FOR(w.there);
	return w.s;
}

void rig_ask(struct fake_miss m)
{
	m.type = m.type ? m.type : DNS_TYPE_A;
	FAKE_DATAPLANE_SEND(&dp, &m);
}

void ask(const char *name, uint16_t id)
{
	rig_ask((struct fake_miss){.name = name, .id = id, .has_opt = true});
}

void expect_answer(uint16_t id, unsigned rcode, enum answer_kind kind)
{
	uint64_t start_ms = clock_mono_ms();
	if (!fake_dataplane_answer(&dp, &got, PATIENCE_MS))
		fail_msg("no answer in %llu ms", (unsigned long long)(clock_mono_ms() - start_ms));
	assert_int_equal(get_u16(got.dns), id);
	assert_int_equal(get_u16(got.dns + 2) & DNS_FLAG_RCODE, rcode);
	assert_true(get_u16(got.dns + 2) & DNS_FLAG_QR);
	assert_int_equal(got.head.verdict, kind);
}

void resolves(const char *name, uint16_t id, enum answer_kind kind)
{
	ask(name, id);
	expect_answer(id, 0, kind);
}

void fails(const char *name, uint16_t id)
{
	ask(name, id);
	expect_answer(id, DNS_RCODE_SERVFAIL, ANSWER_SERVFAIL);
}

const char *rig_records(void)
{
	static struct rdata_record rr;
	static char text[2048];
	char *p = text, owner[DNS_NAME_TEXT_MAX], type[DNS_TYPE_TEXT_MAX];
	struct rd msg = rd_init(got.dns, got.head.dns_len);
	uint16_t count;
	*p = '\0';
	assert_true(rdata_answer_begin(&msg, &count));
	for (unsigned i = 0; i < count; i++) {
		assert_true(rdata_record_read(&msg, &rr));
		p += sprintf(p, "%s %s %.200s\n", dns_name_to_text(&rr.name, owner),
			dns_type_text(rr.type, type), rr.data);
	}
	return text;
}

void expect_records(const char *records)
{
	assert_string_equal(rig_records(), records);
}

int ede_of_answer(void)
{
	const uint8_t *end = got.dns + got.head.dns_len;
	for (const uint8_t *p = got.dns + DNS_HEADER_LEN; p + 6 <= end; p++)
		if (get_u16(p) == DNS_EDNS_OPTION_EDE && get_u16(p + 2) >= 2
			&& p + 4 + get_u16(p + 2) == end)
			return get_u16(p + 4);
	return -1;
}

struct errand {
	void (*fn)(void *arg);
	void *arg;
	_Atomic bool there;
};

static void on_errand(void *arg)
{
	struct errand *e = arg;
	e->fn(e->arg);
	e->there = true;
}

void on_loop(void (*fn)(void *arg), void *arg)
{
	struct errand e = {.fn = fn, .arg = arg};
	assert_int_equal(loop_call(rig.loop, on_errand, &e), 0);
	WAIT_FOR(e.there);
}

static void take_config(void *config)
{
	assert_int_equal(resolver_reconfigure(rig.resolver, config), 0);
}

void rig_reload_to(const struct config *config)
{
	on_loop(take_config, (void *)(uintptr_t)config);
}

void rig_reload(void)
{
	rig_reload_to(&rig.config);
}

void rig_redis_await(void)
{
	WAIT_FOR(strcmp(status().l1.redis.state, "up") == 0);
}

void rig_redis_box(const struct redis_server *s)
{
	rig_box_stop();
	rig.config.redis = redis_local(s->port);
	rig_box_start();
	rig_redis_await();
}

const char *rig_redis_keys_await(const struct redis_server *s, unsigned count)
{
	const char *keys = "", *wanted = text_from("*%u\r\n", count);
	WAIT_FOR(strncmp(keys, wanted, strlen(wanted)) == 0,
		keys = redis_server_say(s, "KEYS weir:*"));
	return keys;
}

void rig_alias(unsigned server, enum fake_mode mode, const char *target)
{
	static struct dns_name name[64]; // each for good: a server may be reading the one before
	static unsigned used;
	assert_true(used < ARRAY_LEN(name));
	name[used] = name_of_text(target);
	fake[server].alias = name[used++].wire;
	fake[server].mode = (int)mode;
}

unsigned rig_asked(void)
{
	return fake[0].udp_queries + fake[1].udp_queries;
}

void expect_asked(unsigned server, unsigned queries, const char *name)
{
	assert_int_equal(fake[server].udp_queries, queries);
	if (queries)
		assert_string_equal(fake[server].last_name, name);
}

struct group_look {
	unsigned group;
	struct policy_group is;
};

static void look_at_group(void *arg)
{
	struct group_look *look = arg;
	resolver_group_view(rig.resolver, look->group, &look->is);
}

struct policy_group rig_group(unsigned group)
{
	struct group_look look = {.group = group};
	on_loop(look_at_group, &look);
	return look.is;
}

void rig_policy(const struct policy_group *groups)
{
	struct policy_image image;
	char why[SHM_WHY_MAX];
	assert_int_equal(policy_build(&rig.config, groups, &image), 0);
	assert_int_equal(publish_policy(rig.publisher, image.head, image.size, why), 0);
	free(image.head);
}

void rig_pause(uint64_t until_ms, uint64_t block_all_until_ms)
{
	static const uint64_t none[4];
	publish_config(rig.publisher, &rig.config, none, true, until_ms, block_all_until_ms);
}

void rig_on_look(void *rig_look, int err, const struct cache_look *look)
{
	struct rig_look *l = rig_look;
	assert_true(look->count <= ARRAY_LEN(l->entry));
	l->err = err;
	l->look = *look;
	if (look->count)
		memcpy(l->entry, look->entry, look->count * sizeof(l->entry[0]));
	l->there = true;
}

void rig_look_begin(struct rig_look *l, const char *name, uint16_t qtype)
{
	const struct dns_name n = name_of_text(name);
	l->there = false;
	assert_int_equal(resolver_cache_get(rig.resolver, &n, qtype, rig.loop, rig_on_look, l), 0);
}

const struct rig_look *rig_look(const char *name, uint16_t qtype)
{
	static struct rig_look l;
	rig_look_begin(&l, name, qtype);
	WAIT_FOR(l.there);
	assert_int_equal(l.err, 0);
	return &l;
}

static void on_flush(void *arg, int err, const struct cache_flushed *flushed)
{
	struct rig_flush *f = arg;
	f->err = err;
	f->flushed = *flushed;
	f->there = true;
}

void rig_flush_begin(struct rig_flush *f, enum flush_kind kind, const char *name, bool tells)
{
	const struct flush what = {.kind = kind, .name = name_of_text(name)};
	f->there = false;
	assert_int_equal(
		resolver_cache_flush(rig.resolver, &what, tells, rig.loop, on_flush, f), 0);
}

struct cache_flushed rig_flush(enum flush_kind kind, const char *name, bool tells)
{
	static struct rig_flush f;
	rig_flush_begin(&f, kind, name, tells);
	WAIT_FOR(f.there);
	assert_int_equal(f.err, 0);
	return f.flushed;
}
