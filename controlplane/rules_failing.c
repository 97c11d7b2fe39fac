// SPDX-License-Identifier: BSD-3-Clause
// What is said of lists that could not be had.
#include "rule_compile.h"
#include "rules.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static void in_force(const struct rules_list_status *l, char *out, size_t cap)
{
	time_t at = (time_t)(l->kept_unix_s ? l->kept_unix_s : l->last_good_unix_s);
	bool has_copy = l->kept_unix_s || (!l->error && l->last_good_unix_s);
	char when[32] = "an unknown time";
	struct tm tm;
	if (!has_copy) {
		snprintf(out, cap, "nothing of it is in force");
		return;
	}
	if (localtime_r(&at, &tm))
		(void)strftime(when, sizeof when, "%F %H:%M", &tm);
	snprintf(out, cap, "still %" PRIu64 " name%s from %s", l->names, l->names == 1 ? "" : "s",
		when);
}

char *rules_list_text(const struct rules_list_status *l, char *out, size_t cap)
{
	char rest[80];
	in_force(l, rest, sizeof rest);
	if (l->failures)
		snprintf(out, cap, "list \"%s\" not fetched (%s); %s", l->name, l->fetch_error,
			rest);
	else
		snprintf(out, cap, "list \"%s\": %s: %s; %s", l->name, l->path,
			rule_source_error_text(l->error), rest);
	return out;
}

unsigned rules_failing(const struct rules_status *s)
{
	unsigned n = 0;
	for (unsigned i = 0; i < s->list_count; i++)
		n += rules_list_failing(&s->lists[i]);
	return n;
}

void rules_failing_text(const struct rules_status *s, char *out, size_t cap)
{
	char text[RULES_LIST_TEXT_MAX];
	size_t len = 0;
	unsigned left = rules_failing(s);
	out[0] = '\0';
	for (unsigned i = 0; i < s->list_count && left; i++) {
		if (!rules_list_failing(&s->lists[i]))
			continue;
		rules_list_text(&s->lists[i], text, sizeof text);
		if (len && len + strlen(text) + 24 > cap) {
			snprintf(out + len, cap - len, "; and %u more", left);
			return;
		}
		len += (size_t)snprintf(out + len, cap - len, "%s%s", len ? "; " : "", text);
		len = len < cap ? len : cap - 1;
		left--;
	}
}
