// SPDX-License-Identifier: BSD-3-Clause
// Which rule of a list blocked a name, and the counts of lists.

#include "controlplane/querylog/sinks/rule_hits.h"
#include "tests/unit/cp/querylog/querylog_rig.h"
#include "tests/unit/cp/rule_image/rule_fixture.h"

static void source_add(struct rule_builder *b, const char *title, const char *names)
{
	char copy[256], *rest = copy, *word;
	snprintf(copy, sizeof(copy), "%s", names);
	assert_int_equal(rule_builder_source(b, title), 0);
	while ((word = strtok_r(rest, " ", &rest)))
		assert_int_equal(fixture_add(b, RULE_CLASS_BLOCK, word), 0);
}

TEST(test_rules)
{
	static const struct {
		const char *name, *list, *found;
	} cases[] = {
		{"ads.example.", "ads", "ads\nads.example"},
		{"x.y.ads.example.", "ads", "ads\nads.example"},
		{"deep.ads.example.", "more", "more\ndeep.ads.example"},
		{"a.deep.ads.example.", "more", "more\ndeep.ads.example"},
		{"a.deep.ads.example.", "ads", "ads\nads.example"}, // of the list of the row
		{"other.example.", "ads", "ads\n"},
		{"ads.example.", "gone", "gone\n"},
		{"", "ads", "ads\n"},
		{"bad\\", "ads", "ads\n"},
	};
	struct rule_builder *b = fixture_builder();
	struct rule_arena image;
	struct rule_reader r;
	char why[128], out[RULE_HIT_TEXT_MAX];
	source_add(b, "allow", "");
	source_add(b, "deny", "");
	source_add(b, "ads", "ads.example tracker.example");
	source_add(b, "more", "deep.ads.example");
	fixture_finish(b, &image);
	assert_int_equal(rule_reader_init(&r, image.base, image.size, true, why), 0);
	for (unsigned i = 0; i < ARRAY_LEN(cases); i++) {
		const struct querylog_row row = {.qname = querylog_rig_text(cases[i].name),
			.list = querylog_rig_text(cases[i].list),
			.qtype = 1,
			.is_blocked = true};
		const size_t len = rule_hits_text(&r, &row, out);
		assert_string_equal(out, cases[i].found);
		assert_int_equal(len, strlen(out));
		(void)rule_hits_text(NULL, &row, out);
		assert_int_equal(strlen(out), strlen(cases[i].list) + 1);
	}
	rule_arena_free(&image);
}

TEST(test_lists)
{
	static struct rule_hits h;
	char title[16];
	struct querylog_text ads = querylog_rig_text("ads");
	rule_hits_add(&h, &ads, 3);
	for (unsigned i = 0; i < 2 * RULE_HIT_LISTS; i++) {
		snprintf(title, sizeof(title), "list-%u", i);
		struct querylog_text t = querylog_rig_text(title);
		rule_hits_add(&h, &t, 1);
	}
	rule_hits_add(&h, &ads, 4);
	assert_int_equal(h.count, RULE_HIT_LISTS);
	assert_int_equal(h.left_out, RULE_HIT_LISTS + 1); // beside "ads"
	assert_int_equal(rule_hits_of(&h, "ads"), 7);
	assert_int_equal(rule_hits_of(&h, "list-5"), 1);
	assert_int_equal(rule_hits_of(&h, "list-1023"), 0);
	assert_int_equal(rule_hits_of(&h, "none"), 0);
}
