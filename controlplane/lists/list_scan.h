// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The bytes of a plain name of 8 to 63 bytes, sixteen at a time: lowered, checked, copied.
// list_name_scan_bytes handles the others; test_list_scan compares both.

#include "byte_mask.h"

#include <stdint.h>
#include <string.h>
#include <weir/ascii.h>
#include <weir/attr.h>

enum { LIST_SCAN_MIN = 8, LIST_SCAN_MAX = 63 };

struct list_scan {
	uint64_t dots; // bit i: byte i is one
	uint64_t bad;  // neither a byte of a host name nor a dot
};

ATTR_INLINE ascii_vector list_scan_within(ascii_vector v, uint8_t first, uint8_t count)
{
	// Turned so that `first` is the least signed byte there is.
	ascii_signed_vector turned = (ascii_signed_vector)(v - first + 0x80);
	return (ascii_vector)(turned < (int8_t)(INT8_MIN + count));
}

ATTR_INLINE void list_scan_16(uint8_t *to, ascii_vector v, unsigned at, struct list_scan *s)
{
	v = ascii_lower_16(v);
	ascii_vector dot = (ascii_vector)(v == '.');
	ascii_vector good = list_scan_within(v, 'a', 26) | list_scan_within(v, '0', 10)
			    | (ascii_vector)(v == '-') | (ascii_vector)(v == '_') | dot;
	memcpy(to + at, &v, sizeof(v));
	s->dots |= (uint64_t)byte_mask(dot) << at;
	s->bad |= (uint64_t)(byte_mask(good) ^ 0xffff) << at;
}

// LIST_SCAN_MIN to LIST_SCAN_MAX bytes; `to` has room for 16 at least. The last vector takes some
// bytes a second time.
ATTR_INLINE struct list_scan list_scan(uint8_t *to, const char *from, size_t len)
{
	struct list_scan s = {0};
	ascii_vector v;
	if (len < sizeof(v)) {
		uint64_t part[2];
		memcpy(&part[0], from, 8);
		memcpy(&part[1], from + len - 8, 8);
		// Behind the end zeros, which are no bytes of a name.
		part[1] = len > 8 ? part[1] >> 8 * (16 - len) : 0;
		memcpy(&v, part, sizeof(v));
		list_scan_16(to, v, 0, &s);
		s.bad &= (UINT64_C(1) << len) - 1;
		return s;
	}
	for (unsigned at = 0; at + sizeof(v) <= len; at += sizeof(v)) {
		memcpy(&v, from + at, sizeof(v));
		list_scan_16(to, v, at, &s);
	}
	unsigned last = (unsigned)(len - sizeof(v));
	memcpy(&v, from + last, sizeof(v));
	list_scan_16(to, v, last, &s);
	return s;
}
