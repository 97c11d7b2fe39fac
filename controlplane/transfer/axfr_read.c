// SPDX-License-Identifier: BSD-3-Clause
#include "axfr_record.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int axfr_refuse(struct axfr_reader *r, int err, const char *fmt, ...)
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

int axfr_head_read(struct axfr_reader *r, struct rd *msg, uint16_t qtype)
{
	uint16_t id = rd_u16(msg), flags = rd_u16(msg), questions = rd_u16(msg);
	uint16_t answers = rd_u16(msg);
	rd_skip(msg, 4);
	if (!rd_ok(msg))
		return axfr_refuse(r, -EBADMSG, "the server sent less than a DNS header");
	if (id != r->id || !(flags & DNS_FLAG_QR) || flags & DNS_FLAG_OPCODE)
		return axfr_refuse(r, -EPROTO, "the server sent what is no reply to the query");
	if (flags & DNS_FLAG_RCODE)
		return axfr_refuse(r, -EPROTO, "the server replied %s (%u)",
			dns_rcode_text(flags & DNS_FLAG_RCODE), flags & DNS_FLAG_RCODE);
	if (flags & DNS_FLAG_TC || questions > 1)
		return axfr_refuse(r, -EPROTO, "the server sent a truncated reply or an odd one");
	if (questions) {
		struct dns_name name;
		if (dns_name_read_compressed(msg, &name, NULL) < 0
			|| !dns_name_equal(&name, &r->zone) || rd_u16(msg) != qtype
			|| rd_u16(msg) != DNS_CLASS_IN)
			return axfr_refuse(r, -EPROTO, "the server replied to another question");
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

size_t axfr_line_write(struct axfr_reader *r, const uint8_t *rdata, size_t len)
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

int axfr_record_read(
	struct axfr_reader *r, struct rd *msg, const uint8_t **rdata, size_t *len, uint32_t *serial)
{
	struct rd head = *msg;
	struct dns_name name;
	if (!rdata_record_read(msg, &r->record) || dns_name_read_compressed(&head, &name, NULL) < 0)
		return axfr_refuse(r, -EBADMSG, "the server sent a malformed record");
	rd_skip(&head, 8);
	*len = rd_u16(&head);
	*rdata = rd_bytes(&head, *len);
	if (r->record.rclass != DNS_CLASS_IN)
		return axfr_refuse(
			r, -EBADMSG, "the server sent a record of class %u", r->record.rclass);
	if (r->record.type != DNS_TYPE_SOA || !dns_name_equal(&name, &r->zone))
		return 0;
	return serial_read(&r->record, serial)
		       ? 1
		       : axfr_refuse(r, -EBADMSG, "the server sent a malformed SOA");
}

int axfr_soa_take(struct axfr_reader *r, uint32_t serial, bool is_last)
{
	if (!is_last)
		return axfr_refuse(
			r, -EBADMSG, "the server sent records behind the end of the zone");
	return serial == r->serial ? 1
				   : axfr_refuse(r, -EBADMSG,
					   "the zone changed while it came: serial %u, then %u",
					   r->serial, serial);
}

int axfr_read(struct axfr_reader *r, const uint8_t *bytes, size_t msg_len)
{
	struct rd msg = rd_init(bytes, msg_len);
	int answers = axfr_head_read(r, &msg, DNS_TYPE_AXFR);
	for (int i = 0; i < answers; i++) {
		const uint8_t *rdata;
		size_t len;
		uint32_t serial;
		int is_soa = axfr_record_read(r, &msg, &rdata, &len, &serial);
		if (is_soa < 0)
			return is_soa;
		if (is_soa && r->begun)
			return axfr_soa_take(r, serial, i == answers - 1);
		if (!is_soa && !r->begun)
			return axfr_refuse(r, -EBADMSG, "the zone does not begin with its SOA");
		if (is_soa)
			r->serial = serial;
		r->begun = true;
		int err = r->text(r->arg, r->line, axfr_line_write(r, rdata, len));
		if (err)
			return err;
	}
	return answers < 0 ? answers : 0;
}

int axfr_read_serial(struct axfr_reader *r, const uint8_t *bytes, size_t msg_len)
{
	struct rd msg = rd_init(bytes, msg_len);
	const uint8_t *rdata;
	size_t len;
	int answers = axfr_head_read(r, &msg, DNS_TYPE_SOA);
	if (answers < 0)
		return answers;
	int is_soa = answers ? axfr_record_read(r, &msg, &rdata, &len, &r->serial) : 0;
	if (is_soa < 0)
		return is_soa;
	return is_soa ? 0 : axfr_refuse(r, -EPROTO, "the server has no SOA of the zone");
}
