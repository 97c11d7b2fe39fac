// SPDX-License-Identifier: BSD-3-Clause

#include "config_keys.h"

#include <stdio.h>
#include <string.h>
#include <weir/config.h>
#include <weir/config_tools.h>

struct diff {
	char *out;
	size_t cap, len;
	unsigned count;
};

// Names that do not fit `out` are counted all the same.
static void diff_add(struct diff *d, const char *key)
{
	d->count++;
	size_t need = strlen(key) + (d->len ? 2 : 0);
	if (d->len + need >= d->cap)
		return;
	d->len +=
		(size_t)snprintf(d->out + d->len, d->cap - d->len, "%s%s", d->len ? ", " : "", key);
}

static bool lcores_differ(const struct config_dataplane *a, const struct config_dataplane *b)
{
	return a->worker_count != b->worker_count || a->workers_auto != b->workers_auto
	       || memcmp(a->worker_lcores, b->worker_lcores,
			  a->worker_count * sizeof(a->worker_lcores[0]))
			  != 0;
}

static bool ports_differ(const struct config_dataplane *a, const struct config_dataplane *b)
{
	if (a->port_count != b->port_count)
		return true;
	for (unsigned i = 0; i < a->port_count; i++) {
		if (strcmp(a->ports[i].device, b->ports[i].device) != 0
			|| strcmp(a->ports[i].exception, b->ports[i].exception) != 0
			|| a->ports[i].has_vlans != b->ports[i].has_vlans
			|| memcmp(a->ports[i].vlans, b->ports[i].vlans, sizeof(a->ports[i].vlans))
				   != 0
			|| a->ports[i].mac_count != b->ports[i].mac_count
			|| memcmp(a->ports[i].macs, b->ports[i].macs, sizeof(a->ports[i].macs))
				   != 0)
			return true;
	}
	return false;
}

static bool addresses_differ(const struct config_dataplane *a, const struct config_dataplane *b)
{
	return a->address_count != b->address_count
	       || memcmp(a->addresses, b->addresses, a->address_count * sizeof(a->addresses[0]))
			  != 0;
}

static bool scrapers_differ(const struct config_metrics *a, const struct config_metrics *b)
{
	return a->allow_count != b->allow_count
	       || memcmp(a->allow, b->allow, a->allow_count * sizeof(a->allow[0])) != 0;
}

static bool webhooks_differ(const struct config_query_log *a, const struct config_query_log *b)
{
	if (a->webhook_count != b->webhook_count)
		return true;
	for (unsigned i = 0; i < a->webhook_count; i++) {
		const struct config_webhook *x = &a->webhooks[i], *y = &b->webhooks[i];
		if (strcmp(x->url, y->url) != 0 || x->form != y->form || x->on_block != y->on_block
			|| x->on_error != y->on_error || x->summary != y->summary
			|| x->per_minute != y->per_minute
			|| strcmp(x->ca_file ? x->ca_file : "", y->ca_file ? y->ca_file : "") != 0)
			return true;
	}
	return false;
}

// The ClickHouse sink exists from the start or not at all; a reload can change the server.
static bool has_clickhouse(const struct config *c)
{
	return c->query_log.clickhouse.url_count > 0;
}

unsigned config_needs_restart(
	const struct config *running, const struct config *loaded, char *out, size_t cap)
{
	struct diff d = {.out = out, .cap = cap};
	if (cap > 0)
		out[0] = '\0';
	for (unsigned i = 0; i < config_key_count; i++) {
		if (!config_keys[i].live && config_key_differs(&config_keys[i], running, loaded))
			diff_add(&d, config_keys[i].path);
	}
	if (lcores_differ(&running->dataplane, &loaded->dataplane))
		diff_add(&d, "dataplane.worker_lcores");
	if (ports_differ(&running->dataplane, &loaded->dataplane))
		diff_add(&d, "dataplane.ports");
	if (addresses_differ(&running->dataplane, &loaded->dataplane))
		diff_add(&d, "dataplane.service_addresses");
	if (webhooks_differ(&running->query_log, &loaded->query_log))
		diff_add(&d, "query_log.webhooks");
	if (has_clickhouse(running) != has_clickhouse(loaded))
		diff_add(&d, "query_log.clickhouse.url");
	if (scrapers_differ(&running->metrics, &loaded->metrics))
		diff_add(&d, "metrics.allow");
	return d.count;
}
