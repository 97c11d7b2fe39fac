// SPDX-License-Identifier: BSD-3-Clause
#include "rng.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

static void rng_fill(struct rng *r)
{
	size_t got = 0;
	while (got < sizeof(r->pool)) {
		ssize_t n = getrandom(r->pool + got, sizeof(r->pool) - got, 0);
		if (n > 0)
			got += (size_t)n;
		else if (errno != EINTR)
			abort(); // predictable numbers would let forged replies in
	}
	r->left = sizeof(r->pool);
}

void rng_bytes(struct rng *r, void *out, size_t len)
{
	uint8_t *p = out;
	while (len > 0) {
		if (r->left == 0)
			rng_fill(r);
		size_t n = len < r->left ? len : r->left;
		uint8_t *from = r->pool + sizeof(r->pool) - r->left;
		memcpy(p, from, n);
		memset(from, 0, n);
		r->left -= n;
		p += n;
		len -= n;
	}
}

uint16_t rng_u16(struct rng *r)
{
	uint16_t v;
	rng_bytes(r, &v, sizeof(v));
	return v;
}
