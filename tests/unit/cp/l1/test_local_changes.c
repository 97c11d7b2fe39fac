// SPDX-License-Identifier: BSD-3-Clause

// What a reload of local data flushes.

#include "controlplane/l1/local_changes.h"
#include "controlplane/policy/lease_names.h"
#include "tests/unit/unit.h"

enum { MOST = 40 };

struct side {
	struct config config;
	struct config_record records[MOST];
	struct config_local_zone zones[4];
	struct config_forward_zone forwards[4];
	struct config_upstream servers[4];
	uint8_t rdata[MOST][64];
};
static struct side old, new;
static struct local_changes changes;

static void name_set(struct dns_name *out, const char *text)
{
	assert_int_equal(dns_name_from_text(text, strlen(text), out), 0);
}

static void side_init(struct side *s)
{
	memset(s, 0, sizeof(*s));
	s->config.local.records = s->records;
	s->config.local.zones = s->zones;
	s->config.forwards = s->forwards;
}

static int setup(void **)
{
	side_init(&old);
	side_init(&new);
	return 0;
}

// `to` with a digit in front is an address.
static void record(struct side *s, const char *name, const char *to)
{
	unsigned i = s->config.local.record_count++;
	struct config_record *r = &s->records[i];
	*r = (struct config_record){.wildcard = name[0] == '*',
		.ttl_s = 60,
		.type = to[0] <= '9' ? DNS_TYPE_A : DNS_TYPE_CNAME,
		.rdata = s->rdata[i],
		.rdata_len = 4};
	name_set(&r->name, name + (r->wildcard ? 2 : 0));
	if (r->type == DNS_TYPE_A) {
		s->rdata[i][3] = (uint8_t)to[0];
		return;
	}
	struct dns_name target;
	name_set(&target, to);
	memcpy(s->rdata[i], target.wire, target.len);
	r->rdata_len = target.len;
}

static void forward(struct side *s, const char *name, const char *server)
{
	unsigned i = s->config.forward_count++;
	name_set(&s->forwards[i].name, name);
	s->servers[i].address = socket_of_text(server, 53);
	s->forwards[i].servers = &s->servers[i];
	s->forwards[i].server_count = 1;
}

static void zone(struct side *s, const char *name, bool is_forward)
{
	struct config_local_zone *z = &s->zones[s->config.local.zone_count++];
	name_set(&z->name, name);
	z->forward = is_forward;
}

// Flushes in the order found: "name", "*.name" with all below, "all".
static void expect(const char *wanted)
{
	char text[4096] = "", *p = text, name[DNS_NAME_TEXT_MAX];
	assert_int_equal(local_changes_find(&old.config, &new.config, &changes), 0);
	for (unsigned i = 0; i < changes.count; i++)
		p += sprintf(p, "%s%s%s", i ? " " : "",
			changes.one[i].kind == FLUSH_BELOW ? "*." : "",
			changes.one[i].kind == FLUSH_ALL
				? "all"
				: dns_name_to_text(&changes.one[i].name, name));
	assert_string_equal(text, wanted);
}

TEST_WITH(test_nothing, setup, NULL)
{
	record(&old, "a.lan", "1");
	record(&old, "b.lan", "a.lan");
	record(&new, "b.lan", "a.lan"); // the order is nothing
	record(&new, "a.lan", "1");
	forward(&old, "corp", "192.0.2.1");
	forward(&new, "corp", "192.0.2.1");
	zone(&old, "lan", false);
	zone(&new, "lan", false);
	expect("");
}

TEST_WITH(test_each, setup, NULL)
{
	record(&old, "gone.lan", "1");
	record(&new, "came.lan", "1");
	record(&old, "other.lan", "1");
	record(&new, "other.lan", "2");
	record(&old, "*.w.lan", "x.example");
	record(&new, "*.w.lan", "y.example");
	forward(&old, "corp", "192.0.2.1");
	forward(&new, "corp", "192.0.2.2");
	zone(&old, "zone", false);
	zone(&new, "zone", true);
	expect("came.lan gone.lan other.lan *.corp *.zone *.w.lan");
	assert_int_equal(changes.names, 6);
}

TEST_WITH(test_records_ttl, setup, NULL)
{
	record(&old, "a.lan", "1");
	record(&new, "a.lan", "1");
	new.records[0].ttl_s++;
	expect("a.lan");
}

// A CNAME that is as before leads elsewhere.
TEST_WITH(test_way_behind, setup, NULL)
{
	record(&old, "a.lan", "b.lan");
	record(&new, "a.lan", "b.lan");
	record(&old, "*.far.lan", "a.lan");
	record(&new, "*.far.lan", "a.lan");
	record(&old, "b.lan", "x.example");
	record(&new, "b.lan", "y.example");
	expect("b.lan a.lan *.far.lan");
}

// The servers of the zone that a CNAME ends in, or what a group's CNAME leads to.
TEST_WITH(test_zone_behind, setup, NULL)
{
	struct config_group group = {0};
	record(&old, "a.lan", "host.corp");
	record(&new, "a.lan", "host.corp");
	forward(&old, "corp", "192.0.2.1");
	forward(&new, "corp", "192.0.2.2");
	expect("*.corp a.lan");
	unsigned own = new.config.local.record_count;
	record(&new, "own.lan", "a.lan");
	new.config.local.record_count = own; // the group's, not everyone's
	group.records = &new.records[own];
	group.record_count = 1;
	new.config.groups = &group;
	new.config.group_count = 1;
	expect("*.corp a.lan own.lan");
}

static void many(const char *suffix)
{
	char name[64];
	for (unsigned i = 0; i < LOCAL_CHANGES_MAX + 1; i++) {
		snprintf(name, sizeof(name), "n%u.%s", i, suffix);
		record(&new, name, "1");
	}
}

TEST_WITH(test_many, setup, NULL)
{
	many("a.lan");
	expect("*.a.lan");
	assert_int_equal(changes.names, LOCAL_CHANGES_MAX + 1);
	record(&new, "x.b.lan", "1");
	expect("*.lan");
	record(&new, "x.b.example", "1");
	expect("all");
}

TEST_WITH(test_single_labels, setup, NULL)
{
	name_set(&new.config.local.house, "lan");
	assert_int_equal(local_changes_find(&old.config, &new.config, &changes), 0);
	assert_int_equal(changes.count, 0);
	new.config.local.single_labels = SINGLE_LABELS_COMPLETE;
	assert_int_equal(local_changes_find(&old.config, &new.config, &changes), 0);
	assert_int_equal(changes.count, 1);
	assert_int_equal(changes.one[0].kind, FLUSH_ALL);
	old.config.local.single_labels = SINGLE_LABELS_COMPLETE; // another domain behind them
	assert_int_equal(local_changes_find(&old.config, &new.config, &changes), 0);
	assert_int_equal(changes.one[0].kind, FLUSH_ALL);
	old.config.local.house = new.config.local.house;
	assert_int_equal(local_changes_find(&old.config, &new.config, &changes), 0);
	assert_int_equal(changes.count, 0);
}

enum { NOW = 1000 };

static struct lease_names *leases_of(const char *domain, unsigned count, int64_t ends_s)
{
	static const struct lease_own own = {0};
	static char name[MOST][16];
	struct lease_given g[MOST];
	struct lease_names *t;
	const struct dns_name house = name_of_text(domain);
	for (unsigned i = 0; i < count; i++) {
		snprintf(name[i], sizeof(name[i]), "h%u", i);
		g[i] = (struct lease_given){
			name[i], "/a", address_of_text("192.168.1.1"), ends_s, false};
		g[i].address.bytes[3] = (uint8_t)i;
	}
	assert_int_equal(lease_names_make(&house, &own, g, count, &t), 0);
	return t;
}

// Flushes of the names that begin to count when `count` leases of the domain follow `before`; frees
// `before`.
static struct lease_names *leases_expect(
	struct lease_names *before, unsigned count, const char *wanted)
{
	char text[DNS_NAME_TEXT_MAX];
	char got[1024] = "";
	struct lease_names *after = leases_of("lan", count, 0);
	local_changes_leases(&new.config, before, after, NOW, &changes);
	for (unsigned i = 0; i < changes.count; i++)
		snprintf(got + strlen(got), sizeof(got) - strlen(got), "%s%s%s", *got ? " " : "",
			changes.one[i].kind == FLUSH_NAME ? "" : "*.",
			dns_name_to_text(&changes.one[i].name, text));
	assert_string_equal(got, wanted);
	lease_names_release(before);
	return after;
}

TEST_WITH(test_leases, setup, NULL)
{
	new.config.local.house = name_of_text("lan");
	new.config.local.special_names = true;
	forward(&new, "lan", "192.0.2.1");
	record(&new, "www.lan", "h1.lan");
	struct lease_names *t = leases_expect(NULL, 1, "h0.lan");
	t = leases_expect(t, 2, "h1.lan www.lan"); // and what leads there
	t = leases_expect(t, 2, "");
	t = leases_expect(t, 1, ""); // a lease's answer is not cached
	forward(&new, "168.192.in-addr.arpa", "192.0.2.1");
	t = leases_expect(t, 2, "h1.lan 1.1.168.192.in-addr.arpa www.lan");
	t = leases_expect(t, 30, "*.lan *.168.192.in-addr.arpa");
	lease_names_release(t);
	t = leases_expect(
		leases_of("lan", 1, NOW), 1, "h0.lan 0.1.168.192.in-addr.arpa"); // had ended
	lease_names_release(t);
	lease_names_release(
		leases_expect(leases_of("home", 1, 0), 1, "h0.lan 0.1.168.192.in-addr.arpa"));
}

// Of a closed domain and reverse zones of special-use names nothing else was ever cached, but by a
// group that asks servers for it.
TEST_WITH(test_leases_of_closed_zones, setup, NULL)
{
	struct config_forward_zone own = {.name = name_of_text("lan")};
	struct config_group group = {.forwards = &own, .forward_count = 1};
	new.config.local.house = name_of_text("lan");
	new.config.local.special_names = true;
	zone(&new, "lan", false);
	lease_names_release(leases_expect(NULL, 1, ""));
	lease_names_release(leases_expect(NULL, 30, ""));
	new.config.groups = &group;
	new.config.group_count = 1;
	lease_names_release(leases_expect(NULL, 1, "h0.lan"));
}
