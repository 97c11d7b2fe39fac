// SPDX-License-Identifier: BSD-3-Clause
#include "answer_records.h"

enum { POINTER_BYTE = 0xc0, SVCB_IPV4HINT = 4, SVCB_IPV6HINT = 6, OWNER_TO_TTL = 8 };

// Where a compressed name goes on. Offsets in pointers count from the message's header; before the
// bytes of the view stands the question.
struct place {
	const uint8_t *bytes;
	uint32_t len, pos;
	uint32_t message_pos; // where bytes[0] is
};

static struct place place_of(const struct answer_records *r, uint32_t message_pos)
{
	const struct dns_name *q = r->question;
	uint32_t view_at = DNS_HEADER_LEN + q->len + 4U;
	if (message_pos >= view_at)
		return (struct place){r->view->bytes, r->view->len, message_pos - view_at, view_at};
	if (message_pos < DNS_HEADER_LEN)
		return (struct place){0};
	return (struct place){q->wire, q->len, message_pos - DNS_HEADER_LEN, DNS_HEADER_LEN};
}

// Whole labels and pointers to what is before; the name's bytes come out in `wire`.
static size_t name_gather(
	const struct answer_records *r, uint32_t message_pos, uint8_t wire[DNS_NAME_MAX])
{
	struct place p = place_of(r, message_pos);
	uint32_t before = message_pos; // pointers must lead further back
	size_t n = 0;

	while (p.pos < p.len) {
		unsigned label = p.bytes[p.pos];
		if ((label & POINTER_BYTE) == POINTER_BYTE && p.pos + 1 < p.len) {
			uint32_t to = (label & 0x3fU) << 8 | p.bytes[p.pos + 1];
			if (to >= before)
				return 0;
			before = to;
			p = place_of(r, to);
			continue;
		}
		if (label & POINTER_BYTE || n + label + 1 > DNS_NAME_MAX
			|| p.len - p.pos < label + 1)
			return 0;
		memcpy(wire + n, p.bytes + p.pos, label + 1);
		n += label + 1;
		p.pos += label + 1;
		if (label == 0)
			return n;
	}
	return 0;
}

static bool name_read(const struct answer_records *r, uint32_t pos, struct dns_name *out)
{
	uint8_t wire[DNS_NAME_MAX];
	size_t n = name_gather(r, DNS_HEADER_LEN + r->question->len + 4U + pos, wire);
	struct rd rd = rd_init(wire, n);
	return n && dns_name_read(&rd, out) == 0;
}

// The offset behind a name, without its being read; 0: it does not end.
static uint32_t name_skip(const struct dns_answer_view *v, uint32_t pos)
{
	while (pos < v->len) {
		unsigned label = v->bytes[pos];
		if ((label & POINTER_BYTE) == POINTER_BYTE)
			return pos + 2;
		if (label & POINTER_BYTE)
			return 0;
		pos += label + 1;
		if (label == 0)
			return pos;
	}
	return 0;
}

bool answer_records_next(struct answer_records *r, struct answer_record *out)
{
	const struct dns_answer_view *v = r->view;
	uint32_t pos = r->left ? name_skip(v, r->pos) : 0;

	if (pos == 0 || pos > v->len || v->len - pos < OWNER_TO_TTL + 2) {
		r->left = 0;
		return false;
	}
	out->type = get_u16(v->bytes + pos);
	out->rdata_len = get_u16(v->bytes + pos + OWNER_TO_TTL);
	out->rdata = pos + OWNER_TO_TTL + 2;
	if (v->len - out->rdata < out->rdata_len) {
		r->left = 0;
		return false;
	}
	r->pos = out->rdata + out->rdata_len;
	r->left--;
	return true;
}

bool answer_record_target(
	const struct answer_records *r, const struct answer_record *record, struct dns_name *out)
{
	bool service = record->type == DNS_TYPE_HTTPS || record->type == DNS_TYPE_SVCB;

	if (record->type == DNS_TYPE_CNAME)
		return name_read(r, record->rdata, out);
	return service && record->rdata_len > 2 && name_read(r, record->rdata + 2, out)
	       && out->labels > 0;
}

// RFC 9460 2.2: priority, target, then parameters. A compressed target is forbidden, but some
// clients read it, so what stands behind it counts as well.
static void service_addresses(const struct answer_records *r, const struct answer_record *record,
	answer_policy_address_fn take, void *arg)
{
	const uint32_t end = record->rdata + record->rdata_len;
	const uint32_t behind = record->rdata_len > 2 ? name_skip(r->view, record->rdata + 2) : 0;

	if (behind == 0 || behind > end)
		return;
	struct rd rd = rd_init(r->view->bytes + behind, end - behind);
	while (rd_left(&rd) >= 4) {
		unsigned key = rd_u16(&rd), n = rd_u16(&rd);
		const uint8_t *value = rd_bytes(&rd, n);
		unsigned bytes = key == SVCB_IPV4HINT ? 4 : key == SVCB_IPV6HINT ? 16 : 0;
		for (unsigned i = 0; value && bytes && i + bytes <= n; i += bytes)
			take(arg, value + i, bytes);
	}
}

void answer_record_addresses(const struct answer_records *r, const struct answer_record *record,
	answer_policy_address_fn take, void *arg)
{
	const uint8_t *rdata = r->view->bytes + record->rdata;

	if (record->type == DNS_TYPE_A && record->rdata_len == 4)
		take(arg, rdata, 4);
	else if (record->type == DNS_TYPE_AAAA && record->rdata_len == 16)
		take(arg, rdata, 16);
	else if (record->type == DNS_TYPE_HTTPS || record->type == DNS_TYPE_SVCB)
		service_addresses(r, record, take, arg);
}
