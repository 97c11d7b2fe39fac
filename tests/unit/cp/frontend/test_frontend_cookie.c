// SPDX-License-Identifier: BSD-3-Clause
// DNS cookies by the front: at once, of misses, and where a TCP option is put behind them.
#include "frontend_rig.h"

enum { OPT_LEN = DNS_OPT_FIXED_LEN + 4 + DNS_COOKIE_LEN, EDE_LEN = 6 };

static int setup_closed(void **state)
{
	frontend_rig_setup_closed(state);
	rig.config.cookies = (struct config_cookies){.enabled = true};
	rig_pause(0, 0);
	return 0;
}

static int setup(void **state)
{
	int rc = setup_closed(state);
	frontend_rig_admit_all();
	return rc;
}

static int teardown(void **state)
{
	memset(&rig.config.cookies, 0, sizeof(rig.config.cookies));
	return frontend_rig_teardown(state);
}

static void nsid_set(char *nsid)
{
	rig.config.identity.nsid = nsid;
	frontend_rig_configure();
}

// With a cookie of `len` bytes in its OPT, of which `more` behind it are other options.
static enum frontend_outcome ask_with_more(enum frontend_transport t, const char *name,
	const uint8_t *cookie, uint16_t len, uint16_t more)
{
	uint8_t msg[600];
	const struct frontend_rig_query q = {
		.name = name, .type = DNS_TYPE_A, .id = 9, .udp_size = 1232};
	size_t n = query_write(msg, &q);
	put_u16(msg + n - 2, (uint16_t)(4 + len + more));
	put_u16(msg + n, DNS_EDNS_OPTION_COOKIE);
	put_u16(msg + n + 2, len);
	memcpy(msg + n + 4, cookie, len + more);
	return frontend_rig_ask_bytes(t, "198.18.0.9", msg, n + 4 + len + more);
}

static enum frontend_outcome ask_with(
	enum frontend_transport t, const char *name, const uint8_t *cookie, uint16_t len)
{
	return ask_with_more(t, name, cookie, len, 0);
}

// With a client's cookie and a wish for NSID.
static enum frontend_outcome ask_nsid(
	enum frontend_transport t, const char *name, const uint8_t cookie_and_nsid[12])
{
	return ask_with_more(t, name, cookie_and_nsid, DNS_COOKIE_CLIENT_LEN, 4);
}

// The cookie that ends this message, whose OPT begins at `opt`, but for `behind` bytes.
static void cookie_expect_before(const uint8_t *msg, uint16_t len, uint16_t opt, uint16_t behind,
	uint8_t out[DNS_COOKIE_LEN])
{
	assert_int_equal(opt, len - OPT_LEN - behind);
	assert_int_equal(get_u16(msg + opt + 9), 4 + DNS_COOKIE_LEN + behind);
	assert_int_equal(get_u16(msg + opt + 11), DNS_EDNS_OPTION_COOKIE);
	memcpy(out, msg + opt + 15, DNS_COOKIE_LEN);
	assert_memory_equal(out, "abcdefgh\1\0\0", 12);
}

static void cookie_expect(
	const uint8_t *msg, uint16_t len, uint16_t opt, uint8_t out[DNS_COOKIE_LEN])
{
	cookie_expect_before(msg, len, opt, 0, out);
}

static const uint8_t *const mine = (const uint8_t *)"abcdefgh";

static void cookie_said(uint8_t out[DNS_COOKIE_LEN])
{
	cookie_expect(frontend_said, frontend_said_reply.len, frontend_said_reply.opt, out);
}

// The whole cookie, by a test's first question.
static void cookie_get(uint8_t out[DNS_COOKIE_LEN])
{
	assert_int_equal(ask_with(FRONTEND_UDP, "a.example", mine, 8), FRONTEND_LATER);
	const struct frontend_rig_reply *l = expect_later(0);
	cookie_expect(l->msg, l->len, l->opt, out);
}

static const char *const names[FRONTEND_TRANSPORTS] = {
	"udp.example", "tcp.example", "dot.example", "doh.example"};

TEST_WITH(test_miss_and_hit, setup, teardown)
{
	uint8_t first[DNS_COOKIE_LEN], again[DNS_COOKIE_LEN];
	for (unsigned t = 0; t < FRONTEND_TRANSPORTS; t++) {
		const char *name = names[t];
		assert_int_equal(ask_with(t, name, mine, 8), FRONTEND_LATER);
		const struct frontend_rig_reply *l = expect_later(t);
		cookie_expect(l->msg, l->len, l->opt, first);
		assert_int_equal(ask_with(t, name, first, sizeof(first)), FRONTEND_REPLY);
		cookie_said(again);
		assert_memory_equal(first, again, sizeof(first));
		first[17] ^= 4;
		assert_int_equal(ask_with(t, name, first, sizeof(first)), FRONTEND_REPLY);
		cookie_said(again);
		assert_memory_not_equal(first, again, sizeof(first));
		assert_int_equal(frontend_counts(t).cookies_alone, 1);
		assert_int_equal(frontend_counts(t).cookies_good, 1);
		assert_int_equal(frontend_counts(t).cookies_bad, 1);
	}
}

TEST_WITH(test_new_settings_keep_own_secrets, setup, teardown)
{
	uint8_t first[DNS_COOKIE_LEN], again[DNS_COOKIE_LEN];
	cookie_get(first);
	rig_pause(0, 0);
	assert_int_equal(ask_with(FRONTEND_UDP, "a.example", first, sizeof(first)), FRONTEND_REPLY);
	cookie_said(again);
	assert_memory_equal(first, again, sizeof(first));
	rig.config.cookies.enabled = false;
	rig_pause(0, 0);
	assert_int_equal(ask_with(FRONTEND_UDP, "a.example", first, sizeof(first)), FRONTEND_REPLY);
	assert_int_equal(frontend_said_reply.opt, frontend_said_reply.len - DNS_OPT_FIXED_LEN);
}

TEST_WITH(test_malformed, setup, teardown)
{
	assert_int_equal(ask_with(FRONTEND_TCP, "a.example", mine, 7), FRONTEND_REPLY);
	assert_int_equal(get_u16(frontend_said + 2) & DNS_FLAG_RCODE, DNS_RCODE_FORMERR);
	assert_int_equal(frontend_said_reply.opt, frontend_said_reply.len - DNS_OPT_FIXED_LEN);
}

// Before there is a policy no client is served; a client with a cookie gets the same error.
TEST_WITH(test_closed, setup_closed, teardown)
{
	static char nsid[] = "box 1";
	const uint8_t bytes[] = "abcdefgh\0\3\0";
	uint8_t back[DNS_COOKIE_LEN];
	for (unsigned t = 0; t < FRONTEND_TRANSPORTS; t++) {
		assert_int_equal(ask_with(t, "a.example", bytes, 8), FRONTEND_REPLY);
		cookie_expect_before(frontend_said, frontend_said_reply.len,
			frontend_said_reply.opt, EDE_LEN, back);
		assert_int_equal(frontend_counts(t).verdict[VERDICT_servfail_no_policy], 1);
		assert_int_equal(ask_with(t, "a.example", bytes, 7), FRONTEND_BROKEN);
	}
	nsid_set(nsid);
	assert_int_equal(ask_nsid(FRONTEND_UDP, "a.example", bytes), FRONTEND_REPLY);
	assert_memory_equal(frontend_said + frontend_said_reply.len - EDE_LEN - 5, nsid, 5);
	nsid_set(NULL);
}

static void access_publish(const struct config_access *access)
{
	static const struct policy_group everyone;
	struct ip_address allow = address_of_text("198.18.0.0/16");
	rig.config.access = *access;
	rig.config.access.allow = &allow;
	rig.config.access.allow_count = 1;
	rig_policy(&everyone);
	memset(&rig.config.access, 0, sizeof(rig.config.access));
}

// One query a second; each one over that gets a reply.
static void limits_publish(enum dns_cookie_require require)
{
	access_publish(&(struct config_access){.rate = 1, .burst_s = 1, .slip = 1});
	rig.config.cookies.require = require;
	rig_pause(0, 0);
}

static uint16_t said_flags(void)
{
	return get_u16(frontend_said + 2);
}

// Asks without a cookie until it is over its limits, which the engine looks at every 100 ms.
static void spend(void)
{
	const uint64_t until_ms = clock_mono_ms() + 20000;
	do {
		if (clock_mono_ms() > until_ms)
			fail_msg("never over its limit");
		assert_int_not_equal(
			FRONTEND_ASK(FRONTEND_UDP, .name = "a.example", .client = "198.18.0.9"),
			FRONTEND_BROKEN);
	} while (!(said_flags() & DNS_FLAG_TC));
}

// What is said to this cookie over the limits: asked again if time let it pass.
static bool verdict_of(const uint8_t *cookie, uint16_t len, enum verdict v)
{
	for (unsigned tries = 0; tries < 20; tries++) {
		spend();
		uint64_t before = frontend_counts(FRONTEND_UDP).verdict[v];
		assert_int_equal(ask_with(FRONTEND_UDP, "a.example", cookie, len), FRONTEND_REPLY);
		if (frontend_counts(FRONTEND_UDP).verdict[v] > before)
			return true;
	}
	return false;
}

TEST_WITH(test_over_limit, setup, teardown)
{
	uint8_t good[DNS_COOKIE_LEN], bad[DNS_COOKIE_LEN], back[DNS_COOKIE_LEN];
	cookie_get(good);
	memcpy(bad, good, sizeof(bad));
	bad[20] ^= 1;
	limits_publish(DNS_COOKIE_REQUIRE_NEVER);
	assert_true(verdict_of(bad, sizeof(bad), VERDICT_slip_limited));
	cookie_said(back);
	assert_true(verdict_of(mine, 8, VERDICT_slip_limited));
	assert_int_equal(frontend_counts(FRONTEND_UDP).verdict[VERDICT_badcookie], 0);
	limits_publish(DNS_COOKIE_REQUIRE_OVER_LIMIT);
	assert_true(verdict_of(mine, 8, VERDICT_badcookie));
	assert_true(verdict_of(bad, sizeof(bad), VERDICT_badcookie));
	cookie_said(back);
	assert_int_equal(said_flags() & DNS_FLAG_RCODE, DNS_RCODE_BADCOOKIE & DNS_FLAG_RCODE);
	assert_int_equal(frontend_said[frontend_said_reply.opt + 5], DNS_RCODE_BADCOOKIE >> 4);
	assert_int_equal(get_u16(frontend_said + 6), 0);
	assert_int_equal(frontend_counts(FRONTEND_UDP).cookies_exempt, 0);
	for (unsigned i = 0; i < 20; i++) {
		spend();
		assert_int_equal(
			ask_with(FRONTEND_UDP, "a.example", back, sizeof(back)), FRONTEND_REPLY);
		assert_int_equal(said_flags() & (DNS_FLAG_RCODE | DNS_FLAG_TC), 0);
	}
	assert_int_not_equal(frontend_counts(FRONTEND_UDP).cookies_exempt, 0);
}

// What a right cookie lets through beyond the limits is not taken from the neighbours.
TEST_WITH(test_proven_client_pays_itself, setup, teardown)
{
	enum { NETWORK_RATE = 100, ASKED = 400 };
	uint8_t good[DNS_COOKIE_LEN];
	const struct frontend_rig_query neighbour = {
		.name = "a.example", .type = DNS_TYPE_A, .client = "198.18.0.8"};
	cookie_get(good);
	access_publish(&(struct config_access){.rate = 5,
		.network_rate = NETWORK_RATE,
		.burst_s = 2,
		.slip = 1,
		.reply_octets = 70}); // a reply takes two, TC one
	spend();
	for (unsigned i = 0; i < ASKED; i++)
		assert_int_equal(
			ask_with(FRONTEND_UDP, "a.example", good, sizeof(good)), FRONTEND_REPLY);
	assert_true(said_flags() & DNS_FLAG_TC);
	assert_int_not_equal(frontend_counts(FRONTEND_UDP).cookies_exempt, 0);
	assert_true(frontend_counts(FRONTEND_UDP).cookies_exempt < ASKED / 2);
	assert_int_equal(frontend_rig_ask(FRONTEND_UDP, &neighbour), FRONTEND_REPLY);
	assert_false(said_flags() & DNS_FLAG_TC);
}

// Beside a cookie in the query: of a miss, of a hit, of an error.
TEST_WITH(test_nsid, setup, teardown)
{
	enum { NSID_LEN = 5, OPTIONS_LEN = 4 + DNS_COOKIE_LEN + 4 + NSID_LEN };
	static char nsid[] = "box 1";
	uint8_t bytes[DNS_COOKIE_LEN + 4] = "abcdefgh";
	memcpy(bytes + 8, "\0\3\0\0", 4);
	nsid_set(nsid);
	for (unsigned t = 0; t < FRONTEND_TRANSPORTS; t++) {
		const char *name = names[t];
		const uint8_t *said = frontend_said;
		assert_int_equal(ask_nsid(t, name, bytes), FRONTEND_LATER);
		const struct frontend_rig_reply *l = expect_later(t);
		assert_int_equal(l->opt, l->len - DNS_OPT_FIXED_LEN - OPTIONS_LEN);
		assert_memory_equal(l->msg + l->len - NSID_LEN, nsid, NSID_LEN);
		assert_int_equal(ask_nsid(t, name, bytes), FRONTEND_REPLY);
		assert_int_equal(frontend_said_reply.opt,
			frontend_said_reply.len - DNS_OPT_FIXED_LEN - OPTIONS_LEN);
		assert_memory_equal(said + frontend_said_reply.len - NSID_LEN, nsid, NSID_LEN);
	}
	nsid_set(NULL);
}
