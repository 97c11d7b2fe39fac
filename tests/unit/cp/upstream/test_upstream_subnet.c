// SPDX-License-Identifier: BSD-3-Clause

// RFC 7871 towards upstream servers: the option of a query, the option of a reply, servers that do
// not take it.

#include "tests/unit/unit.h"
#include "upstream_rig.h"

#include <weir/dns_answer.h>

static const uint8_t ipv4[4] = {192, 0, 2, 129}, ipv6[16] = {0x20, 1, 0xd, 0xb8, 1, 2, 3, 4, 5};

TEST(test_an_address_is_cut)
{
	struct ip_address a = upstream_subnet_cut(4, ipv4, 24);
	assert_int_equal(a.version, 4);
	assert_int_equal(a.prefix_len, 24);
	assert_memory_equal(a.bytes, "\xc0\0\2\0\0", 5);
	a = upstream_subnet_cut(4, ipv4, 25);
	assert_memory_equal(a.bytes, "\xc0\0\2\x80\0", 5);
	a = upstream_subnet_cut(4, ipv4, 40);
	assert_int_equal(a.prefix_len, 32);
	a = upstream_subnet_cut(6, ipv6, 52);
	assert_memory_equal(a.bytes, "\x20\1\xd\xb8\1\2\0\0\0", 9);
	a = upstream_subnet_cut(6, ipv6, 0);
	assert_int_equal(a.version, 6);
	assert_memory_equal(a.bytes, "\0\0\0", 3);
}

// The query for www.example with that subnet; its length, the option behind *opt.
static size_t query_make(const struct ip_address *subnet, uint8_t *msg, const uint8_t **option)
{
	static const uint8_t question[] = "\3www\7example\0\0\1\0\1";
	size_t len = dns_query_write(msg, 512, 1, question, sizeof(question) - 1, false, false);
	assert_true(len > 0);
	*option = msg + len;
	size_t all = upstream_subnet_add(msg, len, subnet);
	assert_int_equal(all, len + upstream_subnet_len(subnet));
	assert_int_equal(get_u16(msg + len - 2), upstream_subnet_len(subnet));
	return all;
}

TEST(test_the_option_of_a_query)
{
	uint8_t msg[512];
	const uint8_t *option;
	struct ip_address a = upstream_subnet_cut(4, ipv4, 24);
	query_make(&a, msg, &option);
	assert_memory_equal(option, "\0\x08\0\7\0\1\x18\0\xc0\0\2", 11);
	a = upstream_subnet_cut(6, ipv6, 56);
	query_make(&a, msg, &option);
	assert_memory_equal(option, "\0\x08\0\xb\0\2\x38\0\x20\1\xd\xb8\1\2\3", 15);
	a = upstream_subnet_cut(4, ipv4, 0);
	query_make(&a, msg, &option);
	assert_memory_equal(option, "\0\x08\0\4\0\1\0\0", 8);
}

// A query is as good as a reply here.
TEST(test_the_scope_of_a_reply)
{
	uint8_t msg[512];
	const uint8_t *option;
	const struct ip_address a = upstream_subnet_cut(4, ipv4, 24);
	size_t len = query_make(&a, msg, &option);
	uint8_t *data = msg + (option - msg) + 4;
	int scope = 7;
	assert_true(upstream_subnet_scope(msg, len, &a, &scope));
	assert_int_equal(scope, 0);
	data[3] = 20;
	assert_true(upstream_subnet_scope(msg, len, &a, &scope));
	assert_int_equal(scope, 20);
	data[3] = 32; // 7.3.1: no longer than the source
	assert_true(upstream_subnet_scope(msg, len, &a, &scope));
	assert_int_equal(scope, 24);
	put_u16(msg + 10, 0);
	assert_true(upstream_subnet_scope(msg, len, &a, &scope));
	assert_int_equal(scope, UPSTREAM_NO_SCOPE);
}

TEST(test_what_does_not_fit)
{
	uint8_t msg[512];
	const uint8_t *option;
	const struct ip_address a = upstream_subnet_cut(4, ipv4, 24);
	size_t len = query_make(&a, msg, &option);
	uint8_t *data = msg + (option - msg) + 4;
	int scope;
	static const struct {
		unsigned at;
		uint8_t flip;
	} wrong[] = {{1, 3}, {2, 1}, {4, 1}, {5, 0x80}, {6, 1}};
	for (unsigned i = 0; i < ARRAY_LEN(wrong); i++) {
		data[wrong[i].at] ^= wrong[i].flip;
		assert_false(upstream_subnet_scope(msg, len, &a, &scope));
		data[wrong[i].at] ^= wrong[i].flip;
	}
	assert_true(upstream_subnet_scope(msg, len, &a, &scope));
	// One byte less than it says, or than the prefix takes.
	put_u16(data - 6, 10);
	assert_false(upstream_subnet_scope(msg, len, &a, &scope));
	put_u16(data - 2, 6);
	assert_false(upstream_subnet_scope(msg, len, &a, &scope));
	put_u16(data - 2, 7);
	// Twice.
	memcpy(msg + len, option, 11);
	put_u16(data - 6, 22);
	assert_false(upstream_subnet_scope(msg, len + 11, &a, &scope));
}

static struct ip_address client;

static void ask_for(unsigned version, const uint8_t *address, unsigned bits)
{
	client = upstream_subnet_cut(version, address, bits);
	fx.request_subnet = &client;
	ANSWERED(2000);
}

static void use(unsigned servers, unsigned bits4, unsigned bits6)
{
	set_servers(servers);
	fx.config.subnet = (struct config_subnet){.ipv4 = (uint8_t)bits4, .ipv6 = (uint8_t)bits6};
	upstreams_configure(fx.up, &fx.config);
}

TEST_WITH(test_servers_get_their_bits_at_most, rig_setup, rig_teardown)
{
	use(1, 16, 0);
	fake[0].scope_more = 17;
	ask_for(4, ipv4, 24);
	assert_int_equal(fake[0].subnet_len, 6);
	assert_memory_equal(fake[0].subnet, "\0\1\x10\0\xc0\0", 6);
	assert_int_equal(fx.scope, 16);
	assert_false(fx.is_unproven);
	ask_for(6, ipv6, 56); // of none
	assert_memory_equal(fake[0].subnet, "\0\2\0\0", 4);
	ask_for(4, ipv4, 0); // hidden
	assert_memory_equal(fake[0].subnet, "\0\1\0\0", 4);
	use(1, 0, 0);
	ask_for(4, ipv4, 24);
	assert_int_equal(fake[0].subnet_len, 0);
	assert_int_equal(fx.scope, UPSTREAM_NO_SCOPE);
	assert_true(fx.is_unproven); // also where the set has ceased to send any
	use(1, 24, 56);
	fx.request_subnet = NULL;
	ask(2000);
	assert_int_equal(fake[0].subnet_len, 0);
	assert_int_equal(totals().subnet_sent, 3);
}

TEST_WITH(test_a_reply_for_another_subnet_is_dropped, rig_setup, rig_teardown)
{
	static const uint8_t other[] = {0, 0, 0, 0, 0, 0, 1};
	use(2, 24, 0);
	fake[0].scope_more = 25;
	fake[0].subnet_change = other;
	ask_for(4, ipv4, 24);
	assert_true(fake[1].udp_queries > 0);
	assert_true(totals().subnet_mismatched > 0);
	assert_int_equal(status(0).answered, 0);
}

TEST_WITH(test_formerr_to_it, rig_setup, rig_teardown)
{
	use(1, 24, 0);
	fake[0].mode = FAKE_NO_SUBNET;
	for (unsigned i = 1; i <= UPSTREAM_STRIKES; i++) {
		assert_true(status(0).sends_subnet);
		ask_for(4, ipv4, 24);
		assert_int_equal(fake[0].udp_queries, 2 * i);
		assert_int_equal(fake[0].subnet_queries, i);
	}
	assert_false(status(0).sends_subnet);
	assert_true(status(0).edns);
	ask_for(4, ipv4, 24);
	assert_int_equal(fake[0].udp_queries, 2 * UPSTREAM_STRIKES + 1);
}

// It may be for this name or client alone, so the next one has the option again.
TEST_WITH(test_refused_because_of_it, rig_setup, rig_teardown)
{
	use(1, 24, 0);
	fake[0].mode = FAKE_SUBNET_REFUSED;
	for (unsigned i = 1; i <= UPSTREAM_STRIKES + 1; i++) {
		ask_for(4, ipv4, 24);
		assert_int_equal(fake[0].udp_queries, 2 * i);
		assert_int_equal(fake[0].subnet_queries, i);
		assert_int_equal(fx.scope, 24);
	}
	assert_true(status(0).sends_subnet);
}

TEST_WITH(test_servers_without_edns_get_none, rig_setup, rig_teardown)
{
	use(1, 24, 0);
	fake[0].mode = FAKE_NO_EDNS;
	ask_for(4, ipv4, 24);
	assert_int_equal(fake[0].udp_queries, 3); // with both, with an OPT, plain
	assert_int_equal(fake[0].subnet_len, 0);
}

TEST_WITH(test_over_tcp_with_the_other_options, rig_setup, rig_teardown)
{
	use(1, 24, 0);
	fake[0].scope_more = 25;
	fake[0].mode = FAKE_TRUNCATE;
	ask_for(4, ipv4, 24);
	assert_int_equal(fake[0].tcp_queries, 1);
	assert_int_equal(fx.scope, 24);
	assert_false(fx.is_unproven);
}
