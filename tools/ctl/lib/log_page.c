// SPDX-License-Identifier: BSD-3-Clause
#include "log_page.h"

#include "http_get.h"
#include "say.h"
#include "terminal/term_text.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

static bool ago_parse(const char *text, time_t now, int64_t *out)
{
	static const struct {
		char unit;
		int64_t seconds;
	} units[] = {{'s', 1}, {'m', 60}, {'h', 3600}, {'d', 86400}};
	size_t digits = strspn(text, "0123456789");
	int64_t n = 0;
	if (!digits || digits > 7 || !text[digits] || text[digits + 1])
		return false;
	for (size_t i = 0; i < digits; i++)
		n = n * 10 + (text[i] - '0');
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
		if (units[i].unit == text[digits] && n * units[i].seconds <= now) {
			*out = (now - n * units[i].seconds) * 1000000;
			return true;
		}
	return false;
}

static bool date_parse(const char *text, int64_t *out)
{
	static const char *const forms[] = {"%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M", "%Y-%m-%d"};
	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
		struct tm tm = {.tm_isdst = -1};
		const char *end = strptime(text, forms[i], &tm);
		if (!end || (*end && strcmp(end, "Z") != 0))
			continue;
		time_t t = *end ? timegm(&tm) : mktime(&tm);
		if (t < 0)
			return false;
		*out = (int64_t)t * 1000000;
		return true;
	}
	return false;
}

bool log_time_parse(const char *text, time_t now, int64_t *out)
{
	return ago_parse(text, now, out) || date_parse(text, out);
}

static int time_refuse(const struct ctl *c, const char *option)
{
	(void)ctl_fail(
		c, "%s takes 90s, 15m, 2h, 7d (ago), 2026-11-20 or 2026-11-20T10:00", option);
	return CTL_USAGE;
}

static int time_parse(
	const struct ctl *c, const char *option, const char *text, char out[LOG_PAGE_TEXT_MAX])
{
	int64_t us;
	if (!text)
		return CTL_OK;
	if (!log_time_parse(text, time(NULL), &us))
		return time_refuse(c, option);
	snprintf(out, LOG_PAGE_TEXT_MAX, "%lld", (long long)us);
	return CTL_OK;
}

int log_pages_start(struct log_pages *p, const struct ctl *c, bool oldest_first)
{
	*p = (struct log_pages){.ctl = c, .oldest_first = oldest_first};
	p->unreadable = json_doc_new();
	if (!p->unreadable)
		return CTL_FAILED;
	json_put_array(json_doc_root(p->unreadable), "unreadable");
	int rc = time_parse(c, "--since", c->since, p->since);
	return rc == CTL_OK ? time_parse(c, "--until", c->until, p->until) : rc;
}

static struct json_node *unreadable_of(const struct log_pages *p)
{
	return json_get(json_doc_root(p->unreadable), "unreadable");
}

// Prints that the configuration lacks the client. CTL_FAILED: the store has no row of it, either.
static int client_tell(const struct log_pages *p)
{
	char shown[512];
	if (!*p->unknown_client)
		return CTL_OK;
	term_text(p->unknown_client, shown, sizeof(shown));
	if (p->rows)
		fprintf(stderr, "weirctl: %s; these rows are from when it had one\n", shown);
	else
		fprintf(stderr, "weirctl: %s, nor in the rows searched\n", shown);
	return p->rows || !p->complete ? CTL_OK : CTL_FAILED;
}

int log_pages_end(struct log_pages *p)
{
	char file[1024], why[512];
	const struct json_node *list = unreadable_of(p);
	for (size_t i = 0; i < json_length(list); i++)
		fprintf(stderr, "weirctl: %s: %s; its rows are missing\n",
			term_text(json_text(json_at(list, i), "file"), file, sizeof(file)),
			term_text(json_text(json_at(list, i), "why"), why, sizeof(why)));
	if (p->unreadable_files > json_length(list))
		fprintf(stderr, "weirctl: %llu more files could not be read\n",
			(unsigned long long)(p->unreadable_files - json_length(list)));
	json_doc_free(p->unreadable);
	p->unreadable = NULL;
	int rc = client_tell(p);
	return p->unreadable_files ? CTL_FAILED : rc;
}

// Adds the unreadable files of a page. The next page begins with the file at which a page ended, so
// that file may come twice.
static void unreadable_add(struct log_pages *p, const struct json_node *list)
{
	struct json_node *all = unreadable_of(p);
	for (size_t i = 0; i < json_length(list); i++) {
		const char *file = json_text(json_at(list, i), "file");
		size_t n = json_length(all), k = 0;
		while (k < n && strcmp(json_text(json_at(all, k), "file"), file) != 0)
			k++;
		if (k == n)
			json_put_copy(all, json_at(list, i));
		else
			p->unreadable_files--;
	}
}

static bool place_parse(const char *text, long long out[3])
{
	return sscanf(text, "%18lld.%18lld.%18lld", &out[0], &out[1], &out[2]) == 3;
}

// Over 0: the place is behind that of the page before. 0: it is the same. Below 0: it is before
// that, or no place.
static int place_order(const struct log_pages *p, const char *place)
{
	long long now[3], before[3];
	if (!place_parse(place, now))
		return -1;
	if (!place_parse(p->after, before))
		return 1; // the first page
	for (unsigned i = 0; i < 3; i++)
		if (now[i] != before[i])
			return (now[i] > before[i]) == p->oldest_first ? 1 : -1;
	return 0;
}

// Whether the hour is one that a box may have, and whether so many pages may be of it. A page
// without a row took the box about a second.
static bool hour_may_be(struct log_pages *p, const char *place, size_t rows)
{
	enum { EMPTY_COST = 1000, HOUR_COST = 600 * EMPTY_COST, AHEAD_H = 24 };
	long long now[3], before[3];
	if (!place_parse(place, now))
		return false;
	if (!place_parse(p->after, before) || before[0] != now[0])
		p->spent = 0;
	p->spent += rows ? 1 : EMPTY_COST;
	return p->spent <= HOUR_COST && now[0] <= time(NULL) / 3600 + AHEAD_H;
}

// Whether the search moves on, so that it ends one day, whatever a box replies.
static bool page_moves(struct log_pages *p, const char *place, size_t rows)
{
	const int order = place_order(p, place);
	p->idle = order > 0 ? 0 : p->idle + 1;
	const bool may_be = p->complete || hour_may_be(p, place, rows);
	if (order > 0 && !may_be) {
		(void)ctl_fail(p->ctl, "the search does not end: a page ends at %.64s", place);
		return false;
	}
	if (p->complete || order > 0 || (order == 0 && !rows && p->idle < LOG_PAGES_IDLE_MAX))
		return true;
	(void)ctl_fail(
		p->ctl, "the search does not move on: a page ends at %.64s, as one before", place);
	return false;
}

struct json_doc *log_pages_next(struct log_pages *p, unsigned rows)
{
	const struct ctl *c = p->ctl;
	char limit[16];
	snprintf(limit, sizeof(limit), "%u", rows);
	const struct http_param params[] = {{"limit", limit},
		{"oldest_first", p->oldest_first ? "1" : "0"}, {"name", c->name}, {"part", c->part},
		{"client", c->client}, {"group", c->group}, {"rcode", c->rcode},
		{"verdict", c->verdict}, {"validation", c->validation},
		{"since", *p->since ? p->since : NULL}, {"until", *p->until ? p->until : NULL},
		{"after", *p->after ? p->after : NULL}, {NULL, NULL}};
	struct json_doc *doc = http_call_or_fail(c, false, "/log/search", params, HTTP_FLUSH_MS);
	if (!doc)
		return NULL;
	const struct json_node *root = json_doc_root(doc);
	const char *after = json_text(root, "after");
	const size_t found = json_length(json_get(root, "rows"));
	p->rows += found;
	snprintf(p->unknown_client, sizeof(p->unknown_client), "%s",
		json_text(root, "unknown_client"));
	p->complete = json_flag(root, "complete") || !*after;
	p->unreadable_files += json_count(root, "unreadable_files");
	unreadable_add(p, json_get(root, "unreadable"));
	if (!page_moves(p, after, found)) {
		json_doc_free(doc);
		return NULL;
	}
	snprintf(p->after, sizeof(p->after), "%s", after);
	return doc;
}

void log_page_unreadable(const struct json_node *root)
{
	say_if(root, "unreadable_files",
		"files of the query store that could not be read: {unreadable_files:n}; their "
		"queries are not counted (weirctl log search names the files)\n");
}

bool log_page_span(const struct ctl *c, struct log_span *out)
{
	const time_t now = time(NULL);
	int64_t until_us = (int64_t)now * 1000000;
	if (c->until && !log_time_parse(c->until, now, &until_us))
		return time_refuse(c, "--until") == CTL_OK;
	int64_t since_us = until_us - INT64_C(86400) * 1000000;
	if (c->since && !log_time_parse(c->since, now, &since_us))
		return time_refuse(c, "--since") == CTL_OK;
	if (since_us / 1000000 >= until_us / 1000000) {
		(void)ctl_fail(c, "--since must be before %s", c->until ? "--until" : "now");
		return false;
	}
	snprintf(out->seconds, sizeof(out->seconds), "%lld",
		(long long)(until_us / 1000000 - since_us / 1000000));
	snprintf(out->until_text, sizeof(out->until_text), "%lld", (long long)until_us);
	out->until = c->until ? out->until_text : NULL;
	return true;
}
