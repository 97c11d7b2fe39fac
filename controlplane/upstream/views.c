// SPDX-License-Identifier: BSD-3-Clause
// Views: the definitions that name them, their numbers, the configuration's views, and what they
// say of themselves.

#include "views.h"

#include "base/clock_grace.h"
#include "policy/special_names.h"
#include "route/host_board.h"
#include "route/route_board.h"
#include "upstream_https.h"
#include "upstream_internal.h"
#include "upstream_stream.h"
#include "upstream_udp.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <weir/clock.h>
#include <weir/heap_site.h>
#include <weir/keyhash.h>

static void forward_table_free(struct forward_table *t);

struct forwards {
	struct upstream_shared shared;
	struct config_upstreams how;          // settings of all sets; `server` is not used
	char ca_file[CONFIG_CA_FILE_MAX + 1]; // text for `how` and for all sets
	struct upstream_totals gone;          // totals of sets that have ended
	uint64_t refused;
	struct forward_set set[FORWARD_SETS_MAX];
};

struct forward_table {
	unsigned count;
	uint8_t labels_max;
	struct forward_zone zone[]; // sorted by name
};

static int forwards_new(struct forwards **out, const struct upstream_shared *shared)
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

// Ends unused sets; not from a callback.
static void forwards_sweep(struct forwards *f)
{
	for (unsigned i = 0; i < FORWARD_SETS_MAX; i++) {
		struct forward_set *s = &f->set[i];
		if (s->live && s->tables == 0 && s->questions == 0)
			set_end(f, s);
	}
}

// NULL is fine; every table is freed, every ask stopped.
static void forwards_free(struct forwards *f)
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

// Applies the policy, race and subnet that a zone or group has itself.
static void forward_pick(struct config_upstreams *servers, const struct config_pick *pick)
{
	if (pick->has_policy)
		servers->policy = pick->policy;
	if (pick->race)
		servers->race = pick->race;
	servers->subnet = pick->subnet;
}

// Applies waits and back-off to all sets; new sets get them, too.
static void forwards_configure(struct forwards *f, const struct config_upstreams *how)
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

static unsigned forwards_count(const struct forwards *f)
{
	unsigned n = 0;
	for (unsigned i = 0; i < FORWARD_SETS_MAX; i++)
		n += f->set[i].live;
	return n;
}

// Sets refused because there was no room.
static uint64_t forwards_refused(const struct forwards *f)
{
	return f->refused;
}

// Bytes of the table of sets, without those of the sets.
static size_t forwards_memory(void)
{
	return sizeof(struct forwards);
}

// Totals of all sets, those that have ended included.
static void forwards_totals(const struct forwards *f, struct upstream_totals *out)
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

// Sorts servers that have an address before those with a host name.
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

// Writes a line for each server: its address, or its host name, whatever addresses the name has; in
// the given order, or sorted by bytes. A server over TLS has its name and its sorted pins, because
// nobody else may have made its answers; a server whose AD is trusted has a mark, because its
// answers are kept with AD. Returns the end of the text in `out`, which has room for count *
// FORWARD_SERVER_TEXT_MAX bytes.
static char *forward_servers_text(
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

// Writes the bits of a client's address that servers get, because answers depend on them: at most
// 16 bytes of text, nothing where servers get no address.
static char *forward_subnet_text(const struct config_subnet *subnet, char *out)
{
	return subnet->ipv4 || subnet->ipv6
		       ? out + sprintf(out, "subnet %u %u\n", subnet->ipv4, subnet->ipv6)
		       : out;
}

enum { ZONE_TEXT_MAX = DNS_NAME_TEXT_MAX + CONFIG_UPSTREAMS_MAX * FORWARD_SERVER_TEXT_MAX + 64 };

uint64_t views_zone_hash(const struct config_forward_zone *zone)
{
	char text[ZONE_TEXT_MAX], name[DNS_NAME_TEXT_MAX];
	char *p = text + sprintf(text, "weir zone 1\n%s\n", dns_name_to_text(&zone->name, name));
	p = forward_servers_text(zone->servers, zone->server_count, true, p);
	p = forward_subnet_text(&zone->pick.subnet, p);
	uint64_t hash = contenthash(text, (size_t)(p - text));
	return hash ? hash : 1;
}

uint64_t views_servers_hash(const struct config_forward_zone *zone)
{
	char text[ZONE_TEXT_MAX];
	char *p = forward_servers_text(zone->servers, zone->server_count, false, text);
	if (zone->pick.has_policy)
		p += sprintf(p, "policy %u\n", (unsigned)zone->pick.policy);
	if (zone->pick.race)
		p += sprintf(p, "race %u\n", zone->pick.race);
	p = forward_subnet_text(&zone->pick.subnet, p);
	if (clock_grace_is_on()) // a set of its own, whose peers end with it
		p = stpcpy(p, "any date\n");
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
	uint64_t hash = views_servers_hash(zone);
	struct forward_set *s = zone->server_count ? set_find(f, hash) : NULL;
	int rc = s || !zone->server_count ? 0 : set_make(f, zone, hash, &s);
	if (rc < 0)
		return rc;
	if (s)
		s->tables++;
	*out = (struct forward_zone){.name = zone->name, .hash = views_zone_hash(zone), .set = s};
	out->ds_is_above = special_name_ds_is_above(&zone->name, &out->above);
	return 0;
}

static int by_name(const void *a, const void *b)
{
	const struct dns_name *x = &((const struct forward_zone *)a)->name,
			      *y = &((const struct forward_zone *)b)->name;
	return dns_name_order(x->wire, x->len, y->wire, y->len);
}

// *out is NULL for no zones. -EBUSY, -ENOMEM.
static int forward_table_new(struct forwards *f, const struct config_forward_zone *zones,
	unsigned count, struct forward_table **out)
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

// NULL is fine
static void forward_table_free(struct forward_table *t)
{
	for (unsigned i = 0; t && i < t->count; i++)
		if (t->zone[i].set)
			t->zone[i].set->tables--;
	heap_free(t);
}

// Zone `i` of the table; NULL: there are no more.
static const struct forward_zone *forward_table_at(const struct forward_table *t, unsigned i)
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

// The closest zone that holds the name; NULL: no zone does, or `t` is NULL.
static const struct forward_zone *forward_find(
	const struct forward_table *t, const struct dns_name *name)
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

static void view_names_end(struct view_names *n)
{
	forward_table_free(n->zones);
	rewrite_table_free(n->rewrites);
	*n = (struct view_names){0};
}

static int names_make(struct forwards *f, const struct config_forward_zone *zones,
	unsigned zone_count, const struct config_record *records, unsigned record_count,
	struct view_names *out)
{
	struct view_names made = {0};
	int rc = forward_table_new(f, zones, zone_count, &made.zones);
	if (rc == 0)
		rc = rewrite_table_new(records, record_count, &made.rewrites);
	if (rc < 0) {
		view_names_end(&made);
		return rc;
	}
	*out = made;
	return 0;
}

// -EBUSY, -ENOMEM; then *out is untouched.
static int view_names_make(
	struct forwards *f, const struct config_group *group, struct view_names *out)
{
	return names_make(
		f, group->forwards, group->forward_count, group->records, group->record_count, out);
}

static int view_names_make_everyone(
	struct forwards *f, const struct config *c, struct view_names *out)
{
	return names_make(
		f, c->forwards, c->forward_count, c->local.records, c->local.record_count, out);
}

// Only what changes how a name is resolved: other records are answered from the image.
static uint64_t record_hash(const struct config_record *r)
{
	uint8_t text[2 * DNS_NAME_MAX + 8];
	struct wr w = wr_init(text, sizeof(text));
	wr_u8(&w, r->wildcard);
	wr_u32(&w, r->ttl_s);
	wr_bytes(&w, r->name.wire, r->name.len);
	wr_bytes(&w, r->rdata, r->rdata_len);
	return wr_ok(&w) ? contenthash(text, w.pos) : 0;
}

// Adds hashes up, so that the order does not count. 0: no zones and no CNAMEs.
static uint64_t names_hash(const struct config_forward_zone *zones, unsigned zone_count,
	const struct config_record *records, unsigned record_count)
{
	uint64_t sum[2] = {0, 0}, any = 0;
	for (unsigned i = 0; i < zone_count; i++, any = 1)
		sum[0] += views_zone_hash(&zones[i]);
	for (unsigned i = 0; i < record_count; i++)
		if (records[i].type == DNS_TYPE_CNAME) {
			sum[1] += record_hash(&records[i]);
			any = 1;
		}
	uint64_t hash = contenthash(sum, sizeof(sum));
	return any ? hash | 1 : 0;
}

// Has the group local records that the rule image answers? Other clients get other answers for
// these names, also where an alias leads to them.
static bool view_has_records(const struct config_group *g)
{
	for (unsigned i = 0; i < g->record_count; i++)
		if (g->records[i].type != DNS_TYPE_CNAME)
			return true;
	return false;
}

// The hash of a group's zones and CNAMEs, whatever their order. 0: the group has no zones or CNAMEs
// of its own.
static uint64_t view_names_hash(const struct config_group *g)
{
	return names_hash(g->forwards, g->forward_count, g->records, g->record_count);
}

static uint64_t names_everyone_hash(const struct config *c)
{
	return names_hash(c->forwards, c->forward_count, c->local.records, c->local.record_count);
}

enum { SERVERS_TEXT_MAX = CONFIG_UPSTREAMS_MAX * FORWARD_SERVER_TEXT_MAX };

static char *ipv6_text(const struct config_ipv6 *v, char *p)
{
	if (v->dns64.version) {
		p += sprintf(p, "dns64: ");
		for (unsigned i = 0; i < sizeof(v->dns64.bytes); i++)
			p += sprintf(p, "%02x", v->dns64.bytes[i]);
		p += sprintf(p, "/%u\n", v->dns64.prefix_len);
	}
	return v->filter_aaaa ? stpcpy(p, "no aaaa\n") : p;
}

// What a view is made of.
struct view_definition {
	const struct config_upstreams *everyone; // servers of a group without servers of its own
	const struct config_group *group;        // NULL: everyone
	const struct config_safe_search *safe;   // NULL: not a safe view
	uint64_t dnssec;                         // config_dnssec.hash
	uint8_t https_strip;                     // config_blocking.https_strip
	struct config_ipv6 ipv6;
};

// The hash is never 0.
static uint64_t view_definition_hash(const struct view_definition *d)
{
	char text[SERVERS_TEXT_MAX + 384 + SAFE_ENGINE_COUNT * 32];
	char *p = stpcpy(text, "weir view 1\n");
	const bool is_own = d->group && d->group->upstream_count > 0;
	const struct config_upstreams *all = d->everyone;

	p = is_own ? forward_servers_text(d->group->upstreams, d->group->upstream_count, true, p)
		   : forward_servers_text(all->server, all->count, true, p);
	p = forward_subnet_text(is_own ? &d->group->pick.subnet : &all->subnet, p);
	if (!is_own && all->mode != UPSTREAM_FORWARD && all->root_hints_hash)
		p += sprintf(p, "root: %016llx\n", (unsigned long long)all->root_hints_hash);
	if (d->group) {
		if (d->group->disable_cache)
			p += sprintf(p, "no cache: %.63s\n", d->group->name);
		if (view_has_records(d->group))
			p += sprintf(p, "records: %.63s\n", d->group->name);
		uint64_t names = view_names_hash(d->group);
		if (names)
			p += sprintf(p, "names: %016llx\n", (unsigned long long)names);
	}
	for (unsigned i = 0; d->safe && i < SAFE_ENGINE_COUNT; i++)
		if (d->safe->level[i])
			p += sprintf(p, "safe: %s %u\n", safe_engine_word(i), d->safe->level[i]);
	p = ipv6_text(&d->ipv6, p);
	if (d->dnssec)
		p += sprintf(p, "dnssec: %016llx\n", (unsigned long long)d->dnssec);
	if (d->https_strip)
		p += sprintf(p, "strip: %02x\n", d->https_strip);
	uint64_t hash = contenthash(text, (size_t)(p - text));
	return hash ? hash : 1;
}

// `group` NULL: everyone. The safe view is view_safe_definition's.
static struct view_definition view_definition_of(
	const struct config *config, const struct config_group *group)
{
	return (struct view_definition){.everyone = &config->upstreams,
		.group = group,
		.dnssec = config->dnssec.hash,
		.https_strip = config->blocking.https_strip,
		.ipv6 = config_group_ipv6(config, group)};
}

uint64_t view_hash(const struct config *config, const struct config_group *group)
{
	const struct view_definition d = view_definition_of(config, group);
	return view_definition_hash(&d);
}

uint64_t view_everyone_hash(const struct config *c)
{
	uint64_t part[2] = {view_hash(c, NULL), names_everyone_hash(c)};
	uint64_t hash = contenthash(part, sizeof(part));
	return hash ? hash : 1;
}

// Defines the safe view of a group. False: the group has no safe search.
static bool view_safe_definition(
	const struct config *c, const struct config_group *group, struct view_definition *out)
{
	*out = view_definition_of(c, group);
	out->safe = config_group_safe_search(c, group);
	return config_safe_search_any(out->safe);
}

// The hash of the safe view of a group (NULL: of everyone else). 0: no safe search.
static uint64_t view_safe_hash(const struct config *config, const struct config_group *group)
{
	struct view_definition d;
	return view_safe_definition(config, group, &d) ? view_definition_hash(&d) : 0;
}

struct views {
	struct upstream_shared shared;
	struct forwards *forwards;
	uint64_t refused;
	_Atomic uint32_t *next;
	struct view one[VIEWS_MAX]; // [0] is view 0
	struct {
		uint64_t hash;
		uint16_t number;
	} known[2 * POLICY_GROUPS_MAX]; // definitions that had numbers before (views_recover)
	unsigned known_count;
	struct upstream_totals gone; // totals of views that have ended
	uint32_t turn, dnssec_turn;  // views_turn; its value when validation last changed
	uint64_t dnssec;             // config_dnssec.hash
	unsigned group_count;
	struct view *group[CONFIG_GROUPS_MAX];
	struct view *safe[POLICY_GROUPS_MAX]; // NULL: no safe search
};

int views_new(struct views **out, const struct upstream_shared *shared,
	const struct config_upstreams *everyone, _Atomic uint32_t *next)
{
	struct views *v = heap_calloc(1, sizeof(*v));
	if (!v)
		return -ENOMEM;
	v->shared = *shared;
	v->next = next;
	v->one[0] = (struct view){.live = true, .own = true};
	int rc = forwards_new(&v->forwards, shared);
	if (rc == 0)
		rc = upstreams_new(&v->one[0].upstreams, shared, everyone);
	if (rc < 0) {
		forwards_free(v->forwards);
		heap_free(v);
		return rc;
	}
	*out = v;
	return 0;
}

static void view_end(struct views *v, struct view *one)
{
	view_names_end(&one->names);
	view_names_end(&one->next);
	if (one->own) {
		struct upstream_totals t;
		upstreams_totals(one->upstreams, &t);
		upstream_totals_end(&t);
		upstream_totals_add(&v->gone, &t);
		upstreams_free(one->upstreams);
	}
	*one = (struct view){0};
}

void views_free(struct views *v)
{
	if (!v)
		return;
	for (unsigned i = VIEWS_MAX; i-- > 0;)
		if (v->one[i].live)
			view_end(v, &v->one[i]);
	forwards_free(v->forwards);
	heap_free(v);
}

static void known_add(struct views *v, uint64_t hash, uint16_t number)
{
	if (number == 0 || hash == 0 || number >= atomic_load(v->next))
		return;
	v->known[v->known_count].hash = hash;
	v->known[v->known_count++].number = number;
}

void views_recover(struct views *v, const struct policy_group *group, unsigned count)
{
	v->known_count = 0;
	for (unsigned i = 0; i < count && i < POLICY_GROUPS_MAX; i++) {
		known_add(v, group[i].view_hash, group[i].view);
		known_add(v, group[i].safe_hash, group[i].safe_view);
	}
}

static unsigned number_known(const struct views *v, uint64_t hash)
{
	for (unsigned i = 0; i < v->known_count; i++)
		if (v->known[i].hash == hash)
			return v->known[i].number;
	return 0;
}

// A view with another number than the known one is leaving: another resolver has given its
// definition a new number since.
static struct view *find_hash(struct views *v, uint64_t hash)
{
	unsigned known = number_known(v, hash);
	for (unsigned i = 1; i < VIEWS_MAX; i++) {
		struct view *one = &v->one[i];
		if (one->live && one->hash == hash
			&& (!known || !one->number || one->number == known))
			return one;
	}
	return NULL;
}

// Stores the next number before this one is used: it is spent even if the process dies here.
static unsigned number_next(struct views *v)
{
	uint32_t number = atomic_load(v->next);
	if (number == 0)
		number = 1;
	atomic_store(v->next, number + 1);
	return number;
}

static bool has_view(const struct config_group *g)
{
	return g->upstream_count > 0 || g->disable_cache || view_names_hash(g) != 0
	       || view_has_records(g) || g->has_dns64 || g->has_filter_aaaa;
}

static struct config_upstreams servers_of(const struct config *c, const struct config_group *g)
{
	struct config_upstreams u = c->upstreams;
	u.count = g->upstream_count;
	for (unsigned i = 0; i < g->upstream_count; i++)
		u.server[i] = g->upstreams[i];
	forward_pick(&u, &g->pick);
	return u;
}

struct room {
	unsigned slots, numbers;
};

static void room_count(struct views *v, uint64_t hash, struct room *r)
{
	if (!hash || find_hash(v, hash))
		return;
	r->slots++;
	r->numbers += !number_known(v, hash);
}

int views_have_room(struct views *v, const struct config *c)
{
	struct room r = {0};
	unsigned used = 0;

	for (unsigned i = 0; i < VIEWS_MAX; i++)
		used += v->one[i].live;
	room_count(v, view_safe_hash(c, NULL), &r);
	for (unsigned i = 0; i < c->group_count; i++) {
		const struct config_group *g = &c->groups[i];
		room_count(v, has_view(g) ? view_hash(c, g) : 0, &r);
		room_count(v, view_safe_hash(c, g), &r);
	}
	if (used + r.slots > VIEWS_MAX) {
		v->refused++;
		return -EBUSY;
	}
	return r.numbers && atomic_load(v->next) + r.numbers > VIEW_NUMBER_MAX + 1 ? -EOVERFLOW : 0;
}

static int view_make(struct views *v, const struct config *c, const struct view_definition *d,
	uint64_t hash, struct view **out)
{
	struct view *one = &v->one[1];
	while (one->live)
		one++;
	struct view made = {
		.hash = hash,
		.live = true,
		.no_cache = d->group && d->group->disable_cache,
		.own = d->group && d->group->upstream_count > 0,
		.is_safe = d->safe != NULL,
		.ipv6 = d->ipv6,
		.upstreams = v->one[0].upstreams,
	};
	if (d->safe)
		made.safe = *d->safe;
	int rc = d->group ? view_names_make(v->forwards, d->group, &made.names) : 0;
	if (rc == 0 && made.own) {
		const struct config_upstreams servers = servers_of(c, d->group);
		rc = upstreams_new(&made.upstreams, &v->shared, &servers);
		if (rc == 0)
			upstreams_one_of(made.upstreams, 1 + 2 * CONFIG_GROUPS_MAX);
	}
	if (rc < 0) {
		view_names_end(&made.names);
		return rc;
	}
	*one = made;
	*out = one;
	return 0;
}

// Makes the names of a view that stays: the policy of its zones is no part of its hash.
static int view_renew(struct views *v, const struct config_group *group, struct view *one)
{
	struct view_names made;
	int rc = view_names_make(v->forwards, group, &made);

	if (rc < 0)
		return rc;
	view_names_end(&one->next);
	one->next = made;
	return 0;
}

// Finds or makes the view of a definition; a new view has no number yet.
static int view_of(
	struct views *v, const struct config *c, const struct view_definition *d, struct view **out)
{
	uint64_t hash = view_definition_hash(d);
	*out = find_hash(v, hash);
	if (!*out)
		return view_make(v, c, d, hash, out);
	return d->group ? view_renew(v, d->group, *out) : 0;
}

// The views of all groups by the groups' numbers; everyone is number 0.
struct chosen {
	struct view *view[POLICY_GROUPS_MAX], *safe[POLICY_GROUPS_MAX];
};

static int views_choose(struct views *v, const struct config *c, struct chosen *out)
{
	int rc = 0;
	for (unsigned i = 0; rc == 0 && i <= c->group_count; i++) {
		const struct config_group *g = i ? &c->groups[i - 1] : NULL;
		const struct view_definition plain = view_definition_of(c, g);
		struct view_definition safe;
		out->view[i] = &v->one[0];
		out->safe[i] = NULL;
		if (g && has_view(g))
			rc = view_of(v, c, &plain, &out->view[i]);
		if (rc == 0 && view_safe_definition(c, g, &safe))
			rc = view_of(v, c, &safe, &out->safe[i]);
	}
	return rc;
}

static void views_undo(struct views *v)
{
	for (unsigned i = 1; i < VIEWS_MAX; i++) {
		struct view *one = &v->one[i];
		view_names_end(&one->next);
		if (one->live && one->number == 0)
			view_end(v, one);
	}
}

static void view_apply(
	struct views *v, struct view *one, const struct config *c, const struct config_group *g)
{
	if (one == &v->one[0])
		return;
	if (one->next.zones || one->next.rewrites) {
		view_names_end(&one->names);
		one->names = one->next;
		one->next = (struct view_names){0};
	}
	if (one->number == 0) {
		unsigned known = number_known(v, one->hash);
		one->number = (uint16_t)(known ? known : number_next(v));
	} else if (one->own) {
		const struct config_upstreams servers = servers_of(c, g);
		upstreams_configure(one->upstreams, &servers);
	}
	one->left_ms = 0;
}

static void everyone_apply(struct views *v, const struct config *c)
{
	uint64_t hash = view_hash(c, NULL);
	v->turn += v->one[0].hash != hash;
	if (v->dnssec != c->dnssec.hash)
		v->dnssec_turn = v->turn;
	v->dnssec = c->dnssec.hash;
	v->one[0].hash = hash;
	v->one[0].ipv6 = config_group_ipv6(c, NULL);
	upstreams_configure(v->one[0].upstreams, &c->upstreams);
}

int views_configure(struct views *v, const struct config *c, uint64_t now_ms)
{
	struct chosen chosen;
	struct view_names everyone = {0};
	int rc = views_have_room(v, c);

	if (rc == 0)
		rc = view_names_make_everyone(v->forwards, c, &everyone);
	if (rc == 0)
		rc = views_choose(v, c, &chosen);
	if (rc < 0) {
		views_undo(v);
		view_names_end(&everyone);
		return rc;
	}
	view_names_end(&v->one[0].names);
	v->one[0].names = everyone;
	for (unsigned i = 1; i < VIEWS_MAX; i++)
		if (v->one[i].live && !v->one[i].left_ms)
			v->one[i].left_ms = now_ms ? now_ms : 1;
	everyone_apply(v, c);
	forwards_configure(v->forwards, &c->upstreams); // new sets, too
	memset(v->safe, 0, sizeof(v->safe));
	for (unsigned i = 0; i <= c->group_count; i++) {
		const struct config_group *g = i ? &c->groups[i - 1] : NULL;
		if (i) {
			view_apply(v, chosen.view[i], c, g);
			v->group[i - 1] = chosen.view[i];
		}
		if (chosen.safe[i])
			view_apply(v, chosen.safe[i], c, g);
		v->safe[i] = chosen.safe[i];
	}
	v->group_count = c->group_count;
	v->known_count = 0; // known views in use are in the table now, others are not to come back
	return 0;
}

void views_sweep(struct views *v, uint64_t now_ms)
{
	for (unsigned i = 1; i < VIEWS_MAX; i++) {
		struct view *one = &v->one[i];
		if (one->live && one->left_ms && !one->users
			&& now_ms >= one->left_ms + VIEWS_GRACE_MS)
			view_end(v, one);
	}
	forwards_sweep(v->forwards);
}

struct view *views_find(struct views *v, unsigned number)
{
	if (number == 0)
		return &v->one[0];
	for (unsigned i = 1; i < VIEWS_MAX; i++)
		if (v->one[i].live && v->one[i].number == number)
			return &v->one[i];
	return NULL;
}

const struct view *views_at(const struct views *v, unsigned place)
{
	return v->one[place].live ? &v->one[place] : NULL;
}

struct view *views_everyone(struct views *v)
{
	return &v->one[0];
}

const struct view *views_of_group(const struct views *v, unsigned group)
{
	return group < v->group_count ? v->group[group] : &v->one[0];
}

const struct forward_zone *views_zone(
	const struct views *v, const struct view *view, const struct dns_name *name)
{
	const struct forward_zone *own = NULL;
	if (view != &v->one[0])
		own = forward_find(view->names.zones, name);
	const struct forward_zone *everyone = forward_find(v->one[0].names.zones, name);
	return own && (!everyone || own->name.labels >= everyone->name.labels) ? own : everyone;
}

uint64_t view_l1_hash(const struct view *view, const struct forward_zone *zone, uint16_t qtype)
{
	if (!zone)
		return view->hash;
	if (qtype != DNS_TYPE_AAAA || !view->ipv6.dns64.version)
		return zone->hash;
	return zone->hash ^ contenthash(&view->ipv6.dns64, sizeof(view->ipv6.dns64));
}

unsigned view_asks_as(const struct view *view)
{
	return view->own || view->names.zones ? view->number : 0;
}

int views_rewrite(const struct views *v, const struct view *view, const struct dns_name *name,
	struct rewrite *out)
{
	return rewrite_follow(view == &v->one[0] ? NULL : view->names.rewrites,
		v->one[0].names.rewrites, name, out);
}

const struct view *views_safe(const struct views *v, unsigned group)
{
	return group < POLICY_GROUPS_MAX ? v->safe[group] : NULL;
}

uint32_t views_turn(const struct views *v)
{
	return v->turn;
}

bool views_same_servers(const struct views *v, const struct view *view, uint32_t turn)
{
	const bool is_own = view->own && view != &v->one[0];
	return !view->left_ms && (is_own ? (int32_t)(turn - v->dnssec_turn) >= 0 : turn == v->turn);
}

void views_totals(const struct views *v, struct upstream_totals *out)
{
	*out = v->gone;
	struct upstream_totals t;
	for (unsigned i = 0; i < VIEWS_MAX; i++) {
		if (!v->one[i].live || !v->one[i].own)
			continue;
		upstreams_totals(v->one[i].upstreams, &t);
		upstream_totals_add(out, &t);
	}
	forwards_totals(v->forwards, &t);
	upstream_totals_add(out, &t);
}

static unsigned live_count(const struct views *v)
{
	unsigned n = 0;
	for (unsigned i = 0; i < VIEWS_MAX; i++)
		n += v->one[i].live;
	return n;
}

static void upstream_tables(const struct views *v, struct table_registry *tables)
{
	uint64_t now_ms = clock_mono_ms();
	unsigned sets = live_count(v) + forwards_count(v->forwards);
	struct upstream_totals t;

	views_totals(v, &t);
	table_register(
		tables, &(struct table_info){.name = "upstream_tcp",
				.owner = "resolver loop",
				.eviction = "close an idle or stalled one; none: the query waits",
				.lifetime = "3 s without a query, or as the server says",
				.kind = TABLE_WORK,
				.cap = UPSTREAM_STREAMS_MAX * sets,
				.descriptors = t.streams.open,
				.used = t.streams.open,
				.high = t.streams.high,
				.bytes = t.streams.bytes,
				.evicted = t.streams.evicted,
				.oldest_ms = table_age(t.streams.since_ms, now_ms),
				.has = TABLE_AGES | TABLE_EVICTS});
	upstream_https_table(&t.https, sets, tables);
	// The queue is part of each question over TCP, so it has no bytes of its own.
	table_register(tables, &(struct table_info){.name = "upstream_tcp_queue",
				       .owner = "resolver loop",
				       .eviction = "refuse: the attempt fails",
				       .lifetime = "1 s, or life of the question",
				       .kind = TABLE_WORK,
				       .cap = UPSTREAM_STREAMS_WAITING * sets,
				       .used = t.streams.waiting,
				       .high = t.streams.waiting_high,
				       .refused = t.streams.full,
				       .has = TABLE_REFUSES});
	table_register(tables, &(struct table_info){.name = "upstream_sockets",
				       .owner = "resolver loop",
				       .eviction = "close one; none: the query fails",
				       .lifetime = "20 s or 64 queries",
				       TABLE_WORK_FOR(20000),
				       .cap = UPSTREAM_SOCKETS_MAX * sets,
				       .descriptors = t.sockets.open,
				       .used = t.sockets.open,
				       .bytes = t.sockets.bytes,
				       .evicted = t.sockets.evicted,
				       .refused = t.sockets.full,
				       .oldest_ms = table_age(t.sockets.since_ms, now_ms),
				       .has = TABLE_AGES | TABLE_EVICTS | TABLE_REFUSES});
}

void views_tables(const struct views *v, struct table_registry *tables)
{
	upstream_tables(v, tables);
	if (v->shared.port)
		upstream_port_tables(v->shared.port, tables);
	table_register(tables, &(struct table_info){.name = "views",
				       .owner = "resolver loop",
				       .eviction = "refuse: the reload fails",
				       .lifetime = "life of its groups, then 10 s",
				       .kind = TABLE_FIXED,
				       .cap = VIEWS_MAX,
				       .used = live_count(v),
				       .bytes = sizeof(*v),
				       .refused = v->refused,
				       .has = TABLE_REFUSES});
	table_register(tables, &(struct table_info){.name = "forward_sets",
				       .owner = "resolver loop",
				       .eviction = "refuse: the reload fails",
				       .lifetime = "life of its zones and their questions",
				       .kind = TABLE_FIXED,
				       .cap = FORWARD_SETS_MAX,
				       .used = forwards_count(v->forwards),
				       .bytes = forwards_memory(),
				       .refused = forwards_refused(v->forwards),
				       .has = TABLE_REFUSES});
}

void views_shared_tables(const struct views *v, struct table_registry *tables)
{
	if (v->shared.book)
		upstream_book_tables(v->shared.book, tables);
	upstream_health_tables(tables);
	route_board_tables(tables);
	host_board_tables(tables);
}

// A walk that takes each set once.
struct sets_walk {
	void (*take)(void *arg, const struct views_set *set);
	void *arg;
	unsigned count;
	const struct upstreams *seen[VIEWS_MAX + FORWARD_SETS_MAX];
};

static void set_visit(struct sets_walk *w, const struct views_set *set)
{
	for (unsigned i = 0; i < w->count; i++)
		if (w->seen[i] == set->upstreams)
			return;
	w->seen[w->count++] = set->upstreams;
	w->take(w->arg, set);
}

static void view_visit(struct sets_walk *w, const struct view *one, unsigned group)
{
	if (one)
		set_visit(w, &(struct views_set){.upstreams = one->upstreams,
				     .group = group,
				     .is_safe = one->is_safe});
}

static void zones_visit(struct sets_walk *w, const struct forward_table *t, unsigned group)
{
	const struct forward_zone *zone;

	for (unsigned i = 0; (zone = forward_table_at(t, i)); i++)
		if (zone->set)
			set_visit(w, &(struct views_set){.upstreams = zone->set->upstreams,
					     .group = group,
					     .zone = &zone->name});
}

void views_sets(struct views *v, void (*take)(void *arg, const struct views_set *set), void *arg)
{
	struct sets_walk w = {.take = take, .arg = arg};

	view_visit(&w, views_everyone(v), 0);
	for (unsigned g = 1; g <= CONFIG_GROUPS_MAX; g++) {
		// A group that does not exist has everyone's view.
		view_visit(&w, views_of_group(v, g - 1), g);
		view_visit(&w, views_safe(v, g), g);
	}
	zones_visit(&w, views_everyone(v)->names.zones, 0);
	for (unsigned g = 1; g <= CONFIG_GROUPS_MAX; g++)
		zones_visit(&w, views_of_group(v, g - 1)->names.zones, g);
}

static void set_follow(void *arg, const struct views_set *set)
{
	(void)arg;
	upstreams_follow_hosts(set->upstreams);
}

void views_follow_hosts(struct views *v)
{
	for (unsigned i = 0; i < VIEWS_MAX; i++) {
		const struct view *one = views_at(v, i);
		if (one)
			upstreams_follow_hosts(one->upstreams);
	}
	views_sets(v, set_follow, NULL); // the sets of forward zones
}
