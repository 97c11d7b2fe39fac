// SPDX-License-Identifier: BSD-3-Clause

// Values of the managed part that count in place of those of the files.

#include "config_text.h"

#include <weir/config/managed.h>
#include <weir/config/versions.h>
#include <weir/config_tools.h>

static char main_path[] = "/etc/weir.yaml", managed_path[] = "/m/managed.yaml";
static const char files[] = MINIMAL
	"blocking:\n"
	"  mode: 'null'\n"
	"  services: [tiktok]\n"
	"  deny: [ads.example, more.example]\n"
	"groups:\n"
	"- {name: kids, clients: [192.0.2.9], services: [steam], safe_search: {all: true},\n"
	"   schedules: [{name: bed, from: '21:00', to: '07:00', pause: true}]}\n"
	"- {name: guests, clients: [192.0.2.10]}\n";

static int load(
	const char *text, const char *managed, struct config **out, struct config_errors *errors)
{
	char *main_bytes = strdup(text), *managed_bytes = strdup(managed);
	const struct config_bundle b = {
		.main = {.path = main_path, .bytes = main_bytes, .len = strlen(text)},
		.managed = {.path = managed_path, .bytes = managed_bytes, .len = strlen(managed)}};
	const int rc = config_bundle_load(&b, CONFIG_SECRETS_ALL, out, errors);
	free(main_bytes);
	free(managed_bytes);
	return rc;
}

static const struct config *loaded(const char *managed)
{
	struct config_errors errors = {0};
	struct config *c = NULL;
	if (load(files, managed, &c, &errors) != 0)
		fail_msg("%s\n%s", errors.text[0], managed);
	unit_at_end(config_free_at_end, c);
	return c;
}

static bool has(const struct service_set *s, const char *word)
{
	return service_set_has(s, (unsigned)service_find(word));
}

TEST(test_values)
{
	const struct config *c = loaded("overrides:\n"
					"  blocking: {mode: nxdomain, services: [steam, vk]}\n"
					"  cache: {min_ttl: 7}\n");
	assert_int_equal(c->blocking.mode, DNS_BLOCK_NXDOMAIN);
	assert_false(has(&c->blocking.filter.services, "tiktok"));
	assert_true(has(&c->blocking.filter.services, "vk"));
	assert_int_equal(c->blocking.deny_count, 2);
	assert_int_equal(c->cache.min_ttl_s, 7);
	assert_int_equal(loaded("overrides: {blocking: {deny: []}}\n")->blocking.deny_count, 0);
	c = loaded("overrides: {identity: {version: mine}}\n");
	assert_string_equal(c->identity.version, "mine");
}

TEST(test_items)
{
	const struct config *c =
		loaded("overrides:\n"
		       "  groups:\n"
		       "  - {name: kids, services: [vk], schedules: [{name: bed, to: '06:30'}]}\n"
		       "  - {name: more, clients: [192.0.2.11]}\n");
	assert_int_equal(c->group_count, 3);
	assert_string_equal(c->groups[0].name, "kids");
	assert_int_equal(c->groups[0].client_count, 1);
	assert_true(has(&c->groups[0].filter.services, "vk"));
	assert_false(has(&c->groups[0].filter.services, "steam"));
	assert_int_equal(c->groups[0].filter.schedules.one[0].from_min, 21 * 60);
	assert_int_equal(c->groups[0].filter.schedules.one[0].to_min, 6 * 60 + 30);
	assert_string_equal(c->groups[2].name, "more");
}

TEST(test_unset)
{
	const struct config *c = loaded(
		"unset: ['groups[guests]', 'blocking.deny[ads.example]', blocking.mode, "
		"'groups[kids].schedules[bed]', 'groups[gone]', 'local.zones[a.example].unknown']\n"
		"overrides: {groups: [{name: guests, clients: [192.0.2.12]}]}\n");
	assert_int_equal(c->blocking.mode, loaded("unset: [blocking]\n")->blocking.mode);
	assert_int_equal(c->blocking.deny_count, 1);
	assert_int_equal(c->group_count, 2);
	assert_int_equal(c->groups[0].filter.schedules.count, 0);
	assert_int_equal(c->groups[1].clients[0].bytes[3], 12);
}

// A list without a name has that of its file.
TEST(test_unset_list)
{
	static const char text[] = MINIMAL
		"blocking: {lists: [{path: /l/ads.txt}, {url: 'https://a.example/x/bad.txt'}, "
		"{url: 'https://b.example/'}]}\n";
	static const struct {
		const char *managed, *left;
	} cases[] = {{"unset: ['blocking.lists[ads.txt]']\n", "bad.txt b.example "},
		{"unset: ['blocking.lists[bad.txt]']\n", "ads.txt b.example "},
		{"unset: ['blocking.lists[b.example]']\n", "ads.txt bad.txt "},
		{"unset: ['blocking.lists[l]']\n", "ads.txt bad.txt b.example "}};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct config_errors errors = {0};
		struct config *c = NULL;
		char names[100] = "", *p = names;
		assert_int_equal(load(text, cases[i].managed, &c, &errors), 0);
		unit_at_end(config_free_at_end, c);
		for (unsigned k = 0; k < c->blocking.list_count; k++)
			p += sprintf(p, "%s ", c->blocking.lists[k].name);
		assert_string_equal(names, cases[i].left);
	}
}

TEST(test_refused)
{
	static const struct refusal bad[] = {
		{"overrides: {blocking: {mode: maybe}}", "blocking.mode: must be"},
		{"overrides: {groups: [{name: kids, servces: [vk]}]}",
			"overrides.groups \"kids\": servces: unknown key"},
		{"overrides: {entries: [{name: a.example, verdict: deny}]}",
			"overrides: entries cannot be set so"},
		{"overrides: {overrides: {cache: {min_ttl: 1}}}",
			"overrides: overrides cannot be set so"},
		{"unset: [blockin]", "unset: blockin: there is no such key"},
		{"unset: ['groups[kids']", "groups[kids: is no path"},
		{"unset: [groups.services]", "groups.services: name the item"},
		{"unset: ['blocking.mode[a]']", "blocking.mode[a]: has no items with names"},
		{"unset: ['entries[a.example]']", "is no key that can be set so"},
		{"unset: ['local.records[a.example]']", "has no items with names"},
		{"unset: [blocking.mode.x]", "blocking.mode.x: there is no such key"},
		{"unset: ['']", "a path is missing"},
	};
	for (unsigned i = 0; i < ARRAY_LEN(bad); i++) {
		struct config_errors errors = {0};
		struct config *c = NULL;
		const int rc = load(files, bad[i].text, &c, &errors);
		if (rc != -EINVAL || !strstr(errors.text[0], bad[i].why)
			|| !strstr(errors.text[0], "/m/managed.yaml:1:"))
			fail_msg("%d \"%s\", wanted \"%s\"", rc, errors.text[0], bad[i].why);
	}
	config_text_refused(MINIMAL "overrides: {cache: {min_ttl: 1}}\n",
		"overrides: is for weirctl config set");
	config_text_refused(MINIMAL "unset: [cache]\n", "unset: is for weirctl config set");
}

static struct config_managed *parse(const char *text)
{
	struct config_managed *m = NULL;
	char why[CONFIG_WHY_MAX];
	if (config_managed_parse(text, &m, why) != 0)
		fail_msg("%s\n%s", why, text);
	return m;
}

static void is_text(const struct config_managed *m, const char *want)
{
	char *text = config_managed_text(m, "");
	assert_non_null(text);
	assert_string_equal(text, want);
	free(text);
}

TEST(test_change_and_take_back)
{
	char why[CONFIG_WHY_MAX];
	struct config_managed *m = parse("");
	assert_int_equal(
		config_managed_override(m, "blocking: {mode: nodata, services: []}", why), 0);
	assert_int_equal(config_managed_override(m,
				 "{\"groups\": [{\"name\": \"kids\", \"services\": [\"vk\"], "
				 "\"schedules\": [{\"name\": \"bed\", \"to\": \"06:30\"}]}]}",
				 why),
		0);
	assert_int_equal(
		config_managed_override(m, "groups: [{name: kids, services: [steam]}]", why), 0);
	is_text(m, "overrides:\n"
		   "  blocking:\n"
		   "    mode: \"nodata\"\n"
		   "    services: []\n"
		   "  groups:\n"
		   "    - {name: \"kids\", services: [\"steam\"], schedules: "
		   "[{name: \"bed\", to: \"06:30\"}]}\n");
	assert_int_equal(config_managed_override_clear(m, "blocking.services", why), 0);
	assert_int_equal(config_managed_override_clear(m, "blocking.services", why), -ENOENT);
	assert_int_equal(config_managed_override_clear(m, "groups[kids].services", why), 0);
	assert_int_equal(
		config_managed_override_clear(m, "groups[kids].schedules[bed].to", why), 0);
	is_text(m, "overrides:\n"
		   "  blocking:\n"
		   "    mode: \"nodata\"\n");
	assert_int_equal(config_managed_unset(m, "blocking.mode", why), 0);
	assert_int_equal(config_managed_unset(m, "blocking.mode", why), -EEXIST);
	is_text(m, "unset:\n"
		   "  - \"blocking.mode\"\n");
	assert_int_equal(config_managed_override_clear(m, "blocking.mode", why), 0);
	is_text(m, "");
	config_managed_free(m);
}

TEST(test_one_key)
{
	static const struct {
		const char *path, *value, *text;
	} set[] = {
		{"blocking.mode", "a: \"b\" # c", "mode: \"a: \\\"b\\\" # c\""},
		{"blocking.services", "vk,steam", "services:\n      - \"vk\"\n      - \"steam\""},
		{"groups[a.b].safe_search", "{all: true}",
			"{name: \"a.b\", safe_search: {all: \"true\"}}"},
		{"groups[kids].schedules[bed].days", "[mon]",
			"{name: \"kids\", schedules: [{name: \"bed\", days: [\"mon\"]}]}"},
		{"upstreams.servers", "9.9.9.9", "servers:\n      - {address: \"9.9.9.9\"}"},
		{"upstreams.servers", "[{\"address\":\"tls://dns.example@9.9.9.9\"}]",
			"servers:\n      - {address: \"tls://dns.example@9.9.9.9\"}"},
		{"groups[kids].upstreams", "[{\"address\":\"https://[2001:db8::1]/q\"}]",
			"upstreams: [{address: \"https://[2001:db8::1]/q\"}]"},
		{"forward_zones[b.lan].servers", "[\"192.0.2.1\",\"tls://a@192.0.2.2\"]",
			"servers: [\"192.0.2.1\", \"tls://a@192.0.2.2\"]"},
		{"upstreams.servers[https://[::1]/x].weight", "2",
			"{address: \"https://[::1]/x\", weight: \"2\"}"},
		{"forward_zones[a.lan].servers", "[2001:db8::1]:53",
			"servers: [\"[2001:db8::1]:53\"]"},
		{"identity.version", "none", "identity:\n    version: \"none\""},
	};
	static const struct refusal bad[] = {
		{"groups[kids]", "groups[kids]: name a key of the item, or the list"},
		{"blocking.deny[a.example]", "name a key of the item, or the list"},
		{"blocking.mode.x", "there is no such key"},
		{"upstreams.servers[https://a/x?k].weight", "a URL with a query cannot be named"},
		{"query_log.webhooks", "is no key that can be set so"},
		{"cookies.secrets", "is no key that can be set so"},
		{"version", "is no key that can be set so"},
		{"sync.own", "is no key that can be set so"},
		{"redis.password", "redis.password is a secret: set redis.password_file"},
		{"redis.sentinel_password", "set redis.sentinel_password_file"},
	};
	char why[CONFIG_WHY_MAX];
	for (unsigned i = 0; i < ARRAY_LEN(set); i++) {
		struct config_managed *m = parse("");
		if (config_managed_set(m, set[i].path, set[i].value, why) != 0)
			fail_msg("%s: %s", set[i].path, why);
		char *text = config_managed_text(m, "");
		if (!strstr(text, set[i].text))
			fail_msg("%s", text);
		free(text);
		config_managed_free(m);
	}
	struct config_managed *m = parse("");
	for (unsigned i = 0; i < ARRAY_LEN(bad); i++) {
		assert_int_equal(config_managed_set(m, bad[i].text, "x", why), -EINVAL);
		if (!strstr(why, bad[i].why))
			fail_msg("%s", why);
	}
	assert_int_equal(config_managed_set(m, "blocking.mode", "a\nb: c", why), -EINVAL);
	assert_int_equal(
		config_managed_set(m, "blocking.services", "[a], deny: [b]", why), -EINVAL);
	is_text(m, "");
	config_managed_free(m);
}

TEST(test_change_refused)
{
	char why[CONFIG_WHY_MAX];
	struct config_managed *m = parse("");
	assert_int_equal(config_managed_override(m, "groups: [{nam: kids}]", why), -EINVAL);
	assert_non_null(strstr(
		why, "groups[0].nam: unknown key (the change:1:11); did you mean \"name\"?"));
	assert_int_equal(config_managed_override(m, "include: [a.yaml]", why), -EINVAL);
	assert_string_equal(why, "include cannot be set so");
	assert_int_equal(config_managed_override_clear(m, "groups[kids].servces", why), -EINVAL);
	assert_int_equal(config_managed_unset(m, "version", why), -EINVAL);
	is_text(m, "");
	config_managed_free(m);
}

// No secret can be set, because admins and the log see each override. A secret that an older weir
// set still counts, and can be cleared.
TEST(test_a_secret)
{
	static const char old[] = "overrides: {redis: {password: hidden}}\n";
	char why[CONFIG_WHY_MAX];
	struct config_managed *m = parse("");
	assert_int_equal(config_managed_override(m, "redis: {password: hidden}", why), -EINVAL);
	assert_string_equal(why, "redis.password is a secret: set redis.password_file");
	assert_int_equal(config_managed_set(m, "redis", "{password: hidden}", why), -EINVAL);
	assert_int_equal(config_managed_set(m, "redis.password_file", "/hidden", why), 0);
	config_managed_free(m);
	assert_string_equal(loaded(old)->redis.password, "hidden");
	m = parse(old);
	assert_int_equal(config_managed_override_clear(m, "redis.password", why), 0);
	is_text(m, "");
	config_managed_free(m);
}

static void add_row(void *arg, const char *path, const char *value)
{
	char *out = arg;
	sprintf(out + strlen(out), "%s = %s\n", path, value ? value : "unset");
}

// Items with names would be merged with those of the files.
TEST(test_a_list_of_items_is_replaced)
{
	char why[CONFIG_WHY_MAX];
	struct config_managed *m = parse("");
	assert_int_equal(config_managed_set(m, "upstreams.servers", "1.1.1.1,1.0.0.1", why), 0);
	assert_int_equal(config_managed_set(m, "upstreams.servers", "8.8.8.8", why), 0);
	is_text(m, "overrides:\n"
		   "  upstreams:\n"
		   "    servers:\n"
		   "      - {address: \"8.8.8.8\"}\n"
		   "unset:\n"
		   "  - \"upstreams.servers\"\n");
	char *text = config_managed_text(m, "");
	const struct config *c = loaded(text);
	assert_int_equal(c->upstreams.count, 1);
	assert_string_equal(c->upstreams.server[0].name, "8.8.8.8:53");
	free(text);
	config_managed_free(m);
}

// A zone in capitals is the one of the page, which shows it in lower case (RFC 4343).
TEST(test_a_zone_in_capitals)
{
	static const char unset[] = "unset: ['forward_zones[corp.example]']\n";
	static const char file[] =
		MINIMAL "forward_zones: [{name: CORP.Example., servers: [192.0.2.1]}]\n";
	char *bytes = strdup(file);
	const char *path = "forward_zones[corp.example]";
	const struct config_bundle b = {
		.main = {.path = main_path, .bytes = bytes, .len = strlen(file)}};
	struct config_errors errors = {0};
	struct config *c = NULL;
	bool is_there = false;
	config_paths_find(&b, false, &path, 1, &is_there);
	free(bytes);
	assert_true(is_there);
	assert_int_equal(load(file, unset, &c, &errors), 0);
	assert_int_equal(c->forward_count, 0);
	config_free(c);
}

// As the page takes a group's servers back, whether or not a file has some.
TEST(test_a_list_that_is_set_is_removed)
{
	static const char path[] = "groups[kids].upstreams";
	char why[CONFIG_WHY_MAX];
	for (int of_file = 0; of_file < 2; of_file++) {
		struct config_managed *m = parse("");
		assert_int_equal(config_managed_set(m, path, "1.1.1.1,1.0.0.1", why), 0);
		const int rc = of_file ? config_managed_unset(m, path, why)
				       : config_managed_override_clear(m, path, why);
		assert_int_equal(rc, 0);
		char *text = config_managed_text(m, "");
		assert_null(strstr(text, "1.1.1.1"));
		free(text);
		config_managed_free(m);
	}
}

// The commands' own items come after what is set and unset.
TEST(test_order)
{
	const struct config *c = loaded("unset: [blocking.deny]\nblocking: {deny: [own.example]}\n"
					"overrides: {blocking: {services: [vk]}}\n");
	assert_int_equal(c->blocking.deny_count, 1);
	c = loaded("overrides: {local: {records: [{name: a.lan, type: A, value: 192.0.2.1}]}}\n"
		   "local: {records: [{name: b.lan, type: A, value: 192.0.2.1}]}\n");
	assert_int_equal(c->local.record_count, 2);
}

TEST(test_unset_and_set_again)
{
	char why[CONFIG_WHY_MAX];
	struct config_managed *m = parse("");
	assert_int_equal(config_managed_unset(m, "groups[kids]", why), 0);
	assert_int_equal(config_managed_set(m, "groups[kids].clients", "192.0.2.7", why), 0);
	assert_int_equal(config_managed_unset(m, "groups[kids]", why), 0);
	is_text(m, "unset:\n"
		   "  - \"groups[kids]\"\n");
	assert_int_equal(config_managed_unset(m, "groups[kids]", why), -EEXIST);
	assert_int_equal(config_managed_unset(m, "groups[kids].services", why), 0);
	assert_int_equal(config_managed_unset(m, "groups[kids2]", why), 0);
	assert_int_equal(config_managed_override_clear(m, "groups[kids]", why), 0);
	is_text(m, "unset:\n"
		   "  - \"groups[kids2]\"\n");
	config_managed_free(m);
}

TEST(test_patterns_in_a_path)
{
	static const char with[] = MINIMAL "blocking:\n  deny: ['/^[a-z].example/', x.example]\n";
	struct config_errors errors = {0};
	struct config *c = NULL;
	assert_int_equal(
		load(with, "unset: ['blocking.deny[/^[a-z].example/]']\n", &c, &errors), 0);
	unit_at_end(config_free_at_end, c);
	assert_int_equal(c->blocking.deny_pattern_count, 0);
	assert_int_equal(c->blocking.deny_count, 1);
}

TEST(test_overrides_shown)
{
	char rows[1024] = "";
	struct config_managed *m =
		parse("overrides:\n"
		      "  blocking: {mode: nodata, services: []}\n"
		      "  groups: [{name: kids, services: [vk], safe_search: {all: false}}]\n"
		      "  local: {records: [{name: a.lan, type: A, value: 192.0.2.1}]}\n"
		      "unset: ['groups[guests]']\n");
	assert_int_equal(config_managed_overrides(m, add_row, rows), 0);
	assert_string_equal(rows,
		"groups[guests] = unset\n"
		"blocking.mode = \"nodata\"\n"
		"blocking.services = []\n"
		"local.records = [{name: \"a.lan\", type: \"A\", value: \"192.0.2.1\"}]\n"
		"groups[kids].services = [\"vk\"]\n"
		"groups[kids].safe_search.all = \"false\"\n");
	config_managed_free(m);
}
