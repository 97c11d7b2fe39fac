// SPDX-License-Identifier: BSD-3-Clause
#include "doh_response.h"

#include <stdio.h>
#include <weir/dns_query.h>

static uint32_t smaller(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
}

// TTLs with the highest bit set count as 0 (RFC 2181 8).
static uint32_t ttl_read(struct rd *r)
{
	uint32_t ttl = rd_u32(r);
	return ttl > DNS_TTL_MAX ? 0 : ttl;
}

// One record; the smaller of `least` and how long it lasts.
static uint32_t record_least(struct rd *r, bool soa_only, uint32_t least)
{
	uint32_t lasts;

	dns_name_skip(r);
	uint16_t type = rd_u16(r);
	rd_skip(r, 2);
	lasts = ttl_read(r);
	uint16_t rdlen = rd_u16(r);
	const uint8_t *rdata = rd_bytes(r, rdlen);
	if (!rdata)
		return 0;
	if (!soa_only)
		return smaller(least, lasts);
	if (type != DNS_TYPE_SOA || rdlen < 4)
		return least;
	struct rd minimum = rd_init(rdata + rdlen - 4, 4);
	return smaller(least, smaller(lasts, ttl_read(&minimum)));
}

uint32_t doh_max_age(const uint8_t *msg, size_t len)
{
	struct rd r = rd_init(msg, len);
	uint32_t least = UINT32_MAX;

	rd_skip(&r, 2);
	const unsigned flags = rd_u16(&r), rcode = flags & DNS_FLAG_RCODE;
	unsigned questions = rd_u16(&r), answers = rd_u16(&r), authority = rd_u16(&r);
	rd_skip(&r, 2);
	if ((rcode != DNS_RCODE_NOERROR && rcode != DNS_RCODE_NXDOMAIN) || flags & DNS_FLAG_TC)
		return 0;
	for (; questions && rd_ok(&r); questions--) {
		dns_name_skip(&r);
		rd_skip(&r, 4);
	}
	for (; answers && rd_ok(&r); answers--)
		least = record_least(&r, false, least);
	for (; authority && rd_ok(&r); authority--)
		least = record_least(&r, true, least);
	return rd_ok(&r) && least != UINT32_MAX ? least : 0;
}

static const char *date_text(struct doh_date *d)
{
	const time_t now = time(NULL);
	struct tm tm;

	if (now != d->at && gmtime_r(&now, &tm)) {
		(void)strftime(d->text, sizeof(d->text), "%a, %d %b %Y %H:%M:%S GMT", &tm);
		d->at = now;
	}
	return d->text;
}

static struct doh_field *field_add(struct doh_field *f, const char *name, const char *value)
{
	f->name = name;
	(void)snprintf(f->value, sizeof(f->value), "%s", value);
	return f + 1;
}

unsigned doh_response_fields(
	const struct doh_response *r, struct doh_date *date, struct doh_field out[DOH_FIELDS_MAX])
{
	const bool is_message = r->status == DOH_200;
	struct doh_field *f = out;
	char text[DOH_VALUE_MAX];

	f = field_add(f, "content-type", is_message ? "application/dns-message" : "text/plain");
	(void)snprintf(text, sizeof(text), "%zu", r->len);
	f = field_add(f, "content-length", text);
	(void)snprintf(text, sizeof(text), "max-age=%u", r->max_age_s);
	f = field_add(f, "cache-control", is_message ? text : "no-store");
	f = field_add(f, "date", date_text(date));
	if (r->status == DOH_405)
		f = field_add(f, "allow", "GET, POST");
	return (unsigned)(f - out);
}
