// SPDX-License-Identifier: BSD-3-Clause
// What an operator does with a server: out of use and back, a query to it.

#include "controlplane/upstream/upstream_internal.h"
#include "tests/unit/clock_still.h"
#include "tests/unit/unit.h"
#include "upstream_rig.h"

#include <event2/event.h>

TEST_WITH(test_drained, rig_setup, rig_teardown)
{
	const char *address = text_from("127.0.0.1:%u", fake[0].port);
	assert_int_equal(upstreams_drain(fx.up, address, true), 1);
	assert_int_equal(upstreams_drain(fx.up, "127.0.0.1", true), 0);
	assert_int_equal(upstreams_drain(fx.up, "none", true), 0);
	for (unsigned i = 0; i < 5; i++)
		ask(2000);
	assert_true(status(0).drained && status(0).up);
	assert_int_equal(fake[0].udp_queries, 0);
	assert_int_equal(status(1).answered, 5);
	assert_int_equal(status(1).share, 65535);
	// It stays so as the list changes, and even if the other one is silent.
	configure_servers(3);
	fake[1].mode = fake[2].mode = FAKE_SILENT;
	UNANSWERED(1000);
	assert_int_equal(fake[0].udp_queries, 0);
	assert_int_equal(upstreams_drain(fx.up, address, false), 1);
	ANSWERED(2000);
	assert_int_equal(status(0).answered, 1);
}

// Questions would fail, of a set that another one shares servers with, too.
TEST_WITH(test_all_drained, rig_setup, rig_teardown)
{
	struct upstreams *other;
	struct upstream_status s[CONFIG_UPSTREAMS_MAX];
	CONFIGURE(server[0].name, (char[]){"near"});
	assert_int_equal(upstreams_drain(fx.up, "near", true), 1);
	fx.config.count = 1;
	assert_int_equal(
		upstreams_new(&other, &(struct upstream_shared){.loop = fx.loop}, &fx.config), 0);
	assert_int_equal(upstreams_status(other, s), 1);
	assert_true(s[0].drained);
	upstreams_free(other);
	upstreams_configure(fx.up, &fx.config);
	ANSWERED(2000);
	assert_int_equal(fake[0].udp_queries, 1);
}

TEST_WITH(test_share, rig_setup, rig_teardown)
{
	fx.config.server[0].weight = 3;
	CONFIGURE(policy, UPSTREAM_ROUND_ROBIN);
	for (unsigned i = 0; i < 80; i++)
		ask(2000);
	assert_in_range(status(0).share, 65535 * 73 / 100, 65535 * 77 / 100);
	assert_in_range(status(0).share + status(1).share, 65533, 65535);
}

static struct upstream_tried tried[UPSTREAM_TRANSPORTS];
static int tried_err;
static unsigned tries;

static void on_tried(void *arg, int err, const struct upstream_tried t[UPSTREAM_TRANSPORTS])
{
	assert_ptr_equal(arg, tried);
	memcpy(tried, t, sizeof(tried));
	tried_err = err;
	tries++;
	event_base_loopbreak(loop_base(fx.loop));
}

static void try_server(const char *server)
{
	tries = 0;
	assert_int_equal(upstreams_try(fx.up, server, on_tried, tried), 0);
	while (tries == 0)
		event_base_loop(loop_base(fx.loop), EVLOOP_ONCE);
	assert_int_equal(tries, 1);
}

static void name_servers(void)
{
	static char near[] = "near", far[] = "far";
	fx.config.server[0].name = near;
	fx.config.server[1].name = far;
	fx.config.check_type = DNS_TYPE_A;
	CONFIGURE(check_name, name_of_text("check.example"));
}

TEST_WITH(test_try, rig_setup, rig_teardown)
{
	name_servers();
	fake[1].mode = FAKE_NXDOMAIN;
	fake[1].delay_ms = 20;
	try_server("far");
	assert_int_equal(tried_err, 0);
	for (unsigned i = 0; i < UPSTREAM_TRANSPORTS; i++) {
		assert_true(tried[i].is_sent && tried[i].is_answered);
		assert_int_equal(tried[i].flags & DNS_FLAG_RCODE, DNS_RCODE_NXDOMAIN);
		assert_true(tried[i].bytes >= DNS_HEADER_LEN);
	}
	assert_in_range(tried[0].took_us, 20000, 60000);
	assert_int_equal(fake[1].udp_queries, 1);
	assert_int_equal(fake[1].tcp_queries, 1);
	assert_string_equal(fake[1].last_name, "check.example");
	assert_int_equal(fake[0].udp_queries + fake[0].tcp_queries, 0);
	assert_int_equal(status(1).answered + status(1).failures, 0); // no client's
	fake[0].mode = FAKE_SILENT;
	fake[0].refuse_tcp = true;
	try_server("near");
	assert_true(tried[0].is_sent && !tried[0].is_answered && !tried[1].is_answered);
	assert_int_equal(upstreams_try(fx.up, "none", on_tried, tried), -ENOENT);
}

TEST_WITH(test_try_ends_with_the_list, rig_setup, rig_teardown)
{
	name_servers();
	fake[0].mode = FAKE_SILENT;
	tries = 0;
	assert_int_equal(upstreams_try(fx.up, "near", on_tried, tried), 0);
	assert_int_equal(upstreams_try(fx.up, "far", on_tried, tried), -EBUSY);
	upstreams_configure(fx.up, &fx.config);
	assert_int_equal(tries, 1);
	assert_int_equal(tried_err, -ECANCELED);
	assert_int_equal(upstreams_try(fx.up, "near", on_tried, tried), 0);
	upstreams_try_stop(fx.up);
	assert_int_equal(tries, 2);
}

// A server is also called by its address, with the rest of what the configuration says or without.
TEST(test_called_by_its_address)
{
	static const struct {
		const char *text;
		bool is_tls, is_https, is_at;
		uint16_t port;
	} cases[] = {
		{"192.0.2.1", .port = 53, .is_at = true},
		{"192.0.2.1:54", .port = 53},
		{"192.0.2.2", .port = 53},
		{"192.0.2.1", .is_tls = true, .port = 853, .is_at = true},
		{"192.0.2.1", .is_tls = true, .port = 53},
		{"tls://192.0.2.1", .is_tls = true, .port = 853, .is_at = true},
		{"tls://dns.example@192.0.2.1", .is_tls = true, .port = 853, .is_at = true},
		{"192.0.2.1", .is_tls = true, .is_https = true, .port = 443, .is_at = true},
		{"https://dns.example@192.0.2.1/dns-query", .is_tls = true, .is_https = true,
			.port = 443, .is_at = true},
	};
	for (unsigned i = 0; i < ARRAY_LEN(cases); i++) {
		static struct upstream s;
		s.is_tls = cases[i].is_tls;
		s.is_https = cases[i].is_https;
		assert_int_equal(
			socket_address_parse("192.0.2.1", cases[i].port, &s.config.address), 0);
		if (upstream_server_is_at(&s, cases[i].text) != cases[i].is_at)
			fail_msg("%u: %s", i, cases[i].text);
	}
}
