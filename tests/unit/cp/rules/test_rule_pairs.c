// SPDX-License-Identifier: BSD-3-Clause

// Every pair of rules that can meet at a name: the test builds an image of a configuration with
// both, asks it, and compares the table of all with docs/reference/rule-pairs.md. WEIR_PAIRS=write
// writes the page. WEIR_SOURCE is the folder of the sources, or else this one.

#include "controlplane/answer_policy/answer_policy.h"
#include "controlplane/policy/local_why.h"
#include "controlplane/rules/rules_job.h"
#include "tests/unit/core/config/config_text.h"

#include <weir/rule_data.h>
#include <weir/rule_reply.h>

#define ASKED "www.shop.a.example" // and the names above it at which rules are
#define ABOVE "shop.a.example"
#define FAR   "a.example"

enum where { RECORD, ZONE, FORWARD, ALLOW, DENY, LIST, ALLOW_LIST, WHERES };

// `near` decides about the name asked from there or from next to it, `far` from farther up; NULL:
// it cannot. `%u` is an address of its own.
static const struct kind {
	const char *what;
	enum where where;
	const char *near, *far;
} kinds[] = {
	{"`local.records`", RECORD, "{name: " ASKED ", type: A, value: 192.0.2.%u}", NULL},
	{"`local.records`, a wildcard", RECORD, "{name: '*." ABOVE "', type: A, value: 192.0.2.%u}",
		"{name: '*." FAR "', type: A, value: 192.0.2.%u}"},
	{"`local.zones`", ZONE, "{name: " ABOVE "}", "{name: " FAR "}"},
	{"`local.zones`, `unknown: forward`", ZONE, "{name: " ABOVE ", unknown: forward}",
		"{name: " FAR ", unknown: forward}"},
	{"`forward_zones`", FORWARD, "{name: " ABOVE ", servers: [10.0.0.%u]}",
		"{name: " FAR ", servers: [10.0.0.%u]}"},
	{"`forward_zones`, `exempt`", FORWARD, "{name: " ABOVE ", exempt: true}",
		"{name: " FAR ", exempt: true}"},
	{"`allow`", ALLOW, ASKED, FAR},
	{"`allow`, a pattern", ALLOW, "/^www/", "/^www/"},
	{"`deny`", DENY, ASKED, FAR},
	{"`deny`, a pattern", DENY, "/^www/", "/^www/"},
	{"`@@\\|\\|name^$important`", LIST, "@@||" ASKED "^$important", "@@||" FAR "^$important"},
	{"`\\|\\|name^$important`", LIST, "||" ASKED "^$important", "||" FAR "^$important"},
	{"`/pattern/$important`", LIST, "/^www/$important", "/^www/$important"},
	{"`@@\\|\\|name^`", LIST, "@@||" ASKED "^", "@@||" FAR "^"},
	{"`@@/pattern/`", LIST, "@@/^www/", "@@/^www/"},
	{"a name of a list with `allow: true`", ALLOW_LIST, ASKED, FAR},
	{"RPZ `name CNAME .`", LIST, ASKED " CNAME .", NULL},
	{"RPZ `*.name CNAME .`", LIST, "*." ABOVE " CNAME .", "*." FAR " CNAME ."},
	{"RPZ `name CNAME rpz-passthru.`", LIST, ASKED " CNAME rpz-passthru.", NULL},
	{"RPZ `*.name CNAME rpz-passthru.`", LIST, "*." ABOVE " CNAME rpz-passthru.",
		"*." FAR " CNAME rpz-passthru."},
	{"RPZ `name CNAME rpz-drop.`", LIST, ASKED " CNAME rpz-drop.", NULL},
	{"RPZ `name CNAME other.name.`", LIST, ASKED " CNAME other.name.", NULL},
	{"`\\|\\|name^$dnsrewrite=192.0.2.1`", LIST, "||" ASKED "^$dnsrewrite=192.0.2.%u",
		"||" FAR "^$dnsrewrite=192.0.2.%u"},
	{"`\\|\\|name^$dnsrewrite=REFUSED`", LIST, "||" ASKED "^$dnsrewrite=REFUSED",
		"||" FAR "^$dnsrewrite=REFUSED"},
	{"`\\|\\|name^`, a name of a list", LIST, "||" ASKED "^", "||" FAR "^"},
	{"`\\|\\|name^$denyallow=asked.name`", LIST, NULL, "||" FAR "^$denyallow=" ASKED},
	{"`/pattern/`", LIST, "/^www/", "/^www/"},
	{"`/pattern/$dnsrewrite=REFUSED`", LIST, "/^www/$dnsrewrite=REFUSED",
		"/^www/$dnsrewrite=REFUSED"},
	{"`/pattern/$dnsrewrite=NXDOMAIN`", LIST, "/^www/$dnsrewrite=NXDOMAIN",
		"/^www/$dnsrewrite=NXDOMAIN"},
	{"`/pattern/$important,dnsrewrite=NXDOMAIN`", LIST, "/^www/$important,dnsrewrite=NXDOMAIN",
		"/^www/$important,dnsrewrite=NXDOMAIN"},
	{"`@@\\|\\|w*.name^`", LIST, "@@||w*." ABOVE "^", "@@||w*." FAR "^"},
	{"`\\|\\|w*.name^$important`", LIST, "||w*." ABOVE "^$important",
		"||w*." FAR "^$important"},
	{"`\\|\\|w*.name^$dnsrewrite=REFUSED`", LIST, "||w*." ABOVE "^$dnsrewrite=REFUSED",
		"||w*." FAR "^$dnsrewrite=REFUSED"},
	{"`\\|\\|w*.name^`", LIST, "||w*." ABOVE "^", "||w*." FAR "^"},
	{"`@@\\|\\|www.`", LIST, "@@||www.", "@@||www."},
	{"`\\|\\|www.`", LIST, "||www.", "||www."},
	{"`\\|\\|name^$dnsrewrite=SERVFAIL`", LIST, "||" ASKED "^$dnsrewrite=SERVFAIL",
		"||" FAR "^$dnsrewrite=SERVFAIL"},
	{"`@@\\|\\|name^$dnsrewrite`", LIST, "@@||" ASKED "^$dnsrewrite",
		"@@||" FAR "^$dnsrewrite"},
	{"`\\|\\|name^$client=a\\|b`", LIST, "||" ASKED "^$client=a|b", "||" FAR "^$client=a|b"},
	{"`\\|\\|*^$dnstype=A`, of a list with `force: true`", LIST, "||*^$dnstype=A",
		"||*^$dnstype=A"},
};
enum { KINDS = ARRAY_LEN(kinds), OUTCOME_MAX = 64, PAGE_MAX = 64 << 10 };

// A rule of a configuration; `own` is the number of its address.
struct given {
	enum where where;
	const char *text;
	unsigned own;
};

static char config_path[64], list_path[2][64];

static const char *items(const struct given *g, unsigned count, enum where where)
{
	const char *all = "";
	for (unsigned i = 0; i < count; i++)
		if (g[i].where == where)
			all = text_from("%s%s%s", all, *all ? ", " : "", g[i].text);
	return all;
}

static struct config *configure(const struct given *g, unsigned count)
{
	const char *lists = "";
	for (unsigned i = 0; i < count; i++) {
		if (g[i].where != LIST && g[i].where != ALLOW_LIST)
			continue;
		text_to_file(list_path[i], text_from("%s\n", g[i].text));
		lists = text_from("%s%s{name: list%u, path: %s, force: true%s}", lists,
			*lists ? ", " : "", i, list_path[i],
			g[i].where == ALLOW_LIST ? ", allow: true" : "");
	}
	struct config *c = NULL;
	char why[CONFIG_WHY_MAX] = "";
	const char *text = text_from(MINIMAL "local: {records: [%s], zones: [%s]}\n"
					     "forward_zones: [%s]\n"
					     "blocking: {allow: [%s], deny: [%s], lists: [%s]}\n",
		items(g, count, RECORD), items(g, count, ZONE), items(g, count, FORWARD),
		items(g, count, ALLOW), items(g, count, DENY), lists);
	text_to_file(config_path, text);
	if (config_load(config_path, &c, why) != 0)
		fail_msg("%s\n%s", why, text);
	return c;
}

// What a client of no group gets, as far as these rules say it.
static void say(const struct rule_reader *r, const struct config *c, char out[OUTCOME_MAX])
{
	static const uint64_t all[4] = {UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX};
	struct dns_name name;
	struct rule_verdict v;
	struct answer_policy *policy;
	struct answer_match finding;
	struct dns_answer_view data;
	assert_int_equal(dns_name_from_text(ASKED, strlen(ASKED), &name), 0);
	rule_decide(r, &name, DNS_TYPE_A, all, &v);
	assert_int_equal(answer_policy_new(&policy, r, 1), 0);
	answer_policy_question(policy, ANSWER_POLICY_ON_RESOLVER, &name, DNS_TYPE_A, &finding);
	struct rule_ruling ruling = {.d = v.d, .hash = v.hash};
	bool left = v.d.action == RULE_PASS || v.d.action == RULE_RESOLVE
		    || rule_pattern_may_allow(r, all, &v.d);
	bool passes =
		left && !answer_policy_blocks(policy, &finding, &name, DNS_TYPE_A, all, &ruling);
	answer_policy_free(policy);
	const struct config_group *of;
	const struct config_forward_zone *zone = local_why_forward(c, NULL, &name, &of);
	if (passes)
		snprintf(out, OUTCOME_MAX, "resolved by %s",
			zone && zone->server_count ? zone->servers[0].name : "upstreams");
	else if (ruling.d.action == RULE_DATA
		 && rule_data_find(r, ruling.hash, ruling.d.list, DNS_TYPE_A, &data))
		snprintf(out, OUTCOME_MAX, "data %u", data.bytes[data.len - 1]);
	else
		snprintf(out, OUTCOME_MAX, "%s %s", rule_action_name[ruling.d.action],
			rule_reply_name[ruling.d.reply]);
}

static void outcome(const struct given *g, unsigned count, char out[OUTCOME_MAX])
{
	struct rule_source_result result[RULE_SOURCES_MAX] = {0};
	struct rule_compile_options options = {0};
	char why[RULE_COMPILE_WHY_MAX];
	struct config *c = configure(g, count);
	struct rules_sources *s;
	struct rule_arena a;
	struct rule_reader *r = malloc(sizeof(*r));
	size_t peak;
	assert_non_null(r);
	assert_int_equal(rules_sources_new(c, &s), 0);
	if (rule_compile(s->source, s->count, &options, result, &a, &peak, why))
		fail_msg("%s", why);
	assert_int_equal(rule_reader_init(r, a.base, a.size, true, why), 0);
	say(r, c, out);
	rule_arena_free(&a);
	rules_sources_free(s);
	config_free(c);
	free(r);
}

static struct given give(const struct kind *k, bool near, unsigned own)
{
	char text[256];
	const char *form = near ? k->near : k->far, *at = strstr(form, "%u");
	snprintf(text, sizeof(text), "%.*s", at ? (int)(at - form) : 255, form);
	return (struct given){.where = k->where,
		.text = at ? text_from("%s%u%s", text, own, at + 2) : text_from("%s", text),
		.own = own};
}

// What a rule says alone: made once for all pairs that it is in.
static const char *alone(const struct kind *k, bool near, unsigned own)
{
	static char said[KINDS][2][2][OUTCOME_MAX];
	char *of = said[k - kinds][near][own - 1];
	const struct given g = give(k, near, own);
	if (!*of)
		outcome(&g, 1, of);
	return of;
}

static bool is_of_list(const struct kind *k)
{
	return k->where == LIST || k->where == ALLOW_LIST;
}

// Which of two rules decides, with the list of either in front. Where they are not of two lists,
// that is one configuration twice.
static const char *meet(const struct kind *row, const struct kind *column, bool column_near)
{
	const char *as[2] = {alone(row, true, 1), alone(column, column_near, 2)}, *says[2];
	const struct given g[2] = {give(row, true, 1), give(column, column_near, 2)},
			   turned[2] = {g[1], g[0]};
	const bool is_once = UNIT_IS_SANITIZED && !(is_of_list(row) && is_of_list(column));
	char both[OUTCOME_MAX];
	for (unsigned i = 0; i < 2; i++) {
		if (!i || !is_once)
			outcome(i ? turned : g, 2, both);
		bool as_row = strcmp(both, as[0]) == 0, as_column = strcmp(both, as[1]) == 0;
		says[i] = as_row && as_column ? "=" : as_row ? "row" : as_column ? "col" : "both";
	}
	if (says[0] == says[1])
		return says[0];
	return strcmp(says[0], "row") == 0 && strcmp(says[1], "col") == 0 ? "first" : "last";
}

static char page[PAGE_MAX];

static void ATTR_PRINTF(1, 2) add(const char *form, ...)
{
	size_t len = strlen(page);
	va_list ap;
	va_start(ap, form);
	int n = vsnprintf(page + len, sizeof(page) - len, form, ap);
	va_end(ap);
	assert_true(n >= 0 && len + (size_t)n < sizeof(page));
}

// No key of the configuration has one name twice.
static bool is_refused(const struct kind *row, const struct kind *column, const char *at)
{
	bool zones = at == column->near && (row->where == ZONE || row->where == FORWARD);
	return row->where == column->where && row->where < LIST
	       && (zones || strcmp(row->near, at) == 0);
}

static void table(bool column_near)
{
	add("| |");
	for (unsigned k = 0; k < KINDS; k++)
		if (column_near ? kinds[k].near : kinds[k].far)
			add(" %u |", k + 1);
	add("\n|---|");
	for (unsigned k = 0; k < KINDS; k++)
		if (column_near ? kinds[k].near : kinds[k].far)
			add("---|");
	for (unsigned i = 0; i < KINDS; i++) {
		if (!kinds[i].near)
			continue;
		add("\n| **%u** |", i + 1);
		for (unsigned k = 0; k < KINDS; k++) {
			const char *at = column_near ? kinds[k].near : kinds[k].far;
			// Of equal names one half is enough.
			bool is_above = column_near && k < i;
			if (at)
				add(" %s |", is_above || is_refused(&kinds[i], &kinds[k], at)
						     ? ""
						     : meet(&kinds[i], &kinds[k], column_near));
		}
	}
	add("\n");
}

static const char intro[] =
	"# Pairs of rules\n\n"
	"Look up here which of two rules decides where both are for a name; the reasons are in\n"
	"[rule-image.md](rule-image.md#which-rule-decides). A test builds an image of each pair, "
	"asks\n"
	"it and writes this page: `WEIR_PAIRS=write build/tests/unit/unit-cp-rules rule_pairs`.\n\n"
	"`row`, `col`: the client gets what the rule of that row or column alone would give. `=`: "
	"the\n"
	"same either way. `first`: the one whose list stands first. A forwarding zone says whom "
	"weir\n"
	"asks for a name that it resolves, so it is `row` beside a rule that allows, and an "
	"exempt\n"
	"one is the same as none. Each rule is in a list of its own, so `$badfilter` has no "
	"row.\n\n"
	"| | rule |\n"
	"|---|---|\n";

static void page_make(void)
{
	page[0] = '\0';
	add("%s", intro);
	for (unsigned i = 0; i < KINDS; i++)
		add("| %u | %s |\n", i + 1, kinds[i].what);
	add("\n## Equally near\n\nBoth are at the name, or next to it where they are for the names "
	    "below one alone.\n\n");
	table(true);
	add("\n## One nearer\n\nThe row's rule is at the name, the column's at a name above "
	    "it.\n\n");
	table(false);
}

TEST(test_page)
{
	const char *root = getenv("WEIR_SOURCE"), *how = getenv("WEIR_PAIRS");
	const char *path = text_from("%s/docs/reference/rule-pairs.md", root ? root : ".");
	static char there[PAGE_MAX];
	snprintf(config_path, sizeof(config_path), "%s", file_with(""));
	for (unsigned i = 0; i < 2; i++)
		snprintf(list_path[i], sizeof(list_path[i]), "%s", file_with(""));
	page_make();
	if (how && strcmp(how, "write") == 0)
		text_to_file(path, page);
	FILE *f = fopen(path, "re");
	assert_non_null(f);
	there[fread(there, 1, sizeof(there) - 1, f)] = '\0';
	fclose(f);
	if (strcmp(there, page) != 0)
		fail_msg("%s is not what the rules do: write it with WEIR_PAIRS=write", path);
}
