// SPDX-License-Identifier: BSD-3-Clause
// Which part of the control plane grows: one toggle after the other is turned, under a load that is
// held, and the heap's slope measured each time.

#include "lib/http_get.h"
#include "lib/table_out.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
	STEPS_MAX = 16,
	SECONDS_LEAST = 5,
	SECONDS_MOST = 300,
	SECONDS_USUAL = 60,
	SETTLE_S = 1,
	LOOKS_MOST = 3,
	STOP_MS = 5000
};

struct step {
	char name[40], value[8]; // "" is the first: all as usual
	double slope, half;      // bytes an hour, of the heap
	bool known;
	double queries_per_s;
	char grower[32]; // the account that grew most
	double growth;
	char filling[32]; // the table that fills fastest; "": none
};

enum verdict { VERDICT_UNKNOWN, VERDICT_NO_GROWTH, VERDICT_NO_TOGGLE, VERDICT_SUSPECT };

static const struct {
	const char *name, *text;
} verdicts[] = {
	[VERDICT_UNKNOWN] = {"unknown",
		"the slope with default toggles is not precise enough: measure longer"},
	[VERDICT_NO_GROWTH] = {"no-growth", "no significant growth with default toggles"},
	[VERDICT_NO_TOGGLE] = {"no-toggle", "no toggle stops the growth"},
	[VERDICT_SUSPECT] = {"suspect", ""},
};

struct bisect {
	struct ctl *ctl;
	unsigned seconds, count;
	pid_t load; // 0: none
	struct step step[STEPS_MAX];
	enum verdict verdict;
	unsigned suspect; // with VERDICT_SUSPECT
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

static bool toggle_switch(struct bisect *b, const struct step *s, bool back)
{
	const struct http_param params[] = {
		{"toggle", s->name}, {"value", back ? "default" : s->value}, {NULL, NULL}};
	if (!*s->name)
		return true;
	struct json_doc *doc = http_call_or_fail(b->ctl, true, "/set", params, HTTP_BUILD_MS);
	json_doc_free(doc);
	return doc != NULL;
}

// A process as a whole, of which accounts are parts.
static bool is_sum(const char *series)
{
	static const char dataplane[] = "dataplane.";
	if (strncmp(series, dataplane, sizeof(dataplane) - 1) == 0)
		series += sizeof(dataplane) - 1;
	return strcmp(series, "rss") == 0 || strcmp(series, "anonymous") == 0;
}

static void slope_take(struct step *s, const struct json_node *root)
{
	const struct json_node *list = json_get(root, "bytes");
	s->queries_per_s = (double)json_count(root, "queries_per_s");
	s->growth = 0;
	snprintf(s->filling, sizeof(s->filling), "%s", json_text(root, "filling"));
	for (size_t i = 0; i < json_length(list); i++) {
		const struct json_node *n = json_at(list, i);
		const char *name = json_text(n, "name");
		double slope = (double)json_signed(n, "per_hour");
		if (strcmp(name, "heap") == 0) {
			s->slope = slope;
			s->half = (double)json_count(n, "plus_minus");
			s->known = json_flag(n, "known");
		} else if (!is_sum(name) && slope > s->growth) {
			s->growth = slope;
			snprintf(s->grower, sizeof(s->grower), "%s", name);
		}
	}
}

static bool slope_look(struct bisect *b, struct step *s, unsigned span_s)
{
	char seconds[16];
	snprintf(seconds, sizeof(seconds), "%u", span_s);
	const struct http_param params[] = {{"seconds", seconds}, {NULL, NULL}};
	struct json_doc *doc =
		http_call_or_fail(b->ctl, false, "/memory/slope", params, HTTP_SHORT_MS);
	if (!doc)
		return false;
	slope_take(s, json_doc_root(doc));
	json_doc_free(doc);
	return true;
}

// What the toggle, or the load that has just begun, changes at once may bend the line so much that
// nothing is known of its slope; then the time after that is looked at. Where it is but noise, more
// of it will do: all of the time.
static bool slope_find(struct bisect *b, struct step *s)
{
	for (unsigned i = 1; i <= LOOKS_MOST && !s->known && !interrupted; i++) {
		wait_s(b->seconds);
		if (!slope_look(b, s, b->seconds)
			|| (i > 1 && !s->known && !slope_look(b, s, i * b->seconds)))
			return false;
	}
	return true;
}

static bool step_run(struct bisect *b, struct step *s)
{
	if (!toggle_switch(b, s, false)) {
		// The reply may be what failed, and the toggle be turned.
		(void)toggle_switch(b, s, true);
		return false;
	}
	wait_s(SETTLE_S);
	bool looked = slope_find(b, s);
	return toggle_switch(b, s, true) && looked;
}

// The toggle whose slope is the lowest of those whose whole interval lies below that of the first
// and last steps, in which all is as usual; and below half of it.
static void suspect_find(struct bisect *b)
{
	const struct step *first = &b->step[0], *last = &b->step[b->count - 1];
	const struct step *least = last->slope < first->slope ? last : first;
	b->verdict = !first->known || !last->known     ? VERDICT_UNKNOWN
		     : least->slope - least->half <= 0 ? VERDICT_NO_GROWTH
						       : VERDICT_NO_TOGGLE;
	if (b->verdict != VERDICT_NO_TOGGLE)
		return;
	for (unsigned i = 1; i + 1 < b->count; i++) {
		const struct step *s = &b->step[i];
		if (!s->known || s->slope + s->half >= least->slope - least->half
			|| s->slope > least->slope / 2)
			continue;
		if (b->verdict != VERDICT_SUSPECT || s->slope < b->step[b->suspect].slope)
			b->suspect = i;
		b->verdict = VERDICT_SUSPECT;
	}
}

static void bisect_print(const struct bisect *b)
{
	static const char *const heads[] = {
		"toggle", "is", ">MiB/h", ">+-", ">queries/s", "grows most", ">MiB/h", NULL};
	struct table *t = table_new(heads);
	for (unsigned i = 0; i < b->count; i++) {
		const struct step *s = &b->step[i];
		table_cell(t, "%s", *s->name ? s->name : "all as usual");
		table_cell(t, "%s", s->value);
		table_cell(t, "%+.3f", s->slope / 1048576);
		if (s->known)
			table_cell(t, "%.3f", s->half / 1048576);
		else
			table_cell(t, "?");
		table_cell(t, "%.0f", s->queries_per_s);
		table_cell(t, "%s", s->grower);
		table_cell(t, "%+.3f", s->growth / 1048576);
		table_row_end(t);
	}
	table_print(t);
	if (b->verdict == VERDICT_SUSPECT)
		printf("\nsuspect: %s; without it growth is %.0f%% less\n",
			b->step[b->suspect].name,
			100 * (1 - fmax(0, b->step[b->suspect].slope) / b->step[0].slope));
	else
		printf("\nno suspect: %s\n", verdicts[b->verdict].text);
	const char *filling = b->step[b->count - 1].filling;
	if (*filling)
		printf("table %s fills, which is growth too: measure again when it is full\n",
			filling);
}

static void bisect_json(const struct bisect *b)
{
	struct json_doc *doc = json_doc_new();
	struct json_node *root = json_doc_root(doc), *list = json_put_array(root, "steps");
	for (unsigned i = 0; i < b->count; i++) {
		const struct step *s = &b->step[i];
		struct json_node *n = json_put_object(list, NULL);
		json_put_text(n, "toggle", s->name);
		json_put_text(n, "value", s->value);
		json_put_real(n, "per_hour", s->slope);
		json_put_real(n, "plus_minus", s->half);
		json_put_bool(n, "known", s->known);
		json_put_real(n, "queries_per_s", s->queries_per_s);
		json_put_text(n, "grower", s->grower);
		json_put_text(n, "filling", s->filling);
	}
	json_put_text(root, "verdict", verdicts[b->verdict].name);
	json_put_text(
		root, "suspect", b->verdict == VERDICT_SUSPECT ? b->step[b->suspect].name : "");
	json_doc_end(doc);
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
		struct step *s = &b->step[b->count++];
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
		struct step *s = &b->step[i];
		if (!b->ctl->json)
			fprintf(stderr, "%u of %u: %s %s\n", i + 1, b->count,
				*s->name ? s->name : "all as usual", s->value);
		if (!step_run(b, s))
			return CTL_FAILED;
		if (interrupted)
			return ctl_fail(b->ctl, "interrupted");
		if (load_ended(b))
			return ctl_fail(b->ctl, "the load ended before all was measured");
	}
	suspect_find(b);
	if (b->ctl->json)
		bisect_json(b);
	else
		bisect_print(b);
	return CTL_OK;
}

int cmd_bisect(struct ctl *c)
{
	struct bisect b = {.ctl = c,
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
