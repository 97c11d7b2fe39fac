// SPDX-License-Identifier: BSD-3-Clause

#include "rdata_text.h"

#include <arpa/inet.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <weir/attr.h>

static const struct {
	uint16_t type;
	const char *text;
} type_names[] = {{DNS_TYPE_A, "A"}, {DNS_TYPE_NS, "NS"}, {DNS_TYPE_CNAME, "CNAME"},
	{DNS_TYPE_SOA, "SOA"}, {DNS_TYPE_PTR, "PTR"}, {DNS_TYPE_MX, "MX"}, {DNS_TYPE_TXT, "TXT"},
	{DNS_TYPE_AAAA, "AAAA"}, {DNS_TYPE_SRV, "SRV"}, {35, "NAPTR"}, {DNS_TYPE_DNAME, "DNAME"},
	{DNS_TYPE_DS, "DS"}, {DNS_TYPE_RRSIG, "RRSIG"}, {DNS_TYPE_NSEC, "NSEC"},
	{DNS_TYPE_DNSKEY, "DNSKEY"}, {DNS_TYPE_NSEC3, "NSEC3"}, {52, "TLSA"},
	{DNS_TYPE_SVCB, "SVCB"}, {DNS_TYPE_HTTPS, "HTTPS"}, {DNS_TYPE_CAA, "CAA"}};

char *dns_type_text(uint16_t type, char out[DNS_TYPE_TEXT_MAX])
{
	for (size_t i = 0; i < ARRAY_LEN(type_names); i++) {
		if (type_names[i].type == type) {
			snprintf(out, DNS_TYPE_TEXT_MAX, "%s", type_names[i].text);
			return out;
		}
	}
	snprintf(out, DNS_TYPE_TEXT_MAX, "TYPE%u", type);
	return out;
}

bool dns_type_from_text(const char *text, uint16_t *out)
{
	for (size_t i = 0; i < ARRAY_LEN(type_names); i++) {
		if (strcasecmp(type_names[i].text, text) == 0) {
			*out = type_names[i].type;
			return true;
		}
	}
	const char *digits = strncasecmp(text, "TYPE", 4) == 0 ? text + 4 : text;
	size_t len = strlen(digits);
	if (len == 0 || len > 5 || strspn(digits, "0123456789") != len)
		return false;
	unsigned long value = strtoul(digits, NULL, 10);
	*out = (uint16_t)value;
	return value != 0 && value <= UINT16_MAX;
}

static const char *const rcode_names[] = {"NOERROR", "FORMERR", "SERVFAIL", "NXDOMAIN", "NOTIMP",
	"REFUSED", "YXDOMAIN", "YXRRSET", "NXRRSET", "NOTAUTH", "NOTZONE"};

const char *dns_rcode_text(uint16_t rcode)
{
	return rcode < ARRAY_LEN(rcode_names) ? rcode_names[rcode] : "RCODE";
}

bool rdata_rcode_from_text(const char *text, uint16_t *out)
{
	const size_t len = strlen(text);
	for (size_t i = 0; i < ARRAY_LEN(rcode_names); i++) {
		if (strcasecmp(rcode_names[i], text) == 0) {
			*out = (uint16_t)i;
			return true;
		}
	}
	if (len == 0 || len > 4 || strspn(text, "0123456789") != len)
		return false;
	unsigned long value = strtoul(text, NULL, 10);
	*out = (uint16_t)value;
	return value <= 0xfff; // 12 bits with EDNS (RFC 6891 6.1.3)
}

// Text that grows until it is full; "..." stands for text that does not fit.
struct text {
	char *base;
	size_t len, cap;
	bool full;
};

static void text_add(struct text *t, const char *fmt, ...) ATTR_PRINTF(2, 3);
static void text_add(struct text *t, const char *fmt, ...)
{
	va_list args;
	va_start(args, fmt);
	int n = vsnprintf(t->base + t->len, t->cap - t->len, fmt, args);
	va_end(args);
	if (n < 0 || (size_t)n >= t->cap - t->len)
		t->full = true;
	else
		t->len += (size_t)n;
}

static void text_end(struct text *t)
{
	if (t->full)
		memcpy(t->base + (t->len + 4 <= t->cap ? t->len : t->cap - 4), "...", 4);
	else
		t->base[t->len] = '\0';
}

static void name_add(struct text *t, struct rd *msg)
{
	struct dns_name name;
	char text[DNS_NAME_TEXT_MAX];
	if (dns_name_read_compressed(msg, &name, NULL) < 0) {
		msg->bad = true;
		return;
	}
	text_add(t, "%s%s", dns_name_to_text(&name, text), name.labels ? "." : "");
}

static void address_add(struct text *t, struct rd *msg, int family, size_t len)
{
	char text[INET6_ADDRSTRLEN];
	const uint8_t *p = rd_bytes(msg, len);
	if (p && inet_ntop(family, p, text, sizeof(text)))
		text_add(t, "%s", text);
}

// Adds the <character-string>s up to `end`, quoted.
static void strings_add(struct text *t, struct rd *msg, size_t end)
{
	while (rd_ok(msg) && msg->pos < end) {
		size_t len = rd_u8(msg);
		const uint8_t *p = rd_bytes(msg, len);
		text_add(t, "%s\"", t->len ? " " : "");
		for (size_t i = 0; p && i < len; i++) {
			if (p[i] == '"' || p[i] == '\\')
				text_add(t, "\\%c", p[i]);
			else if (p[i] >= 0x20 && p[i] < 0x7f)
				text_add(t, "%c", p[i]);
			else
				text_add(t, "\\%03u", p[i]);
		}
		text_add(t, "\"");
	}
}

static void soa_add(struct text *t, struct rd *msg)
{
	name_add(t, msg);
	text_add(t, " ");
	name_add(t, msg);
	for (unsigned i = 0; i < 5; i++)
		text_add(t, " %u", rd_u32(msg));
}

static void srv_add(struct text *t, struct rd *msg)
{
	for (unsigned i = 0; i < 3; i++)
		text_add(t, "%u ", rd_u16(msg));
	name_add(t, msg);
}

// Adds data of a common type. False: another type.
static bool known_add(struct text *t, struct rd *msg, uint16_t type, size_t end)
{
	switch (type) {
	case DNS_TYPE_A:
		address_add(t, msg, AF_INET, 4);
		return true;
	case DNS_TYPE_AAAA:
		address_add(t, msg, AF_INET6, 16);
		return true;
	case DNS_TYPE_NS:
	case DNS_TYPE_CNAME:
	case DNS_TYPE_PTR:
	case DNS_TYPE_DNAME:
		name_add(t, msg);
		return true;
	case DNS_TYPE_MX:
		text_add(t, "%u ", rd_u16(msg));
		name_add(t, msg);
		return true;
	case DNS_TYPE_SRV:
		srv_add(t, msg);
		return true;
	case DNS_TYPE_SOA:
		soa_add(t, msg);
		return true;
	case DNS_TYPE_TXT:
		strings_add(t, msg, end);
		return true;
	default:
		return false;
	}
}

static void generic_add(struct text *t, const uint8_t *rdata, size_t len)
{
	text_add(t, "\\# %zu ", len);
	for (size_t i = 0; i < len && !t->full; i++)
		text_add(t, "%02x", rdata[i]);
}

bool rdata_record_read(struct rd *msg, struct rdata_record *out)
{
	if (dns_name_read_compressed(msg, &out->name, NULL) < 0)
		return false;
	out->type = rd_u16(msg);
	out->rclass = rd_u16(msg);
	out->ttl_s = rd_u32(msg);
	size_t len = rd_u16(msg);
	struct rd inside = *msg;
	const uint8_t *rdata = rd_bytes(msg, len);
	if (!rdata)
		return false;

	struct text t = {.base = out->data, .cap = sizeof(out->data)};
	bool known = known_add(&t, &inside, out->type, msg->pos);
	if (!known || !rd_ok(&inside) || inside.pos != msg->pos) {
		t.len = 0;
		t.full = false;
		generic_add(&t, rdata, len);
	}
	text_end(&t);
	return true;
}

bool rdata_answer_begin(struct rd *msg, uint16_t *ancount)
{
	rd_skip(msg, 4);
	uint16_t qdcount = rd_u16(msg);
	uint16_t count = rd_u16(msg);
	rd_skip(msg, 4);
	for (unsigned i = 0; i < qdcount && rd_ok(msg); i++) {
		struct dns_name name;
		if (dns_name_read_compressed(msg, &name, NULL) < 0)
			return false;
		rd_skip(msg, 4);
	}
	if (!rd_ok(msg))
		return false;
	*ancount = count;
	return true;
}
