// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Writes the bytes that follow a question, with names compressed (RFC 1035 4.1.4).
//
// Names are found again by a hash of each suffix in a small fixed table; compares ignore letter
// case. A lookup probes DNS_COMPRESS_PROBES slots at most, and names without a free slot among
// these are not stored, so hostile names cost compression, never time (compare CVE-2024-8508). The
// hash is not keyed, and two names whose last labels collide collide at every longer suffix: after
// DNS_COMPRESS_STRANGERS failed compares nothing is compared any more. A name behind
// DNS_COMPRESS_DEPTH pointers is no target and is written whole, so that no name of a reply leads
// through all names before it, neither here nor at a client. Every offset counts from the start of
// a message: 12 bytes of header, the question, then these bytes. So a pointer stays valid behind
// any spelling of the same question.

#include <weir/bytes.h>
#include <weir/dns_query.h>

enum {
	DNS_COMPRESS_SLOTS = 1024,
	DNS_COMPRESS_PROBES = 8,
	DNS_COMPRESS_STRANGERS = 64,
	DNS_COMPRESS_DEPTH = 8,
};

struct dns_compress {
	struct wr w; // sticky: overflow shows in wr_ok
	const struct dns_name *question;
	uint16_t base;     // message offset of w.base[0]
	size_t may_follow; // bytes that reading names for it may lead through (dns_records.h)
	uint8_t strangers; // compared in vain so far
	uint16_t off[DNS_COMPRESS_SLOTS]; // message offset of a suffix; 0: free
	uint32_t hash[DNS_COMPRESS_SLOTS];
	uint8_t depth[DNS_COMPRESS_SLOTS]; // pointers that it leads through
};

// `q` is borrowed; buf takes at most cap bytes. may_follow has no end at first.
void dns_compress_init(struct dns_compress *c, const struct dns_query *q, uint8_t *buf, size_t cap);

// Writes the name as it was spelled, with a pointer where a suffix of it was written before, and
// stores its new suffixes as targets.
void dns_compress_name(
	struct dns_compress *c, const struct dns_name *name, const struct dns_spelling *spelling);

// Writes a spelling whose labels are yet to be found.
void dns_compress_spelled(
	struct dns_compress *c, const struct dns_name *name, const uint8_t *wire_case);

// Hash of a label with its length byte, in lower case, at `off` of a name: its words of eight
// bytes, the last one padded with zeros, each folded with a constant and the result so far.
uint64_t dns_compress_label(const struct dns_name *name, unsigned off);

#define DNS_COMPRESS_FIRST  0x9e3779b97f4a7c15u
#define DNS_COMPRESS_FACTOR 0xbf58476d1ce4e5b9u
