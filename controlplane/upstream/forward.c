// SPDX-License-Identifier: BSD-3-Clause
#include "forward.h"

#include "policy/special_names.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <weir/heap_site.h>
#include <weir/keyhash.h>

struct forwards {
	struct upstream_shared shared;
	struct config_upstreams how;          // its servers are not used
	char ca_file[CONFIG_CA_FILE_MAX + 1]; // of `how` and of all sets
	struct upstream_totals gone;          // of sets that have ended
	uint64_t refused;
	struct forward_set set[FORWARD_SETS_MAX];
};

struct forward_table {
	unsigned count;
	uint8_t labels_max;
	struct forward_zone zone[]; // by name
};

int forwards_new(struct forwards **out, const struct upstream_shared *shared)
{
	struct forwards *f = heap_calloc(1, sizeof(*f));
	if (!f)
		return -ENOMEM;
	f->shared = *shared;
	*out = f;
	return 0;
}

static void set_end(struct forwards *f, struct forward_set *s)
{
	struct upstream_totals t;
	upstreams_totals(s->upstreams, &t);
	upstream_totals_end(&t);
	upstream_totals_add(&f->gone, &t);
	upstreams_free(s->upstreams);
	*s = (struct forward_set){0};
}

void forwards_sweep(struct forwards *f)
{
	for (unsigned i = 0; i < FORWARD_SETS_MAX; i++) {
		struct forward_set *s = &f->set[i];
		if (s->live && s->tables == 0 && s->questions == 0)
			set_end(f, s);
	}
}

void forwards_free(struct forwards *f)
{
	if (!f)
		return;
	forwards_sweep(f);
	heap_free(f);
}

static void how_take(struct config_upstreams *c, const struct config_upstreams *how)
{
	c->first_timeout_ms = how->first_timeout_ms;
	c->max_sends = how->max_sends;
	c->backoff_s = how->backoff_s;
	c->policy = how->policy;
	c->race = how->race;
	c->check = how->check;
	c->check_interval_s = how->check_interval_s;
	c->check_name = how->check_name;
	c->check_type = how->check_type;
	c->socket_uses = how->socket_uses;
	c->ca_file = how->ca_file;
}

void forward_pick(struct config_upstreams *servers, const struct config_pick *pick)
{
	if (pick->has_policy)
		servers->policy = pick->policy;
	if (pick->race)
		servers->race = pick->race;
	servers->subnet = pick->subnet;
}

void forwards_configure(struct forwards *f, const struct config_upstreams *how)
{
	how_take(&f->how, how);
	snprintf(f->ca_file, sizeof(f->ca_file), "%s", how->ca_file ? how->ca_file : "");
	f->how.ca_file = f->ca_file;
	for (unsigned i = 0; i < FORWARD_SETS_MAX; i++) {
		struct forward_set *s = &f->set[i];
		if (!s->live)
			continue;
		how_take(&s->config, &f->how);
		forward_pick(&s->config, &s->pick);
		upstreams_configure(s->upstreams, &s->config);
	}
}

unsigned forwards_count(const struct forwards *f)
{
	unsigned n = 0;
	for (unsigned i = 0; i < FORWARD_SETS_MAX; i++)
		n += f->set[i].live;
	return n;
}

uint64_t forwards_refused(const struct forwards *f)
{
	return f->refused;
}

size_t forwards_memory(void)
{
	return sizeof(struct forwards);
}

void forwards_totals(const struct forwards *f, struct upstream_totals *out)
{
	*out = f->gone;
	for (unsigned i = 0; i < FORWARD_SETS_MAX; i++) {
		struct upstream_totals t;
		if (!f->set[i].live)
			continue;
		upstreams_totals(f->set[i].upstreams, &t);
		upstream_totals_add(out, &t);
	}
}

struct placed_server {
	struct socket_address address;
	const char *host;
	unsigned place;
};

// Those with an address of their own come first.
static int by_address(const void *a, const void *b)
{
	const struct placed_server *x = a, *y = b;
	int by_host = strcmp(x->host, y->host);
	return by_host ? by_host : memcmp(&x->address, &y->address, sizeof(x->address));
}

static int by_pin(const void *a, const void *b)
{
	return memcmp(a, b, CONFIG_PIN_LEN);
}

static char *pins_text(const struct config_upstream_tls *tls, char *out)
{
	uint8_t pin[CONFIG_PINS_MAX][CONFIG_PIN_LEN];

	memcpy(pin, tls->pin, sizeof(pin));
	qsort(pin, tls->pin_count, sizeof(pin[0]), by_pin);
	for (unsigned i = 0; i < tls->pin_count; i++) {
		*out++ = ' ';
		for (unsigned k = 0; k < CONFIG_PIN_LEN; k++)
			out += sprintf(out, "%02x", pin[i][k]);
	}
	return out;
}

char *forward_servers_text(
	const struct config_upstream *servers, unsigned count, bool sorted, char *out)
{
	struct placed_server server[CONFIG_UPSTREAMS_MAX];
	char one[CONFIG_HOST_TEXT_MAX];

	memset(server, 0, sizeof(server)); // padding is compared too
	for (unsigned i = 0; i < count; i++) {
		server[i].address.ip = servers[i].address.ip;
		server[i].address.port = servers[i].address.port;
		server[i].host = servers[i].host;
		server[i].place = i;
	}
	if (sorted)
		qsort(server, count, sizeof(server[0]), by_address);
	for (unsigned i = 0; i < count; i++) {
		const struct config_upstream *c = &servers[server[i].place];
		const struct config_upstream_tls *tls = &c->tls;
		const char *scheme = tls->path[0] ? "https://" : tls->is_on ? "tls://" : "";
		const bool has_both = tls->is_on && !c->host[0];
		out += sprintf(out, "%s%s%s%s%s", scheme, has_both ? tls->name : "",
			has_both ? "@" : "", config_server_text(c, one), tls->path);
		out = tls->is_on ? pins_text(tls, out) : out;
		out = c->trust_ad ? stpcpy(out, " ad") : out;
		*out++ = '\n';
	}
	return out;
}

char *forward_subnet_text(const struct config_subnet *subnet, char *out)
{
	return subnet->ipv4 || subnet->ipv6
		       ? out + sprintf(out, "subnet %u %u\n", subnet->ipv4, subnet->ipv6)
		       : out;
}

enum { ZONE_TEXT_MAX = DNS_NAME_TEXT_MAX + CONFIG_UPSTREAMS_MAX * FORWARD_SERVER_TEXT_MAX + 64 };

uint64_t forward_zone_hash(const struct config_forward_zone *zone)
{
	char text[ZONE_TEXT_MAX], name[DNS_NAME_TEXT_MAX];
	char *p = text + sprintf(text, "weir zone 1\n%s\n", dns_name_to_text(&zone->name, name));
	p = forward_servers_text(zone->servers, zone->server_count, true, p);
	p = forward_subnet_text(&zone->pick.subnet, p);
	uint64_t hash = contenthash(text, (size_t)(p - text));
	return hash ? hash : 1;
}

uint64_t forward_servers_hash(const struct config_forward_zone *zone)
{
	char text[ZONE_TEXT_MAX];
	char *p = forward_servers_text(zone->servers, zone->server_count, false, text);
	if (zone->pick.has_policy)
		p += sprintf(p, "policy %u\n", (unsigned)zone->pick.policy);
	if (zone->pick.race)
		p += sprintf(p, "race %u\n", zone->pick.race);
	p = forward_subnet_text(&zone->pick.subnet, p);
	return contenthash(text, (size_t)(p - text));
}

static struct forward_set *set_find(struct forwards *f, uint64_t hash)
{
	for (unsigned i = 0; i < FORWARD_SETS_MAX; i++)
		if (f->set[i].live && f->set[i].hash == hash)
			return &f->set[i];
	return NULL;
}

static int set_make(struct forwards *f, const struct config_forward_zone *zone, uint64_t hash,
	struct forward_set **out)
{
	struct forward_set *s = f->set;
	while (s < f->set + FORWARD_SETS_MAX && s->live)
		s++;
	if (s == f->set + FORWARD_SETS_MAX) {
		f->refused++;
		return -EBUSY;
	}
	struct config_upstreams *c = &s->config;
	*c = f->how;
	c->count = zone->server_count;
	for (unsigned i = 0; i < c->count; i++) {
		c->server[i] = zone->servers[i];
		c->server[i].name = NULL;
	}
	s->pick = zone->pick;
	forward_pick(c, &s->pick);
	int rc = upstreams_new(&s->upstreams, &f->shared, c);
	if (rc < 0)
		return rc;
	upstreams_one_of(s->upstreams, 1 + CONFIG_GROUPS_MAX);
	upstreams_for_zones(s->upstreams);
	s->hash = hash;
	s->live = true;
	*out = s;
	return 0;
}

static int zone_make(
	struct forwards *f, const struct config_forward_zone *zone, struct forward_zone *out)
{
	uint64_t hash = forward_servers_hash(zone);
	struct forward_set *s = zone->server_count ? set_find(f, hash) : NULL;
	int rc = s || !zone->server_count ? 0 : set_make(f, zone, hash, &s);
	if (rc < 0)
		return rc;
	if (s)
		s->tables++;
	*out = (struct forward_zone){.name = zone->name, .hash = forward_zone_hash(zone), .set = s};
	out->ds_is_above = special_name_ds_is_above(&zone->name, &out->above);
	return 0;
}

static int by_name(const void *a, const void *b)
{
	const struct dns_name *x = &((const struct forward_zone *)a)->name,
			      *y = &((const struct forward_zone *)b)->name;
	return dns_name_order(x->wire, x->len, y->wire, y->len);
}

int forward_table_new(struct forwards *f, const struct config_forward_zone *zones, unsigned count,
	struct forward_table **out)
{
	struct forward_table *t = NULL;
	if (count > 0) {
		t = heap_calloc(1, sizeof(*t) + count * sizeof(t->zone[0]));
		if (!t)
			return -ENOMEM;
	}
	for (unsigned i = 0; i < count; i++) {
		int rc = zone_make(f, &zones[i], &t->zone[i]);
		if (rc < 0) {
			forward_table_free(t);
			return rc;
		}
		t->count++;
		if (zones[i].name.labels > t->labels_max)
			t->labels_max = zones[i].name.labels;
	}
	if (t)
		qsort(t->zone, t->count, sizeof(t->zone[0]), by_name);
	*out = t;
	return 0;
}

void forward_table_free(struct forward_table *t)
{
	for (unsigned i = 0; t && i < t->count; i++)
		if (t->zone[i].set)
			t->zone[i].set->tables--;
	heap_free(t);
}

const struct forward_zone *forward_table_at(const struct forward_table *t, unsigned i)
{
	return t && i < t->count ? &t->zone[i] : NULL;
}

struct zone_key {
	const uint8_t *wire;
	size_t len;
};

static int zone_order(const void *key, const void *zone)
{
	const struct zone_key *k = key;
	const struct dns_name *name = &((const struct forward_zone *)zone)->name;
	return dns_name_order(k->wire, k->len, name->wire, name->len);
}

const struct forward_zone *forward_find(const struct forward_table *t, const struct dns_name *name)
{
	const uint8_t *wire = name->wire;
	size_t len = name->len;

	if (!t)
		return NULL;
	for (unsigned labels = name->labels;; labels--) {
		const struct zone_key key = {wire, len};
		const struct forward_zone *zone = labels <= t->labels_max ? bsearch(&key, t->zone,
							  t->count, sizeof(t->zone[0]), zone_order)
									  : NULL;
		if (zone || labels == 0)
			return zone;
		len -= wire[0] + (size_t)1;
		wire += wire[0] + 1;
	}
}
