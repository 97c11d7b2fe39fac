// SPDX-License-Identifier: BSD-3-Clause

// Which of the operator's entries an explanation names.

#include "controlplane/answer_policy/why/why_entries.h"
#include "why_rig.h"

static struct why *why_of(const char *text, unsigned group)
{
	const struct dns_name name = name_of_text(text);
	struct why *w = NULL;
	w = why_begin(&name, DNS_TYPE_A);
	w->client.group = group;
	return w;
}

TEST(test_found)
{
	static char empty[] = "", reason[] = "für Anna", pattern[] = "^ads", kids[] = "kids";
	struct config_dated_entry entries[] = {
		{.name = name_of_text("example"), .why = empty},
		{.name = name_of_text("www.example"),
			.allow = true,
			.group = 1,
			.why = reason,
			.until = 1795636800},
		{.name = name_of_text("example"), .why = empty, .ended = true},
		{.name = name_of_text("other.example"), .why = empty},
		{.pattern = pattern, .why = empty},
	};
	struct config_group group = {.name = kids};
	const struct config c = {.groups = &group,
		.group_count = 1,
		.dated = {.count = ARRAY_LEN(entries), .entries = entries}};

	struct why *w = why_of("a.www.example", 0);
	why_entries_find(w, &c);
	assert_int_equal(w->entries, 1);
	assert_string_equal(w->entry[0].text, "deny example for everyone");

	w = why_of("www.example", 1);
	why_entries_find(w, &c);
	assert_int_equal(w->entries, 2);
	assert_string_equal(w->entry[1].name, "www.example");
	assert_string_equal(w->entry[1].group, "kids");
	assert_string_equal(w->entry[1].text,
		"allow www.example for group kids, until 2026-11-25T20:00:00Z: für Anna");

	// A pattern counts where the rules say that it fits.
	w = why_of("ads.test", 0);
	why_entries_find(w, &c);
	assert_int_equal(w->entries, 0);
	why_hit_add(w, &(struct why_hit){.what = WHY_PATTERN, .pattern = "^ads", .pattern_len = 4});
	why_entries_find(w, &c);
	assert_int_equal(w->entries, 1);
	assert_string_equal(w->entry[0].text, "deny /^ads/ for everyone");
}

TEST(test_cap)
{
	static char empty[] = "";
	struct config_dated_entry entries[WHY_ENTRIES_MAX + 1];
	for (unsigned i = 0; i < ARRAY_LEN(entries); i++)
		entries[i] =
			(struct config_dated_entry){.name = name_of_text("example"), .why = empty};
	const struct config c = {.dated = {.count = ARRAY_LEN(entries), .entries = entries}};
	struct why *w = why_of("example", 0);
	why_entries_find(w, &c);
	assert_int_equal(w->entries, WHY_ENTRIES_MAX);
}
