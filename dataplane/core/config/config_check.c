// SPDX-License-Identifier: BSD-3-Clause

#include "config_sections.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <weir/shm_abi.h>

enum {
	MBUF_BYTES = 2560,      // data room, headroom and struct rte_mbuf, rounded up
	MEMORY_DRIVERS_MB = 24, // rings, DPDK's own tables
};

static int directory_check(const struct config_doc *doc, const char *key, const char *path)
{
	if (path[0] != '/' || strcmp(path, "/") == 0)
		return config_refuse(doc, key, "must be an absolute path");
	if (strstr(path, "/../") || strstr(path, "//"))
		return config_refuse(doc, key, "must be a plain path");
	return 0;
}

static int runtime_check(const struct config_doc *doc, const struct config_runtime *r)
{
	int rc = directory_check(doc, "runtime.directory", r->directory);
	rc = config_worse(rc, directory_check(doc, "runtime.state_directory", r->state_directory));
	if (strcmp(r->hugepages, "auto") != 0 && strcmp(r->hugepages, "off") != 0)
		rc = config_worse(rc, directory_check(doc, "runtime.hugepages", r->hugepages));
	return rc;
}

static int authorities_check(const struct config_doc *doc, const struct config_upstreams *u)
{
	static const char key[] = "upstreams.ca_file";
	if (!*u->ca_file)
		return 0;
	if (u->ca_file[0] != '/')
		return config_refuse(doc, key, "must be an absolute path");
	FILE *f = fopen(u->ca_file, "re");
	if (!f)
		return config_refuse(doc, key, "%s", strerror(errno));
	fclose(f);
	return 0;
}

// A worker must never run out of packet buffers because all of them lie in rings.
static int mbufs_check(const struct config_doc *doc, struct config *c)
{
	const struct config_dataplane *d = &c->dataplane;
	unsigned queues = 0, waiting = 0;
	for (unsigned i = 0; i < d->port_count; i++) {
		queues++;
		if (!d->ports[i].exception[0])
			continue;
		queues++;
		waiting = CONFIG_KERNEL_WAITING;
	}
	unsigned needed =
		queues * (d->rx_descriptors + d->tx_descriptors) + waiting + CONFIG_MBUF_SPARE;
	if (d->mbufs < needed)
		return config_refuse(doc, "dataplane.mbufs",
			"must be at least %u for these ports and descriptors", needed);

	uint64_t bytes = (uint64_t)d->mbufs * d->worker_count * MBUF_BYTES;
	uint64_t needed_mb = bytes / (1 << 20) + MEMORY_DRIVERS_MB;
	if (d->memory_mb < needed_mb)
		return config_refuse(doc, "dataplane.memory_mb",
			"must be at least %llu for these packet buffers",
			(unsigned long long)needed_mb);
	return 0;
}

static int cache_check(const struct config_doc *doc, const struct config_cache *c)
{
	if (c->min_ttl_s > c->max_ttl_s)
		return config_refuse(
			doc, "cache.min_ttl", "is above cache.max_ttl (%u)", c->max_ttl_s);
	return 0;
}

enum { HIT_WINDOW_SWEEPS_MAX = 240 };

static int sweeps_check(const struct config_doc *doc, const struct config_refresh *r)
{
	if (r->sweep_interval_s > r->hit_window_s)
		return config_refuse(doc, "refresh.sweep_interval",
			"is above refresh.hit_window (%u)", r->hit_window_s);
	// A sweep reduces the heat in steps of 1/256: with less than one step it would never fade.
	if (r->hit_window_s > HIT_WINDOW_SWEEPS_MAX * r->sweep_interval_s)
		return config_refuse(doc, "refresh.hit_window",
			"is above %d times refresh.sweep_interval (%u)", HIT_WINDOW_SWEEPS_MAX,
			r->sweep_interval_s);
	return 0;
}

static int refresh_check(const struct config_doc *doc, const struct config_refresh *r)
{
	int rc = sweeps_check(doc, r);
	// A worker's count between two sweeps ends there (shm_abi.h).
	uint32_t most = MARK_HITS_MAX * 60 / r->sweep_interval_s;
	if (rc == 0 && r->hot_threshold_rate > most)
		return config_refuse(doc, "refresh.hot_threshold_rate",
			"must be at most %u with this refresh.sweep_interval", most);
	if (r->hot_threshold_rate && r->warm_threshold > r->hot_threshold_rate)
		rc = config_refuse(doc, "refresh.warm_threshold",
			"is above refresh.hot_threshold_rate (%u)", r->hot_threshold_rate);
	return rc;
}

static void used_by(const struct config *c, const struct config_group *g,
	struct service_set *services, struct config_safe_search *safe)
{
	const struct config_schedules *schedules = config_group_schedules(c, g);
	for (unsigned w = 0; w < ARRAY_LEN(services->bits); w++) {
		services->bits[w] |= config_group_services(c, g)->bits[w];
		for (unsigned i = 0; i < schedules->count; i++)
			services->bits[w] |= schedules->one[i].services.bits[w];
	}
	for (unsigned i = 0; i < SAFE_ENGINE_COUNT; i++)
		safe->level[i] |= config_group_safe_search(c, g)->level[i];
}

static unsigned domain_lists(const struct config_schedules *s)
{
	unsigned n = 0;
	for (unsigned i = 0; i < s->count; i++)
		n += s->one[i].domain_count > 0;
	return n;
}

// Are they rules of one source (controlplane/policy/group_sources.h)?
static bool same_source(const struct config_dated_entry *a, const struct config_dated_entry *b)
{
	return a->allow == b->allow && a->group == b->group;
}

static bool same_kind(const struct config_dated_entry *a, const struct config_dated_entry *b)
{
	return same_source(a, b) && a->reply == b->reply
	       && memcmp(&a->types, &b->types, sizeof(a->types)) == 0;
}

// Kinds of entries with types or a reply, of which a source has CONFIG_ENTRY_KINDS_MAX at most.
static int special_kinds(const struct config_doc *doc, const struct config_dated *d, unsigned *out)
{
	const struct config_dated_entry *kind[CONFIG_LISTS_MAX + 3];
	unsigned n = 0;
	for (unsigned i = 0; i < d->count && n < ARRAY_LEN(kind); i++) {
		const struct config_dated_entry *e = &d->entries[i];
		unsigned k = 0, beside = 0;
		if (!config_dated_is_special(e))
			continue;
		for (; k < n && !same_kind(kind[k], e); k++)
			beside += same_source(kind[k], e);
		if (k == n && beside == CONFIG_ENTRY_KINDS_MAX)
			return config_refuse(doc, "entries",
				"the %s entries of one group have more than %d combinations of "
				"types and reply",
				e->allow ? "allow" : "deny", CONFIG_ENTRY_KINDS_MAX);
		if (k == n)
			kind[n++] = e;
	}
	*out = n;
	return 0;
}

// Every list, service, search engine, group's entries and schedule's domains take at least one list
// of the rule image (controlplane/policy/group_sources.h).
static int rule_lists_check(const struct config_doc *doc, const struct config *c)
{
	const unsigned most = CONFIG_LISTS_MAX + 2;
	struct service_set services = {{0}};
	struct config_safe_search safe = {{0}};
	unsigned n = 2 + c->blocking.list_count + (c->blocking.types.count > 0)
		     + domain_lists(&c->blocking.filter.schedules);
	unsigned kinds;
	int rc = special_kinds(doc, &c->dated, &kinds);
	if (rc != 0)
		return rc;
	used_by(c, NULL, &services, &safe);
	for (unsigned i = 0; i < c->group_count; i++) {
		const struct config_group *g = &c->groups[i];
		used_by(c, g, &services, &safe);
		n += g->allow.count + g->allow.pattern_count > 0;
		n += g->deny.count + g->deny.pattern_count > 0;
		n += domain_lists(&g->filter.schedules);
	}
	n += kinds;
	for (unsigned i = 0; i < SERVICE_COUNT; i++)
		n += service_set_has(&services, i);
	for (unsigned i = 0; i < SAFE_ENGINE_COUNT; i++)
		n += safe.level[i] != SAFE_LEVEL_OFF;
	if (n > most)
		return config_refuse(doc, "groups",
			"lists, services, search engines, entries of groups and schedules, and "
			"combinations of types and reply of entries need %u lists of rules or "
			"more, at most %u are possible",
			n, most);
	return 0;
}

static bool sends_subnet(const struct config_subnet *s)
{
	return s->ipv4 || s->ipv6;
}

static bool zones_send_subnet(const struct config_forward_zone *zones, unsigned count)
{
	bool any = false;
	for (unsigned i = 0; i < count; i++)
		any |= sends_subnet(&zones[i].pick.subnet);
	return any;
}

bool config_sends_subnet(const struct config *c)
{
	bool any = sends_subnet(&c->upstreams.subnet)
		   || zones_send_subnet(c->forwards, c->forward_count);
	for (unsigned i = 0; i < c->group_count; i++) {
		const struct config_group *g = &c->groups[i];
		any |= g->upstream_count > 0 && sends_subnet(&g->pick.subnet);
		any |= zones_send_subnet(g->forwards, g->forward_count);
	}
	return any;
}

// The validator asks without a client, so it has no client's address to send.
static int subnet_check(const struct config_doc *doc, const struct config *c)
{
	if (!c->dnssec.validate || !config_sends_subnet(c))
		return 0;
	return config_refuse(doc, "dnssec.validate",
		"weir validates answers without a client, so no server would get "
		"`client_subnet_ipv4` or `client_subnet_ipv6`: leave out one of both");
}

static int values_check(const struct config_doc *doc, struct config *c)
{
	int rc = runtime_check(doc, &c->runtime);
	rc = config_worse(rc, cache_check(doc, &c->cache));
	rc = config_worse(rc, refresh_check(doc, &c->refresh));
	return config_worse(rc, authorities_check(doc, &c->upstreams));
}

int config_check(const struct config_doc *doc, const struct config *c)
{
	int rc = rule_lists_check(doc, c);
	rc = config_worse(rc, subnet_check(doc, c));
	return config_worse(rc, config_hosts_check(doc, c));
}

// Checks relations between keys with one value.
const struct config_step config_values_step = {.apply = values_check};

// Checks the number of packet buffers.
const struct config_step config_mbufs_step = {.apply = mbufs_check};
