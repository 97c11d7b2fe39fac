// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// A batch: the frames of one receive burst on their way through the stages.
//
// Each stage works on pkt[0..count), settles some and compacts the rest to the front, in order. A
// settled frame has its verdict counted and its mbuf moved to one of the three out lists, which
// stage_tx empties at the end of the turn; from then on the batch holds no reference to it. One
// struct batch per worker lives on the worker's stack and is used again each turn.

#include "worker.h"

struct packet {
	struct rte_mbuf *m;
	uint16_t l3; // offsets from the start of the frame
	uint16_t l4;
	uint16_t dns;
	uint16_t dns_len; // by the UDP header
	uint8_t ip_version;
	bool has_vlan;
	uint16_t vlan_tci;
	struct dns_query q;
	struct l0_key key;
	uint32_t candidate; // L0 record to try first
	uint32_t record;    // L0 record found, or L0_NONE
	struct rule_probe probe;
};

struct batch {
	struct worker *w;
	const struct worker_port *port;
	uint64_t now_ms;
	unsigned count;
	struct packet *pkt[WORKER_BATCH];

	unsigned tx_count, kernel_count, drop_count;
	struct rte_mbuf *tx[WORKER_BATCH];
	struct rte_mbuf
		*kernel[WORKER_BATCH]; // counted to_kernel or drop_exception_full by stage_tx
	struct rte_mbuf *drop[WORKER_BATCH];

	bool rang; // something was put on the miss ring
	struct packet store[WORKER_BATCH];
};
