// SPDX-License-Identifier: BSD-3-Clause
// Answers for names of the house: leases, names without a lease, names left to others, single
// labels; and malformed reverse names.

#include "controlplane/policy/house.h"
#include "tests/unit/unit.h"

#include <weir/dns_answer.h>
#include <weir/rdata_parse.h>

enum { NOW = 1000 };

static struct config config;
static struct config_local_zone zones[4];
static struct lease_names *leases;

static void zone(const char *name, bool forward)
{
	zones[config.local.zone_count++] =
		(struct config_local_zone){.name = name_of_text(name), .forward = forward};
}

static int setup(void **)
{
	static const struct lease_own own = {0};
	struct lease_given g[] = {
		{"laptop", "/a", address_of_text("192.168.1.5"), NOW + 7200, false},
		{"laptop", "/b", address_of_text("fd00::5"), NOW + 30, false},
		{"tv", "/b", address_of_text("10.0.0.7"), 0, false},
		{"six", "/b", address_of_text("fd00::6"), 0, false},
	};
	memset(&config, 0, sizeof(config));
	config.local.zones = zones;
	config.local.special_names = true;
	config.local.house = name_of_text("lan");
	zone("lan", false);
	return lease_names_make(&config.local.house, &own, g, ARRAY_LEN(g), &leases);
}

FIXTURE(teardown, lease_names_release(leases))

static void query(const char *name, uint16_t type, struct dns_query *q, uint8_t *msg)
{
	*q = (struct dns_query){.name = name_of_text(name), .qtype = type, .qclass = DNS_CLASS_IN};
	q->question_len = (uint16_t)(q->name.len + 4);
	memset(msg, 0xff, DNS_HEADER_LEN); // all of it is written
	memcpy(msg + DNS_HEADER_LEN, q->name.wire, q->name.len);
	put_u16(msg + DNS_HEADER_LEN + q->name.len, type);
	put_u16(msg + DNS_HEADER_LEN + q->name.len + 2, DNS_CLASS_IN);
}

static bool exists; // for types that no lease has

static size_t answer(const struct dns_query *q, int forward_labels, uint8_t *msg, size_t cap)
{
	const struct house_question of = {.query = q,
		.forward_labels = forward_labels,
		.lease = house_lease(&config, leases, &q->name, forward_labels, NOW),
		.exists = exists,
		.now_s = NOW};
	return house_answer(&config, leases, &of, msg, cap);
}

// "": none; else the kind, and of a positive answer its TTL and the bytes of its records' data.
static const char *answered(const char *name, uint16_t type, int forward_labels)
{
	static struct dns_answer a;
	static char out[1024];
	static const struct dns_answer_rules rules = {.max_s = 86400, .negative_s = 3600};
	uint8_t msg[2048];
	struct dns_query q;
	query(name, type, &q, msg);
	const size_t len = answer(&q, forward_labels, msg, sizeof(msg));
	if (!len)
		return "";
	assert_int_equal(get_u16(msg + 2) & DNS_FLAG_QR, DNS_FLAG_QR);
	assert_int_equal(dns_answer_read(msg, len, &q, &rules, &a), 0);
	if (a.kind != DNS_ANSWER_POSITIVE) {
		assert_int_equal(a.nscount, 1); // a SOA
		assert_int_equal(a.ttl_s, HOUSE_TTL_S);
		return a.kind == DNS_ANSWER_NXDOMAIN ? "NXDOMAIN" : "NODATA";
	}
	size_t n = (size_t)snprintf(out, sizeof(out), "%u %u:", a.ancount, a.ttl_s);
	struct rd rd = rd_init(a.bytes, a.len);
	for (unsigned i = 0; i < a.ancount; i++) {
		rd_skip(&rd, 2 + 2 + 2 + 4); // the owner is the question's
		const uint16_t bytes = rd_u16(&rd);
		const uint8_t *data = rd_bytes(&rd, bytes);
		assert_true(rd_ok(&rd));
		for (unsigned k = 0; k < bytes; k++)
			n += (size_t)snprintf(
				out + n, sizeof(out) - n, "%s%u", k ? "." : " ", data[k]);
	}
	return out;
}

static void expect(const char *name, uint16_t type, const char *wanted)
{
	const char *got = answered(name, type, -1);
	if (strcmp(got, wanted) != 0)
		fail_msg("%s %u: \"%s\", not \"%s\"", name, type, got, wanted);
}

TEST_WITH(test_leases, setup, teardown)
{
	expect("laptop.lan", DNS_TYPE_A, "1 60: 192.168.1.5");
	expect("laptop.lan", DNS_TYPE_AAAA, "1 30: 253.0.0.0.0.0.0.0.0.0.0.0.0.0.0.5");
	expect("laptop.lan", DNS_TYPE_TXT, "NODATA");
	expect("laptop.lan", DNS_TYPE_DS, "NODATA");
	expect("tv.lan", DNS_TYPE_AAAA, "NODATA");
	expect("six.lan", DNS_TYPE_A, "NODATA");
	expect("none.lan", DNS_TYPE_A, "NXDOMAIN");
	expect("x.laptop.lan", DNS_TYPE_A, "NXDOMAIN");
	expect("laptop", DNS_TYPE_A, "");
	expect("laptop.example", DNS_TYPE_A, "");
	expect("lan", DNS_TYPE_A, ""); // the image's
}

TEST_WITH(test_reverse, setup, teardown)
{
	expect("5.1.168.192.in-addr.arpa", DNS_TYPE_PTR,
		"1 60: 6.108.97.112.116.111.112.3.108.97.110.0");
	expect("5.1.168.192.in-addr.arpa", DNS_TYPE_A, "NODATA");
	expect("7.0.0.10.in-addr.arpa", DNS_TYPE_PTR, "1 60: 2.116.118.3.108.97.110.0");
	expect("5.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.d.f.ip6.arpa",
		DNS_TYPE_PTR, "1 30: 6.108.97.112.116.111.112.3.108.97.110.0");
	expect("6.1.168.192.in-addr.arpa", DNS_TYPE_PTR, "NXDOMAIN");
	expect("1.168.192.in-addr.arpa", DNS_TYPE_PTR, "NODATA"); // there may be names below it
	expect("x.5.1.168.192.in-addr.arpa", DNS_TYPE_PTR, "NODATA");
	expect("5.1.169.192.in-addr.arpa", DNS_TYPE_PTR, "");
	expect("5.0.32.172.in-addr.arpa", DNS_TYPE_PTR, "");
	expect("5.0.16.172.in-addr.arpa", DNS_TYPE_PTR, "NXDOMAIN");
	expect("5.0.31.172.in-addr.arpa", DNS_TYPE_PTR, "NXDOMAIN");
}

TEST(test_reverse_zones)
{
	struct dns_name zone, expected;
	char text[32];
	unsigned i = 0;
	for (; house_reverse_at(i, &zone); i++) {
		snprintf(text, sizeof(text), "%u.172.in-addr.arpa", 15 + i);
		expected = name_of_text(i == 0    ? "10.in-addr.arpa"
					: i == 17 ? "168.192.in-addr.arpa"
					: i == 18 ? "d.f.ip6.arpa"
						  : text);
		assert_true(dns_name_equal(&zone, &expected));
		assert_int_equal(zone.labels, expected.labels);
		assert_true(house_is_reverse(&zone));
	}
	assert_int_equal(i, 19);
}

// No name but the one spelling of an address stands for it.
TEST_WITH(test_bad_reverse, setup, teardown)
{
	static const char *const bad[] = {"05.1.168.192.in-addr.arpa", "256.1.168.192.in-addr.arpa",
		"5x.1.168.192.in-addr.arpa", "f.1.168.192.in-addr.arpa",
		"4294967301.1.168.192.in-addr.arpa", "5.01.168.192.in-addr.arpa",
		"05.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.d.f.ip6.arpa",
		"g.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.d.f.ip6.arpa"};
	for (unsigned i = 0; i < ARRAY_LEN(bad); i++) {
		const struct dns_name name = name_of_text(bad[i]);
		assert_true(house_has(&config, &name));
		if (house_lease(&config, leases, &name, -1, NOW) != NULL)
			fail_msg("an address: %s", bad[i]);
	}
}

TEST_WITH(test_ended, setup, teardown)
{
	const struct dns_name name = name_of_text("laptop.lan");
	const struct lease_name *l = house_lease(&config, leases, &name, -1, NOW);
	assert_int_equal(l->address.version, 4);
	assert_null(house_lease(&config, leases, &name, -1, NOW + 7200));
}

TEST_WITH(test_left_to_others, setup, teardown)
{
	assert_string_equal(answered("none.lan", DNS_TYPE_A, 0), "NXDOMAIN"); // the root's servers
	assert_string_equal(answered("x.corp.lan", DNS_TYPE_A, 2), "");
	assert_string_equal(answered("laptop.lan", DNS_TYPE_A, 1), "1 60: 192.168.1.5");
	assert_string_equal(answered("laptop.lan", DNS_TYPE_A, 2), ""); // the zone's own name
	assert_string_equal(answered("6.1.168.192.in-addr.arpa", DNS_TYPE_PTR, 4), "");
	assert_string_equal(answered("6.1.168.192.in-addr.arpa", DNS_TYPE_PTR, 0), "NXDOMAIN");
	zone("free.lan", true);
	expect("x.free.lan", DNS_TYPE_A, "");
	zone("168.192.in-addr.arpa", true);
	expect("6.1.168.192.in-addr.arpa", DNS_TYPE_PTR, "");
	expect("5.1.168.192.in-addr.arpa", DNS_TYPE_PTR,
		"1 60: 6.108.97.112.116.111.112.3.108.97.110.0");
	config.local.special_names = false;
	expect("6.0.0.10.in-addr.arpa", DNS_TYPE_PTR, "");
	config.local.zone_count = 0; // as where a forward zone has the domain's name
	assert_string_equal(answered("none.lan", DNS_TYPE_A, 1), "");
	assert_string_equal(answered("laptop.lan", DNS_TYPE_TXT, 1), "NODATA");
}

TEST_WITH(test_without_a_domain, setup, teardown)
{
	config.local.house = (struct dns_name){0};
	expect("laptop.lan", DNS_TYPE_A, "");
	expect("5.1.168.192.in-addr.arpa", DNS_TYPE_PTR, "");
	expect("com", DNS_TYPE_A, "");
	config.local.single_labels = SINGLE_LABELS_HOME;
	expect("laptop", DNS_TYPE_A, "NXDOMAIN");
}

TEST_WITH(test_single_labels_at_home, setup, teardown)
{
	config.local.single_labels = SINGLE_LABELS_HOME;
	expect("laptop", DNS_TYPE_A, "NXDOMAIN");
	expect("laptop", DNS_TYPE_AAAA, "NXDOMAIN");
	expect("laptop", DNS_TYPE_HTTPS, "NXDOMAIN");
	expect("com", DNS_TYPE_NS, ""); // as resolvers behind weir ask
	expect("com", DNS_TYPE_DS, "");
	expect("laptop.example", DNS_TYPE_A, "");
	assert_string_equal(answered("corp", DNS_TYPE_A, 1), "");
	assert_string_equal(answered("corp", DNS_TYPE_A, 0), "NXDOMAIN");
	zone("free", true);
	expect("free", DNS_TYPE_A, "");
}

static const char *completed(const char *name, uint16_t type, int forward_labels)
{
	static char text[DNS_NAME_TEXT_MAX];
	const struct dns_name asked = name_of_text(name);
	struct dns_name out;
	return house_completes(&config, &asked, type, forward_labels, &out)
		       ? dns_name_to_text(&out, text)
		       : "";
}

TEST_WITH(test_single_labels_completed, setup, teardown)
{
	assert_string_equal(completed("laptop", DNS_TYPE_A, -1), "");
	config.local.single_labels = SINGLE_LABELS_COMPLETE;
	assert_string_equal(completed("laptop", DNS_TYPE_A, -1), "laptop.lan");
	assert_string_equal(completed("laptop", DNS_TYPE_AAAA, 0), "laptop.lan");
	assert_string_equal(completed("com", DNS_TYPE_NS, -1), "");
	assert_string_equal(completed("laptop.lan", DNS_TYPE_A, -1), "");
	assert_string_equal(completed("lan", DNS_TYPE_A, -1), "");
	assert_string_equal(completed("corp", DNS_TYPE_A, 1), "");
	expect("laptop", DNS_TYPE_A, ""); // the longer name is
	config.local.house = (struct dns_name){0};
	assert_string_equal(completed("laptop", DNS_TYPE_A, -1), "");
}

// An answer that does not fit is none.
TEST_WITH(test_little_room, setup, teardown)
{
	static const char *const names[] = {"laptop.lan", "none.lan", "5.1.168.192.in-addr.arpa"};
	uint8_t msg[2048];
	struct dns_query q;
	for (unsigned i = 0; i < ARRAY_LEN(names); i++) {
		query(names[i], i == 2 ? DNS_TYPE_PTR : DNS_TYPE_A, &q, msg);
		const size_t len = answer(&q, -1, msg, sizeof(msg));
		assert_true(len > 0);
		for (size_t cap = DNS_HEADER_LEN + q.question_len; cap < len; cap++) {
			uint8_t *exact =
				malloc(cap); // a byte beyond it is an error to the sanitizer
			query(names[i], q.qtype, &q, exact);
			assert_int_equal(answer(&q, -1, exact, cap), 0);
			free(exact);
		}
	}
}

// A zone that local.domain makes leaves the domain to a group's own forward zone of that name.
TEST_WITH(test_zone_of_the_domain, setup, teardown)
{
	assert_string_equal(answered("none.lan", DNS_TYPE_A, 1), "NXDOMAIN"); // the operator's
	zones[0].is_house = true;
	assert_string_equal(answered("none.lan", DNS_TYPE_A, 1), "");
	assert_string_equal(answered("none.lan", DNS_TYPE_A, 0), "NXDOMAIN");
	assert_string_equal(answered("laptop.lan", DNS_TYPE_A, 1), "1 60: 192.168.1.5");
}

// A local zone of a lease's very name goes before the lease.
TEST_WITH(test_zone_of_a_lease, setup, teardown)
{
	zone("tv.lan", true);
	expect("tv.lan", DNS_TYPE_A, "");
	expect("laptop.lan", DNS_TYPE_A, "1 60: 192.168.1.5");
}

// With names below it a name exists (RFC 8020), in a zone of any kind.
TEST_WITH(test_empty_names, setup, teardown)
{
	exists = true;
	expect("none.lan", DNS_TYPE_A, "NODATA");
	expect("laptop.lan", DNS_TYPE_A, "1 60: 192.168.1.5");
	zones[0].forward = true;
	expect("none.lan", DNS_TYPE_A, "NODATA");
	exists = false;
	expect("none.lan", DNS_TYPE_A, "");
}

// A table that was made for another domain says nothing of this one.
TEST_WITH(test_other_domain, setup, teardown)
{
	config.local.house = name_of_text("home");
	expect("laptop.home", DNS_TYPE_A, "");
	expect("5.1.168.192.in-addr.arpa", DNS_TYPE_PTR, "NXDOMAIN");
}
