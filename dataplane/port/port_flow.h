// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Rules that a NIC applies before a worker sees a frame (rte_flow), where its driver supports them.
//
// Steering: UDP to port 53, IPv4 and IPv6, with and without a VLAN tag, goes to the workers' queues
// by the hash, everything else to one more queue, the rest queue, which worker 0 empties after its
// own. So a flood of other traffic fills only that queue. Both are read by the same stages: a query
// that no rule matched (with IP options, say) is answered from the rest queue like any other, and
// on a port without rte_flow every queue acts like the rest queue. All rules are in place, or none.
//
// Drops: all IP from one source prefix, for abusers (port_drops.h). Dropped frames have no verdict
// and no counter of weir.
//
// Drops have the highest priority, then steering; a driver without priorities gets all rules on one
// level. Main lcore; a call may take as long as the driver's conversation with its firmware.

#include <rte_ethdev.h>

#include <weir/attr.h>
#include <weir/config.h>

enum { PORT_FLOW_RULES_MAX = 5 };

struct rte_flow;

struct port_flow {
	unsigned count;
	struct rte_flow *rule[PORT_FLOW_RULES_MAX];
};

// Steers on a started port, to queues [0, workers); `rest` is the number of the rest queue.
// `rest_is_default`: unmatched frames go there already, else a rule sends them there. True: done;
// false: the port cannot, `why` names the refused rule, and no rule is left behind.
ATTR_MUST_CHECK bool port_flow_steer(struct port_flow *flow, uint16_t port_id, unsigned workers,
	unsigned rest, bool rest_is_default, char *why, size_t cap);
void port_flow_clear(struct port_flow *flow, uint16_t port_id);

// Rules that drop frames from `source` (its prefix), without a VLAN tag and with one: to some
// drivers a pattern without a tag is one of untagged frames, and some have none with a tag, for
// which out->tagged is then NULL. -errno with `why`: the driver's words about the first.
struct port_drop {
	struct rte_flow *plain, *tagged;
};
ATTR_MUST_CHECK int port_flow_drop(struct port_drop *out, uint16_t port_id,
	const struct ip_address *source, char *why, size_t cap);
void port_flow_drop_end(struct port_drop *drop, uint16_t port_id);
