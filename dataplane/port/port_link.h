// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Link state of the ports: noticed, logged, and shown in the statistics.
//
// A NIC that interrupts on a change is checked within one round of housekeeping, every port once a
// second besides. Workers go on serving a port whose link is down: its queues are just empty. The
// callback runs on EAL's interrupt thread and only raises a flag; everything else is the main
// lcore's.
//
// The TAP driver looks up its interface by name, and finds none when it was moved into another
// network namespace. So the state of a TAP comes from its queue, which is writable while the
// interface is up (tun_chr_poll, Linux 4.20).

#include <rte_ethdev.h>

#include <stdbool.h>
#include <weir/shm_stats.h>

struct port_link {
	bool seen; // read at least once
	bool up;
	uint32_t speed_mbps;    // 0: unknown
	uint32_t changes;       // since the first look
	_Atomic uint32_t event; // raised by the interrupt thread
	bool interrupts;
	bool is_tap;
	bool was_up;  // the driver has reported it once
	bool carries; // frames came
};

// Before rte_eth_dev_configure: asks for interrupts where the port has them, of a TAP for the
// descriptors of its queues.
void port_link_choose(
	const struct rte_eth_dev_info *info, struct port_link *link, struct rte_eth_conf *conf);
// After start. Without interrupts nothing is watched; a refusal means the same.
void port_link_watch(struct port_link *link, uint16_t port_id);
void port_link_unwatch(struct port_link *link, uint16_t port_id);
// True once after each interrupt.
bool port_link_has_event(struct port_link *link);

// The number of frames that the port has received. Some drivers (the e1000 that QEMU emulates)
// always report the link as down: a link that was never up by its driver counts as up when frames
// come.
void port_link_frames(struct port_link *link, uint64_t frames);

// Reads the link, logs a change, writes `out` (may be NULL). False: the interface of a TAP is gone.
bool port_link_look(
	struct port_link *link, uint16_t port_id, const char *name, struct stats_port *out);
