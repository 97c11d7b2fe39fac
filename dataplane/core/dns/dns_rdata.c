// SPDX-License-Identifier: BSD-3-Clause

#include "dns_records.h"

#include <errno.h>

// A field of an RDATA: up to 31 is that many bytes.
enum field {
	F_END,
	F_NAME = 32, // may be compressed
	F_WHOLE,     // a name that must not be
	F_STRING,    // <character-string>, RFC 1035 3.3
	F_STRINGS,   // one or more strings, to the end
	F_REST,      // anything, to the end
	F_PARAMS,    // parameters of a service, to the end (RFC 9460 2.2)
};

enum { FIELDS_MAX = 6 };

struct layout {
	uint16_t type;
	uint16_t class; // that it holds for; 0: any
	uint8_t field[FIELDS_MAX];
};

// clang-format off
static const struct layout layouts[] = {
	{DNS_TYPE_A, DNS_CLASS_IN, {4}},
	{DNS_TYPE_AAAA, DNS_CLASS_IN, {16}},
	{DNS_TYPE_CNAME, 0, {F_NAME}},
	{DNS_TYPE_SOA, 0, {F_NAME, F_NAME, 20}},
	{DNS_TYPE_RRSIG, 0, {18, F_WHOLE, F_REST}},
	{DNS_TYPE_NSEC, 0, {F_WHOLE, F_REST}},
	{DNS_TYPE_HTTPS, 0, {2, F_WHOLE, F_PARAMS}},
	{DNS_TYPE_SVCB, 0, {2, F_WHOLE, F_PARAMS}},
	{DNS_TYPE_NS, 0, {F_NAME}},
	{DNS_TYPE_PTR, 0, {F_NAME}},
	{DNS_TYPE_MX, 0, {2, F_NAME}},
	{DNS_TYPE_TXT, 0, {F_STRINGS}},
	{DNS_TYPE_SRV, 0, {6, F_WHOLE}},
	{DNS_TYPE_DNAME, 0, {F_WHOLE}},
	{3, 0, {F_NAME}}, // MD
	{4, 0, {F_NAME}}, // MF
	{7, 0, {F_NAME}}, // MB
	{8, 0, {F_NAME}}, // MG
	{9, 0, {F_NAME}}, // MR
	{13, 0, {F_STRING, F_STRING}}, // HINFO
	{14, 0, {F_NAME, F_NAME}}, // MINFO
	{17, 0, {F_WHOLE, F_WHOLE}}, // RP
	{18, 0, {2, F_WHOLE}}, // AFSDB
	{21, 0, {2, F_WHOLE}}, // RT
	{24, 0, {18, F_WHOLE, F_REST}}, // SIG
	{26, 0, {2, F_WHOLE, F_WHOLE}}, // PX
	{30, 0, {F_WHOLE, F_REST}}, // NXT
	{35, 0, {4, F_STRING, F_STRING, F_STRING, F_WHOLE}}, // NAPTR
	{36, 0, {2, F_WHOLE}}, // KX
};
// clang-format on

static const struct layout *layout_of(uint16_t type, uint16_t class)
{
	for (size_t i = 0; i < ARRAY_LEN(layouts); i++)
		if (layouts[i].type == type)
			return !layouts[i].class || layouts[i].class == class ? &layouts[i] : NULL;
	return NULL;
}

static void bytes_copy(struct rd *r, size_t n, struct wr *w)
{
	const uint8_t *p = rd_bytes(r, n);
	if (p)
		wr_bytes(w, p, n);
}

static void string_copy(struct rd *r, struct wr *w)
{
	uint8_t len = rd_u8(r);
	wr_u8(w, len);
	bytes_copy(r, len, w);
}

static void name_copy(struct rd *r, bool compress, struct dns_compress *c)
{
	struct dns_name name;
	struct dns_spelling spelling;
	int rc = dns_name_read_bounded(r, &name, &spelling, &c->may_follow);
	c->w.bad |= rc == -E2BIG;
	if (rc)
		return; // the cursor is bad now
	if (compress)
		dns_compress_name(c, &name, &spelling);
	else
		wr_bytes(&c->w, spelling.wire, name.len);
}

enum { SVC_MANDATORY = 0 };

static bool is_in(uint8_t svc_strip, uint16_t key)
{
	return key < 8 && svc_strip >> key & 1;
}

static void params_copy(struct rd *r, uint8_t svc_strip, struct wr *w)
{
	if (!svc_strip) {
		bytes_copy(r, rd_left(r), w);
		return;
	}
	while (rd_left(r)) {
		const uint16_t key = rd_u16(r), len = rd_u16(r);
		const uint8_t *value = rd_bytes(r, len);
		if (!value)
			return; // the cursor is bad now
		if (is_in(svc_strip, key))
			continue;
		wr_u16(w, key);
		wr_u16(w, len);
		wr_bytes(w, value, len);
	}
}

enum dns_service_look dns_service_look(
	const struct dns_records *t, const struct dns_record *rec, uint8_t svc_strip)
{
	struct rd r = rd_init(t->msg, rec->rdata_off + (size_t)rec->rdata_len);
	enum dns_service_look look = DNS_SERVICE_SAME;
	int before = -1;
	rd_skip(&r, rec->rdata_off + 2U);
	dns_name_skip(&r);
	while (rd_left(&r)) {
		const uint16_t key = rd_u16(&r), len = rd_u16(&r);
		struct rd value = {.base = rd_bytes(&r, len), .len = len};
		if (!rd_ok(&r) || key <= before)
			return DNS_SERVICE_UNUSABLE;
		before = key;
		if (is_in(svc_strip, key))
			look = DNS_SERVICE_CHANGES;
		while (key == SVC_MANDATORY && rd_left(&value))
			if (is_in(svc_strip, rd_u16(&value)) || !rd_ok(&value))
				return DNS_SERVICE_UNUSABLE;
	}
	return rd_ok(&r) ? look : DNS_SERVICE_UNUSABLE;
}

static void field_copy(struct rd *r, uint8_t field, uint8_t svc_strip, struct dns_compress *c)
{
	switch (field) {
	case F_NAME:
	case F_WHOLE:
		name_copy(r, field == F_NAME, c);
		return;
	case F_STRING:
		string_copy(r, &c->w);
		return;
	case F_STRINGS:
		do
			string_copy(r, &c->w);
		while (rd_left(r));
		return;
	case F_REST:
		bytes_copy(r, rd_left(r), &c->w);
		return;
	case F_PARAMS:
		params_copy(r, svc_strip, &c->w);
		return;
	default:
		bytes_copy(r, field, &c->w);
	}
}

int dns_rdata_copy(const struct rd *msg, uint16_t type, uint16_t class, uint16_t rdata_len,
	uint8_t svc_strip, struct dns_compress *c)
{
	// Pointers lead backwards only, so the end of the RDATA may end the cursor.
	struct rd r = rd_init(msg->base, msg->pos + rdata_len);
	r.pos = msg->pos;
	size_t length_at = c->w.pos;
	wr_u16(&c->w, 0);

	const struct layout *layout = layout_of(type, class);
	if (layout)
		for (unsigned i = 0; i < FIELDS_MAX && layout->field[i] != F_END; i++)
			field_copy(&r, layout->field[i], svc_strip, c);
	else
		field_copy(&r, F_REST, svc_strip, c);

	if (!wr_ok(&c->w))
		return 0;
	if (!rd_ok(&r) || rd_left(&r))
		return -EBADMSG;
	// Decompression can make it longer than the length field allows.
	if (c->w.pos - length_at - 2 > UINT16_MAX)
		c->w.bad = true;
	if (wr_ok(&c->w))
		put_u16(c->w.base + length_at, (uint16_t)(c->w.pos - length_at - 2));
	return 0;
}
