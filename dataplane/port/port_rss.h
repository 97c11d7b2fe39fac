// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// How a port with several queues spreads clients over the workers: the hash and its table.
//
// By addresses and ports of UDP and TCP, or as much of it as the port can. The key is drawn at each
// start (`plain`), so that a client cannot choose source ports that all lead to one worker, until
// it is one with which the last 12 bits of source ports and addresses reach all of the table; or it
// is the well-known one of 16 repeated bits (`symmetric`), with which both directions of a flow
// hash alike, for traffic mirrors, but which has only 16 bits of entropy and is public. The table
// (RETA) is filled round robin, so that no queue has more than one entry more than another,
// whatever the driver's default. Ports that take no key (memif, ring, af_packet, TAP) spread by a
// hash of their own. Main lcore, at start only.

#include <rte_ethdev.h>

#include <weir/attr.h>
#include <weir/config.h>

enum { PORT_RSS_KEY_MAX = 64, PORT_RSS_KEY_LEN = 40 };

// Chooses mode, key and fields for `queues` RX queues. `key` holds PORT_RSS_KEY_MAX bytes and must
// live as long as the port: the configuration keeps the pointer, and many drivers (ixgbe, i40e)
// read the key only when the port starts. -EIO: no random numbers; conf unchanged.
ATTR_MUST_CHECK int port_rss_choose(const struct rte_eth_dev_info *info, unsigned queues,
	enum rss_mode mode, uint8_t *key, struct rte_eth_conf *conf);

// Fills the table of a started port with queues [first, first + queues). 1: done; 0: it has none.
// -errno from the driver.
ATTR_MUST_CHECK int port_rss_spread(
	uint16_t port_id, const struct rte_eth_dev_info *info, unsigned first, unsigned queues);
