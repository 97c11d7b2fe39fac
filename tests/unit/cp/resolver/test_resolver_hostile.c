// SPDX-License-Identifier: BSD-3-Clause

// A data plane gone wild beside a serving resolver: random bits flip in all that it may write (its
// page of each region of rings, the miss rings, the marks) while the resolver's own thread reads
// it. Nothing crashes (run under sanitizers too), each wrong word is counted, and once the words
// are right again every question gets its answer. `WEIR_FLIPS`: how many.

#include "resolver_rig.h"

#include <weir/gong.h>

enum {
	FLIPS = 20000,
	FLIPS_A_ROUND = 16,
	NAMES = 64,
	RIGHT_EACH = 32,             // rounds, then the words are put right
	TURN_US = 150,               // for the resolver, between the rounds
	RING_BYTES = 64 * RING_UNIT, // of a miss ring, behind the producer: where flips matter
};

static uint64_t flips_wanted = FLIPS;
static uint64_t seed = 7;
static struct region marks[2];

static uint32_t next(uint32_t below)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (uint32_t)(seed >> 32) % below;
}

// As the data plane makes them; the resolver's timer finds them.
static void marks_create(void)
{
	struct publish_status now;
	char name[SHM_NAME_MAX], why[SHM_WHY_MAX] = "";
	publish_status(rig.publisher, &now);
	struct region l0;
	bool fresh;
	publisher_l0(rig.publisher, &l0, &fresh);
	uint64_t units = region_header_of(&l0)->geometry[0];
	for (unsigned i = 0; i < dp.workers; i++) {
		shm_name_marks(name, i, now.l0_generation);
		const struct region_spec spec = {.name = name,
			.kind = REGION_MARKS,
			.generation = now.l0_generation,
			.incarnation = dp.incarnation,
			.index = i,
			.data_size = units,
			.geometry = {units}};
		if (region_create(&rig.paths, &spec, &marks[i], why) < 0)
			fail_msg("%s", why);
		region_publish(&marks[i]);
	}
}

static void flip_at(uint8_t *at)
{
	uint8_t bit = (uint8_t)(1 << next(8));
	__atomic_fetch_xor(at, bit, __ATOMIC_RELAXED);
}

static void flip(void)
{
	unsigned rings = next(dp.workers), what = next(128);
	uint8_t *base = dp.rings[rings].base, *ring = base + RINGS_MISS_RING;
	uint64_t size = dp.misses[rings].units * RING_UNIT;
	if (what == 0) {
		flip_at(base + RINGS_DP_PAGE + next(sizeof(struct rings_dp_page)));
	} else if (what < 16) {
		uint8_t *mark = region_data(&marks[rings]);
		flip_at(mark + next((uint32_t)region_data_size(&marks[rings])));
	} else if (what < 32) {
		flip_at(ring + next((uint32_t)size));
	} else {
		uint64_t end = dp.misses[rings].next * RING_UNIT;
		flip_at(ring + ((end - next(RING_BYTES)) & (size - 1)));
	}
}

// Answers may be anywhere while our own index lies: read, not believed.
static unsigned drain(void)
{
	static uint8_t buf[FAKE_ANSWER_MAX];
	unsigned count = 0;
	uint16_t type;
	for (unsigned i = 0; i < dp.workers; i++) {
		for (unsigned k = 0;
			k < 256 && ring_read(&dp.answers[i], buf, sizeof(buf), &type) != 0; k++)
			count++;
		ring_release(&dp.answers[i]);
	}
	return count;
}

// Our words as a sound data plane would have them; what is on the way is lost.
static void put_right(void)
{
	for (unsigned i = 0; i < dp.workers; i++) {
		struct rings_dp_page *page = dp.dp[i];
		atomic_store(&page->seen_epoch, EPOCH_OFFLINE);
		atomic_store(&page->miss_tail.units, dp.misses[i].published);
		uint64_t end = atomic_load(&dp.answers[i].tail->units);
		atomic_store(&page->answer_head.units, end);
		dp.answers[i].next = dp.answers[i].tail_seen = end;
	}
}

static void ask_some(char name[NAMES][24], uint64_t round)
{
	for (unsigned i = 0; i < 3; i++) {
		const struct fake_miss m = {.name = name[next(NAMES)],
			.type = next(16) ? 1 : 28,
			.id = (uint16_t)round,
			.rings = next(dp.workers),
			.refresh = next(8) == 0,
			.has_opt = next(2)};
		(void)fake_dataplane_ask(&dp, &m);
		flip();
	}
	// Not by `sleeping`, which a flip may have hidden: the gong always.
	gong_strike(dp.gong);
}

// Everything is right again: each name is answered on the ring of its question.
static void expect_service(char name[NAMES][24])
{
	put_right();
	WAIT_FOR(drain() == 0);
	for (unsigned tries = 0; tries < 3; tries++) { // the ring's two ends find each other
		ask("again.example", 1);
		(void)fake_dataplane_answer(&dp, &got, 200); // none may come
	}
	unsigned idle = 0;
	WAIT_FOR(idle == 3,
		idle = status().inflight ? 0 : idle + 1); // all in flight have arrived
	while (fake_dataplane_answer(&dp, &got, 100))
		;
	for (uint16_t i = 0; i < 2 * NAMES; i++) {
		rig_ask((struct fake_miss){
			.name = name[i / 2], .type = 1, .id = i, .rings = i & 1, .has_opt = true});
		assert_true(fake_dataplane_answer(&dp, &got, 20000));
		assert_int_equal(get_u16(got.dns), i);
		assert_int_equal(get_u16(got.dns + 2) & DNS_FLAG_RCODE, 0);
	}
}

TEST_WITH(test_wild_data_plane, rig_setup, rig_teardown)
{
	char name[NAMES][24];
	uint64_t answers = 0;
	marks_create();
	for (unsigned i = 0; i < NAMES; i++)
		snprintf(name[i], sizeof(name[i]), "n%u.example", i);
	for (uint64_t done = 0, round = 0; done < flips_wanted; round++) {
		ask_some(name, round);
		for (unsigned i = 3; i < FLIPS_A_ROUND; i++)
			flip();
		done += FLIPS_A_ROUND;
		usleep(TURN_US);
		answers += drain();
		if (round % RIGHT_EACH == RIGHT_EACH - 1)
			put_right();
	}
	struct resolver_status s = status();
	print_message("%llu flips: %llu answers, %llu ring anomalies, %llu foreign messages, "
		      "%llu bad misses\n",
		(unsigned long long)flips_wanted, (unsigned long long)answers,
		(unsigned long long)s.ring_anomalies, (unsigned long long)s.foreign_messages,
		(unsigned long long)s.bad_misses);
	assert_true(s.ring_anomalies > 0);
	assert_true(s.foreign_messages > 0);
	assert_true(s.bad_misses > 0);
	assert_true(answers > 0);
	expect_service(name);
	for (unsigned i = 0; i < dp.workers; i++)
		region_unmap(&marks[i]);
}

static int flips_read(void **)
{
	const char *wanted = getenv("WEIR_FLIPS");
	if (wanted)
		flips_wanted = strtoull(wanted, NULL, 10);
	return 0;
}

TEST_GROUP(flips_read, NULL)
