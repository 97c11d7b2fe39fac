// SPDX-License-Identifier: BSD-3-Clause

// How an idle worker waits: on descriptors, by time, and what it does with descriptors that lie.
// The queues are eventfds and pipes of the test, in a struct idle_sleep that is filled in by hand.

#include "dataplane/port/idle_sleep.h"
#include "tests/unit/unit.h"

#include <fcntl.h>
#include <sys/eventfd.h>
#include <weir/bell.h>
#include <weir/shm_msg.h>

enum { RING_UNITS = 64, NO_SUCH_PORT = 999 };

static struct stats_worker stats;
static struct rings_dp_page dp;
static struct rings_cp_page cp;
static alignas(RING_UNIT) uint8_t ring[RING_UNITS * RING_UNIT];
static _Atomic uint64_t epoch;
static struct worker w;
static struct ring_producer answers; // the control plane's end
static struct idle_sleep d;
static int port_fd;

static int setup(void **)
{
	log_init("test_idle_sleep", LOG_LEVEL_ERROR);
	memset(&stats, 0, sizeof(stats));
	memset(&dp, 0, sizeof(dp));
	memset(&cp, 0, sizeof(cp));
	atomic_store(&epoch, 1);
	int pair[BELL_ENDS];
	if (bell_open(pair))
		return -1;
	w = (struct worker){.stats = &stats,
		.rings = &dp,
		.bell = pair[BELL_HEARS],
		.bell_far = pair[BELL_RINGS],
		.resolvers = 1};
	w.epoch.seen = &dp.seen_epoch;
	ring_consumer_init(&w.answer[0], &cp.answer_tail, &dp.answer_head, ring, RING_UNITS);
	ring_producer_init(&answers, &cp.answer_tail, &dp.answer_head, ring, RING_UNITS);
	port_fd = eventfd(0, EFD_NONBLOCK);
	d = (struct idle_sleep){
		.fd = {{.fd = w.bell, .events = POLLIN}, {.fd = port_fd, .events = POLLIN}},
		.fd_count = 2,
		.ports_ring = true,
	};
	return port_fd > 0 ? 0 : -1;
}

static int teardown(void **)
{
	close(w.bell);
	close(w.bell_far);
	close(port_fd);
	return 0;
}

static uint64_t counted(enum counter c)
{
	return atomic_load(&stats.counter[c]);
}

// Idle turns until it has slept once more.
static void sleep_once(void)
{
	uint64_t before = counted(COUNTER_sleeps);
	while (counted(COUNTER_sleeps) == before)
		(void)idle_sleep_turn(&d, &w);
}

static void ring_fd(int fd)
{
	assert_int_equal(eventfd_write(fd, 1), 0);
}

TEST_WITH(pauses_before_it_sleeps, setup, teardown)
{
	for (unsigned i = 0; i < IDLE_SLEEP_SPINS_BELL; i++)
		assert_false(idle_sleep_turn(&d, &w));
	assert_int_equal(counted(COUNTER_sleeps), 0);
	assert_true(idle_sleep_turn(&d, &w));
	assert_int_equal(counted(COUNTER_sleeps), 1);
	assert_int_equal(counted(COUNTER_sleeps_timed), 1);
	assert_true(counted(COUNTER_sleep_us) >= IDLE_SLEEP_BELL_MS * 1000 - 1000);
	// Once idle it sleeps in every turn, and after frames it pauses first again.
	assert_true(idle_sleep_turn(&d, &w));
	idle_sleep_busy(&d);
	assert_false(idle_sleep_turn(&d, &w));
}

TEST_WITH(a_port_and_the_bell_wake_it, setup, teardown)
{
	ring_fd(port_fd);
	sleep_once();
	assert_int_equal(counted(COUNTER_sleeps_woken), 1);
	assert_true(d.port_woke);
	eventfd_t left;
	// A level-triggered queue is the driver's to read; the bell is ours.
	assert_int_equal(eventfd_read(port_fd, &left), 0);
	worker_wake(&w);
	worker_wake(&w);
	sleep_once();
	assert_int_equal(counted(COUNTER_sleeps_woken), 2);
	assert_false(d.port_woke);
	struct pollfd p = {.fd = w.bell, .events = POLLIN};
	assert_int_equal(poll(&p, 1, 0), 0);
}

// Or it would never sleep again.
TEST_WITH(a_bell_that_is_shut_down_is_left_alone, setup, teardown)
{
	assert_int_equal(shutdown(w.bell_far, SHUT_RDWR), 0);
	sleep_once();
	assert_int_equal(counted(COUNTER_sleeps_woken), 1);
	// Frames after a timed sleep are no sign of missing interrupts.
	for (unsigned i = 0; i < 2 * IDLE_SLEEP_MISSED; i++) {
		sleep_once();
		idle_sleep_busy(&d);
	}
	assert_true(d.ports_ring);
	assert_int_equal(counted(COUNTER_sleeps_woken), 1);
	assert_int_equal(counted(COUNTER_sleeps_timed), 2 * IDLE_SLEEP_MISSED);
}

// As the link does it when another control plane is there.
TEST_WITH(the_next_bell_is_heard, setup, teardown)
{
	int next[BELL_ENDS];
	assert_int_equal(bell_open(next), 0);
	assert_int_equal(shutdown(w.bell_far, SHUT_RDWR), 0);
	sleep_once();
	for (unsigned k = 0; k < BELL_ENDS; k++) {
		assert_true(dup3(next[k], k == BELL_HEARS ? w.bell : w.bell_far, O_CLOEXEC) >= 0);
		close(next[k]);
	}
	atomic_fetch_add(&w.bells_taken, 1);
	worker_wake(&w);
	sleep_once();
	assert_int_equal(counted(COUNTER_sleeps_woken), 2);
	uint64_t before = counted(COUNTER_sleep_us);
	sleep_once();
	assert_true(counted(COUNTER_sleep_us) - before >= IDLE_SLEEP_BELL_MS * 1000 - 1000);
}

// A port whose interrupts never arrive: its frames would wait for the backstop each time.
TEST_WITH(interrupts_that_never_arrive_are_not_trusted, setup, teardown)
{
	for (unsigned i = 0; i < IDLE_SLEEP_MISSED; i++) {
		assert_true(d.ports_ring);
		sleep_once(); // nobody writes to port_fd
		idle_sleep_busy(&d);
	}
	assert_false(d.ports_ring);
	assert_int_equal(counted(COUNTER_sleeps_timed), IDLE_SLEEP_MISSED);
	assert_int_equal(atomic_load(&w.on_timer), 0);
	uint64_t before = counted(COUNTER_sleep_us);
	sleep_once();
	assert_true(counted(COUNTER_sleep_us) - before < IDLE_SLEEP_BELL_MS * 1000 / 2);
	assert_int_equal(atomic_load(&w.on_timer), 1); // for weirctl ports
}

// Frames that come just as a sleep ends, and sleeps that nothing follows, are no reason.
TEST_WITH(interrupts_that_arrive_are_trusted, setup, teardown)
{
	eventfd_t left;
	for (unsigned i = 0; i < 2 * IDLE_SLEEP_MISSED; i++) {
		sleep_once();
		idle_sleep_busy(&d);
		ring_fd(port_fd);
		sleep_once();
		idle_sleep_busy(&d);
		assert_int_equal(eventfd_read(port_fd, &left), 0);
	}
	for (unsigned i = 0; i < 2 * IDLE_SLEEP_MISSED; i++) {
		sleep_once();
		(void)idle_sleep_turn(&d, &w);
	}
	idle_sleep_busy(&d);
	assert_true(d.ports_ring);
}

TEST_WITH(does_not_sleep_beside_an_answer, setup, teardown)
{
	w.epoch.epoch = &epoch;
	epoch_online(&w.epoch);
	void *room = ring_reserve(&answers, MSG_ANSWER, 8);
	assert_non_null(room);
	memset(room, 0, 8);
	ring_publish(&answers);
	assert_false(ring_wants_wake(&answers));
	d.idle_turns = IDLE_SLEEP_SPINS_BELL;
	for (unsigned i = 0; i < 10; i++)
		(void)idle_sleep_turn(&d, &w);
	assert_int_equal(counted(COUNTER_sleeps), 0);
	assert_false(ring_wants_wake(&answers));
	assert_int_equal(atomic_load(&dp.seen_epoch), 1);
}

TEST_WITH(is_online_and_awake_again_afterwards, setup, teardown)
{
	w.epoch.epoch = &epoch;
	epoch_online(&w.epoch);
	atomic_store(&epoch, 2);
	sleep_once();
	assert_int_equal(atomic_load(&dp.seen_epoch), 2);
	assert_false(ring_wants_wake(&answers));
}

TEST_WITH(time_alone_grows_to_its_most, setup, teardown)
{
	d.fd_count = 1;
	d.ports_ring = false;
	for (unsigned i = 0; i < IDLE_SLEEP_SPINS; i++)
		assert_false(idle_sleep_turn(&d, &w));
	sleep_once();
	uint64_t first_us = counted(COUNTER_sleep_us);
	assert_true(first_us >= IDLE_SLEEP_FIRST_US - 1);
	const unsigned steps = (IDLE_SLEEP_MOST_US - IDLE_SLEEP_FIRST_US) / IDLE_SLEEP_STEP_US + 1;
	for (unsigned i = 0; i < steps; i++)
		sleep_once();
	unsigned longest = d.idle_turns;
	uint64_t before_us = counted(COUNTER_sleep_us);
	sleep_once();
	assert_true(counted(COUNTER_sleep_us) - before_us >= IDLE_SLEEP_MOST_US - 1);
	assert_int_equal(d.idle_turns, longest);
	// It begins small again after frames.
	idle_sleep_busy(&d);
	assert_int_equal(d.idle_turns, 0);
}

TEST_WITH(a_queue_that_cries_wolf_is_left_to_time, setup, teardown)
{
	ring_fd(port_fd); // and nobody ever reads it
	for (unsigned i = 0; i < IDLE_SLEEP_FRUITLESS; i++)
		sleep_once();
	assert_int_equal(counted(COUNTER_sleeps_woken), IDLE_SLEEP_FRUITLESS);
	for (unsigned i = 0; i < 4; i++)
		sleep_once();
	assert_int_equal(counted(COUNTER_sleeps_woken), IDLE_SLEEP_FRUITLESS);
	assert_int_equal(counted(COUNTER_sleeps_timed), 4);
	// A frame after all: the descriptor is trusted again.
	idle_sleep_busy(&d);
	sleep_once();
	assert_int_equal(counted(COUNTER_sleeps_woken), IDLE_SLEEP_FRUITLESS + 1);
}

TEST_WITH(a_queue_that_is_gone_is_left_to_time, setup, teardown)
{
	int ends[2];
	assert_int_equal(pipe(ends), 0);
	close(ends[1]);
	d.fd[1].fd = ends[0];
	sleep_once();
	assert_int_equal(d.fd[1].fd, -1);
	assert_false(d.ports_ring);
	idle_sleep_busy(&d);
	sleep_once();
	assert_int_equal(counted(COUNTER_sleeps_timed), 1);
	close(ends[0]);
}

// An armed queue's interrupt may have been before: one turn looks between arming and sleeping.
TEST_WITH(an_armed_queue_is_looked_at_before_the_sleep, setup, teardown)
{
	d.queue[1] = (struct idle_sleep_queue){.port_id = NO_SUCH_PORT, .arm = true};
	d.idle_turns = IDLE_SLEEP_SPINS_BELL;
	assert_false(idle_sleep_turn(&d, &w));
	assert_true(d.armed);
	assert_int_equal(counted(COUNTER_sleeps), 0);
	ring_fd(port_fd);
	assert_true(idle_sleep_turn(&d, &w));
	assert_int_equal(counted(COUNTER_sleeps_woken), 1);
	eventfd_t left; // its eventfd was read
	assert_int_equal(eventfd_read(port_fd, &left), -1);
	// No frame came of it: the interrupt is spent, so it is armed and polled once more.
	assert_false(d.armed);
	assert_false(idle_sleep_turn(&d, &w));
	assert_true(d.armed);
	assert_int_equal(counted(COUNTER_sleeps), 1);
	idle_sleep_busy(&d);
	assert_false(d.armed);
}

TEST(only_some_ports_are_asked)
{
	assert_true(idle_sleep_asks_port("net_tap", "net_tap0"));
	assert_true(idle_sleep_asks_port("net_ixgbe", "0000:03:00.0"));
	assert_false(idle_sleep_asks_port("net_memif", "net_memif0"));
	assert_false(idle_sleep_asks_port("net_af_xdp", "net_af_xdp0"));
	assert_false(idle_sleep_asks_port("net_ring", "net_ring0"));
}

TEST(waits_in_the_cpu_only_where_every_queue_is_watched)
{
	assert_int_equal(idle_monitor_way_of(false, false, 1, 1), IDLE_MONITOR_PAUSE);
	assert_int_equal(idle_monitor_way_of(true, false, 1, 1), IDLE_MONITOR_ONE_LINE);
	assert_int_equal(idle_monitor_way_of(true, false, 2, 2), IDLE_MONITOR_PAUSE);
	assert_int_equal(idle_monitor_way_of(true, true, 2, 2), IDLE_MONITOR_ALL_LINES);
	assert_int_equal(idle_monitor_way_of(true, true, 1, 2), IDLE_MONITOR_PAUSE);
	assert_int_equal(idle_monitor_way_of(true, true, 0, 0), IDLE_MONITOR_PAUSE);
}
