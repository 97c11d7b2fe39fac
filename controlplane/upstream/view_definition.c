// SPDX-License-Identifier: BSD-3-Clause
#include "view_definition.h"

#include <stdio.h>
#include <string.h>
#include <weir/keyhash.h>

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

int view_names_make(struct forwards *f, const struct config_group *group, struct view_names *out)
{
	return names_make(
		f, group->forwards, group->forward_count, group->records, group->record_count, out);
}

int view_names_make_everyone(struct forwards *f, const struct config *c, struct view_names *out)
{
	return names_make(
		f, c->forwards, c->forward_count, c->local.records, c->local.record_count, out);
}

void view_names_end(struct view_names *n)
{
	forward_table_free(n->zones);
	rewrite_table_free(n->rewrites);
	*n = (struct view_names){0};
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

// Sums, so that the order does not count.
static uint64_t names_hash(const struct config_forward_zone *zones, unsigned zone_count,
	const struct config_record *records, unsigned record_count)
{
	uint64_t sum[2] = {0, 0}, any = 0;
	for (unsigned i = 0; i < zone_count; i++, any = 1)
		sum[0] += forward_zone_hash(&zones[i]);
	for (unsigned i = 0; i < record_count; i++)
		if (records[i].type == DNS_TYPE_CNAME) {
			sum[1] += record_hash(&records[i]);
			any = 1;
		}
	uint64_t hash = contenthash(sum, sizeof(sum));
	return any ? hash | 1 : 0;
}

bool view_has_records(const struct config_group *g)
{
	for (unsigned i = 0; i < g->record_count; i++)
		if (g->records[i].type != DNS_TYPE_CNAME)
			return true;
	return false;
}

uint64_t view_names_hash(const struct config_group *g)
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

uint64_t view_definition_hash(const struct view_definition *d)
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
	uint64_t hash = contenthash(text, (size_t)(p - text));
	return hash ? hash : 1;
}

struct view_definition view_definition_of(
	const struct config *config, const struct config_group *group)
{
	return (struct view_definition){.everyone = &config->upstreams,
		.group = group,
		.dnssec = config->dnssec.hash,
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

bool view_safe_definition(
	const struct config *c, const struct config_group *group, struct view_definition *out)
{
	*out = view_definition_of(c, group);
	out->safe = config_group_safe_search(c, group);
	return config_safe_search_any(out->safe);
}

uint64_t view_safe_hash(const struct config *config, const struct config_group *group)
{
	struct view_definition d;
	return view_safe_definition(config, group, &d) ? view_definition_hash(&d) : 0;
}
