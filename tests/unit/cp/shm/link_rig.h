// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Two resolvers on their own loops behind one link, and a data plane that this test is.

#include "controlplane/shm/link.h"
#include "fake_dataplane.h"
#include "tests/unit/unit.h"

#include <weir/gong.h>

enum { RESOLVERS = 2, WORKERS = 2, TYPE_OF = 100 };

struct side { // a resolver: answers each question with its own number as the count of answers
	unsigned number;
	struct loop *loop;
	struct worker_rings *rings;
	pthread_t thread;
	_Atomic unsigned misses, unsent; // questions; answers for a worker that gets none
	_Atomic unsigned miss_us;        // time that a question takes
	_Atomic bool apart; // its workers read in a former half of their rings, and get none
	_Atomic int holds;  // worker rings, or 1 for a book that is not empty; -1: not looked yet
};

static char dir[FOLDER_MAX];
static struct shm_paths paths;
static struct publisher *publisher;
static struct link_server *server;
static struct side side[RESOLVERS];
static struct fake_dataplane dp;
static bool dp_open;
static unsigned resolvers; // that run

static inline void on_miss(void *arg, const struct msg_miss *m, const uint8_t *question)
{
	struct side *s = arg;
	struct msg_answer head = {.dp_incarnation = m->dp_incarnation,
		.path = m->path,
		.dns_len = m->question_len,
		.trace = (uint16_t)(TYPE_OF + s->number)};
	assert_true(pthread_equal(pthread_self(), s->thread));
	atomic_fetch_add(&s->misses, 1);
	for (uint64_t end_us = clock_mono_us() + s->miss_us; clock_mono_us() < end_us;)
		;
	if (!worker_rings_answer(s->rings, &head, question)) {
		assert_true(s->apart || publisher_is_out(publisher, m->path.worker));
		atomic_fetch_add(&s->unsent, 1);
	}
	worker_rings_publish(s->rings);
}

static inline void *side_main(void *arg)
{
	struct side *s = arg;
	s->thread = pthread_self();
	assert_int_equal(loop_run(s->loop), 0);
	return NULL;
}

static inline int setup_with(unsigned count)
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
	dp_open = true;
	return 0;
}

static inline int setup(void **)
{
	return setup_with(RESOLVERS);
}

static inline int setup_alone(void **)
{
	return setup_with(1);
}

static inline void loops_end(void)
{
	for (unsigned i = 0; i < resolvers; i++) {
		loop_stop(side[i].loop);
		pthread_join(side[i].thread, NULL);
	}
}

static inline int teardown(void **)
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

static inline void ask(struct ring_producer *misses, unsigned worker, int gong)
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
	if (gong >= 0 && ring_wants_wake(misses))
		gong_strike(gong);
}

// Who has answered.
static inline unsigned answered(struct ring_consumer *answers)
{
	struct msg_answer head;
	uint8_t buf[sizeof(head) + 5];
	uint16_t type;
	int len;
	WAIT_FOR(
		(len = ring_read(answers, buf, sizeof(buf), &type)) != 0, fake_dataplane_look(&dp));
	ring_release(answers);
	assert_int_equal(len, sizeof(buf));
	memcpy(&head, buf, sizeof(head));
	return head.trace - TYPE_OF;
}

static inline void link_now(void)
{
	struct link_welcome w;
	// The last link may still be there, or be on its way out.
	WAIT_FOR(fake_dataplane_link(&dp, &w) != -EBUSY, close(dp.link_fd));
	assert_int_equal(w.error, 0);
}

static inline void ask_both(void)
{
	for (unsigned i = 0; i < WORKERS; i++) {
		ask(&dp.misses[i], i, dp.gong);
		ask(&dp.second.misses[i], i, dp.second.gong);
		assert_int_equal(answered(&dp.second.answers[i]), 1);
		assert_int_equal(answered(&dp.answers[i]), 0);
	}
}

static inline void look(void *arg)
{
	struct side *s = arg;
	unsigned holds = worker_rings_count(s->rings);
	if (publisher_epoch(publisher, s->number)->attached)
		holds++;
	atomic_store(&s->holds, (int)holds);
}

// What a resolver holds of a data plane, by its own thread.
static inline int holds(struct side *s)
{
	atomic_store(&s->holds, -1);
	assert_int_equal(loop_call(s->loop, look, s), 0);
	WAIT_FOR(atomic_load(&s->holds) >= 0);
	return atomic_load(&s->holds);
}

static inline void wait_until_let_go(struct side *s)
{
	WAIT_FOR(holds(s) == 0);
}
