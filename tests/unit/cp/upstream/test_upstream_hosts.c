// SPDX-License-Identifier: BSD-3-Clause
// What a set makes of the addresses of its servers' host names.

#include "host_rig.h"
#include "upstream/upstream_hosts.h"

// The set takes the list of `config`.
static void set_configure(void)
{
	fx.config.count = config.upstreams.count;
	memcpy(fx.config.server, config.upstreams.server, sizeof(fx.config.server));
	upstreams_configure(fx.up, &fx.config);
}

// Questions wait for the first address, and go there.
TEST_WITH(test_question_waits, host_setup, host_teardown)
{
	fake[0].mode = fake[1].mode = FAKE_SILENT;
	upstream_lookups_configure(lookups, &config);
	set_configure();
	assert_true(status(0).is_nowhere && !status(0).up);
	assert_string_equal(status(0).address, text_from("dns.example:%u", fake[2].port));
	assert_int_equal(totals().sets_down, 1);
	ask_start(3000);
	assert_int_equal(fx.ended, 0);
	fake[0].mode = fake[1].mode = FAKE_ANSWER;
	while (state_of(0).count == 0)
		turn();
	assert_int_equal(fx.replies, 0);
	upstreams_follow_hosts(fx.up);
	FINISHED(replies);
	assert_int_equal(fake[2].udp_queries, 1);
	assert_false(status(0).is_nowhere);
	assert_true(status(0).up);
}

// Not longer than their deadline, and not at all where another server answers.
TEST_WITH(test_question_ends, host_setup, host_teardown)
{
	set_configure();
	host_board_configure(NULL, 0, 0);
	UNANSWERED(250);
	assert_in_range(fx.took_ms, 240, 800);
	fx.config.count = 2;
	fx.config.server[1].address = socket_here(fake[3].port);
	CONFIGURE(server[1].host[0], '\0');
	ANSWERED(2000);
	assert_in_range(fx.took_ms, 0, 200);
	// A failure is an answer: the question does not wait for the name.
	fake[3].mode = FAKE_SERVFAIL;
	UNANSWERED(2000);
	assert_in_range(fx.took_ms, 0, 1000);
}

static void put_addresses(unsigned server, const char *const *text, unsigned count)
{
	struct host_state h = state_of(server);
	h.count = count;
	memset(h.address, 0, sizeof(h.address));
	for (unsigned i = 0; i < count; i++)
		assert_int_equal(ip_address_parse(text[i], &h.address[i]), 0);
	host_board_put(&h);
}

static void board_configure(void)
{
	const struct config_upstream *hosts[CONFIG_HOSTS_MAX];
	unsigned count = config_hosts(&config, hosts);
	host_board_configure(hosts, count, 1);
}

static void put_failure(unsigned server, const char *why)
{
	struct host_state h = state_of(server);
	snprintf(h.why, sizeof(h.why), "%s", why);
	host_board_put(&h);
	upstreams_follow_hosts(fx.up);
}

// No question waits for a name whose first lookup has failed, those that wait already included.
TEST_WITH(test_lookup_fails, host_setup, host_teardown)
{
	board_configure();
	set_configure();
	ask_start(3000);
	assert_int_equal(fx.ended, 0);
	put_failure(0, "it has no address");
	FINISHED(ended);
	assert_in_range(fx.took_ms, 0, 1000);
	UNANSWERED(3000);
	assert_in_range(fx.took_ms, 0, 100);
	// Until it has an address.
	static const char *const found[] = {"127.0.0.1"};
	put_addresses(0, found, 1);
	put_failure(0, "");
	ANSWERED(3000);
}

// Addresses change: a query in flight ends at the old one, and what is known of an address that
// stays is kept.
TEST_WITH(test_change, host_setup, host_teardown)
{
	static const char *const old[] = {"127.0.0.1", "127.0.0.2"}, *const new[] = {"127.0.0.2"};
	board_configure();
	put_addresses(0, old, 2);
	set_configure();
	assert_int_equal(fx.up ? status(1).is_nowhere : 1, 0);
	fake[2].held = true;
	ask_start(3000);
	WAIT_FOR(fake[2].udp_queries > 0);
	put_addresses(0, new, 1);
	upstreams_follow_hosts(fx.up);
	struct upstream_status s[CONFIG_UPSTREAMS_MAX];
	assert_int_equal(upstreams_status(fx.up, s), 1);
	fake[2].held = false;
	FINISHED(replies);
	// Drained by its name: so is the address that it has next.
	assert_int_equal(upstreams_drain(fx.up, "dns.example", true), 1);
	put_addresses(0, old, 1);
	upstreams_follow_hosts(fx.up);
	assert_true(status(0).drained);
	assert_int_equal(upstreams_drain(fx.up, "dns.example", false), 1);
	assert_false(status(0).drained);
}

static struct upstreams *set_new(const struct config_upstreams *c)
{
	struct upstreams *u;
	assert_int_equal(upstreams_new(&u, &(struct upstream_shared){.loop = fx.loop}, c), 0);
	return u;
}

static bool drained_in(const struct upstreams *u)
{
	struct upstream_status s[CONFIG_UPSTREAMS_MAX];
	assert_int_equal(upstreams_status(u, s), 1);
	return s[0].drained;
}

// By the name: that of other sets as well, but not what has its address; and back by either.
TEST_WITH(test_drain, host_setup, host_teardown)
{
	static const char *const found[] = {"127.0.0.1"};
	board_configure();
	put_addresses(0, found, 1);
	set_configure();
	struct config_upstreams plain = fx.config;
	plain.server[0].host[0] = '\0';
	plain.server[0].address = socket_here(fake[2].port);
	struct upstreams *same = set_new(&fx.config), *by_address = set_new(&plain);
	assert_int_equal(upstreams_drain(fx.up, "dns.example", true), 1);
	upstreams_follow_hosts(same);
	upstreams_follow_hosts(by_address);
	assert_true(drained_in(fx.up) && drained_in(same) && !drained_in(by_address));
	// By the address, as status shows it.
	char address[UPSTREAM_ADDRESS_TEXT_MAX];
	memcpy(address, status(0).address, sizeof(address));
	assert_int_equal(upstreams_drain(fx.up, address, false), 1);
	assert_false(drained_in(fx.up));
	set_configure();
	upstreams_follow_hosts(same);
	assert_false(drained_in(fx.up) || drained_in(same));
	// An address is drained wherever it is, and the name takes it back.
	assert_int_equal(upstreams_drain(fx.up, address, true), 1);
	assert_true(drained_in(fx.up) && drained_in(same) && drained_in(by_address));
	assert_false(state_of(0).is_drained);
	assert_int_equal(upstreams_drain(fx.up, "dns.example", false), 1);
	assert_false(drained_in(fx.up) || drained_in(same) || drained_in(by_address));
	upstreams_free(same);
	upstreams_free(by_address);
}

static void on_tried(void *arg, int err, const struct upstream_tried tried[UPSTREAM_TRANSPORTS])
{
	assert_int_equal(err, 0);
	assert_false(tried[0].is_sent || tried[1].is_sent);
	memcpy(arg, tried[0].why, TLS_WHY_MAX);
}

TEST_WITH(test_try, host_setup, host_teardown)
{
	static const char *const found[] = {"127.0.0.1"};
	char why[TLS_WHY_MAX] = "";
	board_configure();
	set_configure();
	assert_int_equal(upstreams_try(fx.up, "dns.example", on_tried, why), 0);
	assert_string_equal(why, "the host name has no address yet");
	put_failure(0, "it has no address");
	assert_int_equal(upstreams_try(fx.up, "dns.example", on_tried, why), 0);
	assert_string_equal(why, "the host name has no address: it has no address");
	// The only address is another server's.
	config.upstreams.server[1] = config.upstreams.server[0];
	config.upstreams.server[1].host[0] = '\0';
	config.upstreams.server[1].address = socket_here(fake[2].port);
	config.upstreams.count = 2;
	put_addresses(0, found, 1);
	set_configure();
	assert_int_equal(upstreams_try(fx.up, "dns.example", on_tried, why), 0);
	assert_string_equal(why, "other servers of the list have the addresses of the host name");
}

// 16 servers at most: each name has one, the rest is shared; no address twice.
TEST_WITH(test_expand, host_setup, host_teardown)
{
	static const char *const many[] = {"192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.4",
		"2001:db8::1", "2001:db8::2", "2001:db8::3", "2001:db8::4"};
	static const char *const other[] = {"192.0.2.4", "192.0.2.9"};
	struct upstream_list list;
	config.upstreams.count = 5;
	config.upstreams.server[0] = by_name("a.example", 53);
	config.upstreams.server[1] = by_name("b.example", 5353);
	config.upstreams.server[2] = by_name("c.example", 53);
	config.upstreams.server[3] = by_name("d.example", 53);
	config.upstreams.server[4] = (struct config_upstream){.weight = 1};
	config.upstreams.server[4].address = socket_of_text("192.0.2.9", 53);
	board_configure();
	put_addresses(0, many, 8);
	put_addresses(1, many, 8);
	put_addresses(2, other, 2); // both are others' already, of which one can spare its own
	upstream_hosts_expand(&config.upstreams, &list);
	assert_int_equal(list.count, CONFIG_UPSTREAMS_MAX);
	assert_int_equal(list.unknown, 1);
	unsigned of[4] = {0};
	for (unsigned i = 0; i < list.count - 1; i++) {
		const struct config_upstream *s = &list.server[i];
		of[s->host[0] - 'a']++;
		assert_int_equal(upstream_hosts_is_nowhere(s), s->host[0] == 'd');
		assert_int_equal(s->address.port, s->host[0] == 'b' ? 5353 : 53);
	}
	assert_int_equal(of[0], 7);
	assert_int_equal(of[1], 6);
	assert_int_equal(of[2] + of[3], 2);
	assert_address(&list.server[0].address.ip, "192.0.2.1");
	assert_address(&list.server[15].address.ip, "192.0.2.9");
}

// A name whose addresses are all those of names before it gets one that they can spare.
TEST_WITH(test_expand_shared, host_setup, host_teardown)
{
	static const char *const many[] = {"192.0.2.1", "192.0.2.2", "2001:db8::1"};
	struct upstream_list list;
	config.upstreams.count = 3;
	config.upstreams.server[0] = by_name("a.example", 853);
	config.upstreams.server[1] = by_name("b.example", 853);
	config.upstreams.server[2] = by_name("c.example", 853);
	board_configure();
	put_addresses(0, many, 3);
	put_addresses(1, many, 2);
	put_addresses(2, many, 1);
	upstream_hosts_expand(&config.upstreams, &list);
	assert_int_equal(list.count, 3);
	static const char *const of[] = {"2001:db8::1", "192.0.2.2", "192.0.2.1"};
	for (unsigned i = 0; i < 3; i++) {
		assert_string_equal(list.server[i].host, config.upstreams.server[i].host);
		assert_address(&list.server[i].address.ip, of[i]);
	}
	// Two addresses are not enough for three names; a server's own one is never given away.
	put_addresses(0, many, 2);
	upstream_hosts_expand(&config.upstreams, &list);
	assert_int_equal(list.count, 3);
	assert_false(upstream_hosts_is_nowhere(&list.server[0]));
	assert_false(upstream_hosts_is_nowhere(&list.server[1]));
	assert_true(upstream_hosts_is_nowhere(&list.server[2]));
	assert_int_equal(list.unknown, 0);
	config.upstreams.server[2] = (struct config_upstream){.weight = 1};
	config.upstreams.server[2].address = socket_of_text("192.0.2.2", 853);
	upstream_hosts_expand(&config.upstreams, &list);
	assert_int_equal(list.count, 3);
	assert_false(upstream_hosts_is_nowhere(&list.server[0]));
	assert_true(upstream_hosts_is_nowhere(&list.server[1]));
}
