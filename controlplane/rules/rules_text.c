// SPDX-License-Identifier: BSD-3-Clause
// What status, log and events say of a list that is not up to date.
#include "rules.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <time.h>
#include <weir/log_recent.h>

static void in_force(const struct rules_list_status *l, char *out, size_t cap)
{
	time_t at = (time_t)(l->kept_unix_s ? l->kept_unix_s : l->last_good_unix_s);
	bool has_copy = l->kept_unix_s || (!l->error && l->last_good_unix_s);
	char when[32] = "an unknown time";
	struct tm tm;
	if (!has_copy) {
		snprintf(out, cap, "none of its rules in force");
		return;
	}
	if (localtime_r(&at, &tm))
		(void)strftime(when, sizeof(when), "%F %H:%M", &tm);
	snprintf(out, cap, "still %" PRIu64 " name%s from %s", l->names, l->names == 1 ? "" : "s",
		when);
}

char *rules_list_text(const struct rules_list_status *l, char *out, size_t cap)
{
	char rest[80];
	in_force(l, rest, sizeof(rest));
	if (l->failures)
		snprintf(out, cap, "list \"%s\" not fetched (%s); %s", l->name, l->fetch_error,
			rest);
	else if (*l->url && l->error == -ENOENT)
		snprintf(out, cap, "list \"%s\" not fetched yet; %s", l->name, rest);
	else
		snprintf(out, cap, "list \"%s\": %s: %s; %s", l->name, l->path,
			rule_source_error_text(l->error, l->most), rest);
	return out;
}

unsigned rules_failing(const struct rules_status *s)
{
	unsigned n = 0;
	for (unsigned i = 0; i < s->list_count; i++)
		n += rules_list_failing(&s->lists[i]);
	return n;
}

// The wording twice: docs/reference/errors.md has that of the call (test_rules_missing compares).
uint32_t rules_failing_id(void)
{
	return log_recent_id("not updated: %s");
}
