// SPDX-License-Identifier: BSD-3-Clause

// The packet path, measured on one core: the gate of docs/performance.md.
//
// Slices of 5 ms alternate in one process between a reflector (rx, swap, tx), the worker as
// shipped, and the same with the TSC read at each stage; what a case is worth is the first decile
// of its slices, so that what else runs on the machine counts little, and its ratio to the
// reflector, so that the machine itself counts little. Fails when a query was not answered as its
// case says, or when the path allocated, locked or called the kernel; never because it is slow.
//
// One JSON object a line: goal, case, metric, value, unit, reference (the figure that the goal asks
// for, or null) and ratio (value to reference, or null).

#include "path_count.h"
#include "path_rig.h"

#include <rte_cycles.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SLICES = 100, SLICE_US = 5000, WARM_SLICES = 40, COUNTED_TURNS = 20000, ANSWERS_LATE = 64 };
// Groups against none: so short that most slices have the core for themselves on a busy machine.
enum { PAIRS = 2000, PAIR_SLICE_US = 250 };

enum way { WAY_REFLECT, WAY_PLAIN, WAY_TIMED, WAYS };

// Cycles a query, each slice.
struct samples {
	double way[WAYS][SLICES];
	double stage[STAGE_COUNT][SLICES];
	double dns[SLICES];      // the stages between rx and tx
	double answer[SLICES];   // answers of the control plane, for each query of any kind
	double groups[2][PAIRS]; // without and with, where there are groups
};

static const char *const stage_names[] = {
#define STAGE_NAME(name) #name,
	STAGE_LIST(STAGE_NAME)
#undef STAGE_NAME
};

#define HOT    .names = 1000, .frames = 1 << 17
#define WARM   .names = 100000, .frames = 1 << 18
#define COLD   .names = 1000000, .frames = 1000000
#define LISTED .listed = 1000000

static const struct path_case cases[] = {
	{"G1", "hits, 1k names", {HOT}, false, 105, 0.35},
	{"G1", "hits, 100k names", {WARM}, false, 0, 0},
	{"G5", "hits, 1k names, EDNS", {HOT, .edns = true}, false, 0, 0},
	{"G5", "hits, 1k names, IPv6", {HOT, .ipv6 = true}, false, 0, 0},
	{"G5", "hits, 1k names, VLAN", {HOT, .vlan = true}, false, 0, 0},
	{"G5", "hits, 1k names, many clients", {HOT, .clients = true}, false, 0, 0},
	{"G5", "hits, 1k names, 1,000 prefixes", {HOT, .clients = true, .groups = true}, false, 0,
		0},
	{"G5", "hits, 1k names, IPv6, many clients", {HOT, .ipv6 = true, .clients = true}, false, 0,
		0},
	{"G5", "hits, 1k names, IPv6, 1,000 prefixes",
		{HOT, .ipv6 = true, .clients = true, .groups = true}, false, 0, 0},
	{"G5", "20% blocked, 64 lists, 32 groups and 1,000 prefixes",
		{HOT, LISTED, .listed_percent = 20, .clients = true, .groups = true}, true, 0, 0},
	{"G5", "20% blocked, IPv6, 64 lists, 32 groups and 1,000 prefixes",
		{HOT, LISTED, .listed_percent = 20, .ipv6 = true, .clients = true, .groups = true},
		true, 0, 0},
	{"G2", "hits, 1M names", {COLD}, false, 145, 0.30},
	{"G3", "hits, 1M names, 1M listed", {COLD}, true, 180, 0.25},
	{"G4", "blocked, 1M listed", {COLD, LISTED, .listed_percent = 100}, true, 145, 0.30},
	{"G4", "80% hits of 1M, 20% blocked", {COLD, LISTED, .listed_percent = 20}, true, 0, 0},
	{"G4", "85% hits of 1M, 10% blocked, 5% missed",
		{COLD, LISTED, .listed_percent = 10, .missed_percent = 5}, true, 0, 0},
};

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

// The first decile: slices in which something else had the core are far above it.
static double decile_of(const double *samples, unsigned count)
{
	static double sorted[PAIRS];
	memcpy(sorted, samples, count * sizeof *samples);
	qsort(sorted, count, sizeof sorted[0], by_value);
	return sorted[count / 10 - 1];
}

static double decile(const double samples[SLICES])
{
	return decile_of(samples, SLICES);
}

static unsigned turn(struct path_rig *r, enum way way, struct stage_cycles *c)
{
	switch (way) {
	case WAY_REFLECT:
		return worker_turn_reflect(&r->w, 0, c);
	case WAY_PLAIN:
		return worker_turn(&r->w, 0);
	default:
		return worker_turn_timed(&r->w, 0, c);
	}
}

struct slice {
	double frames;
	double cycles; // a query
	double answer; // of these, answers of the control plane
};

// `control`: misses are answered between two turns, and what the worker does with the answers is
// part of its work; what the control plane does is not.
static struct slice slice(
	struct path_rig *r, enum way way, bool control, unsigned us, struct stage_cycles *stages)
{
	uint64_t start = rte_rdtsc(), now, n = 0, answer = 0;
	uint64_t end = start + rte_get_tsc_hz() / 1000000 * us;
	do {
		n += turn(r, way, stages);
		now = rte_rdtsc();
		if (control) {
			path_control_turn(&r->control);
			uint64_t answered = rte_rdtsc();
			start += answered - now;
			end += answered - now;
			(void)stage_answer(&r->w);
			now = rte_rdtsc();
			answer += now - answered;
		}
	} while (now < end);
	return (struct slice){.frames = (double)n,
		.cycles = (double)(now - start) / (double)n,
		.answer = (double)answer / (double)n};
}

static void measure(struct path_rig *r, const struct path_case *c, struct samples *s)
{
	bool control = c->traffic.missed_percent > 0;
	struct stage_cycles stages = {0}, unused = {0};
	for (unsigned i = 0; i < WARM_SLICES; i++)
		(void)slice(r, WAY_PLAIN, control, SLICE_US, &unused);
	for (unsigned i = 0; i < SLICES; i++) {
		memset(&stages, 0, sizeof stages);
		s->way[WAY_REFLECT][i] = slice(r, WAY_REFLECT, false, SLICE_US, &unused).cycles;
		struct slice plain = slice(r, WAY_PLAIN, control, SLICE_US, &unused);
		s->way[WAY_PLAIN][i] = plain.cycles;
		s->answer[i] = plain.answer;
		struct slice timed = slice(r, WAY_TIMED, control, SLICE_US, &stages);
		s->way[WAY_TIMED][i] = timed.cycles;
		s->dns[i] = 0;
		for (unsigned k = 0; k < STAGE_COUNT; k++) {
			s->stage[k][i] = (double)stages.cycles[k] / timed.frames;
			if (k != STAGE_rx && k != STAGE_tx)
				s->dns[i] += s->stage[k][i];
		}
	}
}

static void measure_groups(struct path_rig *r, struct samples *s)
{
	struct stage_cycles unused = {0};
	for (unsigned i = 0; i < 2 * PAIRS; i++) {
		r->tables.has_groups = i % 2;
		s->groups[i % 2][i / 2] = slice(r, WAY_PLAIN, false, PAIR_SLICE_US, &unused).cycles;
	}
}

static void print_one(const struct path_case *c, const char *metric, double value, const char *unit,
	double reference)
{
	printf("{\"goal\": \"%s\", \"case\": \"%s\", \"metric\": \"%s\", \"value\": %.3f, "
	       "\"unit\": \"%s\", ",
		c->goal, c->name, metric, value, unit);
	if (reference > 0)
		printf("\"reference\": %.2f, \"ratio\": %.3f}\n", reference, value / reference);
	else
		printf("\"reference\": null, \"ratio\": null}\n");
}

static void print_samples(const struct path_case *c, const struct samples *s)
{
	char metric[32];
	double whole = decile(s->way[WAY_PLAIN]), reflector = decile(s->way[WAY_REFLECT]);
	print_one(c, "dns", decile(s->dns), "cycles", c->dns_cycles);
	print_one(c, "ratio", reflector / whole, "of reflector", c->ratio);
	print_one(c, "whole", whole, "cycles", 0);
	print_one(c, "reflector", reflector, "cycles", 0);
	for (unsigned k = 0; k < STAGE_COUNT; k++) {
		snprintf(metric, sizeof metric, "stage_%s", stage_names[k]);
		print_one(c, metric, decile(s->stage[k]), "cycles", 0);
	}
	if (c->traffic.missed_percent)
		print_one(c, "stage_answer", decile(s->answer), "cycles", 0);
	if (c->traffic.groups)
		print_one(c, "groups",
			decile_of(s->groups[0], PAIRS) / decile_of(s->groups[1], PAIRS), "of none",
			0.90);
	print_one(c, "rate", (double)rte_get_tsc_hz() / whole / 1e6, "Mq/s", 0);
}

// Between `least` and `most` percent, give or take one.
static bool is_share(uint64_t part, uint64_t all, unsigned least, unsigned most)
{
	double share = 100.0 * (double)part / (double)all;
	return share > least - 1.0 && share < most + 1.0;
}

// Did every query end as it should?
static bool check(const struct path_rig *r, const struct path_case *c)
{
	const struct stats_worker *s = &r->stats;
	uint64_t reflected = s->verdict[VERDICT_reflected];
	uint64_t asked = s->counter[COUNTER_rx_frames] - reflected;
	uint64_t hits = s->verdict[VERDICT_hit], blocked = s->verdict[VERDICT_blocked];
	uint64_t missed = s->verdict[VERDICT_miss], answers = s->counter[COUNTER_answers];
	// L0 evicts a name for a full bucket, some 0.8 % of a million (docs/l0-table.md).
	bool ok = (double)(hits + blocked)
			  >= (0.98 - c->traffic.missed_percent / 100.0) * (double)asked
		  && is_share(blocked, asked, c->traffic.listed_percent, c->traffic.listed_percent)
		  && s->counter[COUNTER_tx_frames] >= reflected + hits + blocked + answers
		  && s->counter[COUNTER_reply_truncated] == 0;
	if (c->traffic.missed_percent)
		ok &= is_share(missed, asked, c->traffic.missed_percent,
			      c->traffic.missed_percent + 1)
		      && answers + ANSWERS_LATE >= missed && r->control.bad == 0;
	if (!ok)
		fprintf(stderr,
			"%s: of %lu queries %lu hit, %lu blocked, %lu missed, %lu of these "
			"answered; sent %lu of %lu\n",
			c->name, asked, hits, blocked, missed, answers,
			(uint64_t)s->counter[COUNTER_tx_frames],
			(uint64_t)s->counter[COUNTER_rx_frames]);
	return ok;
}

static void counted_turns(void *arg)
{
	struct path_rig *r = arg;
	for (unsigned i = 0; i < COUNTED_TURNS; i++) {
		(void)worker_turn(&r->w, 0);
		path_control_turn(&r->control);
		(void)stage_answer(&r->w);
	}
}

static bool count(struct path_rig *r, const struct path_case *c)
{
	struct path_counts n;
	uint64_t before = r->stats.verdict[VERDICT_hit] + r->stats.verdict[VERDICT_blocked];
	int rc = path_count_run(counted_turns, r, &n);
	if (rc) {
		fprintf(stderr, "%s: cannot count: %s\n", c->name, strerror(-rc));
		return false;
	}
	uint64_t after = r->stats.verdict[VERDICT_hit] + r->stats.verdict[VERDICT_blocked];
	print_one(c, "counted", (double)(after - before), "answers", 0);
	print_one(c, "allocations", (double)n.allocations, "calls", 0);
	print_one(c, "locks", (double)n.locks, "calls", 0);
	print_one(c, "syscalls", (double)n.syscalls, "calls", 0);
	return after > before && n.allocations + n.locks + n.syscalls == 0;
}

static bool run_case(struct path_rig *r, const struct path_case *c)
{
	static struct samples s;
	memset(&r->stats, 0, sizeof r->stats);
	if (!path_rig_open(r, c))
		return false;
	path_control_forget(&r->control);
	measure(r, c, &s);
	if (c->traffic.groups)
		measure_groups(r, &s);
	print_samples(c, &s);
	bool ok = count(r, c);
	ok &= check(r, c);
	path_rig_close(r);
	fflush(stdout);
	return ok;
}

// `goals`: names between commas; NULL: all.
static bool is_wanted(const struct path_case *c, const char *goals)
{
	size_t len = strlen(c->goal);
	for (const char *p = goals; p; p = strchr(p, ',')) {
		p += *p == ',';
		if (strncmp(p, c->goal, len) == 0 && (p[len] == ',' || p[len] == '\0'))
			return true;
	}
	return goals == NULL;
}

int main(int argc, char **argv)
{
	static struct path_rig rig;
	const char *goals = NULL;
	for (int c; (c = getopt(argc, argv, "g:")) != -1;) {
		if (c != 'g') {
			fputs("usage: bench_path [-g G1,G2,...]\n", stderr);
			return 2;
		}
		goals = optarg;
	}
	uint32_t frames = 0;
	for (unsigned i = 0; i < ARRAY_LEN(cases); i++) {
		if (is_wanted(&cases[i], goals) && cases[i].traffic.frames > frames)
			frames = cases[i].traffic.frames;
	}
	if (frames == 0) {
		fputs("no such goal here: G1, G2, G3, G4, G5\n", stderr);
		return 2;
	}
	bool ok = path_rig_start(&rig, frames);
	for (unsigned i = 0; ok && i < ARRAY_LEN(cases); i++) {
		if (is_wanted(&cases[i], goals))
			ok = run_case(&rig, &cases[i]);
	}
	if (ok)
		path_rig_stop(&rig);
	return !ok;
}
