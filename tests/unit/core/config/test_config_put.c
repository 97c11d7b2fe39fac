// SPDX-License-Identifier: BSD-3-Clause

// All groups at once: groups that are read and put back change nothing, and a put is whole.

#include "config_text.h"

#include <weir/config/managed.h>
#include <weir/config/versions.h>
#include <weir/heap_site.h>

static char main_path[] = "/etc/weir.yaml", managed_path[] = "/m/managed.yaml";
static char files[] = MINIMAL
	"clients: [{name: tablet, addresses: [192.0.2.7]}]\n"
	"blocking:\n"
	"  services: [tiktok]\n"
	"  lists: [{name: ads, path: /l/ads}, {name: adult, path: /l/adult}]\n"
	"groups:\n"
	"- name: kids\n"
	"  clients: [192.0.2.9, 198.51.100.0/24, '02:00:00:00:00:01', tablet]\n"
	"  client_names: [kid]\n"
	"  vlans: [7]\n"
	"  services: [steam]\n"
	"  safe_search: {google: strict, bing: strict}\n"
	"  block: {mode: nxdomain}\n"
	"  blocking: true\n"
	"  lists: [ads]\n"
	"  deny: [game.example]\n"
	"  schedules: [{name: bed, from: '21:00', to: '07:00', days: [mon, tue], pause: true,\n"
	"               time_zone: Europe/Berlin},\n"
	"              {name: noon, from: '12:00', to: '13:00', services: [vk]}]\n"
	"  upstreams: [9.9.9.9, {address: 'tls://dns.quad9.net@9.9.9.10', weight: 3}]\n"
	"  local_records: [{name: nas.lan, type: A, value: 192.0.2.1}]\n"
	"  forward_zones: [{name: corp.example, servers: [10.0.0.4]}]\n"
	"- {name: guests, clients: [192.0.2.10]}\n";

static struct config_bundle bundle_of(char *managed)
{
	return (struct config_bundle){
		.main = {.path = main_path, .bytes = files, .len = strlen(files)},
		.managed = {.path = managed_path, .bytes = managed, .len = strlen(managed)}};
}

// The groups with their own values, as JSON in the form of a file.
struct printed {
	FILE *out;
	const char *between, *after; // in front of the next value, and behind the group
};

static void key_print(struct printed *p, const char *key)
{
	fputs(p->between, p->out);
	if (key)
		fprintf(p->out, "\"%s\": ", key);
	p->between = ", ";
}

static void print_text(void *arg, const char *key, const char *text)
{
	struct printed *p = arg;
	key_print(p, key);
	fprintf(p->out, "\"%s\"", text);
}

static char closers[8];
static unsigned depth;

static void print_open(void *arg, const char *key, bool is_list)
{
	struct printed *p = arg;
	key_print(p, key);
	fputc(is_list ? '[' : '{', p->out);
	assert_true(depth < sizeof(closers));
	closers[depth++] = is_list ? ']' : '}';
	p->between = "";
}

static void print_close(void *arg)
{
	struct printed *p = arg;
	fputc(closers[--depth], p->out);
	p->between = ", ";
}

static bool print_group(void *arg, const char *name)
{
	struct printed *p = arg;
	fprintf(p->out, "%s{", p->after);
	p->between = "";
	p->after = "}, ";
	print_text(p, "name", name);
	return true;
}

static char *own_text(char *managed)
{
	static const struct config_own_use use = {print_group, print_open, print_text, print_close};
	char *text = NULL;
	size_t len = 0;
	struct printed p = {.out = open_memstream(&text, &len), .between = "", .after = ""};
	const struct config_bundle b = bundle_of(managed);
	fputs("{\"groups\": [", p.out);
	assert_int_equal(config_groups_own(&b, &use, &p), 0);
	fprintf(p.out, "%s]}", *p.after ? "}" : "");
	assert_int_equal(fclose(p.out), 0);
	char *out = text_from("%s", text);
	free(text);
	return out;
}

static int put_try(char *managed, const char *text, struct config_put_counts *n, char **out,
	char why[CONFIG_WHY_MAX])
{
	struct config_managed *m;
	const struct config_bundle b = bundle_of(managed);
	assert_int_equal(config_managed_parse(managed, &m, why), 0);
	const int rc = config_managed_groups_put(m, &b, text, n, why);
	char *printed = config_managed_text(m, "");
	*out = text_from("%s", printed);
	heap_free(printed);
	config_managed_free(m);
	return rc;
}

static const struct config *loaded(char *managed)
{
	const struct config_bundle b = bundle_of(managed);
	struct config_errors errors = {0};
	struct config *c = NULL;
	if (config_bundle_load(&b, CONFIG_SECRETS_ALL, &c, &errors) != 0)
		fail_msg("%s\n%s", errors.text[0], managed);
	unit_at_end(config_free_at_end, c);
	return c;
}

// "added changed removed unchanged in_file". Puts what is then read again, which changes nothing.
static char *put(char *managed, const char *text, const char *counts)
{
	struct config_put_counts n;
	char why[CONFIG_WHY_MAX], *out, *again;
	if (put_try(managed, text, &n, &out, why) != 0)
		fail_msg("%s\n%s", why, text);
	assert_string_equal(
		text_from("%u %u %u %u %u", n.added, n.changed, n.removed, n.unchanged, n.in_file),
		counts);
	(void)loaded(out);
	for (unsigned i = 0; i < 2; i++) {
		assert_int_equal(put_try(out, i ? own_text(out) : text, &n, &again, why), 0);
		assert_int_equal(n.added + n.changed + n.removed, 0);
		assert_string_equal(again, out);
	}
	return out;
}

#define GUESTS "{\"name\": \"guests\", \"clients\": [\"192.0.2.10\"]}"

// Of the values of a group GET has none that it inherits.
TEST(test_own)
{
	static char none[] = "";
	const char *text = own_text(none);
	assert_non_null(strstr(text, "{\"name\": \"kids\", "));
	assert_non_null(strstr(text, "\"02:00:00:00:00:01\", \"tablet\"], \"vlans\": [\"7\"]"));
	assert_non_null(strstr(text, "\"client_names\": [\"kid\"]"));
	assert_non_null(strstr(text, "\"services\": [\"steam\"]"));
	assert_non_null(strstr(text, "\"time_zone\": \"Europe/Berlin\""));
	assert_non_null(strstr(text, "{\"address\": \"9.9.9.9\"}"));
	assert_non_null(strstr(text, ", " GUESTS "]}"));
	assert_string_equal(put(none, text, "0 0 0 2 0"), "");
	assert_string_equal(put(none, "{\"groups\": [{\"name\": \"kids\"}]}", "0 0 0 1 1"), "");
}

TEST(test_managed)
{
	static char none[] = "";
	char *a = put(none,
		"{\"groups\": [{\"name\": \"one\", \"clients\": [\"192.0.2.20\", "
		"\"02:00:00:00:00:02\"], \"client_names\": [\"one\"], \"blocking\": false},"
		"{\"name\": \"two\", \"clients\": [\"192.0.2.21\"], \"services\": [\"vk\"],"
		"\"safe_search\": {\"all\": true}, \"schedules\": [{\"name\": \"s\", \"from\": "
		"\"21:00\", \"to\": \"07:00\", \"block_all\": true, \"time_zone\": "
		"\"Asia/Tokyo\"}]}]}",
		"2 0 0 0 2");
	const struct config *c = loaded(a);
	assert_int_equal(c->group_count, 4);
	assert_false(c->groups[2].blocking);
	assert_string_equal(c->groups[3].filter.schedules.one[0].time_zone, "Asia/Tokyo");
	// A changed group keeps its number; values that it no longer has are inherited.
	char *b = put(a,
		"{\"groups\": [{\"name\": \"two\"},"
		"{\"name\": \"one\", \"clients\": [\"192.0.2.22\"]}]}",
		"0 1 0 1 2");
	assert_string_equal(loaded(b)->groups[2].name, "one");
	assert_true(loaded(b)->groups[2].blocking);
	assert_int_equal(loaded(b)->groups[2].client_name_count, 0);
	assert_string_equal(put(b, "{\"groups\": [" GUESTS "]}", "0 0 2 1 1"), "");
}

// A client that a verb has added is one of the group.
TEST(test_members)
{
	static char members[] = "group_members: [{group: guests, client: 192.0.2.30}]\n";
	const char *text = own_text(members);
	assert_non_null(strstr(text, "[\"192.0.2.10\", \"192.0.2.30\"]"));
	(void)put(members, text, "0 0 0 2 0");
	assert_string_equal(put(members, "{\"groups\": [" GUESTS "]}", "0 1 0 0 1"), "");
	// It moves to another group.
	char *moved = put(members,
		"{\"groups\": [" GUESTS ", {\"name\": \"new\", \"clients\": [\"192.0.2.30\"]}]}",
		"1 1 0 0 1");
	assert_null(strstr(moved, "group_members"));
	char *kept = put(members, "{\"groups\": []}", "0 0 0 0 2");
	assert_string_equal(
		kept, "group_members:\n  - {group: \"guests\", client: \"192.0.2.30\"}\n");
}

// What differs from a file is overridden or unset, and goes when the file's values are put.
TEST(test_of_file)
{
	static char none[] = "";
	const char *before = own_text(none);
	char *a = put(none,
		"{\"groups\": [{\"name\": \"kids\", \"clients\": [\"tablet\"], \"services\": [],"
		"\"safe_search\": {\"google\": true}, \"schedules\": [{\"name\": \"noon\", "
		"\"from\": \"12:00\", \"to\": \"13:00\", \"services\": [\"vk\"]}]}]}",
		"0 1 0 0 1");
	const struct config_group *g = &loaded(a)->groups[0];
	assert_int_equal(g->client_count, 1);
	assert_int_equal(g->mac_count + g->vlan_count + g->client_name_count, 0);
	assert_int_equal(g->filter.schedules.count, 1);
	assert_string_equal(g->filter.schedules.one[0].name, "noon");
	assert_int_equal(g->filter.safe_search.level[SAFE_ENGINE_BING], SAFE_LEVEL_OFF);
	assert_int_equal(g->upstream_count + g->forward_count + g->record_count, 0);
	assert_false(g->has_lists);
	assert_string_equal(put(a, before, "0 1 0 1 0"), "");
	// One that is unset comes back.
	static char unset[] = "unset: ['groups[guests]']\n";
	assert_null(strstr(own_text(unset), "guests"));
	assert_string_equal(
		put(unset, "{\"groups\": []}", "0 0 0 0 1"), "unset:\n  - \"groups[guests]\"\n");
	assert_string_equal(put(unset, "{\"groups\": [" GUESTS "]}", "1 0 0 0 1"), "");
}

// An empty list is no value of the group's own.
TEST(test_emptied)
{
	static char none[] = "";
	char *text = own_text(none), *deny = strstr(text, "\"game.example\"");
	memset(deny, ' ', strlen("\"game.example\""));
	char *a = put(none, text, "0 1 0 1 0");
	assert_string_equal(a, "unset:\n  - \"groups[kids].deny\"\n");
	put(a, text, "0 0 0 2 0");
}

TEST(test_refused)
{
	static char none[] = "";
	static const struct {
		const char *items, *why;
	} bad[] = {
		{GUESTS ", " GUESTS, "groups"},
		{"{\"name\": \"new\"}", "groups \"new\": own: is missing"},
		{"{\"name\": \"a\", \"client\": [\"192.0.2.1\"]}", "unknown key"},
		{"{\"name\": \"a\", \"clients\": {\"a\": 1}}", "clients"},
		{"{\"clients\": [\"192.0.2.1\"]}", "an item of `groups` has no name"},
		{"{\"name\": \"a\", \"schedules\": [{\"from\": \"10:00\"}]}", "has no name"},
	};
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct config_put_counts n;
		char why[CONFIG_WHY_MAX] = "", *out;
		const char *text = text_from("{\"groups\": [%s]}", bad[i].items);
		assert_int_equal(put_try(none, text, &n, &out, why), -EINVAL);
		if (!strstr(why, bad[i].why))
			fail_msg("%s: %s", bad[i].items, why);
	}
}
