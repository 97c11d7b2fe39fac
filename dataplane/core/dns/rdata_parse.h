// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Words of a record's text: what rdata_parse.c and rdata_parse.c share.

#include <weir/bytes.h>
#include <weir/rdata_parse.h>

// The rest of the text. The first error stays; after it nothing is read.
struct rdata_text {
	const char *p, *end;
	const char *why; // NULL: fine so far
};

// A word, or what stands between quotes, escapes not yet undone.
struct rdata_token {
	const char *p, *end;
};

static inline void rdata_refuse(struct rdata_text *t, const char *why)
{
	if (!t->why)
		t->why = why;
}
