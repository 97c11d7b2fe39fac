// SPDX-License-Identifier: BSD-3-Clause

// The plain hit against its twin: random even records, questions and options, read back through
// the table; where l0_hit_reply answers, bytes and sum must be what l0_read_record and
// dns_reply_fast make of the same record, and where it declines nothing may have been written.
// Records often end with the table, and rooms with the reply, and nothing beyond may be touched.

#include "dataplane/core/l0/l0_hit.h"
#include "tests/unit/core/dns/dns_rand.h"
#include "tests/unit/guard.h"

enum { UNITS = 12, ROUNDS = 60000, MESSAGE_MOST = 700 };

static struct dns_rand rnd = {7};

static uint32_t below(uint32_t n)
{
	return dns_rand_below(&rnd, n);
}

// A record in the last `units` units; what is random in it is what a writer may put there.
static struct l0_record *make_record(const struct guard *g, unsigned units, uint64_t now_ms)
{
	struct l0_record *p = (struct l0_record *)(void *)(g->end - units * L0_UNIT);
	for (uint8_t *at = (uint8_t *)p; at < g->end; at++)
		*at = (uint8_t)dns_rand_next(&rnd);
	unsigned step = 12 + below(24), count = 1 + below(6);
	p->name_len = (uint8_t)(1 + below(40));
	p->flags = L0_RECORD_EVEN | (below(2) ? L0_RECORD_AUTHENTICATED : 0);
	p->flags |= (below(8) ? 0 : L0_RECORD_STAMPED) | (below(8) ? 0 : L0_RECORD_MASKED);
	p->ancount = below(count + 1);
	p->nscount = count - p->ancount;
	p->ttls = (uint16_t)step;
	p->answer_len = (uint16_t)(step * count);
	p->created_ms = now_ms - below(100000) + (below(16) ? 0 : 1000);
	p->soft_ms = below(16) ? 200000 : below(100000);
	p->then_ms = below(4) ? UINT32_MAX : below(200000);
	uint8_t *answer = (uint8_t *)(p + 1) + p->name_len;
	uint32_t ttl = htobe32(below(300));
	for (unsigned i = 0; i < count; i++) {
		uint8_t *at = answer + DNS_TTL_FIRST + i * step;
		if (at + 4 <= g->end)
			memcpy(at, &ttl, sizeof(ttl));
		if (below(4) == 0)
			ttl = below(2) ? htobe32(below(300)) : (uint32_t)dns_rand_next(&rnd);
	}
	return p;
}

static void make_query(struct dns_query *q, uint8_t *msg)
{
	uint8_t bytes[DNS_HEADER_LEN + 64] = {0};
	*q = (struct dns_query){.has_opt = (uint8_t)below(3), .qclass = DNS_CLASS_IN};
	for (unsigned i = 0; i < DNS_COOKIE_LEN; i++)
		q->cookie[i] = (uint8_t)dns_rand_next(&rnd);
	q->question_len = (uint16_t)(5 + below(40));
	q->dnssec_ok = q->has_opt && below(2);
	q->udp_size = q->has_opt && below(2) ? 1232 : 512;
	q->id = (uint16_t)dns_rand_next(&rnd);
	q->flags = (uint16_t)(below(2) * DNS_FLAG_RD + below(2) * DNS_FLAG_CD
			      + below(2) * DNS_FLAG_AD + below(2) * DNS_FLAG_Z);
	bytes[0] = (uint8_t)(q->id >> 8);
	bytes[1] = (uint8_t)q->id;
	bytes[2] = (uint8_t)(q->flags >> 8);
	bytes[3] = (uint8_t)q->flags;
	bytes[5] = 1;
	bytes[11] = q->has_opt != DNS_OPT_NONE;
	for (unsigned i = 0; i < q->question_len; i++)
		bytes[DNS_HEADER_LEN + i] = (uint8_t)dns_rand_next(&rnd);
	memcpy(msg, bytes, DNS_HEADER_LEN + q->question_len);
}

// True: answered.
static bool check_once(const struct guard *table, const struct guard *message)
{
	const uint64_t now_ms = 1000000;
	unsigned units = 2 + below(UNITS - 2), room = 120 + below(MESSAGE_MOST - 120);
	struct l0_reader r = {.units = table->end - UNITS * L0_UNIT, .unit_count = UNITS};
	make_record(table, units, now_ms);
	struct l0_bounds bounds = {0};
	struct l0_view view = {0};
	struct dns_query q;
	uint8_t *msg = message->end - room, twin[MESSAGE_MOST], was[MESSAGE_MOST];
	make_query(&q, msg);
	memcpy(twin, msg, room);
	memcpy(was, msg, room);
	if (!l0_bounds_read(&r, UNITS - units, &bounds))
		return false;
	assert_true(l0_read_record(&r, UNITS - units, &view));

	const struct l0_found f = l0_found_of(&bounds);
	const struct l0_hit_terms t = {
		now_ms, below(2) ? UINT32_MAX : 1 + below(400), below(4) ? 1232 : 60 + below(200)};
	uint64_t sum = csum_wide(msg + DNS_HEADER_LEN, q.question_len);
	uint32_t len = l0_hit_reply(&f, &q, msg, room, &t, &sum);
	if (len == 0) {
		assert_memory_equal(msg, was, room);
		return false;
	}
	uint64_t age_ms = now_ms - view.created_ms;
	assert_true(now_ms >= view.created_ms && l0_age_of(&view, now_ms) == L0_FRESH);
	assert_false(view.masked || view.stale_until_ms || age_ms >= view.refresh_ms);
	const struct dns_reply_opts o = {.age_s = (uint32_t)(age_ms / 1000),
		.ttl_cap_s = t.most_ttl_s,
		.ede = DNS_EDE_NONE,
		.limit = (uint16_t)t.limit};
	uint16_t twin_sum = 0;
	assert_int_equal(dns_reply_fast(twin, room, &q, &view.answer, &o, &twin_sum), len);
	assert_memory_equal(msg, twin, len);
	assert_int_equal(csum_fold(sum) % 0xffff, twin_sum % 0xffff);
	return true;
}

TEST(test_twin)
{
	struct guard table = guard_open(), message = guard_open();
	unsigned answered = 0;
	for (unsigned i = 0; i < ROUNDS; i++)
		answered += check_once(&table, &message);
	assert_in_range(answered, ROUNDS / 20, ROUNDS * 3 / 4);
	guard_close(&table);
	guard_close(&message);
}
