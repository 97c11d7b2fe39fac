// SPDX-License-Identifier: BSD-3-Clause
// Finds the part of the control plane that grows: turns one toggle after the other under a constant
// load, and measures the slopes of all accounts each time (bisect.h).

#include "bisect.h"
#include "lib/http_get.h"
#include "lib/table_cell.h"
#include "terminal/term_text.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <weir/clock.h>

enum { SHOWN_MAX = 512 };

static const struct {
	const char *name, *text;
} verdicts[BISECT_VERDICT_COUNT] = {
	[BISECT_UNKNOWN] = {"unknown",
		"the slope with default toggles is not precise enough: measure longer"},
	[BISECT_NO_GROWTH] = {"no-growth", "no significant growth with default toggles"},
	[BISECT_NO_TOGGLE] = {"no-toggle", "no toggle stops the growth"},
	[BISECT_SUSPECT] = {"suspect", ""},
};

static void slope_cells(struct table *t, const struct bisect_series *s)
{
	table_cell(t, "%+.3f", s ? s->slope / 1048576 : 0);
	if (s && s->known)
		table_cell(t, "%.3f", s->half / 1048576);
	else
		table_cell(t, "?");
}

static void finding_print(
	const struct bisect_step *step, unsigned count, const struct bisect_finding *f)
{
	char series[SHOWN_MAX], site[SHOWN_MAX], filling[SHOWN_MAX];
	term_text(f->series, series, sizeof(series));
	term_text(f->site, site, sizeof(site));
	term_text(step[count - 1].filling, filling, sizeof(filling));
	if (f->verdict == BISECT_SUSPECT) {
		printf("\nsuspect: %s; without it %s grows by %.3f MiB an hour, else by %.3f\n",
			step[f->step].name, series, f->without / 1048576, f->usual / 1048576);
		if (*site)
			printf("most of it is allocated by %s\n", site);
		return;
	}
	printf("\nno suspect: %s\n", verdicts[f->verdict].text);
	if (*series)
		printf("grows most beyond its tables: %s%s%s\n", series,
			*site ? ", allocated by " : "", site);
	if (*filling)
		printf("table %s fills, which is growth too: measure again when it is full\n",
			filling);
}

static void bisect_print(
	const struct bisect_step *step, unsigned count, const struct bisect_finding *f)
{
	static const char *const heads[] = {"toggle", "is", ">MiB/h", ">+-", ">queries/s",
		">bytes/1M queries", "grows most", ">MiB/h", ">+-", NULL};
	struct table *t = table_new(heads);
	for (unsigned i = 0; i < count; i++) {
		const struct bisect_step *s = &step[i];
		const struct bisect_series *heap = bisect_series_find(s, "heap");
		const struct bisect_series *most = bisect_grower(s);
		table_cell(t, "%s", *s->name ? s->name : "all as usual");
		table_cell(t, "%s", s->value);
		slope_cells(t, heap);
		table_cell(t, "%.0f", s->queries_per_s);
		table_cell(t, "%.0f", bisect_per_million(s, heap ? heap->slope : 0));
		table_cell(t, "%s", most ? most->name : "");
		slope_cells(t, most);
		table_row_end(t);
	}
	table_print(t);
	finding_print(step, count, f);
}

static void slope_put(
	struct json_node *n, const struct bisect_step *s, const struct bisect_series *one)
{
	json_put_real(n, "per_hour", one ? one->slope : 0);
	json_put_real(n, "plus_minus", one ? one->half : 0);
	json_put_bool(n, "known", one && one->known);
	json_put_real(n, "per_million_queries", bisect_per_million(s, one ? one->slope : 0));
}

static void step_json(struct json_node *n, const struct bisect_step *s)
{
	const struct bisect_series *most = bisect_grower(s);
	json_put_text(n, "toggle", s->name);
	json_put_text(n, "value", s->value);
	slope_put(n, s, bisect_series_find(s, "heap"));
	json_put_real(n, "queries_per_s", s->queries_per_s);
	json_put_text(n, "grower", most ? most->name : "");
	json_put_text(n, "filling", s->filling);
	struct json_node *list = json_put_array(n, "accounts");
	for (unsigned i = 0; i < s->count; i++) {
		struct json_node *one = json_put_object(list, NULL);
		json_put_text(one, "name", s->series[i].name);
		slope_put(one, s, &s->series[i]);
	}
	list = json_put_array(n, "sites");
	for (unsigned i = 0; i < s->sites; i++) {
		struct json_node *one = json_put_object(list, NULL);
		json_put_text(one, "name", s->site[i].name);
		json_put_text(one, "account", s->site[i].account);
		json_put_real(one, "per_hour", s->site[i].slope);
	}
}

static void bisect_json(
	const struct bisect_step *step, unsigned count, const struct bisect_finding *f)
{
	struct json_doc *doc = json_doc_new();
	struct json_node *root = json_doc_root(doc), *list = json_put_array(root, "steps");
	for (unsigned i = 0; i < count; i++)
		step_json(json_put_object(list, NULL), &step[i]);
	json_put_text(root, "verdict", verdicts[f->verdict].name);
	json_put_text(root, "suspect", f->verdict == BISECT_SUSPECT ? step[f->step].name : "");
	json_put_text(root, "account", f->series);
	json_put_text(root, "site", f->site);
	json_put_real(root, "usual_per_hour", f->usual);
	json_put_real(root, "without_per_hour", f->without);
	json_doc_end(doc);
}

enum {
	STEPS_MAX = 16,
	SECONDS_LEAST = 5,
	SECONDS_MOST = 6 * 3600,
	SECONDS_USUAL = 60,
	PROGRESS_S = 60,
	SETTLE_S = 1,
	LOOKS_MOST = 3,
	STOP_MS = 5000,
	BACK_MS = 60000 // for so long a toggle is put back, the last try some seconds longer
};

struct bisect {
	struct ctl *ctl;
	unsigned seconds, count;
	pid_t load; // 0: no load
	struct bisect_step step[STEPS_MAX];
	struct bisect_finding found;
	bool is_told; // an error message says what stays
	// The last call that failed.
	enum http_outcome outcome;
	char why[HTTP_WHY_MAX];
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

// Waits, and prints a line each minute: a measurement may take hours.
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
	signal(SIGPIPE, SIG_DFL);
	// The output of the load is no part of the result; a read from the terminal would stop the
	// load.
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
	kill(-b->load, SIGTERM); // children of the load that still run
	b->load = 0;
	return true;
}

// Stops the load and its children.
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

static enum http_outcome toggle_set(struct bisect *b, const char *toggle, const char *value,
	unsigned timeout_ms, char why[HTTP_WHY_MAX])
{
	const struct http_param params[] = {{"toggle", toggle}, {"value", value}, {NULL, NULL}};
	struct json_doc *doc;
	enum http_outcome outcome = http_call(b->ctl, true, "/set", params, timeout_ms, &doc, why);
	json_doc_free(doc);
	return outcome;
}

static enum http_outcome toggle_turn(struct bisect *b, const struct bisect_step *s)
{
	if (*s->name)
		b->outcome = toggle_set(b, s->name, s->value, HTTP_BUILD_MS, b->why);
	return *s->name ? b->outcome : HTTP_OK;
}

// A refused toggle is as it was.
static bool is_refusal(enum http_outcome outcome)
{
	return outcome == HTTP_REFUSED || outcome == HTTP_MISSING || http_is_denied(outcome);
}

// Tries again for BACK_MS, also after a signal: with the toggle left off, clients may get no
// answers.
static bool toggle_back(struct bisect *b, const struct bisect_step *s)
{
	const struct timespec pause = {.tv_sec = 1};
	const uint64_t end_ms = clock_mono_ms() + BACK_MS;
	char why[HTTP_WHY_MAX];
	if (!*s->name)
		return true;
	for (uint64_t now_ms = end_ms - BACK_MS; now_ms < end_ms; now_ms = clock_mono_ms()) {
		const uint64_t left_ms = end_ms - now_ms;
		const unsigned most_ms =
			left_ms > HTTP_SHORT_MS ? (unsigned)left_ms : HTTP_SHORT_MS;
		if (toggle_set(b, s->name, "default", most_ms, why) == HTTP_OK)
			return true;
		nanosleep(&pause, NULL);
	}
	b->is_told = true;
	ctl_fail(b->ctl,
		"toggle %s stays %s: it could not be put back in %d s (%s); weirctl set %s default "
		"puts it back",
		s->name, s->value, BACK_MS / 1000, why, s->name);
	return false;
}

static struct json_doc *fetch(struct bisect *b, const char *path, const struct http_param *params)
{
	struct json_doc *doc;
	const enum http_outcome outcome =
		http_call(b->ctl, false, path, params, HTTP_SHORT_MS, &doc, b->why);
	if (outcome == HTTP_OK)
		return doc;
	b->outcome = outcome;
	json_doc_free(doc);
	return NULL;
}

static bool slope_fetch(struct bisect *b, struct bisect_step *s, unsigned span_s)
{
	char seconds[16];
	snprintf(seconds, sizeof(seconds), "%u", span_s);
	const struct http_param params[] = {{"seconds", seconds}, {NULL, NULL}};
	struct json_doc *doc = fetch(b, "/memory/slope", params);
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

// Measures until the slope of the heap is known, LOOKS_MOST times at most. An effect of the toggle,
// or of a load that has just begun, may bend the line so much that its slope is unknown: then the
// next span is measured. Noise needs a longer span: then all spans together are. Returns the
// seconds; 0: failed.
static unsigned slope_find(struct bisect *b, struct bisect_step *s)
{
	unsigned looks = 0;
	while (looks < LOOKS_MOST && !is_known(s) && !interrupted) {
		looks++;
		wait_shown(b);
		if (!slope_fetch(b, s, b->seconds)
			|| (looks > 1 && !is_known(s) && !slope_fetch(b, s, looks * b->seconds)))
			return 0;
	}
	return looks * b->seconds;
}

static bool step_measure(struct bisect *b, struct bisect_step *s)
{
	struct json_doc *before = fetch(b, "/mem", NULL), *after = NULL;
	unsigned seconds = before ? slope_find(b, s) : 0;
	if (seconds)
		after = fetch(b, "/mem", NULL);
	if (after)
		bisect_memory_take(s, json_doc_root(before), json_doc_root(after), seconds);
	json_doc_free(before);
	json_doc_free(after);
	return after;
}

static bool step_run(struct bisect *b, struct bisect_step *s)
{
	const enum http_outcome turned = toggle_turn(b, s);
	if (is_refusal(turned))
		return false;
	// Puts it back also after a failure: perhaps only the reply was lost.
	bool measured = turned == HTTP_OK;
	if (measured) {
		wait_s(SETTLE_S);
		measured = step_measure(b, s);
	}
	return toggle_back(b, s) && measured;
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

// Makes the steps: one without a toggle, one for each wanted toggle, and one more without.
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
		bool done = step_run(b, s);
		if (b->is_told)
			return CTL_FAILED;
		if (interrupted)
			return ctl_fail(b->ctl, "interrupted");
		if (!done) {
			http_fail(b->ctl, b->outcome, b->why);
			return CTL_FAILED;
		}
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

// Notes what ends the command, for steps_run. A terminal that goes sends SIGHUP, and closes the
// pipe to a `tee`; nohup keeps SIGHUP ignored.
static void signals_catch(void)
{
	const struct sigaction note = {.sa_handler = on_signal}, ignore = {.sa_handler = SIG_IGN};
	struct sigaction hangup;
	sigaction(SIGINT, &note, NULL);
	sigaction(SIGTERM, &note, NULL);
	sigaction(SIGPIPE, &ignore, NULL);
	if (sigaction(SIGHUP, NULL, &hangup) == 0 && hangup.sa_handler != SIG_IGN)
		sigaction(SIGHUP, &note, NULL);
}

static int cmd_bisect(struct ctl *c)
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
	signals_catch();
	if (c->load)
		b.load = load_start(c->load);
	int rc = b.load < 0 ? ctl_fail(c, "fork: %s", strerror(errno)) : steps_run(&b);
	load_stop(&b);
	return rc;
}

CTL_COMMANDS = {
	{"bisect", NULL, 0, 1, CTL_OPT_SECONDS | CTL_OPT_LOAD, cmd_bisect,
		"[TOGGLE,...] [--seconds S] [--load COMMAND]",
		"Find the part that grows: change one toggle at a time for S seconds (60) while "
		"COMMAND runs."},
};
