// SPDX-License-Identifier: BSD-3-Clause
// Waits for a condition (`wait`), and for the end of a drain (`drain`, `undrain`). It asks again at
// a bounded pace, because a box has only eight streams of events, and goes on while the control
// plane restarts.

#include "lib/figure.h"
#include "lib/http_get.h"
#include "lib/say.h"
#include "lib/show.h"
#include "lib/stats_out.h"
#include "lib/view.h"
#include "lib/wait_condition.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <weir/clock.h>

enum { FOR_MS = 60000, PACE_MS = 25, PACE_REMOTE_MS = 250, PACE_MOST_MS = 1000 };
#define AFTER_ALL "999999999999999999" // a number that no event has yet

struct waiter {
	const struct ctl *ctl;
	struct wait_condition condition;
	uint64_t begin_ms, for_ms; // CLOCK_MONOTONIC
	char after[24];            // number of the last event before the wait; "": not known yet
	char seen[WAIT_TEXT_MAX];
};

static uint64_t waited_ms(const struct waiter *w)
{
	return clock_ms_of(CLOCK_MONOTONIC) - w->begin_ms;
}

// Does the data plane alone have what the condition looks at?
static bool is_of_dataplane(const struct wait_condition *condition)
{
	static const char start[] = "dataplane.";
	return condition->kind == WAIT_COUNTER
	       && strncmp(condition->name, start, sizeof(start) - 1) == 0;
}

// Fetches a document from the statistics of both processes. NULL: `seen` says what is missing.
// `*outcome`: the result of the call to the control plane, if the condition needs that.
static struct json_doc *view_fetch(struct waiter *w, enum http_outcome *outcome)
{
	const bool is_stats = w->condition.source == WAIT_STATS;
	struct json_doc *doc = NULL;
	struct view v;
	if (view_take(w->ctl, is_stats ? "/stats" : "/status", &v) != CTL_OK)
		return NULL;
	if (!v.has_stats || !is_of_dataplane(&w->condition))
		*outcome = v.outcome;
	if (!http_is_denied(*outcome) && (v.control || v.has_stats))
		doc = is_stats ? stats_doc(&v, &(struct stats_rates){0}) : view_status_doc(&v);
	else
		snprintf(w->seen, sizeof(w->seen), "%s",
			*v.why_control ? v.why_control : "the control plane is down");
	view_free(&v);
	return doc;
}

// Fetches the reply of one endpoint. NULL: `seen` says what is missing. `*outcome`: the result of
// the call, by which the caller knows whether another try can help.
static struct json_doc *reply_fetch(struct waiter *w, enum http_outcome *outcome)
{
	static const char *const paths[] = {[WAIT_UPSTREAMS] = "/upstreams",
		[WAIT_BLOCKLIST] = "/blocklist",
		[WAIT_TCP] = "/tcp",
		[WAIT_OF_READY] = "/ready",
		[WAIT_OF_FLEET] = "/fleet",
		[WAIT_EVENTS] = "/events"};
	const bool is_events = w->condition.source == WAIT_EVENTS;
	const struct http_param params[] = {
		{"follow", "0"}, {"after", *w->after ? w->after : AFTER_ALL}, {NULL, NULL}};
	char why[HTTP_WHY_MAX];
	struct json_doc *doc = NULL;
	const char *path = paths[w->condition.source];
	*outcome =
		http_call(w->ctl, false, path, is_events ? params : NULL, HTTP_SHORT_MS, &doc, why);
	// A reply of 503 to /ready has the document, too.
	if (*outcome == HTTP_OK
		|| (*outcome == HTTP_REFUSED && json_get(json_doc_root(doc), "ready")))
		return doc;
	json_doc_free(doc);
	snprintf(w->seen, sizeof(w->seen), "%s",
		*outcome == HTTP_NOBODY ? "the control plane is down" : why);
	return NULL;
}

static int met_say(const struct waiter *w)
{
	struct json_doc *out;
	if (!w->ctl->json) {
		char text[FIGURE_MAX];
		printf("after %s: ", figure_duration(waited_ms(w), text));
		printf("%s\n", w->seen);
		return CTL_OK;
	}
	out = json_doc_new();
	json_put_text(json_doc_root(out), "seen", w->seen);
	json_put_count(json_doc_root(out), "waited_ms", waited_ms(w));
	json_doc_end(out);
	return CTL_OK;
}

enum look { LOOK_MET, LOOK_NOT_MET, LOOK_NO_REPLY, LOOK_HOPELESS };

static enum look look(struct waiter *w)
{
	const bool is_view =
		w->condition.source == WAIT_STATUS || w->condition.source == WAIT_STATS;
	enum http_outcome outcome = HTTP_OK;
	struct json_doc *doc = is_view ? view_fetch(w, &outcome) : reply_fetch(w, &outcome);
	const struct json_node *root = json_doc_root(doc);
	enum look result = LOOK_NOT_MET;
	if (http_is_denied(outcome)) {
		http_fail(w->ctl, outcome, w->seen);
		return LOOK_HOPELESS;
	}
	if (!doc)
		return LOOK_NO_REPLY;
	if (w->condition.kind == WAIT_EVENT && !*w->after) {
		snprintf(w->after, sizeof(w->after), "%llu", json_count(root, "newest"));
		snprintf(w->seen, sizeof(w->seen), "no event");
	} else if (wait_is_met(&w->condition, root, w->seen)) {
		result = LOOK_MET;
	}
	json_doc_free(doc);
	return result;
}

static int wait_run(struct waiter *w)
{
	const uint64_t pace_ms = w->ctl->remote_options.host ? PACE_REMOTE_MS : PACE_MS;
	uint64_t sleep_ms = pace_ms, gone_ms;
	for (;;) {
		const enum look result = look(w);
		if (result == LOOK_MET)
			return met_say(w);
		if (result == LOOK_HOPELESS)
			return CTL_FAILED;
		gone_ms = waited_ms(w);
		if (gone_ms >= w->for_ms)
			break;
		sleep_ms = result == LOOK_NO_REPLY ? 2 * sleep_ms : pace_ms;
		sleep_ms = sleep_ms < PACE_MOST_MS ? sleep_ms : PACE_MOST_MS;
		if (sleep_ms > w->for_ms - gone_ms)
			sleep_ms = w->for_ms - gone_ms;
		const struct timespec at = clock_deadline(sleep_ms);
		(void)clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL);
	}
	char text[FIGURE_MAX];
	return ctl_fail(w->ctl, "not met after %s: %s", figure_duration(gone_ms, text), w->seen);
}

static int usage(const struct ctl *c, const char *why)
{
	ctl_fail(c, "%s", why);
	return CTL_USAGE;
}

static int cmd_wait(struct ctl *c)
{
	struct waiter w = {.ctl = c, .begin_ms = clock_ms_of(CLOCK_MONOTONIC), .for_ms = FOR_MS};
	char why[WAIT_TEXT_MAX];
	if (!wait_parse(&w.condition, c->operands, c->operand_count, why))
		return usage(c, why);
	if (c->purpose && !wait_for_parse(c->purpose, &w.for_ms))
		return usage(c, "--for takes 500ms, 60s, 5m or 1h, at most 24h");
	if (c->since
		&& (w.condition.kind != WAIT_EVENT || !*c->since
			|| strspn(c->since, "0123456789") != strlen(c->since)
			|| strlen(c->since) > 18))
		return usage(
			c, "--since takes the number of an event, and is for weirctl wait event");
	snprintf(w.after, sizeof(w.after), "%s", c->since ? c->since : "");
	if (ctl_open(c) != CTL_OK)
		return CTL_FAILED;
	return wait_run(&w);
}

static void drain_print(const struct json_node *root)
{
	const struct json_node *n = json_get(root, "drain");
	if (json_flag(root, "drained"))
		printf("drained: /ready is 503; weirctl undrain ends it\n");
	else if (strcmp(json_text(n, "state"), "serving") == 0)
		printf("in service, not drained\n");
	else if (json_count(n, "grace_left_ms"))
		say(n, "draining: /ready is 503, connections end in {grace_left_ms:t}; weirctl "
		       "undrain ends it\n");
	else
		say(n, "draining: /ready is 503, {connections:n} connections are left; weirctl "
		       "undrain ends it\n");
}

static int cmd_drain(struct ctl *c)
{
	const struct http_param params[] = {{"grace_s", c->grace}, {NULL, NULL}};
	struct waiter w = {.ctl = c, .begin_ms = clock_ms_of(CLOCK_MONOTONIC)};
	// The longest drain with this grace is some 25 s more (api/drain.h).
	w.for_ms = FOR_MS + (c->grace ? strtoull(c->grace, NULL, 10) * 1000 : 0);
	(void)wait_parse(&w.condition, (const char *const[]){"drained"}, 1, w.seen);
	if (c->purpose && (!c->wait || !wait_for_parse(c->purpose, &w.for_ms)))
		return usage(c, "--for takes 500ms, 60s, 5m or 1h, at most 24h, and needs --wait");
	const int rc = show_call(c, true, "/drain", params, HTTP_SHORT_MS, drain_print);
	return rc == CTL_OK && c->wait ? wait_run(&w) : rc;
}

static int cmd_undrain(struct ctl *c)
{
	return show_call(c, true, "/undrain", NULL, HTTP_SHORT_MS, drain_print);
}

CTL_COMMANDS = {
	{"drain", NULL, 0, 0, CTL_OPT_DRAIN | CTL_OPT_FOR, cmd_drain,
		"[--grace S] [--wait [--for T]]",
		"Make /ready say 503, so that balancers send queries elsewhere, and after S "
		"seconds (10) end connections of clients; weir goes on answering. --wait: return "
		"when the box is drained, after T at most (60s and the grace). weirctl undrain or "
		"a restart of the control plane ends it."},
	{"undrain", NULL, 0, 0, 0, cmd_undrain, "", "End weirctl drain."},
	{"wait", NULL, 1, 4, CTL_OPT_FOR | CTL_OPT_SINCE, cmd_wait,
		"generations|ready|drained|lists|list NAME|upstream SERVER up|down|drained|fleet "
		"NAME,...|event KIND|counter PATH OP VALUE [--for T] [--since N]",
		"Wait until that is so, for at most T (60s; 500ms, 5m, 1h). Exit status 1 and what "
		"was seen last if it is not. OP: >= > == <= < !=; PATH: a command and keys of its "
		"--json, as in stats.dataplane.counters.rx_frames; N: the number of an event to "
		"begin behind."},
};
