// SPDX-License-Identifier: BSD-3-Clause
#include "rdata_token.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>
#include <weir/dns_name.h>

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

bool rdata_at_end(struct rdata_text *t)
{
	while (t->p < t->end && is_blank(*t->p))
		t->p++;
	return t->p == t->end;
}

// Finds the closing quote; `p` is behind the opening one.
static const char *quoted_end(struct rdata_text *t, const char *p)
{
	for (; p < t->end && *p != '"'; p++)
		if (*p == '\\' && ++p == t->end)
			break;
	if (p >= t->end)
		rdata_refuse(t, "a quote is not closed");
	return p;
}

// A word may hold a quoted part behind a '=' (SVCB: alpn="h2,h3"), to which it extends.
static const char *word_end(struct rdata_text *t, const char *p)
{
	for (; p < t->end && !is_blank(*p); p++) {
		if (*p == '\\') {
			if (++p == t->end)
				break;
		} else if (*p == '"' && p[-1] == '=') {
			return quoted_end(t, p + 1) + 1;
		} else if (*p == '"' || *p == ';' || *p == '(' || *p == ')') {
			rdata_refuse(t, "quotes, parentheses and semicolons are to be escaped");
			break;
		}
	}
	return p < t->end ? p : t->end;
}

bool rdata_token_next(struct rdata_text *t, struct rdata_token *out)
{
	if (rdata_at_end(t))
		rdata_refuse(t, "is too short for its type");
	if (t->why)
		return false;
	bool quoted = *t->p == '"';
	out->p = t->p + quoted;
	out->end = quoted ? quoted_end(t, out->p) : word_end(t, out->p);
	if (t->why)
		return false;
	t->p = out->end + quoted;
	if (t->p < t->end && !is_blank(*t->p))
		rdata_refuse(t, "has something right behind a quote");
	return !t->why;
}

bool rdata_byte_next(struct rdata_text *t, struct rdata_token *token, uint8_t *out)
{
	const char *p = token->p;
	if (t->why || p == token->end)
		return false;
	token->p = p + 1;
	*out = (uint8_t)*p;
	if (*p != '\\')
		return true;
	size_t left = (size_t)(token->end - ++p);
	if (left >= 1 && !is_digit(*p)) {
		*out = (uint8_t)*p;
		token->p = p + 1;
		return true;
	}
	if (left < 3 || !is_digit(p[1]) || !is_digit(p[2])
		|| (p[0] - '0') * 100 + (p[1] - '0') * 10 + (p[2] - '0') > 255) {
		rdata_refuse(t, "has an escape that is none");
		return false;
	}
	*out = (uint8_t)((p[0] - '0') * 100 + (p[1] - '0') * 10 + (p[2] - '0'));
	token->p = p + 3;
	return true;
}

uint32_t rdata_number(struct rdata_text *t, const struct rdata_token *token, uint32_t max)
{
	uint64_t n = 0;
	bool good = token->p < token->end;

	for (const char *p = token->p; good && p < token->end; p++) {
		good = is_digit(*p);
		n = n * 10 + (uint64_t)(*p - '0');
		good = good && n <= max;
	}
	if (!good)
		rdata_refuse(t, "has a number that is none or too large");
	return good ? (uint32_t)n : 0;
}

uint32_t rdata_number_next(struct rdata_text *t, uint32_t max)
{
	struct rdata_token token;
	return rdata_token_next(t, &token) ? rdata_number(t, &token, max) : 0;
}

// dns_name_from_text checks it and finds the labels; the bytes are then taken as they were
// written, each in the place that it has there.
void rdata_name_next(struct rdata_text *t, struct wr *w)
{
	struct rdata_token token;
	struct dns_name name;
	size_t at = 1;

	if (!rdata_token_next(t, &token))
		return;
	int err = dns_name_from_text(token.p, (size_t)(token.end - token.p), &name);
	if (err < 0) {
		rdata_refuse(t, err == -EILSEQ ? "has a domain name that is not ASCII: write it "
						 "with xn--"
					       : "has a domain name that is none");
		return;
	}
	uint8_t *wire = wr_space(w, name.len);
	if (!wire)
		return;
	memcpy(wire, name.wire, name.len);
	while (token.p < token.end && at < name.len) {
		bool dot = *token.p == '.';
		uint8_t byte = 0;
		if (!rdata_byte_next(t, &token, &byte))
			return;
		if (!dot)
			wire[at] = byte;
		at++;
	}
}

void rdata_address(struct rdata_text *t, const char *p, size_t len, int family, struct wr *w)
{
	char text[INET6_ADDRSTRLEN];
	uint8_t *out = wr_space(w, family == AF_INET ? 4 : 16);

	if (!out)
		return;
	if (len >= sizeof(text)) {
		rdata_refuse(t, "is not an address of its type");
		return;
	}
	memcpy(text, p, len);
	text[len] = '\0';
	if (inet_pton(family, text, out) != 1)
		rdata_refuse(t, "is not an address of its type");
}
