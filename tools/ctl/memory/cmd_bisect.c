// SPDX-License-Identifier: BSD-3-Clause
// Which part of the control plane grows: one toggle after the other is turned, under a load that is
// held, and the slopes of all accounts measured each time (bisect.h).

#include "bisect_out.h"
#include "lib/http_get.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
	STEPS_MAX = 16,
	SECONDS_LEAST = 5,
	SECONDS_MOST = 6 * 3600,
	SECONDS_USUAL = 60,
	PROGRESS_S = 60,
	SETTLE_S = 1,
	LOOKS_MOST = 3,
	STOP_MS = 5000
};

struct bisect {
	struct ctl *ctl;
	unsigned seconds, count;
	pid_t load; // 0: none
	struct bisect_step step[STEPS_MAX];
	struct bisect_finding found;
};

static volatile sig_atomic_t interrupted;

static void on_signal(int)
{
	interrupted = 1;
}

static void wait_s(unsigned seconds)
{
	struct timespec left = {.tv_sec = seconds};
	while (!interrupted && nanosleep(&left, &left) < 0 && errno == EINTR)
		;
}

// A line each minute: measuring may take hours.
static void wait_shown(const struct bisect *b)
{
	for (unsigned done = 0; done < b->seconds && !interrupted;) {
		unsigned step = b->seconds - done < PROGRESS_S ? b->seconds - done : PROGRESS_S;
		wait_s(step);
		done += step;
		if (!b->ctl->json && done < b->seconds)
			fprintf(stderr, "  %u of %u s\n", done, b->seconds);
	}
}

static pid_t load_start(const char *command)
{
	pid_t pid = fork();
	if (pid != 0)
		return pid;
	setpgid(0, 0);
	// What it says is no part of the result; a read from the terminal would stop it.
	int none = open("/dev/null", O_RDONLY);
	if (none < 0 || dup2(none, STDIN_FILENO) < 0 || dup2(STDERR_FILENO, STDOUT_FILENO) < 0)
		_exit(126);
	execl("/bin/sh", "sh", "-c", command, NULL);
	_exit(127);
}

static bool load_ended(struct bisect *b)
{
	if (b->load <= 0 || waitpid(b->load, NULL, WNOHANG) == 0)
		return false;
	kill(-b->load, SIGTERM); // what it left behind
	b->load = 0;
	return true;
}

// It, and what it started.
static void load_stop(struct bisect *b)
{
	const struct timespec step = {.tv_nsec = 100000000};
	pid_t pid = b->load;
	if (pid <= 0)
		return;
	kill(-pid, SIGTERM);
	kill(pid, SIGTERM);
	for (unsigned i = 0; i < STOP_MS / 100; i++) {
		if (load_ended(b))
			return;
		nanosleep(&step, NULL);
	}
	kill(-pid, SIGKILL);
	(void)waitpid(pid, NULL, 0);
}

static bool toggle_switch(struct bisect *b, const struct bisect_step *s, bool back)
{
	const struct http_param params[] = {
		{"toggle", s->name}, {"value", back ? "default" : s->value}, {NULL, NULL}};
	if (!*s->name)
		return true;
	struct json_doc *doc = http_call_or_fail(b->ctl, true, "/set", params, HTTP_BUILD_MS);
	json_doc_free(doc);
	return doc != NULL;
}

static bool slope_look(struct bisect *b, struct bisect_step *s, unsigned span_s)
{
	char seconds[16];
	snprintf(seconds, sizeof(seconds), "%u", span_s);
	const struct http_param params[] = {{"seconds", seconds}, {NULL, NULL}};
	struct json_doc *doc =
		http_call_or_fail(b->ctl, false, "/memory/slope", params, HTTP_SHORT_MS);
	if (!doc)
		return false;
	bisect_slopes_take(s, json_doc_root(doc));
	json_doc_free(doc);
	return true;
}

static bool is_known(const struct bisect_step *s)
{
	const struct bisect_series *heap = bisect_series_find(s, "heap");
	return heap && heap->known;
}

// What the toggle, or the load that has just begun, changes at once may bend the line so much that
// nothing is known of its slope; then it examines the time after that. Where it is but noise, more
// of it will do: all of the time. Gives how many seconds that was.
static unsigned slope_find(struct bisect *b, struct bisect_step *s)
{
	unsigned looks = 0;
	while (looks < LOOKS_MOST && !is_known(s) && !interrupted) {
		looks++;
		wait_shown(b);
		if (!slope_look(b, s, b->seconds)
			|| (looks > 1 && !is_known(s) && !slope_look(b, s, looks * b->seconds)))
			return 0;
	}
	return looks * b->seconds;
}

static struct json_doc *memory_look(struct bisect *b)
{
	return http_call_or_fail(b->ctl, false, "/mem", NULL, HTTP_SHORT_MS);
}

static bool step_measure(struct bisect *b, struct bisect_step *s)
{
	struct json_doc *before = memory_look(b), *after = NULL;
	unsigned seconds = before ? slope_find(b, s) : 0;
	if (seconds)
		after = memory_look(b);
	if (after)
		bisect_memory_take(s, json_doc_root(before), json_doc_root(after), seconds);
	json_doc_free(before);
	json_doc_free(after);
	return after;
}

static bool step_run(struct bisect *b, struct bisect_step *s)
{
	if (!toggle_switch(b, s, false)) {
		// The reply may be what failed, and the toggle be turned.
		(void)toggle_switch(b, s, true);
		return false;
	}
	wait_s(SETTLE_S);
	bool measured = step_measure(b, s);
	return toggle_switch(b, s, true) && measured;
}

static bool is_wanted(const char *wanted, const char *name)
{
	size_t len = strlen(name);
	if (!wanted)
		return true;
	for (const char *at = wanted; *at; at += *at == ',') {
		size_t n = strcspn(at, ",");
		if (n == len && memcmp(at, name, len) == 0)
			return true;
		at += n;
	}
	return false;
}

// Step 0 and the last one leave all as usual; between them each toggle that was asked for.
static int steps_make(struct bisect *b)
{
	struct json_doc *doc = http_call_or_fail(b->ctl, false, "/toggles", NULL, HTTP_SHORT_MS);
	if (!doc)
		return CTL_FAILED;
	const struct json_node *list = json_get(json_doc_root(doc), "toggles");
	b->count = 1;
	for (size_t i = 0; i < json_length(list) && b->count < STEPS_MAX - 1; i++) {
		const struct json_node *n = json_at(list, i);
		const char *name = json_text(n, "name");
		if (!is_wanted(b->ctl->operand, name))
			continue;
		struct bisect_step *s = &b->step[b->count++];
		snprintf(s->name, sizeof(s->name), "%s", name);
		snprintf(
			s->value, sizeof(s->value), "%s", json_count(n, "usual") > 1 ? "2" : "off");
	}
	json_doc_free(doc);
	if (b->count == 1)
		return ctl_fail(b->ctl, "no such toggle; weirctl toggles lists them");
	b->count++;
	return CTL_OK;
}

static int steps_run(struct bisect *b)
{
	for (unsigned i = 0; i < b->count; i++) {
		struct bisect_step *s = &b->step[i];
		if (!b->ctl->json)
			fprintf(stderr, "%u of %u: %s %s, %u s\n", i + 1, b->count,
				*s->name ? s->name : "all as usual", s->value, b->seconds);
		if (!step_run(b, s))
			return CTL_FAILED;
		if (interrupted)
			return ctl_fail(b->ctl, "interrupted");
		if (load_ended(b))
			return ctl_fail(b->ctl, "the load ended before all was measured");
	}
	b->found = bisect_judge(b->step, b->count);
	if (b->ctl->json)
		bisect_json(b->step, b->count, &b->found);
	else
		bisect_print(b->step, b->count, &b->found);
	return CTL_OK;
}

int cmd_bisect(struct ctl *c)
{
	static struct bisect b;
	b = (struct bisect){.ctl = c,
		.seconds = c->given & CTL_OPT_SECONDS ? c->seconds : (unsigned)SECONDS_USUAL};
	if (b.seconds < SECONDS_LEAST || b.seconds > SECONDS_MOST) {
		fprintf(stderr, "weirctl: bisect takes --seconds from %d to %d\n", SECONDS_LEAST,
			SECONDS_MOST);
		return CTL_USAGE;
	}
	if (ctl_open(c) != CTL_OK || steps_make(&b) != CTL_OK)
		return CTL_FAILED;
	struct sigaction act = {.sa_handler = on_signal};
	sigaction(SIGINT, &act, NULL);
	sigaction(SIGTERM, &act, NULL);
	if (c->load)
		b.load = load_start(c->load);
	int rc = b.load < 0 ? ctl_fail(c, "fork: %s", strerror(errno)) : steps_run(&b);
	load_stop(&b);
	return rc;
}
