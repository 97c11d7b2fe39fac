// SPDX-License-Identifier: BSD-3-Clause

// What changes from one configuration to another: the keys that differ, by their values, or for
// lists by hashes of the texts; and which of these keys a process reads only when it starts.

#include "config_entries.h"
#include "config_keys.h"
#include "config_schema.h"
#include "config_sections.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>
#include <weir/config.h>
#include <weir/config_tools.h>
#include <weir/keyhash.h>

enum { OF_CONTROLPLANE = 1, OF_DATAPLANE = 2, BOTH = OF_CONTROLPLANE | OF_DATAPLANE };

// Names of keys that differ.
struct names {
	char *out; // "a.b, c.d, and 3 more"; the caller's, of `cap` bytes
	size_t cap, len;
	unsigned process; // only keys that this process reads at its start
	unsigned count, left_out;
	bool is_without_sink; // keys of ClickHouse wait for a restart
};

// The last names make room for the number of those that do not fit.
enum { MORE_MAX = sizeof(", and 999 more") };

static void names_add(struct names *n, const char *key, unsigned process)
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

static void names_end(struct names *n)
{
	if (n->left_out)
		snprintf(n->out + n->len, n->cap - n->len, "%sand %u more", n->len ? ", " : "",
			n->left_out);
}

// The processes that read a key when they start.
static unsigned processes_of(const char *key)
{
	return strncmp(key, "runtime.", 8) == 0      ? BOTH
	       : strncmp(key, "dataplane.", 10) == 0 ? OF_DATAPLANE
						     : OF_CONTROLPLANE;
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

static bool own_addresses_differ(const struct config_dataplane *a, const struct config_dataplane *b)
{
	return a->own_count != b->own_count
	       || memcmp(a->addresses, b->addresses, a->own_count * sizeof(a->addresses[0])) != 0;
}

static bool virtual_addresses_differ(
	const struct config_dataplane *a, const struct config_dataplane *b)
{
	const unsigned n = a->address_count - a->own_count;
	return n != b->address_count - b->own_count
	       || memcmp(a->addresses + a->own_count, b->addresses + b->own_count,
			  n * sizeof(a->addresses[0]))
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

// Is the name in the log that of `sync`, or else of the host?
static bool box_follows_sync(const struct config *c)
{
	return !c->query_log.box[0];
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

// Finds the keys that differ and that the processes of `process` read when they start. Returns
// their number.
static unsigned restart_names(const struct config *running, const struct config *loaded,
	unsigned process, char *out, size_t cap)
{
	struct names d = {.out = out, .cap = cap, .process = process};
	out[0] = '\0';
	for (unsigned i = 0; i < config_key_count; i++) {
		if (!config_keys[i].live && config_key_differs(&config_keys[i], running, loaded))
			names_add(&d, config_keys[i].path, processes_of(config_keys[i].path));
	}
	if (lcores_differ(&running->dataplane, &loaded->dataplane))
		names_add(&d, "dataplane.worker_lcores", OF_DATAPLANE);
	if (ports_differ(&running->dataplane, &loaded->dataplane))
		names_add(&d, "dataplane.ports",
			has_xdp(&running->dataplane) == has_xdp(&loaded->dataplane) ? OF_DATAPLANE
										    : BOTH);
	if (own_addresses_differ(&running->dataplane, &loaded->dataplane))
		names_add(&d, "dataplane.service_addresses", BOTH);
	if (virtual_addresses_differ(&running->dataplane, &loaded->dataplane))
		names_add(&d, "dataplane.virtual_addresses", BOTH);
	if (box_follows_sync(running) && box_follows_sync(loaded)
		&& strcmp(running->sync.name, loaded->sync.name) != 0)
		names_add(&d, "query_log.box", OF_CONTROLPLANE);
	if (webhooks_differ(&running->query_log, &loaded->query_log))
		names_add(&d, "query_log.webhooks", OF_CONTROLPLANE);
	if (has_clickhouse(running) != has_clickhouse(loaded))
		names_add(&d, "query_log.clickhouse.url", OF_CONTROLPLANE);
	if (scrapers_differ(&running->metrics, &loaded->metrics))
		names_add(&d, "metrics.allow", OF_CONTROLPLANE);
	if (control_listen_differs(&running->control, &loaded->control))
		names_add(&d, "control.listen", OF_CONTROLPLANE);
	if (operators_differ(&running->control, &loaded->control))
		names_add(&d, "control.allow", OF_CONTROLPLANE);
	names_end(&d);
	return d.count;
}

unsigned config_needs_restart(
	const struct config *running, const struct config *loaded, char *out, size_t cap)
{
	return restart_names(running, loaded, BOTH, out, cap);
}

// Only a restart adds the first ClickHouse server or removes the last one, and so changes its keys.
static void live_add(struct names *n, const char *key)
{
	static const char sink[] = "query_log.clickhouse.";
	if (!n->is_without_sink || strncmp(key, sink, strlen(sink)) != 0)
		names_add(n, key, BOTH);
}

// Adds the keys with one value that differ and take effect live; `n` has `out` and `cap`.
static void live_begin(struct names *n, const struct config *running, const struct config *in_force,
	const struct config *loaded)
{
	n->process = BOTH;
	n->is_without_sink = has_clickhouse(running) != has_clickhouse(loaded);
	n->out[0] = '\0';
	for (unsigned i = 0; i < config_key_count; i++) {
		if (config_keys[i].live && config_key_differs(&config_keys[i], in_force, loaded))
			live_add(n, config_keys[i].path);
	}
}

// The texts of this key differ: adds it if it has no single value and takes effect live.
static void live_leaf(struct names *n, const char *path)
{
	static const char *const at_start[] = {"version", "include", "dataplane.worker_lcores",
		"dataplane.ports", "dataplane.service_addresses", "dataplane.virtual_addresses",
		"query_log.webhooks", "metrics.allow", "control.listen", "control.allow"};
	for (unsigned i = 0; i < ARRAY_LEN(at_start); i++)
		if (strcmp(at_start[i], path) == 0)
			return;
	if (!config_key_find(path))
		live_add(n, path);
}

// Lists differ where hashes of their texts do.

enum { LEAVES_MAX = 384 };

// One hash for each key that has a value or a list.
struct leaves {
	uint64_t *hash;       // to fill in, or to compare with
	struct names *differ; // NULL: fills in `hash`
	unsigned count;
	char path[CONFIG_PATH_MAX];
};

// The value of a field; NULL: it has no value, or is a list without items.
static const struct config_node *value_of(
	const struct config_field *f, const struct config_node *mapping)
{
	const struct config_node *n = config_node_find(mapping, f->key);
	if (!n || n->kind != f->kind || (n->kind == CONFIG_NODE_LIST && !n->count))
		return NULL;
	return n;
}

// `fields`: the keys of a mapping, or of a list's items that are mappings.
static void node_hash(
	struct contenthash_state *s, const struct config_node *n, const struct config_field *fields)
{
	if (n->kind == CONFIG_NODE_TEXT) {
		contenthash_update(s, n->text, strlen(n->text) + 1);
		return;
	}
	if (n->kind == CONFIG_NODE_LIST) {
		contenthash_update(s, &n->count, sizeof(n->count));
		for (unsigned i = 0; i < n->count; i++)
			node_hash(s, n->child[i], fields);
		return;
	}
	for (const struct config_field *f = fields; f->key; f++) {
		const struct config_node *child = value_of(f, n);
		contenthash_update(s, child ? "+" : "-", 1);
		if (child)
			node_hash(s, child, f->keys);
	}
}

static uint64_t leaf_hash(const struct config_field *f, const struct config_node *mapping)
{
	struct contenthash_state s;
	const struct config_node *n = value_of(f, mapping);
	if (!n)
		return 0;
	contenthash_begin(&s);
	node_hash(&s, n, f->keys);
	return contenthash_finish(&s);
}

// `mapping` NULL: the texts have no such section.
static void walk(struct leaves *l, const struct config_field *f, const struct config_node *mapping)
{
	const size_t len = strlen(l->path);
	for (; f->key; f++) {
		l->path[len] = '\0';
		config_path_add(l->path, f->key, 0);
		if (f->keys == config_schema) // applied (config_override.h)
			continue;
		if (f->kind == CONFIG_NODE_MAPPING) {
			walk(l, f->keys, config_node_find(mapping, f->key));
			continue;
		}
		assert(l->count < LEAVES_MAX);
		const uint64_t hash = leaf_hash(f, mapping);
		if (!l->differ)
			l->hash[l->count] = hash;
		else if (l->hash[l->count] != hash)
			live_leaf(l->differ, l->path);
		l->count++;
	}
	l->path[len] = '\0';
}

static void leaves_walk(void *leaves, const struct config_node *root)
{
	walk(leaves, config_schema, root);
}

// Adds the keys whose texts differ, keys with lists included. Without memory it adds no key.
static void leaves_compare(
	const struct config_bundle *a, const struct config_bundle *b, struct names *live)
{
	uint64_t hash[LEAVES_MAX];
	struct leaves before = {.hash = hash}, after = {.hash = hash, .differ = live};
	if (config_bundle_tree(a, leaves_walk, &before) == 0)
		(void)!config_bundle_tree(b, leaves_walk, &after);
}

void config_change_find(const struct config *running, const struct config *in_force,
	const struct config *loaded, const struct config_bundle *before,
	const struct config_bundle *after, struct config_change *out)
{
	struct names live = {.out = out->live, .cap = sizeof(out->live)};
	live_begin(&live, running, in_force, loaded);
	if (before)
		leaves_compare(before, after, &live);
	names_end(&live);
	(void)restart_names(
		running, loaded, OF_CONTROLPLANE, out->controlplane, sizeof(out->controlplane));
	(void)restart_names(running, loaded, OF_DATAPLANE, out->dataplane, sizeof(out->dataplane));
}
