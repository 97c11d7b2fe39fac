// SPDX-License-Identifier: BSD-3-Clause

// The tables of services and of safe search, and the sources of rules that groups bring.

#include "controlplane/policy/group_sources.h"
#include "controlplane/policy/safe_search.h"
#include "controlplane/policy/services_table.h"
#include "tests/unit/unit.h"

enum { SEEN_MAX = 512 };

struct seen {
	unsigned count;
	struct dns_name name[SEEN_MAX];
};

static int see(void *arg, const struct dns_name *name)
{
	struct seen *s = arg;
	assert_true(s->count < SEEN_MAX);
	s->name[s->count++] = *name;
	return 0;
}

static int stop(void *arg, const struct dns_name *)
{
	return ++*(int *)arg == 2 ? 7 : 0;
}

// Every service has domains of two labels or more, each once and none below another.
TEST(test_tables)
{
	static struct seen s;
	for (unsigned i = 0; i < SERVICE_COUNT; i++) {
		s.count = 0;
		if (services_table_each(i, see, &s) != 0 || s.count == 0)
			fail_msg("%s", service_word(i));
		for (unsigned k = 0; k < s.count; k++) {
			char text[DNS_NAME_TEXT_MAX];
			dns_name_to_text(&s.name[k], text);
			if (s.name[k].labels < 2)
				fail_msg("%s: %s", service_word(i), text);
			for (unsigned j = 0; j < s.count; j++)
				if (j != k && dns_name_is_under(&s.name[k], &s.name[j]))
					fail_msg("%s: %s", service_word(i), text);
		}
		assert_int_equal(service_find(service_word(i)), (int)i);
	}
	int taken = 0;
	assert_int_equal(services_table_each(SERVICE_TIKTOK, stop, &taken), 7);
	assert_int_equal(taken, 2);
	assert_int_equal(service_find("Tiktok"), -1);
	assert_int_equal(service_find(""), -1);
}

// Names that many services and sites need: nothing may cover one.
TEST(test_nothing_shared)
{
	static const char *const shared[] = {"akamaihd.net", "akamaized.net", "akamaiedge.net",
		"edgekey.net", "edgesuite.net", "cloudfront.net", "s3.amazonaws.com",
		"amazonaws.com", "azureedge.net", "cloudflare.com", "cdn.cloudflare.net",
		"fastly.net", "fastlylb.net", "fonts.gstatic.com", "www.gstatic.com",
		"www.googleapis.com", "fonts.googleapis.com", "www.google.com",
		"accounts.google.com", "ajax.googleapis.com", "lh3.googleusercontent.com",
		"www.microsoft.com", "login.live.com", "login.microsoftonline.com", "www.apple.com",
		"www.icloud.com", "is1-ssl.mzstatic.com", "www.bing.com", "cdn.jsdelivr.net",
		"unpkg.com", "b-cdn.net", "llnwi.net", "www.qq.com", "www.kakao.com",
		"www.globo.com"};
	static struct seen s;
	static_assert(SERVICE_COUNT >= 150);
	for (unsigned i = 0; i < SERVICE_COUNT; i++) {
		s.count = 0;
		assert_int_equal(services_table_each(i, see, &s), 0);
		for (unsigned k = 0; k < s.count; k++)
			for (size_t j = 0; j < ARRAY_LEN(shared); j++) {
				const struct dns_name n = name_of_text(shared[j]);
				if (dns_name_is_under(&n, &s.name[k]))
					fail_msg("%s has %s", service_word(i), shared[j]);
			}
	}
}

static void assert_target(
	const char *name, const struct config_safe_search *s, const char *expected)
{
	const struct dns_name n = name_of_text(name);
	const char *target = safe_search_target(&n, s);
	if (expected ? !target || strcmp(target, expected) != 0 : target != NULL)
		fail_msg("%s: %s, not %s", name, target ? target : "none",
			expected ? expected : "none");
}

TEST(test_targets)
{
	struct config_safe_search all, none = {{0}};
	memset(all.level, SAFE_LEVEL_STRICT, sizeof(all.level));
	assert_target("www.google.com", &all, "forcesafesearch.google.com");
	assert_target("google.co.uk", &all, "forcesafesearch.google.com");
	assert_target("www.google.zw", &all, NULL);
	assert_target("www.google.co.zw", &all, "forcesafesearch.google.com");
	assert_target("mail.google.com", &all, NULL);
	assert_target("www.google", &all, NULL);
	assert_target("www.www.google.com", &all, NULL);
	assert_target("www.google.com.evil.example", &all, NULL);
	assert_target("forcesafesearch.google.com", &all, NULL);
	assert_target("bing.com", &all, "strict.bing.com");
	assert_target("m.youtube.com", &all, "restrict.youtube.com");
	assert_target("restrict.youtube.com", &all, NULL);
	assert_target("duckduckgo.com", &all, "safe.duckduckgo.com");
	assert_target("search.brave.com", &all, "forcesafe.search.brave.com");
	assert_target("example.com", &all, NULL);
	assert_target("www.google.com", &none, NULL);
	all.level[SAFE_ENGINE_YOUTUBE] = SAFE_LEVEL_MODERATE;
	assert_target("www.youtube.com", &all, "restrictmoderate.youtube.com");
	all.level[SAFE_ENGINE_YOUTUBE] = SAFE_LEVEL_OFF;
	assert_target("www.youtube.com", &all, NULL);
}

static int check_safe(void *arg, const struct list_rule *rule)
{
	const struct config_safe_search *s = arg;
	assert_int_equal(rule->what, LIST_RULE_NAME);
	assert_int_equal(rule->kind.rule_class, RULE_CLASS_SAFE);
	assert_int_equal(rule->kind.covers, RULE_COVERS_SELF);
	assert_int_equal(rule->kind.types.count, 3);
	assert_non_null(safe_search_target(rule->name, s));
	return 0;
}

// The image says so of a name, then the resolver must have a target: the same hosts in both. No
// target is itself a host, or it would be sent on and on.
TEST(test_safe_rules)
{
	for (unsigned i = 0; i < SAFE_ENGINE_COUNT; i++) {
		struct config_safe_search s = {{0}}, all;
		s.level[i] = SAFE_LEVEL_STRICT;
		memset(all.level, SAFE_LEVEL_STRICT, sizeof(all.level));
		assert_int_equal(safe_search_rules((enum safe_engine)i, check_safe, &s), 0);
	}
}

struct rules_text {
	char text[4096];
	size_t len;
};

static int tell(void *arg, const struct list_rule *rule)
{
	struct rules_text *t = arg;
	char text[DNS_NAME_TEXT_MAX];
	if (rule->what == LIST_RULE_PATTERN)
		snprintf(text, sizeof(text), "%s/%.*s/", rule->inverts ? "!" : "",
			(int)rule->pattern_len, rule->pattern);
	else
		dns_name_to_text(rule->name, text);
	t->len += (size_t)snprintf(
		t->text + t->len, sizeof(t->text) - t->len, " %u:%s", rule->kind.rule_class, text);
	for (unsigned i = 0; i < rule->kind.types.count; i++)
		t->len += (size_t)snprintf(t->text + t->len, sizeof(t->text) - t->len, "$%u",
			rule->kind.types.type[i]);
	if (rule->kind.reply != RULE_REPLY_GROUP)
		t->len += (size_t)snprintf(t->text + t->len, sizeof(t->text) - t->len, "=%s",
			rule_reply_name[rule->kind.reply]);
	return 0;
}

// Frees the sources.
static void tell_all(struct group_sources *s, struct rules_text *t)
{
	for (unsigned i = 0; i < s->count; i++) {
		t->len += (size_t)snprintf(t->text + t->len, sizeof(t->text) - t->len,
			"%s =", group_source_title(s, i));
		assert_int_equal(group_source_rules(group_source_arg(s, i), tell, t), 0);
		t->len += (size_t)snprintf(t->text + t->len, sizeof(t->text) - t->len, "\n");
	}
	group_sources_free(s);
}

TEST(test_sources)
{
	struct dns_name allow[] = {name_of_text("a.example")}, deny[] = {name_of_text("d.example")},
			domains[] = {name_of_text("game.example"), name_of_text("play.example")};
	char pattern[] = "^ads";
	char *patterns[] = {pattern};
	struct config_schedule bed = {
		.name = (char[]){"bed"}, .domain_count = 2, .domains = domains};
	struct config_schedule night = {.name = (char[]){"night"}, .block_all = true};
	struct config_group groups[2] = {
		{
			.name = (char[]){"kids"},
			.inherits = true,
			.has_schedules = true,
			.allow = {1, 0, allow, NULL},
			.deny = {1, 1, deny, patterns},
		},
		{.name = (char[]){"none"}},
	};
	char *denied[] = {(char[]){"^x"}};
	struct config c = {.group_count = 2,
		.groups = groups,
		.blocking = {.deny_pattern_count = 1,
			.deny_patterns = denied,
			.types = {.count = 1, .type = {DNS_TYPE_HTTPS}}}};
	service_set_add(&bed.services, SERVICE_SIGNAL);
	service_set_add(&c.blocking.filter.services, SERVICE_ONLYFANS);
	groups[0].filter.schedules = (struct config_schedules){1, &bed};
	c.blocking.filter.schedules = (struct config_schedules){1, &night};
	groups[1].has_safe_search = true;
	groups[1].filter.safe_search.level[SAFE_ENGINE_BRAVE] = SAFE_LEVEL_STRICT;

	struct group_sources *s;
	static struct rules_text t;
	assert_int_equal(group_sources_new(&c, &s), 0);
	memset(groups, 0, sizeof(groups)); // a copy needs it no more
	tell_all(s, &t);
	assert_string_equal(t.text,
		"allow entries =\n"
		"deny entries = 5:/^x/ 5:/./$65\n"
		"group kids: deny = 5:d.example 5:/^ads/\n"
		"group kids: allow = 6:a.example\n"
		"group kids: bed = 5:game.example 5:play.example\n"
		"service onlyfans = 0:onlyfans.com\n"
		"service signal = 0:signal.org 0:whispersystems.org 0:signal.me 0:signal.group "
		"0:signal.art 0:signal.link\n"
		"safe search brave = 8:search.brave.com$1$28$65\n");
}

// Entries with types, a reply or an inverted pattern; the last two have none, or have ended.
TEST(test_special_entries)
{
	static struct rules_text t;
	struct group_sources *s;
	char pattern[] = "^x";
	struct config_group group = {.name = (char[]){"kids"}};
	struct config_dated_entry entries[] = {
		{.name = name_of_text("six.example"),
			.types = {.count = 2, .type = {DNS_TYPE_AAAA, DNS_TYPE_HTTPS}}},
		{.name = name_of_text("ok.example"),
			.allow = true,
			.types = {.count = 1, .type = {DNS_TYPE_AAAA}}},
		{.pattern = pattern, .reply = RULE_REPLY_REFUSED, .group = 1},
		{.pattern = pattern, .inverts = true, .group = 1},
		{.name = name_of_text("plain.example")},
		{.name = name_of_text("gone.example"), .reply = RULE_REPLY_DROP, .ended = true},
	};
	const struct config c = {
		.group_count = 1, .groups = &group, .dated = {ARRAY_LEN(entries), entries}};
	assert_int_equal(group_sources_new(&c, &s), 0);
	memset(entries, 0, sizeof(entries));
	tell_all(s, &t);
	assert_string_equal(t.text, "allow entries = 6:ok.example$28\n"
				    "deny entries = 5:six.example$28$65\n"
				    "group kids: deny = 5:/^x/=refused 5:!/^x/\n");
}
