// SPDX-License-Identifier: BSD-3-Clause
#include "local_seed.h"

#include "local_data.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <weir/heap_site.h>
#include <weir/hosts_file.h>
#include <weir/log.h>

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

static bool is_zone(const struct local_seed *d, const struct dns_name *name)
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
static int say_between(const struct local_seed *d, struct local_book *b,
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

static int say_data(const struct local_seed *d, struct local_book *b, const struct local_item *item)
{
	int rc = local_book_add(b, item);
	return rc < 0 ? rc : say_between(d, b, item->name, item->covers == RULE_COVERS_BELOW);
}

static int records_say(const struct local_seed *d, struct local_book *b, unsigned voice,
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
		rc = say_data(d, b, &item);
	}
	return rc;
}

static int zones_say(struct local_book *b, const struct local_seed *d)
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

static bool has_wildcard_above(
	const struct config_record *records, unsigned count, const struct dns_name *name)
{
	for (unsigned i = 0; i < count; i++)
		if (records[i].wildcard && records[i].name.labels < name->labels
			&& dns_name_is_under(name, &records[i].name))
			return true;
	return false;
}

// Whose names are being said: everyone's, and those of a group, if not NULL.
struct sayer {
	const struct local_seed *data;
	const struct config *config;
	const struct config_group *group;
};

// Only where it would not be resolved otherwise, as block lists do not count below it.
static int resolve_say(
	const struct sayer *s, struct local_book *b, unsigned voice, const struct dns_name *name)
{
	const struct config_local *l = &s->config->local;
	const struct config_group *g = s->group;
	struct special_name special;
	bool needed = special_name_of(&s->data->special, name, &special)
		      || has_wildcard_above(l->records, l->record_count, name)
		      || (g && has_wildcard_above(g->records, g->record_count, name));
	struct dns_name up = *name;
	for (; up.labels > 0 && !needed; up = parent_of(&up))
		needed = is_zone(s->data, &up);
	return needed ? say(b, voice, name, RULE_COVERS_ALL, RULE_REPLY_RESOLVE, 0) : 0;
}

static int forwards_say(const struct sayer *s, struct local_book *b,
	const struct config_forward_zone *zones, unsigned count)
{
	int rc = 0;
	for (unsigned i = 0; i < count && rc == 0; i++)
		rc = resolve_say(s, b, LOCAL_FORWARD, &zones[i].name);
	return rc;
}

static int loopback_say(
	struct local_book *b, const struct local_seed *d, const struct dns_name *name)
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

static int designated_say(
	struct local_book *b, const struct local_seed *d, const struct dns_name *name)
{
	struct local_item item = {.name = name,
		.voice = LOCAL_SPECIAL,
		.covers = RULE_COVERS_SELF,
		.reply = RULE_REPLY_DATA,
		.rtype = DNS_TYPE_SVCB,
		.ttl_s = DESIGNATED_TTL_S};
	int rc = 0;
	for (unsigned i = 0; i < d->designated.count && rc == 0; i++) {
		item.rdata = d->designated.record[i].rdata;
		item.rdata_len = d->designated.record[i].rdata_len;
		rc = local_book_add(b, &item);
	}
	return rc;
}

// The records of an empty zone: SOA and NS as in RFC 6303 (3).
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
	struct local_book *b, const struct local_seed *d, const struct special_name *s)
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
	case SPECIAL_SVCB:
		return designated_say(b, d, &s->name);
	default:
		return local_book_add(b, &ptr);
	}
}

static int specials_say(struct local_book *b, const struct local_seed *d)
{
	struct special_name s;
	int rc = 0;
	for (unsigned i = 0; rc == 0 && special_name_at(&d->special, i, &s); i++)
		rc = special_say(b, d, &s);
	return rc;
}

int local_seed_make(const struct local_seed *d, const struct config *c,
	const struct config_group *g, struct local_book **out)
{
	const struct sayer s = {d, c, g};
	struct local_book *b;
	int rc = local_book_new(&b);
	if (rc < 0)
		return rc;
	if (g)
		rc = records_say(d, b, LOCAL_OWN_RECORD, g->records, g->record_count);
	if (rc == 0 && g)
		rc = forwards_say(&s, b, g->forwards, g->forward_count);
	if (rc == 0)
		rc = records_say(d, b, LOCAL_RECORD, c->local.records, c->local.record_count);
	if (rc == 0)
		rc = zones_say(b, d);
	for (unsigned i = 0; i < c->local.zone_count && rc == 0; i++)
		if (c->local.zones[i].forward)
			rc = resolve_say(&s, b, LOCAL_ZONE, &c->local.zones[i].name);
	if (rc == 0)
		rc = forwards_say(&s, b, c->forwards, c->forward_count);
	if (rc == 0)
		rc = specials_say(b, d);
	if (rc < 0) {
		local_book_free(b);
		return rc;
	}
	*out = b;
	return 0;
}

int local_seed_init(struct local_seed *s, const struct config *c)
{
	const struct config_local *l = &c->local;
	s->special = special_settings_of(c);
	designated_make(c, &s->designated);
	s->hosts_ptr = l->hosts_ptr;
	s->ttl_s = l->ttl_s;
	for (; s->hosts_count < l->hosts_file_count; s->hosts_count++) {
		s->hosts[s->hosts_count] = heap_strdup(l->hosts_files[s->hosts_count]);
		if (!s->hosts[s->hosts_count])
			return -ENOMEM;
	}
	s->zones = heap_calloc(l->zone_count + 1, sizeof(s->zones[0]));
	if (!s->zones)
		return -ENOMEM;
	for (unsigned i = 0; i < l->zone_count; i++)
		if (!l->zones[i].forward)
			s->zones[s->zone_count++] = l->zones[i].name;
	qsort(s->zones, s->zone_count, sizeof(s->zones[0]), name_order);
	return 0;
}

void local_seed_end(struct local_seed *s)
{
	for (unsigned i = 0; i < s->hosts_count; i++)
		FREE_AND_NULL(s->hosts[i]);
	FREE_AND_NULL(s->zones);
}

struct hosts_import {
	const struct local_seed *data;
	struct local_book *book;
	unsigned names;
};

// Addresses, beside loopback ones, whose reverse name belongs to no host.
static bool has_no_ptr(const struct ip_address *a)
{
	static const uint8_t zero[16];
	if (a->version == 4)
		return a->bytes[0] == 0 || a->bytes[0] >= 224;
	return a->bytes[0] == 0xff || memcmp(a->bytes, zero, sizeof(zero)) == 0;
}

static int host_take(
	void *arg, const struct ip_address *a, const struct dns_name *name, bool own, uint32_t line)
{
	struct hosts_import *h = arg;
	const struct local_seed *d = h->data;
	struct special_name special;
	struct dns_name reverse;
	(void)line;
	if (h->names == LOCAL_HOSTS_NAMES_MAX)
		return -E2BIG;
	h->names++;
	// RFC 6761 6.3: never anything but the loopback address.
	if (special_name_of(&d->special, name, &special) && special.way == SPECIAL_LOOPBACK)
		return 0;
	struct local_item item = {.name = name,
		.voice = LOCAL_HOSTS,
		.covers = RULE_COVERS_SELF,
		.reply = RULE_REPLY_DATA,
		.rtype = a->version == 4 ? DNS_TYPE_A : DNS_TYPE_AAAA,
		.rdata = a->bytes,
		.rdata_len = a->version == 4 ? 4 : 16,
		.ttl_s = d->ttl_s};
	if (hosts_is_localhost(a)) { // it has no address for others
		item.rtype = item.rdata_len = 0;
		return say_data(d, h->book, &item);
	}
	int rc = say_data(d, h->book, &item);
	if (rc < 0 || !own || !d->hosts_ptr || has_no_ptr(a))
		return rc;
	hosts_reverse_name(a, &reverse);
	item.name = &reverse;
	item.rtype = DNS_TYPE_PTR;
	item.rdata = name->wire;
	item.rdata_len = name->len;
	return say_data(d, h->book, &item);
}

int local_seed_hosts(const struct local_seed *d, struct local_book *b, bool *unread)
{
	struct hosts_import h = {.data = d, .book = b};
	for (unsigned i = 0; i < d->hosts_count; i++) {
		struct hosts_counts counts = {0};
		int rc = hosts_file_read(d->hosts[i], host_take, &h, &counts);
		if (rc == -ENOMEM)
			return rc;
		*unread |= rc < 0 && rc != -E2BIG && rc != -EFBIG;
		if (rc < 0)
			log_warning("hosts file %s: %s", d->hosts[i],
				rc == -E2BIG ? "too many names; the rest is ignored"
					     : strerror(-rc));
		if (counts.rejected)
			log_info("hosts file %s: %llu invalid names or addresses ignored",
				d->hosts[i], (unsigned long long)counts.rejected);
		if (counts.not_ascii)
			log_warning("hosts file %s: %llu names outside ASCII ignored: write them "
				    "with xn--",
				d->hosts[i], (unsigned long long)counts.not_ascii);
	}
	return 0;
}
