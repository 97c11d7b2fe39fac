// SPDX-License-Identifier: BSD-3-Clause
#include "local_why.h"

#include "house.h"
#include "special_names.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <weir/hosts_file.h>
#include <weir/rdata_parse.h>

static void tell(struct local_why *w, enum local_why_kind kind, const struct config_group *g,
	const char *fmt, ...) ATTR_PRINTF(4, 5);
static void tell(struct local_why *w, enum local_why_kind kind, const struct config_group *g,
	const char *fmt, ...)
{
	va_list args;
	if (w->count == LOCAL_WHY_STEPS_MAX)
		return;
	struct local_why_step *s = &w->step[w->count++];
	s->kind = kind;
	s->group = g ? g->name : NULL;
	va_start(args, fmt);
	vsnprintf(s->text, sizeof(s->text), fmt, args);
	va_end(args);
}

static bool covers(const struct config_record *r, const struct dns_name *name)
{
	return r->wildcard ? name->labels > r->name.labels && dns_name_is_under(name, &r->name)
			   : dns_name_equal(name, &r->name);
}

// The first record of the name, or of the nearest wildcard above it.
static const struct config_record *record_of(
	const struct config_record *records, unsigned count, const struct dns_name *name)
{
	const struct config_record *found = NULL;
	for (unsigned i = 0; i < count; i++)
		if (covers(&records[i], name)
			&& (!found || (found->wildcard && !records[i].wildcard)
				|| (found->wildcard
					&& records[i].name.labels > found->name.labels)))
			found = &records[i];
	return found;
}

// What `name` meets, and how near: labels of the name that speaks; -1: nothing.
struct met {
	int labels;
	const struct config_record *record;
	const struct config_group *of;
	const struct config_local_zone *zone;
	bool is_special;
	struct special_name special;
	char hosts_path[256];
	uint32_t hosts_line;
	char lease[LOCAL_WHY_TEXT_MAX]; // "": it met no lease
};

struct hosts_look {
	const struct dns_name *name;
	const struct special_settings *special;
	uint32_t line;
};

static int host_look(
	void *arg, const struct ip_address *a, const struct dns_name *name, bool own, uint32_t line)
{
	struct hosts_look *look = arg;
	struct dns_name reverse;
	bool hit = dns_name_equal(name, look->name);
	if (!hit && own) {
		hosts_reverse_name(a, &reverse);
		hit = dns_name_equal(&reverse, look->name);
	}
	hit = hit && !special_skips_hosts(look->special, name, a);
	if (hit)
		look->line = line;
	return hit;
}

static bool hosts_meet(const struct config *c, const struct special_settings *special,
	const struct dns_name *name, struct met *m)
{
	for (unsigned i = 0; i < c->local.hosts_file_count; i++) {
		struct hosts_look look = {.name = name, .special = special};
		struct hosts_counts counts = {0};
		if (hosts_file_read(c->local.hosts_files[i], host_look, &look, &counts) != 1)
			continue;
		snprintf(m->hosts_path, sizeof(m->hosts_path), "%s", c->local.hosts_files[i]);
		m->hosts_line = look.line;
		return true;
	}
	return false;
}

static int forward_labels(
	const struct config *c, const struct config_group *g, const struct dns_name *name)
{
	const struct config_group *of;
	const struct config_forward_zone *z = local_why_forward(c, g, name, &of);
	return z ? z->name.labels : -1;
}

// Has the operator that name: in a record, a hosts file, or as a special-use name?
static bool is_operators(const struct config *c, const struct config_group *g,
	const struct dns_name *name, bool files)
{
	const struct special_settings settings = special_settings_of(c);
	struct special_name special;
	struct met unused;
	return record_of(c->local.records, c->local.record_count, name)
	       || (g && record_of(g->records, g->record_count, name))
	       || (special_name_of(&settings, name, &special)
		       && dns_name_equal(&special.name, name))
	       || (files && hosts_meet(c, &settings, name, &unused));
}

// The lease that answers for the name, like lease_of in resolver_check.c.
static const struct lease_name *lease_of(const struct config *c, const struct config_group *g,
	const struct lease_names *leases, const struct dns_name *name, bool files)
{
	const time_t now_s = time(NULL);
	struct dns_name host, single;
	const struct lease_name *l =
		house_lease(c, leases, name, forward_labels(c, g, name), now_s);
	if (!l || !house_host(c, l, &host, &single)
		|| !house_lease(c, leases, &host, forward_labels(c, g, &host), now_s)
		|| is_operators(c, g, &host, files) || is_operators(c, g, &single, files))
		return NULL;
	return l;
}

// A lease of the name; a record or a wildcard comes first.
static void lease_meet(const struct config *c, const struct config_group *g,
	const struct dns_name *name, bool files, struct met *m)
{
	struct lease_names *held = NULL;
	const struct lease_names *leases = lease_names_now(&held);
	const struct lease_name *l = m->labels < 0 ? lease_of(c, g, leases, name, files) : NULL;
	char address[SOCKET_ADDRESS_TEXT_MAX];
	if (l) {
		m->labels = name->labels + 1;
		snprintf(m->lease, sizeof(m->lease), "%s of %.*s, %s, %s %s",
			l->is_ptr ? "PTR record" : "DHCP lease", l->label[0],
			(const char *)l->label + 1, ip_address_text(&l->address, false, address),
			l->is_ptr ? "at" : "in", lease_names_path(leases, l));
	}
	lease_names_release(held);
}

static void record_meet(struct met *m, const struct config_record *r, const struct config_group *g)
{
	int labels = r ? r->name.labels + !r->wildcard : -1;
	if (labels <= m->labels)
		return;
	m->labels = labels;
	m->record = r;
	m->of = g;
}

// Asks in the order of precedence; a later kind of data counts only where it is nearer.
static void meet(const struct config *c, const struct config_group *g, const struct dns_name *name,
	bool files, struct met *m)
{
	const struct special_settings settings = special_settings_of(c);
	*m = (struct met){.labels = -1};
	if (g)
		record_meet(m, record_of(g->records, g->record_count, name), g);
	record_meet(m, record_of(c->local.records, c->local.record_count, name), NULL);
	if (m->record && m->record->wildcard && m->record->name.labels < forward_labels(c, g, name))
		*m = (struct met){.labels = -1}; // the forwarding zone is nearer
	if (files && m->labels <= name->labels && hosts_meet(c, &settings, name, m)) {
		m->labels = name->labels + 1;
		m->record = NULL;
	}
	lease_meet(c, g, name, files, m);
	for (unsigned i = 0; i < c->local.zone_count; i++) {
		const struct config_local_zone *z = &c->local.zones[i];
		if (z->name.labels > m->labels && dns_name_is_under(name, &z->name)) {
			*m = (struct met){.labels = z->name.labels, .zone = z};
		}
	}
	m->is_special =
		special_name_of(&settings, name, &m->special) && m->special.name.labels > m->labels;
}

static const struct config_forward_zone *zone_of(
	const struct config_forward_zone *zones, unsigned count, const struct dns_name *name)
{
	const struct config_forward_zone *found = NULL;
	for (unsigned i = 0; i < count; i++)
		if (dns_name_is_under(name, &zones[i].name)
			&& (!found || zones[i].name.labels > found->name.labels))
			found = &zones[i];
	return found;
}

const struct config_forward_zone *local_why_forward(const struct config *c,
	const struct config_group *g, const struct dns_name *name, const struct config_group **of)
{
	const struct config_forward_zone *all = zone_of(c->forwards, c->forward_count, name),
					 *own = NULL;
	if (g)
		own = zone_of(g->forwards, g->forward_count, name);
	*of = own && (!all || own->name.labels >= all->name.labels) ? g : NULL;
	return *of ? own : all;
}

static void forward_tell(
	struct local_why *w, const struct config_forward_zone *z, const struct config_group *of)
{
	char name[DNS_NAME_TEXT_MAX], servers[256] = "", one[CONFIG_HOST_TEXT_MAX];
	size_t n = 0;
	for (unsigned i = 0; i < z->server_count && n < sizeof(servers) - 1; i++)
		n += (size_t)snprintf(servers + n, sizeof(servers) - n, "%s%s", i ? ", " : "",
			config_server_text(&z->servers[i], one));
	tell(w, LOCAL_WHY_FORWARD, of, "forwarding zone %.300s: asks %s",
		dns_name_to_text(&z->name, name), servers);
}

static void record_tell(
	const struct config *c, struct local_why *w, const struct met *m, uint16_t type)
{
	char name[DNS_NAME_TEXT_MAX], target[DNS_NAME_TEXT_MAX] = "";
	const struct config_record *r = m->record;
	struct rd rd = rd_init(r->rdata, r->rdata_len);
	struct dns_name to;
	if (r->type == DNS_TYPE_CNAME && dns_name_read(&rd, &to) == 0)
		dns_name_to_text(&to, target);
	tell(w, LOCAL_WHY_RECORD, m->of, "local record %s%.250s %s%s%.250s%s",
		r->wildcard ? "*." : "", dns_name_to_text(&r->name, name),
		rdata_parse_type_text(r->type), target[0] ? " " : "", target,
		target[0] || r->type == type ? ""
		: c->local.missing_forward   ? " (and others)"
					     : " (and others; none of a type asked is NODATA)");
}

// Reports the remaining item; a forward zone at or below it overrides.
static bool wider_tell(
	struct local_why *w, const struct met *m, const struct config_forward_zone *forward)
{
	char name[DNS_NAME_TEXT_MAX];
	int near = forward ? forward->name.labels : -1;
	if (m->is_special && m->special.name.labels > near) {
		tell(w, LOCAL_WHY_SPECIAL, NULL, "special-use name %.300s (%s)",
			dns_name_to_text(&m->special.name, name), m->special.source);
		return true;
	}
	if (!m->is_special && m->zone && !m->zone->forward
		&& m->labels >= near + m->zone->is_house) {
		tell(w, LOCAL_WHY_ZONE, NULL, "local zone %.300s: has no such name",
			dns_name_to_text(&m->zone->name, name));
		return true;
	}
	return false;
}

// A lease, or a single label that nothing else speaks of. False: neither. With `*name` another one
// it goes on.
static bool house_tell(struct local_why *w, const struct config *c, const struct met *m,
	uint16_t type, int forward_labels, struct dns_name *name)
{
	const bool is_free = m->labels < 0 && !m->is_special;
	struct dns_name longer = *name;
	char text[DNS_NAME_TEXT_MAX];
	if (*m->lease)
		tell(w, LOCAL_WHY_LEASE, NULL, "%s", m->lease);
	else if (is_free && house_keeps_single(c, name, type, forward_labels))
		tell(w, LOCAL_WHY_SINGLE, NULL, "single label: kept at home, does not exist");
	else if (is_free && house_completes(c, name, type, forward_labels, &longer))
		tell(w, LOCAL_WHY_SINGLE, NULL, "single label: answered as %.300s",
			dns_name_to_text(&longer, text));
	else
		return false;
	w->is_house = true;
	*name = longer;
	return true;
}

void local_why(const struct config *c, const struct config_group *group,
	const struct dns_name *asked, uint16_t type, bool files, struct local_why *out)
{
	struct dns_name name = *asked;
	out->count = 0;
	out->is_house = false;
	for (unsigned hop = 0; hop <= CONFIG_ALIASES_MAX; hop++) {
		const struct config_group *of;
		const struct config_forward_zone *forward = local_why_forward(c, group, &name, &of);
		struct met m;
		meet(c, group, &name, files, &m);
		if (m.hosts_line && !m.record && !m.is_special) {
			tell(out, LOCAL_WHY_HOSTS, NULL, "hosts file %s line %u", m.hosts_path,
				m.hosts_line);
			return;
		}
		const struct dns_name before = name;
		if (house_tell(out, c, &m, type, forward ? forward->name.labels : -1, &name)) {
			if (dns_name_equal(&before, &name))
				return;
			continue;
		}
		if (m.record && !m.is_special) {
			record_tell(c, out, &m, type);
			struct rd rd = rd_init(m.record->rdata, m.record->rdata_len);
			if (m.record->type != DNS_TYPE_CNAME || type == DNS_TYPE_CNAME
				|| dns_name_read(&rd, &name) < 0)
				return;
			continue;
		}
		const bool is_kept = wider_tell(out, &m, forward);
		if (!is_kept && forward)
			forward_tell(out, forward, of);
		out->is_house = is_kept && (out->is_house || house_has(c, &name));
		return;
	}
}
