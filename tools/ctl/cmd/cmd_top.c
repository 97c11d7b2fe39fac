// SPDX-License-Identifier: BSD-3-Clause
// `weirctl top`: the most frequent names, clients and rules. With --since or --client the query
// store has them; with --watch they fill the screen, with rates, until q is pressed.

#include "lib/figure.h"
#include "lib/http_get.h"
#include "lib/log_page.h"
#include "lib/say.h"
#include "lib/show.h"
#include "lib/table_cell.h"
#include "terminal/screen.h"

#include <stdio.h>
#include <string.h>
#include <time.h>
#include <weir/clock.h>

enum {
	EVERY_MS = 2000,
	SPAN_EVERY_MS = 10000, // the control plane may search the store for 6 s
	KEY_MS = 200,
	ROWS_LEAST = 10,
	COLUMNS_LEAST = 60,
	NUMBER_WIDTH = 10
};

// The two last replies of /top, whose difference gives the rates.
struct watching {
	struct json_doc *now, *before;
	struct json_doc *span; // the last reply of /log/top; NULL: `now` has the lists
	uint64_t now_ms, before_ms, span_due_ms;
	enum http_outcome outcome; // the last call's result
	char why[HTTP_WHY_MAX];    // "": it went well
};

static bool has_span(const struct ctl *c)
{
	return c->since || c->client;
}

static unsigned every_of(const struct ctl *c)
{
	return c->interval   ? (unsigned)(c->interval_s * 1000)
	       : has_span(c) ? SPAN_EVERY_MS
			     : EVERY_MS;
}

// NULL: there is no good reply, and w->why says why.
static struct json_doc *reply_fetch(const struct ctl *c, const char *path,
	const struct http_param *params, unsigned timeout_ms, struct watching *w)
{
	struct json_doc *doc = NULL;
	w->why[0] = '\0';
	w->outcome = http_call(c, false, path, params, timeout_ms, &doc, w->why);
	if (w->outcome == HTTP_OK)
		return doc;
	json_doc_free(doc);
	if (!*w->why)
		snprintf(w->why, sizeof(w->why), "the control plane does not answer");
	return NULL;
}

static void now_fetch(const struct ctl *c, struct watching *w)
{
	const struct http_param params[] = {{"limit", has_span(c) ? "1" : "100"}, {NULL, NULL}};
	struct json_doc *doc = reply_fetch(c, "/top", params, HTTP_SHORT_MS, w);
	if (!doc)
		return;
	json_doc_free(w->before);
	w->before = w->now;
	w->before_ms = w->now_ms;
	w->now = doc;
	w->now_ms = clock_mono_ms();
}

static void span_fetch(const struct ctl *c, struct watching *w)
{
	struct log_span span;
	if (!log_page_span(c, &span))
		return;
	const struct http_param params[] = {
		{"limit", "100"}, {"seconds", span.seconds}, {"client", c->client}, {NULL, NULL}};
	struct json_doc *doc = reply_fetch(c, "/log/top", params, HTTP_FLUSH_MS, w);
	w->span_due_ms = clock_mono_ms() + every_of(c);
	if (!doc)
		return;
	json_doc_free(w->span);
	w->span = doc;
}

static void sample_fetch(const struct ctl *c, struct watching *w)
{
	now_fetch(c, w);
	if (has_span(c) && !*w->why && clock_mono_ms() >= w->span_due_ms)
		span_fetch(c, w);
}

static uint64_t total_of(const struct json_doc *doc, const char *key)
{
	return doc ? json_count(json_get(json_doc_root(doc), "totals"), key) : 0;
}

// The rate is 0 after a restart of the control plane, which counts from 0 again.
static double rate_of(const struct watching *w, const char *key)
{
	const uint64_t now = total_of(w->now, key), before = total_of(w->before, key);
	return w->before && now >= before && w->now_ms > w->before_ms
		       ? (double)(now - before) * 1000 / (double)(w->now_ms - w->before_ms)
		       : 0;
}

// Shows a rate, with its share of all queries if there is room.
static void rate_show(const struct watching *w, const char *key, const char *title, unsigned width)
{
	char figure[FIGURE_MAX], text[2 * FIGURE_MAX];
	const double rate = rate_of(w, key), all = rate_of(w, "queries");
	const bool is_all = strcmp(key, "queries") == 0;
	const int n = snprintf(text, sizeof(text), "%s %s %.0f%%", figure_rate(rate, figure), title,
		all > 0 ? 100 * rate / all : 0.0);
	if (is_all || n >= (int)width)
		snprintf(text, sizeof(text), "%s %s", figure, title);
	screen_text(width, "%s", text);
}

static void title_show(const struct ctl *c, const struct watching *w)
{
	const uint64_t span_ms = w->span ? 1000 * json_count(json_doc_root(w->span), "covered_s")
					 : json_count(json_doc_root(w->now), "for_ms");
	char when[32] = "", span[FIGURE_MAX];
	const time_t now = time(NULL);
	struct tm tm;
	if (localtime_r(&now, &tm))
		(void)strftime(when, sizeof(when), "%H:%M:%S", &tm);
	screen_bold(true);
	screen_text(0, "weir top  %s  lists of the last %s%s%s  q quits", when,
		figure_duration(span_ms, span), c->client ? ", client " : "",
		c->client ? c->client : "");
	screen_bold(false);
	screen_line_end();
}

static void note_show(const struct json_node *span)
{
	const char *unknown = json_text(span, "unknown_client");
	if (*unknown)
		screen_text(0, "%s", unknown);
	else if (span && !json_flag(span, "complete"))
		screen_text(0, "%s", LOG_PAGE_TIME_OVER);
	else if (json_count(span, "unreadable_files"))
		screen_text(0, "files that could not be read: %llu; their queries are not counted",
			json_count(span, "unreadable_files"));
	screen_line_end();
}

static void head_show(const struct ctl *c, const struct watching *w, unsigned columns)
{
	const unsigned width = columns / 5;
	title_show(c, w);
	if (*w->why) {
		screen_text(0, "no news: %s", w->why);
	} else {
		rate_show(w, "queries", "queries/s", width);
		rate_show(w, "hits", "hits", width);
		rate_show(w, "blocked", "blocked", width);
		rate_show(w, "upstream", "upstream", width);
		rate_show(w, "nxdomain", "NXDOMAIN", width);
	}
	screen_line_end();
	note_show(json_doc_root(w->span));
}

static void item_show(const struct json_node *item, unsigned width)
{
	char queries[FIGURE_MAX];
	if (!item) {
		screen_text(width, "%s", "");
		return;
	}
	const char *name = json_text(item, "client_name"), *text = json_text(item, "text");
	const char *list = json_text(item, "list");
	screen_text(NUMBER_WIDTH, "%*s ", NUMBER_WIDTH - 1,
		figure_count(json_count(item, "queries"), queries));
	if (*list && !*text)
		text = "(pattern or answer)";
	screen_text(width - NUMBER_WIDTH - 1, *name || *list ? "%s (%s)" : "%s",
		*name ? name : text, *name ? text : list);
	screen_text(1, " ");
}

struct panel {
	const char *key, *title;
};

// Shows two lists side by side.
static void panels_show(
	const struct json_node *root, const struct panel pair[2], unsigned rows, unsigned columns)
{
	const unsigned half = columns / 2;
	screen_bold(true);
	for (unsigned i = 0; i < 2; i++)
		screen_text(half, "%*s %s", NUMBER_WIDTH - 1, "queries", pair[i].title);
	screen_bold(false);
	screen_line_end();
	for (unsigned row = 0; row + 1 < rows; row++) {
		for (unsigned i = 0; i < 2; i++)
			item_show(
				json_at(json_get(json_get(root, pair[i].key), "items"), row), half);
		screen_line_end();
	}
}

static void frame_show(const struct ctl *c, const struct watching *w)
{
	static const struct panel asked[2] = {{"names", "names"}, {"clients", "clients"}},
				  blocked[2] = {{"blocked", "blocked names"},
					  {"rules", "rules (list)"}},
				  blocked_in_span[2] = {{"blocked", "blocked names"},
					  {"lists", "lists that blocked"}};
	unsigned rows, columns;
	screen_size(&rows, &columns);
	screen_begin();
	if (rows < ROWS_LEAST || columns < COLUMNS_LEAST) {
		screen_text(0, "the terminal is too small: %ux%u of %dx%d", columns, rows,
			COLUMNS_LEAST, ROWS_LEAST);
		screen_line_end();
	} else {
		const struct json_node *root = json_doc_root(w->span ? w->span : w->now);
		const unsigned left = rows - 3;
		head_show(c, w, columns);
		panels_show(root, asked, left - left / 2, columns);
		panels_show(root, w->span ? blocked_in_span : blocked, left / 2, columns);
	}
	screen_end();
}

// False: the view ends.
static bool keys_wait(const struct ctl *c, const struct watching *w, uint64_t until_ms)
{
	for (uint64_t now_ms; (now_ms = clock_mono_ms()) < until_ms;) {
		const uint64_t left = until_ms - now_ms;
		const enum screen_key key = screen_key(left < KEY_MS ? (unsigned)left : KEY_MS);
		if (key == SCREEN_KEY_END)
			return false;
		if (key == SCREEN_KEY_SIZE)
			frame_show(c, w);
	}
	return true;
}

static bool options_check(const struct ctl *c)
{
	struct log_span span;
	if (c->limit || c->json || c->until)
		(void)ctl_fail(c, "--watch takes no --limit, --until or --json");
	else if (every_of(c) < (has_span(c) ? EVERY_MS : KEY_MS))
		(void)ctl_fail(c, "--interval must be at least 0.2 s with --watch, and at least "
				  "2 s with --since or --client");
	else
		return log_page_span(c, &span);
	return false;
}

// Ends by a key, or where another try cannot help.
static void watch_run(const struct ctl *c, struct watching *w)
{
	const unsigned every_ms = has_span(c) ? EVERY_MS : every_of(c);
	for (;;) {
		frame_show(c, w);
		if (!keys_wait(c, w, clock_mono_ms() + every_ms))
			break;
		sample_fetch(c, w);
		if (http_is_denied(w->outcome))
			break;
	}
	screen_leave();
}

static int top_watch(struct ctl *c)
{
	struct watching w = {0};
	int rc = CTL_OK;
	if (!options_check(c))
		return CTL_USAGE;
	if (ctl_open(c) != CTL_OK)
		return CTL_FAILED;
	sample_fetch(c, &w);
	if (*w.why)
		rc = ctl_fail(c, "%s", w.why);
	else if (!screen_enter())
		rc = ctl_fail(c, "--watch needs a terminal");
	else
		watch_run(c, &w);
	if (rc == CTL_OK && http_is_denied(w.outcome)) {
		http_fail(c, w.outcome, w.why);
		rc = CTL_FAILED;
	}
	json_doc_free(w.now);
	json_doc_free(w.before);
	json_doc_free(w.span);
	return rc;
}

static const struct {
	const char *key, *title;
} kinds[] = {
	{"names", "names"},
	{"clients", "clients"},
	{"blocked", "blocked names"},
	{"nxdomain", "names that do not exist"},
	{"slow", "slow names"},
	{"lists", "lists that blocked"},
	{"rules", "rules that blocked"},
	{"groups", "groups"},
};

// A client with its name, or a rule with its list.
static void item_cell(struct table *t, const struct json_node *item)
{
	const char *text = json_text(item, "text"), *name = json_text(item, "client_name");
	if (json_get(item, "list"))
		table_cell(t, "%s (%s)", *text ? text : "by a pattern or the answer",
			json_text(item, "list"));
	else
		table_cell(t, *name ? "%s (%s)" : "%s", text, name);
}

static void kind_print(const struct json_node *root, const char *key, const char *title)
{
	const struct json_node *n = json_get(root, key), *items = json_get(n, "items");
	const char *const sketch[] = {
		">queries", ">possible overcount", ">% of these", title, NULL};
	const char *const stored[] = {">queries", ">blocked", ">% of these", title, NULL};
	const bool is_sketch = json_get(json_at(items, 0), "error");
	uint64_t all = json_count(n, "queries");
	if (json_length(items) == 0)
		return;
	struct table *t = table_new(is_sketch ? sketch : stored);
	for (size_t i = 0; i < json_length(items); i++) {
		const struct json_node *item = json_at(items, i);
		uint64_t queries = json_count(item, "queries");
		table_cell_count(t, queries);
		table_cell_count(t, json_count(item, is_sketch ? "error" : "blocked"));
		table_cell(t, "%.1f", all ? 100.0 * (double)queries / (double)all : 0.0);
		item_cell(t, item);
		table_row_end(t);
	}
	printf("\n");
	table_print(t);
}

static void top_print(const struct json_node *root)
{
	char a[FIGURE_MAX], b[FIGURE_MAX], c[FIGURE_MAX];
	printf("the last %s: %s queries by name; slow: over %s\n",
		figure_duration(json_count(root, "for_ms"), a),
		figure_count(json_count(json_get(root, "names"), "queries"), b),
		figure_duration(json_count(root, "slow_us") / 1000, c));
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
		kind_print(root, kinds[i].key, kinds[i].title);
}

// `until`: of a span that ends then.
static void span_print(const struct json_node *root, const char *until)
{
	char a[FIGURE_MAX], b[FIGURE_MAX];
	(void)say_if(root, "unknown_client", "{unknown_client}\n");
	printf("the %s%s%s: %s queries\n", *until ? "" : "last ",
		figure_duration(json_count(root, "covered_s") * 1000, a), until,
		figure_count(json_count(json_get(root, "names"), "queries"), b));
	if (!json_flag(root, "complete"))
		printf("%s\n", LOG_PAGE_TIME_OVER);
	log_page_unreadable(root);
	if (json_count(root, "left_out"))
		printf("%s queries of rare names are in no line below\n",
			figure_count(json_count(root, "left_out"), a));
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
		kind_print(root, kinds[i].key, kinds[i].title);
}

static void stored_print(const struct json_node *root)
{
	span_print(root, "");
}

static void past_print(const struct json_node *root)
{
	span_print(root, " until then");
}

// Prints the top of the query store, which reaches back as far as its rows are kept.
static int top_since(struct ctl *c)
{
	struct log_span span;
	if (!log_page_span(c, &span))
		return CTL_USAGE;
	const struct http_param params[] = {{"limit", c->limit ? c->limit : "10"},
		{"seconds", span.seconds}, {"until", span.until}, {"client", c->client},
		{NULL, NULL}};
	return show_call(c, false, "/log/top", params, HTTP_FLUSH_MS,
		span.until ? past_print : stored_print);
}

static int cmd_top(struct ctl *c)
{
	const struct http_param params[] = {{"limit", c->limit ? c->limit : "10"}, {NULL, NULL}};
	if (c->watch)
		return top_watch(c);
	if (c->since || c->until || c->client)
		return top_since(c);
	return show_call(c, false, "/top", params, HTTP_SHORT_MS, top_print);
}

CTL_COMMANDS = {
	{"top", NULL, 0, 0,
		CTL_OPT_LIMIT | CTL_OPT_SINCE | CTL_OPT_UNTIL | CTL_OPT_CLIENT | CTL_OPT_WATCH
			| CTL_OPT_INTERVAL,
		cmd_top,
		"[--since T] [--until T] [--client C] [--limit N] [--watch [--interval S]]",
		"List the most queried, blocked, missing and slow names, the busiest clients, and "
		"the rules that blocked most: of the last 30 minutes, or since T (24h, 30d) or of "
		"client C from the query store. --watch: on the whole screen, with rates, until q; "
		"asked again each S seconds: 2, or 10 with --since or --client."},
};
