// SPDX-License-Identifier: BSD-3-Clause
// How many queries a second this machine answers, asked of a weir of its own by weir-loadgen.

#include "lib/table_out.h"
#include "lib/view.h"
#include "selftest_rig.h"

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LINES_MAX = 6, WARM_MS = 220000, SPARE_MS = 30000, PHASES = 4, ALONE_S = 1 };

struct line { // of the generator
	struct json_doc *doc;
	const struct json_node *root;
};

struct found {
	struct line line[LINES_MAX]; // warm-up, full load, three parts of it, one at a time
	unsigned count;
	uint64_t asked, late, lost, bad;
};

static int cpus_of(const struct ctl *c, struct selftest_cpus *out)
{
	static bool allowed[CPU_SETSIZE];
	cpu_set_t set;
	if (sched_getaffinity(0, sizeof(set), &set) < 0)
		return -errno;
	for (unsigned i = 0; i < CPU_SETSIZE; i++)
		allowed[i] = CPU_ISSET(i, &set);
	bool running = dataplane_state(&c->paths, NULL) != PROCESS_DOWN;
	return selftest_cpus_choose(
		&c->config->dataplane, running, c->force, allowed, CPU_SETSIZE, out);
}

static int lines_take(
	struct selftest_rig *rig, unsigned seconds, struct found *f, char why[CONFIG_WHY_MAX])
{
	char text[SELFTEST_LINE_MAX];
	selftest_rig_tell(rig, "filling its cache", 0);
	while (f->count < LINES_MAX) {
		unsigned wait_ms = f->count == 0 ? WARM_MS : 1000 * seconds + SPARE_MS;
		int rc = selftest_rig_line(rig, wait_ms, text, why);
		if (rc < 0)
			return rc;
		struct line *l = &f->line[f->count];
		l->doc = json_doc_parse(text, strlen(text));
		if (!l->doc)
			continue; // what a library of DPDK has to say
		l->root = json_doc_root(l->doc);
		f->asked += json_count(l->root, "asked");
		f->lost += json_count(l->root, "lost");
		// A name that is not cached yet may take its time.
		f->late += f->count ? json_count(l->root, "asked_again") : 0;
		f->bad += json_count(l->root, "bad");
		if (f->count++ == 0)
			selftest_rig_tell(rig, "measuring", PHASES * seconds + ALONE_S);
	}
	return 0;
}

static char *time_text(uint64_t ns, char out[FIGURE_MAX])
{
	if (ns < 10000000)
		snprintf(out, FIGURE_MAX, "%.1f us", (double)ns / 1e3);
	else
		snprintf(out, FIGURE_MAX, "%.1f ms", (double)ns / 1e6);
	return out;
}

static void latency_print(const struct line *l, const char *when)
{
	char p50[FIGURE_MAX], p99[FIGURE_MAX], p999[FIGURE_MAX], most[FIGURE_MAX], rate[FIGURE_MAX];
	printf("  %s, %s a second: half of the replies within %s, 99 %% within %s, 99.9 %% within "
	       "%s, 99.99 %% within %s\n",
		when, figure_count(json_count(l->root, "qps"), rate),
		time_text(json_count(l->root, "answer_p50_ns"), p50),
		time_text(json_count(l->root, "answer_p99_ns"), p99),
		time_text(json_count(l->root, "answer_p999_ns"), p999),
		time_text(json_count(l->root, "answer_p9999_ns"), most));
}

static void words_print(
	const struct found *f, const struct selftest_rig *rig, const struct selftest_cpus *cpus)
{
	static const char *const when[LINES_MAX] = {NULL, NULL, "at a quarter of that",
		"at half of it", "at three quarters", "one at a time"};
	char a[FIGURE_MAX], b[FIGURE_MAX], c[FIGURE_MAX], d[FIGURE_MAX];
	const struct json_node *full = f->line[1].root;
	printf("one worker on core %u, %s cached names, %s listed ones from %u of your lists; the "
	       "generator on core %u checks every reply; nothing is logged\n",
		cpus->worker, figure_count(SELFTEST_NAMES, a), figure_count(rig->listed, b),
		rig->lists, cpus->load);
	printf("  %s queries a second answered from the cache\n",
		figure_count(json_count(full, "qps"), a));
	printf("  of %s queries in all, %s got no reply, %s a wrong one; %s were asked again\n",
		figure_count(f->asked, a), figure_count(f->lost, b), figure_count(f->bad, c),
		figure_count(f->late, d));
	for (unsigned i = 2; i < f->count; i++)
		latency_print(&f->line[i], when[i]);
	// At full load the generator never catches up with what came while it stood still.
	const struct json_node *quarter = f->line[2].root;
	uint64_t timed = json_count(quarter, "answer_timed"),
		 untimed = json_count(quarter, "untimed");
	if (untimed > timed / 20)
		printf("  Something else used these cores meanwhile (%s of %s replies came while "
		       "the "
		       "generator had none): on a quiet machine the figures are better.\n",
			figure_count(untimed, a), figure_count(untimed + timed, b));
}

static void json_print(
	const struct found *f, const struct selftest_rig *rig, const struct selftest_cpus *cpus)
{
	static const char *const names[LINES_MAX] = {
		"warm", "full", "quarter", "half", "three_quarters", "alone"};
	struct json_doc *doc = json_doc_new();
	struct json_node *root = json_doc_root(doc);
	json_put_count(root, "worker_core", cpus->worker);
	json_put_count(root, "load_core", cpus->load);
	json_put_count(root, "names", SELFTEST_NAMES);
	json_put_count(root, "listed", rig->listed);
	json_put_count(root, "asked", f->asked);
	json_put_count(root, "asked_again", f->late);
	json_put_count(root, "lost", f->lost);
	json_put_count(root, "bad", f->bad);
	for (unsigned i = 0; i < f->count; i++)
		json_put_all(json_put_object(root, names[i]), f->line[i].root);
	json_doc_end(doc);
}

static int selftest_run(struct ctl *c, const struct selftest_cpus *cpus, unsigned seconds)
{
	struct selftest_rig *rig = calloc(1, sizeof(*rig));
	struct found f = {0};
	char why[CONFIG_WHY_MAX] = "";
	if (!rig)
		return ctl_fail(c, "out of memory");
	int rc = selftest_rig_start(rig, c->config, cpus, seconds, why);
	if (rc == 0)
		rc = lines_take(rig, seconds, &f, why);
	selftest_rig_stop(rig);
	if (rc == 0 && c->json)
		json_print(&f, rig, cpus);
	else if (rc == 0)
		words_print(&f, rig, cpus);
	for (unsigned i = 0; i < f.count; i++)
		json_doc_free(f.line[i].doc);
	free(rig);
	if (rc < 0)
		return ctl_fail(c, "%s", why);
	return f.lost || f.bad ? CTL_FAILED : CTL_OK;
}

int cmd_selftest(struct ctl *c)
{
	struct selftest_cpus cpus;
	if (!c->rate || c->seconds < 1 || c->seconds > SELFTEST_SECONDS_MAX) {
		fprintf(stderr, "weirctl: selftest takes --rate, and --seconds from 1 to %d\n",
			SELFTEST_SECONDS_MAX);
		return CTL_USAGE;
	}
	int rc = ctl_open_config(c);
	if (rc != CTL_OK)
		return rc;
	switch (cpus_of(c, &cpus)) {
	case 0:
		return selftest_run(c, &cpus, c->seconds);
	case -EBUSY:
		return ctl_fail(c,
			"the data plane runs, and there are not two cores beside its own: "
			"stop it first, or take its time with --force");
	default:
		return ctl_fail(c, "needs two cores: one for a worker, one for the generator");
	}
}
