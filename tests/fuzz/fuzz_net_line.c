// SPDX-License-Identifier: BSD-3-Clause

// The line for plain frames against the steps that it stands for (as test_net_line, but with any
// octets): what the line takes the steps must keep, with the same offsets and flags. The first
// octet chooses what the port says of checksums, and whether the IPv4 header's is put right.

#include "../../dataplane/net_line.h"
#include "../../dataplane/stages.h"
#include "../dp/wire.h"
#include "fuzz.h"

#include <arpa/inet.h>

// stage_net without its line.
static bool no_line(const struct batch *, struct packet *)
{
	return false;
}
void steps_alone(struct batch *b);
#define net_line  no_line
#define stage_net steps_alone
#include "../../dataplane/stage_net.c"
#undef net_line
#undef stage_net

enum { TRUSTED = 1, GOOD = 2, SEALED = 4, FRAME_MIN = 15, FRAME_MOST = 1600 };

static struct worker_service service;
static struct stats_worker stats;
static struct worker worker = {.service = &service, .stats = &stats};
static struct worker_port port = {.has_exception = true};
static struct batch one;

int LLVMFuzzerInitialize(int *, char ***)
{
	FUZZ_CHECK(inet_pton(AF_INET, WIRE_SERVICE4, &service.v4[0]) == 1);
	FUZZ_CHECK(inet_pton(AF_INET6, WIRE_SERVICE6, service.v6[0]) == 1);
	service.v4_count = service.v6_count = 1;
	return 0;
}

static struct packet *batch_of(struct rte_mbuf *m)
{
	one.w = &worker;
	one.port = &port;
	one.count = 1;
	one.kernel_count = one.drop_count = one.tx_count = 0;
	one.pkt[0] = &one.store[0];
	one.store[0].m = m;
	return &one.store[0];
}

static void seal(uint8_t *frame, size_t len)
{
	unsigned l3 = frame[12] == 0x81 && frame[13] == 0 ? 18 : 14;
	if (len < l3 + 20 || frame[l3] >> 4 != 4)
		return;
	memset(frame + l3 + 10, 0, 2);
	uint16_t sum = (uint16_t)~csum_fold_wire(csum_wide(frame + l3, 20));
	memcpy(frame + l3 + 10, &sum, sizeof sum);
}

static void check_kept(const struct packet *line, const struct rte_mbuf *m)
{
	static const struct stats_worker untouched;
	const struct packet *p = &one.store[0];
	FUZZ_CHECK(one.count == 1 && line->ip_version == p->ip_version);
	FUZZ_CHECK(line->has_vlan == p->has_vlan && line->zero_csum == p->zero_csum);
	FUZZ_CHECK(line->l3 == p->l3 && line->l4 == p->l4);
	FUZZ_CHECK(line->dns == p->dns && line->dns_len == p->dns_len);
	FUZZ_CHECK(memcmp(&stats, &untouched, sizeof stats) == 0);
	FUZZ_CHECK(p->dns + p->dns_len <= m->data_len);
	const uint8_t *rest = rte_pktmbuf_mtod_offset(m, const uint8_t *, p->dns + 12);
	if (line->rest_sum)
		FUZZ_CHECK(csum_fold(line->rest_sum) == csum_partial(rest, p->dns_len - 12u));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	if (len < 1 + FRAME_MIN || len > FRAME_MOST)
		return 0;
	uint8_t mode = data[0], *frame = malloc(--len);
	FUZZ_CHECK(frame);
	memcpy(frame, data + 1, len);
	if (mode & SEALED)
		seal(frame, len);
	struct rte_mbuf m = {.buf_addr = frame,
		.buf_len = (uint16_t)len,
		.data_len = (uint16_t)len,
		.pkt_len = (uint32_t)len,
		.nb_segs = 1,
		.ol_flags = mode & GOOD ? RTE_MBUF_F_RX_L4_CKSUM_GOOD : 0};
	port.rx_csum_trusted = mode & TRUSTED;
	struct packet *p = batch_of(&m);
	bool is_taken = net_line(&one, p);
	const struct packet line = *p;
	(void)batch_of(&m);
	steps_alone(&one);
	if (is_taken)
		check_kept(&line, &m);
	FUZZ_CHECK(one.count + one.kernel_count + one.drop_count + one.tx_count == 1);
	memset(&stats, 0, sizeof stats);
	free(frame);
	return 0;
}
