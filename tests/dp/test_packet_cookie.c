// SPDX-License-Identifier: BSD-3-Clause
// DNS cookies in the data plane: the replies, and which clients they let through.
#include "harness.h"

enum { RATE = 10, BURST_S = 2 };

static const uint8_t client_v4[4] = {198, 18, 0, 2};

static struct harness *begin(void)
{
	struct harness *h = harness_begin(NULL);
	h->tables.config.cookies = (struct dns_cookie_terms){.is_on = 1, .count = 1};
	memset(h->tables.config.cookies.secret[0], 0x37, DNS_COOKIE_SECRET_LEN);
	HARNESS_PUT(h, .name = "a.example", .count = 1);
	return h;
}

static void cookie_make(const struct harness *h, uint8_t out[DNS_COOKIE_LEN])
{
	const struct dns_cookie_client c = {client_v4, 4, (uint32_t)time(NULL)};
	memcpy(out, "abcdefgh", DNS_COOKIE_CLIENT_LEN);
	dns_cookie_make(&h->tables.config.cookies, &c, out);
}

// A query with a cookie behind its plain OPT's head; name NULL: without question.
static size_t frame_make(
	const char *name, const uint8_t *cookie, uint16_t len, uint8_t frame[WIRE_MAX])
{
	const struct wire_query q = {.name = name ? name : "a.example", .edns = true};
	uint8_t dns[WIRE_MAX];
	size_t n = wire_make_dns(&q, dns);
	if (!name) {
		memmove(dns + 12, dns + n - 11, 11);
		wire_put16(dns + 4, 0);
		n = 12 + 11;
	}
	wire_put16(dns + n - 2, len + 4u);
	wire_put16(dns + n, DNS_EDNS_OPTION_COOKIE);
	wire_put16(dns + n + 2, len);
	memcpy(dns + n + 4, cookie, len);
	return wire_make_udp(&q, dns, n + 4 + len, frame);
}

// The reply; its DNS message ends with the cookie.
static const uint8_t *ask(struct harness *h, const char *name, const uint8_t *cookie, uint16_t len,
	enum verdict v, struct wire_reply *r)
{
	static uint8_t out[WIRE_MAX];
	uint8_t frame[WIRE_MAX];
	uint64_t before = harness_verdict(h, v);
	harness_send(h, frame, frame_make(name, cookie, len, frame));
	assert_int_equal(harness_verdict(h, v), before + 1);
	size_t got = harness_take(h, out);
	assert_int_not_equal(got, 0);
	wire_check(out, got, r);
	return out + got - DNS_COOKIE_LEN;
}

PACKET_TEST_OF(test_comes_back, begin())
{
	uint8_t good[DNS_COOKIE_LEN], bad[DNS_COOKIE_LEN];
	struct wire_reply r;
	cookie_make(h, good);
	const uint8_t *back = ask(h, "a.example", good, 8, VERDICT_hit, &r);
	assert_int_equal(r.count, 1);
	assert_memory_equal(back, good, 12);
	assert_memory_equal(ask(h, "a.example", good, 24, VERDICT_hit, &r), good, 24);
	memcpy(bad, good, sizeof(bad));
	bad[23] ^= 1;
	back = ask(h, "a.example", bad, 24, VERDICT_hit, &r);
	assert_memory_equal(back, good, 12);
	assert_memory_not_equal(back, bad, 24);
	assert_int_equal(r.count, 1);
	assert_int_equal(harness_counter(h, COUNTER_cookies_alone), 1);
	assert_int_equal(harness_counter(h, COUNTER_cookies_good), 1);
	assert_int_equal(harness_counter(h, COUNTER_cookies_bad), 1);
}

PACKET_TEST_OF(test_without_question, begin())
{
	uint8_t good[DNS_COOKIE_LEN];
	struct wire_reply r;
	cookie_make(h, good);
	assert_memory_equal(ask(h, NULL, good, 24, VERDICT_cookie_only, &r), good, 24);
	assert_int_equal(r.rcode, DNS_RCODE_NOERROR);
	assert_false(r.has_question);
	(void)ask(h, NULL, good, 8, VERDICT_cookie_only, &r);
	good[20] ^= 1;
	(void)ask(h, NULL, good, 24, VERDICT_badcookie, &r);
	assert_int_equal(r.rcode, DNS_RCODE_BADCOOKIE);
	h->tables.config.cookies.is_on = 0;
	(void)ask(h, NULL, good, 24, VERDICT_formerr, &r);
	(void)ask(h, "a.example", good, 9, VERDICT_hit, &r);
	h->tables.config.cookies.is_on = 1;
	(void)ask(h, "a.example", good, 9, VERDICT_formerr, &r);
}

// Behind the question, and has_opt says so.
PACKET_TEST_OF(test_miss, begin())
{
	uint8_t good[DNS_COOKIE_LEN], frame[WIRE_MAX];
	cookie_make(h, good);
	harness_send(h, frame, frame_make("cold.example", good, 24, frame));
	const struct msg_miss m = harness_miss(h);
	assert_int_equal(m.has_opt, DNS_OPT_PLAIN | DNS_OPT_COOKIE);
	assert_memory_equal(harness_question + m.question_len, good, sizeof(good));
}

// Any options behind the head of `q`'s plain OPT.
static size_t frame_of(
	const struct wire_query *q, const uint8_t *options, unsigned len, uint8_t frame[WIRE_MAX])
{
	uint8_t dns[WIRE_MAX];
	size_t n = wire_make_dns(q, dns);
	wire_put16(dns + n - 2, len);
	memcpy(dns + n, options, len);
	return wire_make_udp(q, dns, n + len, frame);
}

static size_t frame_with(
	const char *name, const uint8_t *options, unsigned len, uint8_t frame[WIRE_MAX])
{
	return frame_of(&(struct wire_query){.name = name, .edns = true}, options, len, frame);
}

// A whole cookie alone is read in line. Where cookies are off it is as if there were none; where
// the question goes to the general parser after all, it counts once.
PACKET_TEST_OF(test_whole_alone, begin())
{
	static const struct wire_query plain = {.name = "a.example", .edns = true},
				       chaos = {.name = "a.example", .edns = true, .qclass = 3};
	uint8_t option[4 + DNS_COOKIE_LEN] = {0, 10, 0, 24}, frame[WIRE_MAX];
	struct wire_reply r, without;
	cookie_make(h, option + 4);
	harness_send(h, frame, frame_of(&chaos, option, sizeof(option), frame));
	assert_int_equal(harness_verdict(h, VERDICT_refused), 1);
	assert_int_equal(harness_counter(h, COUNTER_cookies_good), 1);
	harness_drain(h);
	h->tables.config.cookies.is_on = 0;
	without = harness_ask(h, &plain, VERDICT_hit);
	(void)ask(h, "a.example", option + 4, 24, VERDICT_hit, &r);
	assert_int_equal(r.count, 1);
	assert_int_equal(r.dns_len, without.dns_len);
	assert_int_equal(harness_counter(h, COUNTER_cookies_good), 1);
}

// Of texts with an odd and an even number of bytes, alone, and between a cookie and an error.
PACKET_TEST_OF(test_nsid, begin())
{
	static const uint8_t asks[] = {0, 3, 0, 0},
			     asks_twice[] = {0, 3, 0, 2, 'x', 'y', 0, 3, 0, 0};
	static const char *const texts[] = {"box", "box1"}, *const listed[] = {"ads.example"};
	uint8_t frame[WIRE_MAX], out[WIRE_MAX];
	struct wire_reply r;
	size_t got;
	harness_block(h, listed, 1);
	for (unsigned i = 0; i < ARRAY_LEN(texts); i++) {
		const size_t len = strlen(texts[i]);
		strcpy(h->tables.config.identity.nsid, texts[i]);
		harness_send(h, frame, frame_with("a.example", asks_twice, 10, frame));
		assert_int_not_equal(got = harness_take(h, out), 0);
		wire_check(out, got, &r);
		assert_int_equal(r.count, 1);
		assert_memory_equal(out + got - len, texts[i], len);
		assert_memory_equal(
			out + got - len - 6, ((uint8_t[]){0, len + 4, 0, 3, 0, len}), 6);

		uint8_t both[4 + 28] = {0, 10, 0, 24};
		cookie_make(h, both + 4);
		memcpy(both + 28, asks, sizeof(asks));
		harness_send(h, frame, frame_with("ads.example", both, sizeof(both), frame));
		assert_int_not_equal(got = harness_take(h, out), 0);
		wire_check(out, got, &r);
		assert_memory_equal(out + got - 6, "\0\17\0\2\0\17", 6);
		assert_memory_equal(out + got - 6 - len, texts[i], len);
		assert_memory_equal(
			out + got - 6 - len - 4 - DNS_COOKIE_LEN, both + 4, DNS_COOKIE_LEN);
	}
	for (unsigned i = 0; i < 2; i++) { // not in the query, or not configured
		if (i)
			h->tables.config.identity.nsid[0] = 0;
		harness_inject(
			h, frame, frame_with("a.example", asks, i ? sizeof(asks) : 0, frame));
		harness_turns(h);
		assert_int_not_equal(got = harness_take(h, out), 0);
		wire_check(out, got, &r);
		assert_true(r.has_opt);
		assert_memory_equal(out + got - 2, "\0", 2);
	}
}

// One batch of 30 clients over both IP versions, of which some have no cookie, a wrong one, one for
// another client, or one that is due for renewal: each gets what it would get alone.
enum { KINDS = 6, BATCH = 5 * KINDS };
enum mixed { MIXED_GOOD, MIXED_BAD, MIXED_STRANGE, MIXED_OLD, MIXED_NO_COOKIE, MIXED_NO_OPT };

static size_t mixed_make(const struct harness *h, unsigned i, uint8_t cookie[DNS_COOKIE_LEN],
	uint8_t frame[WIRE_MAX])
{
	const uint32_t now_s = (uint32_t)time(NULL), half_hour_s = 1800, kind = i % KINDS;
	char text[64];
	uint8_t address[16], option[4 + DNS_COOKIE_LEN] = {0, 10, 0, 24};
	const bool is_v6 = i / KINDS % 2;
	snprintf(text, sizeof(text), is_v6 ? "fd53::%x" : "198.18.0.%u", 100 + i);
	assert_int_equal(inet_pton(is_v6 ? AF_INET6 : AF_INET, text, address), 1);
	const struct wire_query q = {.name = "a.example",
		.version = is_v6 ? 6 : 4,
		.src = text,
		.id = (uint16_t)(1 + i),
		.edns = kind != MIXED_NO_OPT};
	const struct dns_cookie_client c = {
		address, is_v6 ? 6 : 4, kind == MIXED_OLD ? now_s - half_hour_s - 60 : now_s};
	memset(cookie, (int)i, DNS_COOKIE_CLIENT_LEN);
	address[3] ^= kind == MIXED_STRANGE;
	dns_cookie_make(&h->tables.config.cookies, &c, cookie);
	cookie[DNS_COOKIE_LEN - 1] ^= kind == MIXED_BAD;
	memcpy(option + 4, cookie, DNS_COOKIE_LEN);
	if (kind == MIXED_NO_OPT)
		return wire_make(&q, frame);
	return frame_of(&q, option, kind == MIXED_NO_COOKIE ? 0 : sizeof(option), frame);
}

static void mixed_check(struct harness *h, unsigned i, const uint8_t cookie[DNS_COOKIE_LEN])
{
	uint8_t out[WIRE_MAX];
	struct wire_reply r;
	const size_t got = harness_take(h, out);
	const unsigned kind = i % KINDS, opt_len = 11, option_len = 4 + DNS_COOKIE_LEN;
	assert_int_not_equal(got, 0);
	wire_check(out, got, &r);
	assert_int_equal(r.id, 1 + i);
	assert_int_equal(r.count, 1);
	assert_int_equal(r.has_opt, kind != MIXED_NO_OPT);
	static unsigned plain_len;
	if (kind == MIXED_GOOD)
		plain_len = r.dns_len - opt_len - option_len;
	assert_int_equal(r.dns_len, plain_len + (kind == MIXED_NO_OPT ? 0 : opt_len)
					    + (kind < MIXED_NO_COOKIE ? option_len : 0));
	if (kind >= MIXED_NO_COOKIE)
		return;
	const uint8_t *back = out + got - DNS_COOKIE_LEN;
	assert_memory_equal(back, cookie, DNS_COOKIE_CLIENT_LEN);
	assert_int_equal(memcmp(back, cookie, DNS_COOKIE_LEN) == 0, kind == MIXED_GOOD);
}

PACKET_TEST_OF(test_mixed_batch, begin())
{
	uint8_t cookie[BATCH][DNS_COOKIE_LEN], frame[WIRE_MAX];
	for (unsigned i = 0; i < BATCH; i++)
		harness_inject(h, frame, mixed_make(h, i, cookie[i], frame));
	harness_turns(h);
	assert_int_equal(harness_verdict(h, VERDICT_hit), BATCH);
	for (unsigned i = 0; i < BATCH; i++)
		mixed_check(h, i, cookie[i]);
	assert_int_equal(harness_counter(h, COUNTER_cookies_good), 2 * BATCH / KINDS);
	assert_int_equal(harness_counter(h, COUNTER_cookies_bad), 2 * BATCH / KINDS);
}

static unsigned passed(struct harness *h, const uint8_t *cookie, uint16_t len, unsigned count)
{
	uint8_t frame[WIRE_MAX];
	return harness_hits(h, frame, frame_make("a.example", cookie, len, frame), count);
}

PACKET_TEST_OF(test_over_limit, begin())
{
	struct ip_address allow = address_of_text("198.18.0.0/16");
	uint8_t good[DNS_COOKIE_LEN], bad[DNS_COOKIE_LEN];
	const struct config_access access = {
		.allow = &allow, .allow_count = 1, .rate = RATE, .burst_s = BURST_S, .slip = 2};
	harness_access_at(h, &access, 1000);
	cookie_make(h, good);
	memcpy(bad, good, sizeof(bad));
	bad[23] ^= 1;
	assert_int_equal(passed(h, bad, 24, 100), RATE * BURST_S);
	assert_int_equal(harness_verdict(h, VERDICT_badcookie), 0);
	assert_int_equal(harness_verdict(h, VERDICT_slip_limited), 40);
	assert_int_equal(passed(h, good, 24, 100), 100);
	assert_int_equal(harness_counter(h, COUNTER_cookies_exempt), 100);
	h->tables.config.cookies.require = DNS_COOKIE_REQUIRE_OVER_LIMIT;
	assert_int_equal(passed(h, bad, 24, 10) + passed(h, good, 8, 10), 0);
	assert_int_equal(harness_verdict(h, VERDICT_badcookie), 10);
	assert_int_equal(harness_verdict(h, VERDICT_slip_limited), 40);
	assert_int_equal(passed(h, good, 24, 10), 10);
}

enum { NETWORK_RATE = 50, BYTES = 100, COSTS = 4 }; // a reply of 20 records costs 4 queries

// Clients of one network, with a name whose reply is long.
static struct harness *begin_limited(void)
{
	struct harness *h = begin();
	struct ip_address allow = address_of_text("198.18.0.0/16");
	const struct config_access access = {.allow = &allow,
		.allow_count = 1,
		.rate = RATE,
		.network_rate = NETWORK_RATE,
		.burst_s = BURST_S,
		.reply_octets = BYTES};
	harness_access_at(h, &access, 1000);
	HARNESS_PUT(h, .name = "long.example", .count = 20);
	return h;
}

static unsigned neighbour_passed(struct harness *h, unsigned count)
{
	const struct wire_query q = {.name = "a.example", .src = "198.18.0.3"};
	uint8_t frame[WIRE_MAX];
	return harness_hits(h, frame, wire_make(&q, frame), count);
}

// A client with a right cookie pays for what goes beyond its limits from a bucket of its own, so
// its neighbours have what they had.
TEST(test_proven_client_pays_itself)
{
	struct harness *h = begin_limited();
	uint8_t good[DNS_COOKIE_LEN], frame[WIRE_MAX];
	cookie_make(h, good);
	const size_t size = frame_make("long.example", good, 24, frame);
	const unsigned own = RATE * BURST_S / COSTS, proven = NETWORK_RATE * BURST_S / COSTS;
	assert_int_equal(harness_hits(h, frame, size, 200), own + proven);
	assert_int_equal(harness_counter(h, COUNTER_cookies_exempt), proven);
	assert_int_equal(harness_verdict(h, VERDICT_drop_limited), 200 - own - proven);
	assert_int_equal(neighbour_passed(h, 100), RATE * BURST_S);
	harness_end(h);
}

// The same where the answers are the control plane's and come later.
TEST(test_proven_client_pays_late)
{
	enum { ANSWER_LEN = 400, ASKED = 80 };
	struct harness *h = begin_limited();
	uint8_t good[DNS_COOKIE_LEN], frame[WIRE_MAX], dns[ANSWER_LEN] = {0};
	unsigned misses = 0;
	struct msg_miss miss;
	cookie_make(h, good);
	h->any_replies = true;
	const size_t size = frame_make("cold.example", good, 24, frame);
	for (unsigned i = 0; i < ASKED; i++) {
		harness_send(h, frame, size);
		if (!harness_miss_is_there(h, &miss))
			continue;
		misses++;
		struct msg_answer head = harness_answer_to(&miss, 0x8180, dns);
		head.dns_len = ANSWER_LEN;
		ANSWER_TAKEN(h, &head, dns, ANSWER_LEN);
		harness_drain(h);
	}
	assert_int_equal(misses, RATE * BURST_S / COSTS + NETWORK_RATE * BURST_S / COSTS);
	assert_int_equal(neighbour_passed(h, 100), RATE * BURST_S);
	harness_end(h);
}
