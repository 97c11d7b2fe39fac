// SPDX-License-Identifier: BSD-3-Clause

// Two resolvers on their own loops behind one link: each gets the misses of its rings and answers
// on them, and both let a data plane go before the next one is welcome.

#include "controlplane/shm/link.h"
#include "fake_dataplane.h"
#include "tests/unit/folder.h"
#include "tests/unit/unit.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <unistd.h>
#include <weir/bell.h>
#include <weir/clock.h>
#include <weir/log.h>

enum { RESOLVERS = 2, WORKERS = 2, WAIT_MS = 20000, TYPE_OF = 100 };

struct side { // a resolver: answers each question with its own number as the count of answers
	unsigned number;
	struct loop *loop;
	struct worker_rings *rings;
	pthread_t thread;
	_Atomic unsigned misses, unsent; // questions; answers for a worker that is evicted
	_Atomic int holds; // worker rings, or 1 for a book that is not empty; -1: not looked yet
};

static char dir[FOLDER_MAX];
static struct shm_paths paths;
static struct publisher *publisher;
static struct link_server *server;
static struct side side[RESOLVERS];
static struct fake_dataplane dp;
static bool dp_open;
static unsigned resolvers; // that run

static void on_miss(void *arg, const struct msg_miss *m, const uint8_t *question)
{
	struct side *s = arg;
	struct msg_answer head = {.dp_incarnation = m->dp_incarnation,
		.path = m->path,
		.dns_len = m->question_len,
		.trace = (uint16_t)(TYPE_OF + s->number)};
	assert_true(pthread_equal(pthread_self(), s->thread));
	atomic_fetch_add(&s->misses, 1);
	if (!worker_rings_answer(s->rings, &head, question)) {
		assert_true(publisher_is_out(publisher, m->path.worker));
		atomic_fetch_add(&s->unsent, 1);
	}
	worker_rings_publish(s->rings);
}

static void *side_main(void *arg)
{
	struct side *s = arg;
	s->thread = pthread_self();
	assert_int_equal(loop_run(s->loop), 0);
	return NULL;
}

static int setup_with(unsigned count)
{
	char why[SHM_WHY_MAX];
	struct config config = {.cache.l0_mb = 1, .controlplane.resolvers = count};
	struct loop *loops[RESOLVERS];
	log_init("test_link_resolvers", LOG_LEVEL_ERROR);
	resolvers = count;
	if (folder_make(dir, "link_resolvers") || shm_paths_init(&paths, dir, "off", why)
		|| publisher_open(&publisher, &paths, &config, why))
		return -1;
	for (unsigned i = 0; i < resolvers; i++) {
		side[i] = (struct side){.number = i};
		if (loop_new("side", &side[i].loop))
			return -1;
		loops[i] = side[i].loop;
	}
	if (link_open(&server, loops, publisher, why))
		return -1;
	for (unsigned i = 0; i < resolvers; i++) {
		side[i].rings = link_worker_rings(server, i);
		worker_rings_serve(side[i].rings, on_miss, &side[i]);
	}
	for (unsigned i = 0; i < resolvers; i++)
		if (pthread_create(&side[i].thread, NULL, side_main, &side[i]))
			return -1;
	fake_dataplane_open(&dp, &paths, WORKERS);
	dp.resolver_bells = RESOLVERS;
	dp_open = true;
	return 0;
}

static int setup(void **)
{
	return setup_with(RESOLVERS);
}

static int setup_alone(void **)
{
	return setup_with(1);
}

static void loops_end(void)
{
	for (unsigned i = 0; i < resolvers; i++) {
		loop_stop(side[i].loop);
		pthread_join(side[i].thread, NULL);
	}
}

static int teardown(void **)
{
	if (dp_open)
		fake_dataplane_close(&dp);
	dp_open = false;
	loops_end();
	link_close(server);
	for (unsigned i = 0; i < resolvers; i++)
		loop_free(side[i].loop);
	publisher_close(publisher);
	shm_paths_close(&paths);
	return folder_remove(paths.mem, dir);
}

static void ask(struct ring_producer *misses, unsigned worker, int bell)
{
	struct msg_miss m = {.dp_incarnation = dp.incarnation,
		.path = {.worker = (uint16_t)worker},
		.kind = MISS_WAITER,
		.question_len = 5};
	uint8_t *p = ring_reserve(misses, MSG_MISS, sizeof(m) + 5);
	assert_non_null(p);
	memcpy(p, &m, sizeof(m));
	memset(p + sizeof(m), 0, 5);
	ring_publish(misses);
	if (bell >= 0 && ring_wants_wake(misses))
		bell_ring(bell);
}

// Who has answered.
static unsigned answered(struct ring_consumer *answers)
{
	struct msg_answer head;
	uint8_t buf[sizeof(head) + 5];
	uint16_t type;
	uint64_t end = clock_mono_ms() + WAIT_MS;
	int len;
	while ((len = ring_read(answers, buf, sizeof(buf), &type)) == 0) {
		assert_true(clock_mono_ms() < end);
		usleep(200);
	}
	ring_release(answers);
	assert_int_equal(len, sizeof(buf));
	memcpy(&head, buf, sizeof(head));
	return head.trace - TYPE_OF;
}

static void link_now(void)
{
	struct link_welcome w;
	uint64_t end = clock_mono_ms() + WAIT_MS;
	// The last link may still be there, or be on its way out.
	while (fake_dataplane_link(&dp, &w) == -EBUSY) {
		close(dp.link_fd);
		assert_true(clock_mono_ms() < end);
		usleep(2000);
	}
	assert_int_equal(w.error, 0);
}

static void ask_both(void)
{
	for (unsigned i = 0; i < WORKERS; i++) {
		ask(&dp.misses[i], i, dp.resolver_bell);
		ask(&dp.second.misses[i], i, dp.second.bell);
		assert_int_equal(answered(&dp.second.answers[i]), 1);
		assert_int_equal(answered(&dp.answers[i]), 0);
	}
}

static void look(void *arg)
{
	struct side *s = arg;
	unsigned holds = worker_rings_count(s->rings);
	if (publisher_epoch(publisher, s->number)->attached)
		holds++;
	atomic_store(&s->holds, (int)holds);
}

// What a resolver holds of a data plane, by its own thread.
static int holds(struct side *s)
{
	uint64_t end = clock_mono_ms() + WAIT_MS;
	atomic_store(&s->holds, -1);
	assert_int_equal(loop_call(s->loop, look, s), 0);
	while (atomic_load(&s->holds) < 0) {
		assert_true(clock_mono_ms() < end);
		usleep(200);
	}
	return atomic_load(&s->holds);
}

static void wait_until_let_go(struct side *s)
{
	uint64_t end = clock_mono_ms() + WAIT_MS;
	while (holds(s) > 0) {
		assert_true(clock_mono_ms() < end);
		usleep(2000);
	}
}

static void test_each_answers_on_its_own_rings(void **)
{
	fake_dataplane_grow(&dp);
	link_now();
	for (unsigned i = 0; i < 50; i++)
		ask_both();
	for (unsigned i = 0; i < RESOLVERS; i++)
		assert_int_equal(holds(&side[i]), WORKERS + 1);
	assert_int_equal(side[0].misses, 50 * WORKERS);
	assert_int_equal(side[1].misses, 50 * WORKERS);
}

// The data plane makes them when it has activated the cache, which may be after its hello. Then no
// bell has been heard for what lies there already.
static void test_later_rings_are_found(void **)
{
	link_now();
	ask(&dp.misses[0], 0, dp.resolver_bell);
	assert_int_equal(answered(&dp.answers[0]), 0);
	fake_dataplane_grow(&dp);
	ask(&dp.second.misses[1], 1, -1);
	assert_int_equal(answered(&dp.second.answers[1]), 1);
	ask_both();
}

// One that has too few bells is refused by the second resolver, and the first lets it go; one that
// comes after it is welcome.
static void test_a_refusal_of_one_is_a_refusal_of_all(void **)
{
	struct link_welcome w = {0};
	fake_dataplane_grow(&dp);
	dp.resolver_bells = 1;
	assert_int_equal(fake_dataplane_link(&dp, &w), -EPROTO);
	close(dp.link_fd);
	ask(&dp.misses[0], 0, dp.resolver_bell);
	dp.resolver_bells = RESOLVERS;
	link_now();
	assert_int_equal(answered(&dp.answers[0]), 0); // of the second hello
	ask_both();
}

// Each keeps its book of the workers, and empties it when the process is dead.
static void test_both_let_a_dead_one_go(void **)
{
	fake_dataplane_grow(&dp);
	link_now();
	ask_both();
	fake_dataplane_close(&dp); // killed
	fake_dataplane_open(&dp, &paths, WORKERS);
	dp.resolver_bells = RESOLVERS;
	fake_dataplane_grow(&dp);
	link_now();
	ask_both();
	fake_dataplane_close(&dp);
	dp_open = false;
	for (unsigned i = 0; i < RESOLVERS; i++)
		wait_until_let_go(&side[i]);
}

// As after a restart with fewer of them: the workers go on with the rings of the second one until
// they have activated the cache. The first one answers these misses, on its own rings.
static void test_misses_for_one_that_is_gone_are_answered(void **)
{
	fake_dataplane_grow(&dp);
	for (unsigned i = 0; i < WORKERS; i++)
		ask(&dp.second.misses[i], i, -1);
	link_now();
	for (unsigned i = 0; i < WORKERS; i++)
		assert_int_equal(answered(&dp.answers[i]), 0);
	ask(&dp.second.misses[1], 1, dp.second.bell);
	assert_int_equal(answered(&dp.answers[1]), 0);
	assert_int_equal(side[0].misses, WORKERS + 1);
}

// The second worker's heart stops, so its questions are taken as ever, and answered no more: by
// neither resolver. The first worker's go on. When it is back, so do its own.
static void test_an_evicted_worker_is_not_answered(void **)
{
	const uint64_t end = clock_mono_ms() + WAIT_MS;
	fake_dataplane_grow(&dp);
	link_now();
	ask_both();
	atomic_store(&dp.dp[1]->heartbeat_ms, clock_mono_ms());
	while (!publisher_is_out(publisher, 1)) {
		assert_true(clock_mono_ms() < end);
		atomic_store(&dp.dp[0]->heartbeat_ms, clock_mono_ms());
		usleep(20000);
	}
	ask(&dp.misses[1], 1, dp.resolver_bell);
	ask(&dp.second.misses[1], 1, dp.second.bell);
	while (side[0].unsent + side[1].unsent < 2) {
		assert_true(clock_mono_ms() < end);
		usleep(200);
	}
	assert_int_equal(ring_consumer_used(&dp.answers[1]), 0);
	ask(&dp.misses[0], 0, dp.resolver_bell);
	assert_int_equal(answered(&dp.answers[0]), 0);
	atomic_store(&dp.dp[1]->returned, 1); // epoch_return
	while (publisher_is_out(publisher, 1)) {
		assert_true(clock_mono_ms() < end);
		atomic_store(&dp.dp[1]->heartbeat_ms, clock_mono_ms());
		usleep(20000);
	}
	ask_both();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			test_each_answers_on_its_own_rings, setup, teardown),
		cmocka_unit_test_setup_teardown(test_later_rings_are_found, setup, teardown),
		cmocka_unit_test_setup_teardown(
			test_a_refusal_of_one_is_a_refusal_of_all, setup, teardown),
		cmocka_unit_test_setup_teardown(
			test_an_evicted_worker_is_not_answered, setup, teardown),
		cmocka_unit_test_setup_teardown(test_both_let_a_dead_one_go, setup, teardown),
		cmocka_unit_test_setup_teardown(
			test_misses_for_one_that_is_gone_are_answered, setup_alone, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
