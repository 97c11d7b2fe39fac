// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Finds the lists that have an address. All prefixes that cover it count, not the longest alone, as
// each may be of another list.
//
// Prefixes are nested or disjoint, so one pass over them in order makes disjoint ranges, each with
// the union of what covers it; a lookup is a binary search. 8 bytes a range for IPv4, 20 for IPv6,
// at most two ranges a prefix, and 32 bytes for each different set of lists. Built on a helper
// thread with some 40 bytes a prefix beside that; immutable then, for any thread. An IPv6 address
// that stands for an IPv4 one (mapped, RFC 4291 2.5.5.2, or NAT64 with the well-known prefix, RFC
// 6052) is looked up as that too.

#include <weir/config.h>
#include <weir/rule_image.h>

enum { ANSWER_PREFIXES_MAX = 1 << 20 };

struct answer_prefix {
	uint16_t list; // number in the image
	struct ip_address prefix;
};

struct answer_prefix_counts {
	uint32_t taken;
	uint32_t refused_count; // beyond ANSWER_PREFIXES_MAX
	uint32_t refused_form;  // no address, or a length that it cannot have
	uint32_t ranges_v4, ranges_v6, sets;
	uint64_t bytes;
};

struct answer_prefixes;

// *out is NULL where no prefix is left. Host bits are ignored. Where there are more than
// ANSWER_PREFIXES_MAX, those of the lists with the fewest are taken first. -ENOMEM.
ATTR_MUST_CHECK int answer_prefixes_new(struct answer_prefixes **out,
	const struct answer_prefix *prefix, size_t count, struct answer_prefix_counts *counts);
void answer_prefixes_free(struct answer_prefixes *p); // NULL is fine

// Adds the lists that hold the address to *lists. NULL prefixes hold nothing.
void answer_prefixes_find_v4(
	const struct answer_prefixes *p, const uint8_t address[4], struct rule_set *lists);
void answer_prefixes_find_v6(
	const struct answer_prefixes *p, const uint8_t address[16], struct rule_set *lists);
