// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// EDNS options of queries to upstream servers, and of their replies: edns-tcp-keepalive (RFC 7828)
// over TCP; padding (RFC 7830) over TLS and HTTPS, so that the length of a query tells little of
// its name; the client's subnet (RFC 7871) over all transports. No state. A reply of any content is
// walked once, never past its end.
//
// A subnet is a struct ip_address whose `prefix_len` is the source prefix length and whose further
// bits are 0, so equal subnets have equal bytes; version 0: no subnet. The source prefix length 0
// is a subnet too: it says that the server is to use no address, weir's neither (7.1.2).

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <weir/config.h>

enum {
	UPSTREAM_KEEPALIVE_LEN = 4,   // length of the option in a query
	UPSTREAM_PADDING_BLOCK = 128, // queries are multiples of this (RFC 8467 4.1)
	UPSTREAM_PADDING_MAX = 4 + UPSTREAM_PADDING_BLOCK - 1,
};

// upstream_options_keep and upstream_options_pad add an option to `msg`, which ends with an OPT
// that has options of `options` bytes, and has room behind them. They return the new length.
size_t upstream_options_keep(uint8_t *msg, size_t len, unsigned options);
size_t upstream_options_pad(uint8_t *msg, size_t len, unsigned options);
// Does the reply say how long the connection may be idle? In units of 100 ms; 0: not at all.
bool upstream_options_kept(const uint8_t *msg, size_t len, uint16_t *units);

enum {
	UPSTREAM_SUBNET_MAX = 4 + 4 + 16, // most bytes of the option
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
