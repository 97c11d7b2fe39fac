// SPDX-License-Identifier: BSD-3-Clause
#include "controlplane/lists/zone_suffix.h"
#include "tests/unit/unit.h"

static void expect(const char *text, const char *zone, const char *suffix)
{
	char buf[DNS_NAME_TEXT_MAX];
	struct dns_name name = name_of_text(text);
	const struct zone_of of = zone_of(&name);
	assert_string_equal(
		dns_name_wire_to_text(name.wire + of.zone, name.len - of.zone, buf), zone);
	assert_string_equal(
		dns_name_wire_to_text(name.wire + of.suffix, name.len - of.suffix, buf), suffix);
}

TEST(test_names_and_their_zones)
{
	expect("a.b.victim.co.uk", "victim.co.uk", "co.uk");
	expect("victim.co.uk", "victim.co.uk", "co.uk");
	expect("co.uk", "co.uk", "co.uk");
	expect("x.example.com", "example.com", "com");
	expect("example.com", "example.com", "com");
	expect("com", "com", "com");
	expect(".", ".", ".");
	expect("nas", "nas", "nas");
	expect("tv.living.home.arpa", "home.arpa", "arpa");
	expect("a.b.c.unknown-suffix", "c.unknown-suffix", "unknown-suffix");
	expect("a.user.github.io", "user.github.io", "github.io");
	expect("a.www.ck", "www.ck", "ck");                        // an exception of the list
	expect("a.b.anything.ck", "b.anything.ck", "anything.ck"); // a wildcard
	expect("4.3.2.1.in-addr.arpa", "2.1.in-addr.arpa", "in-addr.arpa");
	expect("1.in-addr.arpa", "1.in-addr.arpa", "in-addr.arpa");
	expect("1.0.0.0.0.0.0.0.3.5.0.0.3.5.d.f.ip6.arpa", "3.5.0.0.3.5.d.f.ip6.arpa", "ip6.arpa");
}

// Bytes of a label that are those of others.
TEST(test_labels_within_a_label)
{
	expect("x\\003ip6\\004arpa", "x\\003ip6\\004arpa", "x\\003ip6\\004arpa");
	expect("a.b.x\\007in-addr\\004arpa", "b.x\\007in-addr\\004arpa", "x\\007in-addr\\004arpa");
	expect("a.b.x\\003ip6.arpa", "x\\003ip6.arpa", "arpa");
	expect("ip6.arpa", "ip6.arpa", "ip6.arpa");
}

TEST(test_a_name_of_127_labels)
{
	char text[256];
	for (unsigned i = 0; i < 127; i++)
		memcpy(text + 2 * i, "a.", 3);
	expect(text, "a.a", "a");
}

static uint32_t key_of(const char *text, const struct keyhash_secret *secret)
{
	struct dns_name name = name_of_text(text);
	return zone_key(&name, secret);
}

TEST(test_keys_of_zones)
{
	struct keyhash_secret secret, other;
	memset(secret.bytes, 0x5a, sizeof(secret.bytes));
	memset(other.bytes, 0xa7, sizeof(other.bytes));
	const uint32_t victim = key_of("a.b.victim.co.uk", &secret), keys[] = {victim, 0, victim};

	assert_int_equal(key_of("victim.co.uk", &secret), victim);
	assert_int_not_equal(key_of("a.other.co.uk", &secret), victim);
	assert_int_not_equal(key_of("victim.co.uk", &other), victim);
	assert_int_not_equal(key_of(".", &secret), 0);
	assert_int_equal(zone_count(keys, 3, victim), 2);
	assert_int_equal(zone_count(keys, 2, victim), 1);
	assert_int_equal(zone_count(keys, 0, victim), 0);
}
