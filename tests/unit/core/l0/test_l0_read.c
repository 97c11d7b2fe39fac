// SPDX-License-Identifier: BSD-3-Clause

// The reader's steps in line, with the end of the table at the end of what may be read: any record
// in its last units, whatever lengths it claims, read and made into a reply; and the key compare of
// every length against memcmp.

#include "dataplane/core/l0/l0_read.h"
#include "tests/unit/core/dns/dns_rand.h"
#include "tests/unit/guard.h"

static struct dns_rand rnd = {5};

TEST(test_key_compare)
{
	struct guard a = guard_open(), b = guard_open();
	for (unsigned n = 1; n <= DNS_NAME_MAX; n++) {
		uint8_t *x = a.end - n, *y = b.end - n, *z = b.first;
		for (unsigned i = 0; i < n; i++)
			x[i] = y[i] = z[i] = (uint8_t)dns_rand_next(&rnd);
		assert_true(l0_bytes_same(x, y, n));
		assert_true(l0_bytes_same(z, x, n));
		for (unsigned i = 0; i < n; i++) {
			uint8_t bit = (uint8_t)(1 << dns_rand_below(&rnd, 8));
			y[i] ^= bit;
			z[i] ^= bit;
			assert_false(l0_bytes_same(x, y, n));
			assert_false(l0_bytes_same(z, x, n));
			y[i] ^= bit;
			z[i] ^= bit;
		}
	}
	guard_close(&a);
	guard_close(&b);
}

// A record in the last `units` units, of lengths that often just fit.
static struct l0_record *hostile_record(const struct guard *g, unsigned units)
{
	struct l0_record *p = (struct l0_record *)(void *)(g->end - units * L0_UNIT);
	for (uint8_t *at = (uint8_t *)p; at < g->end; at++)
		*at = (uint8_t)dns_rand_next(&rnd);
	bool even = dns_rand_below(&rnd, 2);
	unsigned count = dns_rand_below(&rnd, 8);
	p->name_len = (uint8_t)dns_rand_below(&rnd, 40);
	p->flags = (even ? L0_RECORD_EVEN : 0) | (dns_rand_below(&rnd, 3) ? 0 : L0_RECORD_MASKED);
	p->ancount = count;
	p->nscount = dns_rand_below(&rnd, 2);
	p->ttls = (uint16_t)(even ? dns_rand_below(&rnd, 40) : count);
	struct l0_layout l = l0_layout_of(p->name_len, even ? 0 : count, 0, p->flags);
	int left = (int)(units * L0_UNIT) - (int)l.end + (int)dns_rand_below(&rnd, 3) - 1;
	if (dns_rand_below(&rnd, 3))
		p->answer_len = (uint16_t)(left > 0 ? left : 0);
	uint8_t *off = (uint8_t *)p + l.ttl_off;
	for (unsigned i = 0; !even && i < count && off + 2 <= g->end && p->answer_len > 4; i++) {
		unsigned last = p->answer_len - 4u;
		uint16_t at =
			(uint16_t)(dns_rand_below(&rnd, 2) ? last : dns_rand_below(&rnd, last + 1));
		at += dns_rand_below(&rnd, 16) == 0; // one byte too far
		memcpy(off, &at, sizeof(at));
		off += sizeof(at);
	}
	return p;
}

static void make_reply(const struct l0_view *v, const struct guard *room)
{
	const struct dns_reply_opts o = {.age_s = 5, .ede = DNS_EDE_NONE, .limit = DNS_MESSAGE_MAX};
	struct dns_query q = {.question_len = 17};
	size_t cap = 12u + q.question_len + v->answer.len;
	uint8_t *msg = room->end - cap;
	uint16_t sum;
	assert_int_equal(dns_reply_answer(msg, cap, &q, &v->answer, &o, &sum), cap);
}

TEST(test_records_at_the_end)
{
	struct guard g = guard_open(), room = guard_open();
	struct l0_reader r = {.units = g.first, .unit_count = GUARD_ROOM / L0_UNIT};
	unsigned read = 0, refused = 0;
	for (unsigned round = 0; round < 200000; round++) {
		unsigned units = 2 + dns_rand_below(&rnd, 14);
		const struct l0_record *p = hostile_record(&g, units);
		uint32_t number = r.unit_count - units;
		uint8_t name[DNS_NAME_MAX] = {0};
		size_t there = (size_t)(g.end - (const uint8_t *)(p + 1));
		memcpy(name, p + 1, p->name_len < there ? p->name_len : there);
		bool same = dns_rand_below(&rnd, 2);
		name[0] ^= !same;
		struct l0_key key = {.name = name};
		key.word = l0_key_word(p->key_word);
		uint64_t anomalies = 0;
		struct l0_view v;
		struct l0_found found;
		bool is = l0_read_is(&r, number, &key, &found, &anomalies);
		if (!l0_read_record(&r, number, &v)) {
			refused++;
			continue;
		}
		read++;
		assert_int_equal(anomalies, 0);
		assert_int_equal(is, same);
		assert_true(v.answer.bytes + v.answer.len <= g.end);
		for (unsigned i = 0; i < v.answer.ttl_count; i++)
			assert_true(dns_answer_ttl_at(&v.answer, i) + 4 <= v.answer.len);
		make_reply(&v, &room);
	}
	assert_true(read > 10000 && refused > 10000);
	guard_close(&g);
	guard_close(&room);
}
