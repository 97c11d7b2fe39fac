// SPDX-License-Identifier: BSD-3-Clause

#include "config_entries.h"
#include "config_keys.h"
#include "config_sections.h"

#include <stdio.h>
#include <string.h>
#include <weir/config.h>
#include <weir/config_tools.h>

enum { BOTH = CONFIG_OF_CONTROLPLANE | CONFIG_OF_DATAPLANE };

// The last names make room for the number of those that do not fit.
enum { MORE_MAX = sizeof(", and 999 more") };

static void names_add(struct config_names *n, const char *key, unsigned process)
{
	if (!(n->process & process))
		return;
	n->count++;
	const size_t need = strlen(key) + (n->len ? 2 : 0);
	if (n->left_out || n->len + need + MORE_MAX > n->cap) {
		n->left_out++;
		return;
	}
	n->len +=
		(size_t)snprintf(n->out + n->len, n->cap - n->len, "%s%s", n->len ? ", " : "", key);
}

void config_names_end(struct config_names *n)
{
	if (n->left_out)
		snprintf(n->out + n->len, n->cap - n->len, "%sand %u more", n->len ? ", " : "",
			n->left_out);
}

// The processes that read a key when they start.
static unsigned processes_of(const char *key)
{
	return strncmp(key, "runtime.", 8) == 0      ? BOTH
	       : strncmp(key, "dataplane.", 10) == 0 ? CONFIG_OF_DATAPLANE
						     : CONFIG_OF_CONTROLPLANE;
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

static bool operators_differ(const struct config_control *a, const struct config_control *b)
{
	return a->allow_count != b->allow_count
	       || memcmp(a->allow, b->allow, a->allow_count * sizeof(a->allow[0])) != 0;
}

static bool control_listen_differs(const struct config_control *a, const struct config_control *b)
{
	return a->listen_count != b->listen_count
	       || memcmp(a->listen, b->listen, a->listen_count * sizeof(a->listen[0])) != 0;
}

static bool webhooks_differ(const struct config_query_log *a, const struct config_query_log *b)
{
	if (a->webhook_count != b->webhook_count)
		return true;
	for (unsigned i = 0; i < a->webhook_count; i++) {
		const struct config_webhook *x = &a->webhooks[i], *y = &b->webhooks[i];
		if (config_webhook_differs(&x->to, &y->to) || x->on_block != y->on_block
			|| x->on_error != y->on_error || x->summary != y->summary)
			return true;
	}
	return false;
}

// The ClickHouse sink exists from the start or not at all; a reload can change the server.
static bool has_clickhouse(const struct config *c)
{
	return c->query_log.clickhouse.url_count > 0;
}

// The control plane serves UDP itself beside such a port (fallback.udp).
static bool has_xdp(const struct config_dataplane *d)
{
	for (unsigned i = 0; i < d->port_count; i++)
		if (strncmp(d->ports[i].device, "net_af_xdp", 10) == 0)
			return true;
	return false;
}

unsigned config_restart_names(const struct config *running, const struct config *loaded,
	unsigned process, char *out, size_t cap)
{
	struct config_names d = {.out = out, .cap = cap, .process = process};
	out[0] = '\0';
	for (unsigned i = 0; i < config_key_count; i++) {
		if (!config_keys[i].live && config_key_differs(&config_keys[i], running, loaded))
			names_add(&d, config_keys[i].path, processes_of(config_keys[i].path));
	}
	if (lcores_differ(&running->dataplane, &loaded->dataplane))
		names_add(&d, "dataplane.worker_lcores", CONFIG_OF_DATAPLANE);
	if (ports_differ(&running->dataplane, &loaded->dataplane))
		names_add(&d, "dataplane.ports",
			has_xdp(&running->dataplane) == has_xdp(&loaded->dataplane)
				? CONFIG_OF_DATAPLANE
				: BOTH);
	if (addresses_differ(&running->dataplane, &loaded->dataplane))
		names_add(&d, "dataplane.service_addresses", BOTH);
	if (webhooks_differ(&running->query_log, &loaded->query_log))
		names_add(&d, "query_log.webhooks", CONFIG_OF_CONTROLPLANE);
	if (has_clickhouse(running) != has_clickhouse(loaded))
		names_add(&d, "query_log.clickhouse.url", CONFIG_OF_CONTROLPLANE);
	if (scrapers_differ(&running->metrics, &loaded->metrics))
		names_add(&d, "metrics.allow", CONFIG_OF_CONTROLPLANE);
	if (control_listen_differs(&running->control, &loaded->control))
		names_add(&d, "control.listen", CONFIG_OF_CONTROLPLANE);
	if (operators_differ(&running->control, &loaded->control))
		names_add(&d, "control.allow", CONFIG_OF_CONTROLPLANE);
	config_names_end(&d);
	return d.count;
}

unsigned config_needs_restart(
	const struct config *running, const struct config *loaded, char *out, size_t cap)
{
	return config_restart_names(running, loaded, BOTH, out, cap);
}

// The first server of ClickHouse comes and the last one goes with a restart, and so do its keys.
static void live_add(struct config_names *n, const char *key)
{
	static const char sink[] = "query_log.clickhouse.";
	if (!n->is_without_sink || strncmp(key, sink, strlen(sink)) != 0)
		names_add(n, key, BOTH);
}

void config_live_begin(struct config_names *n, const struct config *running,
	const struct config *in_force, const struct config *loaded)
{
	n->process = BOTH;
	n->is_without_sink = has_clickhouse(running) != has_clickhouse(loaded);
	n->out[0] = '\0';
	for (unsigned i = 0; i < config_key_count; i++) {
		if (config_keys[i].live && config_key_differs(&config_keys[i], in_force, loaded))
			live_add(n, config_keys[i].path);
	}
}

void config_live_leaf(struct config_names *n, const char *path)
{
	static const char *const at_start[] = {"version", "include", "dataplane.worker_lcores",
		"dataplane.ports", "dataplane.service_addresses", "query_log.webhooks",
		"metrics.allow", "control.listen", "control.allow"};
	for (unsigned i = 0; i < ARRAY_LEN(at_start); i++)
		if (strcmp(at_start[i], path) == 0)
			return;
	if (!config_key_find(path))
		live_add(n, path);
}
