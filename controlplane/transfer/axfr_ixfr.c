// SPDX-License-Identifier: BSD-3-Clause
#include "axfr_ixfr.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int ATTR_PRINTF(3, 4) refuse(struct axfr_reader *r, int err, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(r->why, sizeof(r->why), fmt, ap);
	va_end(ap);
	return err;
}

uint16_t axfr_query_write(const struct axfr_reader *r, uint16_t qtype, uint8_t out[AXFR_QUERY_MAX])
{
	uint8_t *question = out + DNS_HEADER_LEN, *type = question + r->zone.len;
	memset(out, 0, DNS_HEADER_LEN);
	put_u16(out, r->id);
	put_u16(out + 4, 1); // QDCOUNT
	memcpy(question, r->zone.wire, r->zone.len);
	put_u16(type, qtype);
	put_u16(type + 2, DNS_CLASS_IN);
	return (uint16_t)(type + 4 - out);
}

// The header, and the question, which may be missing (RFC 5936 2.2.1). The number of answers, or an
// error.
static int head_read(struct axfr_reader *r, struct rd *msg, uint16_t qtype)
{
	uint16_t id = rd_u16(msg), flags = rd_u16(msg), questions = rd_u16(msg);
	uint16_t answers = rd_u16(msg);
	rd_skip(msg, 4);
	if (!rd_ok(msg))
		return refuse(r, -EBADMSG, "the server sent less than a DNS header");
	if (id != r->id || !(flags & DNS_FLAG_QR) || flags & DNS_FLAG_OPCODE)
		return refuse(r, -EPROTO, "the server sent what is no reply to the query");
	if (flags & DNS_FLAG_RCODE)
		return refuse(r, -EPROTO, "the server replied %s (%u)",
			dns_rcode_text(flags & DNS_FLAG_RCODE), flags & DNS_FLAG_RCODE);
	if (flags & DNS_FLAG_TC || questions > 1)
		return refuse(r, -EPROTO, "the server sent a truncated reply or an odd one");
	if (questions) {
		struct dns_name name;
		if (dns_name_read_compressed(msg, &name, NULL) < 0
			|| !dns_name_equal(&name, &r->zone) || rd_u16(msg) != qtype
			|| rd_u16(msg) != DNS_CLASS_IN)
			return refuse(r, -EPROTO, "the server replied to another question");
	}
	return answers;
}

// `at` has room for DNS_NAME_TEXT_MAX. Where it ends.
static char *owner_write(const struct dns_name *name, char *at)
{
	const uint8_t *p = name->wire;
	if (!*p)
		*at++ = '.';
	for (; *p; p += 1 + *p) {
		for (unsigned i = 1; i <= *p; i++) {
			uint8_t c = p[i];
			if ((c < 0x80 && isalnum(c)) || c == '-' || c == '_' || c == '*')
				*at++ = (char)c;
			else
				at += sprintf(at, "\\%03u", c);
		}
		*at++ = '.';
	}
	return at;
}

// Does the text of the data read as it was written? Names in it may have characters that mean
// something else in a file, and a text that was cut short ends in dots, as no whole one does.
static bool is_plain(const struct rdata_record *r)
{
	size_t len = strlen(r->data);
	if (len >= 3 && strcmp(r->data + len - 3, "...") == 0)
		return false;
	return strncmp(r->data, "\\#", 2) != 0
	       && (r->type == DNS_TYPE_TXT || !strpbrk(r->data, ";()\"@$"));
}

// The data as RFC 3597 writes it; without data where that is too long.
static int unknown_write(char *at, size_t cap, const uint8_t *rdata, size_t len, bool *is_cut)
{
	int n = snprintf(at, cap, "\\# %zu", len);
	*is_cut = 2 * len + 1 >= cap - (size_t)n;
	if (*is_cut)
		return n;
	for (size_t i = 0; i < len; i++)
		n += sprintf(at + n, "%s%02x", i ? "" : " ", rdata[i]);
	return n;
}

// The line of the record that was read, to r->line. Its length, with the line feed.
static size_t line_write(struct axfr_reader *r, const uint8_t *rdata, size_t len)
{
	const struct rdata_record *record = &r->record;
	char type[DNS_TYPE_TEXT_MAX];
	char *at = owner_write(&record->name, r->line), *end = r->line + sizeof(r->line) - 1;
	bool plain = is_plain(record);
	r->is_cut = false;
	if (plain)
		dns_type_text(record->type, type);
	else
		snprintf(type, sizeof(type), "TYPE%u", record->type);
	uint32_t ttl_s = record->ttl_s < DNS_TTL_MAX ? record->ttl_s : DNS_TTL_MAX;
	at += snprintf(at, (size_t)(end - at), " %u IN %s ", ttl_s, type);
	if (plain)
		at = stpcpy(at, record->data);
	else
		at += unknown_write(at, (size_t)(end - at), rdata, len, &r->is_cut);
	*at++ = '\n';
	r->records++;
	return (size_t)(at - r->line);
}

// The third word of the data, behind two names.
static bool serial_read(const struct rdata_record *record, uint32_t *out)
{
	const char *p = record->data;
	for (unsigned i = 0; i < 2 && p; i++) {
		p = strchr(p, ' ');
		p += p != NULL;
	}
	if (!p || !is_plain(record)) // the file must begin with it
		return false;
	*out = (uint32_t)strtoul(p, NULL, 10);
	return true;
}

// The record at the cursor, with its data. 1: it is the zone's SOA, whose serial is *serial; 0:
// another one, or an error.
static int record_read(
	struct axfr_reader *r, struct rd *msg, const uint8_t **rdata, size_t *len, uint32_t *serial)
{
	struct rd head = *msg;
	struct dns_name name;
	if (!rdata_record_read(msg, &r->record) || dns_name_read_compressed(&head, &name, NULL) < 0)
		return refuse(r, -EBADMSG, "the server sent a malformed record");
	rd_skip(&head, 8);
	*len = rd_u16(&head);
	*rdata = rd_bytes(&head, *len);
	if (r->record.rclass != DNS_CLASS_IN)
		return refuse(
			r, -EBADMSG, "the server sent a record of class %u", r->record.rclass);
	if (r->record.type != DNS_TYPE_SOA || !dns_name_equal(&name, &r->zone))
		return 0;
	return serial_read(&r->record, serial)
		       ? 1
		       : refuse(r, -EBADMSG, "the server sent a malformed SOA");
}

// The SOA that ends the zone: 1, or an error.
static int last_soa_check(struct axfr_reader *r, uint32_t serial, bool is_last)
{
	if (!is_last)
		return refuse(r, -EBADMSG, "the server sent records behind the end of the zone");
	return serial == r->serial
		       ? 1
		       : refuse(r, -EBADMSG, "the zone changed while it came: serial %u, then %u",
			       r->serial, serial);
}

int axfr_read(struct axfr_reader *r, const uint8_t *bytes, size_t msg_len)
{
	struct rd msg = rd_init(bytes, msg_len);
	int answers = head_read(r, &msg, DNS_TYPE_AXFR);
	for (int i = 0; i < answers; i++) {
		const uint8_t *rdata = NULL;
		size_t len = 0;
		uint32_t serial = 0;
		int is_soa = record_read(r, &msg, &rdata, &len, &serial);
		if (is_soa < 0)
			return is_soa;
		if (is_soa && r->begun)
			return last_soa_check(r, serial, i == answers - 1);
		if (!is_soa && !r->begun)
			return refuse(r, -EBADMSG, "the zone does not begin with its SOA");
		if (is_soa)
			r->serial = serial;
		r->begun = true;
		int err = r->text(r->arg, r->line, line_write(r, rdata, len));
		if (err)
			return err;
	}
	return answers < 0 ? answers : 0;
}

int axfr_read_serial(struct axfr_reader *r, const uint8_t *bytes, size_t msg_len)
{
	struct rd msg = rd_init(bytes, msg_len);
	const uint8_t *rdata = NULL;
	size_t len = 0;
	int answers = head_read(r, &msg, DNS_TYPE_SOA);
	if (answers < 0)
		return answers;
	int is_soa = answers ? record_read(r, &msg, &rdata, &len, &r->serial) : 0;
	if (is_soa < 0)
		return is_soa;
	return is_soa ? 0 : refuse(r, -EPROTO, "the server has no SOA of the zone");
}

uint16_t ixfr_query_write(const struct ixfr_reader *r, uint8_t out[IXFR_QUERY_MAX])
{
	uint16_t len = axfr_query_write(&r->zone, DNS_TYPE_IXFR, out);
	struct wr w = wr_init(out, IXFR_QUERY_MAX);
	w.pos = len;
	put_u16(out + 8, 1);                 // NSCOUNT
	wr_u16(&w, 0xc000 | DNS_HEADER_LEN); // the question's name
	wr_u16(&w, DNS_TYPE_SOA);
	wr_u16(&w, DNS_CLASS_IN);
	wr_u32(&w, 0);
	wr_u16(&w, 22);
	wr_u16(&w, 0); // two root names: the serial alone counts
	wr_u32(&w, r->have);
	for (unsigned i = 0; i < 4; i++)
		wr_u32(&w, 0);
	return (uint16_t)w.pos;
}

static bool is_newer(uint32_t a, uint32_t b)
{
	return (int32_t)(a - b) > 0;
}

static int line_change(struct ixfr_reader *r, bool joins, const uint8_t *rdata, size_t rdata_len)
{
	struct axfr_reader *z = &r->zone;
	size_t len = line_write(z, rdata, rdata_len);
	if (z->is_cut)
		return refuse(z, -EBADMSG, "a difference has a record that is too long");
	int err = r->change(z->arg, joins, z->line, len);
	if (err == 0)
		return 0;
	return refuse(z, err, "%s",
		err == -E2BIG    ? "the difference is too large"
		: err == -ENOMEM ? "no memory for the difference"
		: joins          ? "the difference adds a record twice"
				 : "the difference deletes a record twice");
}

static int first_read(
	struct ixfr_reader *r, const uint8_t *rdata, size_t len, uint32_t serial, bool is_last)
{
	struct axfr_reader *z = &r->zone;
	z->serial = serial;
	if (serial == r->have)
		return is_last ? IXFR_UNCHANGED
			       : refuse(z, -EBADMSG, "the server sent records behind its SOA");
	if (!is_newer(serial, r->have))
		return refuse(
			z, -ESTALE, "the server's serial %u is older than %u", serial, r->have);
	r->soa_len = line_write(z, rdata, len);
	memcpy(r->soa, z->line, r->soa_len);
	r->part = IXFR_SECOND;
	return IXFR_MORE;
}

// The record behind the first SOA says what the reply is.
static int second_read(struct ixfr_reader *r, const uint8_t *rdata, size_t len, int is_soa,
	uint32_t serial, bool is_last)
{
	struct axfr_reader *z = &r->zone;
	if (is_soa && serial == r->have) {
		r->part = IXFR_LEAVES;
		r->at = serial;
		return line_change(r, false, rdata, len);
	}
	if (is_soa && serial != z->serial)
		return refuse(z, -EBADMSG, "a difference from serial %u, not %u", serial, r->have);
	z->begun = true;
	r->part = IXFR_ZONE;
	int err = z->text(z->arg, r->soa, r->soa_len);
	if (err)
		return err;
	if (is_soa) {
		err = last_soa_check(z, serial, is_last);
		return err < 0 ? err : IXFR_WHOLE;
	}
	return z->text(z->arg, z->line, line_write(z, rdata, len));
}

static int zone_record_read(struct ixfr_reader *r, const uint8_t *rdata, size_t len, int is_soa,
	uint32_t serial, bool is_last)
{
	struct axfr_reader *z = &r->zone;
	if (!is_soa)
		return z->text(z->arg, z->line, line_write(z, rdata, len));
	int err = last_soa_check(z, serial, is_last);
	return err < 0 ? err : IXFR_WHOLE;
}

static int difference_read(struct ixfr_reader *r, const uint8_t *rdata, size_t len, int is_soa,
	uint32_t serial, bool is_last)
{
	struct axfr_reader *z = &r->zone;
	bool joins = r->part == IXFR_JOINS;
	if (!is_soa)
		return line_change(r, joins, rdata, len);
	if (!joins) {
		if (!is_newer(serial, r->at) || is_newer(serial, z->serial))
			return refuse(z, -EBADMSG,
				"a difference from serial %u to %u, in a reply to %u", r->at,
				serial, z->serial);
		r->at = serial;
		r->part = IXFR_JOINS;
		return line_change(r, true, rdata, len);
	}
	if (serial != r->at)
		return refuse(
			z, -EBADMSG, "a difference from serial %u behind one to %u", serial, r->at);
	if (r->at != z->serial) {
		r->part = IXFR_LEAVES;
		return line_change(r, false, rdata, len);
	}
	if (!is_last)
		return refuse(z, -EBADMSG, "the server sent records behind the last difference");
	int err = z->text(z->arg, r->soa, r->soa_len);
	return err ? err : IXFR_DIFFERENCE;
}

int ixfr_read(struct ixfr_reader *r, const uint8_t *bytes, size_t msg_len)
{
	struct axfr_reader *z = &r->zone;
	struct rd msg = rd_init(bytes, msg_len);
	int answers = head_read(z, &msg, DNS_TYPE_IXFR), done = IXFR_MORE;
	for (int i = 0; i < answers && done == IXFR_MORE; i++) {
		const uint8_t *rdata = NULL;
		size_t len = 0;
		uint32_t serial = 0;
		bool is_last = i == answers - 1;
		int is_soa = record_read(z, &msg, &rdata, &len, &serial);
		if (is_soa < 0)
			return is_soa;
		if (r->part == IXFR_BEGINS && !is_soa)
			return refuse(z, -EBADMSG, "the zone does not begin with its SOA");
		if (r->part == IXFR_BEGINS)
			done = first_read(r, rdata, len, serial, is_last);
		else if (r->part == IXFR_SECOND)
			done = second_read(r, rdata, len, is_soa, serial, is_last);
		else if (r->part == IXFR_ZONE)
			done = zone_record_read(r, rdata, len, is_soa, serial, is_last);
		else
			done = difference_read(r, rdata, len, is_soa, serial, is_last);
	}
	return answers < 0 ? answers : done;
}
