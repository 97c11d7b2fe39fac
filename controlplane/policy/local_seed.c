// SPDX-License-Identifier: BSD-3-Clause
#include "local_data_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { EMPTY_ZONE_TTL_S = 10800 }; // RFC 6303 3

static int name_order(const void *x, const void *y)
{
	const struct dns_name *a = x, *b = y;
	return dns_name_order(a->wire, a->len, b->wire, b->len);
}

static struct dns_name parent_of(const struct dns_name *name)
{
	size_t skip = name->wire[0] + (size_t)1;
	struct dns_name up = {
		.len = (uint8_t)(name->len - skip), .labels = (uint8_t)(name->labels - 1)};
	memcpy(up.wire, name->wire + skip, up.len);
	return up;
}

static bool is_zone(const struct local_data *d, const struct dns_name *name)
{
	return d->zone_count
	       && bsearch(name, d->zones, d->zone_count, sizeof(d->zones[0]), name_order);
}

static int say(struct local_book *b, unsigned voice, const struct dns_name *name, unsigned covers,
	unsigned reply, uint16_t but_type)
{
	const struct local_item item = {.name = name,
		.voice = (uint8_t)voice,
		.covers = (uint8_t)covers,
		.reply = (uint8_t)reply,
		.but_type = but_type};
	return local_book_add(b, &item);
}

// The names between this one and the zone above it exist, as it does; so does a wildcard's.
static int say_between(const struct local_data *d, struct local_book *b,
	const struct dns_name *name, bool wildcard)
{
	struct dns_name up = wildcard ? *name : parent_of(name);
	unsigned between = 0;
	int rc = 0;
	for (; up.labels > 0 && !is_zone(d, &up); up = parent_of(&up))
		between++;
	if (up.labels == 0)
		return 0;
	up = wildcard ? *name : parent_of(name);
	for (; between > 0 && rc == 0; between--, up = parent_of(&up))
		rc = say(b, LOCAL_ZONE, &up, RULE_COVERS_SELF, RULE_REPLY_NODATA, 0);
	return rc;
}

int local_say_data(const struct local_data *d, struct local_book *b, const struct local_item *item)
{
	int rc = local_book_add(b, item);
	return rc < 0 ? rc : say_between(d, b, item->name, item->covers == RULE_COVERS_BELOW);
}

static int records_say(const struct local_data *d, struct local_book *b, unsigned voice,
	const struct config_record *records, unsigned count)
{
	int rc = 0;
	for (unsigned i = 0; i < count && rc == 0; i++) {
		const struct config_record *r = &records[i];
		const struct local_item item = {.name = &r->name,
			.voice = (uint8_t)voice,
			.covers = r->wildcard ? RULE_COVERS_BELOW : RULE_COVERS_SELF,
			.reply = RULE_REPLY_DATA,
			.rtype = r->type,
			.rdata = r->rdata,
			.rdata_len = r->rdata_len,
			.ttl_s = r->ttl_s};
		rc = local_say_data(d, b, &item);
	}
	return rc;
}

static int zones_say(struct local_book *b, const struct local_data *d)
{
	int rc = 0;
	for (unsigned i = 0; i < d->zone_count && rc == 0; i++) {
		rc = say(b, LOCAL_ZONE, &d->zones[i], RULE_COVERS_SELF, RULE_REPLY_NODATA, 0);
		if (rc == 0)
			rc = say(b, LOCAL_ZONE, &d->zones[i], RULE_COVERS_BELOW,
				RULE_REPLY_NXDOMAIN, 0);
	}
	return rc;
}

// Only where it would not be resolved otherwise, as block lists do not count below it.
static int resolve_say(const struct local_data *d, struct local_book *b, unsigned voice,
	const struct dns_name *name)
{
	struct special_name special;
	bool needed = special_name_of(&d->special, name, &special);
	struct dns_name up = *name;
	for (; up.labels > 0 && !needed; up = parent_of(&up))
		needed = is_zone(d, &up);
	return needed ? say(b, voice, name, RULE_COVERS_ALL, RULE_REPLY_RESOLVE, 0) : 0;
}

static int forwards_say(const struct local_data *d, struct local_book *b,
	const struct config_forward_zone *zones, unsigned count)
{
	int rc = 0;
	for (unsigned i = 0; i < count && rc == 0; i++)
		rc = resolve_say(d, b, LOCAL_FORWARD, &zones[i].name);
	return rc;
}

static int loopback_say(
	struct local_book *b, const struct local_data *d, const struct dns_name *name)
{
	static const uint8_t v4[4] = {127, 0, 0, 1}, v6[16] = {[15] = 1};
	struct local_item item = {.name = name,
		.voice = LOCAL_SPECIAL,
		.covers = RULE_COVERS_ALL,
		.reply = RULE_REPLY_DATA,
		.rtype = DNS_TYPE_A,
		.rdata = v4,
		.rdata_len = sizeof(v4),
		.ttl_s = d->ttl_s};
	int rc = local_book_add(b, &item);
	item.rtype = DNS_TYPE_AAAA;
	item.rdata = v6;
	item.rdata_len = sizeof(v6);
	return rc < 0 ? rc : local_book_add(b, &item);
}

// What a zone without names has: SOA and NS as RFC 6303 (3) writes them.
static int empty_zone_say(struct local_book *b, const struct dns_name *zone)
{
	static const uint8_t rest[] = "\6nobody\7invalid\0"
				      "\0\0\0\1\0\0\x0e\x10\0\0\4\xb0\0\x09\x3a\x80\0\0\x2a\x30";
	uint8_t soa[DNS_NAME_MAX + sizeof(rest)];
	struct local_item item = {.name = zone,
		.voice = LOCAL_SPECIAL,
		.covers = RULE_COVERS_SELF,
		.reply = RULE_REPLY_DATA,
		.rtype = DNS_TYPE_NS,
		.rdata = zone->wire,
		.rdata_len = zone->len,
		.ttl_s = EMPTY_ZONE_TTL_S};
	int rc = local_book_add(b, &item);
	memcpy(soa, zone->wire, zone->len);
	memcpy(soa + zone->len, rest, sizeof(rest) - 1);
	item.rtype = DNS_TYPE_SOA;
	item.rdata = soa;
	item.rdata_len = (uint16_t)(zone->len + sizeof(rest) - 1);
	return rc < 0 ? rc : local_book_add(b, &item);
}

static int special_say(
	struct local_book *b, const struct local_data *d, const struct special_name *s)
{
	static const uint8_t localhost[] = "\11localhost";
	const struct local_item ptr = {.name = &s->name,
		.voice = LOCAL_SPECIAL,
		.covers = RULE_COVERS_SELF,
		.reply = RULE_REPLY_DATA,
		.rtype = DNS_TYPE_PTR,
		.rdata = localhost,
		.rdata_len = sizeof(localhost),
		.ttl_s = d->ttl_s};
	int rc;
	switch (s->way) {
	case SPECIAL_NXDOMAIN:
		return say(b, LOCAL_SPECIAL, &s->name, RULE_COVERS_ALL, RULE_REPLY_NXDOMAIN, 0);
	case SPECIAL_NODATA:
		return say(b, LOCAL_SPECIAL, &s->name, RULE_COVERS_ALL, RULE_REPLY_NODATA, 0);
	case SPECIAL_EMPTY:
		rc = s->but_type ? say(b, LOCAL_SPECIAL, &s->name, RULE_COVERS_SELF,
			     RULE_REPLY_NODATA, s->but_type)
				 : empty_zone_say(b, &s->name);
		return rc < 0 ? rc
			      : say(b, LOCAL_SPECIAL, &s->name, RULE_COVERS_BELOW,
				      RULE_REPLY_NXDOMAIN, 0);
	case SPECIAL_LOOPBACK:
		return loopback_say(b, d, &s->name);
	default:
		return local_book_add(b, &ptr);
	}
}

static int specials_say(struct local_book *b, const struct local_data *d)
{
	struct special_name s;
	int rc = 0;
	for (unsigned i = 0; rc == 0 && special_name_at(&d->special, i, &s); i++)
		rc = special_say(b, d, &s);
	return rc;
}

int local_seed_make(const struct local_data *d, const struct config *c,
	const struct config_group *g, struct local_book **out)
{
	struct local_book *b;
	int rc = local_book_new(&b);
	if (rc < 0)
		return rc;
	if (g)
		rc = records_say(d, b, LOCAL_OWN_RECORD, g->records, g->record_count);
	if (rc == 0 && g)
		rc = forwards_say(d, b, g->forwards, g->forward_count);
	if (rc == 0)
		rc = records_say(d, b, LOCAL_RECORD, c->local.records, c->local.record_count);
	if (rc == 0)
		rc = zones_say(b, d);
	for (unsigned i = 0; i < c->local.zone_count && rc == 0; i++)
		if (c->local.zones[i].forward)
			rc = resolve_say(d, b, LOCAL_ZONE, &c->local.zones[i].name);
	if (rc == 0)
		rc = forwards_say(d, b, c->forwards, c->forward_count);
	if (rc == 0)
		rc = specials_say(b, d);
	if (rc < 0) {
		local_book_free(b);
		return rc;
	}
	*out = b;
	return 0;
}

int local_zones_copy(struct local_data *d, const struct config_local *l)
{
	d->zones = calloc(l->zone_count + 1, sizeof(d->zones[0]));
	if (!d->zones)
		return -ENOMEM;
	for (unsigned i = 0; i < l->zone_count; i++)
		if (!l->zones[i].forward)
			d->zones[d->zone_count++] = l->zones[i].name;
	qsort(d->zones, d->zone_count, sizeof(d->zones[0]), name_order);
	return 0;
}
