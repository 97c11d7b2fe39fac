// SPDX-License-Identifier: BSD-3-Clause

#include "log_page.h"

#include "http_get.h"
#include "log_time.h"

#include <stdio.h>

static int time_take(
	const struct ctl *c, const char *option, const char *text, char out[LOG_PAGE_TEXT_MAX])
{
	int64_t us;
	if (!text)
		return CTL_OK;
	if (!log_time_parse(text, time(NULL), &us)) {
		(void)ctl_fail(c, "%s takes 90s, 15m, 2h, 7d (ago), 2026-11-20 or 2026-11-20T10:00",
			option);
		return CTL_USAGE;
	}
	snprintf(out, LOG_PAGE_TEXT_MAX, "%lld", (long long)us);
	return CTL_OK;
}

int log_pages_start(struct log_pages *p, const struct ctl *c, bool oldest_first)
{
	*p = (struct log_pages){.ctl = c, .oldest_first = oldest_first};
	int ret = time_take(c, "--since", c->since, p->since);
	return ret == CTL_OK ? time_take(c, "--until", c->until, p->until) : ret;
}

struct json_doc *log_pages_next(struct log_pages *p, unsigned rows)
{
	const struct ctl *c = p->ctl;
	char limit[16];
	snprintf(limit, sizeof limit, "%u", rows);
	const struct http_param options[] = {{"name", c->name}, {"client", c->client},
		{"verdict", c->verdict}, {"since", *p->since ? p->since : NULL},
		{"until", *p->until ? p->until : NULL}, {"after", *p->after ? p->after : NULL}};
	struct http_param params[ARRAY_LEN(options) + 3] = {
		{"limit", limit}, {"oldest_first", p->oldest_first ? "1" : "0"}};
	for (unsigned i = 0, n = 2; i < ARRAY_LEN(options); i++)
		if (options[i].value)
			params[n++] = options[i];
	struct json_doc *doc = http_call_or_fail(c, false, "/log/search", params, HTTP_FLUSH_MS);
	if (!doc)
		return NULL;
	const struct json_node *root = json_doc_root(doc);
	const char *after = json_text(root, "after");
	p->complete = json_flag(root, "complete") || !*after;
	p->unreadable_files += json_count(root, "unreadable_files");
	snprintf(p->after, sizeof p->after, "%s", after);
	return doc;
}
