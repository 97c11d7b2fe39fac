// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The headers around a DNS message: Ethernet, one 802.1Q tag, IPv4 or IPv6, UDP.
//
// Two ways out. A reply made in the received buffer keeps its headers, with both ends swapped and
// new lengths and checksums; the answer to a miss gets new ones, built from the return path that
// its message carried. Both send: no IPv4 options, identification 0 with DF (an atomic datagram,
// RFC 6864 4.1), TTL or hop limit 64, no traffic class or flow label. UDP checksums come from the
// message's sum, which dns_reply.h gives for the cost of header, question and OPT alone; nothing is
// taken from the query's checksums, so replies are right also where received ones are partial
// (AF_XDP and af_packet on veth). Pure functions, worker-local.

#include "batch.h"
#include "state/frame_size.h"

#include <weir/csum.h>
#include <weir/shm_msg.h>

// One's complement sum (dns_reply.h) of the pseudo header: both addresses (32 bytes), protocol,
// length.
uint16_t frame_pseudo_sum_ipv6(const uint8_t *addresses, uint8_t protocol, uint16_t len);

// Is this UDP checksum, as the frame has it, exactly the sum of the pseudo header, of which
// `pseudo` is the wide sum? Kernels that send over a veth leave it so for a NIC that is not there.
ATTR_INLINE bool frame_csum_is_partial(
	const struct worker_port *port, uint16_t csum, uint64_t pseudo)
{
	return unlikely_(port->has_partial) && csum == csum_fold_wire(pseudo);
}

// Is the checksum of `len` bytes of UDP at l4 right: whole, or partial where the port has such
// (frame_csum_is_partial)?
bool frame_udp_csum_fits(const struct worker_port *port, const struct packet *p, uint16_t len);

// Turns the IP header of a received packet around for `payload_len` bytes behind it. IPv4 options
// are removed: copied ones (record route, source route, time stamps) would be wrong in a reply.
// That moves the start of the frame, so l4 and dns change by as much.
void frame_turn_ip(struct packet *p, uint16_t payload_len);

// Sets the length of the packet to its headers, up to l4, and `payload_len`.
void frame_set_len(struct packet *p, uint16_t payload_len);

// Writes the return path of this query, for the miss ring. It goes by no balancer.
void frame_return_path(
	const struct packet *p, uint16_t port, uint16_t worker, struct return_path *out);

// The worker's own fields in a return path: a wait's ticket (dedup.h), and whether the client has
// proven its address (batch_is_proven). Any three bytes may come back.
struct path_note {
	uint32_t ticket;
	bool proven;
};

ATTR_INLINE void frame_note_put(uint8_t out[3], struct path_note n)
{
	const uint32_t bits = n.ticket | (uint32_t)n.proven << 23;
	out[0] = (uint8_t)(bits >> 16);
	out[1] = (uint8_t)(bits >> 8);
	out[2] = (uint8_t)bits;
}

ATTR_INLINE struct path_note frame_note_get(const uint8_t in[3])
{
	const uint32_t bits = (uint32_t)in[0] << 16 | (uint32_t)in[1] << 8 | in[2];
	return (struct path_note){.ticket = bits & 0x7fffff, .proven = bits >> 23};
}

// Bytes of headers in front of a message with that path, and the headers themselves, which end
// where the message begins: to the client, or to the balancer by which the path goes. The path must
// have been checked.
unsigned frame_headers_len(const struct return_path *path);
void frame_build(
	uint8_t *frame, const struct return_path *path, uint16_t dns_len, uint16_t dns_sum);
