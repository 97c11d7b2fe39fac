// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The MAC address of a client. A worker reads it from the frame; for clients of a socket this asks
// the kernel (rtnetlink), which had to learn it to answer them. It is needed while a group has MAC
// addresses (policy.h): otherwise a client could leave its group by asking over TCP. The query log
// needs it while a client is named by its MAC address (querylog_row.h). A client behind a router
// has none.
//
// The kernel's answer is kept for FRONTEND_NEIGHBOUR_KEEP_MS, a negative one for a shorter time, in
// sets of four that a secret chooses. An address without a MAC takes the place of none that had one
// within FRONTEND_NEIGHBOUR_LAST_MS. A question to the kernel takes some 10 us; at most
// FRONTEND_NEIGHBOUR_ASKS a second, counted. Beyond that a client keeps its last MAC: a flood of
// forged addresses, and an address that was made to fall into a client's set, free no client from
// its group that asked something in these minutes. A client that is not in the table has none.
// Owned by one thread: the resolver loop, the log thread and each reply with clients
// (api_clients.c) have one each.

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
	bool has_mac;
	uint64_t until_ms; // 0: no entry
	uint8_t mac[FRONTEND_NEIGHBOUR_MAC];
};

struct frontend_neighbours {
	struct rtnl kernel; // fd -1: not wanted yet
	uint64_t second_ms, refused,
		evicted; // refused: kernel not asked; evicted: while it was good
	unsigned asked;  // in that second
	unsigned used;
	struct keyhash_secret secret; // of which addresses share a set
	struct frontend_neighbour entry[FRONTEND_NEIGHBOURS];
};

void frontend_neighbours_open(struct frontend_neighbours *n); // zeroed
void frontend_neighbours_close(struct frontend_neighbours *n);
// False: none, or none is known.
bool frontend_neighbour_mac(struct frontend_neighbours *n, const struct sockaddr *client,
	uint64_t now_ms, uint8_t mac[FRONTEND_NEIGHBOUR_MAC]);
// Of the oldest entry that is still good; walks the table when there is anything in it.
uint64_t frontend_neighbours_age(const struct frontend_neighbours *n, uint64_t now_ms);
