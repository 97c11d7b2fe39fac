// SPDX-License-Identifier: BSD-3-Clause

// Datagrams of balancers on the UDP sockets: the client that a PROXY header names counts, the reply
// goes to the balancer, and without a header there is no reply.
#include "udp_rig.h"

enum { LOCAL = 0x20, PROXY = 0x21, HEADER = 28 };

// A datagram of a balancer: a header that names 198.18.0.<host>, and a query.
static void balancer_ask(uint8_t command, uint8_t host, const char *name, uint16_t id)
{
	const uint8_t body[] = {command, 0x12, 0, 12, 198, 18, 0, host, 192, 0, 2, 1, 9, 9, 0, 53};
	const struct frontend_rig_query q = {.name = name, .type = DNS_TYPE_A, .id = id};
	uint8_t msg[HEADER + 600];
	memcpy(msg, "\r\n\r\n\0\r\nQUIT\n", HEADER - sizeof(body));
	memcpy(msg + HEADER - sizeof(body), body, sizeof(body));
	client_send("127.0.0.77", msg, HEADER + query_write(msg + HEADER, &q));
}

static void configure_now(void *arg)
{
	frontend_udp_configure(sockets, arg);
}

static void balancers_are(unsigned count)
{
	rig.config.proxy_protocol.from_count = count;
	rig.config.proxy_protocol.from[0] = address_of_text("127.0.0.0/28");
	on_loop(configure_now, &rig.config);
}

// The client that may not ask is the one in the header, and the reply goes to the balancer: of a
// question that waits, and of one that is known.
TEST_WITH(test_a_balancer_names_the_client, setup, teardown)
{
	static const char *const addresses[] = {"127.0.0.77"};
	struct ip_address allow[2], deny;
	assert_int_equal(ip_address_parse("198.18.0.0/16", &allow[0]), 0);
	assert_int_equal(ip_address_parse("127.0.0.0/8", &allow[1]), 0);
	assert_int_equal(ip_address_parse("198.18.0.99", &deny), 0);
	rig.config.access = (struct config_access){
		.allow = allow, .allow_count = 2, .deny = &deny, .deny_count = 1};
	frontend_rig_admit_all();
	rig.config.access = (struct config_access){0};
	open_on(FALLBACK_ON, addresses, 1);
	balancers_are(1);
	for (uint16_t id = 1; id <= 2; id++) {
		balancer_ask(PROXY, 7, "www.example", id);
		assert_int_equal(client_hears("127.0.0.77"), id);
	}
	balancer_ask(PROXY, 99, "www.example", 3);
	balancer_ask(LOCAL, 99, "www.example", 4);
	assert_int_equal(client_hears("127.0.0.77"), 4); // and not 3
	const struct frontend_counts c = frontend_now().of[FRONTEND_UDP];
	assert_int_equal(c.verdict[VERDICT_drop_denied], 1);
	assert_int_equal(c.verdict[VERDICT_miss], 1);
	assert_int_equal(c.verdict[VERDICT_hit], 2);
	assert_int_equal(udp_status().proxied, 3);
	assert_int_equal(udp_status().bad_proxy, 0);
}

TEST_WITH(test_a_datagram_without_a_header, setup, teardown)
{
	static const char *const addresses[] = {"127.0.0.77"};
	open_on(FALLBACK_ON, addresses, 1);
	balancers_are(1);
	client_ask("127.0.0.77", "www.example", 1);
	client_send("127.0.0.77", "\r\n\r\n\0\r\nQUIT\n\x21\x12\0\x0c", 16); // cut short
	balancer_ask(0x11, 7, "www.example", 2);                             // another version
	balancer_ask(PROXY, 7, "www.example", 3);
	assert_int_equal(client_hears("127.0.0.77"), 3);
	assert_int_equal(udp_status().bad_proxy, 3);
	balancers_are(0);
	client_ask("127.0.0.77", "www.example", 4);
	assert_int_equal(client_hears("127.0.0.77"), 4);
	assert_int_equal(udp_status().proxied, 1);
}

// Closed while such questions wait.
TEST_WITH(test_forwarded_questions_end, setup, teardown)
{
	static const char *const addresses[] = {"127.0.0.77"};
	open_on(FALLBACK_ON, addresses, 1);
	balancers_are(1);
	fake[0].mode = fake[1].mode = FAKE_SILENT;
	for (uint16_t id = 1; id <= 3; id++)
		balancer_ask(PROXY, (uint8_t)id, "slow.example", id);
	WAIT_FOR(frontend_now().pending >= 3);
	on_loop(close_now, NULL);
	assert_int_equal(frontend_now().pending, 0);
	assert_int_equal(frontend_now().of[FRONTEND_UDP].left, 3);
}

TEST_GROUP(alone, NULL)
