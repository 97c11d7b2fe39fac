// SPDX-License-Identifier: BSD-3-Clause

// The line for plain frames against the steps that it stands for (as test_net_fast, but with any
// bytes): what the line takes the steps must keep, with the same offsets and flags. The first
// byte chooses what the port says of checksums, and whether the IPv4 header's is put right.

#include "fuzz.h"
#include "tests/dp/net_fast_twin.h"

enum { PARTIAL = 1, GOOD = 2, SEALED = 4, FRAME_MIN = 15, FRAME_MOST = 1600 };

FUZZ_BEGIN
{
	FUZZ_CHECK(twin_serve());
	return 0;
}

static void check_kept(const struct packet *line, const struct rte_mbuf *m)
{
	static const struct stats_worker untouched;
	const struct packet *p = &one.store[0];
	FUZZ_CHECK(one.count == 1 && line->ip_version == p->ip_version);
	FUZZ_CHECK(line->has_vlan == p->has_vlan && line->zero_csum == p->zero_csum);
	FUZZ_CHECK(line->l3 == p->l3 && line->l4 == p->l4);
	FUZZ_CHECK(line->dns == p->dns && line->dns_len == p->dns_len);
	FUZZ_CHECK(memcmp(&stats, &untouched, sizeof(stats)) == 0);
	FUZZ_CHECK(p->dns + p->dns_len <= m->data_len);
	const uint8_t *rest = rte_pktmbuf_mtod_offset(m, const uint8_t *, p->dns + 12);
	if (line->rest_sum)
		FUZZ_CHECK(csum_fold(line->rest_sum) == csum_partial(rest, p->dns_len - 12u));
}

FUZZ_BODY(data, len)
{
	if (len < 1 + FRAME_MIN || len > FRAME_MOST)
		return 0;
	uint8_t mode = data[0], *frame = malloc(--len);
	FUZZ_CHECK(frame);
	memcpy(frame, data + 1, len);
	if (mode & SEALED)
		fix_ip_csum(frame, len);
	struct rte_mbuf m = {.buf_addr = frame,
		.buf_len = (uint16_t)len,
		.data_len = (uint16_t)len,
		.pkt_len = (uint32_t)len,
		.nb_segs = 1,
		.ol_flags = mode & GOOD ? RTE_MBUF_F_RX_L4_CKSUM_GOOD : 0};
	port.has_partial = mode & PARTIAL;
	struct packet *p = batch_of(&m);
	bool is_taken = net_fast(&one, p);
	const struct packet line = *p;
	(void)batch_of(&m);
	steps_alone(&one);
	if (is_taken)
		check_kept(&line, &m);
	FUZZ_CHECK(one.count + one.kernel_count + one.drop_count + one.tx_count == 1);
	memset(&stats, 0, sizeof(stats));
	free(frame);
	return 0;
}
