// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The MAC address of a client. A worker reads it from the frame; for a client of a socket weir asks
// the kernel (rtnetlink), which had to learn the address to answer the client. The MAC address is
// needed while a group has MAC addresses (policy.h): otherwise a client could leave its group by a
// query over TCP. The query log needs it while a client is named by its MAC address
// (querylog_row.h). No MAC address is known of a client behind a router.
//
// The kernel's answer is kept for FRONTEND_NEIGHBOUR_KEEP_MS, a negative one for a shorter time, in
// sets of four that a secret chooses. An address without a MAC address does not evict one that had
// one within FRONTEND_NEIGHBOUR_LAST_MS. A question to the kernel takes some 10 us; at most
// FRONTEND_NEIGHBOUR_ASKS are asked in a second, and the rest is counted. Beyond that a client
// keeps its last MAC address. So neither a flood of forged addresses, nor an address made to fall
// into a client's set, removes a client from its group if it sent a query in these minutes. A
// client that is not in the table has no MAC address. Owned by one thread: each frontend, the log
// thread and each reply with clients (api_clients.c) have a table.

#include "rtnl.h"

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <weir/attr.h>
#include <weir/keyhash.h>

enum {
	FRONTEND_NEIGHBOURS = 4096,
	FRONTEND_NEIGHBOUR_KEEP_MS = 5000,
	FRONTEND_NEIGHBOUR_NONE_MS = 1000,
	FRONTEND_NEIGHBOUR_LAST_MS = 600000,
	FRONTEND_NEIGHBOUR_ASKS = 2000,
	FRONTEND_NEIGHBOUR_MAC =
		8, // bytes of which 6 are the address, then zeros (policy_group_mac)
};

struct frontend_neighbour {
	uint8_t address[16]; // IPv4 in the first 4
	uint32_t scope;      // interface, for link-local addresses
	uint8_t family;
	bool has_mac;
	uint64_t until_ms; // 0: no entry
	uint8_t mac[FRONTEND_NEIGHBOUR_MAC];
};

struct frontend_neighbours {
	struct rtnl kernel; // fd -1: not opened so far
	uint64_t second_ms, refused,
		evicted; // refused: questions not asked; evicted: entries that were still good
	unsigned asked;  // questions since second_ms
	unsigned used;
	struct keyhash_secret secret; // decides which addresses share a set
	struct frontend_neighbour entry[FRONTEND_NEIGHBOURS];
};

void frontend_neighbours_open(struct frontend_neighbours *n); // `n` is zeroed
void frontend_neighbours_close(struct frontend_neighbours *n);
// False: the client has no MAC address, or it is not known.
bool frontend_neighbour_mac(struct frontend_neighbours *n, const struct sockaddr *client,
	uint64_t now_ms, uint8_t mac[FRONTEND_NEIGHBOUR_MAC]);
// The age of the oldest entry that is still good; walks the table unless it is empty.
uint64_t frontend_neighbours_age(const struct frontend_neighbours *n, uint64_t now_ms);
