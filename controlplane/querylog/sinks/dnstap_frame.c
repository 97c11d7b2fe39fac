// SPDX-License-Identifier: BSD-3-Clause
#include "dnstap_frame.h"

#include "querylog/row_text.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <weir/build.h>
#include <weir/bytes.h>
#include <weir/dns_name.h>
#include <weir/dns_proto.h>

// Field numbers of dnstap.proto.
enum { TAP_IDENTITY = 1, TAP_VERSION = 2, TAP_EXTRA = 3, TAP_MESSAGE = 14, TAP_TYPE = 15 };
enum {
	MESSAGE_TYPE = 1,
	MESSAGE_FAMILY,
	MESSAGE_PROTOCOL,
	MESSAGE_QUERY_ADDRESS,
	MESSAGE_RESPONSE_ADDRESS,
	MESSAGE_QUERY_PORT,
	MESSAGE_RESPONSE_PORT,
	MESSAGE_QUERY_TIME_S,
	MESSAGE_QUERY_TIME_NS,
	MESSAGE_QUERY,
	MESSAGE_RESPONSE_TIME_S = 12,
	MESSAGE_RESPONSE_TIME_NS,
	MESSAGE_RESPONSE,
};
enum { CLIENT_QUERY = 5, CLIENT_RESPONSE = 6, TYPE_MESSAGE = 1 };
enum { WIRE_VARINT = 0, WIRE_BYTES = 2, WIRE_FIXED32 = 5 };
enum { CONTROL_CONTENT_TYPE = 1, QUESTION_MAX = DNS_HEADER_LEN + DNS_NAME_MAX + 4 };
static const char content_type[] = DNSTAP_CONTENT_TYPE;

static void pb_varint(struct wr *p, uint64_t v)
{
	uint8_t bytes[10];
	size_t n = 0;
	for (; v >= 0x80; v >>= 7)
		bytes[n++] = (uint8_t)(v | 0x80);
	bytes[n++] = (uint8_t)v;
	wr_bytes(p, bytes, n);
}

static void pb_tag(struct wr *p, unsigned field, unsigned wire)
{
	pb_varint(p, field << 3 | wire);
}

static void pb_number(struct wr *p, unsigned field, uint64_t v)
{
	pb_tag(p, field, WIRE_VARINT);
	pb_varint(p, v);
}

static void pb_fixed32(struct wr *p, unsigned field, uint32_t v)
{
	const uint8_t bytes[] = {
		(uint8_t)v, (uint8_t)(v >> 8), (uint8_t)(v >> 16), (uint8_t)(v >> 24)};
	pb_tag(p, field, WIRE_FIXED32);
	wr_bytes(p, bytes, sizeof(bytes));
}

static void pb_field(struct wr *p, unsigned field, const void *from, size_t len)
{
	pb_tag(p, field, WIRE_BYTES);
	pb_varint(p, len);
	wr_bytes(p, from, len);
}

// Makes header and question from the row. Returns the bytes written; 0: the row has no question.
static size_t message(const struct querylog_row *row, bool is_reply, uint8_t out[QUESTION_MAX])
{
	struct dns_name name;
	if (row->qname.len == 0 || dns_name_from_text(row->qname.at, row->qname.len, &name) != 0)
		return 0;
	unsigned flags =
		DNS_FLAG_RD | (is_reply ? DNS_FLAG_QR | DNS_FLAG_RA | (row->rcode & 0xfu) : 0);
	memset(out, 0, DNS_HEADER_LEN);
	put_u16(out + 2, (uint16_t)flags);
	put_u16(out + 4, 1);
	memcpy(out + DNS_HEADER_LEN, name.wire, name.len);
	put_u16(out + DNS_HEADER_LEN + name.len, row->qtype);
	put_u16(out + DNS_HEADER_LEN + name.len + 2, row->qclass);
	return DNS_HEADER_LEN + name.len + 4u;
}

// Writes the service address in the client's family, which the message has: an IPv4 address is
// mapped into IPv6, and an IPv6 address is left out if the client has IPv4.
static void service_put(struct wr *p, const struct querylog_whole *w, bool is_v6)
{
	static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
	uint8_t bytes[16];

	if (w->service_version == 6 && !is_v6)
		return;
	memcpy(bytes, w->service_bytes, sizeof(bytes));
	if (w->service_version != 6 && is_v6) {
		memcpy(bytes, mapped, sizeof(mapped));
		memcpy(bytes + sizeof(mapped), w->service_bytes, 4);
	}
	pb_field(p, MESSAGE_RESPONSE_ADDRESS, bytes, is_v6 ? 16 : 4);
}

static void ends(struct wr *p, const struct querylog_row *row)
{
	static const uint8_t none[16];
	static const uint8_t protocol[QUERYLOG_TRANSPORTS] = {
		[QUERYLOG_UDP] = 1, [QUERYLOG_TCP] = 2, [QUERYLOG_DOT] = 3, [QUERYLOG_DOH] = 4};
	const struct querylog_whole *w = row->whole;
	bool is_v6 = row->client_version == 6;
	const size_t len = is_v6 ? 16 : 4;
	pb_number(p, MESSAGE_FAMILY, is_v6 ? 2 : 1);
	pb_number(p, MESSAGE_PROTOCOL, protocol[row->transport]);
	if (memcmp(row->client_bytes, none, sizeof(none)) != 0)
		pb_field(p, MESSAGE_QUERY_ADDRESS, row->client_bytes, len);
	if (row->client_port)
		pb_number(p, MESSAGE_QUERY_PORT, row->client_port);
	if (w && w->service_port) {
		service_put(p, w, is_v6);
		pb_number(p, MESSAGE_RESPONSE_PORT, w->service_port);
	}
}

static void times(struct wr *p, const struct querylog_row *row)
{
	uint64_t end_us = row->time_us + row->total_us;
	pb_number(p, MESSAGE_QUERY_TIME_S, row->time_us / 1000000);
	pb_fixed32(p, MESSAGE_QUERY_TIME_NS, (uint32_t)(row->time_us % 1000000) * 1000);
	if (!row->is_answered)
		return;
	pb_number(p, MESSAGE_RESPONSE_TIME_S, end_us / 1000000);
	pb_fixed32(p, MESSAGE_RESPONSE_TIME_NS, (uint32_t)(end_us % 1000000) * 1000);
}

bool dnstap_frame_is_whole(const struct querylog_row *row)
{
	const struct querylog_whole *w = row->whole;
	return w && w->query && (w->reply || !row->is_answered);
}

// The two messages of a row; a message that is NULL gets no field.
struct messages {
	const uint8_t *query, *reply;
	size_t query_len, reply_len;
};

static struct messages messages_of(const struct querylog_row *row, uint8_t made[QUESTION_MAX])
{
	const struct querylog_whole *w = row->whole;
	struct messages m = {0};
	if (w && w->query) {
		m.query = w->query;
		m.query_len = row->query_len;
	}
	if (w && w->reply && row->is_answered) {
		m.reply = w->reply;
		m.reply_len = row->reply_len;
	}
	if (row->is_answered ? m.reply != NULL : m.query != NULL)
		return m;
	size_t len = message(row, row->is_answered, made);
	if (len && row->is_answered) {
		m.reply = made;
		m.reply_len = len;
	} else if (len) {
		m.query = made;
		m.query_len = len;
	}
	return m;
}

static size_t bytes_size(unsigned field, const uint8_t *from, size_t len)
{
	uint8_t head[20];
	struct wr p = wr_init(head, sizeof(head));
	if (!from)
		return 0;
	pb_tag(&p, field, WIRE_BYTES);
	pb_varint(&p, len);
	return p.pos + len;
}

static void message_write(struct wr *p, const struct querylog_row *row)
{
	uint8_t made[QUESTION_MAX], head[128];
	struct wr h = wr_init(head, sizeof(head));
	const struct messages m = messages_of(row, made);
	pb_number(&h, MESSAGE_TYPE, row->is_answered ? CLIENT_RESPONSE : CLIENT_QUERY);
	ends(&h, row);
	times(&h, row);
	pb_tag(p, TAP_MESSAGE, WIRE_BYTES);
	pb_varint(p, h.pos + bytes_size(MESSAGE_QUERY, m.query, m.query_len)
			     + bytes_size(MESSAGE_RESPONSE, m.reply, m.reply_len));
	wr_bytes(p, head, h.pos);
	if (m.query)
		pb_field(p, MESSAGE_QUERY, m.query, m.query_len);
	if (m.reply)
		pb_field(p, MESSAGE_RESPONSE, m.reply, m.reply_len);
}

size_t dnstap_frame_row(const struct querylog_row *row, const char *box, uint8_t *out, size_t cap)
{
	char version[sizeof("weir ") + BUILD_TEXT_MAX];
	char extra[ROW_LINE_MAX];
	struct wr p = wr_init(out, cap);
	if (row->client.len == 0)
		return 0; // a row of unlogged queries
	snprintf(version, sizeof(version), "weir %s", build_this()->version);
	wr_u32(&p, 0); // place of the length, written at the end
	pb_field(&p, TAP_IDENTITY, box, strlen(box));
	pb_field(&p, TAP_VERSION, version, strlen(version));
	size_t len = row_text_json(row, box, extra, sizeof(extra));
	if (len)
		pb_field(&p, TAP_EXTRA, extra, len - 1);
	message_write(&p, row);
	pb_number(&p, TAP_TYPE, TYPE_MESSAGE);
	if (!wr_ok(&p))
		return 0;
	put_u32(out, (uint32_t)(p.pos - 4));
	return p.pos;
}

size_t dnstap_frame_control(enum dnstap_control type, uint8_t *out, size_t cap)
{
	bool has_type = type == DNSTAP_READY || type == DNSTAP_START || type == DNSTAP_ACCEPT;
	size_t len = 4 + (has_type ? 8 + sizeof(content_type) - 1 : 0);
	if (cap < 8 + len)
		return 0;
	put_u32(out, 0); // length 0 marks a control frame
	put_u32(out + 4, (uint32_t)len);
	put_u32(out + 8, type);
	if (has_type) {
		put_u32(out + 12, CONTROL_CONTENT_TYPE);
		put_u32(out + 16, sizeof(content_type) - 1);
		memcpy(out + 20, content_type, sizeof(content_type) - 1);
	}
	return 8 + len;
}

// Whether a control frame has dnstap's content type, or no content type.
static bool content_fits(struct rd *rd)
{
	bool any = false, ours = false;
	while (rd_left(rd) > 0) {
		uint32_t field = rd_u32(rd), len = rd_u32(rd);
		const uint8_t *text = rd_bytes(rd, len);
		if (!rd_ok(rd) || field != CONTROL_CONTENT_TYPE)
			return false;
		any = true;
		ours |= len == sizeof(content_type) - 1 && memcmp(text, content_type, len) == 0;
	}
	return ours || !any;
}

int dnstap_control_read(const uint8_t *bytes, size_t len, enum dnstap_control *type, size_t *used)
{
	if (len < 12)
		return -EAGAIN;
	struct rd head = rd_init(bytes, len);
	uint32_t escape = rd_u32(&head), size = rd_u32(&head);
	if (escape != 0 || size < 4 || size > DNSTAP_CONTROL_MAX)
		return -EBADMSG;
	if (len < 8 + size)
		return -EAGAIN;
	struct rd rd = rd_init(bytes + 8, size);
	uint32_t what = rd_u32(&rd);
	if (what < DNSTAP_ACCEPT || what > DNSTAP_FINISH || !content_fits(&rd))
		return -EBADMSG;
	*type = (enum dnstap_control)what;
	*used = 8 + size;
	return 0;
}
