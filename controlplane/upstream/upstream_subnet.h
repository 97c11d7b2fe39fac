// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// EDNS Client Subnet (RFC 7871) towards upstream servers: a client's address cut to some bits, the
// option of a query made of it, and the option of a reply read. No state; a reply of any content is
// walked once, never past its end.
//
// Queries have it over UDP, TCP, TLS and HTTPS alike; not those to recursion, none of weir's own,
// and none without an OPT. A reply whose option does not fit that of the query is ignored while
// waiting goes on (RFC 7871 7.3). FORMERR, NOTIMP or REFUSED may be the option's fault: the server
// gets the query once more with its OPT and without the option, and only then without the OPT.
// Where that helped UPSTREAM_STRIKES times after FORMERR or NOTIMP, it does not get the option for
// the next UPSTREAM_PLAIN_MS. REFUSED may be for that name or that client alone, and is not
// counted.
// The answer to a query without the option is for weir's own network: of an ask that has a subnet
// it counts as one whose scope is all bits of that.
//
// A subnet is a struct ip_address whose `prefix_len` is the source prefix length and whose further
// bits are 0, so equal subnets have equal bytes; version 0: none. The source prefix length 0 is a
// subnet too: it says that the server is to use no address, weir's neither (7.1.2).

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <weir/config.h>

enum {
	UPSTREAM_SUBNET_MAX = 4 + 4 + 16, // of the option
	UPSTREAM_NO_SCOPE = -1,
};

// The first `bits` of an address of 4 or 16 bytes by the version, or all of them.
struct ip_address upstream_subnet_cut(unsigned version, const uint8_t *address, unsigned bits);
// Bytes of the option of a query; 0: there is no subnet.
unsigned upstream_subnet_len(const struct ip_address *subnet);
// `msg` ends with an OPT without options, behind which there is room. The new length.
size_t upstream_subnet_add(uint8_t *msg, size_t len, const struct ip_address *subnet);
// The scope prefix length of the reply to a query with that subnet, at most the source prefix
// length (7.3.1), or UPSTREAM_NO_SCOPE: the reply has no such option. False: the option is
// malformed, there are two, or it is for another family, source prefix length or address than the
// query had: then the whole reply is to be dropped (7.3).
bool upstream_subnet_scope(
	const uint8_t *msg, size_t len, const struct ip_address *subnet, int *scope);
