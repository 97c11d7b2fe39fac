// SPDX-License-Identifier: BSD-3-Clause

// Masks of groups: every minute of two weeks around both changes of the clock, against conditions
// written down by hand.

#include "controlplane/policy/group_masks.h"
#include "controlplane/policy/group_sources.h"
#include "controlplane/policy/local_data.h"
#include "controlplane/rule_image/rule_build.h"
#include "controlplane/rule_image/rule_numbers.h"
#include "tests/unit/core/config/config_text.h"

static const char document[] = MINIMAL
	"blocking:\n"
	"  lists: [{path: /a, name: ads}, {path: /b, name: adult}, {path: /c, name: good}]\n"
	"  services: [onlyfans]\n"
	"  safe_search: {bing: true}\n"
	"  schedules:\n"
	"  - {name: night, days: [weekend], from: '23:00', to: '05:00', domains: [n.example]}\n"
	"groups:\n"
	"- name: kids\n"
	"  clients: [192.0.2.1]\n"
	"  lists: [ads, good]\n"
	"  allow: [a.example]\n"
	"  deny: [d.example]\n"
	"  services: [tiktok]\n"
	"  safe_search: {google: true, youtube: moderate}\n"
	"  family_time: {days: [sat, sun], from: '18:00', to: '20:00', services: [netflix], "
	"domains: [f.example]}\n"
	"  schedules:\n"
	"  - {name: school, days: [weekdays], from: '08:00', to: '13:00', lists: [adult], "
	"services: [steam]}\n"
	"  - {name: bed, days: [sun, mon, tue, wed, thu], from: '21:00', to: '06:30', "
	"block_all: true}\n"
	"  - {name: lunch, from: '12:00', to: '12:30', pause: true}\n"
	"- {name: plain, clients: [192.0.2.2]}\n"
	"- {name: free, clients: [192.0.2.3], blocking: false}\n"
	"- {name: bare, clients: [192.0.2.4], inherit: false}\n";

enum { KIDS = 1, PLAIN, FREE, BARE, GROUPS };

static struct config *config;
static struct rule_list_info info[64];
static unsigned info_count;
static struct group_lists lists;

static unsigned list_add(const char *title, enum rule_class rule_class, const char *client)
{
	struct rule_list_info *i = &info[info_count];
	snprintf(i->title, sizeof(i->title), "%s", title);
	i->kind.rule_class = (uint8_t)rule_class;
	i->kind.covers = RULE_COVERS_ALL;
	snprintf(i->kind.client, sizeof(i->kind.client), "%s", client);
	return info_count++;
}

static int first_class(void *arg, const struct list_rule *rule)
{
	*(enum rule_class *)arg = rule->kind.rule_class;
	return 1;
}

static int setup(void **)
{
	config = config_text_load(document);

	list_add("allow entries", RULE_CLASS_OPERATOR_ALLOW, "");
	list_add("deny entries", RULE_CLASS_OPERATOR_DENY, "");
	list_add("ads", RULE_CLASS_BLOCK, "");
	list_add("ads", RULE_CLASS_ALLOW, "");
	list_add("ads", RULE_CLASS_EXCEPT, "");
	list_add("ads", RULE_CLASS_BLOCK, "kids");
	list_add("adult", RULE_CLASS_IMPORTANT_BLOCK, "");
	list_add("good", RULE_CLASS_ALLOW, "");
	list_add("local data", RULE_CLASS_LOCAL, "");
	list_add("gone", RULE_CLASS_BLOCK, "");
	list_add("service unknown", RULE_CLASS_BLOCK, "");
	list_add("group other: deny", RULE_CLASS_OPERATOR_DENY, "");
	list_add("group kids: other", RULE_CLASS_OPERATOR_DENY, "");
	list_add("", RULE_CLASS_BLOCK, "");
	info[info_count - 1].kind.covers = 0;

	struct group_sources *sources;
	assert_int_equal(group_sources_new(config, &sources), 0);
	for (unsigned i = RULE_LIST_FIRST; i < sources->count; i++) {
		enum rule_class rule_class = RULE_CLASSES;
		assert_int_equal(
			group_source_rules(group_source_arg(sources, i), first_class, &rule_class),
			1);
		list_add(group_source_title(sources, i), rule_class, "");
	}
	group_sources_free(sources);
	group_lists_init(&lists, config, info, info_count);
	return 0;
}

// What the document says of one minute.
struct minute {
	bool family, school, bed, lunch, night;
};

static bool on(const struct tm *tm, const char *days)
{
	static const char *const words[] = {"sun", "mon", "tue", "wed", "thu", "fri", "sat"};
	return strstr(days, words[tm->tm_wday]) != NULL;
}

static struct minute minute_of(time_t t)
{
	struct tm tm;
	char at[8];
	localtime_r(&t, &tm);
	strftime(at, sizeof(at), "%H:%M", &tm);
	bool from_23 = strcmp(at, "23:00") >= 0, from_21 = strcmp(at, "21:00") >= 0;
	return (struct minute){
		.family =
			on(&tm, "sat sun") && strncmp(at, "18", 2) >= 0 && strncmp(at, "20", 2) < 0,
		.school = on(&tm, "mon tue wed thu fri") && strcmp(at, "08:00") >= 0
			  && strcmp(at, "13:00") < 0,
		.bed = (on(&tm, "sun mon tue wed thu") && from_21)
		       || (on(&tm, "mon tue wed thu fri") && strcmp(at, "06:30") < 0),
		.lunch = strcmp(at, "12:00") >= 0 && strcmp(at, "12:30") < 0,
		.night = (on(&tm, "sat sun") && from_23)
			 || (on(&tm, "sun mon") && strcmp(at, "05:00") < 0),
	};
}

static bool is(const struct rule_list_info *l, const char *title)
{
	return strcmp(l->title, title) == 0;
}

static bool expected_kids(const struct rule_list_info *l, const struct minute *m)
{
	bool usual = !m->lunch;
	if (is(l, "allow entries") || is(l, "local data") || is(l, "good")
		|| is(l, "group kids: allow") || is(l, "safe search google")
		|| is(l, "safe search youtube"))
		return true;
	if (is(l, "ads"))
		return usual || l->kind.rule_class == RULE_CLASS_ALLOW;
	if (is(l, "deny entries") || is(l, "group kids: deny") || is(l, "service tiktok"))
		return usual;
	if (is(l, "adult") || is(l, "service steam"))
		return m->school;
	return (is(l, "service netflix") || is(l, "group kids: family time")) && m->family;
}

static bool expected(unsigned group, const struct rule_list_info *l, const struct minute *m)
{
	if (l->kind.covers == 0 || is(l, "gone"))
		return false;
	if (is(l, "local data") || is(l, "allow entries"))
		return true;
	if (group == KIDS)
		return expected_kids(l, m);
	if (l->kind.client[0])
		return false;
	if (group == BARE)
		return is(l, "deny entries");
	if (is(l, "safe search bing"))
		return true;
	bool allows = l->kind.rule_class == RULE_CLASS_ALLOW;
	if (is(l, "ads") || is(l, "adult") || is(l, "good"))
		return group != FREE || allows;
	if (is(l, "deny entries") || is(l, "service onlyfans"))
		return group != FREE;
	return is(l, "schedule night") && m->night && group != FREE;
}

static bool has(const struct group_mask *m, unsigned list)
{
	return m->lists[list / 64] >> list % 64 & 1;
}

static void compare(time_t t)
{
	struct minute m = minute_of(t);
	for (unsigned group = 0; group < GROUPS; group++) {
		struct group_mask mask;
		group_mask(&lists, group, t, false, &mask);
		assert_int_equal(mask.block_all, group == KIDS && m.bed);
		assert_int_equal(mask.paused, group == KIDS && m.lunch);
		for (unsigned i = 0; i < info_count; i++)
			if (has(&mask, i) != expected(group, &info[i], &m))
				fail_msg("group %u, \"%s\" of class %u at %lld", group,
					info[i].title, info[i].kind.rule_class, (long long)t);
		assert_int_equal(mask.lists[1] | mask.lists[2] | mask.lists[3], 0);
	}
}

TEST(test_two_weeks)
{
	static const time_t jumps[] = {1774746000, 1792890000}; // 2026, Berlin
	setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3", 1);
	tzset();
	for (size_t i = 0; i < ARRAY_LEN(jumps); i++)
		for (int minute = -7 * 1440; minute < 7 * 1440; minute++)
			compare(jumps[i] + minute * 60);
}

// The operator's pause: nothing blocks, whatever the time.
TEST(test_paused)
{
	setenv("TZ", "UTC0", 1);
	tzset();
	for (time_t t = 1774746000; t < 1774746000 + 7 * 86400; t += 1800)
		for (unsigned group = 0; group < GROUPS; group++) {
			struct group_mask mask;
			group_mask(&lists, group, t, true, &mask);
			struct group_mask usual;
			group_mask(&lists, group, t, false, &usual);
			if (!usual.paused)
				assert_memory_equal(
					mask.unpaused, usual.lists, sizeof(usual.lists));
			assert_true(mask.paused && !mask.block_all);
			for (unsigned i = 0; i < info_count; i++) {
				unsigned rule_class = info[i].kind.rule_class;
				if (has(&mask, i) && rule_class != RULE_CLASS_ALLOW
					&& rule_class != RULE_CLASS_OPERATOR_ALLOW
					&& rule_class != RULE_CLASS_LOCAL
					&& rule_class != RULE_CLASS_SAFE)
					fail_msg("group %u, \"%s\"", group, info[i].title);
			}
		}
}

// The longest names of a group, its schedule and a list, with backslashes.
#define ODD_GROUP    "a\\\\bcdefghijklmnopqrstuvwxyz012"
#define ODD_SCHEDULE "\\bed\\abcdefghijklmnopqr"
#define ODD_LIST     "c:\\a_list_whose_name_has_\\134\\_sixty-three_bytes_in_all_and_end"
static const char odd_names[] =
	MINIMAL "blocking:\n"
		"  lists: [{path: /a, name: '" ODD_LIST "'}]\n"
		"groups:\n"
		"- name: '" ODD_GROUP "'\n"
		"  clients: [192.0.2.1]\n"
		"  allow: [a.example]\n"
		"  deny: [d.example]\n"
		"  local_records: [{name: nas.lan, type: A, value: 192.0.2.3}]\n"
		"  schedules:\n"
		"  - {name: '" ODD_SCHEDULE "', from: '00:00', to: '23:59', "
		"domains: [s.example]}\n"
		"- {name: other, clients: [192.0.2.2]}\n";

static void odd_add(struct rule_list_info *to, const char *title, enum rule_class rule_class)
{
	rule_title_make(to->title, title);
	to->kind = rule_kind_of(rule_class);
}

UNIT_END_OF(group_sources_free, struct group_sources)
UNIT_END_OF(local_data_free, struct local_data)

TEST(test_names_with_backslashes)
{
	enum { OF_LIST, ALLOW, DENY, SCHEDULE, DATA, COUNT };
	struct rule_list_info image[COUNT] = {0};
	static struct group_lists of_image;
	struct config *c = config_text_load(odd_names);
	struct group_sources *sources;
	struct local_data *local;
	struct group_mask mask;
	setenv("TZ", "UTC0", 1);
	tzset();
	assert_int_equal(group_sources_new(c, &sources), 0);
	unit_at_end(group_sources_free_at_end, sources);
	assert_int_equal(local_data_new(c, &local), 0);
	unit_at_end(local_data_free_at_end, local);
	assert_int_equal(sources->count, RULE_LIST_FIRST + 3);
	odd_add(&image[OF_LIST], c->blocking.lists[0].name, RULE_CLASS_BLOCK);
	for (unsigned i = 0; i < 3; i++)
		odd_add(&image[1 + i], group_source_title(sources, RULE_LIST_FIRST + i),
			group_source_allows(sources, RULE_LIST_FIRST + i)
				? RULE_CLASS_OPERATOR_ALLOW
				: RULE_CLASS_OPERATOR_DENY);
	odd_add(&image[DATA], local_data_title(local, 0), RULE_CLASS_LOCAL);
	assert_non_null(strstr(image[DATA].title, " of "));
	group_lists_init(&of_image, c, image, COUNT);
	group_mask(&of_image, 1, 1774746000, false, &mask);
	assert_int_equal(mask.lists[0], (1 << COUNT) - 1);
	group_mask(&of_image, 2, 1774746000, false, &mask);
	assert_int_equal(mask.lists[0], 1 << OF_LIST);
}

TEST_GROUP(setup, NULL)
