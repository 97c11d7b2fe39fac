// SPDX-License-Identifier: BSD-3-Clause
// `weirctl selftest`: measures how many queries a second this machine answers, with a weir that it
// starts. That has both processes, an upstream, and weir-loadgen on a memif port, in a directory of
// its own. Lists that are files, the cache's size and the cores are the configuration's; no network
// reaches this weir.
//
// All processes end with this one, however it ends; rig_stop() removes the directories. Each wait
// has a deadline and ends when a process dies or on SIGINT or SIGTERM.

#include "lib/ctl.h"
#include "lib/table_cell.h"
#include "lib/view.h"
#include "selftest_plan.h"
#include "terminal/progress.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <weir/clock.h>

enum {
	SELFTEST_NAMES = 10000,
	SELFTEST_SECONDS_MAX = 600,
	SELFTEST_START_MS = 60000,
	SELFTEST_LINE_MAX = 2048,
};

enum selftest_process { SELFTEST_UPSTREAM, SELFTEST_CONTROL, SELFTEST_DATA, SELFTEST_LOAD };
enum { SELFTEST_PROCESSES = SELFTEST_LOAD + 1 };

struct selftest_rig {
	char dir[32], config[64];
	char program[SELFTEST_PROCESSES][PATH_MAX]; // the upstream has no program
	pid_t pid[SELFTEST_PROCESSES];              // 0: not started
	int lines_fd, hold_fd;                      // the generator's output and input
	size_t have;                                // bytes in `text`
	char text[SELFTEST_LINE_MAX];
	struct ctl inner;         // a weirctl for this weir
	unsigned lists;           // number of lists in its configuration
	uint64_t listed;          // number of names in its rule image
	struct progress progress; // drawn by each wait
};

enum { STOP_MS = 5000, POLL_MS = 50, ARGS_MAX = 24, NUMBER_MAX = 24 };

// Set by the signal handler.
static volatile sig_atomic_t interrupted;

static void on_signal(int)
{
	interrupted = 1;
}

static int why_set(char why[CONFIG_WHY_MAX], int rc, const char *fmt, ...) ATTR_PRINTF(3, 4);
static int why_set(char why[CONFIG_WHY_MAX], int rc, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(why, CONFIG_WHY_MAX, fmt, ap);
	va_end(ap);
	return rc;
}

static void sleep_ms(unsigned ms)
{
	nanosleep(&(struct timespec){.tv_nsec = 1000000L * ms}, NULL);
}

static bool is_program(const char *path)
{
	return access(path, X_OK) == 0;
}

// Finds the programs: in the build tree of this one, else where they were installed.
static int programs_find(struct selftest_rig *rig, char why[CONFIG_WHY_MAX])
{
	static const char *const built[] = {NULL, "controlplane/weir-controlplane",
		"dataplane/weir-dataplane", "tools/loadgen/weir-loadgen"};
	static const char *const installed[] = {NULL, WEIR_SBINDIR "/weir-controlplane",
		WEIR_SBINDIR "/weir-dataplane", WEIR_LIBEXECDIR "/weir-loadgen"};
	char self[PATH_MAX / 2] = "";
	ssize_t len = readlink("/proc/self/exe", self, sizeof(self) - 1);
	self[len > 0 ? len : 0] = '\0';
	char *slash = strrchr(self, '/');
	if (slash)
		*slash = '\0';
	for (unsigned i = SELFTEST_CONTROL; i < SELFTEST_PROCESSES; i++) {
		snprintf(rig->program[i], PATH_MAX, "%s/../../%s", self, built[i]);
		if (!is_program(rig->program[i]))
			snprintf(rig->program[i], PATH_MAX, "%s", installed[i]);
		if (!is_program(rig->program[i]))
			return why_set(why, -ENOENT, "%s: no such program", rig->program[i]);
	}
	return 0;
}

// This runs in the child. `in` and `out`: descriptors that become standard input and output.
static void child_exec(
	const struct selftest_rig *rig, pid_t parent, const char *const args[], int in, int out)
{
	char log[64];
	snprintf(log, sizeof(log), "%s/log", rig->dir);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	// Ctrl-C of the terminal must reach only the parent, which then ends the others in order.
	setpgid(0, 0);
	int err = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	if (getppid() == parent && err >= 0 && dup2(in, STDIN_FILENO) >= 0
		&& dup2(out < 0 ? err : out, STDOUT_FILENO) >= 0 && dup2(err, STDERR_FILENO) >= 0)
		execv(args[0], (char *const *)(uintptr_t)args);
	_exit(127);
}

static int child_start(struct selftest_rig *rig, enum selftest_process which,
	const char *const args[], int in, int out)
{
	pid_t parent = getpid(), child = fork();
	if (child < 0)
		return -errno;
	if (child == 0)
		child_exec(rig, parent, args, in, out);
	rig->pid[which] = child;
	return 0;
}

// -ECHILD: a process has ended; `why` has the last line of the log.
static int children_check(struct selftest_rig *rig, char why[CONFIG_WHY_MAX])
{
	static const char *const names[] = {
		"the upstream", "weir-controlplane", "weir-dataplane", "weir-loadgen"};
	char log[64], last[256] = "";
	if (interrupted)
		return why_set(why, -EINTR, "interrupted");
	for (unsigned i = 0; i < SELFTEST_PROCESSES; i++) {
		if (!rig->pid[i] || waitpid(rig->pid[i], NULL, WNOHANG) != rig->pid[i])
			continue;
		rig->pid[i] = 0;
		snprintf(log, sizeof(log), "%s/log", rig->dir);
		FILE *f = fopen(log, "re");
		for (char line[sizeof(last)]; f && fgets(line, sizeof(line), f);)
			memcpy(last, line, sizeof(last));
		if (f)
			fclose(f);
		last[strcspn(last, "\n")] = '\0';
		return why_set(why, -ECHILD, "%s ended%s%s", names[i], *last ? ": " : "", last);
	}
	return 0;
}

// Are the lists built, and does the worker use the new tables?
static bool is_ready(struct selftest_rig *rig)
{
	const struct config_runtime *r = &rig->inner.config->runtime;
	char why[SHM_WHY_MAX];
	struct view v;
	// The first process makes the directories.
	if (shm_paths_find(&rig->inner.paths, r->directory, r->hugepages, why) < 0
		|| view_take(&rig->inner, "/status", &v) != CTL_OK)
		return false;
	const struct json_node *root = v.control ? json_doc_root(v.control) : NULL;
	const struct json_node *made = json_get(root, "generations");
	bool ready = v.has_stats && v.dataplane == PROCESS_UP && v.controlplane == PROCESS_UP
		     && root && v.stats->control_seen
		     && !json_flag(json_get(root, "rules"), "building") && v.stats->l0_generation
		     && v.stats->l0_generation == json_count(made, "l0")
		     && v.stats->rule_image_generation == json_count(made, "rule_image")
		     && v.stats->config_generation == json_count(made, "config");
	rig->listed = json_count(json_get(root, "rules"), "names");
	view_free(&v);
	return ready;
}

static int ready_wait(struct selftest_rig *rig, char why[CONFIG_WHY_MAX])
{
	uint64_t end = clock_mono_ms() + SELFTEST_START_MS;
	while (!is_ready(rig)) {
		int ret = children_check(rig, why);
		progress_step(&rig->progress);
		if (ret < 0)
			return ret;
		if (clock_mono_ms() > end)
			return why_set(
				why, -ETIME, "the selftest's own weir is not ready after 60 s");
		sleep_ms(POLL_MS);
	}
	return 0;
}

static int weir_start(struct selftest_rig *rig, char why[CONFIG_WHY_MAX])
{
	int null = open("/dev/null", O_RDONLY | O_CLOEXEC), ret = null < 0 ? -errno : 0;
	for (unsigned i = SELFTEST_CONTROL; i <= SELFTEST_DATA && ret == 0; i++) {
		const char *const args[] = {rig->program[i], "-c", rig->config, NULL};
		ret = child_start(rig, (enum selftest_process)i, args, null, -1);
	}
	if (null >= 0)
		close(null);
	if (ret < 0)
		return why_set(why, ret, "the processes cannot be started: %s", strerror(-ret));
	rig->inner = (struct ctl){.config_path = rig->config};
	if (ctl_open_config(&rig->inner) != CTL_OK)
		return why_set(why, -EINVAL, "the selftest's own configuration is refused");
	return ready_wait(rig, why);
}

static int load_start(struct selftest_rig *rig, unsigned cpu, unsigned seconds)
{
	char device[96], names[NUMBER_MAX], time_s[NUMBER_MAX], core[NUMBER_MAX];
	int lines[2] = {-1, -1}, hold[2] = {-1, -1};
	snprintf(device, sizeof(device),
		"net_memif0,role=client,socket-abstract=no,socket=%s/memif.sock", rig->dir);
	snprintf(names, sizeof(names), "%d", SELFTEST_NAMES);
	snprintf(time_s, sizeof(time_s), "%u", seconds);
	snprintf(core, sizeof(core), "%u", cpu);
	const char *const args[ARGS_MAX] = {rig->program[SELFTEST_LOAD], "-d", device, "-s",
		"198.18.0.53,198.18.0.2", "-n", names, "-w", "512", "-t", time_s, "-l", core,
		"--warm", "--loads", time_s, "--alone", "1", "--stay"};
	int ret = pipe2(lines, O_CLOEXEC) < 0 || pipe2(hold, O_CLOEXEC) < 0 ? -errno : 0;
	if (ret == 0)
		ret = child_start(rig, SELFTEST_LOAD, args, hold[0], lines[1]);
	if (lines[1] >= 0)
		close(lines[1]);
	if (hold[0] >= 0)
		close(hold[0]);
	rig->lines_fd = lines[0];
	rig->hold_fd = hold[1];
	return ret;
}

static void signals_catch(void)
{
	struct sigaction action = {.sa_handler = on_signal};
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGHUP, &action, NULL);
}

// Sets the text that waits draw from here on (progress.h).
static void rig_tell(struct selftest_rig *rig, const char *what, unsigned total_s)
{
	progress_end(&rig->progress);
	rig->progress = progress_begin(what, total_s);
}

// Starts everything, the generator last. -errno with `why`; call rig_stop in any case.
static int rig_start(struct selftest_rig *rig, const struct config *c,
	const struct selftest_cpus *cpus, unsigned seconds, char why[CONFIG_WHY_MAX])
{
	uint16_t port;
	*rig = (struct selftest_rig){.lines_fd = -1, .hold_fd = -1};
	int ret = programs_find(rig, why);
	if (ret < 0)
		return ret;
	signals_catch();
	snprintf(rig->dir, sizeof(rig->dir), "%s/weir-selftest-XXXXXX",
		access("/run", W_OK) == 0 ? "/run" : "/tmp");
	if (!mkdtemp(rig->dir)) {
		ret = why_set(why, -errno, "%s: %s", rig->dir, strerror(errno));
		rig->dir[0] = '\0';
		return ret;
	}
	snprintf(rig->config, sizeof(rig->config), "%s/weir.yaml", rig->dir);
	ret = selftest_upstream_start(&rig->pid[SELFTEST_UPSTREAM], &port);
	if (ret == 0)
		ret = selftest_config_write(rig->config, rig->dir, c, cpus, port, &rig->lists);
	if (ret < 0)
		return why_set(why, ret, "%s: %s", rig->dir, strerror(-ret));
	rig_tell(rig, "starting a weir of its own", 0);
	ret = weir_start(rig, why);
	if (ret < 0)
		return ret;
	ret = load_start(rig, cpus->load, seconds);
	return ret < 0 ? why_set(why, ret, "weir-loadgen: %s", strerror(-ret)) : 0;
}

// Cuts the first line off the text that was read; false: there is no whole line.
static bool line_cut(struct selftest_rig *rig, char line[SELFTEST_LINE_MAX])
{
	char *end = memchr(rig->text, '\n', rig->have);
	if (!end)
		return false;
	size_t len = (size_t)(end - rig->text);
	memcpy(line, rig->text, len);
	line[len] = '\0';
	rig->have -= len + 1;
	memmove(rig->text, end + 1, rig->have);
	return true;
}

// Waits for the generator's next line. -ETIME, -ECHILD, -EINTR, ... with `why`.
static int rig_line(struct selftest_rig *rig, unsigned timeout_ms, char line[SELFTEST_LINE_MAX],
	char why[CONFIG_WHY_MAX])
{
	uint64_t end = clock_mono_ms() + timeout_ms;
	while (!line_cut(rig, line)) {
		int ret = children_check(rig, why);
		progress_step(&rig->progress);
		if (ret < 0)
			return ret;
		if (clock_mono_ms() > end || rig->have == sizeof(rig->text))
			return why_set(why, -ETIME, "weir-loadgen says nothing");
		struct pollfd p = {.fd = rig->lines_fd, .events = POLLIN};
		if (poll(&p, 1, POLL_MS) <= 0)
			continue;
		ssize_t n =
			read(rig->lines_fd, rig->text + rig->have, sizeof(rig->text) - rig->have);
		if (n > 0)
			rig->have += (size_t)n;
		else
			sleep_ms(POLL_MS); // closed: children_check sees the generator's end
	}
	return 0;
}

static void child_stop(struct selftest_rig *rig, enum selftest_process which)
{
	pid_t pid = rig->pid[which];
	if (!pid)
		return;
	kill(pid, SIGTERM);
	for (unsigned i = 0; i < STOP_MS / POLL_MS; i++) {
		if (waitpid(pid, NULL, WNOHANG) == pid)
			return;
		sleep_ms(POLL_MS);
	}
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

static int remove_one(const char *path, const struct stat *, int, struct FTW *)
{
	(void)!remove(path); // after an error its directory stays, too
	return 0;
}

static void directories_remove(struct selftest_rig *rig)
{
	const struct config *c = rig->inner.config;
	struct shm_paths paths;
	char why[SHM_WHY_MAX];
	if (c && shm_paths_find(&paths, c->runtime.directory, c->runtime.hugepages, why) == 0)
		shm_paths_remove(&paths);
	if (*rig->dir)
		nftw(rig->dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static void rig_stop(struct selftest_rig *rig)
{
	progress_end(&rig->progress);
	// The data plane stops before the generator: in DPDK 22.11 a memif server loses its rings
	// with its client.
	child_stop(rig, SELFTEST_DATA);
	if (rig->hold_fd >= 0)
		close(rig->hold_fd);
	child_stop(rig, SELFTEST_LOAD);
	child_stop(rig, SELFTEST_CONTROL);
	child_stop(rig, SELFTEST_UPSTREAM);
	if (rig->lines_fd >= 0)
		close(rig->lines_fd);
	directories_remove(rig);
	ctl_close(&rig->inner);
}

enum { LINES_MAX = 6, WARM_MS = 220000, SPARE_MS = 30000, PHASES = 4, ALONE_S = 1 };

struct line { // a result of the generator
	struct json_doc *doc;
	const struct json_node *root;
};

struct found {
	struct line line[LINES_MAX]; // warm-up, full load, 1/4, 1/2, 3/4 of it, one at a time
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

static int lines_read(
	struct selftest_rig *rig, unsigned seconds, struct found *f, char why[CONFIG_WHY_MAX])
{
	char text[SELFTEST_LINE_MAX];
	rig_tell(rig, "filling its cache", 0);
	while (f->count < LINES_MAX) {
		unsigned wait_ms = f->count == 0 ? WARM_MS : 1000 * seconds + SPARE_MS;
		int rc = rig_line(rig, wait_ms, text, why);
		if (rc < 0)
			return rc;
		struct line *l = &f->line[f->count];
		l->doc = json_doc_parse(text, strlen(text));
		if (!l->doc)
			continue; // a message of a DPDK library
		l->root = json_doc_root(l->doc);
		f->asked += json_count(l->root, "asked");
		f->lost += json_count(l->root, "lost");
		// During the warm-up a name that is not cached yet may be late.
		f->late += f->count ? json_count(l->root, "asked_again") : 0;
		f->bad += json_count(l->root, "bad");
		if (f->count++ == 0)
			rig_tell(rig, "measuring", PHASES * seconds + ALONE_S);
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
	// Only the part at a quarter of the load decides: at full load the generator never
	// catches up after a pause.
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
	int rc = rig_start(rig, c->config, cpus, seconds, why);
	if (rc == 0)
		rc = lines_read(rig, seconds, &f, why);
	rig_stop(rig);
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

static int cmd_selftest(struct ctl *c)
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

CTL_COMMANDS = {
	{"selftest", NULL, 0, 0, CTL_OPT_RATE | CTL_OPT_SECONDS | CTL_OPT_FORCE | CTL_OPT_LOCAL,
		cmd_selftest, "--rate [--seconds S] [--force]",
		"Measure this machine: start a second weir, and send it queries for 4 S seconds."},
};
