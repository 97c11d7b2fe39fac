// SPDX-License-Identifier: BSD-3-Clause
#include "selftest_rig.h"

#include "lib/view.h"
#include "selftest_upstream.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <weir/clock.h>

enum { STOP_MS = 5000, POLL_MS = 50, ARGS_MAX = 24, NUMBER_MAX = 24 };

// Set by a signal handler, which has nothing else to write to.
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

// Beside us in a build tree, else where they were installed.
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

// In the child. `in` and `out`: descriptors that become standard input and output.
static void child_exec(
	const struct selftest_rig *rig, pid_t parent, const char *const args[], int in, int out)
{
	char log[64];
	snprintf(log, sizeof(log), "%s/log", rig->dir);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	// The terminal's Ctrl-C is for us, who then end the others in their order.
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

// A process that ended is said with the last that they wrote.
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

// Lists are built and the worker has taken everything over.
static bool is_ready(struct selftest_rig *rig)
{
	const struct config_runtime *r = &rig->inner.config->runtime;
	char why[SHM_WHY_MAX];
	struct view v;
	// The directories come with the first process.
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

static void signals_take(void)
{
	struct sigaction action = {.sa_handler = on_signal};
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGHUP, &action, NULL);
}

int selftest_rig_start(struct selftest_rig *rig, const struct config *c,
	const struct selftest_cpus *cpus, unsigned seconds, char why[CONFIG_WHY_MAX])
{
	uint16_t port;
	*rig = (struct selftest_rig){.lines_fd = -1, .hold_fd = -1};
	int ret = programs_find(rig, why);
	if (ret < 0)
		return ret;
	signals_take();
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
	selftest_rig_tell(rig, "starting a weir of its own", 0);
	ret = weir_start(rig, why);
	if (ret < 0)
		return ret;
	ret = load_start(rig, cpus->load, seconds);
	return ret < 0 ? why_set(why, ret, "weir-loadgen: %s", strerror(-ret)) : 0;
}

// One line off the front of what was read; false: there is no whole one.
static bool line_take(struct selftest_rig *rig, char line[SELFTEST_LINE_MAX])
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

int selftest_rig_line(struct selftest_rig *rig, unsigned timeout_ms, char line[SELFTEST_LINE_MAX],
	char why[CONFIG_WHY_MAX])
{
	uint64_t end = clock_mono_ms() + timeout_ms;
	while (!line_take(rig, line)) {
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
			sleep_ms(POLL_MS); // it has closed its end; that it ends is seen above
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
	(void)!remove(path); // what cannot go keeps its directory, which is found again there
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

void selftest_rig_tell(struct selftest_rig *rig, const char *what, unsigned total_s)
{
	progress_end(&rig->progress);
	rig->progress = progress_begin(what, total_s);
}

void selftest_rig_stop(struct selftest_rig *rig)
{
	progress_end(&rig->progress);
	// The data plane before the generator (DPDK 22.11 takes a memif server's rings away with
	// its client).
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
