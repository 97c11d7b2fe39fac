// SPDX-License-Identifier: BSD-3-Clause
#include "rdata_parse.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <weir/dns_name.h>
#include <weir/dns_proto.h>

static void rdata_address(
	struct rdata_text *t, const char *p, size_t len, int family, struct wr *w);
static bool rdata_at_end(struct rdata_text *t);
static bool rdata_byte_next(struct rdata_text *t, struct rdata_token *token, uint8_t *out);
static void rdata_name_next(struct rdata_text *t, struct wr *w);
static uint32_t rdata_number(struct rdata_text *t, const struct rdata_token *token, uint32_t max);
static uint32_t rdata_number_next(struct rdata_text *t, uint32_t max);
static bool rdata_token_next(struct rdata_text *t, struct rdata_token *out);

// SVCB and HTTPS (RFC 9460): the parameters, their values and their order.

enum svcb_key {
	SVCB_MANDATORY,
	SVCB_ALPN,
	SVCB_NO_DEFAULT_ALPN,
	SVCB_PORT,
	SVCB_IPV4HINT,
	SVCB_ECH,
	SVCB_IPV6HINT,
	SVCB_DOHPATH, // RFC 9461
	SVCB_OHTTP,   // RFC 9540
	SVCB_NAMED,
	SVCB_INVALID = 65535,
};

static const char *const key_text[SVCB_NAMED] = {"mandatory", "alpn", "no-default-alpn", "port",
	"ipv4hint", "ech", "ipv6hint", "dohpath", "ohttp"};

struct svcb_param {
	uint16_t key, len;
	size_t at; // where the value begins in svcb.value
};

struct svcb {
	unsigned count;
	struct svcb_param param[RDATA_PARSE_PARAMS_MAX];
	uint8_t value[RDATA_PARSE_MAX];
};

// "alpn", "key65400"; a key that has a name is written by it.
static uint16_t key_parse(struct rdata_text *t, const char *p, size_t len)
{
	for (unsigned i = 0; i < SVCB_NAMED; i++)
		if (strlen(key_text[i]) == len && memcmp(key_text[i], p, len) == 0)
			return (uint16_t)i;
	if (len > 3 && memcmp(p, "key", 3) == 0 && p[3] != '0') {
		const struct rdata_token digits = {p + 3, p + len};
		uint32_t key = rdata_number(t, &digits, SVCB_INVALID - 1);
		if (key >= SVCB_NAMED)
			return (uint16_t)key;
	}
	rdata_refuse(t, "has a parameter whose key is not known");
	return SVCB_INVALID;
}

// The next item of a list of words between commas.
static struct rdata_token item_next(const char **p, const char *end)
{
	const char *comma = memchr(*p, ',', (size_t)(end - *p));
	struct rdata_token item = {*p, comma ? comma : end};
	*p = comma ? comma + 1 : NULL;
	return item;
}

static int by_number(const void *a, const void *b)
{
	return *(const uint16_t *)a - *(const uint16_t *)b;
}

static void mandatory_take(struct rdata_text *t, const char *p, const char *end, struct wr *w)
{
	uint16_t key[RDATA_PARSE_PARAMS_MAX];
	unsigned n = 0;

	while (p && !t->why) {
		struct rdata_token item = item_next(&p, end);
		if (n == RDATA_PARSE_PARAMS_MAX)
			rdata_refuse(t, "has too many parameters");
		else
			key[n++] = key_parse(t, item.p, (size_t)(item.end - item.p));
	}
	qsort(key, n, sizeof(key[0]), by_number);
	for (unsigned i = 0; i < n; i++) {
		if (key[i] == SVCB_MANDATORY || (i > 0 && key[i] == key[i - 1]))
			rdata_refuse(t, "names a mandatory key twice, or `mandatory` itself");
		wr_u16(w, key[i]);
	}
}

// Identifiers between commas; a comma or backslash in one has a backslash before it.
static void alpn_take(struct rdata_text *t, const char *p, const char *end, struct wr *w)
{
	while (wr_ok(w)) {
		size_t at = w->pos, n = 0;
		wr_u8(w, 0);
		for (; p < end && *p != ','; p++, n++) {
			if (*p == '\\' && p + 1 < end)
				p++;
			wr_u8(w, (uint8_t)*p);
		}
		if (n == 0 || n > UINT8_MAX)
			rdata_refuse(t, "has a protocol identifier that is empty or too long");
		if (t->why || !wr_ok(w))
			return;
		w->base[at] = (uint8_t)n;
		if (p++ == end)
			return;
	}
}

static void hints_take(
	struct rdata_text *t, const char *p, const char *end, int family, struct wr *w)
{
	while (p && !t->why && wr_ok(w)) {
		struct rdata_token item = item_next(&p, end);
		rdata_address(t, item.p, (size_t)(item.end - item.p), family, w);
	}
}

static void base64_take(struct rdata_text *t, const char *p, const char *end, struct wr *w)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	uint32_t bits = 0;
	unsigned count = 0, pad = 0;

	for (; p < end; p++) {
		const char *digit = *p ? strchr(digits, *p) : NULL;
		pad += *p == '=';
		if ((*p != '=' && (!digit || pad)) || pad > 2) {
			rdata_refuse(t, "has an `ech` that is not base64");
			return;
		}
		bits = bits << 6 | (digit ? (uint32_t)(digit - digits) : 0);
		if (++count % 4 == 0) {
			const uint8_t three[3] = {
				(uint8_t)(bits >> 16), (uint8_t)(bits >> 8), (uint8_t)bits};
			wr_bytes(w, three, 3 - pad);
		}
	}
	if (count == 0 || count % 4 != 0)
		rdata_refuse(t, "has an `ech` that is not base64");
}

static void value_encode(
	struct rdata_text *t, uint16_t key, const char *p, size_t len, bool given, struct wr *w)
{
	const char *end = p + len;
	const struct rdata_token whole = {p, end};
	bool bare = key == SVCB_NO_DEFAULT_ALPN || key == SVCB_OHTTP;

	if (key < SVCB_NAMED && bare == given) {
		rdata_refuse(t, bare ? "gives a parameter a value that has none"
				     : "leaves out the value of a parameter");
		return;
	}
	switch (key) {
	case SVCB_MANDATORY:
		mandatory_take(t, p, end, w);
		return;
	case SVCB_ALPN:
		alpn_take(t, p, end, w);
		return;
	case SVCB_PORT:
		wr_u16(w, (uint16_t)rdata_number(t, &whole, UINT16_MAX));
		return;
	case SVCB_IPV4HINT:
	case SVCB_IPV6HINT:
		hints_take(t, p, end, key == SVCB_IPV4HINT ? AF_INET : AF_INET6, w);
		return;
	case SVCB_ECH:
		base64_take(t, p, end, w);
		return;
	default:
		wr_bytes(w, p, len);
	}
}

// The word's bytes with escapes undone, between its quotes if it has some.
static size_t value_unescape(struct rdata_text *t, struct rdata_token value, char *out, size_t cap)
{
	size_t n = 0;
	uint8_t byte;

	if (value.end - value.p >= 2 && *value.p == '"') {
		value.p++;
		value.end--;
	}
	while (rdata_byte_next(t, &value, &byte)) {
		if (n == cap) {
			rdata_refuse(t, "is too long");
			break;
		}
		out[n++] = (char)byte;
	}
	return n;
}

static void param_take(struct rdata_text *t, struct svcb *s, struct wr *values)
{
	char text[RDATA_PARSE_MAX];
	struct rdata_token word;

	if (!rdata_token_next(t, &word))
		return;
	const char *equals = memchr(word.p, '=', (size_t)(word.end - word.p));
	const char *key_end = equals ? equals : word.end;
	struct svcb_param p = {.at = values->pos};
	p.key = key_parse(t, word.p, (size_t)(key_end - word.p));
	size_t len = 0;
	if (equals)
		len = value_unescape(
			t, (struct rdata_token){equals + 1, word.end}, text, sizeof(text));
	if (!t->why)
		value_encode(t, p.key, text, len, len > 0, values);
	for (unsigned i = 0; i < s->count; i++)
		if (s->param[i].key == p.key)
			rdata_refuse(t, "gives a parameter twice");
	if (s->count == RDATA_PARSE_PARAMS_MAX)
		rdata_refuse(t, "has too many parameters");
	if (t->why)
		return;
	p.len = (uint16_t)(values->pos - p.at);
	s->param[s->count++] = p;
}

static int by_key(const void *a, const void *b)
{
	const struct svcb_param *x = a, *y = b;
	return x->key - y->key;
}

static const struct svcb_param *param_find(const struct svcb *s, uint16_t key)
{
	for (unsigned i = 0; i < s->count; i++)
		if (s->param[i].key == key)
			return &s->param[i];
	return NULL;
}

// What parameters demand of one another (RFC 9460 7.1.1 and 8).
static void params_check(struct rdata_text *t, const struct svcb *s)
{
	const struct svcb_param *mandatory = param_find(s, SVCB_MANDATORY);

	if (param_find(s, SVCB_NO_DEFAULT_ALPN) && !param_find(s, SVCB_ALPN))
		rdata_refuse(t, "has `no-default-alpn` without `alpn`");
	for (unsigned i = 0; mandatory && i + 1 < mandatory->len; i += 2)
		if (!param_find(s, get_u16(s->value + mandatory->at + i)))
			rdata_refuse(t, "lacks a parameter that it calls mandatory");
}

// Priority, target and parameters of RFC 9460 2.1.
static void rdata_svcb(struct rdata_text *t, struct wr *w)
{
	struct svcb s;
	struct wr values = wr_init(s.value, sizeof(s.value));
	uint16_t priority = (uint16_t)rdata_number_next(t, UINT16_MAX);

	s.count = 0;
	wr_u16(w, priority);
	rdata_name_next(t, w);
	while (!t->why && wr_ok(&values) && !rdata_at_end(t))
		param_take(t, &s, &values);
	if (!wr_ok(&values))
		rdata_refuse(t, "is too long");
	if (priority == 0 && s.count > 0) // RFC 9460 2.4.2: they would be ignored
		rdata_refuse(t, "is an alias (priority 0), which has no parameters");
	if (t->why)
		return;
	params_check(t, &s);
	qsort(s.param, s.count, sizeof(s.param[0]), by_key);
	for (unsigned i = 0; i < s.count; i++) {
		wr_u16(w, s.param[i].key);
		wr_u16(w, s.param[i].len);
		wr_bytes(w, s.value + s.param[i].at, s.param[i].len);
	}
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

// blanks apart
static bool rdata_at_end(struct rdata_text *t)
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

static bool rdata_token_next(struct rdata_text *t, struct rdata_token *out)
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

// One byte of it with escapes undone. False: at its end, or a bad escape.
static bool rdata_byte_next(struct rdata_text *t, struct rdata_token *token, uint8_t *out)
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

static uint32_t rdata_number(struct rdata_text *t, const struct rdata_token *token, uint32_t max)
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

static uint32_t rdata_number_next(struct rdata_text *t, uint32_t max)
{
	struct rdata_token token;
	return rdata_token_next(t, &token) ? rdata_number(t, &token, max) : 0;
}

// dns_name_from_text checks it and finds the labels; the bytes are then taken as they were
// written, each in the place that it has there.
static void rdata_name_next(struct rdata_text *t, struct wr *w)
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

// An address of `family`.
static void rdata_address(struct rdata_text *t, const char *p, size_t len, int family, struct wr *w)
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
