// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The memory of a connection of DNS over HTTPS: nghttp2's, of requests and of replies. All of it is
// counted here, so that a connection is bounded by DOH_MEMORY_MAX whatever its client sends.

#include "base/growth.h"
#include "doh_http.h"

#include <string.h>

struct doh_memory {
	struct growth *all; // memory of all connections
	size_t bytes;
};

// doh.c. NULL: no memory is left, for it or for weir. doh_release: NULL is fine.
void *doh_realloc(struct doh_memory *m, void *p, size_t n);
void doh_release(struct doh_memory *m, void *p);

struct doh_bytes { // that grow as they come
	uint8_t *p;
	size_t len, cap;
};

enum { DOH_BYTES_FIRST = 128 };

// Appends; false: there is no memory.
static inline bool doh_bytes_add(struct doh_memory *m, struct doh_bytes *b, const void *p, size_t n)
{
	if (b->len + n > b->cap) {
		size_t cap = growth_cap(b->cap, b->len + n, DOH_BYTES_FIRST);
		uint8_t *to = doh_realloc(m, b->p, cap);
		if (!to)
			return false;
		b->p = to;
		b->cap = cap;
	}
	if (n)
		memcpy(b->p + b->len, p, n);
	b->len += n;
	return true;
}

static inline void doh_bytes_drop(struct doh_memory *m, struct doh_bytes *b)
{
	doh_release(m, b->p);
	*b = (struct doh_bytes){0};
}
