// SPDX-License-Identifier: BSD-3-Clause
// An explanation names the client's group, the entries of the configuration, the servers that weir
// asks, and the names to which a cached answer leads.

#include "controlplane/answer_policy/why/why_config.h"
#include "controlplane/api/why_cached.h"
#include "tests/unit/cp/rule_image/rule_fixture.h"
#include "why_rig.h"

static struct config_mac mac_of(const char *text)
{
	struct config_mac m;
	assert_int_equal(config_mac_parse(text, &m), 0);
	return m;
}

static struct config config;
static struct config_group groups[3];
static struct ip_address kids[2], guests[2];
static struct config_mac tv[1];
static uint16_t kids_vlans[] = {10, 20}, tv_vlans[] = {4094};
static struct config_client client;
static struct config_forward_zone zones[4], own_zones[1];

static struct config_forward_zone zone_of(struct dns_name name, struct config_upstream *server)
{
	return (struct config_forward_zone){.name = name, .server_count = 1, .servers = server};
}

static int setup(void **)
{
	static char names[][16] = {
		"kids", "guests", "tv", "laptop", "9.9.9.9", "10.0.0.1", "10.0.0.2"};
	static struct config_upstream near = {.name = names[5]}, nearer = {.name = names[6]};
	kids[0] = address_of_text("198.18.0.0/24");
	kids[1] = address_of_text("fd53:1::/33");
	guests[0] = address_of_text("198.18.0.128/25");
	guests[1] = address_of_text("0.0.0.0/0");
	tv[0] = mac_of("02:00:5e:10:00:01");
	client = (struct config_client){.name = names[3],
		.address_count = 1,
		.addresses = &kids[0],
		.mac_count = 1,
		.macs = tv};
	zones[0] = zone_of(fixture_name("corp.example"), &near);
	zones[1] = zone_of(fixture_name("lab.corp.example"), &near);
	zones[2] = zone_of(fixture_name("home.arpa"), &near);
	zones[3] = zone_of(fixture_name("arpa"), &nearer);
	own_zones[0] = zone_of(fixture_name("corp.example"), &nearer);
	groups[0] = (struct config_group){
		.name = names[0], .clients = kids, .client_count = 2, .blocking = true};
	groups[0].vlans = kids_vlans;
	groups[0].vlan_count = 2;
	groups[1] = (struct config_group){.name = names[1], .clients = guests, .client_count = 2};
	groups[2] = (struct config_group){.name = names[2],
		.macs = tv,
		.mac_count = 1,
		.vlans = tv_vlans,
		.vlan_count = 1,
		.blocking = true,
		.forwards = own_zones,
		.forward_count = 1};
	config = (struct config){.groups = groups,
		.group_count = 3,
		.clients = &client,
		.client_count = 1,
		.forwards = zones,
		.forward_count = 2};
	config.upstreams.server[0].name = names[4];
	config.upstreams.count = 1;
	return 0;
}

static struct why_client find_text(const struct why_text *t)
{
	struct why_asked asked;
	struct why_client out;
	const char *bad;
	assert_int_equal(why_asked_parse(&config, t, &asked, &bad), 0);
	why_client_find(&config, &asked, &out);
	return out;
}

static struct why_client find(const char *address, const char *mac, const char *group)
{
	return find_text(&(struct why_text){.client = address, .mac = mac, .group = group});
}

static int parse(const char *who, const char *mac, const char *vlan, const char *group,
	struct why_asked *out, const char **bad)
{
	const struct why_text t = {who, mac, vlan, group};
	return why_asked_parse(&config, &t, out, bad);
}

static struct why_client expect_found(
	const struct why_text *t, enum why_found found, unsigned group)
{
	const struct why_client c = find_text(t);
	if (c.found != found || c.group != group)
		fail_msg("%s, MAC %s, VLAN %s, group %s: found by %u, group %u", t->client, t->mac,
			t->vlan, t->group, c.found, c.group);
	return c;
}

// An address, a MAC address, a VLAN, a group; and by which of them in which group.
TEST(test_group)
{
	static const struct {
		struct why_text text;
		enum why_found found;
		unsigned group;
		const char *by;
	} asked[] = {
		{{NULL, NULL, NULL, NULL}, WHY_FOUND_NOBODY, 0, ""},
		{{"198.18.0.5", NULL, NULL, NULL}, WHY_FOUND_PREFIX, 1, "198.18.0.0/24"},
		// The longer prefix, in another group.
		{{"198.18.0.200", NULL, NULL, NULL}, WHY_FOUND_PREFIX, 2, "198.18.0.128/25"},
		// A prefix of no bits holds everyone.
		{{"203.0.113.1", NULL, NULL, NULL}, WHY_FOUND_PREFIX, 2, "0.0.0.0/0"},
		{{"fd53:1:7fff::1", NULL, NULL, NULL}, WHY_FOUND_PREFIX, 1, "fd53:1::/33"},
		{{"fd53:1:8000::1", NULL, NULL, NULL}, WHY_FOUND_REST, 0, ""},
		// A MAC address before every prefix, and both before a VLAN.
		{{"198.18.0.5", "02-00-5E-10-00-01", NULL, NULL}, WHY_FOUND_MAC, 3,
			"02:00:5e:10:00:01"},
		{{"198.18.0.5", "02:00:5e:10:00:02", NULL, NULL}, WHY_FOUND_PREFIX, 1,
			"198.18.0.0/24"},
		{{NULL, NULL, "20", NULL}, WHY_FOUND_VLAN, 1, "20"},
		{{"fd53:2::1", "02:00:5e:10:00:02", "4094", NULL}, WHY_FOUND_VLAN, 3, "4094"},
		{{NULL, NULL, "21", NULL}, WHY_FOUND_REST, 0, ""},
		{{"198.18.0.5", NULL, "4094", NULL}, WHY_FOUND_PREFIX, 1, "198.18.0.0/24"},
		{{"fd53:2::1", "02:00:5e:10:00:01", "20", NULL}, WHY_FOUND_MAC, 3,
			"02:00:5e:10:00:01"},
		{{"198.18.0.5", NULL, NULL, "tv"}, WHY_FOUND_GROUP, 3, ""},
		{{"198.18.0.5", NULL, NULL, "everyone"}, WHY_FOUND_GROUP, 0, ""},
	};
	for (unsigned i = 0; i < ARRAY_LEN(asked); i++) {
		const struct why_client c =
			expect_found(&asked[i].text, asked[i].found, asked[i].group);
		assert_string_equal(c.by, asked[i].by);
		assert_int_equal(c.blocking, c.group != 2);
	}
	assert_string_equal(find("198.18.0.5", NULL, NULL).name, "kids");
	assert_string_equal(find("198.18.0.5", NULL, NULL).called, "laptop");
	assert_string_equal(find_text(&(struct why_text){.vlan = "20"}).client, "VLAN 20");
	assert_string_equal(
		find_text(&(struct why_text){"fd53:2::1", "02:00:5e:10:00:02", "4094", NULL})
			.client,
		"02:00:5e:10:00:02, fd53:2::1, VLAN 4094");
}

// What weir found beside the request: the MAC address of the address, or the address of the MAC
// address; and what may be missing.
TEST(test_found_beside)
{
	struct why_asked asked;
	struct why_client out;
	const char *bad;
	assert_int_equal(parse("198.18.0.5", NULL, NULL, NULL, &asked, &bad), 0);
	assert_true(why_asked_needs_mac(&config, &asked));
	assert_false(why_asked_needs_address(&config, &asked));
	why_client_find(&config, &asked, &out);
	assert_true(out.lacks_mac && !out.lacks_address);
	assert_string_equal(out.mac, "");
	asked.has_mac = true;
	asked.mac = tv[0];
	asked.mac_from = WHY_FROM_NEIGHBOUR;
	why_client_find(&config, &asked, &out);
	assert_int_equal(out.found, WHY_FOUND_MAC);
	assert_string_equal(out.name, "tv");
	assert_string_equal(out.client, "198.18.0.5");
	assert_string_equal(out.mac, "02:00:5e:10:00:01");
	assert_int_equal(out.mac_from, WHY_FROM_NEIGHBOUR);
	assert_false(out.lacks_mac || why_asked_needs_mac(&config, &asked));

	assert_int_equal(parse(NULL, "02:00:5e:10:00:09", NULL, NULL, &asked, &bad), 0);
	assert_true(why_asked_needs_address(&config, &asked));
	assert_false(why_asked_needs_mac(&config, &asked));
	why_client_find(&config, &asked, &out);
	assert_true(out.lacks_address && !out.lacks_mac);
	asked.has_address = true;
	asked.address = address_of_text("198.18.0.5");
	asked.address_from = WHY_FROM_LEASE;
	why_client_find(&config, &asked, &out);
	assert_int_equal(out.found, WHY_FOUND_PREFIX);
	assert_string_equal(out.client, "02:00:5e:10:00:09, 198.18.0.5 (its lease)");
	assert_false(out.lacks_address);

	// A named group needs nothing more, and without a group by MAC address none is looked for.
	assert_int_equal(parse("198.18.0.5", NULL, NULL, "tv", &asked, &bad), 0);
	assert_false(why_asked_needs_mac(&config, &asked));
	assert_int_equal(parse("198.18.0.5", NULL, NULL, NULL, &asked, &bad), 0);
	groups[2].mac_count = 0;
	assert_false(why_asked_needs_mac(&config, &asked));
	groups[2].mac_count = 1;
}

TEST(test_bad)
{
	static const char *const addresses[] = {
		"", "198.18.0", "198.18.0.0/24", "198.18.0.1 ", "fd53::1::2", "fd53::1%eth0"};
	struct why_asked asked;
	const char *bad;
	for (unsigned i = 0; i < ARRAY_LEN(addresses); i++) {
		assert_int_equal(parse(addresses[i], NULL, NULL, NULL, &asked, &bad), -EINVAL);
		assert_string_equal(bad, "client");
	}
	assert_int_equal(parse(NULL, "02:00", NULL, NULL, &asked, &bad), -EINVAL);
	assert_string_equal(bad, "mac");
	assert_int_equal(parse(NULL, NULL, NULL, "Kids", &asked, &bad), -EINVAL);
	assert_string_equal(bad, "group");
	static const char *const vlans[] = {"", "0", "4095", "-1", "12345", "7 ", "x", "0x7"};
	for (unsigned i = 0; i < ARRAY_LEN(vlans); i++) {
		assert_int_equal(parse(NULL, NULL, vlans[i], NULL, &asked, &bad), -EINVAL);
		assert_string_equal(bad, "vlan");
	}
}

// A client by the name that the configuration gives it: all that is known of it counts.
TEST(test_by_name)
{
	struct ip_address addresses[] = {address_of_text("198.18.0.5"), address_of_text("fd53::5")};
	struct config_mac macs[] = {{{2, 0, 0, 0, 0, 9}}};
	struct config_client clients[] = {
		{.name = (char[]){"tv"}, .address_count = 2, .addresses = addresses},
		{.name = (char[]){"phone"}, .mac_count = 1, .macs = macs},
		{.name = (char[]){"both"},
			.address_count = 1,
			.addresses = addresses,
			.mac_count = 1,
			.macs = macs}};
	config.clients = clients;
	config.client_count = ARRAY_LEN(clients);
	struct why_asked asked;
	const char *bad;
	assert_int_equal(parse("TV", NULL, NULL, NULL, &asked, &bad), 0);
	assert_true(asked.has_address && !asked.has_mac);
	assert_memory_equal(&asked.address, &addresses[0], sizeof(asked.address));
	assert_int_equal(parse("phone", NULL, NULL, NULL, &asked, &bad), 0);
	assert_true(!asked.has_address && asked.has_mac);
	assert_int_equal(parse("both", "02:00:00:00:00:07", NULL, NULL, &asked, &bad), 0);
	assert_true(asked.has_address && asked.has_mac);
	assert_int_equal(asked.mac.bytes[5], 7); // that of the request
	assert_int_equal(parse("phon", NULL, NULL, NULL, &asked, &bad), -EINVAL);
	assert_string_equal(bad, "client");
	config.client_count = 0;
	config.clients = NULL;
}

static void way_of(uint16_t qtype, const char *name_text, const char *group, const char *zone,
	const char *servers)
{
	struct dns_name name = fixture_name(name_text);
	struct why *w = why_begin(&name, qtype);
	w->client = find(NULL, NULL, group);
	why_way_find(w, &config);
	assert_string_equal(w->zone, zone);
	assert_string_equal(w->upstreams, servers);
}

static void way(const char *name_text, const char *group, const char *zone, const char *servers)
{
	way_of(DNS_TYPE_A, name_text, group, zone, servers);
}

TEST(test_way)
{
	way("www.example", NULL, "", "9.9.9.9");
	way("xcorp.example", NULL, "", "9.9.9.9");
	way("a.corp.example", NULL, "corp.example has servers of its own", "10.0.0.1");
	way("lab.corp.example", "kids", "lab.corp.example has servers of its own", "10.0.0.1");
	// The longest zone decides, of zones alike the group's own.
	way("a.corp.example", "tv", "corp.example has servers of its own, of that group alone",
		"10.0.0.2");
	way("lab.corp.example", "tv", "lab.corp.example has servers of its own", "10.0.0.1");
}

// As the resolver does: a zone's DS belongs to the zone above, whoever serves that.
TEST(test_way_of_a_ds)
{
	const char *text = "home.arpa has servers of its own, but its DS is asked for above it";
	way_of(DNS_TYPE_DS, "a.corp.example", NULL, "corp.example has servers of its own",
		"10.0.0.1");
	way_of(DNS_TYPE_DS, "corp.example", NULL,
		"corp.example has servers of its own, but its DS is asked for above it", "9.9.9.9");
	way_of(DNS_TYPE_DS, "lab.corp.example", NULL,
		"lab.corp.example has servers of its own, but its DS is asked for above it; "
		"corp.example has servers of its own",
		"10.0.0.1");
	config.forward_count = 3;
	way("home.arpa", NULL, "home.arpa has servers of its own", "10.0.0.1");
	way_of(DNS_TYPE_DS, "a.home.arpa", NULL, "home.arpa has servers of its own", "10.0.0.1");
	way_of(DNS_TYPE_DS, "home.arpa", NULL, text, "9.9.9.9");
	config.forward_count = 4;
	way_of(DNS_TYPE_DS, "home.arpa", NULL, text_from("%s; arpa has servers of its own", text),
		"10.0.0.2");
	config.forward_count = 2;
}

// HTTPS 1 other.example ipv4hint=198.51.100.7 behind a CNAME to alias.example, as in L0.
static const uint8_t message[] = {0, 0, 0x81, 0x80, 0, 1, 0, 2, 0, 0, 0, 0, 1, 'a', 0, 0, 65, 0, 1,
	0xc0, 12, 0, 5, 0, 1, 0, 0, 0, 60, 0, 15, 5, 'a', 'l', 'i', 'a', 's', 7, 'e', 'x', 'a', 'm',
	'p', 'l', 'e', 0, 0xc0, 31, 0, 65, 0, 1, 0, 0, 0, 60, 0, 25, 0, 1, 5, 'o', 't', 'h', 'e',
	'r', 7, 'e', 'x', 'a', 'm', 'p', 'l', 'e', 0, 0, 4, 0, 4, 198, 51, 100, 7};

static struct why *cached(uint16_t view, size_t len)
{
	static struct cache_entry e;
	struct dns_name name = fixture_name("a");
	const struct cache_look look = {.count = 1, .entry = &e};
	e = (struct cache_entry){.qtype = 65,
		.qclass = 1,
		.view = 3,
		.ancount = 2,
		.hard_left_ms = 1000,
		.answer_len = (uint16_t)len};
	memcpy(e.answer, message, len);
	struct why *w = why_begin(&name, 65);
	w->view = view;
	why_cached(w, &look, NULL);
	return w;
}

TEST(test_cached)
{
	struct why *w = cached(3, sizeof(message));
	char text[DNS_NAME_TEXT_MAX], address[SOCKET_ADDRESS_TEXT_MAX];
	assert_int_equal(w->cache, WHY_CACHE_FOUND);
	assert_int_equal(w->names, 3);
	assert_string_equal(dns_name_to_text(&w->name[1], text), "alias.example");
	assert_string_equal(dns_name_to_text(&w->name[2], text), "other.example");
	assert_int_equal(w->addresses, 1);
	assert_string_equal(ip_address_text(&w->address[0], false, address), "198.51.100.7");
	w = cached(0, sizeof(message)); // another view's
	assert_int_equal(w->cache, WHY_CACHE_NOTHING);
	assert_int_equal(w->names, 1);
	for (size_t len = 0; len < sizeof(message); len++)
		cached(3, len);
}

// Of the view and the type; the latest.
TEST(test_bogus)
{
	struct dns_name name = fixture_name("a");
	const struct cache_look look = {.bogus_count = 4,
		.bogus = {{.qtype = 65, .view = 3, .ede = 6, .age_ms = 9000, .why = "old"},
			{.qtype = 65, .view = 3, .ede = 7, .age_ms = 2500, .why = "expired"},
			{.qtype = 65, .view = 0, .ede = 9, .age_ms = 1, .why = "other view"},
			{.qtype = 1, .view = 3, .ede = 9, .age_ms = 1, .why = "other type"}}};
	struct why *w = why_begin(&name, 65);
	w->view = 3;
	why_cached(w, &look, NULL);
	assert_true(w->bogus.is_known);
	assert_int_equal(w->bogus.ede, 7);
	assert_int_equal(w->bogus.age_s, 2);
	assert_string_equal(w->bogus.why, "expired");
}

// The entries of the operator that an explanation names.
static struct why *why_of(const char *text, unsigned group)
{
	const struct dns_name name = name_of_text(text);
	struct why *w = NULL;
	w = why_begin(&name, DNS_TYPE_A);
	w->client.group = group;
	return w;
}

TEST(test_entries_found)
{
	static char empty[] = "", reason[] = "für Anna", pattern[] = "^ads", called[] = "kids";
	struct config_dated_entry entries[] = {
		{.name = name_of_text("example"), .why = empty},
		{.name = name_of_text("www.example"),
			.allow = true,
			.group = 1,
			.why = reason,
			.until = 1795636800},
		{.name = name_of_text("example"), .why = empty, .ended = true},
		{.name = name_of_text("other.example"), .why = empty},
		{.name = name_of_text("example"),
			.why = empty,
			.types = {.count = 1, .type = {DNS_TYPE_AAAA}}},
		{.name = name_of_text("www.example"),
			.why = empty,
			.types = {.except = true,
				.count = 2,
				.type = {DNS_TYPE_AAAA, DNS_TYPE_TXT}},
			.reply = RULE_REPLY_NODATA},
		{.pattern = pattern, .why = empty},
		{.pattern = pattern, .why = empty, .inverts = true, .allow = true},
	};
	struct config_group group = {.name = called};
	const struct config c = {.groups = &group,
		.group_count = 1,
		.dated = {.count = ARRAY_LEN(entries), .entries = entries}};

	struct why *w = why_of("a.www.example", 0);
	why_entries_find(w, &c);
	assert_int_equal(w->entries, 2);
	assert_string_equal(w->entry[0].text, "deny example for everyone");

	w = why_of("www.example", 1);
	why_entries_find(w, &c);
	assert_int_equal(w->entries, 3);
	assert_string_equal(
		w->entry[2].text, "deny www.example for everyone, type ~AAAA,~TXT, reply nodata");
	assert_string_equal(w->entry[1].name, "www.example");
	assert_string_equal(w->entry[1].group, "kids");
	assert_string_equal(w->entry[1].text,
		"allow www.example for group kids, until 2026-11-25T20:00:00Z: für Anna");

	// A pattern counts where the rules say that it fits.
	w = why_of("ads.test", 0);
	why_entries_find(w, &c);
	assert_int_equal(w->entries, 0);
	struct why_hit hit = {.what = WHY_PATTERN, .pattern = "^ads", .pattern_len = 4};
	why_hit_add(w, &hit);
	why_entries_find(w, &c);
	assert_int_equal(w->entries, 1);
	assert_string_equal(w->entry[0].text, "deny /^ads/ for everyone");
	// And an inverted one where they say that it does not match.
	hit.inverts = true;
	w = why_of("www.test", 0);
	why_hit_add(w, &hit);
	why_entries_find(w, &c);
	assert_int_equal(w->entries, 1);
	assert_string_equal(
		w->entry[0].text, "allow every name but those that match /^ads/ for everyone");
}

TEST(test_entries_cap)
{
	static char empty[] = "";
	struct config_dated_entry entries[WHY_ENTRIES_MAX + 1];
	for (unsigned i = 0; i < ARRAY_LEN(entries); i++)
		entries[i] =
			(struct config_dated_entry){.name = name_of_text("example"), .why = empty};
	const struct config c = {.dated = {.count = ARRAY_LEN(entries), .entries = entries}};
	struct why *w = why_of("example", 0);
	why_entries_find(w, &c);
	assert_int_equal(w->entries, WHY_ENTRIES_MAX);
}

TEST_GROUP(setup, NULL)
