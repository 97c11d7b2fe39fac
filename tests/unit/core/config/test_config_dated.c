// SPDX-License-Identifier: BSD-3-Clause

// What small verbs write: entries that may end, members of groups, lists that are out of use.

#include "config_text.h"

// 10 lines, then line 11.
#define GROUPS                                                       \
	MINIMAL                                                      \
	"groups:\n"                                                  \
	"- {name: kids, clients: [192.0.2.1], allow: [a.example]}\n" \
	"- {name: free, clients: [192.0.2.2], blocking: false}\n"
#define LISTS "blocking: {lists: [{path: /a, name: ads}, {path: /b, name: adult}]"

static void name_is(const struct dns_name *name, const char *want)
{
	char text[DNS_NAME_TEXT_MAX];
	assert_string_equal(dns_name_to_text(name, text), want);
}

TEST(test_entries)
{
	struct config *c = config_text_load(
		GROUPS "entries:\n"
		       "- {name: one.example, verdict: deny}\n"
		       "- {name: two.example, verdict: allow, group: kids, until: "
		       "'2100-01-01T00:00:00Z', why: \"für Anna\"}\n"
		       "- {name: '/^ads[0-9]/', verdict: deny}\n"
		       "- {name: over.example, verdict: allow, until: 2020-02-29T23:59:59Z}\n");
	assert_int_equal(c->dated.count, 4);
	const struct config_dated_entry *e = c->dated.entries;
	assert_false(e[0].allow);
	assert_int_equal(e[0].group, 0);
	assert_int_equal(e[0].until, 0);
	assert_string_equal(e[0].why, "");
	assert_true(e[1].allow);
	assert_int_equal(e[1].group, 1);
	assert_int_equal(e[1].until, 4102444800);
	assert_string_equal(e[1].why, "für Anna");
	assert_string_equal(e[2].pattern, "^ads[0-9]");
	assert_true(e[3].ended);
	assert_false(e[0].ended || e[1].ended || e[2].ended);
	// They count with the others, unless they have ended.
	assert_int_equal(c->blocking.deny_count, 1);
	name_is(&c->blocking.deny[0], "one.example");
	assert_int_equal(c->blocking.deny_pattern_count, 1);
	assert_string_equal(c->blocking.deny_patterns[0], "^ads[0-9]");
	assert_int_equal(c->blocking.allow_count, 0);
	assert_int_equal(c->groups[0].allow.count, 2);
	name_is(&c->groups[0].allow.names[1], "two.example");
}

// They are not among the entries that hold for every type, with the group's reply.
TEST(test_special_entries)
{
	struct config *c = config_text_load(
		GROUPS "entries:\n"
		       "- {name: one.example, verdict: deny, types: AAAA}\n"
		       "- {name: /^x/, verdict: allow, group: kids, types: [A, HTTPS]}\n"
		       "- {name: two.example, verdict: deny, reply: servfail}\n"
		       "- {name: four.example, verdict: deny, types: ['~A', '~AAAA']}\n"
		       "- {name: three.example, verdict: deny, reply: drop, until: "
		       "'2020-01-01T00:00:00Z'}\n"
		       "- {name: /^y/, verdict: deny, invert: true}\n"
		       "- {name: z.example, verdict: deny, types: A, invert: false}\n");
	const struct config_dated_entry *e = c->dated.entries;
	assert_int_equal(c->dated.count, 7);
	assert_true(e[5].inverts);
	assert_string_equal(e[5].pattern, "^y");
	assert_false(e[1].inverts || e[6].inverts);
	assert_int_equal(e[0].types.count, 1);
	assert_int_equal(e[0].types.except, 0);
	assert_int_equal(e[0].types.type[0], DNS_TYPE_AAAA);
	assert_int_equal(e[0].reply, RULE_REPLY_GROUP);
	assert_int_equal(e[1].types.count, 2);
	assert_int_equal(e[1].types.type[1], DNS_TYPE_HTTPS);
	assert_int_equal(e[2].types.count, 0);
	assert_int_equal(e[2].reply, RULE_REPLY_SERVFAIL);
	assert_int_equal(e[3].types.count, 2);
	assert_int_equal(e[3].types.except, 1);
	assert_int_equal(e[3].types.type[1], DNS_TYPE_AAAA);
	assert_int_equal(e[4].reply, RULE_REPLY_DROP);
	for (unsigned i = 0; i < 7; i++)
		assert_int_equal(config_dated_is_special(&e[i]), i != 4);
	assert_int_equal(c->blocking.deny_count + c->groups[0].allow.pattern_count, 0);
	assert_int_equal(c->blocking.deny_pattern_count, 0);
	assert_int_equal(c->groups[0].allow.count, 1);
}

TEST(test_entries_refused)
{
	static const struct refusal bad[] = {
		{"verdict: deny", "11:11: entries[0].name: has no value"},
		{"name: a.example",
			"11:11: entries \"a.example\": verdict: must be one of: allow, deny"},
		{"name: a.example, verdict: block",
			"11:29: entries \"a.example\": verdict: must be one of: allow, deny"},
		{"name: a..example, verdict: deny", "11:12: entries \"a..example\": name: "},
		{"name: /a, verdict: deny",
			"11:12: entries \"/a\": name: a pattern begins and ends with a slash"},
		{"name: a.example, verdict: deny, group: kid",
			"11:44: entries \"a.example\": group: no group is called \"kid\"; did you "
			"mean \"kids\"?"},
		{"name: a.example, verdict: deny, group: free",
			"11:44: entries \"a.example\": group: a deny entry does nothing in a "
			"group with `blocking: false`"},
		{"name: a.example, verdict: deny, until: tomorrow",
			"11:44: entries \"a.example\": until: must be a time in UTC, such as "
			"2026-11-25T20:00:00Z"},
		{"name: a.example, verdict: deny, why: \"a\\x1bb\"",
			"11:44: entries \"a.example\": why: must be text without control "
			"characters"},
		{"name: a.example, verdict: deny, types: [A, ANY]",
			"11:55: entries \"a.example\": types[1]: must be one of: A, AAAA, CAA, "
			"CNAME, HTTPS, MX, PTR, SRV, SVCB, TXT"},
		{"name: a.example, verdict: deny, types: ['~A', AAAA]",
			"11:58: entries \"a.example\": types[1]: is with ~, for all but these "
			"types, "
			"and others are not"},
		{"name: a.example, verdict: deny, reply: data",
			"11:44: entries \"a.example\": reply: must be one of: nxdomain, nodata, "
			"null, refused, servfail, drop"},
		{"name: a.example, verdict: allow, reply: nodata",
			"11:45: entries \"a.example\": reply: an allow entry has no reply"},
		{"name: a.example, verdict: deny, invert: true",
			"11:44: entries \"a.example\": invert: is for a /pattern/, and not for a "
			"name"},
		{"name: /a/, verdict: deny, invert: perhaps",
			"11:38: entries \"/a/\": invert: must be true or false"},
		{"name: a.example, verdict: deny, for: 2h",
			"11:44: entries \"a.example\": for: unknown key"},
	};
	EACH_REFUSED(config_text_refused_at, GROUPS "entries: [{%s}]\n", bad);
}

// Of this many kinds, `each` of a group, and another entry of the first.
static const char *kinds_text(unsigned count, unsigned each)
{
	static const char *const types[] = {
		"A", "AAAA", "CAA", "CNAME", "HTTPS", "MX", "PTR", "SRV", "SVCB", "TXT"};
	static const char *const replies[] = {
		"nxdomain", "nodata", "null", "refused", "servfail", "drop"};
	static char text[64 * 1024];
	char *at = stpcpy(text, MINIMAL "groups:\n");
	for (unsigned i = 0; i < 9; i++)
		at += sprintf(at, "- {name: g%u, clients: [192.0.2.%u]}\n", i, i);
	at = stpcpy(at, "entries:\n- {name: first, verdict: deny, types: [AAAA, A, A], reply: "
			"nxdomain, group: g0}\n");
	unsigned n = 0;
	for (unsigned i = 0; i < ARRAY_LEN(types); i++)
		for (unsigned j = i + 1; j < ARRAY_LEN(types); j++)
			for (unsigned r = 0; r < ARRAY_LEN(replies) && n < count; r++, n++)
				at += sprintf(at,
					"- {name: n%u, verdict: deny, types: [%s, %s], reply: %s, "
					"group: g%u}\n",
					n, types[i], types[j], replies[r], n / each);
	assert_int_equal(n, count);
	return text;
}

// Each kind is a list of the rule image; two more are for the other entries.
TEST(test_special_entries_of_many_kinds)
{
	config_text_load(kinds_text(CONFIG_LISTS_MAX, CONFIG_ENTRY_KINDS_MAX));
	config_text_refused(kinds_text(CONFIG_LISTS_MAX + 1, CONFIG_ENTRY_KINDS_MAX),
		text_from("need %d lists of rules or more, at most %d are possible",
			CONFIG_LISTS_MAX + 3, CONFIG_LISTS_MAX + 2));
}

TEST(test_special_entries_of_many_kinds_in_one_group)
{
	config_text_load(kinds_text(CONFIG_ENTRY_KINDS_MAX, CONFIG_ENTRY_KINDS_MAX));
	config_text_refused(kinds_text(CONFIG_ENTRY_KINDS_MAX + 1, CONFIG_ENTRY_KINDS_MAX + 1),
		text_from("entries: the deny entries of one group have more than %d combinations",
			CONFIG_ENTRY_KINDS_MAX));
}

TEST(test_times)
{
	static const char *const bad[] = {"", "2026-11-25", "2026-11-25T20:00:00",
		"2026-11-25T20:00:00+01:00", "2026-02-30T00:00:00Z", "2026-1-05T00:00:00Z",
		"1969-12-31T23:59:59Z", "2026-11-25T24:00:00Z", "2026-11-25T20:00:00Z ",
		"2026-11-25 20:00:00Z"};
	char text[CONFIG_TIME_TEXT_MAX];
	int64_t at = -1;
	assert_int_equal(config_time_parse("2026-11-25T20:00:00Z", &at), 0);
	assert_int_equal(at, 1795636800);
	assert_string_equal(config_time_text(at, text), "2026-11-25T20:00:00Z");
	assert_int_equal(config_time_parse("1970-01-01T00:00:00Z", &at), 0);
	assert_int_equal(at, 0);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_int_equal(config_time_parse(bad[i], &at), -EINVAL);
}

TEST(test_members)
{
	struct config *c =
		config_text_load(GROUPS "clients: [{name: tablet, addresses: [192.0.2.9]}]\n"
					"group_members:\n"
					"- {group: kids, client: 192.0.2.16/28}\n"
					"- {group: free, client: '02:00:5e:10:00:01'}\n"
					"- {group: kids, client: tablet}\n");
	char text[SOCKET_ADDRESS_TEXT_MAX];
	assert_int_equal(c->groups[0].client_count, 3);
	assert_string_equal(ip_address_text(&c->groups[0].clients[1], true, text), "192.0.2.16/28");
	assert_string_equal(ip_address_text(&c->groups[0].clients[2], true, text), "192.0.2.9/32");
	assert_int_equal(c->groups[1].mac_count, 1);
	// They are enough for a group.
	c = config_text_load(GROUPS "- {name: guests}\n"
				    "group_members: [{group: guests, client: 192.0.2.3}]\n");
	assert_int_equal(c->groups[2].client_count, 1);
}

TEST(test_members_refused)
{
	config_text_refused_at(GROUPS "group_members: [{group: kid, client: 192.0.2.3}]\n",
		"11:18: group_members[0].group: no group is called \"kid\"; did you mean "
		"\"kids\"?");
	config_text_refused_at(GROUPS "group_members: [{group: kids, client: nobody}]\n",
		"11:31: group_members[0].client: is not an IP address");
	config_text_refused_at(GROUPS "group_members: [{group: kids}]\n",
		"11:17: group_members[0].client: has no value");
	config_text_refused(GROUPS "group_members: [{group: free, client: 192.0.2.1}]\n",
		"192.0.2.1/32 is in group \"kids\" already: ");
	// The place of the other one.
	config_text_refused(GROUPS "group_members: [{group: free, client: 192.0.2.1}]\n", ":9:26");
	config_text_refused_at(MINIMAL "group_members: [{group: kids, client: 192.0.2.1}]\n",
		"8:18: group_members[0].group: no group is called \"kids\"");
}

TEST(test_disabled_lists)
{
	struct config *c = config_text_load(GROUPS LISTS ", disabled_lists: [ads]}\n");
	assert_int_equal(c->blocking.list_count, 1);
	assert_string_equal(c->blocking.lists[0].name, "adult");
	assert_int_equal(c->blocking.disabled_count, 1);
	assert_string_equal(c->blocking.disabled[0].name, "ads");
	assert_true(config_list_is_disabled(&c->blocking, "ads"));
	assert_false(config_list_is_disabled(&c->blocking, "adult"));
	// Groups and schedules may name them all the same.
	c = config_text_load(GROUPS
		"- {name: teens, clients: [192.0.2.3], lists: [ads, adult], schedules: [{name: "
		"night, from: '20:00', to: '07:00', lists: [ads]}]}\n"
		"- {name: late, clients: [192.0.2.4], lists: [ads]}\n" LISTS
		", disabled_lists: [ads, ads]}\n");
	assert_int_equal(c->groups[2].list_count, 1);
	assert_int_equal(c->groups[2].lists[0], 0);
	assert_int_equal(c->groups[2].filter.schedules.one[0].list_count, 0);
	assert_true(c->groups[3].has_lists);
	assert_int_equal(c->groups[3].list_count, 0);
	config_text_refused_at(GROUPS LISTS ", disabled_lists: [ad]}\n",
		"11:86: blocking.disabled_lists[0]: list \"ad\" is not defined; did you mean "
		"\"ads\"?");
}
