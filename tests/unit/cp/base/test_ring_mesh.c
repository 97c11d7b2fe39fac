// SPDX-License-Identifier: BSD-3-Clause

// Rings between threads: messages of two queriers to two answerers and back, full rings, and one
// that nobody reads.
#include "controlplane/base/ring_mesh.h"
#include "tests/unit/unit.h"

#include <event2/event.h>

enum { QUERIERS = 2, ANSWERERS = 2, UNITS = 64, MESSAGE = 500, ROUNDS = 20000, WINDOW = 8 };

struct thread {
	struct loop *loop;
	struct ring_mesh_end *end;
	pthread_t id;
	unsigned number;
	// The loop's.
	uint32_t sent[ANSWERERS], back[ANSWERERS];
	_Atomic bool done;
};
static struct thread querier[QUERIERS], answerer[ANSWERERS];
static struct ring_mesh *mesh;

struct word {
	uint32_t from, number;
	uint8_t filler[MESSAGE - 8];
};

static uint32_t len_of(uint32_t number)
{
	return 8 + number % (MESSAGE - 8);
}

static void ask_more(struct thread *t)
{
	for (unsigned to = 0; to < ANSWERERS; to++) {
		while (t->sent[to] < ROUNDS && t->sent[to] - t->back[to] < WINDOW) {
			struct word *w = ring_mesh_reserve(t->end, to, 1, len_of(t->sent[to]));
			if (!w)
				break; // goes on with the next answer
			w->from = t->number;
			w->number = t->sent[to]++;
		}
	}
}

static void on_answer(void *arg, unsigned peer, uint16_t type, uint8_t *msg, uint32_t len)
{
	struct thread *t = arg;
	const struct word *w = (const struct word *)(const void *)msg;
	assert_int_equal(type, 2);
	assert_int_equal(w->from, t->number);
	assert_int_equal(w->number, t->back[peer]); // in order, none twice, none left out
	assert_int_equal(len, len_of(w->number));
	t->back[peer]++;
	ask_more(t);
	t->done = t->back[0] == ROUNDS && t->back[1] == ROUNDS;
}

static void on_question(void *arg, unsigned peer, uint16_t type, uint8_t *msg, uint32_t len)
{
	struct thread *t = arg;
	assert_int_equal(type, 1);
	uint8_t *room = ring_mesh_reserve(t->end, peer, 2, len);
	assert_non_null(room); // WINDOW messages always fit
	memcpy(room, msg, len);
}

static void mesh_new(uint32_t units)
{
	const struct ring_mesh_side side[2] = {{QUERIERS, units}, {ANSWERERS, units}};
	assert_int_equal(ring_mesh_new(&mesh, side, MESSAGE), 0);
}

static void thread_open(struct thread *t, unsigned side, unsigned number, ring_mesh_take_fn take)
{
	*t = (struct thread){.number = number};
	assert_int_equal(loop_new("mesh", &t->loop), 0);
	assert_int_equal(ring_mesh_open(&t->end, mesh, side, number, t->loop, take, t), 0);
}

static void thread_close(struct thread *t)
{
	ring_mesh_close(t->end);
	loop_free(t->loop);
}

static void *run(void *arg)
{
	return (void *)(intptr_t)loop_run(((struct thread *)arg)->loop);
}

static void begin(void *arg)
{
	ask_more(arg);
}

TEST(test_everything_arrives_in_order)
{
	mesh_new(512);
	for (unsigned i = 0; i < 2; i++) {
		thread_open(&querier[i], 0, i, on_answer);
		thread_open(&answerer[i], 1, i, on_question);
	}
	for (unsigned i = 0; i < 2; i++) {
		assert_int_equal(loop_call(querier[i].loop, begin, &querier[i]), 0);
		assert_int_equal(pthread_create(&querier[i].id, NULL, run, &querier[i]), 0);
		assert_int_equal(pthread_create(&answerer[i].id, NULL, run, &answerer[i]), 0);
	}
	WAIT_FOR(querier[0].done && querier[1].done);
	for (unsigned i = 0; i < 2; i++) {
		loop_stop(querier[i].loop);
		loop_stop(answerer[i].loop);
		pthread_join(querier[i].id, NULL);
		pthread_join(answerer[i].id, NULL);
		assert_true(querier[i].done);
		thread_close(&querier[i]);
		thread_close(&answerer[i]);
	}
	ring_mesh_free(mesh);
}

static void turn(struct thread *t)
{
	assert_true(event_base_loop(loop_base(t->loop), EVLOOP_NONBLOCK | EVLOOP_ONCE) >= 0);
}

static unsigned taken;

static void on_counted(void *, unsigned, uint16_t, uint8_t *, uint32_t)
{
	taken++;
}

// A ring that nobody reads refuses when it is full, and says how often; read, it takes more.
TEST(test_full_is_refused_and_counted)
{
	struct ring_mesh_status s;
	unsigned fit = 0;
	taken = 0;
	mesh_new(UNITS);
	thread_open(&querier[0], 0, 0, on_answer);
	assert_false(ring_mesh_is_half_full(querier[0].end, 1));
	while (ring_mesh_reserve(querier[0].end, 1, 1, 100))
		fit++;
	assert_true(ring_mesh_is_half_full(querier[0].end, 1));
	assert_false(ring_mesh_is_half_full(querier[0].end, 0));
	assert_int_equal(fit, UNITS / 2);                              // two units each
	assert_non_null(ring_mesh_reserve(querier[0].end, 0, 1, 100)); // another ring
	ring_mesh_status(querier[0].end, &s);
	assert_int_equal(s.full, 1);
	turn(&querier[0]);
	// A reader that comes later finds what is there, though no bell rang for it.
	thread_open(&answerer[1], 1, 1, on_counted);
	ring_mesh_status(answerer[1].end, &s);
	assert_int_equal(s.used, UNITS);
	assert_int_equal(s.full, 1); // known to both ends
	turn(&answerer[1]);
	assert_int_equal(taken, fit);
	assert_non_null(ring_mesh_reserve(querier[0].end, 1, 1, 100));
	turn(&querier[0]);
	turn(&answerer[1]);
	assert_int_equal(taken, fit + 1);
	thread_close(&querier[0]);
	thread_close(&answerer[1]);
	ring_mesh_free(mesh);
}

// More than a burst: the rest comes in the next turns, without a bell.
TEST(test_burst_is_bounded)
{
	enum { MANY = 3 * RING_MESH_BURST };
	taken = 0;
	mesh_new(1024);
	thread_open(&querier[0], 0, 0, on_answer);
	thread_open(&answerer[0], 1, 0, on_counted);
	turn(&answerer[0]);
	for (unsigned i = 0; i < MANY; i++)
		assert_non_null(ring_mesh_reserve(querier[0].end, 0, 1, 40));
	turn(&querier[0]);
	turn(&answerer[0]);
	assert_in_range(taken, RING_MESH_BURST, 2 * RING_MESH_BURST); // of a bell, and of a turn
	for (unsigned i = 0; i < 2; i++)
		turn(&answerer[0]);
	assert_int_equal(taken, MANY);
	thread_close(&querier[0]);
	thread_close(&answerer[0]);
	ring_mesh_free(mesh);
}
