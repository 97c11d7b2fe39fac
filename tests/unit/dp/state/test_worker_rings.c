// SPDX-License-Identifier: BSD-3-Clause

// Worker rings and statistics as the control plane and weirctl find them.

#include "dataplane/state/worker_rings.h"
#include "tests/unit/remapping.h"
#include "tests/unit/unit.h"

#include <weir/shm_msg.h>

enum { WORKERS = 2 };

static char dir[64];
static struct shm_paths paths;
static struct worker_rings worker_rings;
static char why[SHM_WHY_MAX];

static int create(unsigned workers)
{
	const struct rings_spec_all spec = {.workers = workers,
		.incarnation = 0xd0,
		.port_count = 2,
		.port_name = {"net_tap0", "weir0"},
		.port_is_exception = {false, true},
		.group = "",
		.stats_group = ""};
	return worker_rings_create(&worker_rings, &paths, &spec, why);
}

static int setup(void **)
{
	log_init("test_worker_rings", LOG_LEVEL_ERROR);
	if (folder_make(dir, "rings") || shm_paths_init(&paths, dir, "off", why))
		return -1;
	return create(WORKERS);
}

static int teardown(void **)
{
	worker_rings_close(&worker_rings);
	shm_paths_remove(&paths);
	rmdir(dir);
	return 0;
}

static bool exists(const char *name, mode_t *mode)
{
	struct stat st;
	if (stat(text_from("%s/%s", paths.mem, name), &st) != 0)
		return false;
	*mode = st.st_mode & 0777;
	return true;
}

TEST(statistics_can_be_read_by_the_group)
{
	struct region r;
	mode_t mode = 0;
	assert_true(exists("stats", &mode));
	assert_int_equal(mode, 0640);
	assert_int_equal(
		region_attach(&paths, SHM_IN_MEM, "stats", REGION_STATS, false, &r, why), 0);
	const struct region_header *h = region_header_of(&r);
	assert_int_equal(h->geometry[0], WORKERS);
	assert_int_equal(h->geometry[1], 2);
	assert_int_equal(h->geometry[2], VERDICT_COUNT);
	assert_int_equal(h->geometry[3], COUNTER_COUNT);
	const struct stats_region *s = region_data(&r);
	assert_string_equal(s->port[0].name, "net_tap0");
	assert_string_equal(s->port[1].name, "weir0");
	assert_int_equal(s->port[1].is_exception, 1);
	assert_int_equal(s->pid, getpid());
	assert_true(region_data_size(&r) >= sizeof(*s) + WORKERS * sizeof(s->worker[0]));
	region_unmap(&r);
}

static uint64_t huge_seen(void)
{
	struct region r;
	assert_int_equal(
		region_attach(&paths, SHM_IN_MEM, "reader", REGION_READER, false, &r, why), 0);
	const struct reader_page *page = region_data(&r);
	const uint64_t seen = atomic_load(&page->huge);
	region_unmap(&r);
	return seen;
}

// The control plane puts nothing where this process does not see it.
TEST(what_is_seen_of_huge_pages_is_reported)
{
	assert_int_equal(huge_seen(), SHM_HUGE_NONE);
	snprintf(paths.huge, sizeof(paths.huge), "%.100s/huge/folder", dir);
	worker_rings_check(&worker_rings, &paths);
	assert_int_equal(huge_seen(), SHM_HUGE_NONE);
	// The folder is the control plane's to make.
	assert_int_equal(mkdir(text_from("%s/huge", dir), 0700), 0);
	worker_rings_check(&worker_rings, &paths);
	const uint64_t here = huge_seen();
	assert_int_equal(here, shm_huge_place(&paths));
	assert_int_not_equal(here, SHM_HUGE_NONE);
	assert_int_equal(mkdir(paths.huge, 0700), 0);
	worker_rings_check(&worker_rings, &paths);
	assert_int_equal(huge_seen(), here);
	struct shm_paths other = paths;
	snprintf(other.huge, sizeof(other.huge), "%.100s/folder", dir);
	assert_int_not_equal(shm_huge_place(&other), here);
	// A run that starts says so from its beginning, in the file of the last one too.
	worker_rings_close(&worker_rings);
	assert_int_equal(create(WORKERS), 0);
	assert_int_equal(huge_seen(), here);
	assert_int_equal(rmdir(paths.huge), 0);
	assert_int_equal(rmdir(text_from("%s/huge", dir)), 0);
	paths.huge[0] = '\0';
	worker_rings_check(&worker_rings, &paths);
	assert_int_equal(huge_seen(), SHM_HUGE_NONE);
}

// As the control plane makes its half of the first resolver's rings.
static void make_answers(struct region *out, unsigned worker, uint64_t incarnation)
{
	char name[SHM_NAME_MAX];
	shm_name_answers(name, worker, 0);
	const struct region_spec spec = {.name = name,
		.kind = REGION_ANSWERS,
		.generation = 1,
		.incarnation = incarnation_new(),
		.index = worker,
		.data_size = ANSWERS_SIZE - SHM_PAGE,
		.geometry = {0, RINGS_ANSWER_UNITS, 0, 0, incarnation}};
	assert_int_equal(region_create(&paths, &spec, out, why), 0);
	region_publish(out);
}

// Those of another run are not taken; new ones are, in the place that the worker reads.
TEST(answers_are_taken_when_they_are_there)
{
	struct worker w = {.index = 0};
	struct region half;
	const struct rings_dp_page *dp;
	worker_rings_bind(&worker_rings, &w);
	dp = w.rings;
	assert_int_equal(atomic_load(w.epoch.evicted), 0);
	make_answers(&half, 0, 0xdd);
	worker_rings_look(&worker_rings, &paths, 1000);
	assert_int_equal(atomic_load(&dp->answers), 0);
	region_unmap(&half);
	make_answers(&half, 0, 0xd0);
	atomic_store(&((struct rings_cp_page *)(void *)(half.base + ANSWERS_CP_PAGE))->evicted, 5);
	worker_rings_look(&worker_rings, &paths, 1050); // too soon
	assert_int_equal(atomic_load(w.epoch.evicted), 0);
	worker_rings_look(&worker_rings, &paths, 1100);
	assert_int_equal(atomic_load(w.epoch.evicted), 5);
	assert_int_equal(atomic_load(&dp->answers), region_header_of(&half)->incarnation);
	region_unmap(&half);
	// Made again by another control plane: its welcome says so.
	make_answers(&half, 0, 0xd0);
	worker_rings_look(&worker_rings, &paths, 2000);
	assert_int_equal(atomic_load(w.epoch.evicted), 5);
	worker_rings_link(&worker_rings, &paths);
	assert_int_equal(atomic_load(w.epoch.evicted), 0);
	assert_int_equal(atomic_load(&dp->answers), region_header_of(&half)->incarnation);
	region_unmap(&half);
	// Made again after that, by a resolver that was late: within a second.
	make_answers(&half, 0, 0xd0);
	worker_rings_look(&worker_rings, &paths, 3000);
	assert_int_not_equal(atomic_load(&dp->answers), region_header_of(&half)->incarnation);
	worker_rings_check(&worker_rings, &paths);
	assert_int_equal(atomic_load(&dp->answers), region_header_of(&half)->incarnation);
	region_unmap(&half);
}

// The control plane then evicts no worker, as none would see it.
TEST(lost_answers_are_withdrawn)
{
	const struct rings_dp_page *dp =
		(const void *)(worker_rings.rings[0].region[0].base + RINGS_DP_PAGE);
	struct region half;
	worker_rings_link(&worker_rings, &paths);
	assert_int_not_equal(atomic_load(&dp->answers), 0);
	make_answers(&half, 0, 0xd0);
	remapping = LOSES;
	worker_rings_link(&worker_rings, &paths);
	remapping = MOVES;
	assert_int_equal(atomic_load(&dp->answers), 0);
	worker_rings_look(&worker_rings, &paths, 10000);
	assert_int_equal(atomic_load(&dp->answers), region_header_of(&half)->incarnation);
	region_unmap(&half);
}

// A miss goes over, an answer comes back, through mappings of the same two files.
TEST(worker_rings_carry_messages_both_ways)
{
	struct worker w = {.index = 1};
	struct region r, half;
	mode_t mode = 0;
	worker_rings_bind(&worker_rings, &w);
	assert_true(exists("rings.1", &mode));
	assert_int_equal(mode, 0600);
	assert_int_equal(
		region_attach(&paths, SHM_IN_MEM, "rings.1", REGION_RINGS, true, &r, why), 0);
	const struct region_header *h = region_header_of(&r);
	assert_int_equal(h->index, 1);
	assert_int_equal(h->incarnation, 0xd0);
	assert_int_equal(h->geometry[0], RINGS_MISS_UNITS);
	struct rings_dp_page *dp = (void *)(r.base + RINGS_DP_PAGE);
	make_answers(&half, 1, 0xd0);
	assert_int_equal(atomic_load(&dp->answers), 0);
	worker_rings_link(&worker_rings, &paths);
	assert_int_equal(atomic_load(&dp->answers), region_header_of(&half)->incarnation);
	struct rings_cp_page *cp = (void *)(half.base + ANSWERS_CP_PAGE);
	// A worker that has not started holds nothing up.
	assert_true(atomic_load(&dp->seen_epoch) == EPOCH_OFFLINE);

	struct ring_consumer miss;
	struct ring_producer answer;
	ring_consumer_init(
		&miss, &dp->miss_tail, &cp->miss_head, r.base + RINGS_MISS_RING, RINGS_MISS_UNITS);
	ring_producer_init(&answer, &cp->answer_tail, &dp->answer_head, half.base + ANSWERS_RING,
		RINGS_ANSWER_UNITS);
	char buf[64];
	uint16_t type = 0;
	void *slot = ring_reserve(&w.miss[0], MSG_MISS, 9);
	assert_non_null(slot);
	memcpy(slot, "question", 9);
	ring_publish(&w.miss[0]);
	assert_int_equal(ring_read(&miss, buf, sizeof(buf), &type), 9);
	assert_string_equal(buf, "question");
	slot = ring_reserve(&answer, MSG_ANSWER, 7);
	assert_non_null(slot);
	memcpy(slot, "answer", 7);
	ring_publish(&answer);
	assert_int_equal(ring_read(&w.answer[0], buf, sizeof(buf), &type), 7);
	assert_string_equal(buf, "answer");

	// What the link replaces: both ends of each worker's bell, then the gongs.
	int bells[LINK_BELLS_MAX];
	worker_rings_bells(&worker_rings, bells);
	assert_int_equal(bells[2 + BELL_HEARS], w.bell);
	assert_int_equal(bells[2 + BELL_RINGS], w.bell_far);
	assert_int_equal(bells[LINK_BELL_ENDS * WORKERS], w.gong[0]);
	assert_true(gong_is(w.gong[0]));
	struct pollfd p = {.fd = w.bell, .events = POLLIN};
	assert_int_equal(poll(&p, 1, 0), 0);
	worker_wake(&w);
	assert_int_equal(poll(&p, 1, 0), 1);
	assert_true(bell_clear(w.bell));
	region_unmap(&r);
}

// Rings of more resolvers: made once, handed to each worker, and none has a log ring.
TEST(worker_rings_grow_for_more_resolvers)
{
	struct worker w[WORKERS] = {{.index = 0}, {.index = 1}};
	struct worker *const list[WORKERS] = {&w[0], &w[1]};
	struct region r;
	mode_t mode;
	for (unsigned i = 0; i < WORKERS; i++)
		worker_rings_bind(&worker_rings, &w[i]);
	assert_false(exists("rings.1.1", &mode));
	assert_int_equal(worker_rings_grow(&worker_rings, &paths, list, 3, why), 0);
	const _Atomic uint64_t *index = &w[1].miss[2].tail->units;
	assert_int_equal(worker_rings_grow(&worker_rings, &paths, list, 2, why), 0);
	assert_int_equal(worker_rings_grow(&worker_rings, &paths, list, 3, why), 0);
	assert_ptr_equal(index, &w[1].miss[2].tail->units);
	assert_false(exists("rings.1.3", &mode));
	assert_int_equal(
		region_attach(&paths, SHM_IN_MEM, "rings.1.2", REGION_RINGS, true, &r, why), 0);
	assert_int_equal(region_header_of(&r)->index, 1);
	assert_int_equal(region_header_of(&r)->geometry[2], 0);
	assert_int_equal(region_header_of(&r)->geometry[3], 2);
	const struct rings_dp_page *dp = (const void *)(r.base + RINGS_DP_PAGE);
	void *slot = ring_reserve(&w[1].miss[2], MSG_MISS, 9);
	assert_non_null(slot);
	ring_publish(&w[1].miss[2]);
	assert_int_equal(dp->miss_tail.units, 1);
	assert_true(w[0].gong[2] > 0 && w[0].gong[2] == w[1].gong[2]);
	// Workers use them when their tables say so.
	assert_int_equal(w[1].resolvers, 1);
	region_unmap(&r);
	// What is in the way of one is in the way of all of that resolver's.
	const char *path = text_from("%s/rings.1.3", paths.mem);
	assert_int_equal(mkdir(path, 0700), 0);
	assert_true(worker_rings_grow(&worker_rings, &paths, list, 4, why) < 0);
	assert_int_equal(worker_rings.resolvers, 3);
	assert_false(exists("rings.0.3", &mode)); // or the control plane would map and keep it
	assert_int_equal(rmdir(path), 0);
	assert_int_equal(worker_rings_grow(&worker_rings, &paths, list, 4, why), 0);
}

TEST(the_other_side_cannot_be_overwritten)
{
	// read(2) into a read-only page fails where a plain store would kill the test.
	int fd = open("/dev/zero", O_RDONLY | O_CLOEXEC);
	uint8_t *base = worker_rings.rings[0].region[0].base;
	uint8_t *answers = worker_rings.rings[0].answers[0].base;
	struct region half;
	for (unsigned i = 0; i < 2; i++) { // before there are any, and then
		assert_int_equal(read(fd, answers + ANSWERS_CP_PAGE, 8), -1);
		assert_int_equal(read(fd, answers + ANSWERS_RING, 8), -1);
		assert_int_equal(read(fd, answers + ANSWERS_SIZE - 8, 8), -1);
		if (i == 0)
			make_answers(&half, 0, 0xd0);
		worker_rings_link(&worker_rings, &paths);
	}
	region_unmap(&half);
	assert_int_equal(read(fd, base + RINGS_MISS_RING, 8), 8);
	close(fd);
}

TEST(a_smaller_life_leaves_no_rings_behind)
{
	mode_t mode;
	worker_rings_close(&worker_rings);
	assert_true(exists("rings.1", &mode));
	// as an earlier build named them
	assert_int_equal(close(creat(text_from("%s/lane.1", paths.mem), 0600)), 0);
	assert_int_equal(create(1), 0);
	assert_false(exists("lane.1", &mode));
	assert_true(exists("rings.0", &mode));
	assert_false(exists("rings.1", &mode));
}

static uint32_t ended(void)
{
	struct region r;
	assert_int_equal(
		region_attach(&paths, SHM_IN_MEM, "stats", REGION_STATS, false, &r, why), 0);
	const struct stats_region *s = region_data(&r);
	uint32_t end = s->ended;
	region_unmap(&r);
	return end;
}

// As the control plane reads it while nobody is there, and as the next life tells it.
TEST(an_end_is_told)
{
	assert_int_equal(ended(), STATS_UNTOLD);
	worker_rings_close(&worker_rings);
	assert_int_equal(ended(), STATS_STOPPED);
	assert_int_equal(create(1), 0);
	assert_int_equal(worker_rings_stats(&worker_rings)->former_end, STATS_STOPPED);
	rings_fail(&worker_rings);
	worker_rings_close(&worker_rings);
	assert_int_equal(ended(), STATS_FAILED);
	assert_int_equal(create(1), 0);
	assert_int_equal(worker_rings_stats(&worker_rings)->former_end, STATS_FAILED);
	region_unmap(&worker_rings.rings[0].region[0]);
	region_unmap(&worker_rings.stats); // as if it had been killed
	worker_rings = (struct worker_rings){0};
	assert_int_equal(create(1), 0);
	assert_int_equal(worker_rings_stats(&worker_rings)->former_end, STATS_FELL);
}

TEST_GROUP(setup, teardown)
