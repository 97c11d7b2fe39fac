// SPDX-License-Identifier: BSD-3-Clause
// What the library asks of weir: whom weir believes, how much it asks, and what silence means.

#include "validator_rig.h"

// As DNS64 does: two wait for the same answer, and the verdict of the first one leads to another
// question while the library is about to tell the second one.
TEST_WITH(test_asks_within_a_verdict, rig_setup, rig_teardown)
{
	struct validation *slot[2] = {0};

	for (unsigned round = 0; round < 2; round++) {
		fx.verdicts = 0;
		fx.next = "expired";
		assert_int_equal(ask("good", &slot[0]), 0);
		assert_int_equal(ask("good", &slot[1]), 0);
		verdicts_wait(3);
		assert_true(!slot[0] && !slot[1] && !fx.next_slot);
		assert_int_equal(fx.ede, DNS_EDE_SIGNATURE_EXPIRED);
	}
	assert_int_equal(status().secure, 4);
	assert_int_equal(status().bogus, 2);
	assert_int_equal(status().questions, 0);
}

// All that wait for the answer learn that it leads on, and the library remembers nothing of it.
TEST_WITH(test_led, rig_setup, rig_teardown)
{
	struct validation *slot[3] = {0};

	fx.leads_on = true;
	assert_int_equal(ask("good", &slot[0]), 0);
	assert_int_equal(ask("good", &slot[1]), 0);
	WAIT_FOR(fx.v->context[0].led == 2 || fx.verdicts, turn());
	if (fx.verdicts == 0)
		assert_int_equal(ask("good", &slot[2]), 0);
	verdicts_wait(slot[2] ? 3 : 2);
	assert_int_equal(fx.end, VALIDATOR_LED);
	assert_int_equal(status().led, fx.verdicts);
	assert_int_equal(fx.v->context[0].led, 0);
	fx.leads_on = false;
	expect("good", VALIDATOR_SECURE, DNS_EDE_NONE);
	assert_int_equal(status().failed, 0);
}

// Nobody has proven anything against the zone. The library holds its key for bad for a minute.
TEST_WITH(test_no_key_to_be_had, rig_setup, rig_teardown)
{
	struct validation *slot = NULL;

	fx.root.is_keyless = true;
	expect("good", VALIDATOR_FAILED, DNS_EDE_NONE);
	fx.root.is_keyless = false;
	expect("bad", VALIDATOR_FAILED, DNS_EDE_NONE);
	fx.v->context[0].missing[0].until_ms = 1; // as after that minute
	fx.verdicts = 0;
	assert_int_equal(ask("good", &slot), 0);
	verdicts_wait(1);
	assert_int_equal(fx.end, VALIDATOR_BOGUS);
	assert_int_equal(status().failed, 2);
}

// Another program of this machine that found the socket.
TEST_WITH(test_foreign, rig_setup, rig_teardown)
{
	static const uint8_t query[] = "\0\7\1\0\0\1\0\0\0\0\0\0\4good\0\0\1\0\1";
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	expect("good", VALIDATOR_SECURE, DNS_EDE_NONE);
	unsigned before = fx.root.queries;
	to.sin_port = htons(fx.v->context[0].port);
	assert_int_equal(sendto(fd, query, 22, 0, (struct sockaddr *)&to, sizeof(to)), 22);
	WAIT_FOR(status().foreign, turn());
	assert_int_equal(fx.root.queries, before);
	close(fd);
}

// As the library asks.
static void query_send(int fd, const char *text, uint16_t qtype, uint16_t id)
{
	struct sockaddr_in to = {.sin_family = AF_INET,
		.sin_addr = {htonl(INADDR_LOOPBACK)},
		.sin_port = htons(fx.v->context[0].port)};
	uint8_t msg[512];
	struct wr w = wr_init(msg, sizeof(msg));
	struct dns_name name = name_of_text(text);
	wr_u16(&w, id);
	wr_u16(&w, DNS_FLAG_RD | DNS_FLAG_CD);
	wr_u16(&w, 1);
	wr_bytes(&w, (const uint8_t[6]){[5] = 1}, 6);
	wr_bytes(&w, name.wire, name.len);
	wr_u16(&w, qtype);
	wr_u16(&w, DNS_CLASS_IN);
	wr_bytes(&w, (const uint8_t[11]){0, 0, 41, 4, 208, 0, 0, 128, 0, 0, 36}, 11);
	wr_u16(&w, 65001);
	wr_u16(&w, VALIDATOR_TOKEN_LEN);
	wr_bytes(&w, (const uint8_t *)fx.v->context[0].token, VALIDATOR_TOKEN_LEN);
	assert_int_equal(sendto(fd, msg, w.pos, 0, (struct sockaddr *)&to, sizeof(to)), w.pos);
}

static void fetches_wait(unsigned fetching, unsigned refused)
{
	WAIT_FOR(status().fetching >= fetching && status().fetches_refused >= refused, turn());
	assert_int_equal(status().fetching, fetching);
	assert_int_equal(status().fetches_refused, refused);
}

// A flood of names below a zone whose servers are silent.
TEST_WITH(test_share_of_a_zone, rig_setup, rig_teardown)
{
	int fd = socket(AF_INET, SOCK_DGRAM, 0);
	char name[32];

	expect("good", VALIDATOR_SECURE, DNS_EDE_NONE);
	fx.root.is_silent = true;
	for (unsigned i = 0; i <= VALIDATOR_ZONE_FETCHES; i++) {
		snprintf(name, sizeof(name), "name%u.silent.example", i);
		query_send(fd, name, DNS_TYPE_A, (uint16_t)i);
	}
	fetches_wait(VALIDATOR_ZONE_FETCHES, 1);
	query_send(fd, "name.other.example", DNS_TYPE_A, 1000);
	fetches_wait(VALIDATOR_ZONE_FETCHES + 1, 1);
	close(fd);
}

// A key of `name` that nobody gives.
static void key_fails(int fd, const char *name)
{
	uint8_t reply[512];

	query_send(fd, name, DNS_TYPE_DNSKEY, 1);
	WAIT_FOR(recv(fd, reply, sizeof(reply), MSG_DONTWAIT) > 0, turn());
}

// An outage leaves many zones without a key, and names of one zone, made at will, push out none of
// the others'.
TEST_WITH(test_many_keys_not_to_be_had, rig_setup, rig_teardown)
{
	enum { ZONES = VALIDATOR_MISSING / 2, NAMES = 4 * VALIDATOR_MISSING };
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	fx.root.is_keyless = true;
	expect("good", VALIDATOR_FAILED, DNS_EDE_NONE);
	fx.root.is_keyless = false;
	fx.has_view = false;
	for (unsigned i = 0; i < ZONES; i++)
		key_fails(fd, text_from("n%u.example", i));
	for (unsigned i = 0; i < NAMES; i++)
		key_fails(fd, text_from("n%u.evil.example", i));
	fx.has_view = true;
	expect("bad", VALIDATOR_FAILED, DNS_EDE_NONE);
	close(fd);
}
