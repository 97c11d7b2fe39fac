// SPDX-License-Identifier: BSD-3-Clause

// The shared part of several boxes: made on one, used by another.

#include "config_folder.h"

#include <weir/config/managed.h>
#include <weir/config/shared.h>

#define PRIMARY                                                                                 \
	"cache: {min_ttl: 7}\n"                                                                 \
	"blocking:\n"                                                                           \
	"  deny: [a.test, b.test]\n"                                                            \
	"  allow: [c.test]\n"                                                                   \
	"  mode: refused\n"                                                                     \
	"  lists: [{name: ads, url: 'https://u:p@lists.test/x'}, {url: "                        \
	"https://lists.test/b}]\n"                                                              \
	"  services: [tiktok]\n"                                                                \
	"  safe_search: {all: true}\n"                                                          \
	"  schedules: [{name: night, from: '22:00', to: '06:00', days: [mon], domains: "        \
	"[d.test]}]\n"                                                                          \
	"dnssec: {validate: true, negative_anchors: [n.test]}\n"                                \
	"ipv6: {filter_aaaa: true}\n"                                                           \
	"clients: [{name: tablet, addresses: [192.0.2.7]}]\n"                                   \
	"local: {records: [{name: nas.test, type: A, value: 192.0.2.9}], zones: [home.test]}\n" \
	"forward_zones: [{name: corp.test, servers: [192.0.2.53]}]\n"                           \
	"groups:\n"                                                                             \
	"- name: kids\n"                                                                        \
	"  clients: [192.0.2.0/28]\n"                                                           \
	"  services: [discord]\n"                                                               \
	"  upstreams: [8.8.8.8]\n"                                                              \
	"  local_records: [{name: k.test, type: TXT, value: 'a \"b\" \\\\ c'}]\n"               \
	"entries: [{name: f.test, verdict: deny, group: kids, why: 'x: y'}]\n"                  \
	"group_members: [{group: kids, client: 192.0.2.99}]\n"

#define MANAGED                                                                                 \
	"# head\nentries: [{name: m.test, verdict: deny}]\n"                                    \
	"overrides: {blocking: {mode: nodata}, groups: [{name: kids, block: {mode: nodata}}], " \
	"cache: {min_ttl: 8}}\n"                                                                \
	"unset: [blocking.safe_search, cache.max_ttl]\n"

static char why[CONFIG_WHY_MAX];

static struct config *load(const struct config_bundle *b)
{
	struct config *c = NULL;
	if (config_bundle_load(b, CONFIG_SECRETS_ALL, &c, &errors) != 0)
		fail_msg("%s", errors.text[0]);
	unit_at_end(config_free_at_end, c);
	return c;
}

static char *shared_text(const struct config_bundle *b)
{
	char *text = NULL;
	assert_int_equal(config_shared_text(b, &text), 0);
	return text;
}

// What the primary of these texts hands out.
static char *primary_text(void)
{
	struct config_bundle b;
	more = PRIMARY;
	write_config("one.test");
	more = "";
	write_text("conf.d/a.yaml", PRIMARY);
	bundle_read(&b);
	assert_int_equal(config_bundle_manage(&b, "/p/managed.yaml", MANAGED), 0);
	char *text = shared_text(&b);
	config_bundle_free(&b);
	return text;
}

// The keys that differ between two bundles.
static struct config_change change_of(const struct config_bundle *a, const struct config_bundle *b)
{
	struct config_change out;
	const struct config *from = load(a), *to = load(b);
	config_change_find(from, from, to, a, b, &out);
	return out;
}

static void share(struct config_bundle *b, const char *text)
{
	if (config_bundle_share(b, "/s/shared.yaml", text, why) != 0)
		fail_msg("%s", why);
}

TEST_WITH(test_round_trip, setup, teardown)
{
	struct config_bundle primary, b;
	char *text = primary_text();
	bundle_read(&primary);
	assert_int_equal(config_bundle_manage(&primary, "/p/managed.yaml", MANAGED), 0);
	write_config("own.test");
	bundle_read(&b);
	share(&b, text);
	char *again = shared_text(&b);
	assert_string_equal(again, text);
	assert_int_equal(config_shared_check(text, strlen(text), why), 0);
	const struct config_change change = change_of(&primary, &b);
	assert_string_equal(change.live, "cache.min_ttl"); // it is each box's own
	assert_string_equal(change.controlplane, "");
	assert_string_equal(change.dataplane, "");
	const struct config *c = load(&b);
	assert_false(denies(c, "own.test"));
	assert_int_equal(
		c->sync.ignored, 1u << CONFIG_SHARED_blocking | 1u << CONFIG_SHARED_upstreams);
	assert_int_equal(c->group_count, 1);
	assert_int_equal(c->groups[0].block.mode, DNS_BLOCK_NODATA);
	assert_true(c->groups[0].has_services);
	free(text);
	free(again);
	config_bundle_free(&primary);
	config_bundle_free(&b);
}

// A primary without shared sections hands out a text, too.
TEST_WITH(test_empty, setup, teardown)
{
	struct config_bundle b;
	write_config("one.test");
	bundle_read(&b);
	share(&b, "# nothing\n");
	assert_non_null(b.shared.bytes);
	struct config *c = NULL;
	assert_int_equal(config_bundle_load(&b, CONFIG_SECRETS_ALL, &c, &errors), -EINVAL);
	assert_non_null(strstr(errors.text[0], "upstreams"));
	share(&b, "");
	assert_null(b.shared.bytes);
	assert_true(denies(load(&b), "one.test"));
	config_bundle_free(&b);
}

TEST_WITH(test_own, setup, teardown)
{
	struct config_bundle b;
	char *text = primary_text();
	more = "sync: {own: [blocking, clients]}\n";
	write_config("own.test");
	more = "";
	bundle_read(&b);
	assert_int_equal(config_bundle_manage(&b, "/m/managed.yaml",
				 "blocking: {deny: [m.test]}\nunset: [blocking.ttl, dnssec]\n"),
		0);
	share(&b, text);
	const struct config *c = load(&b);
	assert_true(denies(c, "own.test"));
	assert_true(denies(c, "m.test"));
	assert_false(denies(c, "a.test"));
	assert_int_equal(c->client_count, 0);
	assert_true(c->dnssec.validate);
	assert_int_equal(c->sync.ignored, 1u << CONFIG_SHARED_upstreams);
	assert_string_equal(b.managed.bytes, "blocking:\n  deny:\n    - \"m.test\"\n"
					     "unset:\n  - \"blocking.ttl\"\n");
	free(text);
	config_bundle_free(&b);
}

// What verbs added before is taken out; what is set later applies over the shared part.
TEST_WITH(test_managed_part, setup, teardown)
{
	struct config_bundle b;
	char *text = primary_text();
	write_config("own.test");
	bundle_read(&b);
	assert_int_equal(config_bundle_manage(&b, "/m/managed.yaml", MANAGED), 0);
	share(&b, text);
	assert_string_equal(b.managed.bytes, "# head\noverrides:\n  cache:\n    min_ttl: \"8\"\n"
					     "unset:\n  - \"cache.max_ttl\"\n");
	assert_int_equal(load(&b)->cache.min_ttl_s, 8);
	assert_int_equal(config_bundle_manage(&b, "/m/managed.yaml",
				 "entries: [{name: z.test, verdict: deny}]\n"
				 "overrides: {blocking: {mode: refused}}\nunset: "
				 "['groups[kids].services']\n"),
		0);
	const struct config *c = load(&b);
	assert_int_equal(c->blocking.mode, DNS_BLOCK_REFUSED);
	assert_int_equal(c->dated.count, 3);
	assert_false(c->groups[0].has_services);
	free(text);
	config_bundle_free(&b);
}

// Moves the items, and returns how many; the bundle has both new texts.
static struct config_moved move(struct config_bundle *b)
{
	struct config_managed *m = NULL;
	struct config_moved moved;
	char *shared = NULL;
	assert_int_equal(
		config_managed_parse(b->managed.bytes ? b->managed.bytes : "", &m, why), 0);
	assert_int_equal(config_shared_move(b, m, &shared, &moved, why), 0);
	char *managed = config_managed_text(m, "# head\n");
	assert_int_equal(!shared, !moved.items);
	if (shared) {
		share(b, shared);
		assert_int_equal(config_bundle_manage(b, "/m/managed.yaml", managed), 0);
	}
	free(shared);
	free(managed);
	config_managed_free(m);
	return moved;
}

// Comments, each key that verbs edit, and keys that look like theirs.
#define AWKWARD                                                                                   \
	"# a comment\nentries:\n"                                                                 \
	"- {name: f.test, verdict: deny, group: kids, why: 'x: y # z', types: [AAAA, TXT]} # c\n" \
	"- {name: \"/^ads\\\\d+[.]/\", verdict: deny, until: '2099-01-01T00:00:00Z'}\n"           \
	"- {name: '/^g[.]/', verdict: allow, invert: true, types: [A]}\n"                         \
	"group_members: [{group: kids, client: 192.0.2.99}, {group: kids, client: "               \
	"'02:00:00:00:00:01'}]\n"                                                                 \
	"groups:\n- {name: kids, clients: [192.0.2.0/28], deny: [k.test], local_records: "        \
	"[{name: k.test, type: A, value: 192.0.2.1}]}\n"                                          \
	"blocking: {deny: [a.test, b.test], allow: [c.test], lists: [{name: ads, url: "           \
	"'https://lists.test/x'}, {url: 'https://lists.test/b'}, {name: off, url: "               \
	"'https://lists.test/o'}], disabled_lists: [off]}\n"                                      \
	"local:\n  zones: [home.test]\n  records:\n"                                              \
	"  - {name: nas.test, type: A, value: 192.0.2.9, ttl: 60}\n"                              \
	"  - {name: nas.test, type: AAAA, value: '2001:db8::9'}\n"                                \
	"  - {name: '*.w.test', type: CNAME, value: nas.test}\n"                                  \
	"  - {name: nas.test, type: TXT, value: 'a \"b\" \\ c'}\n"                                \
	"  - {name: nas.test, type: MX, value: '10 m.test'}\n"                                    \
	"  - {name: _s._tcp.nas.test, type: SRV, value: '1 2 3 t.test'}\n"                        \
	"  - {name: 9.2.0.192.in-addr.arpa, type: PTR, value: nas.test}\n"                        \
	"  - {name: nas.test, type: CAA, value: '0 issue \"ca.test\"'}\n"                         \
	"  - {name: nas.test, type: HTTPS, value: '1 . alpn=h2'}\n"                               \
	"  - {name: _dns.nas.test, type: SVCB, value: '1 nas.test'}\n"                            \
	"upstreams: {servers: [8.8.8.8, {address: 'tls://9.9.9.9', name: dns.quad9.net}]}\n"

// What verbs edit goes into the managed part, and the configuration is the same.
TEST_WITH(test_move, setup, teardown)
{
	static const char *const managed[] = {
		"",
		"# mine\nentries: [{name: m.test, verdict: deny}]\n"
		"local: {records: [{name: nas.test, type: A, value: 192.0.2.10}]}\n"
		"blocking: {lists: [{name: own, url: 'https://own.test/l'}], disabled_lists: "
		"[ads]}\n"
		"overrides: {blocking: {mode: nodata, lists: [{name: ads, allow: 'true'}, {name: "
		"more, url: 'https://more.test/l'}]}, groups: [{name: kids, deny: [j.test]}], "
		"cache: {min_ttl: 8}}\n"
		"unset: ['blocking.lists[b]', 'groups[kids].clients', blocking.allow]\n",
		"overrides: {local: {records: [{name: o.test, type: A, value: 192.0.2.8}]}}\n"
		"unset: [blocking, upstreams.servers]\nupstreams: {servers: [1.1.1.1]}\n",
	};
	const unsigned items[] = {3 + 2 + 3 + 1 + 10 + 2, 3 + 2 + 3 + 1 + 10 + 2, 3 + 2 + 1};
	for (unsigned i = 0; i < ARRAY_LEN(managed); i++) {
		struct config_bundle b, before;
		write_config("own.test");
		bundle_read(&b);
		share(&b, AWKWARD);
		assert_int_equal(config_bundle_manage(&b, "/m/managed.yaml", managed[i]), 0);
		assert_int_equal(config_bundle_copy(&b, &before), 0);
		char *old = shared_text(&b);
		const struct config_moved moved = move(&b);
		char *now = shared_text(&b);
		assert_string_equal(now, old);
		assert_int_equal(moved.items, items[i]);
		assert_string_equal(moved.stays, "");
		const struct config_change change = change_of(&before, &b);
		assert_string_equal(change.live, "");
		assert_string_equal(change.controlplane, "");
		assert_null(strstr(b.shared.bytes, "entries"));
		assert_null(strstr(b.shared.bytes, "nas.test"));
		assert_int_equal(move(&b).items, 0); // there is nothing more
		free(old);
		free(now);
		config_bundle_free(&b);
		config_bundle_free(&before);
	}
}

// Verbs find the items then, whatever the spelling of the primary's files.
TEST_WITH(test_moved_items_are_found, setup, teardown)
{
	struct config_bundle b;
	struct config_managed *m = NULL;
	bundle_read(&b);
	share(&b, "entries: [{name: F.Test., verdict: deny}]\n"
		  "group_members: [{group: kids, client: '2001:DB8:0::1'}]\n"
		  "groups: [{name: kids}]\n"
		  "blocking: {lists: [{url: 'https://lists.test/b'}]}\n"
		  "local: {records: [{name: '*.Nas.Test', type: aaaa, value: '2001:db8::9'}]}\n"
		  "upstreams: {servers: [8.8.8.8]}\n");
	assert_int_equal(move(&b).items, 5);
	(void)load(&b);
	assert_int_equal(config_managed_parse(b.managed.bytes, &m, why), 0);
	assert_int_equal(
		config_managed_entry_remove(m, &(struct managed_entry){.name = "f.test"}), 0);
	assert_int_equal(config_managed_member_remove(m, "kids", "2001:db8::1"), 0);
	assert_int_equal(config_managed_list_remove(m, "b"), 0);
	assert_int_equal(config_managed_record_remove(
				 m, &(struct managed_record){.name = "*.nas.test", .type = "AAAA"}),
		1);
	assert_int_equal(config_managed_server_remove(m, "8.8.8.8"), 0);
	config_managed_free(m);
	config_bundle_free(&b);
}

// Sections that the files keep, and a list that does not fit, stay.
TEST_WITH(test_move_leaves, setup, teardown)
{
	struct config_bundle b;
	more = "sync: {own: [blocking, entries]}\n";
	write_config("own.test");
	more = "";
	bundle_read(&b);
	share(&b, AWKWARD);
	char *old = shared_text(&b);
	assert_int_equal(move(&b).items, 2 + 10 + 2);
	assert_non_null(strstr(b.shared.bytes, "f.test")); // where it does not count
	char *now = shared_text(&b);
	assert_string_equal(now, old);
	free(old);
	free(now);
	config_bundle_free(&b);
	char *text = NULL;
	size_t len = 0;
	FILE *f = open_memstream(&text, &len);
	assert_non_null(f);
	fputs("upstreams: {servers: [8.8.8.8]}\nentries: [{name: e.test, verdict: deny}]\n"
	      "local:\n  records:\n",
		f);
	for (unsigned i = 0; i < 12000; i++)
		fprintf(f, "  - {name: r%05u.records.test, type: TXT, value: \"%060u\"}\n", i, i);
	assert_int_equal(fclose(f), 0);
	write_config("own.test");
	bundle_read(&b);
	share(&b, text);
	old = shared_text(&b);
	const struct config_moved moved = move(&b);
	now = shared_text(&b);
	assert_string_equal(now, old);
	assert_int_equal(moved.items, 2);
	assert_string_equal(moved.stays, "local.records");
	free(text);
	free(old);
	free(now);
	config_bundle_free(&b);
}

// What the managed part has of a section that `sync.own` no longer keeps.
TEST_WITH(test_is_clear, setup, teardown)
{
	struct config_bundle b;
	more = "sync: {own: [entries]}\n";
	write_config("own.test");
	bundle_read(&b);
	assert_true(config_shared_is_clear(&b));
	share(&b, AWKWARD);
	assert_int_equal(config_bundle_manage(&b, "/m/managed.yaml",
				 "entries: [{name: m.test, verdict: deny}]\n"
				 "overrides: {cache: {min_ttl: 8}}\n"),
		0);
	assert_true(config_shared_is_clear(&b));
	struct config_bundle other = {0};
	more = "";
	write_config("own.test");
	bundle_read(&other);
	share(&other, AWKWARD);
	assert_int_equal(config_bundle_manage(&other, "/m/managed.yaml", b.managed.bytes), 0);
	assert_false(config_shared_is_clear(&other));
	share(&other, AWKWARD);
	assert_true(config_shared_is_clear(&other));
	assert_non_null(strstr(other.managed.bytes, "min_ttl"));
	config_bundle_free(&b);
	config_bundle_free(&other);
}

TEST_WITH(test_bad_texts, setup, teardown)
{
	static const struct {
		const char *text, *why;
	} bad[] = {
		{"cache: {min_ttl: 7}\n", "shared.yaml: cache is no shared section"},
		{"runtime: {directory: /x}\n", "shared.yaml: runtime is no shared section"},
		{"overrides: {cache: {min_ttl: 7}}\n", "overrides is no shared section"},
		{"unset: [cache.min_ttl]\n", "unset is no shared section"},
		{"include: [/etc/shadow]\n", "include is no shared section"},
		{"version: 2\n", "newer"},
		{"blocking: {denny: [a.test]}\n", "unknown key"},
		{"blocking: [a.test]\n", "blocking"},
		{"blocking: {deny: [a.test\n", "shared.yaml:"},
		{"[blocking]\n", "shared.yaml:"},
		{"blocking: {}\nblocking: {}\n", "shared.yaml:"},
	};
	struct config_bundle b;
	bundle_read(&b);
	assert_int_equal(config_bundle_manage(&b, "/m/managed.yaml", MANAGED), 0);
	share(&b, "upstreams: {servers: [8.8.8.8]}\n");
	const uint64_t digest = config_bundle_digest(&b);
	for (unsigned i = 0; i < ARRAY_LEN(bad); i++) {
		assert_int_equal(
			config_shared_check(bad[i].text, strlen(bad[i].text), why), -EINVAL);
		if (!strstr(why, bad[i].why))
			fail_msg("%s: %s", bad[i].text, why);
		assert_int_equal(
			config_bundle_share(&b, "/s/shared.yaml", bad[i].text, why), -EINVAL);
		assert_int_equal(config_bundle_digest(&b), digest);
	}
	assert_int_equal(config_shared_check("dnssec: {}\0x", 12, why), -EINVAL);
	static char large[CONFIG_SHARED_MAX + 1];
	memset(large, '\n', sizeof(large));
	assert_int_equal(config_shared_check(large, sizeof(large), why), -EFBIG);
	assert_int_equal(config_shared_check(large, sizeof(large) - 1, why), 0);
	config_bundle_free(&b);
}

// A version file may have any text as its shared part: it is refused there, too.
TEST_WITH(test_bad_version, setup, teardown)
{
	struct config_bundle b;
	struct config *c = NULL;
	bundle_read(&b);
	assert_int_equal(
		config_text_replace(&b.shared, "/s/shared.yaml", "cache: {min_ttl: 7}\n"), 0);
	assert_int_equal(config_bundle_load(&b, CONFIG_SECRETS_ALL, &c, &errors), -EINVAL);
	assert_string_equal(
		errors.text[0], "config: cache: is no shared section (/s/shared.yaml:1:1)");
	config_bundle_free(&b);
}

TEST_WITH(test_version_file, setup, teardown)
{
	struct config_version v = {.number = 7, .who = "sync"}, got;
	struct config_bundle b, copy, read, blotted;
	size_t len, plain;
	unsigned blots;
	char *text = primary_text(), *file_text;
	bundle_read(&b);
	file_text = config_version_text(&v, &b, &plain);
	free(file_text);
	const uint64_t disk = config_bundle_disk_digest(&b), all = config_bundle_digest(&b);
	share(&b, text);
	assert_int_equal(config_bundle_disk_digest(&b), disk);
	assert_true(config_bundle_digest(&b) != all);
	assert_int_equal(config_bundle_copy(&b, &copy), 0);
	file_text = config_version_text(&v, &copy, &len);
	assert_true(len > plain + strlen(text));
	assert_int_equal(config_version_parse(file_text, len, &got, &read), 0);
	assert_int_equal(got.digest, config_bundle_digest(&b));
	assert_string_equal(read.shared.bytes, text);
	assert_string_equal(read.shared.path, "/s/shared.yaml");
	assert_int_equal(config_bundle_blot(&read, &blotted, &blots), 0);
	assert_int_equal(blots, 2); // a.yaml has them, too
	assert_null(strstr(blotted.shared.bytes, "u:p@"));
	(void)load(&blotted);
	free(file_text);
	free(text);
	config_bundle_free(&b);
	config_bundle_free(&copy);
	config_bundle_free(&read);
	config_bundle_free(&blotted);
}

// Stores a version with a shared part, in force.
static void shared_store(unsigned number, const char *shared)
{
	struct config_version v = {
		.number = number, .who = "sync", .result = CONFIG_VERSION_applied};
	struct config_bundle b;
	size_t len;
	bundle_read(&b);
	share(&b, shared);
	char *text = config_version_text(&v, &b, &len);
	write_bytes(text_from("%s/config/%u.version", state, number), text, len);
	free(text);
	config_bundle_free(&b);
	current(text_from("%u\n", number));
}

// Both processes start with the shared part, and with a new file beside it.
TEST_WITH(test_start_shared, setup, teardown)
{
	struct config_start s;
	struct config_bundle kept;
	shared_store(1, "blocking: {deny: [s.test]}\nupstreams: {servers: [8.8.8.8]}\n");
	for (unsigned round = 0; round < 2; round++) {
		for (unsigned i = 0; i < 2; i++) {
			assert_int_equal(
				config_start(file, i ? CONFIG_SECRETS_ALL : CONFIG_SECRETS_NONE, &s,
					why),
				0);
			assert_true(denies(s.config, "s.test"));
			assert_false(denies(s.config, "one.test"));
			assert_int_equal(s.config->cache.min_ttl_s, round ? 9 : 0);
			assert_int_equal(s.version.number, round ? 0 : 1);
			config_free(s.config);
			config_start_free(&s);
		}
		more = "cache: {min_ttl: 9}\n";
		write_config("two.test");
		write_text("state/config/stopped", "");
	}
	more = "";
	assert_int_equal(config_version_kept(file, &kept, why), 0);
	assert_non_null(strstr(kept.shared.bytes, "s.test"));
	config_bundle_free(&kept);
}

TEST_WITH(test_differ, setup, teardown)
{
	static const struct {
		const char *before, *after;
		uint32_t differ;
	} cases[] = {
		{"", "blocking: {deny: [a.test]}\n", 1u << CONFIG_SHARED_blocking},
		{"blocking: {deny: [a.test]}\n", "overrides: {cache: {min_ttl: 1}}\n",
			1u << CONFIG_SHARED_blocking},
		{"", "overrides: {cache: {min_ttl: 1}}\nunset: [cache.max_ttl]\n", 0},
		{"", "unset: ['groups[kids]', sync.primary]\n", 1u << CONFIG_SHARED_groups},
		{"", "overrides: {groups: [{name: kids}], ipv6: {filter_aaaa: true}}\n",
			1u << CONFIG_SHARED_groups | 1u << CONFIG_SHARED_ipv6},
		{"entries: [{name: a.test, verdict: deny}]\n", "", 1u << CONFIG_SHARED_entries},
	};
	for (unsigned i = 0; i < ARRAY_LEN(cases); i++) {
		struct config_bundle a = {0}, b = {0};
		uint32_t differ;
		assert_int_equal(config_bundle_manage(&a, "/m", cases[i].before), 0);
		assert_int_equal(config_bundle_manage(&b, "/m", cases[i].after), 0);
		assert_int_equal(config_shared_differ(&a, &b, &differ), 0);
		assert_int_equal(differ, cases[i].differ);
		assert_int_equal(config_text_replace(&b.shared, "/s", "# x\n"), 0);
		assert_int_equal(config_shared_differ(&a, &b, &differ), 0);
		assert_int_equal(differ, (1u << CONFIG_SHARED_COUNT) - 1);
		config_bundle_free(&a);
		config_bundle_free(&b);
	}
}

// The place of an item and of an error is in the text that counts.
TEST_WITH(test_places, setup, teardown)
{
	struct config_bundle b;
	struct config_item_place place;
	const struct config_item own = {.kind = CONFIG_ITEM_ENTRY, .name = "one.test"},
				 shared = {.kind = CONFIG_ITEM_ENTRY, .name = "s.test"};
	bundle_read(&b);
	share(&b, "blocking:\n  deny: [s.test]\nupstreams: {servers: [8.8.8.8]}\n");
	assert_false(config_item_find(&b, &own, &place));
	assert_true(config_item_find(&b, &shared, &place));
	assert_string_equal(place.text, "/s/shared.yaml:2:10");
	errors.count = 0;
	config_proof_refuse(&(struct config_proof){.texts = &b, .errors = &errors},
		"blocking.deny[0]", "is bad");
	assert_string_equal(
		errors.text[0], "config: blocking.deny[0]: is bad (/s/shared.yaml:2:10)");
	config_bundle_free(&b);
}

// RFC 8032 7.1, TEST 1, as openssl pkey writes it.
#define PRIVATE_KEY "MC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g"
#define PUBLIC_KEY  "MCowBQYDK2VwAyEA11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="

TEST(the_keys_of_signatures)
{
	const char *path = file_with(
		"-----BEGIN PRIVATE KEY-----\n" PRIVATE_KEY "\n-----END PRIVATE KEY-----\n");
	struct config *c = config_text_load(text_from(
		MINIMAL "sync: {sign_key_file: %s, trusted_keys: [" PUBLIC_KEY "]}\n", path));
	assert_true(c->sync.has_sign_key);
	assert_int_equal(c->sync.sign_key[0], 0x9d);
	assert_int_equal(c->sync.sign_key[31], 0x60);
	assert_int_equal(c->sync.trusted_count, 1);
	assert_int_equal(c->sync.trusted[0][0], 0xd7);
	assert_int_equal(c->sync.trusted[0][31], 0x1a);
	assert_int_equal(unlink(path), 0);
	path = file_with("-----BEGIN PRIVATE KEY-----\n" PUBLIC_KEY "\n");
	c = NULL;
	assert_int_equal(
		config_text_try(text_from(MINIMAL "sync: {sign_key_file: %s}\n", path), &c, why),
		-EINVAL);
	assert_non_null(strstr(why, "has no Ed25519 private key: openssl genpkey"));
	assert_null(strstr(why, PUBLIC_KEY));
	assert_int_equal(unlink(path), 0);
	assert_false(config_text_load(MINIMAL)->sync.has_sign_key);
}

static void waves_are(const char *text, unsigned count, unsigned last, bool is_percent)
{
	const struct config_waves *w =
		&config_text_load(text_from(MINIMAL "sync: {waves: %s}\n", text))->sync.waves;
	assert_int_equal(w->count, count);
	if (!count)
		return;
	assert_int_equal(w->one[count - 1].size, last);
	assert_int_equal(w->one[count - 1].is_percent, is_percent);
}

static void sync_is_bad(const char *keys, const char *what)
{
	struct config *c = NULL;
	const int rc = config_text_try(text_from(MINIMAL "sync: {%s}\n", keys), &c, why);
	if (rc != -EINVAL || !strstr(why, what))
		fail_msg("%s: %d %s", keys, rc, why);
}

TEST(the_waves_of_a_rollout)
{
	static const char *const bad[] = {"0", "0%", "101%", "1001", "10000", "-1", "5 %", "5%%",
		"'%'", "half", "''", "1.5", "99999999999999999999"};
	const struct config_waves *w = &config_text_load(MINIMAL)->sync.waves;
	assert_int_equal(w->count, 2);
	assert_int_equal(w->one[0].size, 1);
	assert_false(w->one[0].is_percent);
	assert_int_equal(w->one[1].size, 25);
	assert_true(w->one[1].is_percent);
	assert_int_equal(w->canary_count, 0);
	waves_are("[]", 0, 0, false);
	waves_are("[1000]", 1, 1000, false);
	waves_are("[1, 2, 100%]", 3, 100, true);
	waves_are("[1, 2, 3, 4, 5, 6, 7, 1%]", CONFIG_WAVES_MAX, 1, true);
	sync_is_bad("waves: [1, 2, 3, 4, 5, 6, 7, 8, 9]", "sync.waves");
	for (unsigned i = 0; i < ARRAY_LEN(bad); i++)
		sync_is_bad(text_from("waves: [1, %s]", bad[i]), "sync.waves[1]: is neither");
}

TEST(the_canaries_of_a_rollout)
{
	const struct config_waves *w =
		&config_text_load(MINIMAL "sync: {canaries: [box7, a-b_c.D]}\n")->sync.waves;
	assert_int_equal(w->canary_count, 2);
	assert_string_equal(w->canary[0], "box7");
	assert_string_equal(w->canary[1], "a-b_c.D");
	sync_is_bad("canaries: [box7, box 8]", "sync.canaries[1]: is no name of a box");
	sync_is_bad("canaries: ['']", "sync.canaries[0]: is no name of a box");
	sync_is_bad(text_from("canaries: [%064d]", 7), "sync.canaries[0]");
	sync_is_bad("canaries: [box7, box8, box7]", "sync.canaries[2]: is there twice");
}

TEST(the_section_sync)
{
	static const struct {
		const char *text, *why;
	} bad[] = {
		{"sync: {primary: 'http://b.test:9953', token_file: /t}\n",
			"sync.primary: is not a URL with https"},
		{"sync: {primary: 'https://b.test/x', token_file: /t}\n",
			"sync.primary: must be without a user, a path and a query"},
		{"sync: {primary: 'https://b.test:9953'}\n",
			"sync.token_file: `sync.primary` needs it"},
		{"sync: {ca_file: x.pem}\n", "sync.ca_file: must be an absolute path"},
		{"sync: {trusted_keys: [" PUBLIC_KEY ", MCowBQYDK2VwAyEA]}\n",
			"sync.trusted_keys[1]: is no Ed25519 public key in base64"},
		{"sync: {name: 'box 2'}\n", "sync.name: is no name of a box"},
		{"sync: {name: -box2}\n", "sync.name: is no name of a box"},
		{"sync: {canaries: [-box2]}\n", "sync.canaries[0]: is no name of a box"},
		{"sync: {sign_key_file: /dev/null}\n", "sync.sign_key_file: cannot be read"},
		{"sync: {sign_key_file: box1.key}\n",
			"sync.sign_key_file: must be an absolute path"},
		{"sync: {own: [blocking, cache]}\n",
			"sync.own[1]: is no shared section; those are blocking, upstreams, dnssec, "
			"ipv6, clients, local, forward_zones, groups, entries, group_members"},
	};
	struct config *c = NULL;
	for (unsigned i = 0; i < ARRAY_LEN(bad); i++) {
		assert_int_equal(
			config_text_try(text_from(MINIMAL "%s", bad[i].text), &c, why), -EINVAL);
		if (!strstr(why, bad[i].why))
			fail_msg("%s: %s", bad[i].text, why);
	}
	const char *token = file_with("tell.secret\nmore\n");
	c = config_text_load(text_from(MINIMAL
		"sync: {primary: 'https://b.test:9953', token_file: %s, name: box2, own: ipv6}\n",
		token));
	assert_string_equal(c->sync.token, "tell.secret");
	assert_string_equal(c->sync.name, "box2");
	assert_int_equal(c->sync.own, 1u << CONFIG_SHARED_ipv6);
	assert_int_equal(unlink(token), 0);
	c = config_text_load(MINIMAL);
	assert_string_equal(c->sync.primary, "");
	assert_string_equal(c->sync.token, "");
	struct config_managed *m = NULL; // an override would change what it applies to
	assert_int_equal(config_managed_parse("", &m, why), 0);
	assert_int_equal(config_managed_set(m, "sync.own", "ipv6", why), -EINVAL);
	assert_int_equal(config_managed_unset(m, "sync.primary", why), 0);
	config_managed_free(m);
}
