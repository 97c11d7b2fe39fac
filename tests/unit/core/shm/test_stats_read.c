// SPDX-License-Identifier: BSD-3-Clause

#include "tests/unit/unit.h"

#include <weir/stats_read.h>

static char folder[FOLDER_MAX];
static struct shm_paths paths;
static struct stats_copy copy;

static struct region stats_make(uint64_t workers, uint64_t ports, uint64_t verdicts, size_t room)
{
	char why[SHM_WHY_MAX] = "";
	struct region r;
	const struct region_spec spec = {.name = "stats",
		.kind = REGION_STATS,
		.generation = 1,
		.incarnation = 77,
		.data_size = sizeof(struct stats_region) + room * sizeof(struct stats_worker),
		.geometry = {workers, ports, verdicts, COUNTER_COUNT, STATS_WORKER_TABLES,
			STATS_PROCESS_TABLES}};
	if (region_create(&paths, &spec, &r, why) < 0)
		fail_msg("%s", why);
	return r;
}

TEST(test_absent)
{
	char why[SHM_WHY_MAX] = "";
	uint64_t silent_ms = 0;
	assert_int_equal(stats_read(&paths, &copy, why), -ENOENT);
	assert_int_equal(dataplane_state(&paths, NULL), PROCESS_DOWN);
	assert_int_equal(controlplane_state(&paths, &silent_ms), PROCESS_DOWN);
}

TEST(test_copy)
{
	char why[SHM_WHY_MAX] = "";
	struct region r = stats_make(2, 1, VERDICT_COUNT, 2);
	struct stats_region *s = region_data(&r);
	s->heartbeat_ms = clock_mono_ms();
	s->pid = 1234;
	memset(s->port[0].name, 'p', STATS_PORT_NAME); // no NUL at all
	s->port[0].is_exception = 1;
	stats_add(&s->worker[0].verdict[VERDICT_hit], 5);
	stats_add(&s->worker[1].verdict[VERDICT_hit], 7);
	stats_add(&s->worker[1].counter[COUNTER_rx_frames], 12);
	s->kinds.looks = 1;
	s->kinds.bytes[MEM_MAP_huge] = 2 << 20;
	s->kinds.descriptors[MEM_FD_other] = 3;
	s->kinds.deleted[REGION_POLICY].behind = 4;
	memcpy(s->version, "1.2+git\x1b\xff\"\\ \n", 13);
	memset(s->commit, 'c', sizeof(s->commit)); // no NUL at all
	s->worker[0].mbuf_missing[MBUF_OWNER_tx] = 2;
	s->worker[1].mbuf_missing[MBUF_OWNER_tx] = 3;
	s->worker[1].mbuf_missing[MBUF_OWNER_rx] = 4;
	region_publish(&r);

	assert_int_equal(stats_read(&paths, &copy, why), 0);
	assert_int_equal(copy.kinds.looks, 1);
	assert_int_equal(copy.kinds.bytes[MEM_MAP_huge], 2 << 20);
	assert_int_equal(copy.kinds.descriptors[MEM_FD_other], 3);
	assert_int_equal(copy.kinds.deleted[REGION_POLICY].behind, 4);
	assert_string_equal(copy.version, "1.2+git??????");
	assert_int_equal(strlen(copy.commit), BUILD_TEXT_MAX - 1);
	uint32_t missing[MBUF_OWNERS];
	assert_int_equal(stats_mbufs_missing(&copy, missing), 9);
	assert_int_equal(missing[MBUF_OWNER_tx], 5);
	assert_int_equal(copy.incarnation, 77);
	assert_int_equal(copy.pid, 1234);
	assert_int_equal(copy.workers, 2);
	assert_int_equal(copy.verdict[VERDICT_hit], 12);
	assert_int_equal(copy.worker[1].verdict[VERDICT_hit], 7);
	assert_int_equal(copy.counter[COUNTER_rx_frames], 12);
	assert_int_equal(strlen(copy.port[0].name), STATS_PORT_NAME - 1);
	assert_true(copy.port[0].is_exception);
	assert_false(copy.worker[0].has_rings);
	region_unmap(&r);
}

// Down: nobody holds the lock. Hung: held, and no heartbeat for STATS_HUNG_MS. Without the file the
// heartbeat alone tells.
TEST(test_states)
{
	assert_int_equal(dataplane_state(&paths, &copy), PROCESS_UP);
	const char *lock = text_from("%s/dataplane.lock", paths.run);
	int fd = process_lock(lock);
	assert_true(fd >= 0);
	assert_int_equal(dataplane_state(&paths, &copy), PROCESS_UP);
	copy.heartbeat_ms = clock_mono_ms() - STATS_HUNG_MS - 10;
	assert_int_equal(dataplane_state(&paths, &copy), PROCESS_HUNG);
	assert_int_equal(dataplane_state(&paths, NULL), PROCESS_HUNG);
	close(fd);
	assert_int_equal(dataplane_state(&paths, &copy), PROCESS_DOWN);
	copy.heartbeat_ms = clock_mono_ms();
	assert_int_equal(dataplane_state(&paths, &copy), PROCESS_DOWN);
	unlink(lock);
	assert_int_equal(dataplane_state(&paths, &copy), PROCESS_UP);
	copy.heartbeat_ms = clock_mono_ms() - STATS_HUNG_MS - 10;
	assert_int_equal(dataplane_state(&paths, &copy), PROCESS_DOWN);
}

TEST(test_control_states)
{
	uint64_t silent_ms = 0;
	char why[SHM_WHY_MAX] = "";
	const char *lock = text_from("%s/" SHM_NAME_CONTROL_LOCK, paths.run);
	int fd = process_lock(lock);
	assert_true(fd >= 0);
	assert_int_equal(
		controlplane_state(&paths, &silent_ms), PROCESS_UP); // no directory to read yet
	struct region r;
	const struct region_spec spec = {.name = "directory",
		.kind = REGION_DIRECTORY,
		.generation = 1,
		.incarnation = 1,
		.data_size = sizeof(struct directory)};
	assert_int_equal(region_create(&paths, &spec, &r, why), 0);
	struct directory *d = region_data(&r);
	d->heartbeat_ms = clock_mono_ms() - STATS_HUNG_MS - 10;
	region_publish(&r);
	assert_int_equal(controlplane_state(&paths, &silent_ms), PROCESS_STARTING);
	d->state = CP_STOPPING;
	assert_int_equal(controlplane_state(&paths, &silent_ms), PROCESS_STOPPING);
	d->state = CP_SERVING;
	assert_int_equal(controlplane_state(&paths, &silent_ms), PROCESS_HUNG);
	assert_in_range(silent_ms, STATS_HUNG_MS + 10, clock_mono_ms() - d->heartbeat_ms);
	enum process_state state = PROCESS_HUNG;
	for (unsigned i = 0; i < 20 && state == PROCESS_HUNG; i++) { // a second may pass between
		d->heartbeat_ms = clock_mono_ms();
		state = controlplane_state(&paths, &silent_ms);
	}
	assert_int_equal(state, PROCESS_UP);
	close(fd);
	assert_int_equal(controlplane_state(&paths, &silent_ms), PROCESS_DOWN);
	region_unmap(&r);
	assert_int_equal(region_unlink(&paths, SHM_IN_MEM, "directory"), 0);
	unlink(lock);
}

// A version without the folder runs until its restart.
TEST(test_control_of_the_version_before)
{
	uint64_t silent_ms = 0;
	const char *former = text_from("%s/" SHM_NAME_FORMER_LOCK, paths.run);
	assert_int_equal(controlplane_state(&paths, &silent_ms), PROCESS_DOWN);
	int fd = process_lock(former);
	assert_true(fd >= 0);
	assert_int_equal(controlplane_state(&paths, &silent_ms), PROCESS_UP);
	// That of the folder comes first.
	const char *lock = text_from("%s/" SHM_NAME_CONTROL_LOCK, paths.run);
	int own = process_lock(lock);
	assert_true(own >= 0);
	close(own);
	assert_int_equal(controlplane_state(&paths, &silent_ms), PROCESS_DOWN);
	unlink(lock);
	close(fd);
	assert_int_equal(controlplane_state(&paths, &silent_ms), PROCESS_DOWN);
	unlink(former);
}

// Geometry that does not fit the region, or another version's lists.
TEST(test_hostile)
{
	static const struct {
		uint64_t workers, ports, verdicts;
	} bad[] = {
		{SHM_WORKERS_MAX, 1, VERDICT_COUNT},
		{SHM_WORKERS_MAX + 1, 1, VERDICT_COUNT},
		{UINT64_MAX / sizeof(struct stats_worker), 1, VERDICT_COUNT},
		{1, STATS_PORTS_MAX + 1, VERDICT_COUNT},
		{1, 1, VERDICT_COUNT - 1},
	};
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		char why[SHM_WHY_MAX] = "";
		struct region r = stats_make(bad[i].workers, bad[i].ports, bad[i].verdicts, 2);
		region_publish(&r);
		copy.pid = 9;
		assert_int_equal(stats_read(&paths, &copy, why), -EPROTO);
		assert_int_equal(copy.pid, 9);
		assert_true(why[0]);
		region_unmap(&r);
	}
	assert_int_equal(region_unlink(&paths, SHM_IN_MEM, "stats"), 0);
}

static int setup(void **)
{
	char why[SHM_WHY_MAX] = "";
	if (folder_make(folder, "stats"))
		return -1;
	if (shm_paths_init(&paths, folder, "off", why) < 0) {
		fprintf(stderr, "%s\n", why);
		return -1;
	}
	return 0;
}

static int teardown(void **)
{
	shm_paths_remove(&paths);
	return rmdir(folder);
}

TEST_GROUP(setup, teardown)
