// SPDX-License-Identifier: BSD-3-Clause

// Who may ask the control plane's own server, and how often: the data plane's lists.
#include "controlplane/frontend/frontend_internal.h"
#include "frontend_rig.h"
#include "tests/unit/clock_still.h"

enum { RATE = 5, BURST_S = 2 };

static uint32_t reply_octets;

static void access_publish(bool refuse)
{
	static const struct policy_group groups[2]; // everyone's, and that of the test with one
	struct ip_address allow[] = {
		address_of_text("198.18.0.0/16"), address_of_text("fd53::/48")};
	struct ip_address deny = address_of_text("198.18.0.66"),
			  unlimited = address_of_text("198.18.1.0/24");

	rig.config.access = (struct config_access){
		.refuse = refuse,
		.allow = allow,
		.allow_count = ARRAY_LEN(allow),
		.deny = &deny,
		.deny_count = 1,
		.unlimited = &unlimited,
		.unlimited_count = 1,
		.rate = RATE,
		.burst_s = BURST_S,
		.slip = 2,
		.reply_octets = reply_octets,
	};
	rig_policy(groups);
	memset(&rig.config.access, 0, sizeof(rig.config.access));
}

static enum frontend_outcome ask_from(enum frontend_transport t, const char *client)
{
	uint8_t msg[600];
	const struct frontend_rig_query q = {.name = "www.example", .type = DNS_TYPE_A, .id = 9};
	return frontend_rig_ask_bytes(t, client, msg, query_write(msg, &q));
}

static void answer_cached(void)
{
	assert_int_equal(ask_from(FRONTEND_UDP, "198.18.1.1"), FRONTEND_LATER);
	(void)expect_later(0);
}

static union client_address admitted;
static bool is_admitted, over_tls;
static void on_admit(void *)
{
	is_admitted = frontend_admits(rig.frontend, &admitted, over_tls);
}

static bool admits(const char *client)
{
	admitted = (union client_address){.v6.sin6_family = AF_INET6};
	assert_int_equal(inet_pton(AF_INET6, client, &admitted.v6.sin6_addr), 1);
	on_loop(on_admit, NULL);
	return is_admitted;
}

// Records of an earlier run are for the clients of its policy, which is not known yet.
TEST_WITH(test_closed_without_policy, frontend_rig_setup_closed, frontend_rig_teardown)
{
	assert_true(admits("::ffff:198.18.0.65")); // to get its error
	assert_int_equal(ask_from(FRONTEND_UDP, "198.18.1.1"), FRONTEND_REPLY);
	assert_int_equal(get_u16(frontend_said + 2) & DNS_FLAG_RCODE, DNS_RCODE_SERVFAIL);
	assert_int_equal(ask_from(FRONTEND_TCP, "127.0.0.1"), FRONTEND_REPLY);
	assert_int_equal(get_u16(frontend_said + 2) & DNS_FLAG_RCODE, DNS_RCODE_SERVFAIL);
	assert_int_equal(frontend_rig_ask_bytes(FRONTEND_UDP, "198.18.1.1", (const uint8_t *)"", 0),
		FRONTEND_BROKEN);
	assert_int_equal(frontend_counts(FRONTEND_UDP).verdict[VERDICT_servfail_no_policy], 1);
	assert_int_equal(frontend_counts(FRONTEND_TCP).verdict[VERDICT_servfail_no_policy], 1);
	assert_int_equal(rig_asked(), 0);
	access_publish(false);
	answer_cached();
}

// Over UDP few get a reply; a TCP client has proven its address.
// An image that cannot be mapped is tried again after FRONTEND_POLICY_RETRY_MS, not with each
// message.
TEST_WITH(test_retry_of_an_image, frontend_rig_setup_closed, frontend_rig_teardown)
{
	static struct frontend_policy fp;
	access_publish(false);
	uint64_t word = atomic_load(&publisher_directory(rig.publisher)->current[REGION_POLICY]);
	const char *file =
		text_from("%s/policy.%llu", rig.paths.mem, (unsigned long long)(word >> 1));
	const char *away = text_from("%s.away", file);
	assert_int_equal(rename(file, away), 0);
	const uint64_t now_ms = clock_mono_ms();
	frontend_policy_open(&fp);
	frontend_policy_look(&fp, rig.publisher, now_ms);
	assert_true(frontend_policy_is_closed(&fp));
	assert_int_equal(rename(away, file), 0);
	frontend_policy_look(&fp, rig.publisher, now_ms + FRONTEND_POLICY_RETRY_MS - 1);
	assert_true(frontend_policy_is_closed(&fp));
	frontend_policy_look(&fp, rig.publisher, now_ms + FRONTEND_POLICY_RETRY_MS);
	assert_true(fp.word == word);
	frontend_policy_close(&fp);
}

TEST_WITH(test_closed_tells_few, frontend_rig_setup_closed, frontend_rig_teardown)
{
	enum { ASKED = 1000 };
	const uint64_t began_ms = clock_mono_ms();
	for (unsigned i = 0; i < ASKED; i++) {
		(void)ask_from(FRONTEND_UDP, "198.18.1.1");
		assert_int_equal(ask_from(FRONTEND_TCP, "198.18.1.1"), FRONTEND_REPLY);
	}
	const uint64_t failed = frontend_counts(FRONTEND_UDP).verdict[VERDICT_servfail_no_policy];
	assert_true(
		failed >= CLOSED_BURST && failed <= CLOSED_BURST + clock_mono_ms() - began_ms + 1);
	assert_int_equal(
		frontend_counts(FRONTEND_UDP).verdict[VERDICT_drop_limited], ASKED - failed);
}

// A client without a reply takes no place from allowed ones; a client that gets REFUSED is read
// first, but for that there is no handshake.
TEST_WITH(test_admitted, frontend_rig_setup_closed, frontend_rig_teardown)
{
	access_publish(false);
	assert_false(admits("::ffff:198.18.0.66"));
	assert_false(admits("2001:db8::1"));
	assert_true(admits("::ffff:198.18.0.65"));
	assert_true(admits("fd53::1"));
	access_publish(true);
	assert_true(admits("2001:db8::1"));
	over_tls = true;
	assert_false(admits("2001:db8::1"));
	assert_true(admits("fd53::1"));
	over_tls = false;
}

// Over TCP the stream is not worth keeping.
TEST_WITH(test_denied, frontend_rig_setup_closed, frontend_rig_teardown)
{
	access_publish(false);
	answer_cached();
	assert_int_equal(ask_from(FRONTEND_UDP, "198.18.0.66"), FRONTEND_BROKEN);
	assert_int_equal(ask_from(FRONTEND_UDP, "198.19.0.1"), FRONTEND_BROKEN);
	assert_int_equal(ask_from(FRONTEND_TCP, "2001:db8::1"), FRONTEND_BROKEN);
	assert_int_equal(ask_from(FRONTEND_TCP, "::ffff:198.18.0.66"), FRONTEND_BROKEN);
	assert_int_equal(ask_from(FRONTEND_TCP, "::ffff:198.18.0.65"), FRONTEND_REPLY);
	assert_int_equal(ask_from(FRONTEND_UDP, "fd53::9"), FRONTEND_REPLY);
	assert_int_equal(frontend_counts(FRONTEND_UDP).verdict[VERDICT_drop_denied], 2);
	assert_int_equal(frontend_counts(FRONTEND_TCP).verdict[VERDICT_drop_denied], 2);
}

// A reply of 45 bytes costs three queries over UDP; TCP has no rate.
TEST_WITH(test_long_replies_cost_more, frontend_rig_setup_closed, frontend_rig_teardown)
{
	unsigned answered = 0;

	reply_octets = 20;
	access_publish(false);
	reply_octets = 0;
	answer_cached();
	clock_pass_ms(250); // the engine looks at its limits every 100 ms
	for (unsigned i = 0; i < 20; i++)
		answered += ask_from(FRONTEND_UDP, "198.18.2.1") == FRONTEND_REPLY
			    && get_u16(frontend_said + 6) > 0;
	assert_in_range(answered, 4, RATE * BURST_S - 1);
	for (unsigned i = 0; i < 20; i++)
		assert_int_equal(ask_from(FRONTEND_TCP, "::ffff:198.18.3.1"), FRONTEND_REPLY);
	assert_int_equal(ask_from(FRONTEND_UDP, "198.18.3.1"), FRONTEND_REPLY);
	assert_true(get_u16(frontend_said + 6) > 0);
}

TEST_WITH(test_denied_is_told, frontend_rig_setup_closed, frontend_rig_teardown)
{
	access_publish(true);
	assert_int_equal(ask_from(FRONTEND_UDP, "198.18.0.66"), FRONTEND_REPLY);
	assert_int_equal(get_u16(frontend_said + 2) & DNS_FLAG_RCODE, DNS_RCODE_REFUSED);
	assert_int_equal(frontend_counts(FRONTEND_UDP).verdict[VERDICT_refused_denied], 1);
	assert_int_equal(
		frontend_rig_ask_bytes(FRONTEND_UDP, "198.18.0.66", (const uint8_t *)"", 0),
		FRONTEND_BROKEN);
}

// A connection over TLS or HTTPS from before the client was denied ends: only queries in clear text
// get REFUSED.
TEST_WITH(test_denied_over_tls, frontend_rig_setup_closed, frontend_rig_teardown)
{
	access_publish(true);
	assert_int_equal(ask_from(FRONTEND_TCP, "198.18.0.66"), FRONTEND_REPLY);
	assert_int_equal(ask_from(FRONTEND_DOT, "198.18.0.66"), FRONTEND_BROKEN);
	assert_int_equal(ask_from(FRONTEND_DOH, "198.18.0.66"), FRONTEND_BROKEN);
	assert_int_equal(frontend_counts(FRONTEND_DOT).verdict[VERDICT_drop_denied], 1);
	assert_int_equal(frontend_counts(FRONTEND_DOH).verdict[VERDICT_drop_denied], 1);
}

struct settled {
	const char *client;
	const uint8_t *msg;
	size_t len;
	enum verdict verdict;
	struct frontend_question q;
};

static void on_settle(void *arg)
{
	struct settled *s = arg;
	union client_address client = {.v4.sin_family = AF_INET};
	uint16_t len;
	assert_int_equal(inet_pton(AF_INET, s->client, &client.v4.sin_addr), 1);
	memset(&s->q, 0xa5, sizeof(s->q)); // as a stack has it
	s->verdict = frontend_settle(rig.frontend, &frontend_session[FRONTEND_UDP], &client, s->msg,
		s->len, &s->q, &len);
}

static unsigned group_settled(
	const char *client, const uint8_t *msg, size_t len, enum verdict verdict)
{
	struct settled s = {.client = client, .msg = msg, .len = len};
	on_loop(on_settle, &s);
	assert_int_equal(s.verdict, verdict);
	assert_int_equal(s.q.list, LOG_NO_LIST);
	return s.q.group;
}

// The log names the group of a refused client, too, as a worker's does.
TEST_WITH(test_group_of_who_is_turned_away, frontend_rig_setup_closed, frontend_rig_teardown)
{
	static char name[] = "guests";
	struct ip_address clients = address_of_text("198.18.0.0/24");
	struct config_group group = {.name = name, .clients = &clients, .client_count = 1};
	const struct frontend_rig_query query = {
		.name = "www.example", .type = DNS_TYPE_A, .id = 9};
	uint8_t msg[600];
	size_t len = query_write(msg, &query);

	assert_int_equal(group_settled("198.18.0.66", msg, len, VERDICT_servfail_no_policy), 0);
	rig.config.groups = &group;
	rig.config.group_count = 1;
	access_publish(true);
	assert_int_equal(group_settled("198.18.0.66", msg, len, VERDICT_refused_denied), 1);
	assert_int_equal(group_settled("198.19.0.66", msg, len, VERDICT_refused_denied), 0);
	assert_int_equal(group_settled("198.18.0.66", msg, 0, VERDICT_drop_denied), 1);
	assert_int_equal(group_settled("198.18.0.65", msg, len, VERDICT_miss), 1);
	msg[2] |= 0x10; // a status request (RFC 1035 4.1.1)
	assert_int_equal(group_settled("198.18.0.65", msg, len, VERDICT_notimp), 1);
	assert_int_equal(group_settled("198.18.1.65", msg, len, VERDICT_notimp), 0);
	rig.config.groups = NULL;
	rig.config.group_count = 0;
}

// The rate holds over UDP; a TCP client has proven its address.
TEST_WITH(test_limited, frontend_rig_setup_closed, frontend_rig_teardown)
{
	unsigned replies = 0, slips = 0;

	access_publish(false);
	answer_cached();
	clock_pass_ms(250); // the engine looks at its limits every 100 ms
	uint64_t begin_ms = clock_mono_ms();
	for (unsigned i = 0; i < 100; i++) {
		if (ask_from(FRONTEND_UDP, "198.18.2.1") != FRONTEND_REPLY)
			continue;
		bool is_truncated = get_u16(frontend_said + 2) & DNS_FLAG_TC;
		slips += is_truncated;
		replies += !is_truncated;
	}
	uint64_t more = (clock_mono_ms() - begin_ms) * RATE / 1000 + 2;
	assert_in_range(replies, RATE * BURST_S, RATE * BURST_S + more);
	assert_in_range(slips, (100 - replies) / 2, (100 - replies) / 2 + 1);
	for (unsigned i = 0; i < 100; i++) {
		assert_int_equal(ask_from(FRONTEND_TCP, "198.18.2.1"), FRONTEND_REPLY);
		assert_int_equal(ask_from(FRONTEND_UDP, "198.18.1.77"), FRONTEND_REPLY);
	}
}
