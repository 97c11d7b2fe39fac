// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// What clients are counted by: an IPv4 address, or the /64 of an IPv6 address. Any thread.

#include <stdint.h>
#include <sys/socket.h>

enum { SOURCE_KEY_LEN = 9 };

struct source_key {
	uint8_t bytes[SOURCE_KEY_LEN]; // the family, then the address; all 0: of no such family
};
struct source_key source_key_of(const struct sockaddr_storage *a);

// Where a /64 may be one host or a whole LAN, each address of it has a client's share, and all of
// them together SOURCE_NETWORK_TIMES as much: one of them leaves the others something, and a client
// that has a whole /64 has a bound.
enum { SOURCE_ID_LEN = 17, SOURCE_NETWORK_TIMES = 4, SOURCE_KIND_NETWORK = 250 };

struct source_id {
	// The family, then the address; of a network SOURCE_KIND_NETWORK and its /64; all 0: none.
	uint8_t bytes[SOURCE_ID_LEN];
};

struct source_ids {
	struct source_id own, network; // network: of IPv6
};
struct source_ids source_ids_of(const struct sockaddr_storage *a);
