// SPDX-License-Identifier: BSD-3-Clause
#pragma once

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

#include <rte_ethdev.h>

#include <stdbool.h>

// True for drivers that copy each frame and do nothing in hardware.
bool port_offload_is_software(const char *driver);

// `has_partial`: received checksums may be partial. Sets conf->rxmode.offloads and
// conf->txmode.offloads.
void port_offload_choose(
	const struct rte_eth_dev_info *info, bool has_partial, struct rte_eth_conf *conf);
