// SPDX-License-Identifier: BSD-3-Clause
// What happened in the control plane and to what it watches.

#include "lib/http_get.h"
#include "lib/log_time.h"
#include "lib/trace_out.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

struct event_view {
	const struct ctl *ctl;
	const char *after; // number of an event, as text; NULL: none
	int64_t since_ms;  // Unix time
};

// Of the local clock: events may be days old.
static void time_print(int64_t ms)
{
	time_t s = (time_t)(ms / 1000);
	struct tm tm;
	char text[32] = "-";
	if (ms >= 0 && localtime_r(&s, &tm))
		(void)strftime(text, sizeof(text), "%F %T", &tm);
	printf("%s ", text);
}

static void missed_print(const struct event_view *v, const struct json_node *n)
{
	printf(v->ctl->json ? "{\"missed\": %llu}\n"
			    : "... %llu more, which newer ones have overwritten\n",
		json_count(n, "missed"));
}

static void event_print(const struct event_view *v, const struct json_node *n)
{
	if (json_signed(n, "unix_ms") < v->since_ms)
		return;
	if (v->ctl->json) {
		json_print_line(n);
		return;
	}
	time_print(json_signed(n, "unix_ms"));
	trace_word_print(n, "severity", " ");
	trace_word_print(n, "kind", " ");
	trace_word_print(n, "text", "\n");
}

// False when nobody reads what is printed.
static bool on_line(void *arg, const struct json_node *root)
{
	const struct event_view *v = arg;
	if (json_count(root, "missed"))
		missed_print(v, root);
	else
		event_print(v, root);
	return fflush(stdout) == 0;
}

// --since: the number of an event, or a time. False: it is neither.
static bool since_take(struct event_view *v, const char *text)
{
	int64_t us;
	if (!text)
		return true;
	if (*text && strspn(text, "0123456789") == strlen(text)) {
		v->after = text;
		return true;
	}
	if (!log_time_parse(text, time(NULL), &us))
		return false;
	v->since_ms = us / 1000;
	return true;
}

static int events_show(struct ctl *c, const struct event_view *v)
{
	const struct http_param params[] = {{"after", v->after}, {"follow", "0"}, {NULL, NULL}};
	struct json_doc *doc = http_call_or_fail(c, false, "/events", params, HTTP_SHORT_MS);
	if (!doc)
		return CTL_FAILED;
	const struct json_node *root = json_doc_root(doc), *list = json_get(root, "events");
	if (json_count(root, "missed"))
		missed_print(v, root);
	for (size_t i = 0; i < json_length(list); i++)
		event_print(v, json_at(list, i));
	json_doc_free(doc);
	return CTL_OK;
}

int cmd_events(struct ctl *c)
{
	struct event_view v = {.ctl = c};
	if (!since_take(&v, c->since)) {
		ctl_fail(c, "--since takes the number of an event, 90s, 15m, 2h, 7d or "
			    "2026-11-20T10:00");
		return CTL_USAGE;
	}
	if (ctl_open(c) != CTL_OK)
		return CTL_FAILED;
	if (!c->follow)
		return events_show(c, &v);
	const struct http_param params[] = {{"after", v.after}, {NULL, NULL}};
	return http_stream(c, "/events", params, on_line, &v);
}
