// SPDX-License-Identifier: BSD-3-Clause
#include "why_entries.h"

#include <stdio.h>
#include <string.h>

static bool pattern_fits(const struct why *w, const char *pattern)
{
	const size_t len = strlen(pattern);
	for (unsigned i = 0; i < w->hits; i++) {
		const struct why_hit *h = &w->hit[i];
		if (h->what == WHY_PATTERN && h->name == 0 && h->pattern_len == len
			&& memcmp(h->pattern, pattern, len) == 0)
			return true;
	}
	return false;
}

static void entry_fill(
	const struct config *c, const struct config_dated_entry *e, struct why_entry *out)
{
	char name[DNS_NAME_TEXT_MAX], until[CONFIG_TIME_TEXT_MAX];
	const char *group = e->group ? c->groups[e->group - 1].name : "";
	*out = (struct why_entry){.allow = e->allow, .until = e->until};
	if (e->pattern)
		snprintf(out->name, sizeof(out->name), "/%.120s/", e->pattern);
	else
		snprintf(out->name, sizeof(out->name), "%.127s", dns_name_to_text(&e->name, name));
	snprintf(out->group, sizeof(out->group), "%s", group);
	snprintf(out->why, sizeof(out->why), "%s", e->why);
	snprintf(out->text, sizeof(out->text), "%s %s for %s%s%s%s%s%s",
		e->allow ? "allow" : "deny", out->name, *group ? "group " : CONFIG_EVERYONE, group,
		e->until ? ", until " : "", e->until ? config_time_text(e->until, until) : "",
		*e->why ? ": " : "", e->why);
}

void why_entries_find(struct why *w, const struct config *c)
{
	w->entries = 0;
	for (unsigned i = 0; i < c->dated.count && w->entries < WHY_ENTRIES_MAX; i++) {
		const struct config_dated_entry *e = &c->dated.entries[i];
		if (e->ended || (e->group && e->group != w->client.group)
			|| !(e->pattern ? pattern_fits(w, e->pattern)
					: dns_name_is_under(&w->name[0], &e->name)))
			continue;
		entry_fill(c, e, &w->entry[w->entries++]);
	}
}
