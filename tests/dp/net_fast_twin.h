// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// What stands before the line for plain frames (net_fast.h) and the steps that it stands for, when
// one frame is given to both: stage_net without its line, and a batch of one for our addresses.
// Included once per program, as stage_net.c is compiled in it again. One thread.

#include "dataplane/stage/net_fast.h"
#include "dataplane/stage/stages.h"
#include "wire.h"

#include <arpa/inet.h>

static bool no_line(const struct batch *, struct packet *)
{
	return false;
}
void steps_alone(struct batch *b);
#define net_fast  no_line
#define stage_net steps_alone
#include "dataplane/stage/stage_net.c"
#undef net_fast
#undef stage_net

static struct worker_service service;
static struct stats_worker stats;
static struct worker_tables tables;
static struct kernel_flow_table flows;
static struct worker worker = {
	.service = &service, .stats = &stats, .kernel_flows = {.table = &flows}};
static struct worker_port port = {.has_exception = true};
static struct batch one;

// False: an address of wire.h's is none.
static bool twin_serve(void)
{
	service.v4_count = service.v6_count = 1;
	return inet_pton(AF_INET, WIRE_SERVICE4, &service.v4[0]) == 1
	       && inet_pton(AF_INET, WIRE_BROADCAST4, &service.v4_broadcast[0]) == 1
	       && inet_pton(AF_INET6, WIRE_SERVICE6, service.v6[0]) == 1;
}

static struct packet *batch_of(struct rte_mbuf *m)
{
	one.w = &worker;
	one.tables = &tables;
	one.port = &port;
	one.count = 1;
	one.kernel_count = one.drop_count = one.tx_count = 0;
	one.pkt[0] = &one.store[0];
	one.store[0].m = m;
	return &one.store[0];
}

// Puts the checksum of an IPv4 header right, if there is a whole one.
static void fix_ip_csum(uint8_t *frame, size_t len)
{
	unsigned l3 = frame[12] == 0x81 && frame[13] == 0 ? 18 : 14;
	if (len < l3 + 20 || frame[l3] >> 4 != 4)
		return;
	memset(frame + l3 + 10, 0, 2);
	uint16_t sum = (uint16_t)~csum_fold_wire(csum_wide(frame + l3, 20));
	memcpy(frame + l3 + 10, &sum, sizeof(sum));
}
