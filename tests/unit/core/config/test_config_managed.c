// SPDX-License-Identifier: BSD-3-Clause

// The managed part as a model: what a verb changes of its text, and what stays.

#include "config_text.h"

#include <weir/config/managed.h>
#include <weir/config/versions.h>

static struct config_managed *parse(const char *text)
{
	struct config_managed *m = NULL;
	char why[CONFIG_WHY_MAX];
	if (config_managed_parse(text, &m, why) != 0)
		fail_msg("%s\n%s", why, text);
	return m;
}

// Prints the model, which it frees.
static void is_text(struct config_managed *m, const char *want)
{
	char *text = config_managed_text(m, "# head\n");
	assert_non_null(text);
	assert_string_equal(text, want);
	// What was printed is the same model.
	struct config_managed *again = parse(text);
	char *twice = config_managed_text(again, "# head\n");
	assert_string_equal(twice, want);
	free(text);
	free(twice);
	config_managed_free(again);
	config_managed_free(m);
}

TEST(test_entries)
{
	struct config_managed *m = parse("");
	const struct managed_entry ads = {.name = "ads.example", .verdict = "deny"};
	const struct managed_entry game = {.name = "game.example",
		.verdict = "allow",
		.group = "kids",
		.until = "2026-11-25T20:00:00Z",
		.why = "a \"test\"\\ f\xc3\xbcr\nAnna"};
	struct managed_entry other = ads;
	assert_int_equal(config_managed_entry_set(m, &ads), 0);
	assert_int_equal(config_managed_entry_set(m, &game), 0);
	other.verdict = "allow"; // the other verdict, in its place
	assert_int_equal(config_managed_entry_set(m, &other), 2);
	other.group = "kids"; // another group: beside it
	assert_int_equal(config_managed_entry_set(m, &other), 0);
	assert_int_equal(config_managed_entry_remove(m, &ads), -ENOENT); // it is an allow entry
	other.verdict = NULL;
	assert_int_equal(config_managed_entry_remove(m, &other), 0);
	assert_int_equal(config_managed_entry_remove(m, &other), -ENOENT);
	is_text(m, "# head\n"
		   "entries:\n"
		   "  - {name: \"ads.example\", verdict: \"allow\"}\n"
		   "  - {name: \"game.example\", verdict: \"allow\", group: \"kids\", until: "
		   "\"2026-11-25T20:00:00Z\", why: \"a \\\"test\\\"\\\\ f\xc3\xbcr\\x0aAnna\"}\n");
}

TEST(test_types_of_an_entry)
{
	struct config_managed *m = parse("");
	struct managed_entry e = {
		.name = "a.example", .verdict = "deny", .types = "AAAA,HTTPS", .reply = "nodata"};
	assert_int_equal(config_managed_entry_set(m, &e), 0);
	e.name = "b.example";
	e.types = "";
	assert_int_equal(config_managed_entry_set(m, &e), 0);
	e.types = e.reply = NULL; // a plain entry, in its place
	assert_int_equal(config_managed_entry_set(m, &e), 2);
	const struct managed_entry inverted = {.name = "/^c/", .verdict = "allow", .inverts = true};
	assert_int_equal(config_managed_entry_set(m, &inverted), 0);
	is_text(m, "# head\n"
		   "entries:\n"
		   "  - {name: \"a.example\", verdict: \"deny\", types: [\"AAAA\", \"HTTPS\"], "
		   "reply: \"nodata\"}\n"
		   "  - {name: \"b.example\", verdict: \"deny\"}\n"
		   "  - {name: \"/^c/\", verdict: \"allow\", invert: \"true\"}\n");
}

TEST(test_ends)
{
	struct config_managed *m =
		parse("entries:\n"
		      "- {name: a, verdict: deny, until: 2026-11-25T20:00:00Z}\n"
		      "- {name: b, verdict: deny, until: 2026-11-25T20:00:01Z}\n"
		      "- {name: c, verdict: deny}\n"
		      "- {name: d, verdict: deny, until: 2020-01-01T00:00:00Z}\n");
	assert_int_equal(config_managed_entries_end(m, 1795636800), 2);
	assert_int_equal(config_managed_entries_end(m, 1795636800), 0);
	is_text(m, "# head\nentries:\n"
		   "  - {name: \"b\", verdict: \"deny\", until: \"2026-11-25T20:00:01Z\"}\n"
		   "  - {name: \"c\", verdict: \"deny\"}\n");
	m = parse("entries: [{name: a, verdict: deny, until: 2020-01-01T00:00:00Z}]\n");
	assert_int_equal(config_managed_entries_end(m, 1795636800), 1);
	is_text(m, "");
}

TEST(test_lists)
{
	struct config_managed *m = parse("");
	assert_int_equal(config_managed_list_disable(m, "old"), 0);
	assert_int_equal(config_managed_list_disable(m, "old"), -EEXIST);
	assert_int_equal(config_managed_list_disable(m, "new"), 0);
	assert_int_equal(config_managed_list_disable(m, "third"), 0);
	const struct managed_list l = {.name = "new", .url = "https://lists.example/a?b#c"};
	const struct managed_list local = {.name = "mine", .path = "/var/mine", .allow = true};
	assert_int_equal(config_managed_list_add(m, &l), 0); // and it is in use
	assert_int_equal(config_managed_list_add(m, &l), -EEXIST);
	assert_int_equal(config_managed_list_add(m, &local), 0);
	assert_int_equal(config_managed_list_enable(m, "third"), 0);
	assert_int_equal(config_managed_list_enable(m, "third"), -ENOENT);
	assert_int_equal(config_managed_list_remove(m, "nothing"), -ENOENT);
	char *text = config_managed_text(m, "");
	assert_string_equal(text, "blocking:\n"
				  "  lists:\n"
				  "    - {name: \"new\", url: \"https://lists.example/a?b#c\"}\n"
				  "    - {name: \"mine\", path: \"/var/mine\", allow: \"true\"}\n"
				  "  disabled_lists:\n"
				  "    - \"old\"\n");
	free(text);
	assert_int_equal(config_managed_list_remove(m, "new"), 0);
	assert_int_equal(config_managed_list_remove(m, "mine"), 0);
	assert_int_equal(config_managed_list_enable(m, "old"), 0);
	is_text(m, "");
}

TEST(test_records)
{
	struct config_managed *m = parse("");
	const struct managed_record a = {.name = "nas.lan", .type = "A", .value = "192.0.2.1"};
	const struct managed_record txt = {
		.name = "nas.lan", .type = "TXT", .value = "\"a b\"", .ttl = "60"};
	const struct managed_record later = {
		.name = "nas.lan", .type = "TXT", .value = "\"a b\"", .ttl = "61"};
	assert_int_equal(config_managed_record_add(m, &a), 0);
	assert_int_equal(config_managed_record_add(m, &a), 1);
	assert_int_equal(config_managed_record_add(m, &txt), 0);
	assert_int_equal(config_managed_record_add(m, &txt), 1);
	assert_int_equal(config_managed_record_add(m, &later), -EEXIST);
	char *text = config_managed_text(m, "");
	assert_string_equal(text,
		"local:\n"
		"  records:\n"
		"    - {name: \"nas.lan\", type: \"A\", value: \"192.0.2.1\"}\n"
		"    - {name: \"nas.lan\", type: \"TXT\", value: \"\\\"a b\\\"\", ttl: \"60\"}\n");
	free(text);
	const struct managed_record mx = {.name = "nas.lan", .type = "MX"};
	assert_int_equal(config_managed_record_remove(m, &mx), -ENOENT);
	const struct managed_record all = {.name = "nas.lan"};
	assert_int_equal(config_managed_record_remove(m, &all), 2);
	is_text(m, "");
}

// A record goes by its data, however a verb writes it; GET /local has its own way.
TEST(test_values)
{
	static const struct {
		const char *type, *value, *same, *other;
	} cases[] = {
		{"CNAME", "Nas.lan", "nas.lan.", "nas.lan.lan."},
		{"PTR", "nas.lan", "nas.lan.", "nas."},
		{"MX", "65 Nas.lan", "65 nas.lan.", "97 nas.lan."},
		{"SRV", "1 2 5060 nas.lan", "1 2 5060 nas.lan.", "1 2 5061 nas.lan."},
		{"TXT", "v=spf1 -all", "\"v=spf1 -all\"", "\"v=SPF1 -all\""},
		{"AAAA", "FD00::1", "fd00:0:0::1", "fd00::2"},
		{"CAA", "0 issue a.b", "\\# 10 00056973737565612E62",
			"\\# 10 00056973737565612e63"},
		{"HTTPS", "1 . alpn=h2", "\\# 10 00010000010003026832",
			"\\# 10 0001000001000302683"},
		{"A", "nonsense", "nonsense", "no sense"},
	};
	struct config_managed *m = parse("");
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct managed_record r = {
			.name = "a.lan", .type = cases[i].type, .value = cases[i].value};
		assert_int_equal(config_managed_record_add(m, &r), 0);
		r.value = cases[i].other;
		assert_int_equal(config_managed_record_remove(m, &r), -ENOENT);
		r.value = cases[i].same;
		assert_int_equal(config_managed_record_add(m, &r), 1);
		r.type = i % 2 ? NULL : r.type;
		assert_int_equal(config_managed_record_remove(m, &r), 1);
	}
	is_text(m, "");
}

TEST(test_members_and_servers)
{
	struct config_managed *m = parse("");
	assert_int_equal(config_managed_member_add(m, "kids", "192.0.2.9"), 0);
	assert_int_equal(config_managed_member_add(m, "guests", "192.0.2.9"), -EEXIST);
	assert_string_equal(config_managed_member_group(m, "192.0.2.9"), "kids");
	assert_null(config_managed_member_group(m, "192.0.2.8"));
	assert_int_equal(config_managed_member_remove(m, "guests", "192.0.2.9"), -ENOENT);
	assert_int_equal(config_managed_member_add(m, "guests", "tablet"), 0);
	assert_int_equal(config_managed_member_add(m, "kids", "Tablet"), -EEXIST);
	assert_string_equal(config_managed_member_group(m, "TABLET"), "guests");
	assert_int_equal(config_managed_member_remove(m, "kids", "TABLET"), -ENOENT);
	assert_int_equal(config_managed_member_remove(m, "guests", "TABLET"), 0);
	assert_int_equal(config_managed_member_add(m, "guests", "tablet"), 0);
	assert_int_equal(config_managed_member_remove(m, NULL, "192.0.2.9"), 0);
	assert_int_equal(config_managed_server_add(m, "9.9.9.9@853", "dns.quad9.net"), 0);
	assert_int_equal(config_managed_server_add(m, "9.9.9.9@853", NULL), 1);
	assert_int_equal(config_managed_server_add(m, "9.9.9.9@853", "quad9.net"), -EEXIST);
	assert_int_equal(config_managed_server_add(m, "1.1.1.1", NULL), 0);
	assert_int_equal(config_managed_server_remove(m, "9.9.9.9"), -ENOENT);
	char *text = config_managed_text(m, "");
	assert_string_equal(text, "upstreams:\n"
				  "  servers:\n"
				  "    - {address: \"9.9.9.9@853\", name: \"dns.quad9.net\"}\n"
				  "    - {address: \"1.1.1.1\"}\n"
				  "group_members:\n"
				  "  - {group: \"guests\", client: \"tablet\"}\n");
	free(text);
	assert_int_equal(config_managed_server_remove(m, "9.9.9.9@853"), 0);
	assert_int_equal(config_managed_server_remove(m, "1.1.1.1"), 0);
	assert_int_equal(config_managed_member_remove(m, "guests", "tablet"), 0);
	is_text(m, "");
}

// What verbs do not know stays.
TEST(test_other_keys)
{
	struct config_managed *m =
		parse("# a comment\n"
		      "cache: {min_ttl: 9}\n"
		      "blocking:\n"
		      "  safe_search: {bing: strict}\n"
		      "  lists: [{name: z, url: 'axfr+tls://a/b', pin: [x, y]}]\n"
		      "  schedules: [{name: n, days: [mon, tue], from: '20:00', to: '07:00', "
		      "pause: true}]\n"
		      "access: {}\n");
	is_text(m, "# head\n"
		   "cache:\n"
		   "  min_ttl: \"9\"\n"
		   "blocking:\n"
		   "  lists:\n"
		   "    - {name: \"z\", url: \"axfr+tls://a/b\", pin: [\"x\", \"y\"]}\n"
		   "  safe_search:\n"
		   "    bing: \"strict\"\n"
		   "  schedules:\n"
		   "    - {name: \"n\", from: \"20:00\", to: \"07:00\", pause: \"true\", days: "
		   "[\"mon\", \"tue\"]}\n");
}

TEST(test_refused)
{
	static const struct {
		const char *text, *why;
	} bad[] = {
		{"entries: {name: a}\n", "config: entries: expected a list (managed.yaml:1:1)"},
		{"entries: [\n", "config: "},
		{"entrie: []\n", "config: entrie: unknown key (managed.yaml:1:1); did you mean "
				 "\"entries\"?"},
		{"entries: [&a {name: b}]\n", "config: entries: anchors, aliases and tags"},
		{"entries: [{name: a, name: b}]\n", "config: entries[0].name: given twice"},
		{"\xff", "config: "},
	};
	char why[CONFIG_WHY_MAX];
	struct config_managed *m = NULL;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		assert_int_equal(config_managed_parse(bad[i].text, &m, why), -EINVAL);
		assert_null(m);
		if (strncmp(why, bad[i].why, strlen(bad[i].why)) != 0)
			fail_msg("%s", why);
	}
	char *big = malloc(CONFIG_MANAGED_MAX + 2);
	assert_non_null(big);
	memset(big, '#', CONFIG_MANAGED_MAX + 1);
	big[CONFIG_MANAGED_MAX + 1] = '\0';
	assert_int_equal(config_managed_parse(big, &m, why), -EFBIG);
	big[CONFIG_MANAGED_MAX] = '\0';
	assert_int_equal(config_managed_parse(big, &m, why), 0);
	config_managed_free(m);
	free(big);
}

TEST(test_caps)
{
	struct config_managed *m = parse("");
	char name[32];
	for (unsigned i = 0; i < CONFIG_LISTS_MAX; i++) {
		snprintf(name, sizeof(name), "list%u", i);
		const struct managed_list l = {.name = name, .path = "/a"};
		assert_int_equal(config_managed_list_add(m, &l), 0);
	}
	const struct managed_list more = {.name = "more", .path = "/a"};
	assert_int_equal(config_managed_list_add(m, &more), -E2BIG);
	for (unsigned i = 0; i < CONFIG_UPSTREAMS_MAX; i++) {
		snprintf(name, sizeof(name), "192.0.2.%u", i);
		assert_int_equal(config_managed_server_add(m, name, NULL), 0);
	}
	assert_int_equal(config_managed_server_add(m, "192.0.3.1", NULL), -E2BIG);
	for (unsigned i = 0; i < CONFIG_DATED_MAX; i++) {
		snprintf(name, sizeof(name), "e%u", i);
		const struct managed_entry e = {.name = name, .verdict = "deny"};
		assert_int_equal(config_managed_entry_set(m, &e), 0);
	}
	const struct managed_entry e = {.name = "more", .verdict = "deny"};
	assert_int_equal(config_managed_entry_set(m, &e), -E2BIG);
	const struct managed_entry there = {.name = "e7", .verdict = "allow"};
	assert_int_equal(config_managed_entry_set(m, &there), 2);
	config_managed_free(m);
}

static char main_path[] = "/etc/a.yaml", part_path[] = "/etc/b.yaml";
static char main_text[] =
	"blocking:\n"
	"  deny: [Ads.Example, '/^x/']\n"
	"  lists: [{path: lists/ads.txt}, {name: b, url: 'https://b/'},\n"
	"    {url: 'https://c.example/c.txt?v=/1'}, {url: 'https://d.example/'}]\n"
	"  disabled_lists: [b]\n"
	"upstreams: {servers: [{address: 9.9.9.9}]}\n"
	"groups:\n"
	"- {name: kids, clients: ['02-00-5E-10-00-01'], allow: [game.example]}\n";
static char part_text[] = "group_members: [{group: kids, client: 192.0.2.9/32}, "
			  "{group: kids, client: 'host:Pad.'}]\n"
			  "entries: [{name: x.example, verdict: allow, group: kids}]\n"
			  "local: {records: [{name: '*.lan', type: a, value: 192.0.2.1}]}\n";

TEST(test_places)
{
	struct config_text part = {.path = part_path, .bytes = part_text, .len = strlen(part_text)};
	const struct config_bundle b = {
		.main = {.path = main_path, .bytes = main_text, .len = strlen(main_text)},
		.included = &part,
		.included_count = 1};
	static const struct {
		struct config_item item;
		const char *place; // NULL: no such item
	} cases[] = {
		{{CONFIG_ITEM_ENTRY, "ads.example", NULL, NULL, NULL}, "/etc/a.yaml:2:10"},
		{{CONFIG_ITEM_ENTRY, "ads.example", NULL, "allow", NULL}, NULL},
		{{CONFIG_ITEM_ENTRY, "/^x/", NULL, "deny", NULL}, "/etc/a.yaml:2:23"},
		{{CONFIG_ITEM_ENTRY, "ads.example", "kids", NULL, NULL}, NULL},
		{{CONFIG_ITEM_ENTRY, "game.example", "kids", "allow", NULL}, "/etc/a.yaml:8:56"},
		{{CONFIG_ITEM_ENTRY, "x.example", "kids", NULL, NULL}, "/etc/b.yaml:2:11"},
		{{CONFIG_ITEM_ENTRY, "x.example", NULL, NULL, NULL}, NULL},
		{{CONFIG_ITEM_LIST, "ads.txt", NULL, NULL, NULL}, "/etc/a.yaml:3:11"},
		{{CONFIG_ITEM_LIST, "b", NULL, NULL, NULL}, "/etc/a.yaml:3:34"},
		{{CONFIG_ITEM_LIST, "c.txt", NULL, NULL, NULL}, "/etc/a.yaml:4:5"},
		{{CONFIG_ITEM_LIST, "d.example", NULL, NULL, NULL}, "/etc/a.yaml:4:44"},
		{{CONFIG_ITEM_LIST, "1", NULL, NULL, NULL}, NULL},
		{{CONFIG_ITEM_DISABLED, "b", NULL, NULL, NULL}, "/etc/a.yaml:5:20"},
		{{CONFIG_ITEM_RECORD, "*.lan", NULL, NULL, "A"}, "/etc/b.yaml:3:19"},
		{{CONFIG_ITEM_RECORD, "lan", NULL, NULL, NULL}, NULL},
		{{CONFIG_ITEM_MEMBER, "02:00:5e:10:00:01", NULL, NULL, NULL}, "/etc/a.yaml:8:26"},
		{{CONFIG_ITEM_MEMBER, "192.0.2.9", NULL, NULL, NULL}, "/etc/b.yaml:1:17"},
		{{CONFIG_ITEM_MEMBER, "host:pad", NULL, NULL, NULL}, "/etc/b.yaml:1:54"},
		{{CONFIG_ITEM_MEMBER, "HOST:pad", NULL, NULL, NULL}, "/etc/b.yaml:1:54"},
		{{CONFIG_ITEM_SERVER, "9.9.9.9", NULL, NULL, NULL}, "/etc/a.yaml:6:23"},
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct config_item_place place;
		const bool is_there = config_item_find(&b, &cases[i].item, &place);
		assert_int_equal(is_there, cases[i].place != NULL);
		assert_string_equal(place.text, cases[i].place ? cases[i].place : "");
	}
}
