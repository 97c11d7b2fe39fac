// SPDX-License-Identifier: BSD-3-Clause
// Names of leases: which a client may have, which of two leases counts, and the table that is
// published.

#include "controlplane/policy/lease_names.h"
#include "tests/unit/unit.h"

#include <pthread.h>

static struct lease_names *table;
static const struct lease_own own = {.count = 1, .label = {"Box"}};

static struct lease_given given(const char *name, const char *address, int64_t ends_s)
{
	return (struct lease_given){.name = name,
		.path = "/leases",
		.address = address_of_text(address),
		.ends_s = ends_s};
}

static void make(const struct lease_given *g, unsigned count)
{
	const struct dns_name lan = name_of_text("lan");
	lease_names_release(table);
	assert_int_equal(lease_names_make(&lan, &own, g, count, &table), 0);
}

FIXTURE(teardown, (lease_names_release(table), table = NULL))

static const char *address_of(const char *label, unsigned version, int64_t now_s)
{
	static char text[SOCKET_ADDRESS_TEXT_MAX];
	const struct dns_name name = name_of_text(label);
	const struct lease_name *l = lease_names_find(table, name.wire, version, now_s);
	return l ? ip_address_text(&l->address, false, text) : "";
}

static struct lease_counts counts(void)
{
	return lease_names_counts(table, false);
}

TEST_WITH(test_names, NULL, teardown)
{
	const char longest[] = "a23456789012345678901234567890123456789012345678901234567890123";
	const struct lease_given g[] = {given("LapTop", "192.168.1.5", 0),
		given("tv.lan", "10.0.0.7", 0), given("phone.lan.", "172.31.0.9", 0),
		given("phone", "fd00::9", 0), given(longest, "192.168.1.6", 0),
		given("3d-printer", "192.168.1.7", 0)};
	make(g, ARRAY_LEN(g));
	assert_int_equal(counts().names, ARRAY_LEN(g));
	assert_string_equal(address_of("laptop", 4, 1), "192.168.1.5");
	assert_string_equal(address_of("laptop", 6, 1), "");
	assert_string_equal(address_of("tv", 4, 1), "10.0.0.7");
	assert_string_equal(address_of("phone", 4, 1), "172.31.0.9");
	assert_string_equal(address_of("phone", 6, 1), "fd00::9");
	assert_string_equal(address_of(longest, 4, 1), "192.168.1.6");
	assert_string_equal(address_of("3d-printer", 4, 1), "192.168.1.7");
	assert_string_equal(address_of("lap", 4, 1), "");
}

TEST_WITH(test_refused_names, NULL, teardown)
{
	static const char *const bad[] = {"", "a b", "-a", "a-", "a_b", "\\x00a", "b\u00fccher",
		"a.b", "a.lan.evil", "www.example", "a..lan", "a.lan..", ".lan", "*",
		"a234567890123456789012345678901234567890123456789012345678901234"};
	for (unsigned i = 0; i < ARRAY_LEN(bad); i++) {
		const struct lease_given g = given(bad[i], "192.168.1.5", 0);
		make(&g, 1);
		if (counts().names || counts().bad_name != 1)
			fail_msg("taken: %s", bad[i]);
	}
}

// By wpad and isatap programs find a proxy and a tunnel; the others are not a client's to be.
TEST_WITH(test_reserved_names, NULL, teardown)
{
	static const char *const reserved[] = {
		"wpad", "WPAD", "wpad.lan", "isatap", "localhost", "box", "bOX.lan."};
	for (unsigned i = 0; i < ARRAY_LEN(reserved); i++) {
		const struct lease_given g = given(reserved[i], "192.168.1.5", 0);
		make(&g, 1);
		if (counts().names || counts().reserved != 1)
			fail_msg("taken: %s", reserved[i]);
	}
}

TEST_WITH(test_addresses, NULL, teardown)
{
	static const char *const bad[] = {"9.9.9.9", "127.0.0.1", "0.0.0.0", "172.32.0.1",
		"172.15.0.1", "192.169.0.1", "169.254.0.1", "100.64.0.1", "224.0.0.1", "::1",
		"2001:db8::1", "fe80::1", "fc00::1", "::ffff:192.168.1.1"};
	for (unsigned i = 0; i < ARRAY_LEN(bad); i++) {
		const struct lease_given g = given("laptop", bad[i], 0);
		make(&g, 1);
		if (counts().names || counts().bad_address != 1)
			fail_msg("taken: %s", bad[i]);
	}
}

TEST_WITH(test_conflicts, NULL, teardown)
{
	const struct lease_given g[] = {given("tv", "192.168.1.5", 100),
		given("TV", "192.168.1.6", 300), given("tv.lan", "192.168.1.7", 200),
		given("tv", "fd00::5", 50), given("nas", "192.168.1.9", 0),
		given("nas", "192.168.1.8", 900), given("pc", "192.168.1.12", 500),
		given("pc", "192.168.1.11", 500)};
	const struct ip_address loser = address_of_text("192.168.1.5"),
				winner = address_of_text("192.168.1.6");
	make(g, ARRAY_LEN(g));
	assert_int_equal(counts().names, 4);
	assert_int_equal(counts().conflicts, 4);
	assert_string_equal(address_of("tv", 4, 1), "192.168.1.6");
	assert_string_equal(address_of("tv", 6, 1), "fd00::5");
	assert_string_equal(address_of("nas", 4, 1), "192.168.1.9"); // never ends
	assert_string_equal(address_of("pc", 4, 1), "192.168.1.11");
	assert_null(lease_names_at(table, &loser, 1));
	assert_non_null(lease_names_at(table, &winner, 1));
	assert_string_equal(lease_names_path(table, lease_names_at(table, &winner, 1)), "/leases");
}

// A lease counts before the router's name, whichever ends later; of two of the router's that of the
// lower address, however their ends move.
TEST_WITH(test_router, NULL, teardown)
{
	struct lease_given g[] = {given("tv", "192.168.1.5", 900), given("tv", "192.168.1.9", 100),
		given("pad", "192.168.1.7", 900), given("pad.lan", "192.168.1.6", 100),
		given("pad", "fd00::6", 100), given("www.bank.example", "192.168.1.8", 100)};
	for (unsigned i = 0; i < ARRAY_LEN(g); i++)
		g[i].is_ptr = i != 1;
	make(g, ARRAY_LEN(g));
	assert_string_equal(address_of("tv", 4, 1), "192.168.1.9");
	assert_string_equal(address_of("pad", 4, 1), "192.168.1.6");
	assert_string_equal(address_of("pad", 6, 1), "fd00::6");
	assert_string_equal(address_of("pad", 4, 100), "");
	assert_string_equal(address_of("www", 4, 1), "");
	assert_int_equal(counts().names, 1);
	assert_int_equal(counts().conflicts, 0);
	const struct lease_counts router = lease_names_counts(table, true);
	assert_int_equal(router.names, 2);
	assert_int_equal(router.conflicts, 2);
	assert_int_equal(router.bad_name, 1);
}

// While weir asks the router about an address, the router gets no name of it from weir.
TEST_WITH(test_no_echo, NULL, teardown)
{
	struct lease_given g[] = {given("tv", "192.168.1.5", 0), given("pad", "fd00::6", 0)};
	g[0].is_ptr = true;
	make(g, ARRAY_LEN(g));
	lease_names_asks(&g[0].address);
	assert_null(lease_names_at(table, &g[0].address, 1));
	assert_string_equal(address_of("tv", 4, 1), "192.168.1.5");
	lease_names_asks(&g[1].address);
	assert_non_null(lease_names_at(table, &g[0].address, 1));
	assert_non_null(lease_names_at(table, &g[1].address, 1)); // a lease
	lease_names_asks(NULL);
}

TEST_WITH(test_ends, NULL, teardown)
{
	const struct lease_given g = given("tv", "192.168.1.5", 100);
	make(&g, 1);
	assert_string_equal(address_of("tv", 4, 99), "192.168.1.5");
	assert_string_equal(address_of("tv", 4, 100), "");
	assert_null(lease_names_at(table, &g.address, 100));
}

TEST_WITH(test_full, NULL, teardown)
{
	enum { MANY = LEASE_NAMES_MAX + 5 };
	static struct lease_given g[MANY];
	static char name[MANY][16];
	for (unsigned i = 0; i < MANY; i++) {
		snprintf(name[i], sizeof(name[i]), "h%u", i);
		g[i] = given(name[i], "10.0.0.0", 0);
		g[i].address.bytes[2] = (uint8_t)(i >> 8);
		g[i].address.bytes[3] = (uint8_t)i;
	}
	make(g, MANY);
	assert_int_equal(counts().names, LEASE_NAMES_MAX);
	assert_int_equal(counts().over, 5);
	assert_string_equal(address_of("h8191", 4, 1), "10.0.31.255");
	assert_string_equal(address_of("h8192", 4, 1), "");
	assert_non_null(lease_names_at(table, &g[4097].address, 1));
	assert_in_range(lease_names_bytes(table), LEASE_NAMES_MAX * 60, LEASE_NAMES_MAX * 120);
}

TEST_WITH(test_own_names, NULL, teardown)
{
	static char inside[] = "dns.lan", outside[] = "dns.example";
	struct config c = {.local.house = name_of_text("lan"), .tls.name = inside};
	struct lease_own found;
	lease_own_find(&c, &found);
	assert_int_equal(found.count, 2); // the host's name is the first
	assert_string_equal(found.label[1], "dns");
	c.tls.name = outside;
	lease_own_find(&c, &found);
	assert_int_equal(found.count, 1);
}

// Tables come while others look: none of them sees that there is no table.
static _Atomic bool done;

static void *publish_many(void *)
{
	const struct dns_name lan = name_of_text("lan");
	const struct lease_given g = given("one", "192.168.1.1", 0);
	for (unsigned i = 0; i < 20000; i++) {
		struct lease_names *next;
		assert_int_equal(lease_names_make(&lan, &own, &g, 1, &next), 0);
		lease_names_publish(next);
	}
	done = true;
	return NULL;
}

TEST_WITH(test_published_while_read, NULL, teardown)
{
	const struct lease_given g = given("one", "192.168.1.1", 0);
	unsigned missed = 0;
	pthread_t thread;
	make(&g, 1);
	lease_names_publish(table);
	table = NULL;
	assert_int_equal(pthread_create(&thread, NULL, publish_many, NULL), 0);
	while (!done) {
		struct lease_names *held = NULL;
		missed += lease_names_now(&held) == NULL;
		lease_names_release(held);
	}
	pthread_join(thread, NULL);
	lease_names_publish(NULL);
	assert_int_equal(missed, 0);
}

TEST_WITH(test_published, NULL, teardown)
{
	const struct lease_given g[] = {
		given("one", "192.168.1.1", 0), given("two", "192.168.1.2", 0)};
	struct lease_names *held = NULL, *other = NULL;
	assert_null(lease_names_now(&held));
	make(g, 1);
	const struct lease_names *first = table;
	lease_names_publish(table);
	table = NULL;
	assert_ptr_equal(lease_names_now(&held), first);
	assert_ptr_equal(lease_names_now(&other), first);
	make(g, 2);
	lease_names_publish(table);
	table = NULL;
	assert_int_equal(lease_names_counts(held, false).names, 1); // still held
	assert_int_equal(lease_names_counts(lease_names_now(&held), false).names, 2);
	lease_names_publish(NULL);
	assert_null(lease_names_now(&held));
	assert_null(lease_names_now(&other));
}
