// SPDX-License-Identifier: BSD-3-Clause
// What surrounds the miss path: the link, restarts, calls from other threads.
#include "controlplane/resolver/resolver_internal.h"
#include "controlplane/upstream/views.h"
#include "resolver_rig.h"
#include "tests/unit/clock_still.h"
#include "tests/unit/few_files.h"

#include <sys/un.h>

TEST_WITH(test_second_data_plane_is_refused_and_a_death_is_noticed, rig_setup, rig_teardown)
{
	struct link_welcome welcome;
	struct fake_dataplane second = dp;
	assert_int_equal(fake_dataplane_link(&second, &welcome), -EBUSY);
	close(second.link_fd);
	fake_dataplane_close(&dp);
	WAIT_FOR(status().worker_rings == 0);
	assert_null(publisher_epoch(rig.publisher, 0)->seen[0]);
	fake_dataplane_open(&dp, &rig.paths, 2);
	link_up_now();
	resolves("again.example", 2, ANSWER_UPSTREAM);
}

static uint64_t loop_cpu_us(void)
{
	clockid_t clock;
	struct timespec t;
	assert_int_equal(pthread_getcpuclockid(rig.thread, &clock), 0);
	assert_int_equal(clock_gettime(clock, &t), 0);
	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

static int link_connect(void)
{
	struct sockaddr_un sun = {.sun_family = AF_UNIX};
	const struct timeval patience = {.tv_sec = 10};
	snprintf(sun.sun_path, sizeof(sun.sun_path), "%.80s/" SHM_NAME_LINK, rig.run);
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	assert_true(fd >= 0);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	assert_int_equal(connect(fd, (const struct sockaddr *)&sun, sizeof(sun)), 0);
	return fd;
}

// Without a free file whoever comes waits in the kernel; the loop neither turns nor forgets them.
TEST_WITH(test_no_file_for_a_data_plane, rig_setup, rig_teardown)
{
	enum { FILES = 256, LOOK_MS = 300, BUSY_US = 6000 };
	struct few_files files;
	struct link_welcome welcome;

	few_files_begin(&files, FILES);
	const struct link_hello hello = {.magic = SHM_MAGIC,
		.abi_version = SHM_ABI_VERSION,
		.workers = 1,
		.dp_incarnation = 1};
	int fd = link_connect(); // has the last one
	assert_int_equal(send(fd, &hello, sizeof(hello), 0), sizeof(hello));
	uint64_t before_us = loop_cpu_us();
	clock_pass_ms(LOOK_MS);
	uint64_t busy_us = loop_cpu_us() - before_us;
	few_files_lift(&files);
	assert_int_equal(recv(fd, &welcome, sizeof(welcome), 0), sizeof(welcome));
	assert_int_equal(welcome.error, -EBUSY);
	close(fd);
	few_files_close(&files);
	assert_in_range(busy_us, 0, BUSY_US);
}

TEST_WITH(test_a_restart_serves_warm, rig_setup, rig_teardown)
{
	resolves("warm.example", 1, ANSWER_UPSTREAM);
	uint64_t before = publisher_incarnation(rig.publisher);
	rig_restart();
	assert_int_not_equal(publisher_incarnation(rig.publisher), before);
	resolves("warm.example", 2, ANSWER_CACHED);
	assert_int_equal(fake[0].udp_queries, 1);
	assert_int_equal(status().l0.recovered, 1);
}

// Its gong may never sound: what tells a worker that we sleep lies in shared memory.
TEST_WITH(test_a_question_without_a_gong_is_found, rig_setup, rig_teardown)
{
	resolves("first.example", 1, ANSWER_UPSTREAM); // then the resolver sleeps again
	const struct fake_miss m = {.name = "silent.example", .type = 1, .id = 2};
	assert_true(fake_dataplane_ask(&dp, &m));
	expect_answer(2, 0, ANSWER_UPSTREAM);
}

// A worker that sleeps is rung for; for one that polls nothing is written.
TEST_WITH(test_a_sleeping_worker_is_woken_for_its_answer, rig_setup, rig_teardown)
{
	struct pollfd p = {.fd = dp.bell[0], .events = POLLIN};
	resolves("busy.example", 1, ANSWER_UPSTREAM);
	assert_int_equal(poll(&p, 1, 0), 0);
	assert_true(ring_prepare_sleep(&dp.answers[0]));
	ask("asleep.example", 2);
	assert_int_equal(poll(&p, 1, 2000), 1);
	ring_awake(&dp.answers[0]);
	expect_answer(2, 0, ANSWER_UPSTREAM);
}

TEST_WITH(test_cache_is_looked_at_and_flushed, rig_setup, rig_teardown)
{
	resolves("a.look.example", 1, ANSWER_UPSTREAM);
	const struct rig_look *l = rig_look("a.look.example", 0);
	assert_int_equal(l->look.count, 1);
	assert_int_equal(l->entry[0].qtype, DNS_TYPE_A);
	assert_int_equal(l->entry[0].ancount, 1);
	assert_in_range(l->entry[0].soft_left_ms, 290000, 300000);
	assert_int_equal(l->entry[0].answer_len, l->entry[0].message_len);
	for (unsigned below = 0; below < 2; below++) {
		const struct cache_flushed f =
			rig_flush(below ? FLUSH_BELOW : FLUSH_NAME, "look.example", true);
		assert_int_equal(f.l0, below);
		assert_int_equal(f.l1_end, L1_FLUSH_OFF);
		assert_false(f.told);
	}
}

// Runs on the resolver loop, so that all looks begin before any of them can end.
struct gate {
	_Atomic bool open;
};

static void hold(void *arg)
{
	struct gate *gate = arg;
	WAIT_FOR(gate->open);
}

TEST_WITH(test_too_many_looks_are_refused, rig_setup, rig_teardown)
{
	enum { LOOKS = 3 * RESOLVER_WALKS_MAX };
	static struct rig_look w[LOOKS];
	static struct gate gate;
	unsigned refused = 0;
	assert_int_equal(loop_call(rig.loop, hold, &gate), 0);
	for (unsigned i = 0; i < LOOKS; i++)
		rig_look_begin(&w[i], "many.example", 0);
	gate.open = true;
	for (unsigned i = 0; i < LOOKS; i++) {
		WAIT_FOR(w[i].there);
		assert_true(w[i].err == 0 || w[i].err == -EAGAIN);
		refused += w[i].err == -EAGAIN;
	}
	assert_int_equal(refused, LOOKS - RESOLVER_WALKS_MAX);
}

// A step is some 0.2 ms; a user who may only read takes no more than a part of the loop's time.
TEST_WITH(test_a_look_leaves_the_loop_to_others, rig_setup, rig_teardown)
{
	enum { STEP_BUCKETS = 1024, PAUSE_MS = 2 };
	const uint64_t steps = l0_writer_share(rig.resolver->l0)->buckets / STEP_BUCKETS;
	assert_in_range(steps, 4, 100000);
	const uint64_t start_ms = clock_mono_ms();
	rig_look("one.example", 0);
	assert_true(clock_mono_ms() - start_ms + PAUSE_MS >= (steps - 1) * PAUSE_MS);
}

TEST_WITH(test_too_many_flushes_are_refused, rig_setup, rig_teardown)
{
	enum { FLUSHES = RESOLVER_WALKS_MAX + 3 };
	static struct rig_flush w[FLUSHES];
	static struct gate gate;
	assert_int_equal(loop_call(rig.loop, hold, &gate), 0);
	for (unsigned i = 0; i < FLUSHES; i++)
		rig_flush_begin(&w[i], FLUSH_BELOW, "many.example", true);
	gate.open = true;
	for (unsigned i = 0; i < FLUSHES; i++) {
		WAIT_FOR(w[i].there);
		assert_int_equal(w[i].err, i < RESOLVER_WALKS_MAX ? 0 : -EAGAIN);
	}
	assert_int_equal(status().flush.asked, RESOLVER_WALKS_MAX);
}

// The marks of worker rings 0 with every refresh mark set, as the data plane makes them.
static struct region marks_make(uint32_t *units)
{
	char name[SHM_NAME_MAX], why[SHM_WHY_MAX];
	struct publish_status now;
	struct region marks;
	publish_status(rig.publisher, &now);
	*units = (uint32_t)status().l0.units_total + 1;
	shm_name_marks(name, 0, now.l0_generation);
	const struct region_spec spec = {
		.name = name,
		.kind = REGION_MARKS,
		.generation = now.l0_generation,
		.incarnation = dp.incarnation,
		.data_size = *units,
		.geometry = {*units},
	};
	assert_int_equal(region_create(&rig.paths, &spec, &marks, why), 0);
	memset(region_data(&marks), MARK_REFRESH | MARK_VISITED, *units);
	region_publish(&marks);
	return marks;
}

static uint32_t marks_left(const struct region *marks, uint32_t units)
{
	const _Atomic uint8_t *mark = (const _Atomic uint8_t *)region_data(marks);
	uint32_t n = 0;
	for (uint32_t i = 0; i < units; i++)
		n += (mark[i] & MARK_REFRESH) != 0;
	return n;
}

// A refresh mark that nobody clears keeps its record from ever being renewed.
TEST_WITH(test_no_refresh_mark_stays_behind, rig_setup, rig_teardown)
{
	uint32_t units;
	resolves("old.example", 1, ANSWER_UPSTREAM);
	struct region marks = marks_make(&units);
	WAIT_FOR(marks_left(&marks, units) != units); // of an earlier life
	const struct fake_miss late = {
		.name = "old.example", .type = DNS_TYPE_A, .refresh = true, .age_ms = 2500};
	// That round of the sweep may clear some more.
	for (unsigned i = 0; i < 30 && marks_left(&marks, units) != units - 1; i++) {
		memset(region_data(&marks), MARK_REFRESH, units);
		FAKE_DATAPLANE_SEND(&dp, &late);
		clock_pass_ms(100);
	}
	assert_int_equal(marks_left(&marks, units), units - 1);
	region_unmap(&marks);
}

// The name failed at servers that may be others now.
TEST_WITH(test_new_settings_forget_failures, rig_setup, rig_teardown)
{
	fake[0].mode = fake[1].mode = FAKE_SERVFAIL;
	fails("failing.example", 1);
	fake[0].mode = fake[1].mode = FAKE_ANSWER;
	assert_int_equal(status().failures, 1);
	rig_reload();
	assert_int_equal(status().failures, 0);
	resolves("failing.example", 2, ANSWER_UPSTREAM);
}

TEST_WITH(test_every_table_is_registered, rig_setup, rig_teardown)
{
	static const char *const expected[] = {"l0", "rule_image", "l0_marks", "inflight",
		"waiters", "inflight_bounds", "kept_queries", "upstream_tcp", "upstream_https",
		"upstream_tcp_queue", "upstream_sockets", "upstream_ports", "views", "forward_sets",
		"upstream_names", "upstream_health", "upstream_routes", "upstream_hosts",
		"rewrites", "validations", "validator_fetches", "validator_contexts", "failures",
		"bogus_names", "l1_lookups", "redis_calls", "redis_buffers", "l1_sample",
		"answer_patterns", "answer_prefixes", "refresh_plan", "refresh_requests",
		"refresh_backoff", "refresh_minutes", "flush_log", "flush_queue", "trace"};
	struct resolver_status s = status();
	assert_int_equal(s.tables.count, ARRAY_LEN(expected));
	for (unsigned i = 0; i < ARRAY_LEN(expected); i++) {
		const struct table_info *t = &s.tables.table[i];
		assert_string_equal(t->name, expected[i]);
		assert_true(t->cap > 0 && t->used <= t->cap);
		assert_true(t->owner && t->eviction && t->lifetime);
		assert_true(t->shared <= t->bytes);
		if (strcmp(t->name, "rewrites") == 0)
			assert_int_equal(t->has, TABLE_AGES | TABLE_REFUSES);
	}
}

static const struct table_info *table_of(const struct resolver_status *s, const char *name)
{
	for (unsigned i = 0; i < s->tables.count; i++)
		if (strcmp(s->tables.table[i].name, name) == 0)
			return &s->tables.table[i];
	fail_msg("no table %s", name);
	return NULL;
}

static void publish_rules(void *)
{
	static const char image[5000] = "image";
	struct rule_image_region *r;
	char why[SHM_WHY_MAX];
	assert_int_equal(
		publish_rules_prepare(rig.publisher,
			&(struct region_fill){.len = sizeof(image), .from = image}, &r, why),
		0);
	assert_int_equal(publish_rules_publish(rig.publisher, r), 0);
}

// An image that workers still read is memory like the newest.
TEST_WITH(test_images_in_use_are_counted, rig_setup, rig_teardown)
{
	struct resolver_status s;
	on_loop(publish_rules, NULL);
	s = status();
	const struct table_info one = *table_of(&s, "rule_image");
	assert_int_equal(one.used, 1);
	assert_true(one.bytes > 5000);
	on_loop(publish_rules, NULL);
	s = status();
	const struct table_info *two = table_of(&s, "rule_image");
	assert_int_equal(two->used, 2);
	assert_int_equal(two->bytes, 2 * one.bytes);
	assert_int_equal(two->shared, two->bytes);
}

static void on_published(void *arg)
{
	resolver_groups_published(rig.resolver, *(bool *)arg);
}

static unsigned views_after(unsigned ms)
{
	clock_pass_ms(ms);
	const struct resolver_status s = status();
	return (unsigned)table_of(&s, "views")->used;
}

// While a new table of groups cannot be published its clients are the old one's.
TEST_WITH(test_views_stay_until_groups_are_published, rig_setup, rig_teardown)
{
	static char name[] = "own";
	struct config_upstream own = rig.config.upstreams.server[1];
	struct config_group group = {
		.name = name, .blocking = true, .upstream_count = 1, .upstreams = &own};
	bool published = false;
	rig.config.groups = &group;
	rig.config.group_count = 1;
	rig_reload();
	assert_int_equal(views_after(0), 2);
	on_loop(on_published, &published);
	rig.config.groups = NULL;
	rig.config.group_count = 0;
	rig_reload();
	assert_int_equal(views_after(2 * VIEWS_GRACE_MS), 2);
	published = true;
	on_loop(on_published, &published);
	assert_int_equal(views_after(VIEWS_GRACE_MS - 1000), 2);
	on_loop(on_published, &published); // that is no new beginning
	assert_int_equal(views_after(2000), 1);
}

static void nothing(void *)
{
}

static void on_status_back(void *arg, const struct resolver_status *)
{
	++*(unsigned *)arg;
}

static void on_report_back(void *arg, const struct refresh_report *)
{
	++*(unsigned *)arg;
}

static void on_look_back(void *arg, int, const struct cache_look *)
{
	++*(unsigned *)arg;
}

static void on_flush_back(void *arg, int, const struct cache_flushed *)
{
	++*(unsigned *)arg;
}

// Each holds one of the few requests that the control API serves at once.
TEST_WITH(test_replies_come_to_a_loop_with_a_full_mailbox, rig_setup, rig_teardown)
{
	struct loop *busy;
	struct resolvers *all = &rig.all;
	unsigned replies = 0;
	const struct flush what = {.kind = FLUSH_NAME, .name = {.wire = {0}, .len = 1}};

	assert_int_equal(loop_new("busy", &busy), 0);
	for (unsigned i = 0; i < LOOP_CALLS_MAX; i++)
		assert_int_equal(loop_call(busy, nothing, NULL), 0);
	assert_int_equal(resolvers_status(all, busy, on_status_back, &replies), 0);
	assert_int_equal(resolvers_refresh_report(all, busy, on_report_back, &replies), 0);
	const struct cache_wish wish = {.name = what.name, .from = LOOK_SOCKET};
	assert_int_equal(resolvers_cache_get(all, &wish, busy, on_look_back, &replies), 0);
	assert_int_equal(resolvers_cache_flush(all, &what, true, busy, on_flush_back, &replies), 0);
	clock_pass_ms(300); // they are on their way back
	loop_stop(busy);
	assert_int_equal(loop_run(busy), 0);
	assert_int_equal(replies, 4);
	loop_free(busy);
}
