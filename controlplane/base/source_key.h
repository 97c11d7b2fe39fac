// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The key by which clients are counted: an IPv4 address, or the /64 of an IPv6 address. Any thread.

#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>

enum { SOURCE_KEY_LEN = 9 };

struct source_key {
	uint8_t bytes[SOURCE_KEY_LEN]; // the family, then the address; all 0: another family
};
struct source_key source_key_of(const struct sockaddr_storage *a);

static inline bool source_key_equal(const struct source_key *a, const struct source_key *b)
{
	return memcmp(a->bytes, b->bytes, sizeof(a->bytes)) == 0;
}

// A /64 may be one host or a whole LAN. So each of its addresses has a client's share, and all of
// them together have SOURCE_NETWORK_TIMES as much: one address leaves the others something, and a
// client with a whole /64 has a bound.
enum { SOURCE_ID_LEN = 17, SOURCE_NETWORK_TIMES = 4, SOURCE_KIND_NETWORK = 250 };

struct source_id {
	// The family, then the address; or SOURCE_KIND_NETWORK, then a /64; all 0: no source.
	uint8_t bytes[SOURCE_ID_LEN];
};

static inline bool source_id_is_none(const struct source_id *id)
{
	return id->bytes[0] == 0;
}

static inline bool source_id_equal(const struct source_id *a, const struct source_id *b)
{
	return memcmp(a->bytes, b->bytes, sizeof(a->bytes)) == 0;
}

struct source_ids {
	struct source_id own, network; // network: only for IPv6
};
struct source_ids source_ids_of(const struct sockaddr_storage *a);
