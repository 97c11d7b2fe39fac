// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The hops image: the servers that resolvers reach through a port of the data plane, the next hop
// towards each, our source addresses, and the local ports that are ours. This header is its layout
// (behind the first page of a REGION_HOPS region) and the reader. The control plane fills in a
// struct hops_image, seals it, and publishes it by generation like the policy image.
//
// A worker frames a query (MSG_SEND) by the next hop of its server, and takes what comes from a
// server of the image to our source address and one of our ports for a reply (MSG_HEARD). All else
// is the kernel's, so an image without servers changes nothing.
//
// The reader treats the image as hostile: it checks a private copy as a whole and keeps all that
// it needs, so a lookup reads nothing of the region. A lookup of a server costs one hash, one slot
// of a table that is a quarter full at most, and one comparison. Any thread may read; nothing
// changes after hops_reader_init. Ports are in host byte order, addresses as in the packet.

#include "attr.h"
#include "keyhash.h"
#include "shm_abi.h"

#include <stdbool.h>
#include <string.h>

enum {
	HOPS_MAX = 64,
	HOPS_SERVERS_MAX = 1024,
	HOPS_RANGES_MAX = 2,
	HOPS_SLOTS = 4096, // a power of two
	HOPS_PORT_LEAST = 1024,
	HOPS_VLAN_MAX = 4094,
	HOPS_MTU_LEAST = 576,       // RFC 791: what every host takes
	HOPS_MTU_LEAST_IPV6 = 1280, // RFC 8200 5
};
#define HOPS_MAGIC   UINT64_C(0x313053504f484557) // "WEHOPS01"
#define HOPS_VERSION 1

// A next hop: the first bytes of a frame, and the port that it leaves by.
struct hops_hop {
	uint8_t destination[6], source[6]; // MAC addresses, neither of a group
	uint16_t port;                     // place in `ports` of the configuration
	uint16_t vlan;                     // 1 to HOPS_VLAN_MAX; 0: no tag
	uint16_t mtu;                      // bytes of an IP packet
	uint16_t reserved;
};
static_assert(sizeof(struct hops_hop) == 20);
static_assert(offsetof(struct hops_hop, port) == 12);

struct hops_server {
	uint8_t ip[16]; // IPv4 in the first 4, the rest 0
	uint16_t port;
	uint8_t ip_version; // 4 or 6
	uint8_t hop;        // below hop_count
};
static_assert(sizeof(struct hops_server) == 20);
static_assert(offsetof(struct hops_server, port) == 16);

struct hops_range { // both ends belong to it
	uint16_t first, last;
};

struct hops_image {
	uint64_t magic;
	uint32_t version;
	uint16_t hop_count;
	uint16_t server_count; // 0: nothing goes by the port, and no other field matters
	uint8_t source_v4[4];
	uint8_t has_v4, has_v6; // 1: there is such a source address, and servers of that version
	uint8_t resolvers;      // the resolver of a local port is its remainder by this
	uint8_t range_count;
	uint8_t source_v6[16];
	struct hops_range range[HOPS_RANGES_MAX]; // ranges of local ports
	struct hops_hop hop[HOPS_MAX];
	struct hops_server server[HOPS_SERVERS_MAX]; // no two of an address and port
	uint64_t sum;                                // contenthash of this struct up to here
};
static_assert(offsetof(struct hops_image, source_v4) == 16);
static_assert(offsetof(struct hops_image, source_v6) == 24);
static_assert(offsetof(struct hops_image, hop) == 48);
static_assert(offsetof(struct hops_image, server) == 1328);
static_assert(sizeof(struct hops_image) == 21816);

struct hops_reader {
	bool has_servers, has_v4, has_v6;
	uint8_t resolvers;
	uint8_t source_v4[4], source_v6[16];
	unsigned range_count;
	struct hops_range range[HOPS_RANGES_MAX];
	struct hops_hop hop[HOPS_MAX];
	struct hops_server server[HOPS_SERVERS_MAX];
	uint16_t slot[HOPS_SLOTS]; // hash table: a server's place and 1; 0: free
};

// Checks `size` bytes as a whole, all counts, addresses, ports and MAC addresses. -EPROTO with
// `why` filled in.
ATTR_MUST_CHECK int hops_reader_init(
	struct hops_reader *r, const void *image, size_t size, char why[128]);

// The maker's last step.
ATTR_INLINE void hops_image_seal(struct hops_image *image)
{
	image->magic = HOPS_MAGIC;
	image->version = HOPS_VERSION;
	image->sum = contenthash(image, offsetof(struct hops_image, sum));
}

// Where the search of a server begins; `ip` has all 16 bytes.
ATTR_INLINE unsigned hops_slot_of(const uint8_t ip[16], uint16_t port)
{
	const uint64_t a = keyhash_word(ip), b = keyhash_word(ip + 8);
	const uint64_t h = keyhash_fold(
		a ^ UINT64_C(0x9e3779b97f4a7c15), b ^ port ^ UINT64_C(0xc2b2ae3d27d4eb4f));
	return (unsigned)(h >> 32) % HOPS_SLOTS;
}

ATTR_INLINE bool hops_server_is(
	const struct hops_server *s, unsigned ip_version, const uint8_t ip[16], uint16_t port)
{
	return s->port == port && s->ip_version == ip_version && memcmp(s->ip, ip, 16) == 0;
}

// `ip`: 16 bytes, IPv4 in the first 4 and zeros behind it. NULL: not in the image.
ATTR_INLINE const struct hops_server *hops_server_find(
	const struct hops_reader *r, unsigned ip_version, const uint8_t ip[16], uint16_t port)
{
	for (unsigned at = hops_slot_of(ip, port); r->slot[at]; at = (at + 1) % HOPS_SLOTS) {
		const struct hops_server *s = &r->server[r->slot[at] - 1];
		if (hops_server_is(s, ip_version, ip, port))
			return s;
	}
	return NULL;
}

ATTR_INLINE bool hops_port_is_ours(const struct hops_reader *r, uint16_t port)
{
	for (unsigned i = 0; i < r->range_count; i++)
		if (port >= r->range[i].first && port <= r->range[i].last)
			return true;
	return false;
}

// Only with has_servers.
ATTR_INLINE unsigned hops_resolver_of(const struct hops_reader *r, uint16_t local_port)
{
	return local_port % r->resolvers;
}
