// SPDX-License-Identifier: BSD-3-Clause
// What a zone, a suffix or a client may have of the questions and the waiters.
#include "inflight_box.h"

// Adds questions of the names until there is no room for one more; how many there was room for.
static unsigned fill_of(
	struct inflight *f, const char *below, uint64_t servers, unsigned most, enum bound *why)
{
	static unsigned serial;
	*why = BOUND_none;
	for (unsigned n = 0; n < most; n++) {
		struct dns_query query = query_of(text_from("r%u%s", ++serial, below), DNS_TYPE_A);
		struct l0_key key = key_of(&query, serial * UINT64_C(0x9e3779b97f4a7c15));
		struct question *q;
		*why = inflight_add(f, &key, &query, NULL, servers, false, clock_mono_ms(), &q);
		if (*why != BOUND_none)
			return n;
	}
	return most;
}

static unsigned fill(struct inflight *f, const char *below, unsigned most, enum bound *why)
{
	return fill_of(f, below, 0, most, why);
}

TEST(test_a_zone_has_its_share)
{
	enum bound why;
	struct inflight *f = inflight_of(4096, 16);
	set_limits(f, 4096, 256, 0);
	assert_int_equal(fill(f, ".victim.co.uk", 1000, &why), 256);
	assert_int_equal(why, BOUND_zone);
	assert_int_equal(fill(f, ".deep.er.victim.co.uk", 1000, &why), 0);
	// A neighbour under the same suffix does not suffer, nor does another zone.
	assert_int_equal(fill(f, ".neighbour.co.uk", 200, &why), 200);
	assert_int_equal(fill(f, ".example.com", 200, &why), 200);
	assert_int_equal(fill(f, ".2.0.192.in-addr.arpa", 1000, &why), 256);
	assert_int_equal(fill(f, ".100.51.198.in-addr.arpa", 200, &why), 200);
	// Renewing what is asked for often goes on.
	struct dns_query query = query_of("hot.victim.co.uk", DNS_TYPE_A);
	struct l0_key key = key_of(&query, 1);
	struct question *q;
	assert_int_equal(inflight_add(f, &key, &query, NULL, 0, true, clock_mono_ms(), &q), 0);
	// What ends makes room.
	while ((q = inflight_younger(f, NULL)))
		inflight_remove(f, q);
	assert_int_equal(fill(f, ".victim.co.uk", 1000, &why), 256);
	set_limits(f, 4096, 0, 0);
	assert_int_equal(fill(f, ".victim.co.uk", 5000, &why), 4096 - 256);
	assert_int_equal(why, BOUND_inflight);
}

// Servers that do not answer for a domain leave room for its names that other servers have; all of
// them together have the share of their suffix.
TEST(test_a_share_for_each_set_of_servers)
{
	enum { PUBLIC = 1, OWN, SETS = 20 };
	enum bound why;
	struct inflight *f = inflight_of(4096, 16);
	set_limits(f, 4096, 256, 0);
	assert_int_equal(fill_of(f, ".corp.example.com", OWN, 1000, &why), 256);
	assert_int_equal(why, BOUND_zone);
	assert_int_equal(fill_of(f, ".example.com", PUBLIC, 1000, &why), 256);
	assert_int_equal(why, BOUND_zone);
	unsigned all = 512;
	for (unsigned i = 0; i < SETS; i++)
		all += fill_of(f, ".example.com", 100 + i * 7919, 1000, &why);
	assert_in_range(all, 3072 - 8, 3072);
	assert_int_equal(why, BOUND_suffix);
	struct question *q;
	while ((q = inflight_younger(f, NULL)))
		inflight_remove(f, q);
	assert_int_equal(fill_of(f, ".example.com", OWN, 1000, &why), 256);
}

// Each name another registrable domain.
TEST(test_a_suffix_leaves_a_quarter)
{
	enum bound why;
	struct inflight *f = inflight_of(4096, 16);
	set_limits(f, 4096, 256, 0);
	// The sketch may count a few of the other names for the suffix (weir/sketch.h), never too
	// few.
	unsigned com = fill(f, ".com", 5000, &why);
	assert_in_range(com, 3072 - 8, 3072);
	assert_int_equal(why, BOUND_suffix);
	assert_true(inflight_is_crowded(f));
	assert_int_equal(fill(f, ".org", 500, &why), 500);
	// Names without any domain: each is its own suffix.
	assert_int_equal(fill(f, "", 5000, &why), 4096 - com - 500);
	assert_int_equal(why, BOUND_inflight);
}

// Of eight, six: so few that the sketch counts them exactly.
TEST(test_a_suffix_leaves_a_quarter_of_few)
{
	enum bound why;
	struct inflight *f = inflight_of(8, 16);
	set_limits(f, 8, 256, 0);
	assert_int_equal(fill(f, ".com", 8, &why), 6);
	assert_int_equal(why, BOUND_suffix);
}

TEST(test_a_client_has_its_share)
{
	const uint8_t a[4] = {192, 0, 2, 1}, b[4] = {192, 0, 2, 2};
	const uint8_t v6[16] = {0xfd, 0x53, [15] = 1}, near[16] = {0xfd, 0x53, [15] = 2};
	struct inflight *f = inflight_of(4, 12000);
	set_limits(f, 4, 0, 64);
	struct dns_query query = query_of("x.example", DNS_TYPE_A);
	struct l0_key ka = key_of(&query, 1), kb = key_of(&query, 2);
	struct question *q[2] = {add(f, &ka, &query), add(f, &kb, &query)};
	struct waiter w = {.client = inflight_client(f, 4, a)};
	for (unsigned i = 0; i < 64; i++)
		assert_int_equal(inflight_wait(f, q[i % 2], &w, 10000), 0);
	assert_int_equal(inflight_wait(f, q[0], &w, 10000), BOUND_client);
	w.client = inflight_client(f, 4, b);
	assert_int_equal(inflight_wait(f, q[0], &w, 10000), 0);
	w.client = inflight_client(f, 6, v6);
	assert_int_equal(w.client, inflight_client(f, 6, near)); // of one /64
	assert_int_equal(inflight_wait(f, q[0], &w, 10000), 0);
	w.client = 0; // over TCP
	for (unsigned i = 0; i < 200; i++)
		assert_int_equal(inflight_wait(f, q[1], &w, 10000), 0);
	// Whoever was answered may ask again.
	assert_true(inflight_take_waiter(f, q[1], &w));
	w.client = inflight_client(f, 4, a);
	assert_int_equal(inflight_wait(f, q[0], &w, 10000), 0);
	assert_int_equal(inflight_wait(f, q[0], &w, 10000), BOUND_client);
	inflight_remove(f, q[1]);
	inflight_remove(f, q[0]);
	struct question *again = add(f, &ka, &query);
	// Nobody is counted any more, also not by those who share a counter: as many as one
	// question may have.
	for (unsigned i = 0; i < 9000; i++) {
		const uint8_t address[4] = {10, 0, (uint8_t)(i / 3 >> 8), (uint8_t)(i / 3)};
		w.client = inflight_client(f, 4, address);
		assert_int_equal(inflight_wait(f, again, &w, 10000), 0);
	}
}

static void exempt_one(struct inflight *f, const char *client, const char *zone)
{
	struct ip_address prefix;
	struct dns_name name = query_of(zone, 0).name;
	prefix = address_of_text(client);
	const struct config_limits limits = {.unlimited_client_count = 1,
		.unlimited_clients = &prefix,
		.unlimited_zone_count = 1,
		.unlimited_zones = &name};
	inflight_exempt(f, &limits);
}

// The company's own domain has no share of its own; all names below its suffix have theirs.
TEST(test_an_exempt_zone_has_its_suffix_share)
{
	struct inflight_stats s;
	enum bound why;
	struct inflight *f = inflight_of(4096, 16);
	set_limits(f, 4096, 256, 0);
	exempt_one(f, "192.0.2.25", "corp.example.com");
	assert_int_equal(fill(f, ".corp.example.com", 300, &why), 300);
	// The rest of its registrable domain finds the share used up.
	assert_int_equal(fill(f, ".www.example.com", 10, &why), 0);
	assert_int_equal(why, BOUND_zone);
	assert_in_range(fill(f, ".corp.example.com", 4096, &why), 3072 - 300 - 8, 3072 - 300);
	assert_int_equal(why, BOUND_suffix);
	assert_int_equal(fill(f, ".example.org", 256, &why), 256);
	inflight_stats(f, &s);
	assert_in_range(s.let_in.zone, 3072 - 256 - 8, 3072 - 256);
	assert_int_equal(s.refused.zone, 1);
	assert_int_equal(s.refused.suffix, 1);
}

// It may wait for more answers than others, but not for all.
TEST(test_an_exempt_client_leaves_a_quarter)
{
	enum { ALL = 400 };
	struct inflight_stats s;
	const uint8_t mail[4] = {192, 0, 2, 25}, near[4] = {192, 0, 2, 24};
	const uint8_t six[16] = {192, 0, 2, 25};
	struct inflight *f = inflight_of(4096, ALL);
	set_limits(f, 4096, 0, 8);
	exempt_one(f, "192.0.2.25/32", "corp.example");
	assert_true(inflight_is_exempt(f, 4, mail));
	assert_false(inflight_is_exempt(f, 4, near));
	assert_false(inflight_is_exempt(f, 6, six));
	struct waiter w = {.client = inflight_client(f, 4, mail), .is_exempt = true};
	struct waiter other = {.client = inflight_client(f, 4, near)};
	for (unsigned i = 0; i < ALL - ALL / 4; i++) {
		struct dns_query query = query_of("x.example", DNS_TYPE_A);
		struct l0_key key = key_of(&query, i);
		assert_int_equal(inflight_wait(f, add(f, &key, &query), &w, 10), BOUND_none);
	}
	struct dns_query query = query_of("y.example", DNS_TYPE_A);
	struct l0_key key = key_of(&query, 9999);
	struct question *q = add(f, &key, &query);
	assert_int_equal(inflight_wait(f, q, &w, 10), BOUND_client);
	assert_int_equal(inflight_wait(f, q, &other, 10), BOUND_none);
	inflight_stats(f, &s);
	assert_int_equal(s.let_in.client, ALL - ALL / 4 - 8);
	assert_int_equal(s.refused.client, 1);
}

// All lengths of a prefix, at each bit beside its end.
TEST(test_prefixes)
{
	struct inflight *f = inflight_of(4, 4);
	const uint8_t address[16] = {
		0x20, 1, 0xd, 0xb8, 0xff, 0, 0x55, 0xaa, 1, 2, 3, 4, 5, 6, 7, 8};
	for (unsigned len = 0; len <= 128; len++) {
		struct ip_address p = {.version = 6, .prefix_len = (uint8_t)len};
		for (unsigned i = 0; i < len; i++)
			p.bytes[i / 8] |= (uint8_t)(address[i / 8] & 0x80u >> i % 8);
		const struct config_limits limits = {
			.unlimited_client_count = 1, .unlimited_clients = &p};
		inflight_exempt(f, &limits);
		for (unsigned bit = 0; bit < 128; bit++) {
			uint8_t near[16];
			memcpy(near, address, sizeof(near));
			near[bit / 8] ^= (uint8_t)(0x80u >> bit % 8);
			assert_int_equal(inflight_is_exempt(f, 6, near), bit >= len);
		}
		assert_true(inflight_is_exempt(f, 6, address));
	}
}
