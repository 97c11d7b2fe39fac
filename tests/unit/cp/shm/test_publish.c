// SPDX-License-Identifier: BSD-3-Clause
#include "controlplane/policy/policy_build.h"
#include "controlplane/shm/publish.h"
#include "tests/unit/remapping.h"
#include "tests/unit/unit.h"

#include <sys/wait.h>
#include <weir/l0_writer.h>
#include <weir/shm_lost.h>

static struct shm_paths paths;
static struct config config;
static struct publisher *p;
static char why[SHM_WHY_MAX];

static void open_now(void)
{
	if (publisher_open(&p, &paths, &config, why) < 0)
		fail_msg("publisher_open: %s", why);
}

static int setup(void **state)
{
	char run[64];
	(void)state;
	assert_int_equal(folder_make(run, "publish"), 0);
	if (shm_paths_init(&paths, run, "off", why) < 0)
		fail_msg("shm_paths_init: %s", why);
	memset(&config, 0, sizeof(config));
	config.cache.l0_mb = 2;
	config.cache.stale_ttl_s = 30;
	config.limits.udp_reply_size = 1232;
	open_now();
	return 0;
}

static int teardown(void **)
{
	publisher_close(p);
	shm_paths_close(&paths);
	return folder_remove(paths.run, paths.mem);
}

static bool file_there(const char *stem, unsigned generation)
{
	return access(text_from("%s/%s.%u", paths.mem, stem, generation), F_OK) == 0;
}

static int publish_image(void)
{
	static const char image[5000] = "image";
	struct rule_image_region *r;
	assert_int_equal(
		publish_rules_prepare(
			p, &(struct region_fill){.len = sizeof(image), .from = image}, &r, why),
		0);
	int rc = publish_rules_publish(p, r);
	if (rc < 0)
		publish_rules_discard(p, r);
	return rc;
}

TEST_WITH(test_only_one_lives, setup, teardown)
{
	struct publisher *second;
	assert_int_equal(publisher_open(&second, &paths, &config, why), -EAGAIN);
	assert_non_null(strstr(why, "running"));
}

TEST_WITH(test_directory_outlives_a_restart, setup, teardown)
{
	struct directory *d = publisher_directory(p);
	assert_int_equal(atomic_load(&d->epoch), 1);
	atomic_store(&d->epoch, 77);
	publish_l0(p);
	assert_int_equal(publish_image(), 0);
	const uint64_t lists[4] = {1, 2, 3, 4};
	publish_config(p, &config, lists, true, 0, 0);
	uint64_t incarnation = publisher_incarnation(p);
	publisher_close(p);
	open_now();
	d = publisher_directory(p);
	assert_int_equal(atomic_load(&d->epoch), 77);
	assert_int_not_equal(atomic_load(&d->incarnation), incarnation);
	assert_int_equal(atomic_load(&d->incarnation), publisher_incarnation(p));
	assert_int_equal(atomic_load(&d->state), CP_STARTING);
	assert_int_equal(atomic_load(&d->config_generation), 1);
	assert_int_equal(d->config[1].group_lists[3], 4);
	struct publish_status s;
	publish_status(p, &s);
	assert_int_equal(s.rule_image_generation, 1);
	assert_int_equal(publish_image(), 0); // and counts on
	publish_status(p, &s);
	assert_int_equal(s.rule_image_generation, 2);
}

// Generations count on from an unusable image, also in a life that publishes none.
TEST_WITH(test_damaged_rule_image, setup, teardown)
{
	struct publish_status s;
	for (unsigned i = 0; i < 5; i++)
		assert_int_equal(publish_image(), 0);
	publisher_close(p);
	assert_int_equal(truncate(text_from("%s/rule_image.5", paths.mem), 100), 0);
	for (unsigned life = 0; life < 2; life++) {
		open_now();
		publish_status(p, &s);
		assert_int_equal(s.rule_image_generation, 0);
		assert_false(file_there("rule_image", 5));
		publisher_close(p);
	}
	open_now();
	assert_int_equal(publish_image(), 0);
	publish_status(p, &s);
	assert_int_equal(s.rule_image_generation, 6);
}

TEST_WITH(test_l0_is_kept_unless_its_size_changes, setup, teardown)
{
	struct region l0;
	bool fresh;
	publisher_l0(p, &l0, &fresh);
	assert_true(fresh);
	assert_int_equal(atomic_load(&publisher_directory(p)->current[REGION_L0]), 0);
	publish_l0(p);
	publisher_close(p);
	open_now();
	publisher_l0(p, &l0, &fresh);
	assert_false(fresh);
	publish_l0(p);
	publisher_close(p);
	config.cache.l0_mb = 3;
	open_now();
	publisher_l0(p, &l0, &fresh);
	assert_true(fresh);
	// To copy from, and for the next life if this one dies here.
	assert_true(file_there("l0", 1));
	assert_true(file_there("l0", 2));
	assert_non_null(publisher_l0_old(p));
	assert_int_equal(region_header_of(publisher_l0_old(p))->generation, 1);
	publish_l0(p);
	assert_null(publisher_l0_old(p));
	assert_false(file_there("l0", 1));
	assert_int_equal(
		atomic_load(&publisher_directory(p)->current[REGION_L0]), 2 << 1 | SHM_IN_MEM);
}

TEST_WITH(test_a_damaged_directory_is_replaced, setup, teardown)
{
	publisher_close(p);
	FILE *f = fopen(text_from("%s/directory", paths.mem), "r+");
	assert_non_null(f);
	fputs("nonsense", f);
	fclose(f);
	open_now();
	assert_int_equal(atomic_load(&publisher_directory(p)->epoch), 1);
}

TEST_WITH(test_silent_workers_are_told_of, setup, teardown)
{
	static struct rings_dp_page page[2];
	const struct rings_dp_page *pages[2] = {&page[0], &page[1]};
	struct publish_status s;
	enum { NOW_MS = 100000 };
	atomic_store(&page[0].heartbeat_ms, NOW_MS + 5); // another clock, a little ahead
	publisher_rings(p, 0, 0xd0, pages, 2);
	publisher_heartbeat(p, NOW_MS);
	publish_status(p, &s);
	assert_int_equal(s.workers_hung, 0);
	atomic_store(&page[1].heartbeat_ms, NOW_MS - PUBLISH_HUNG_MS - 1);
	publisher_heartbeat(p, NOW_MS);
	publish_status(p, &s);
	assert_int_equal(s.workers_hung, 1);
	atomic_store(&page[1].heartbeat_ms, NOW_MS);
	publisher_heartbeat(p, NOW_MS);
	publish_status(p, &s);
	assert_int_equal(s.workers_hung, 0);
	publisher_no_rings(p, 0);
}

static uint64_t rules_lag(uint64_t now_ms)
{
	struct publish_status s;
	publisher_heartbeat(p, now_ms);
	publish_status(p, &s);
	return s.rules_lag_ms;
}

// One that hangs is another thing.
TEST_WITH(test_a_worker_without_the_newest_image, setup, teardown)
{
	static struct rings_dp_page page[2];
	const struct rings_dp_page *pages[2] = {&page[0], &page[1]};
	enum { NOW_MS = 100000 };
	assert_int_equal(publish_image(), 0);
	assert_int_equal(rules_lag(NOW_MS), 0); // nobody is there
	publisher_rings(p, 0, 0xd0, pages, 2);
	atomic_store(&page[0].activated_rules, 1);
	assert_int_equal(rules_lag(NOW_MS), 0);
	assert_int_equal(rules_lag(NOW_MS + 700), 700);
	atomic_store(&page[0].heartbeat_ms, NOW_MS - PUBLISH_HUNG_MS);
	assert_int_equal(rules_lag(NOW_MS + 800), 0);
	atomic_store(&page[0].heartbeat_ms, NOW_MS + 900);
	assert_int_equal(rules_lag(NOW_MS + 900), 0);
	assert_int_equal(rules_lag(NOW_MS + 950), 50);
	atomic_store(&page[1].activated_rules, 1);
	assert_int_equal(rules_lag(NOW_MS + 990), 0);
	publisher_no_rings(p, 0);
}

static uint64_t policy_lag(uint64_t now_ms)
{
	struct publish_status s;
	publisher_heartbeat(p, now_ms);
	publish_status(p, &s);
	return s.policy_lag_ms;
}

TEST_WITH(test_a_worker_without_the_newest_groups, setup, teardown)
{
	static struct rings_dp_page page;
	const struct rings_dp_page *pages[1] = {&page};
	struct policy_group group = {0};
	struct policy_image image;
	struct publish_status s;
	enum { NOW_MS = 100000 };
	publisher_rings(p, 0, 0xd0, pages, 1);
	atomic_store(&page.heartbeat_ms, NOW_MS);
	assert_int_equal(policy_lag(NOW_MS), 0); // none was published
	assert_int_equal(policy_build(&config, &group, &image), 0);
	assert_int_equal(publish_policy(p, image.head, image.size, why), 0);
	free(image.head);
	publish_status(p, &s);
	assert_int_equal(policy_lag(NOW_MS), 0);
	assert_int_equal(policy_lag(NOW_MS + 500), 500);
	atomic_store(&page.activated_policy, s.policy_generation - 1);
	assert_int_equal(policy_lag(NOW_MS + 600), 600);
	assert_int_equal(s.rules_lag_ms, 0);
	atomic_store(&page.activated_policy, s.policy_generation);
	assert_int_equal(policy_lag(NOW_MS + 700), 0);
	// An image that cannot be published leaves its number to the next one, as the query log
	// names the groups of four numbers.
	assert_true(publish_policy(p, "", SIZE_MAX, why) < 0);
	assert_int_equal(publisher_policy_generation(p), s.policy_generation);
	publisher_no_rings(p, 0);
	// Groups that are not published cannot be active.
	publish_policy_fails(p, true);
	assert_int_equal(policy_lag(NOW_MS + 800), 0);
	publish_policy_fails(p, true);
	assert_int_equal(policy_lag(NOW_MS + 900), 100);
	publish_policy_fails(p, false);
	assert_int_equal(policy_lag(NOW_MS + 1000), 0);
	publish_status(p, &s);
	assert_int_equal(s.policy_failures, 2);
}

static void groups_publish_with(uint16_t view, uint32_t ttl_s)
{
	static char name[] = "one";
	struct policy_group group[2] = {
		[1] = {.view = view, .safe_view = view + 1, .block.ttl_s = ttl_s}};
	struct policy_image image;
	config.group_count = 1;
	config.groups = &(struct config_group){.name = name};
	assert_int_equal(policy_build(&config, group, &image), 0);
	assert_int_equal(publish_policy(p, image.head, image.size, why), 0);
	free(image.head);
	config.group_count = 0;
}

// A view that left has the group that it had last, as long as that is kept; never another one.
TEST_WITH(test_groups_of_views, setup, teardown)
{
	enum { OLD = 7, NEW = 9 };
	struct policy_group group;
	assert_false(publisher_group_in_view(p, 0, &group)); // none was published
	groups_publish_with(OLD, 1);
	groups_publish_with(OLD, 2);
	for (unsigned i = 0; i + 1 < POLICY_KEPT; i++) {
		groups_publish_with(NEW, 3 + i);
		assert_true(publisher_group_in_view(p, OLD + 1, &group));
		assert_int_equal(group.block.ttl_s, 2);
		assert_true(publisher_group_in_view(p, NEW, &group));
		assert_int_equal(group.block.ttl_s, 3 + i);
	}
	groups_publish_with(NEW, 1);
	assert_false(publisher_group_in_view(p, OLD, &group));
	assert_false(publisher_group_in_view(p, 1, &group));
	assert_true(publisher_group_in_view(p, 0, &group));
	assert_int_equal(group.view, 0);
}

// A data plane starts when the file of the cache, which is mapped here, is gone or damaged: how a
// child ends that beats for an hour.
static int ends_within_an_hour(void)
{
	static struct rings_dp_page page;
	const struct rings_dp_page *pages[1] = {&page};
	int status = 0;
	pid_t child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		publisher_rings(p, 0, 0xd0, pages, 1);
		for (uint64_t ms = 100000; ms < 3700000; ms += 100)
			publisher_heartbeat(p, ms);
		_exit(0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

TEST_WITH(test_a_cache_without_a_file, setup, teardown)
{
	publish_l0(p);
	assert_int_equal(ends_within_an_hour(), 0); // the data plane's own fault
	const char *path = text_from("%s/l0.1", paths.mem);
	const char *aside = text_from("%s.aside", path);
	assert_int_equal(rename(path, aside), 0);
	assert_int_equal(ends_within_an_hour(), REGION_LOST_STATUS);
	assert_int_equal(system(text_from("cp '%s' '%s'", aside, path)), 0);
	assert_int_equal(ends_within_an_hour(), REGION_LOST_STATUS);
	assert_int_equal(truncate(path, 100), 0);
	assert_int_equal(ends_within_an_hour(), REGION_LOST_STATUS);
	assert_int_equal(rename(aside, path), 0);
	assert_int_equal(ends_within_an_hour(), 0);
}

TEST_WITH(test_images_wait_for_the_slowest_worker, setup, teardown)
{
	static struct rings_dp_page page[2];
	const struct rings_dp_page *pages[2] = {&page[0], &page[1]};
	struct publish_status s;
	publisher_rings(p, 0, 0xd0, pages, 2);
	for (unsigned i = 1; i <= 3; i++)
		assert_int_equal(publish_image(), 0);
	assert_false(file_there("rule_image", 2)); // unlinked at once, mapped as long as it is used
	assert_true(file_there("rule_image", 3));
	assert_int_equal(publish_image(), -EBUSY);
	assert_false(file_there("rule_image", 4));
	atomic_store(&page[0].activated_rules, 3);
	atomic_store(&page[1].activated_rules, 2);
	publisher_heartbeat(p, clock_mono_ms());
	publish_status(p, &s);
	assert_int_equal(s.retired_waiting, 1); // 1 is gone, 2 is in use by worker 1
	assert_int_equal(s.refused_busy, 1);
	assert_int_equal(s.rule_image_generation, 3);
	publisher_no_rings(p, 0); // dead: nobody uses anything
	publisher_heartbeat(p, clock_mono_ms());
	publish_status(p, &s);
	assert_int_equal(s.retired_waiting, 0);
	assert_int_equal(publish_image(), 0);
}

// A data plane's mapping of the directory: its word of it, and its lock.
struct reader {
	struct region region;
	_Atomic uint64_t *life;
	int lock;
};

static void reader_make(struct region *out)
{
	const struct region_spec spec = {.name = "reader",
		.kind = REGION_READER,
		.generation = 1,
		.incarnation = incarnation_new(),
		.data_size = sizeof(struct reader_page)};
	assert_int_equal(region_create(&paths, &spec, out, why), 0);
	region_publish(out);
}

static struct reader reader_open(uint64_t life)
{
	struct reader r;
	r.lock = process_lock(text_from("%s/dataplane.lock", paths.run));
	assert_true(r.lock >= 0);
	// As a data plane does: the file of an earlier run, or one that the control plane finds.
	const bool is_first =
		region_attach(&paths, SHM_IN_MEM, "reader", REGION_READER, true, &r.region, why)
		< 0;
	if (is_first)
		reader_make(&r.region);
	r.life = &((struct reader_page *)region_data(&r.region))->life;
	atomic_store(r.life, life);
	if (is_first)
		publisher_reader_look(p);
	assert_int_equal(atomic_load(&publisher_directory(p)->reader_file),
		region_header_of(&r.region)->incarnation);
	return r;
}

static void reader_close(struct reader *r)
{
	region_unmap(&r->region);
	close(r->lock);
}

static bool passes(void)
{
	return epoch_passed(publisher_epoch(p, 0), epoch_advance(publisher_epoch(p, 0)));
}

TEST_WITH(test_a_living_data_plane_holds_the_epoch_back, setup, teardown)
{
	static struct rings_dp_page page;
	const struct rings_dp_page *pages[1] = {&page};
	assert_true(passes());
	publisher_close(p);
	open_now();
	struct reader r = reader_open(0xd1);
	publisher_close(p);
	open_now();
	assert_false(passes()); // its worker rings are not known yet
	publisher_rings(p, 0, 0xd1, pages, 1);
	uint64_t e = epoch_advance(publisher_epoch(p, 0));
	atomic_store(&page.seen_epoch, e - 1);
	assert_false(epoch_passed(publisher_epoch(p, 0), e));
	atomic_store(&page.seen_epoch, e);
	assert_true(epoch_passed(publisher_epoch(p, 0), e));
	atomic_store(r.life, 0xd1 ^ 4); // a bit flipped
	assert_false(epoch_passed(publisher_epoch(p, 0), e));
	reader_close(&r);
}

// Lives that came and went, or came, while this control plane was stopped.
TEST_WITH(test_a_data_plane_unseen_holds_the_epoch_back, setup, teardown)
{
	static struct rings_dp_page page;
	const struct rings_dp_page *pages[1] = {&page};
	atomic_store(&page.seen_epoch, EPOCH_OFFLINE); // it died asleep
	struct reader r = reader_open(0xd1);
	publisher_rings(p, 0, 0xd1, pages, 1);
	assert_true(passes());
	reader_close(&r);
	r = reader_open(0xd2);
	assert_false(passes()); // the worker rings are not of this life
	assert_false(publisher_probe_readers(p));
	assert_false(passes());
	publisher_rings(p, 0, 0xd2, pages, 1);
	assert_true(passes());
	reader_close(&r);
	assert_true(publisher_probe_readers(p));
	publisher_no_rings(p, 0);
	assert_true(passes());
	r = reader_open(0xd3); // after the look
	assert_false(passes());
	reader_close(&r);
	assert_true(publisher_probe_readers(p));
	assert_true(passes());
}

// A file that somebody deleted says nothing of the process that holds a lock on it.
TEST_WITH(test_a_deleted_lock_holds_the_epoch_back, setup, teardown)
{
	const char *path = text_from("%s/dataplane.lock", paths.run);
	assert_true(publisher_probe_readers(p)); // no life has read: nothing to wait for
	assert_true(passes());
	struct reader r = reader_open(0xd1);
	assert_int_equal(unlink(path), 0);
	assert_false(publisher_probe_readers(p));
	assert_false(passes());
	assert_int_equal(process_lock_keep(path, &r.lock), 1);
	assert_false(publisher_probe_readers(p));
	reader_close(&r);
	assert_true(publisher_probe_readers(p));
	assert_true(passes());
}

// Zeros in its place would say that no data plane reads.
TEST_WITH(test_a_lost_reader_holds_the_epoch_back, setup, teardown)
{
	struct reader r = reader_open(0xd1);
	assert_false(passes());
	region_unmap(&r.region);
	reader_make(&r.region);
	remapping = LOSES;
	publisher_reader_look(p);
	remapping = MOVES;
	assert_false(passes());
	publisher_reader_look(p);
	assert_true(passes()); // the new one, of which no life has read
	reader_close(&r);
}

TEST_WITH(test_configuration_goes_round_its_slots, setup, teardown)
{
	const uint64_t lists[4] = {UINT64_MAX};
	for (uint32_t i = 1; i <= 9; i++) {
		config.blocking.ttl_s = i;
		publish_config(p, &config, lists, i % 2, i, 0);
		struct directory *d = publisher_directory(p);
		uint64_t g = atomic_load(&d->config_generation);
		assert_int_equal(g, i);
		const struct dp_config *c = &d->config[g % DIRECTORY_CONFIG_SLOTS];
		assert_int_equal(c->block.ttl_s, i);
		assert_int_equal(c->blocking_on, i % 2);
		assert_int_equal(c->pause_until_ms, i);
		assert_int_equal(c->udp_limit, 1232);
		assert_int_equal(c->stale_mode, STALE_ON_FAILURE);
	}
}
