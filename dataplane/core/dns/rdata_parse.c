// SPDX-License-Identifier: BSD-3-Clause
#include "rdata_token.h"

#include <errno.h>
#include <netinet/in.h>
#include <strings.h>
#include <weir/dns_proto.h>

enum { STRING_MAX = 255 };

static const struct {
	uint16_t type;
	const char *text;
} known[] = {
	{DNS_TYPE_A, "A"},
	{DNS_TYPE_AAAA, "AAAA"},
	{DNS_TYPE_CNAME, "CNAME"},
	{DNS_TYPE_PTR, "PTR"},
	{DNS_TYPE_MX, "MX"},
	{DNS_TYPE_TXT, "TXT"},
	{DNS_TYPE_SRV, "SRV"},
	{DNS_TYPE_CAA, "CAA"},
	{DNS_TYPE_SVCB, "SVCB"},
	{DNS_TYPE_HTTPS, "HTTPS"},
};

bool rdata_parse_type(const char *text, uint16_t *type)
{
	for (size_t i = 0; i < ARRAY_LEN(known); i++)
		if (strcasecmp(text, known[i].text) == 0) {
			*type = known[i].type;
			return true;
		}
	return false;
}

const char *rdata_parse_type_text(uint16_t type)
{
	for (size_t i = 0; i < ARRAY_LEN(known); i++)
		if (known[i].type == type)
			return known[i].text;
	return "";
}

static void address_take(struct rdata_text *t, int family, struct wr *w)
{
	struct rdata_token token;
	if (rdata_token_next(t, &token))
		rdata_address(t, token.p, (size_t)(token.end - token.p), family, w);
}

// Writes a text in pieces of at most 255 bytes; an empty text is one empty piece.
static void strings_take(struct rdata_text *t, struct rdata_token *token, struct wr *w)
{
	uint8_t piece[STRING_MAX], byte;
	size_t n = 0;
	bool any = false;

	while (rdata_byte_next(t, token, &byte)) {
		if (n == STRING_MAX) {
			wr_u8(w, STRING_MAX);
			wr_bytes(w, piece, n);
			n = 0;
			any = true;
		}
		piece[n++] = byte;
	}
	if (n > 0 || !any) {
		wr_u8(w, (uint8_t)n);
		wr_bytes(w, piece, n);
	}
}

static void txt_take(struct rdata_text *t, struct wr *w)
{
	struct rdata_token token;

	if (!rdata_at_end(t) && *t->p != '"') {
		while (t->end > t->p && (t->end[-1] == ' ' || t->end[-1] == '\t'))
			t->end--;
		token = (struct rdata_token){t->p, t->end};
		t->p = t->end;
		strings_take(t, &token, w);
		return;
	}
	do {
		if (rdata_token_next(t, &token))
			strings_take(t, &token, w);
	} while (!t->why && wr_ok(w) && !rdata_at_end(t));
}

// Flags, the tag's length, the tag (RFC 8659 4.1: letters and digits), and the value to the end.
static void caa_take(struct rdata_text *t, struct wr *w)
{
	struct rdata_token tag, value;
	uint8_t byte;

	wr_u8(w, (uint8_t)rdata_number_next(t, UINT8_MAX));
	if (!rdata_token_next(t, &tag) || !rdata_token_next(t, &value))
		return;
	if (tag.end - tag.p < 1 || tag.end - tag.p > STRING_MAX) {
		rdata_refuse(t, "has a tag that is too long, or none");
		return;
	}
	wr_u8(w, (uint8_t)(tag.end - tag.p));
	for (const char *p = tag.p; p < tag.end; p++) {
		bool letter = (*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z');
		if (!letter && (*p < '0' || *p > '9'))
			rdata_refuse(t, "has a tag that is not of letters and digits");
		wr_u8(w, (uint8_t)*p);
	}
	while (rdata_byte_next(t, &value, &byte))
		wr_u8(w, byte);
}

static void numbers_take(struct rdata_text *t, unsigned count, struct wr *w)
{
	for (unsigned i = 0; i < count; i++)
		wr_u16(w, (uint16_t)rdata_number_next(t, UINT16_MAX));
}

static void type_take(struct rdata_text *t, uint16_t type, struct wr *w)
{
	switch (type) {
	case DNS_TYPE_A:
	case DNS_TYPE_AAAA:
		address_take(t, type == DNS_TYPE_A ? AF_INET : AF_INET6, w);
		return;
	case DNS_TYPE_CNAME:
	case DNS_TYPE_PTR:
		rdata_name_next(t, w);
		return;
	case DNS_TYPE_MX:
		numbers_take(t, 1, w);
		rdata_name_next(t, w);
		return;
	case DNS_TYPE_SRV:
		numbers_take(t, 3, w);
		rdata_name_next(t, w);
		return;
	case DNS_TYPE_TXT:
		txt_take(t, w);
		return;
	case DNS_TYPE_CAA:
		caa_take(t, w);
		return;
	case DNS_TYPE_SVCB:
	case DNS_TYPE_HTTPS:
		rdata_svcb(t, w);
		return;
	default:
		rdata_refuse(t, "is of a type that is not known");
	}
}

int rdata_parse(uint16_t type, const char *text, size_t text_len, uint8_t *out, uint16_t *out_len,
	const char **why)
{
	struct rdata_text t = {.p = text, .end = text + text_len};
	struct wr w = wr_init(out, RDATA_PARSE_MAX);

	type_take(&t, type, &w);
	if (!t.why && !rdata_at_end(&t))
		rdata_refuse(&t, "has more than its type holds");
	if (!wr_ok(&w))
		rdata_refuse(&t, "is too long");
	if (t.why) {
		*why = t.why;
		return -EINVAL;
	}
	*out_len = (uint16_t)w.pos;
	return 0;
}
