// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The addresses of servers that are given by a host name, as the latest lookup has found them. One
// for the process, static: CONFIG_HOSTS_MAX names, each with its port.
//
// Threads: the first resolver's loop writes it (upstream/upstream_lookup.h, drains). Any thread
// reads: host_board_turn is one load (acquire: who sees a new turn reads the state it stands for);
// the others take a lock, and are for changes of addresses and for status.

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <weir/attr.h>
#include <weir/config.h>

enum { HOST_ADDRESSES_MAX = 2 * CONFIG_HOST_ADDRESSES, HOST_WHY_MAX = 96 };

struct host_state {
	char host[CONFIG_TLS_NAME_MAX + 1];
	uint16_t port;
	bool is_drained; // an operator drained it, and so each address that it gets
	unsigned count;  // how many it has; 0: no address was ever found
	struct ip_address
		address[HOST_ADDRESSES_MAX]; // IPv4 before IPv6, in the order of their bytes
	uint64_t since_ms;                   // when the name was configured; clock_mono_ms
	uint64_t resolved_ms;                // when the latest lookup found addresses; 0: never
	uint64_t next_ms;                    // when the next lookup begins
	uint64_t lookups, failures, changes;
	uint64_t refused;       // addresses found that no server may have: weir's own, or no host's
	uint64_t left_out;      // addresses found for which there was no room
	uint64_t unreachable;   // addresses found to which the kernel has no route
	char why[HOST_WHY_MAX]; // why the latest lookup failed; "": it did not fail
};

bool host_state_same(const struct host_state *a, const struct host_state *b); // addresses

// The names from now on. Those that stay keep their state.
void host_board_configure(
	const struct config_upstream *const *hosts, unsigned count, uint64_t now_ms);
// The state of a name after a lookup, but `is_drained`. A name that is not on the board is ignored.
void host_board_put(const struct host_state *state);
// Changes with each change of addresses, with drains, and when lookups begin to fail or no longer
// do. Any thread, as the rest.
uint64_t host_board_turn(void);
// The state of a name; all zeros but name and port if it is not on the board. False then.
bool host_board_get(const struct config_upstream *s, struct host_state *out);
// The state of the `i`th name; false: there are no more.
bool host_board_at(unsigned i, struct host_state *out);
// Drains the name, with the addresses that it gets later, or ends that. Sets of servers follow the
// turn (upstreams_follow_hosts).
void host_board_drain(const struct config_upstream *s, bool is_drained);

// What the lookups of the names hold, for the memory accounts.
void host_board_memory(size_t bytes);
struct table_registry;
void host_board_tables(struct table_registry *tables);
