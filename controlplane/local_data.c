// SPDX-License-Identifier: BSD-3-Clause
#include "local_data.h"

#include "local_book.h"
#include "special_names.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <weir/log.h>

enum { EMPTY_ZONE_TTL_S = 10800 }; // RFC 6303 3

struct local_source {
	const struct local_data *data;
	struct local_book *seed; // without hosts files
	char title[RULE_TITLE_MAX];
	uint8_t first_voice, last_voice;
	bool hosts;
};

struct local_data {
	struct special_settings special;
	bool hosts_ptr;
	uint32_t ttl_s;
	unsigned hosts_count, zone_count, count;
	char *hosts[CONFIG_HOSTS_FILES_MAX];
	struct dns_name *zones; // whose unknown names do not exist, in order
	struct local_source source[2 + CONFIG_GROUPS_MAX];
};

static struct special_settings settings_of(const struct config *c)
{
	return (struct special_settings){
		c->local.special_names, c->local.test_names, c->local.doh_canary};
}

static int name_order(const void *x, const void *y)
{
	const struct dns_name *a = x, *b = y;
	if (a->len != b->len)
		return a->len < b->len ? -1 : 1;
	return memcmp(a->wire, b->wire, a->len);
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

static int say_data(const struct local_data *d, struct local_book *b, const struct local_item *item)
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
		rc = say_data(d, b, &item);
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

static int seed_make(const struct local_data *d, const struct config *c,
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

static bool has_own(const struct config_group *g)
{
	return g && (g->record_count > 0 || g->forward_count > 0);
}

// Does it speak of a special-use name itself?
static bool touches_special(const struct config *c, const struct config_group *g)
{
	const struct special_settings settings = settings_of(c);
	struct special_name s;
	bool touches = false;
	for (unsigned k = 0; special_name_at(&settings, k, &s) && !touches; k++) {
		for (unsigned i = 0; i < g->record_count && !touches; i++)
			touches = dns_name_equal(&g->records[i].name, &s.name);
		for (unsigned i = 0; i < g->forward_count && !touches; i++)
			touches = dns_name_equal(&g->forwards[i].name, &s.name);
	}
	return touches;
}

static int source_add(struct local_data *d, const struct config *c, const struct config_group *g,
	const char *title, unsigned first_voice, unsigned last_voice)
{
	struct local_source *s = &d->source[d->count];
	int rc = seed_make(d, c, g, &s->seed);
	if (rc < 0)
		return rc;
	d->count++;
	s->data = d;
	s->first_voice = (uint8_t)first_voice;
	s->last_voice = (uint8_t)last_voice;
	s->hosts = first_voice <= LOCAL_HOSTS;
	snprintf(s->title, sizeof(s->title), "%s%s%.40s", title, g ? " of " : "", g ? g->name : "");
	return 0;
}

static int zones_copy(struct local_data *d, const struct config_local *l)
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

// A source without rules is none, so that status does not show it.
static bool has_data(const struct config *c)
{
	const struct config_local *l = &c->local;
	return l->record_count || l->hosts_file_count || l->zone_count || c->forward_count;
}

static int data_fill(struct local_data *d, const struct config *c)
{
	d->special = settings_of(c);
	d->hosts_ptr = c->local.hosts_ptr;
	d->ttl_s = c->local.ttl_s;
	for (unsigned i = 0; i < c->local.hosts_file_count; i++) {
		d->hosts[i] = strdup(c->local.hosts_files[i]);
		if (!d->hosts[i])
			return -ENOMEM;
		d->hosts_count++;
	}
	int rc = zones_copy(d, &c->local);
	if (rc == 0 && (d->special.names || d->special.doh_canary))
		rc = source_add(d, c, NULL, LOCAL_TITLE_SPECIAL, LOCAL_SPECIAL, LOCAL_SPECIAL);
	if (rc == 0 && has_data(c))
		rc = source_add(d, c, NULL, LOCAL_TITLE_DATA, LOCAL_OWN_RECORD, LOCAL_FORWARD);
	for (unsigned i = 0; i < c->group_count && rc == 0; i++) {
		const struct config_group *g = &c->groups[i];
		if (has_own(g))
			rc = source_add(d, c, g, LOCAL_TITLE_DATA, LOCAL_OWN_RECORD,
				touches_special(c, g) ? LOCAL_SPECIAL : LOCAL_FORWARD);
	}
	return rc;
}

int local_data_new(const struct config *c, struct local_data **out)
{
	struct local_data *d = calloc(1, sizeof(*d));
	int rc = d ? data_fill(d, c) : -ENOMEM;
	if (rc < 0) {
		local_data_free(d);
		return rc;
	}
	*out = d;
	return 0;
}

void local_data_free(struct local_data *d)
{
	if (!d)
		return;
	for (unsigned i = 0; i < d->count; i++)
		local_book_free(d->source[i].seed);
	for (unsigned i = 0; i < d->hosts_count; i++)
		free(d->hosts[i]);
	free(d->zones);
	free(d);
}

unsigned local_data_sources(const struct local_data *d)
{
	return d->count;
}

const char *local_data_title(const struct local_data *d, unsigned i)
{
	return d->source[i].title;
}

void *local_data_arg(const struct local_data *d, unsigned i)
{
	return (void *)(uintptr_t)&d->source[i];
}

bool local_data_applies(const struct config *c, const struct config_group *g, const char *title)
{
	static const char of[] = LOCAL_TITLE_DATA " of ";
	if (strcmp(title, LOCAL_TITLE_SPECIAL) == 0)
		return !has_own(g) || !touches_special(c, g);
	if (strcmp(title, LOCAL_TITLE_DATA) == 0)
		return !has_own(g);
	if (strncmp(title, of, strlen(of)) == 0)
		return has_own(g) && strcmp(title + strlen(of), g->name) == 0;
	return true;
}

struct hosts_import {
	const struct local_data *data;
	struct local_book *book;
	unsigned names;
};

// Its reverse name would be nobody's, or is known.
static bool has_no_ptr(const struct ip_address *a)
{
	static const uint8_t zero[15];
	if (a->version == 4)
		return a->bytes[0] == 0 || a->bytes[0] == 127 || a->bytes[0] >= 224;
	return a->bytes[0] == 0xff || (memcmp(a->bytes, zero, 15) == 0 && a->bytes[15] <= 1);
}

static int host_take(
	void *arg, const struct ip_address *a, const struct dns_name *name, bool own, uint32_t line)
{
	struct hosts_import *h = arg;
	const struct local_data *d = h->data;
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

static int hosts_say(const struct local_data *d, struct local_book *b)
{
	struct hosts_import h = {.data = d, .book = b};
	for (unsigned i = 0; i < d->hosts_count; i++) {
		struct hosts_counts counts = {0};
		int rc = hosts_file_read(d->hosts[i], host_take, &h, &counts);
		if (rc == -ENOMEM)
			return rc;
		if (rc < 0)
			log_warning("hosts file %s: %s", d->hosts[i],
				rc == -E2BIG ? "too many names, the rest is left out"
					     : strerror(-rc));
		if (counts.rejected)
			log_info("hosts file %s: %llu names or addresses cannot be used",
				d->hosts[i], (unsigned long long)counts.rejected);
	}
	return 0;
}

int local_data_rules(void *arg, list_rule_take take, void *take_arg)
{
	const struct local_source *s = arg;
	struct local_book *b;
	int rc = local_book_copy(s->seed, &b);
	if (rc < 0)
		return rc;
	if (s->hosts)
		rc = hosts_say(s->data, b);
	if (rc == 0) {
		local_book_settle(b);
		rc = local_book_rules(b, s->first_voice, s->last_voice, take, take_arg);
	}
	local_book_free(b);
	return rc;
}
