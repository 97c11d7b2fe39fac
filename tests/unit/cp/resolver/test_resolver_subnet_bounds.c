// SPDX-License-Identifier: BSD-3-Clause

// Clients' subnets (RFC 7871) in the resolver: the keys of their answers, how these are shown and
// flushed, and what forged ones meet.

#include "controlplane/upstream/subnet_key.h"
#include "subnet_rig.h"
#include "tests/unit/clock_still.h"

TEST(test_keys)
{
	static const uint8_t www[] = "\3www\7example", long_name[255] = {63};
	const struct ip_address all = {
		.version = 6, .prefix_len = 128, .bytes = {0x20, 1, 0xd, 0xb8, 0xab, 0xcd}};
	struct l0_key whole = {.name = www, .name_len = sizeof(www), .qtype = 1, .qclass = 1};
	struct l0_reader l0 = {.bucket_mask = 4095, .part_shift = 6, .resolvers = 4};
	struct subnet_key key;
	struct ip_address back;
	assert_int_equal(keyhash_secret_make(&l0.secret), 0);
	l0_key_hash(&l0, &whole);
	for (unsigned bits = 0; bits <= 128; bits++) {
		assert_true(subnet_key_make(&l0, &whole, &all, bits, &key));
		assert_int_equal(
			l0_resolver_of(&l0, key.key.hash), l0_resolver_of(&l0, whole.hash));
		const struct l0_view v = {.name = key.key.name,
			.name_len = key.key.name_len,
			.key_flags = key.key.flags};
		assert_true(subnet_of_record(&v, &back));
		assert_int_equal(back.version, 6);
		assert_int_equal(back.prefix_len, bits);
	}
	assert_memory_equal(back.bytes, all.bytes, 16);
	whole.name = long_name;
	whole.name_len = 255;
	assert_false(subnet_key_make(&l0, &whole, &all, 8, &key));
}

// A reply that names no subnet would fit any of them: while there are several, TCP decides.
TEST_WITH(test_replies_without_the_subnet_are_proven_by_tcp, setup, rig_teardown)
{
	fake[0].scope_more = 0;
	from((struct fake_miss){.name = "alone.example"}, "198.51.100.7");
	expect_answer(id, 0, ANSWER_UPSTREAM);
	assert_int_equal(fake[0].tcp_queries, 0);
	fake[0].held = true;
	from((struct fake_miss){.name = "www.example"}, "198.51.100.7");
	from((struct fake_miss){.name = "www.example"}, "198.51.101.7");
	WAIT_FOR(status().inflight >= 2);
	fake[0].held = false;
	for (unsigned i = 0; i < 2; i++) {
		assert_true(fake_dataplane_answer(&dp, &got, 20000));
		assert_int_equal(got.head.verdict, ANSWER_UPSTREAM);
	}
	assert_true(fake[0].tcp_queries > 0);
}

static const struct rig_look *find(const char *text, const char *client)
{
	static struct rig_look l;
	struct cache_question q = {.name = name_of_text(text), .qtype = DNS_TYPE_A};
	l.there = false;
	if (client)
		q.client = address_of_text(client);
	assert_int_equal(resolver_cache_find(rig.resolver, &q, rig.loop, rig_on_look, &l), 0);
	WAIT_FOR(l.there);
	assert_int_equal(l.err, 0);
	return &l;
}

TEST_WITH(test_shown_and_flushed_by_name, setup, rig_teardown)
{
	asks("www.example", "198.51.100.7", ANSWER_UPSTREAM, 100);
	asks("www.example", "198.51.101.7", ANSWER_UPSTREAM, 101);
	asks("a.www.example", "198.51.101.7", ANSWER_UPSTREAM, 101);
	const struct rig_look *w = rig_look("www.example", 0);
	assert_int_equal(w->look.count, 2);
	char text[SOCKET_ADDRESS_TEXT_MAX], other[SOCKET_ADDRESS_TEXT_MAX];
	ip_address_text(&w->entry[0].subnet, true, text);
	ip_address_text(&w->entry[1].subnet, true, other);
	assert_true(strcmp(text, other) != 0);
	assert_true(strcmp(text, "198.51.100.0/24") == 0 || strcmp(other, "198.51.100.0/24") == 0);
	assert_int_equal(rig_flush(FLUSH_NAME, "www.example", false).l0, 2);
	assert_int_equal(rig_look("a.www.example", 0)->look.count, 1);
	assert_int_equal(rig_flush(FLUSH_BELOW, "example", false).l0, 1);
}

// By its keys a client's question is found in the answers for its own subnet alone.
TEST_WITH(test_found_for_a_client_of_the_subnet, setup, rig_teardown)
{
	char text[SOCKET_ADDRESS_TEXT_MAX];
	asks("www.example", "198.51.100.7", ANSWER_UPSTREAM, 100);
	asks("www.example", "198.51.101.7", ANSWER_UPSTREAM, 101);
	const struct rig_look *w = find("www.example", "198.51.101.9");
	assert_int_equal(w->look.count, 1);
	assert_string_equal(ip_address_text(&w->entry[0].subnet, true, text), "198.51.101.0/24");
	assert_int_equal(find("www.example", "198.51.102.9")->look.count, 0);
	assert_int_equal(find("www.example", NULL)->look.count, 0);
	assert_int_equal(find("other.example", "198.51.101.9")->look.count, 0);
}

TEST_WITH(test_a_look_says_what_it_leaves_out, setup, rig_teardown)
{
	for (unsigned i = 0; i < CACHE_GET_MAX + 3; i++) {
		asks("www.example", text_from("203.0.%u.1", i), ANSWER_UPSTREAM, i);
	}
	assert_int_equal(rig_look("www.example", 0)->look.count, CACHE_GET_MAX);
	assert_int_equal(rig_look("www.example", 0)->look.left_out, 3);
}

// A flood of questions from forged subnets meets the share of their zone, as one of many names
// does.
TEST_WITH(test_a_flood_of_subnets_meets_the_bound_of_the_zone, setup, rig_teardown)
{
	enum { ZONE = 16, ASKED = 200 };
	rig.config.limits.zone_inflight = ZONE;
	rig_reload();
	fake[0].held = true;
	for (unsigned i = 0; i < ASKED; i++) {
		const char *client = text_from("203.0.%u.1", i);
		from((struct fake_miss){.name = "www.example"}, client);
	}
	WAIT_FOR(status().misses >= ASKED);
	assert_int_equal(status().inflight, ZONE);
	assert_int_equal(status().refused_zone, ASKED - ZONE);
	for (unsigned i = 0; i < ASKED - ZONE; i++)
		assert_true(fake_dataplane_answer(&dp, &got, 20000));
	// Another zone's clients find room.
	from((struct fake_miss){.name = "www.other-example"}, "198.51.100.7");
	WAIT_FOR(status().inflight >= ZONE + 1);
	assert_int_equal(status().inflight, ZONE + 1);
	fake[0].held = false;
	for (unsigned i = 0; i < ZONE + 1; i++)
		assert_true(fake_dataplane_answer(&dp, &got, 20000));
}

// A worker asks to renew an expired answer for everyone, and the resolver has taken that.
static void renewal_asked(void)
{
	fake[0].scope_more = 1;
	fake[0].ttl_s = 1;
	asks("www.example", "198.51.100.7", ANSWER_UPSTREAM, 100);
	clock_pass_ms(1100);
	from((struct fake_miss){.name = "www.example", .refresh = true}, "198.51.100.7");
	WAIT_FOR(status().refreshes >= 1);
	assert_int_equal(status().refreshes, 1);
	assert_int_equal(status().inflight, 0);
	assert_int_equal(fake[0].udp_queries, 1);
}

// A renewal has no client: its answer would be for weir's own network.
TEST_WITH(test_nothing_is_renewed, setup, rig_teardown)
{
	renewal_asked();
	assert_int_equal(status().l0.entries, 1);
	asks("www.example", "198.51.101.7", ANSWER_UPSTREAM, 101);
}

TEST_WITH(test_expired_for_everyone_is_deleted_where_workers_serve_it, setup, rig_teardown)
{
	rig.config.cache.stale_immediate = true;
	rig_reload();
	renewal_asked();
	assert_int_equal(status().l0.entries, 0);
}
