// SPDX-License-Identifier: BSD-3-Clause

#include "controlplane/l1/ttl_rules.h"
#include "tests/unit/core/dns/dns_build.h"
#include "tests/unit/core/l0/l0_fixture.h"

// What an upstream's reply becomes with time, against the rules of docs/explanation/architecture.md
// written down once more in plain 64-bit arithmetic: reply -> dns_answer_read -> ttl_record_times
// -> L0 -> age -> reply to a client, under a clock that goes wherever it wants.

enum { RECORDS_MAX = 5, ROUNDS = 30000 };

enum shape { POSITIVE, CHAIN, NXDOMAIN, NODATA, NEGATIVE_BARE };

struct life {
	enum shape shape;
	unsigned records;
	uint64_t wire_ttl[RECORDS_MAX]; // as the upstream said
	uint64_t soa_minimum;
	struct ttl_rules rules;
	uint64_t client_cap, stale_ttl;
};

static const uint32_t telling[] = {0, 1, 2, 29, 30, 31, 59, 60, 299, 300, 301, 3600, 3601, 86400,
	86401, 604800, 604801, 2147483, 4294967, 0x7fffffff, 0x80000000u, 0xffffffffu};

static uint32_t any_ttl(struct dns_rand *r)
{
	return dns_rand_below(r, 4) ? telling[dns_rand_below(r, ARRAY_LEN(telling))]
				    : (uint32_t)dns_rand_next(r);
}

// Seconds that the configuration accepts.
static uint32_t any_setting(struct dns_rand *r, uint32_t low, uint32_t high)
{
	uint32_t s = dns_rand_below(r, 2) ? telling[dns_rand_below(r, ARRAY_LEN(telling))]
					  : dns_rand_below(r, 4000);
	return s < low ? low : s > high ? high : s;
}

static struct life any_life(struct dns_rand *r)
{
	struct life l = {
		.shape = dns_rand_below(r, 5),
		.records = 1 + dns_rand_below(r, RECORDS_MAX),
		.soa_minimum = any_ttl(r),
		.rules = {.limits = {.max_s = any_setting(r, 1, 604800),
				  .negative_s = any_setting(r, 1, 86400)},
			.stale_window_s = any_setting(r, 0, 604800),
			.stale_bound = dns_rand_below(r, 2)},
		.client_cap = dns_rand_below(r, 2) ? 0 : any_setting(r, 1, 604800),
		.stale_ttl = any_setting(r, 1, 3600),
	};
	l.rules.limits.min_s = any_setting(r, 0, l.rules.limits.max_s);
	if (l.shape == NXDOMAIN || l.shape == NODATA)
		l.records = 1;
	if (l.shape == NEGATIVE_BARE)
		l.records = 0;
	for (unsigned i = 0; i < l.records; i++)
		l.wire_ttl[i] = any_ttl(r);
	return l;
}

static void life_reply(const struct life *l, struct dns_build *b)
{
	static const uint8_t address[4] = {192, 0, 2, 1};
	bool nxdomain = l->shape == NXDOMAIN;
	build_reply(b, nxdomain ? DNS_RCODE_NXDOMAIN : 0, "a.example.com", DNS_TYPE_A);
	if (nxdomain || l->shape == NODATA)
		build_soa(b, "example.com", (uint32_t)l->wire_ttl[0], (uint32_t)l->soa_minimum);
	if (l->shape != POSITIVE && l->shape != CHAIN)
		return;
	bool chain = l->shape == CHAIN && l->records > 1;
	if (chain)
		build_rr_name(b, SECTION_ANSWER, "a.example.com", DNS_TYPE_CNAME,
			(uint32_t)l->wire_ttl[0], "b.example.com");
	for (unsigned i = chain; i < l->records; i++) {
		uint8_t rdata[4] = {address[0], address[1], address[2], (uint8_t)i};
		build_rr(b, SECTION_ANSWER, chain ? "b.example.com" : "a.example.com", DNS_TYPE_A,
			(uint32_t)l->wire_ttl[i], rdata, sizeof(rdata));
	}
}

static uint64_t at_most(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

// RFC 8767 4: a TTL with the top bit set is a large one.
static uint64_t said(uint64_t ttl)
{
	return at_most(ttl, 0x7fffffff);
}

// The TTL that is kept of one record.
static uint64_t model_ttl(const struct life *l, uint64_t ttl)
{
	uint64_t low = l->rules.limits.min_s, high = l->rules.limits.max_s;
	if (l->shape == POSITIVE || l->shape == CHAIN)
		return at_most(ttl < low ? low : ttl, high);
	return at_most(ttl, l->rules.limits.negative_s);
}

static uint64_t model_record_ttl(const struct life *l, unsigned i)
{
	uint64_t ttl = said(l->wire_ttl[i]);
	unsigned set = l->shape == CHAIN && l->records > 1; // where the addresses begin
	for (unsigned k = set; i >= set && k < l->records; k++)
		ttl = at_most(ttl, said(l->wire_ttl[k])); // RFC 2181 5.2
	if (l->shape == NXDOMAIN || l->shape == NODATA)
		ttl = at_most(ttl, said(l->soa_minimum)); // RFC 2308 5
	return model_ttl(l, ttl);
}

static uint64_t model_stored(const struct life *l)
{
	if (l->records == 0)
		return 0; // RFC 2308 5
	uint64_t least = UINT64_MAX;
	for (unsigned i = 0; i < l->records; i++)
		least = at_most(least, model_record_ttl(l, i));
	return least;
}

static uint64_t model_hard(const struct life *l)
{
	uint64_t stored = model_stored(l), window = l->rules.stale_window_s;
	return stored
	       + (l->rules.stale_bound == STALE_BOUND_STORED ? at_most(stored, window) : window);
}

static uint64_t model_client_ttl(const struct life *l, unsigned i, uint64_t age_ms, bool stale)
{
	uint64_t left = stale ? l->stale_ttl : model_record_ttl(l, i) - age_ms / 1000;
	return l->client_cap ? at_most(left, l->client_cap) : left;
}

static uint32_t ttl_of_reply(const uint8_t *msg, size_t len, unsigned nth)
{
	struct rd r = rd_init(msg, len);
	struct dns_name name;
	uint8_t wire_case[DNS_NAME_MAX];
	rd_skip(&r, DNS_HEADER_LEN);
	assert_int_equal(dns_name_read(&r, &name), 0);
	rd_skip(&r, 4);
	for (;; nth--) {
		assert_int_equal(dns_name_read_compressed(&r, &name, wire_case), 0);
		rd_skip(&r, 4);
		uint32_t ttl = rd_u32(&r);
		rd_skip(&r, rd_u16(&r));
		assert_true(rd_ok(&r));
		if (nth == 0)
			return ttl;
	}
}

// One look at the record, `now_ms` wherever the clock may be.
static void look(const struct life *l, const struct l0_view *v, struct dns_query *q,
	uint64_t created_ms, uint64_t now_ms)
{
	uint64_t age_ms = now_ms > created_ms ? now_ms - created_ms : 0;
	enum l0_age want = age_ms < model_stored(l) * 1000 ? L0_FRESH
			   : age_ms < model_hard(l) * 1000 ? L0_SOFT_EXPIRED
							   : L0_HARD_EXPIRED;
	assert_int_equal(l0_age_of(v, now_ms), want);
	if (want == L0_HARD_EXPIRED)
		return;
	const struct dns_reply_opts o = {
		.age_s = (uint32_t)(age_ms / 1000),
		.ttl_cap_s = (uint32_t)l->client_cap,
		.ttl_fixed_s = (uint32_t)l->stale_ttl,
		.has_ttl_fixed = want == L0_SOFT_EXPIRED,
		.ede = DNS_EDE_NONE,
		.limit = DNS_MESSAGE_MAX,
	};
	static uint8_t msg[DNS_MESSAGE_MAX];
	uint16_t sum;
	memcpy(msg + DNS_HEADER_LEN, q->name.wire, q->name.len);
	put_u16(msg + DNS_HEADER_LEN + q->name.len, q->qtype);
	put_u16(msg + DNS_HEADER_LEN + q->name.len + 2, q->qclass);
	size_t len = dns_reply_answer(msg, sizeof(msg), q, &v->answer, &o, &sum);
	assert_int_equal(sum, csum_partial(msg, len));
	for (unsigned i = 0; i < l->records; i++)
		assert_int_equal(
			ttl_of_reply(msg, len, i), model_client_ttl(l, i, age_ms, o.has_ttl_fixed));
}

static void looks(const struct life *l, const struct l0_view *v, struct dns_query *q,
	uint64_t created_ms, struct dns_rand *r)
{
	uint64_t soft = model_stored(l) * 1000, hard = model_hard(l) * 1000;
	const uint64_t ages[] = {0, 1, 999, 1000, soft - 1, soft, soft + 1, hard - 1, hard,
		hard + 1, dns_rand_next(r) % (hard + 1), UINT32_MAX, (uint64_t)UINT32_MAX + 1,
		(uint64_t)UINT32_MAX * 1000};
	for (unsigned i = 0; i < ARRAY_LEN(ages); i++)
		if (ages[i] < UINT64_MAX / 2)
			look(l, v, q, created_ms, created_ms + ages[i]);
	look(l, v, q, created_ms, created_ms - 1); // another core's clock, read a moment before
	look(l, v, q, created_ms, 0);
}

TEST(test_answers_age_as_the_model_says)
{
	struct dns_rand r = {.state = 20261120};
	static struct dns_build b;
	static struct dns_answer a;
	struct box box;
	unsigned kept = 0, not_kept = 0;
	assert_true(box_open(&box, 1 << 20, 2));
	for (unsigned round = 0; round < ROUNDS; round++) {
		struct life l = any_life(&r);
		life_reply(&l, &b);
		struct dns_query q = build_query(&b, false);
		q.has_opt = false;
		assert_int_equal(dns_answer_read(b.buf, b.w.pos, &q, &l.rules.limits, &a), 0);
		assert_int_equal(a.ttl_s, model_stored(&l));
		struct l0_put put = {
			.answer = dns_answer_view_of(&a),
			.created_ms =
				1 + dns_rand_next(&r) % ((uint64_t)1 << dns_rand_below(&r, 40)),
			.refresh_ms = UINT32_MAX,
			.auth_ttl_s = a.auth_ttl_s,
		};
		ttl_record_times(&l.rules, a.ttl_s, &put.soft_ms, &put.hard_ms);
		l0_key_of_query(l0_writer_reader(box.w), &q, 0, &put.key);
		assert_int_equal(l0_writer_put(box.w, &put), 0);
		const struct l0_reader *l0 = l0_writer_reader(box.w);
		uint64_t anomalies = 0;
		uint32_t number = l0_find(l0, &put.key, l0_candidate(l0, put.key.hash), &anomalies);
		struct l0_view v;
		assert_true(number != L0_NONE && l0_record_read(l0, number, &v));
		looks(&l, &v, &q, put.created_ms, &r);
		a.ttl_s ? kept++ : not_kept++;
		l0_writer_reclaim(box.w);
	}
	// Both happen often enough for the run to mean something.
	assert_true(kept > ROUNDS / 2 && not_kept > ROUNDS / 100);
	box_close(&box);
}

TEST(test_hard_expiry)
{
	struct ttl_rules rules = {.stale_window_s = 3600};
	uint32_t soft, hard;
	ttl_record_times(&rules, 300, &soft, &hard);
	assert_int_equal(soft, 300000);
	assert_int_equal(hard, 3900000);
	rules.stale_bound = STALE_BOUND_STORED; // min(stored, grace), as the reference has it
	ttl_record_times(&rules, 300, &soft, &hard);
	assert_int_equal(hard, 600000);
	ttl_record_times(&rules, 7200, &soft, &hard);
	assert_int_equal(hard, 10800000);
	ttl_record_times(&rules, UINT32_MAX, &soft, &hard);
	assert_int_equal(soft, UINT32_MAX);
	assert_int_equal(hard, UINT32_MAX);
}
