// SPDX-License-Identifier: BSD-3-Clause

// Clients, groups and what applies to them: good configurations and bad ones.

#include "config_text.h"

#define LISTS "blocking: {lists: [{path: /a, name: ads}, {path: /b, name: adult}]}\n"
// One group, with these keys.
#define GROUP(keys) MINIMAL LISTS "groups: [{name: kids, clients: [192.0.2.1], " keys "}]\n"

TEST(test_refused)
{
	static const struct refusal bad[] = {
#include "test_config_groups_bad.h"
	};
	EACH_REFUSED(config_text_refused_at, "%s", bad);
}

TEST(test_clients)
{
	struct config *c = config_text_load(
		MINIMAL "clients:\n"
			"- {name: tablet, addresses: [192.0.2.9, 'fd53::9'], macs: "
			"['02:00:5E:10:00:01']}\n"
			"- {name: lan, addresses: [192.0.2.0/24]}\n"
			"- {name: tv, macs: [02-00-5e-10-00-02]}\n"
			"groups:\n"
			"- {name: kids, clients: [tablet, 198.18.0.0/15, '02:00:5e:10:00:03']}\n"
			"- {name: media, clients: [tv, 'fd53:1::/64']}\n");
	assert_int_equal(c->client_count, 3);
	const struct config_group *kids = &c->groups[0], *media = &c->groups[1];
	char text[SOCKET_ADDRESS_TEXT_MAX];
	assert_int_equal(kids->client_count, 3);
	assert_string_equal(ip_address_text(&kids->clients[0], true, text), "192.0.2.9/32");
	assert_string_equal(ip_address_text(&kids->clients[1], true, text), "fd53::9/128");
	assert_string_equal(ip_address_text(&kids->clients[2], true, text), "198.18.0.0/15");
	assert_int_equal(kids->mac_count, 2);
	assert_string_equal(config_mac_text(&kids->macs[0], text), "02:00:5e:10:00:01");
	assert_string_equal(config_mac_text(&kids->macs[1], text), "02:00:5e:10:00:03");
	assert_int_equal(media->client_count, 1);
	assert_int_equal(media->mac_count, 1);

	struct ip_address a = address_of_text("192.0.2.9");
	assert_string_equal(config_client_by_address(c, &a)->name, "tablet");
	a = address_of_text("192.0.2.10");
	assert_string_equal(config_client_by_address(c, &a)->name, "lan");
	a = address_of_text("192.0.3.10");
	assert_null(config_client_by_address(c, &a));
	a = address_of_text("fd53::9");
	assert_string_equal(config_client_by_address(c, &a)->name, "tablet");
	assert_string_equal(config_client_by_mac(c, &media->macs[0])->name, "tv");
	assert_null(config_client_by_mac(c, &kids->macs[1]));
}

// A group may have VLANs alone.
TEST(test_vlans)
{
	struct config *c =
		config_text_load(MINIMAL "groups:\n"
					 "- {name: kids, clients: [192.0.2.1], vlans: [10, 4094]}\n"
					 "- {name: guests, vlans: [1]}\n"
					 "- {name: rest, clients: [192.0.2.2]}\n");
	assert_int_equal(c->groups[0].vlan_count, 2);
	assert_int_equal(c->groups[0].vlans[0], 10);
	assert_int_equal(c->groups[0].vlans[1], 4094);
	assert_int_equal(c->groups[1].client_count, 0);
	assert_int_equal(c->groups[1].vlan_count, 1);
	assert_int_equal(c->groups[1].vlans[0], 1);
	assert_int_equal(c->groups[2].vlan_count, 0);
}

TEST(test_interface_identifiers)
{
	char text[SOCKET_ADDRESS_TEXT_MAX];
	struct config *c = config_text_load(
		MINIMAL "groups:\n- {name: kids, clients: "
			"['::1234:56ff:fe78:9abc/::ffff:ffff:ffff:ffff', '::7/-64', 'fd53::/64']}\n"
			"- {name: guests, clients: [192.0.2.1]}\n");
	const struct config_group *g = &c->groups[0];
	assert_int_equal(g->iid_count, 2);
	assert_int_equal(g->client_count, 1);
	assert_string_equal(
		config_iid_text(&g->iids[0], text), "::1234:56ff:fe78:9abc/::ffff:ffff:ffff:ffff");
	assert_string_equal(config_iid_text(&g->iids[1], text), "::7/::ffff:ffff:ffff:ffff");
	static const struct {
		const char *client, *why;
	} bad[] = {
		{"fd53::7/::ffff:ffff:ffff:ffff", "interface identifier"},
		{"::7/::ffff:ffff:ffff", "interface identifier"},
		{"::7/-63", "interface identifier"},
		{"192.0.2.1/-64", "interface identifier"},
		{"::/-64", "identifier of zeros"},
		{"::7/-64', '::0007/-64", "::7/::ffff:ffff:ffff:ffff is in group \"kids\" already"},
	};
	for (unsigned i = 0; i < ARRAY_LEN(bad); i++) {
		char all[512];
		snprintf(all, sizeof(all), MINIMAL "groups:\n- {name: kids, clients: ['%s']}\n",
			bad[i].client);
		config_text_refused(all, bad[i].why);
	}
}

TEST(test_host_names)
{
	struct config *c = config_text_load(
		MINIMAL "groups:\n- {name: kids, clients: ['host:Laptop', 'host:tv.lan.']}\n"
			"- {name: guests, clients: [192.0.2.1]}\n"
			"group_members: [{client: 'host:pad', group: guests}]\n");
	assert_int_equal(c->groups[0].host_count, 2);
	assert_string_equal(c->groups[0].hosts[0], "laptop");
	assert_string_equal(c->groups[0].hosts[1], "tv.lan");
	assert_int_equal(c->groups[1].host_count, 1);
	assert_string_equal(c->groups[1].hosts[0], "pad");
	config_text_refused(
		MINIMAL "groups:\n- {name: kids, clients: ['host:a b']}\n", "and a host name");
	config_text_refused(MINIMAL "groups:\n- {name: kids, clients: ['host:pad']}\n"
				    "- {name: guests, clients: ['host:PAD']}\n",
		"\"pad\" is in group \"kids\" already");
}

// A name of `clients` that looks like a host name or an interface identifier goes before those.
TEST(test_named_like_host)
{
	struct config *c = config_text_load(MINIMAL
		"clients:\n- {name: 'host:tablet', addresses: [192.0.2.7]}\n"
		"- {name: '::7/-64', macs: ['02:00:5e:10:00:07']}\n"
		"groups:\n- {name: kids, clients: ['host:tablet', 'host:tablet2', '::7/-64']}\n");
	assert_int_equal(c->groups[0].client_count, 1);
	assert_int_equal(c->groups[0].mac_count, 1);
	assert_int_equal(c->groups[0].iid_count, 0);
	assert_int_equal(c->groups[0].host_count, 1);
	assert_string_equal(c->groups[0].hosts[0], "tablet2");
}

// Names compare without regard to letter case (RFC 4343), also those of clients.
TEST(test_named_in_any_case)
{
	struct config *c = config_text_load(
		MINIMAL "clients:\n- {name: 'host:Tablet', addresses: [192.0.2.7]}\n"
			"- {name: Phone, addresses: [192.0.2.8]}\n"
			"groups:\n- {name: kids, clients: ['host:TABLET', PHONE]}\n");
	assert_int_equal(c->groups[0].client_count, 2);
	assert_int_equal(c->groups[0].host_count, 0);
	// As `weirctl group add` writes it.
	c = config_text_load(MINIMAL "clients:\n- {name: 'host:Tablet', addresses: [192.0.2.7]}\n"
				     "groups:\n- {name: kids, clients: [192.0.2.9]}\n"
				     "group_members: [{client: 'host:tablet', group: kids}]\n");
	assert_int_equal(c->groups[0].client_count, 2);
	assert_int_equal(c->groups[0].host_count, 0);
	config_text_refused(MINIMAL "clients:\n- {name: Phone, addresses: [192.0.2.7]}\n"
				    "- {name: phone, addresses: [192.0.2.8]}\n",
		"the name \"phone\" is given twice");
}

TEST(test_client_names)
{
	struct config *c = config_text_load(
		MINIMAL "groups:\n- {name: kids, client_names: [Kid, tab_let-2]}\n"
			"- {name: guests, clients: [192.0.2.1], client_names: [guest]}\n");
	assert_int_equal(c->groups[0].client_name_count, 2);
	assert_string_equal(c->groups[0].client_names[0], "kid");
	assert_string_equal(c->groups[0].client_names[1], "tab_let-2");
	assert_int_equal(c->groups[1].client_name_count, 1);
	char text[8192], *p = text + sprintf(text, MINIMAL "groups:\n");
	for (unsigned i = 0; i <= CONFIG_CLIENT_NAMES_MAX; i++)
		p += i % 129 ? sprintf(p, ", n%u", i)
			     : sprintf(p, "%s- {name: g%u, client_names: [n%u", i ? "]}\n" : "", i,
				     i);
	sprintf(p, "]}\n");
	config_text_refused(text, "257 client_names in all groups, at most 256 are possible");
}

TEST(test_entries)
{
	struct config *c = config_text_load(MINIMAL
		"blocking: {allow: [a.example, '/^x[0-9]+\\./'], deny: ['/ads/', b.example]}\n"
		"groups: [{name: kids, clients: [192.0.2.1], allow: [c.example], deny: "
		"['/\\.io$/', "
		"d.example, e.example]}]\n");
	assert_int_equal(c->blocking.allow_count, 1);
	assert_int_equal(c->blocking.allow_pattern_count, 1);
	assert_string_equal(c->blocking.allow_patterns[0], "^x[0-9]+\\.");
	assert_int_equal(c->blocking.deny_count, 1);
	assert_string_equal(c->blocking.deny_patterns[0], "ads");
	const struct config_group *kids = &c->groups[0];
	assert_int_equal(kids->allow.count, 1);
	assert_int_equal(kids->allow.pattern_count, 0);
	assert_int_equal(kids->deny.count, 2);
	assert_string_equal(kids->deny.patterns[0], "\\.io$");
}

TEST(test_block)
{
	struct config *c = config_text_load(
		MINIMAL "blocking: {mode: address, ipv4: 192.0.2.80, ttl: 60}\n"
			"groups:\n"
			"- {name: a, clients: [192.0.2.1], block: {mode: refused, ttl: 5}}\n"
			"- {name: b, clients: [192.0.2.2], block: {ipv6: 'fd53::80'}}\n"
			"- {name: c, clients: [192.0.2.3]}\n");
	assert_int_equal(c->blocking.mode, DNS_BLOCK_CUSTOM);
	assert_int_equal(c->blocking.custom_v4.version, 4);
	assert_int_equal(c->blocking.custom_v6.version, 0);
	const struct config_block *a = &c->groups[0].block, *b = &c->groups[1].block;
	assert_true(a->has_mode && a->has_ttl && a->mode == DNS_BLOCK_REFUSED && a->ttl_s == 5);
	assert_true(!b->has_mode && !b->has_ttl && b->custom_v6.version == 6);
	assert_false(c->groups[2].block.has_mode);
}

static bool has(const struct service_set *s, const char *word)
{
	return service_set_has(s, (unsigned)service_find(word));
}

TEST(test_inherited)
{
	struct config *c = config_text_load(MINIMAL
		"blocking:\n  services: [tiktok]\n  safe_search: {google: true}\n"
		"  schedules: [{name: night, from: '22:00', to: '06:00', block_all: true}]\n"
		"groups:\n"
		"- {name: as, clients: [192.0.2.1]}\n"
		"- {name: own, clients: [192.0.2.2], services: [steam, 4chan], safe_search: "
		"{all: true, youtube: moderate, bing: off}}\n"
		"- {name: none, clients: [192.0.2.3], inherit: false}\n"
		"- {name: off, clients: [192.0.2.4], safe_search: {all: false}}\n");
	const struct config_group *g = c->groups;
	assert_true(has(config_group_services(c, NULL), "tiktok"));
	assert_true(has(config_group_services(c, &g[0]), "tiktok"));
	assert_true(has(config_group_services(c, &g[1]), "steam"));
	assert_true(has(config_group_services(c, &g[1]), "4chan"));
	assert_false(has(config_group_services(c, &g[1]), "tiktok"));
	assert_false(has(config_group_services(c, &g[2]), "tiktok"));
	const struct config_safe_search *s = config_group_safe_search(c, &g[0]);
	assert_int_equal(s->level[SAFE_ENGINE_GOOGLE], SAFE_LEVEL_STRICT);
	assert_int_equal(s->level[SAFE_ENGINE_BING], SAFE_LEVEL_OFF);
	s = config_group_safe_search(c, &g[1]);
	assert_int_equal(s->level[SAFE_ENGINE_BRAVE], SAFE_LEVEL_STRICT);
	assert_int_equal(s->level[SAFE_ENGINE_YOUTUBE], SAFE_LEVEL_MODERATE);
	assert_int_equal(s->level[SAFE_ENGINE_BING], SAFE_LEVEL_OFF);
	assert_false(config_safe_search_any(config_group_safe_search(c, &g[2])));
	assert_false(config_safe_search_any(config_group_safe_search(c, &g[3])));
	assert_int_equal(config_group_schedules(c, &g[1])->count, 1);
	assert_int_equal(config_group_schedules(c, &g[2])->count, 0);
	assert_string_equal(config_group_name(NULL), "everyone");
	assert_string_equal(config_group_name(&g[1]), "own");
}

TEST(test_schedules)
{
	struct config *c = config_text_load(GROUP(
		"family_time: {days: [sun], from: '18:00', to: '20:00', services: [netflix], "
		"domains: "
		"[games.example]}, "
		"schedules: [{name: school, days: [weekdays, sat], from: 08:00, to: 13:30, lists: "
		"[adult]}, "
		"{name: bed, from: '21:30', to: '07:00', time_zone: Asia/Kathmandu, block_all: "
		"true}, "
		"{name: noon, from: '12:00', to: '00:00', pause: true},"
		"{name: tea, from: '12:00', to: '13:00', time_zone: Asia/Kathmandu, pause: true},"
		"{name: utc, from: '12:00', to: '13:00', time_zone: UTC, pause: true}]"));
	const struct config_schedules *s = config_group_schedules(c, &c->groups[0]);
	assert_int_equal(s->count, 6);
	assert_string_equal(s->one[0].name, "family time");
	assert_true(s->one[0].is_family_time && !s->one[1].is_family_time);
	assert_int_equal(s->one[0].days, 0x40);
	assert_int_equal(s->one[0].from_min, 18 * 60);
	assert_int_equal(s->one[0].domain_count, 1);
	assert_true(has(&s->one[0].services, "netflix"));
	assert_int_equal(s->one[1].days, 0x3f);
	assert_int_equal(s->one[1].to_min, 13 * 60 + 30);
	assert_int_equal(s->one[1].list_count, 1);
	assert_int_equal(s->one[1].lists[0], 1);
	assert_int_equal(s->one[2].days, 0x7f);
	assert_true(s->one[2].block_all && s->one[2].to_min < s->one[2].from_min);
	assert_string_equal(s->one[2].time_zone, "Asia/Kathmandu");
	assert_int_equal(time_zone_offset(s->one[2].zone, 1774746000), 20700); // 5:45
	assert_null(s->one[3].time_zone);
	assert_int_equal(c->time_zones.count, 2);
	assert_ptr_equal(s->one[4].zone, s->one[2].zone);
	assert_string_equal(c->time_zones.one[1].path, "/usr/share/zoneinfo/UTC");
	assert_true(s->one[3].pause && s->one[3].to_min == CONFIG_DAY_MIN);
}

// A client of many addresses counts with each of them.
TEST(test_caps)
{
	enum { EACH = 24, COUNT = CONFIG_MACS_MAX + 1 };
	static char text[sizeof(MINIMAL) + 256 + COUNT * EACH];
	for (unsigned more = 0; more < 2; more++) {
		char *p = stpcpy(text, MINIMAL "clients: [{name: many, macs: [");
		for (unsigned i = 0; i < CONFIG_MACS_MAX; i++)
			p += sprintf(p, "'02:00:00:00:%02x:%02x', ", i / 256, i % 256);
		p = stpcpy(p, "]}]\ngroups:\n- {name: a, clients: [many]}\n");
		if (!more) {
			config_text_load(text);
			continue;
		}
		stpcpy(p, "- {name: b, clients: ['02:00:00:01:00:00']}\n");
		config_text_refused_at(text,
			"9:1: groups: 4097 MACs of clients in all groups, at most "
			"4096 are possible");
	}
}

// As many as may be of each kind, in one list.
TEST(test_all_kinds_full)
{
	static char text[sizeof(MINIMAL) + 64 + CONFIG_MEMBERS_MAX * 40];
	char *p = stpcpy(text, MINIMAL "groups:\n- {name: a, clients: [");
	for (unsigned i = 0; i < CONFIG_PREFIXES_MAX; i++)
		p += sprintf(p, "10.%u.%u.0/24, ", i / 256, i % 256);
	for (unsigned i = 0; i < CONFIG_MACS_MAX; i++)
		p += sprintf(p, "'02:00:00:00:%02x:%02x', ", i / 256, i % 256);
	for (unsigned i = 1; i <= CONFIG_IIDS_MAX; i++)
		p += sprintf(p, "'::%x/-64', ", i);
	for (unsigned i = 0; i < CONFIG_GROUP_HOSTS_MAX; i++)
		p += sprintf(p, "'host:h%u', ", i);
	stpcpy(p, "]}\n");
	const struct config *c = config_text_load(text);
	assert_int_equal(c->groups[0].iid_count, CONFIG_IIDS_MAX);
	assert_int_equal(c->groups[0].host_count, CONFIG_GROUP_HOSTS_MAX);
}

// Group i has allow and deny entries and domains of two schedules.
TEST(test_lists_of_rules)
{
	static char text[sizeof(MINIMAL) + 64 * 512];
	for (unsigned more = 0; more < 2; more++) {
		char *p = stpcpy(text, MINIMAL "groups:\n");
		for (unsigned i = 0; i < CONFIG_GROUPS_MAX; i++)
			p += sprintf(p,
				"- {name: g%u, clients: [192.0.2.%u], allow: [a.example], deny: "
				"[/x/], "
				"schedules: [{name: s, from: '01:00', to: '02:00', domains: "
				"[a.b]}, "
				"{name: t, from: '01:00', to: '02:00', domains: [a.b]}]%s}\n",
				i, i, more && i == 9 ? ", services: [tiktok, steam, vk]" : "");
		if (more)
			config_text_refused_at(text,
				"8:1: groups: lists, services, search engines, entries of "
				"groups and schedules, and combinations of types and reply of "
				"entries need 257 lists of rules or more, at most 256 are "
				"possible");
		else
			config_text_load(text);
	}
}
