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
#include <stdint.h>
#include <weir/shm_stats.h>

// A port whose device goes away while weir runs, or that works no more until it is set up again.
//
// Noticed are: a PCI device that the kernel takes back (hot unplug, unbind: vfio asks for it and
// waits until the process lets go), a device that its driver misses (RTE_ETH_EVENT_INTR_RMV), a
// virtual function whose physical one was reset (INTR_RESET), a TAP or a shared interface that was
// deleted. The data plane then ends with a message and status 1, within two turns of housekeeping
// (the interfaces: within a second), and without a further call for this port: the kernel takes the
// device at the end of the process. The service manager starts it again, and it serves when the
// device is back. Callbacks run on EAL's interrupt thread and raise a flag; all else is the main
// lcore's.

enum port_gone_reason { PORT_GONE_NOT, PORT_GONE_REMOVED, PORT_GONE_RESET };

struct port_gone {
	_Atomic uint32_t reason; // the first that was reported
	bool watched;
};

// After start, until before stop. A refusal is logged: then such an end is not noticed.
void port_gone_watch(struct port_gone *g, uint16_t port_id, const char *name);
void port_gone_unwatch(struct port_gone *g, uint16_t port_id);
void port_gone_report(struct port_gone *g, enum port_gone_reason reason);
// What happened, for a message; NULL: nothing.
const char *port_gone_text(const struct port_gone *g);

// The offloads of a port that weir uses, and why so few.
//
// * Received checksums (IPv4, UDP), where a NIC verifies what came over a wire: a worker then does
//   not sum the query again. Not on drivers that would do it in software, nor on virtio, where the
//   offload lets frames with partial checksums in.
// * Fast free, where all that a TX queue is given comes from one pool and has one owner: always so
//   here, as a worker's queues and its pool are its own.
// * Not the checksums of replies: a hit's is made of prepared sums, while a NIC would have to be
//   given the pseudo header's sum and the second line of the packet buffer (docs/how-to/nic.md).
// * No segments: replies are in one buffer, received frames fit one, and drivers have their vector
//   paths for that. A frame that comes in segments all the same is counted (drop_chained).
// * No RSS hash in the packet: nothing would read it. L0 and the groups hash other fields, with
//   secret keys. Pure decisions, without a call of the PMD.

// True for drivers that copy each frame and do nothing in hardware.
bool port_offload_is_software(const char *driver);

// `has_partial`: received checksums may be partial. Sets conf->rxmode.offloads and
// conf->txmode.offloads.
void port_offload_choose(
	const struct rte_eth_dev_info *info, bool has_partial, struct rte_eth_conf *conf);

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
