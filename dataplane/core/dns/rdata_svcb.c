// SPDX-License-Identifier: BSD-3-Clause
// SVCB and HTTPS (RFC 9460): the parameters, their values and their order.
#include "rdata_token.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

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

void rdata_svcb(struct rdata_text *t, struct wr *w)
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
