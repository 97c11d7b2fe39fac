// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The one walk over an uncompressed wire name, inlined where names are read in the packet path.

#include <stddef.h>
#include <stdint.h>
#include <weir/attr.h>
#include <weir/dns_proto.h>

// Octets of the name that starts at p, of which `left` may be read; 0 if it is cut short, over 255
// octets, or has a pointer or a reserved label type. `label_off`, when not NULL, has
// DNS_LABELS_MAX entries and takes the offset of each label.
ATTR_INLINE size_t dns_name_walk(const uint8_t *p, size_t left, uint8_t *label_off, uint8_t *labels)
{
	size_t max = left < DNS_NAME_MAX ? left : DNS_NAME_MAX;
	size_t pos = 0;
	unsigned n = 0;
	while (pos < max) {
		unsigned len = p[pos];
		if (len == 0) {
			*labels = (uint8_t)n;
			return pos + 1;
		}
		// At least the root must follow, so n stays below DNS_LABELS_MAX at the store.
		if (len > DNS_LABEL_MAX || pos + 1 + len >= max)
			return 0;
		if (label_off)
			label_off[n] = (uint8_t)pos;
		n++;
		pos += 1 + len;
	}
	return 0;
}
