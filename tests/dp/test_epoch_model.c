// SPDX-License-Identifier: BSD-3-Clause

// Our epoch against rte_rcu_qsbr as a model: random sequences of what readers and the writer do,
// given to both, and after each step both must say the same about every token still of interest.

#include "tests/unit/unit.h"

#include <rte_rcu_qsbr.h>

#include <weir/shm_epoch.h>

enum { READERS = 5, STEPS = 4000, SEQUENCES = 50, TOKENS = 8 };

struct twins {
	_Atomic uint64_t epoch;
	_Atomic uint64_t seen[READERS];
	struct epoch_reader reader[READERS];
	struct epoch_writer writer;
	struct rte_rcu_qsbr *model;
	bool online[READERS];
	uint64_t token[TOKENS][2]; // ours, the model's
	unsigned count;
};

static void twins_init(struct twins *t)
{
	*t = (struct twins){.epoch = 1};
	t->writer.epoch = &t->epoch;
	size_t size = rte_rcu_qsbr_get_memsize(READERS);
	t->model = aligned_alloc(RTE_CACHE_LINE_SIZE, size);
	assert_non_null(t->model);
	assert_int_equal(rte_rcu_qsbr_init(t->model, READERS), 0);
	for (unsigned i = 0; i < READERS; i++) {
		t->seen[i] = EPOCH_OFFLINE;
		t->reader[i] = (struct epoch_reader){.epoch = &t->epoch, .seen = &t->seen[i]};
		t->writer.seen[i] = &t->seen[i];
		assert_int_equal(rte_rcu_qsbr_thread_register(t->model, i), 0);
	}
}

static void step_reader(struct twins *t, unsigned i, unsigned what)
{
	if (!t->online[i]) {
		epoch_online(&t->reader[i]);
		rte_rcu_qsbr_thread_online(t->model, i);
		t->online[i] = true;
	} else if (what % 4 == 0) {
		epoch_offline(&t->reader[i]);
		rte_rcu_qsbr_thread_offline(t->model, i);
		t->online[i] = false;
	} else {
		epoch_quiescent(&t->reader[i]);
		rte_rcu_qsbr_quiescent(t->model, i);
	}
}

// A reader whose process died: it is no longer asked, then a new life comes back online.
static void step_death(struct twins *t, unsigned i)
{
	if (t->writer.seen[i]) {
		t->writer.seen[i] = NULL;
		assert_int_equal(rte_rcu_qsbr_thread_unregister(t->model, i), 0);
		return;
	}
	assert_int_equal(rte_rcu_qsbr_thread_register(t->model, i), 0);
	epoch_offline(&t->reader[i]);
	rte_rcu_qsbr_thread_offline(t->model, i);
	t->online[i] = false;
	t->writer.seen[i] = &t->seen[i];
}

static void step(struct twins *t)
{
	unsigned r = (unsigned)random(), i = r / 16 % READERS;
	if (r % 16 == 0) {
		step_death(t, i);
	} else if (r % 16 < 5) {
		unsigned at = t->count++ % TOKENS;
		t->token[at][0] = epoch_advance(&t->writer);
		t->token[at][1] = rte_rcu_qsbr_start(t->model);
	} else if (t->writer.seen[i]) {
		step_reader(t, i, r / 256);
	}
}

TEST(test_agrees_with_rte_rcu_qsbr)
{
	srandom(31);
	unsigned passed = 0, waiting = 0;
	for (unsigned s = 0; s < SEQUENCES; s++) {
		struct twins t;
		twins_init(&t);
		for (unsigned n = 0; n < STEPS; n++) {
			step(&t);
			for (unsigned k = 0; k < t.count && k < TOKENS; k++) {
				bool ours = epoch_passed(&t.writer, t.token[k][0]);
				int model = rte_rcu_qsbr_check(t.model, t.token[k][1], false);
				assert_int_equal(ours, model);
				passed += ours;
				waiting += !ours;
			}
		}
		free(t.model);
	}
	// Both outcomes were met often, so the comparison means something.
	assert_true(passed > 10000 && waiting > 10000);
}
