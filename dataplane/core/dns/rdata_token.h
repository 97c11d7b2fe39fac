// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Words of a record's text: what rdata_parse.c and rdata_svcb.c share.

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

bool rdata_at_end(struct rdata_text *t); // blanks apart
// False: there is none, or it is malformed.
bool rdata_token_next(struct rdata_text *t, struct rdata_token *out);
// One byte of it with escapes undone. False: at its end, or a bad escape.
bool rdata_byte_next(struct rdata_text *t, struct rdata_token *token, uint8_t *out);
// Decimal digits alone, up to `max`. 0 and a reason otherwise.
uint32_t rdata_number(struct rdata_text *t, const struct rdata_token *token, uint32_t max);
uint32_t rdata_number_next(struct rdata_text *t, uint32_t max);
void rdata_name_next(struct rdata_text *t, struct wr *w);
// An address of `family`.
void rdata_address(struct rdata_text *t, const char *p, size_t len, int family, struct wr *w);

// Priority, target and parameters of RFC 9460 2.1.
void rdata_svcb(struct rdata_text *t, struct wr *w);
