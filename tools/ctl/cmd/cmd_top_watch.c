// SPDX-License-Identifier: BSD-3-Clause
#include "cmd_top_watch.h"

#include "lib/figure.h"
#include "lib/http_get.h"
#include "terminal/screen.h"

#include <stdio.h>
#include <string.h>
#include <time.h>
#include <weir/clock.h>

enum { EVERY_MS = 2000, KEY_MS = 200, ROWS_LEAST = 10, COLUMNS_LEAST = 60, NUMBER_WIDTH = 10 };

// The two last replies: rates are of their difference.
struct watching {
	struct json_doc *now, *before;
	uint64_t now_ms, before_ms;
	char why[HTTP_WHY_MAX]; // "": the last call went well
};

static void sample_take(const struct ctl *c, struct watching *w)
{
	const struct http_param params[] = {{"limit", "100"}, {NULL, NULL}};
	struct json_doc *doc = NULL;
	const enum http_outcome outcome =
		http_call(c, false, "/top", params, HTTP_SHORT_MS, &doc, w->why);
	if (outcome != HTTP_OK) {
		json_doc_free(doc);
		if (!*w->why)
			snprintf(w->why, sizeof(w->why), "the control plane does not answer");
		return;
	}
	w->why[0] = '\0';
	json_doc_free(w->before);
	w->before = w->now;
	w->before_ms = w->now_ms;
	w->now = doc;
	w->now_ms = clock_mono_ms();
}

static uint64_t total_of(const struct json_doc *doc, const char *key)
{
	return doc ? json_count(json_get(json_doc_root(doc), "totals"), key) : 0;
}

// A control plane that was started again counts from 0.
static double rate_of(const struct watching *w, const char *key)
{
	const uint64_t now = total_of(w->now, key), before = total_of(w->before, key);
	return w->before && now >= before && w->now_ms > w->before_ms
		       ? (double)(now - before) * 1000 / (double)(w->now_ms - w->before_ms)
		       : 0;
}

// With its share of all queries where there is room for it.
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

static void head_show(const struct watching *w, unsigned columns)
{
	const unsigned width = columns / 5;
	char when[32] = "", span[FIGURE_MAX];
	const time_t now = time(NULL);
	struct tm tm;
	if (localtime_r(&now, &tm))
		(void)strftime(when, sizeof(when), "%H:%M:%S", &tm);
	screen_bold(true);
	screen_text(0, "weir top  %s  lists of the last %s  q quits", when,
		figure_duration(json_count(json_doc_root(w->now), "for_ms"), span));
	screen_bold(false);
	screen_line_end();
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
	screen_line_end();
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

// Two lists side by side.
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

static void frame_show(const struct watching *w)
{
	static const struct panel panels[2][2] = {{{"names", "names"}, {"clients", "clients"}},
		{{"blocked", "blocked names"}, {"rules", "rules (list)"}}};
	unsigned rows, columns;
	screen_size(&rows, &columns);
	screen_begin();
	if (rows < ROWS_LEAST || columns < COLUMNS_LEAST) {
		screen_text(0, "the terminal is too small: %ux%u of %dx%d", columns, rows,
			COLUMNS_LEAST, ROWS_LEAST);
		screen_line_end();
	} else {
		const struct json_node *root = json_doc_root(w->now);
		const unsigned left = rows - 3;
		head_show(w, columns);
		panels_show(root, panels[0], left - left / 2, columns);
		panels_show(root, panels[1], left / 2, columns);
	}
	screen_end();
}

// False: the end.
static bool keys_wait(const struct watching *w, uint64_t until_ms)
{
	for (uint64_t now_ms; (now_ms = clock_mono_ms()) < until_ms;) {
		const uint64_t left = until_ms - now_ms;
		const enum screen_key key = screen_key(left < KEY_MS ? (unsigned)left : KEY_MS);
		if (key == SCREEN_KEY_END)
			return false;
		if (key == SCREEN_KEY_SIZE)
			frame_show(w);
	}
	return true;
}

int top_watch(struct ctl *c)
{
	const uint64_t every_ms = c->interval ? (uint64_t)(c->interval_s * 1000) : EVERY_MS;
	struct watching w = {0};
	if (c->since || c->client || c->limit || c->json || every_ms < KEY_MS) {
		(void)ctl_fail(c, "--watch takes --interval of 0.2 and more alone");
		return CTL_USAGE;
	}
	if (ctl_open(c) != CTL_OK)
		return CTL_FAILED;
	sample_take(c, &w);
	if (!w.now)
		return ctl_fail(c, "%s", w.why);
	if (!screen_enter()) {
		json_doc_free(w.now);
		return ctl_fail(c, "--watch needs a terminal");
	}
	for (;;) {
		frame_show(&w);
		if (!keys_wait(&w, clock_mono_ms() + every_ms))
			break;
		sample_take(c, &w);
	}
	screen_leave();
	json_doc_free(w.now);
	json_doc_free(w.before);
	return CTL_OK;
}
