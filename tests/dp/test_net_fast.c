// SPDX-License-Identifier: BSD-3-Clause

// The line for plain queries against the steps that it stands for: frames of every kind, most of
// them damaged, at the end of what may be read. What the line takes the steps must keep, with the
// same offsets and flags and nothing counted; and the line must take what is plain.

#include "net_fast_twin.h"
#include "tests/unit/core/dns/dns_rand.h"
#include "tests/unit/guard.h"

enum { ROUNDS = 300000 };

static struct dns_rand rnd = {17};

static uint32_t below(uint32_t n)
{
	return dns_rand_below(&rnd, n);
}

// True: a plain query, as it was made.
static bool make(uint8_t *frame, size_t *len)
{
	static const char *const names[] = {"", "a.example", "Warm.Example", "abcdefg.example.net"};
	struct wire_query q = {
		.name = names[below(4)],
		.version = below(2) ? 6 : 4,
		.has_vlan = below(2),
		.src_port = below(8) ? (uint16_t)(54 + below(65000)) : (uint16_t)(1 + below(60)),
		.csum = below(8) ? WIRE_CSUM_RIGHT : (enum wire_csum)below(4),
		.fragment = below(8) ? 0x4000 : (uint16_t)(0x2000 >> below(14)),
		.edns = below(2),
		.padding = below(4) ? 0 : below(20),
		.extra_bytes = below(4) ? 0 : below(20),
	};
	q.ip_option_len = q.version == 4 && below(8) == 0 ? 4 * (1 + below(10)) : 0;
	*len = wire_make(&q, frame);
	bool fits = q.csum == WIRE_CSUM_RIGHT || (q.csum == WIRE_CSUM_PARTIAL && port.has_partial);
	bool plain = q.src_port > 53 && fits && !q.ip_option_len
		     && (q.version == 6 || q.fragment == 0x4000);
	if (below(3) == 0)
		return plain;
	for (unsigned n = 1 + below(2); n > 0; n--) {
		uint32_t at = below(2) ? below(72) : below((uint32_t)*len);
		if (at < *len)
			frame[at] = below(2) ? frame[at] ^ (uint8_t)(1 << below(8))
					     : (uint8_t)below(256);
	}
	if (below(4) == 0)
		*len = 14 + below((uint32_t)*len - 13);
	if (below(2))
		fix_ip_csum(frame, *len);
	return false;
}

static void check_kept(const struct packet *line, const struct rte_mbuf *m)
{
	static const struct stats_worker untouched;
	const struct packet *p = &one.store[0];
	assert_int_equal(one.count, 1);
	assert_int_equal(line->ip_version, p->ip_version);
	assert_int_equal(line->has_vlan, p->has_vlan);
	assert_int_equal(line->zero_csum, p->zero_csum);
	assert_int_equal(line->l3, p->l3);
	assert_int_equal(line->l4, p->l4);
	assert_int_equal(line->dns, p->dns);
	assert_int_equal(line->dns_len, p->dns_len);
	assert_memory_equal(&stats, &untouched, sizeof(stats));
	const uint8_t *rest = rte_pktmbuf_mtod_offset(m, const uint8_t *, p->dns + 12);
	if (line->rest_sum)
		assert_int_equal(csum_fold(line->rest_sum), csum_partial(rest, p->dns_len - 12u));
}

// Its `len` bytes end where the page does, but for a byte if they are to begin at an even
// address, as frames do in packets and the steps' headers ask for.
static uint8_t *place(const struct guard *g, const uint8_t *made, size_t len, bool even)
{
	uint8_t *frame = g->end - len - (even ? len % 2 : 0);
	memcpy(frame, made, len);
	return frame;
}

TEST(test_twin)
{
	struct guard g = guard_open();
	unsigned taken = 0, damaged = 0;
	assert_true(twin_serve());
	for (unsigned i = 0; i < ROUNDS; i++) {
		uint8_t made[WIRE_MAX];
		size_t len;
		port.has_partial = below(2);
		bool plain = make(made, &len);
		struct rte_mbuf m = {.buf_addr = place(&g, made, len, false),
			.buf_len = (uint16_t)len,
			.data_len = (uint16_t)len,
			.pkt_len = (uint32_t)len,
			.nb_segs = 1,
			.ol_flags = below(4) ? 0 : RTE_MBUF_F_RX_L4_CKSUM_GOOD};
		struct packet *p = batch_of(&m);
		bool is_taken = net_fast(&one, p);
		const struct packet line = *p;
		(void)batch_of(&m);
		m.buf_addr = place(&g, made, len, true);
		steps_alone(&one);
		if (is_taken)
			check_kept(&line, &m);
		else
			assert_false(plain);
		assert_int_equal(one.count + one.kernel_count + one.drop_count + one.tx_count, 1);
		memset(&stats, 0, sizeof(stats));
		taken += is_taken;
		damaged += is_taken && !plain;
	}
	assert_true(taken > ROUNDS / 5 && damaged > ROUNDS / 50);
	guard_close(&g);
}
