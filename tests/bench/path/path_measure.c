// SPDX-License-Identifier: BSD-3-Clause
#include "path_measure.h"

#include "tests/bench/bench_tools.h"

#include <rte_cycles.h>

#include <stdlib.h>
#include <string.h>
#include <weir/clock.h>

// The shorter a slice, the more of them have the core for themselves on a busy machine. The writer
// beside the worker comes each twentieth of a millisecond, so a slice of two sees its share.
enum {
	SLICE_US = 1000,
	WARM_US = 200000,
	PAIR_US = 250,
	WRITES_PAIR_US = 2000,
	WRITES_PAIRS = 400
};

double path_decile(const double *samples, unsigned count)
{
	static double sorted[PATH_PAIRS];
	memcpy(sorted, samples, count * sizeof(*samples));
	qsort(sorted, count, sizeof(sorted[0]), bench_by_value);
	return sorted[count / 10 - 1];
}

static double second_least(const double samples[PATH_ROUNDS])
{
	double sorted[PATH_ROUNDS];
	memcpy(sorted, samples, sizeof(sorted));
	qsort(sorted, PATH_ROUNDS, sizeof(sorted[0]), bench_by_value);
	return sorted[1];
}

double path_window_ratio(const struct path_samples *s)
{
	double sum[2] = {0};
	for (unsigned with = 0; with < 2; with++) {
		for (unsigned i = 0; i < PATH_WINDOW; i++)
			sum[with] += second_least(s->window[with][i]);
	}
	return sum[0] / sum[1];
}

static unsigned turn(struct path_rig *r, unsigned port, enum path_way way, struct stage_cycles *c)
{
	path_rig_top(r);
	switch (way) {
	case WAY_REFLECT:
		return worker_turn_reflect(&r->w, port, c);
	case WAY_PLAIN:
		return worker_turn(&r->w, port);
	default:
		return worker_turn_timed(&r->w, port, c);
	}
}

struct slice {
	unsigned port, us;
	enum path_way way;
	bool control; // misses are answered between two turns
};

struct result {
	double frames;
	double cycles, answer,
		dns; // a query; of these answers of the control plane, and the DNS stages
};

static double dns_of(const struct stage_cycles *c)
{
	uint64_t all = 0;
	for (unsigned k = 0; k < STAGE_COUNT; k++)
		all += k == STAGE_rx || k == STAGE_tx ? 0 : c->cycles[k];
	return (double)all;
}

// What the worker does with the answers is part of its work; what the control plane does is not.
static struct result run(struct path_rig *r, const struct slice *s, struct stage_cycles *stages)
{
	memset(stages, 0, sizeof(*stages));
	uint64_t start = rte_rdtsc(), now, n = 0, answer = 0;
	uint64_t end = start + rte_get_tsc_hz() / 1000000 * s->us;
	do {
		n += turn(r, s->port, s->way, stages);
		now = rte_rdtsc();
		if (s->control) {
			path_control_turn(&r->control);
			uint64_t answered = rte_rdtsc();
			start += answered - now;
			end += answered - now;
			(void)stage_answer(&r->w);
			now = rte_rdtsc();
			answer += now - answered;
		}
	} while (now < end);
	path_rig_settle(r);
	return (struct result){
		.frames = (double)n,
		.cycles = (double)(now - start) / (double)n,
		.answer = (double)answer / (double)n,
		.dns = dns_of(stages) / (double)n,
	};
}

static void measure_alone(struct path_rig *r, const struct path_case *c, struct path_samples *s)
{
	struct stage_cycles stages;
	struct slice slice[WAYS];
	for (unsigned way = 0; way < WAYS; way++)
		slice[way] = (struct slice){.way = way,
			.us = SLICE_US,
			.control = c->traffic.missed_percent && way != WAY_REFLECT};
	struct slice warm = slice[WAY_PLAIN];
	warm.us = WARM_US;
	(void)run(r, &warm, &stages);
	for (unsigned i = 0; i < PATH_SLICES; i++) {
		s->way[WAY_REFLECT][i] = run(r, &slice[WAY_REFLECT], &stages).cycles;
		struct result plain = run(r, &slice[WAY_PLAIN], &stages);
		s->way[WAY_PLAIN][i] = plain.cycles;
		s->answer[i] = plain.answer;
		struct result timed = run(r, &slice[WAY_TIMED], &stages);
		s->way[WAY_TIMED][i] = timed.cycles;
		s->dns[i] = timed.dns;
		for (unsigned k = 0; k < STAGE_COUNT; k++)
			s->stage[k][i] = (double)stages.cycles[k] / timed.frames;
	}
}

// Whole turns untimed, then timed ones: a pair of each kind by turns.
static void measure_pairs(struct path_rig *r, const struct path_case *c, struct path_samples *s)
{
	struct stage_cycles stages;
	s->pairs = PATH_PAIRS;
	for (unsigned i = 0; i < 2 * PATH_PAIRS; i++) {
		bool with = i % 2;
		struct slice slice = {
			.us = PAIR_US, .way = WAY_PLAIN, .control = c->traffic.missed_percent};
		if (c->versus == VERSUS_GROUPS)
			path_rig_policy(r, with ? PATH_POLICY_GROUPS : PATH_POLICY_SHIPPED);
		else if (c->versus == VERSUS_ACCESS)
			r->tables.has_access = with;
		else if (c->versus == VERSUS_HOPS)
			path_rig_hops(r, with);
		else if (c->versus == VERSUS_LIMITS)
			path_rig_policy(r, with ? PATH_POLICY_LIMITS : PATH_POLICY_SHIPPED);
		else if (c->versus == VERSUS_LOG_SAMPLED)
			path_rig_log(r, with ? 100 : 0);
		else if (c->versus == VERSUS_LOG_EVERY)
			path_rig_log(r, with ? 1 : 0);
		else
			slice.port = with ? PATH_PORT : PATH_PORT_PLAIN;
		s->whole[with][i / 2] = run(r, &slice, &stages).cycles;
		slice.way = WAY_TIMED;
		s->dns_of[with][i / 2] = run(r, &slice, &stages).dns;
	}
	path_rig_log(r, 0);
	path_rig_hops(r, false);
}

static void measure_writes(struct path_rig *r, struct path_beside *b, struct path_samples *s)
{
	const struct slice slice = {.us = WRITES_PAIR_US, .way = WAY_PLAIN};
	struct stage_cycles stages;
	uint64_t on_us = 0;
	s->pairs = WRITES_PAIRS;
	for (unsigned i = 0; i < 2 * WRITES_PAIRS; i++) {
		bool with = i % 2;
		uint64_t began_us = clock_mono_us();
		atomic_store(&b->on, with);
		s->whole[with][i / 2] = run(r, &slice, &stages).cycles;
		on_us += with ? clock_mono_us() - began_us : 0;
	}
	s->write_rate = (double)atomic_load(&b->written) * 1e6 / (double)on_us;
	s->refused = atomic_load(&b->refused);
}

// The request for a new image comes at the beginning of its second.
static void measure_images(struct path_rig *r, struct path_beside *b, struct path_samples *s)
{
	const struct slice slice = {.us = SLICE_US, .way = WAY_PLAIN};
	struct stage_cycles stages;
	for (unsigned i = 0; i < 2 * PATH_ROUNDS; i++) {
		bool with = i % 2;
		if (with)
			atomic_fetch_add(&b->wanted, 1);
		for (unsigned k = 0; k < PATH_WINDOW; k++)
			s->window[with][k][i / 2] = run(r, &slice, &stages).cycles;
		// On a busy machine it may come late, and not in the second without one.
		while (atomic_load(&b->published) != atomic_load(&b->wanted)
			&& !atomic_load(&b->failed))
			(void)run(r, &slice, &stages);
	}
	s->published = atomic_load(&b->published);
}

static bool measure_beside(struct path_rig *r, const struct path_case *c, struct path_samples *s)
{
	static struct path_beside b;
	if (!path_beside_start(&b, r, c))
		return false;
	if (c->versus == VERSUS_WRITES)
		measure_writes(r, &b, s);
	else
		measure_images(r, &b, s);
	path_beside_stop(&b);
	return !atomic_load(&b.failed);
}

bool path_measure(struct path_rig *r, const struct path_case *c, struct path_samples *s)
{
	s->pairs = 0;
	measure_alone(r, c, s);
	if (c->versus > VERSUS_ALONE && c->versus < VERSUS_WRITES)
		measure_pairs(r, c, s);
	return c->versus < VERSUS_WRITES || measure_beside(r, c, s);
}
