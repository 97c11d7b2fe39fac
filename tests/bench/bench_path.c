// SPDX-License-Identifier: BSD-3-Clause

// The packet path, measured on one core: the gate of docs/explanation/performance.md.
//
// Slices alternate in one process between a reflector (rx, swap, tx), the default worker, and
// the same with the TSC read at each stage; the figure of a case is the first decile of its slices,
// so that other load on the machine counts little, and its ratio to the reflector, so that the
// machine itself counts little. Fails when a query was not answered as its case says, when a
// packet is not accounted for, or when the path allocated, locked or called the kernel; never
// because it is slow.

#include "tests/bench/path/path_count.h"
#include "tests/bench/path/path_report.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { COUNTED_TURNS = 20000 };

static void counted_turns(void *arg)
{
	struct path_rig *r = arg;
	for (unsigned i = 0; i < COUNTED_TURNS; i++) {
		(void)worker_turn(&r->w, PATH_PORT);
		path_rig_settle(r);
	}
	path_rig_leave();
}

static uint64_t answered(const struct path_rig *r)
{
	return r->stats.verdict[VERDICT_hit] + r->stats.verdict[VERDICT_blocked]
	       + r->stats.counter[COUNTER_answers];
}

static bool count(struct path_rig *r, const struct path_case *c)
{
	struct path_counts n;
	uint64_t before = answered(r);
	int rc = path_count_run(counted_turns, r, &n);
	if (rc) {
		fprintf(stderr, "%s: cannot count: %s\n", c->name, strerror(-rc));
		return false;
	}
	uint64_t after = answered(r);
	path_report_one(c, "counted", (double)(after - before), "answers", 0);
	path_report_one(c, "allocations", (double)n.allocations, "calls", 0);
	path_report_one(c, "locks", (double)n.locks, "calls", 0);
	path_report_one(c, "syscalls", (double)n.syscalls, "calls", 0);
	return after > before && n.allocations + n.locks + n.syscalls == 0;
}

static bool run_case(struct path_rig *r, const struct path_case *c)
{
	static struct path_samples s;
	memset(&r->stats, 0, sizeof(r->stats));
	if (!path_rig_open(r, c))
		return false;
	path_control_forget(&r->control);
	bool ok = path_measure(r, c, &s);
	path_report(c, &s);
	ok &= count(r, c);
	ok &= path_report_books(r, c);
	path_rig_close(r);
	fflush(stdout);
	return ok;
}

int main(int argc, char **argv)
{
	static struct path_rig rig;
	const char *goals = NULL, *part = "";
	for (int c; (c = getopt(argc, argv, "g:c:")) != -1;) {
		if (c != 'g' && c != 'c') {
			fputs("usage: bench_path [-g G1,G2,...] [-c PART-OF-A-CASE'S-NAME]\n",
				stderr);
			return 2;
		}
		*(c == 'g' ? &goals : &part) = optarg;
	}
	uint32_t frames = path_case_frames(goals);
	if (frames == 0) {
		fputs("no such goal here: G1, G2, G3, G4, G5, G7, G8, M5, miss\n", stderr);
		return 2;
	}
	bool beside = path_beside_prepare();
	bool ok = path_rig_start(&rig, frames, false);
	const struct path_case *c;
	for (unsigned at = 0; ok && (c = path_case_next(goals, &at));) {
		if (!strstr(c->name, part))
			continue;
		if (c->versus >= VERSUS_WRITES && !beside)
			fprintf(stderr, "%s: left out, it needs a second CPU\n", c->name);
		else
			ok = run_case(&rig, c);
	}
	if (ok)
		path_rig_stop(&rig);
	return !ok;
}
