// SPDX-License-Identifier: BSD-3-Clause
// Lookups of servers' host names at bootstrap servers.

#include "host_rig.h"
#include "upstream/upstream_hosts.h"

// Until the name has had so many lookups.
static struct host_state wait_lookups(uint64_t count)
{
	uint64_t until_ms = clock_mono_ms() + 10000;
	while (state_of(0).lookups < count && clock_mono_ms() < until_ms)
		turn();
	assert_int_equal(state_of(0).lookups, count);
	return state_of(0);
}

TEST_WITH(test_lookup, host_setup, host_teardown)
{
	config.upstreams.first_timeout_ms = 20000; // the second server has nothing to do
	upstream_lookups_configure(lookups, &config);
	assert_int_equal(state_of(0).count, 0);
	uint64_t turn_before = host_board_turn();
	struct host_state h = wait_lookups(1);
	assert_int_equal(h.count, 1);
	assert_address(&h.address[0], "127.0.0.1");
	assert_string_equal(h.why, "");
	assert_int_equal(h.failures, 0);
	assert_int_equal(fake[0].udp_queries, 2);
	assert_int_equal(fake[1].udp_queries, 0);
	assert_true(fake[0].upper_seen); // 0x20
	assert_true(host_board_turn() > turn_before);
	// Ahead of expiry: at seven eighths.
	assert_in_range(h.next_ms - h.resolved_ms, 262500, 262500);
}

static uint64_t bytes_registered(void)
{
	struct table_registry r = {0};
	host_board_tables(&r);
	assert_int_equal(r.count, 1);
	return r.table[0].bytes;
}

// The accounts know what lookups hold.
TEST_WITH(test_memory, host_setup, host_teardown)
{
	assert_int_equal(bytes_registered(), 0);
	config.upstreams.count = 2;
	config.upstreams.server[1] = by_name("other.example", 53);
	upstream_lookups_configure(lookups, &config);
	const uint64_t two = bytes_registered();
	config.upstreams.count = 1;
	upstream_lookups_configure(lookups, &config);
	const uint64_t one = bytes_registered();
	config.upstreams.count = 0;
	upstream_lookups_configure(lookups, &config);
	assert_int_equal(two - one, one - bytes_registered());
	// As mem_plan.c has it.
	assert_in_range(two - one, 4 << 10, 12 << 10);
	assert_in_range(bytes_registered(), 32 << 10, 96 << 10);
	upstream_lookups_free(lookups);
	lookups = NULL;
	assert_int_equal(bytes_registered(), 0);
}

TEST_WITH(test_ttl_limits, host_setup, host_teardown)
{
	fake[0].ttl_s = 0;
	upstream_lookups_configure(lookups, &config);
	struct host_state h = wait_lookups(1);
	assert_int_equal(h.next_ms - h.resolved_ms, 60 * 875);
	upstream_lookups_free(lookups);
	host_board_configure(NULL, 0, 0);
	fake[0].ttl_s = 864000;
	assert_int_equal(
		upstream_lookups_new(&lookups, &(struct upstream_shared){.loop = fx.loop}), 0);
	upstream_lookups_configure(lookups, &config);
	h = wait_lookups(1);
	assert_int_equal(h.next_ms - h.resolved_ms, 3600 * 875);
}

// The first bootstrap server is dead, the second one has the address.
TEST_WITH(test_second_bootstrap, host_setup, host_teardown)
{
	fake[0].mode = FAKE_SILENT;
	upstream_lookups_configure(lookups, &config);
	struct host_state h = wait_lookups(1);
	assert_int_equal(h.count, 1);
	assert_int_equal(h.failures, 0);
	assert_true(fake[1].udp_queries >= 2);
}

// A name that no bootstrap server resolves keeps its address, and lookups come ever later.
TEST_WITH(test_failure_keeps, host_setup, host_teardown)
{
	upstream_lookups_configure(lookups, &config);
	struct host_state h = wait_lookups(1);
	const uint64_t resolved_ms = h.resolved_ms;
	fake[0].mode = fake[1].mode = FAKE_REFUSED;
	upstream_lookups_configure(lookups, &config);
	h = wait_lookups(2);
	assert_int_equal(h.count, 1);
	assert_int_equal(h.resolved_ms, resolved_ms);
	assert_int_equal(h.failures, 1);
	assert_string_equal(h.why, "the bootstrap servers answer with failures");
	assert_in_range(h.next_ms, clock_mono_ms() + 900, clock_mono_ms() + 1000);
	h = wait_lookups(3);
	assert_in_range(h.next_ms, clock_mono_ms() + 1900, clock_mono_ms() + 2000);
	// It is back, with another address.
	fake[0].mode = fake[1].mode = FAKE_ANSWER;
	fake[0].address = fake[1].address = INADDR_LOOPBACK + 1;
	h = wait_lookups(4);
	assert_string_equal(h.why, "");
	assert_int_equal(h.count, 1);
	assert_int_equal(h.changes, 1);
	assert_address(&h.address[0], "127.0.0.2");
}

// A name that has no address (any more) is a failure like silence.
TEST_WITH(test_no_address, host_setup, host_teardown)
{
	fake[0].mode = fake[1].mode = FAKE_NXDOMAIN;
	upstream_lookups_configure(lookups, &config);
	struct host_state h = wait_lookups(1);
	assert_int_equal(h.count, 0);
	assert_int_equal(h.failures, 1);
	assert_string_equal(h.why, "it has no address");
}

// Forged or broken replies of a bootstrap server are passed over like an upstream's.
TEST_WITH(test_hostile_replies, host_setup, host_teardown)
{
	static const int modes[] = {FAKE_WRONG_QUESTION, FAKE_GARBAGE, FAKE_BAD_BODY};
	for (unsigned i = 0; i < ARRAY_LEN(modes); i++) {
		fake[0].mode = fake[1].mode = modes[i];
		host_board_configure(NULL, 0, 0);
		upstream_lookups_configure(lookups, &config);
		struct host_state h = wait_lookups(1);
		assert_int_equal(h.count, 1);
		assert_address(&h.address[0], "127.0.0.1");
	}
}

TEST_WITH(test_too_many, host_setup, host_teardown)
{
	fake[0].addresses = fake[1].addresses = 7; // the second has a say where the first is late
	upstream_lookups_configure(lookups, &config);
	struct host_state h = wait_lookups(1);
	assert_int_equal(h.count, CONFIG_HOST_ADDRESSES);
	assert_int_equal(h.left_out, 3);
}

// weir's own service address, with a port that it serves: queries would loop.
TEST_WITH(test_own_address, host_setup, host_teardown)
{
	config.dataplane.address_count = 1;
	config.dataplane.addresses[0] = address_of_text("127.0.0.1");
	config.upstreams.server[0] = by_name("dns.example", 53);
	upstream_lookups_configure(lookups, &config);
	struct host_state h = wait_lookups(1);
	assert_int_equal(h.count, 0);
	assert_int_equal(h.refused, 1);
	assert_string_equal(h.why, "its addresses are weir's own, or no host's");
}

static struct upstream_found found_of(const char *const *text, unsigned count)
{
	struct upstream_found f = {.count = count, .ttl_s = 60};
	for (unsigned i = 0; i < count; i++)
		f.address[i] = address_of_text(text[i]);
	return f;
}

// Addresses in use go first where there are too many, and so a rotating answer changes nothing.
TEST_WITH(test_choice, host_setup, host_teardown)
{
	static const char *const first[] = {"127.0.0.9", "127.0.0.8", "127.0.0.7", "127.0.0.6"};
	static const char *const again[] = {"127.0.0.1", "127.0.0.2", "127.0.0.6", "127.0.0.7",
		"127.0.0.8", "127.0.0.9", "127.0.0.9"};
	static const char *const bad[] = {"0.0.0.0", "224.0.0.1", "255.255.255.255"};
	static const char *const bad6[] = {"::ffff:127.0.0.1", "ff02::1", "::"};
	const struct upstream_found none = {0};
	struct host_state h = {.port = 53};
	struct upstream_found f = found_of(first, 4);
	assert_int_equal(upstream_found_apply(&h, &config, &f, &none, true, true), 4);
	assert_address(&h.address[0], "127.0.0.6");
	assert_address(&h.address[3], "127.0.0.9");
	const struct host_state before = h;
	f = found_of(again, 7);
	assert_int_equal(upstream_found_apply(&h, &config, &f, &none, true, true), 6);
	assert_true(host_state_same(&h, &before));
	assert_int_equal(h.left_out, 2);
	// None that a server may have: nothing changes.
	f = found_of(bad, 3);
	const struct upstream_found six = found_of(bad6, 3);
	assert_int_equal(upstream_found_apply(&h, &config, &f, &six, true, true), 0);
	assert_true(host_state_same(&h, &before));
	assert_int_equal(h.refused, 6);
	// A family without an answer keeps its addresses.
	static const char *const loop6[] = {"::1"};
	const struct upstream_found one = found_of(loop6, 1);
	assert_int_equal(upstream_found_apply(&h, &config, &none, &one, false, true), 1);
	assert_true(h.count >= 4);
	assert_address(&h.address[0], "127.0.0.6");
}
