// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// What upstream servers send to the ports from which resolvers ask (weir/hops.h): found among the
// frames that are no query, and handed to the resolver that the port names.
//
// A reply is UDP over IPv4, or IPv6 without extension headers but that of a fragment, with at most
// one VLAN tag, from a server of the hops image to our source address and a port from which a query
// left of late (asked_ports.h). Its checksum must be right. Of a reply in fragments the first one
// is handed over as the beginning of a message, unchecked, so that the resolver asks over TCP; the
// others are the kernel's. An ICMP or ICMPv6 message that a server cannot
// be reached counts if it quotes such a query; the kernel gets it too. Everything else, including
// replies beyond what a port may get, goes the way of all frames that are not for weir.
// Worker-local; no lock, no system call. Without servers in the image it costs a test of one flag
// for each frame that is no query.

#include "batch.h"

#include <weir/shm_msg.h>

// `ether_type`: of the packet, whose IP header was checked, with p->l4 behind it. True: it was
// settled.
bool server_hear(struct batch *b, struct packet *p, uint16_t ether_type);

// Puts a message with `head->dns_len` bytes of `dns`, and their sum, on the miss ring of
// a resolver; the caller publishes it. False: there is no such ring, or it is full.
ATTR_MUST_CHECK bool server_tell(
	struct worker *w, unsigned resolver, const struct msg_heard *head, const uint8_t *dns);
