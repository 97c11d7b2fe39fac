// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The one walk over an uncompressed wire name, inlined where names are read in the packet path.

#include <stddef.h>
#include <stdint.h>
#include <weir/attr.h>
#include <weir/dns_proto.h>

// Bytes of the name that starts at p, of which `left` may be read; 0 if it is cut short, over 255
// bytes, or has a pointer or a reserved label type. `label_off`, when not NULL, has
// DNS_LABELS_MAX entries and takes the offset of each label.
ATTR_INLINE size_t dns_name_walk(const uint8_t *p, size_t left, uint8_t *label_off, uint8_t *labels)
{
	size_t max = left < DNS_NAME_MAX ? left : DNS_NAME_MAX;
	size_t pos = 0, n = 0, len;
	if (max == 0)
		return 0;
	// One test for the root and for an invalid length; behind each label the root fits at
	// least, so n stays below DNS_LABELS_MAX at the store, and p[pos] may be read.
	while (likely_((len = p[pos]) - 1 < DNS_LABEL_MAX)) {
		size_t next = pos + 1 + len;
		if (unlikely_(next >= max))
			return 0;
		if (label_off)
			label_off[n] = (uint8_t)pos;
		n++;
		pos = next;
	}
	if (unlikely_(len != 0))
		return 0;
	*labels = (uint8_t)n;
	return pos + 1;
}
