// SPDX-License-Identifier: BSD-3-Clause
// GET /groups: the settings of each group of clients and their present effect, everyone else first.
// GET /services: services that can be blocked. /status has groups, too. The data plane's statistics
// count queries by group number.

#include "api_clients.h"
#include "api_param.h"
#include "api_server.h"
#include "client_names/client_book.h"
#include "policy/group_hosts.h"
#include "policy/schedule.h"
#include "policy/services_table.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <weir/config/managed.h>
#include <weir/config/versions.h>
#include <weir/heap_site.h>

// Adds "all_lists" and "lists" of a group; `g` NULL: of everyone else.
static void lists_out(struct json_out *o, struct json_node *n, const struct config *c,
	const struct config_group *g)
{
	bool all = !g || (g->blocking && !g->has_lists && g->inherits);
	unsigned count = all ? c->blocking.list_count : g->has_lists ? g->list_count : 0;
	json_out_bool(o, n, "all_lists", all);
	struct json_node *lists = json_out_array(o, n, "lists");
	for (unsigned i = 0; (!g || g->blocking) && i < count; i++)
		json_out_text(o, lists, NULL, c->blocking.lists[all ? i : g->lists[i]].name);
}

static void group_out(struct json_out *o, struct json_node *n, const struct config *c, unsigned i,
	const struct policy_group *policy)
{
	const struct config_group *g = &c->groups[i];
	char text[SOCKET_ADDRESS_TEXT_MAX];
	json_out_count(o, n, "group", i + 1);
	json_out_text(o, n, "name", g->name);
	json_out_count(o, n, "prefixes", g->client_count);
	json_out_bool(o, n, "blocking", g->blocking);
	lists_out(o, n, c, g);
	json_out_bool(o, n, "cache", !g->disable_cache);
	const struct config_ipv6 ipv6 = config_group_ipv6(c, g);
	json_out_bool(o, n, "filter_aaaa", ipv6.filter_aaaa);
	json_out_text(
		o, n, "dns64", ipv6.dns64.version ? ip_address_text(&ipv6.dns64, true, text) : "");
	struct json_node *upstreams = json_out_array(o, n, "upstreams");
	for (unsigned k = 0; k < g->upstream_count; k++)
		json_out_text(
			o, upstreams, NULL, socket_address_text(&g->upstreams[k].address, text));
	json_out_count(o, n, "view", policy->view);
	snprintf(text, sizeof(text), "%016" PRIx64, policy->view_hash);
	json_out_text(o, n, "view_hash", policy->view ? text : "");
}

static void groups_out(struct json_out *o, struct json_node *root, const struct api_look *l)
{
	const struct api_deps *d = &l->api->deps;
	const struct config *c = d->config_current(d->reload_arg);
	struct json_node *list = json_out_array(o, root, "groups");
	if (!d->groups_current)
		return;
	const struct policy_group *policy = d->groups_current(d->reload_arg);
	for (unsigned i = 0; i < c->group_count; i++)
		group_out(o, json_out_object(o, list, NULL), c, i, &policy[i + 1]);
}

// Names for the MAC addresses that are clients of groups: those of `clients` in the configuration,
// else those of leases. For one reply.
struct member_name {
	struct config_mac mac;
	const char *from; // "clients", or a word of client_from_names
	char name[CONFIG_CLIENT_NAME_MAX + 1];
};
static_assert((int)CONFIG_CLIENT_NAME_MAX + 1 >= (int)CLIENT_NAME_MAX);

struct member_names {
	unsigned count;
	struct member_name one[]; // sorted by MAC address; a name is empty until it is found
};

static int by_mac(const void *a, const void *b)
{
	const struct member_name *x = a, *y = b;
	return memcmp(&x->mac, &y->mac, sizeof(x->mac));
}

static struct member_name *member_find(const struct member_names *n, const struct config_mac *mac)
{
	const struct member_name key = {.mac = *mac};
	return bsearch(&key, n->one, n->count, sizeof(n->one[0]), by_mac);
}

static void name_set(
	struct member_names *n, const struct config_mac *mac, const char *name, const char *from)
{
	struct member_name *m = member_find(n, mac);
	if (!m || *m->name)
		return;
	m->from = from;
	snprintf(m->name, sizeof(m->name), "%s", name);
}

static void lease_take(void *arg, const struct client_entry *e)
{
	struct config_mac mac;
	if (!e->has_mac)
		return;
	memcpy(mac.bytes, e->mac, sizeof(mac.bytes));
	name_set(arg, &mac, e->name, client_from_names[CLIENT_FROM_LEASE]);
}

// `book` NULL: no names of leases. NULL: no group has a MAC address, or no memory.
static struct member_names *member_names_new(const struct config *c, struct client_book *book)
{
	size_t count = 0;
	for (unsigned i = 0; i < c->group_count; i++)
		count += c->groups[i].mac_count;
	struct member_names *n =
		count ? heap_calloc(1, sizeof(*n) + count * sizeof(n->one[0])) : NULL;
	if (!n)
		return NULL;
	for (unsigned i = 0; i < c->group_count; i++)
		for (unsigned k = 0; k < c->groups[i].mac_count; k++)
			n->one[n->count++].mac = c->groups[i].macs[k];
	qsort(n->one, n->count, sizeof(n->one[0]), by_mac);
	for (unsigned i = 0; i < c->client_count; i++)
		for (unsigned k = 0; k < c->clients[i].mac_count; k++)
			name_set(n, &c->clients[i].macs[k], c->clients[i].name, "clients");
	if (book)
		client_book_house(book, time(NULL), lease_take, n);
	return n;
}

// NULL: no name is known. `n` may be NULL.
static const struct member_name *member_name_of(
	const struct member_names *n, const struct config_mac *mac)
{
	const struct member_name *m = n ? member_find(n, mac) : NULL;
	return m && *m->name ? m : NULL;
}

// Adds the names of the MAC addresses in "clients".
static void member_names_out(struct json_out *o, struct json_node *n, const struct config_group *g,
	const struct member_names *names)
{
	char text[CONFIG_MAC_TEXT_MAX];
	struct json_node *list = json_out_array(o, n, "member_names");
	for (unsigned i = 0; i < g->mac_count && i < API_ITEMS_MAX; i++) {
		const struct member_name *name = member_name_of(names, &g->macs[i]);
		if (!name)
			continue;
		struct json_node *one = json_out_object(o, list, NULL);
		json_out_text(o, one, "client", config_mac_text(&g->macs[i], text));
		json_out_text(o, one, "name", name->name);
		json_out_text(o, one, "name_from", name->from);
	}
}

static void members_out(struct json_out *o, struct json_node *n, const struct config_group *g)
{
	char text[SOCKET_ADDRESS_TEXT_MAX];
	json_out_count(o, n, "prefixes", g->client_count);
	json_out_count(o, n, "macs", g->mac_count);
	struct json_node *list = json_out_array(o, n, "clients");
	for (unsigned i = 0; i < g->client_count && i < API_ITEMS_MAX; i++)
		json_out_text(o, list, NULL, ip_address_text(&g->clients[i], true, text));
	for (unsigned i = 0; i < g->mac_count && i < API_ITEMS_MAX; i++)
		json_out_text(o, list, NULL, config_mac_text(&g->macs[i], text));
	for (unsigned i = 0; i < g->iid_count && i < API_ITEMS_MAX; i++)
		json_out_text(o, list, NULL, config_iid_text(&g->iids[i], text));
	for (unsigned i = 0; i < g->host_count && i < API_ITEMS_MAX; i++) {
		char host[sizeof(CONFIG_HOST_MARK) + CONFIG_CLIENT_NAME_MAX];
		snprintf(host, sizeof(host), CONFIG_HOST_MARK "%s", g->hosts[i]);
		json_out_text(o, list, NULL, host);
	}
	json_out_count(o, n, "vlan_count", g->vlan_count);
	list = json_out_array(o, n, "vlans");
	for (unsigned i = 0; i < g->vlan_count && i < API_ITEMS_MAX; i++)
		json_out_count(o, list, NULL, g->vlans[i]);
	json_out_count(o, n, "client_name_count", g->client_name_count);
	list = json_out_array(o, n, "client_names");
	for (unsigned i = 0; i < g->client_name_count && i < API_ITEMS_MAX; i++)
		json_out_text(o, list, NULL, g->client_names[i]);
}

static void services_out(struct json_out *o, struct json_node *n, const struct service_set *s)
{
	struct json_node *list = json_out_array(o, n, "services");
	for (unsigned i = 0; i < SERVICE_COUNT; i++)
		if (service_set_has(s, i))
			json_out_text(o, list, NULL, service_word(i));
}

static void safe_search_out(
	struct json_out *o, struct json_node *n, const struct config_safe_search *s)
{
	static const char *const levels[] = {"off", "moderate", "strict"};
	struct json_node *safe = json_out_object(o, n, "safe_search");
	for (unsigned i = 0; i < SAFE_ENGINE_COUNT; i++)
		if (s->level[i])
			json_out_text(o, safe, safe_engine_word(i), levels[s->level[i]]);
}

static const char *address_text(const uint8_t *bytes, unsigned version, bool has, char *out)
{
	struct ip_address a = {.version = (uint8_t)version};
	memcpy(a.bytes, bytes, version == 4 ? 4 : 16);
	return has ? ip_address_text(&a, false, out) : "";
}

static void block_out(struct json_out *o, struct json_node *n, const struct dns_block *b)
{
	static const char *const modes[DNS_BLOCK_MODES] = {[DNS_BLOCK_NXDOMAIN] = "nxdomain",
		[DNS_BLOCK_NULL] = "null",
		[DNS_BLOCK_NODATA] = "nodata",
		[DNS_BLOCK_REFUSED] = "refused",
		[DNS_BLOCK_CUSTOM] = "address",
		[DNS_BLOCK_SERVFAIL] = "servfail"};
	struct json_node *block = json_out_object(o, n, "block");
	char text[SOCKET_ADDRESS_TEXT_MAX];
	json_out_text(o, block, "mode", modes[b->mode]);
	json_out_count(o, block, "ttl", b->ttl_s);
	if (b->mode != DNS_BLOCK_CUSTOM)
		return;
	json_out_text(o, block, "ipv4", address_text(b->v4, 4, b->has & DNS_BLOCK_HAS_V4, text));
	json_out_text(o, block, "ipv6", address_text(b->v6, 6, b->has & DNS_BLOCK_HAS_V6, text));
}

static void schedule_out(struct json_out *o, struct json_node *list, const struct config *c,
	const struct config_schedule *s, bool active, time_t now)
{
	static const char *const words[] = {"mon", "tue", "wed", "thu", "fri", "sat", "sun"};
	struct json_node *n = json_out_object(o, list, NULL);
	char text[8];
	json_out_text(o, n, "name", s->name);
	struct json_node *days = json_out_array(o, n, "days");
	for (unsigned i = 0; i < ARRAY_LEN(words); i++)
		if (s->days >> i & 1)
			json_out_text(o, days, NULL, words[i]);
	snprintf(text, sizeof(text), "%02u:%02u", s->from_min / 60u % 100, s->from_min % 60u);
	json_out_text(o, n, "from", text);
	snprintf(text, sizeof(text), "%02u:%02u", s->to_min / 60u % 100, s->to_min % 60u);
	json_out_text(o, n, "to", text);
	json_out_text(o, n, "time_zone", s->time_zone ? s->time_zone : "");
	json_out_bool(o, n, "pause", s->pause);
	json_out_bool(o, n, "block_all", s->block_all);
	json_out_bool(o, n, "family_time", s->is_family_time);
	services_out(o, n, &s->services);
	struct json_node *lists = json_out_array(o, n, "lists");
	for (unsigned i = 0; i < s->list_count; i++)
		json_out_text(o, lists, NULL, c->blocking.lists[s->lists[i]].name);
	json_out_count(o, n, "domains", s->domain_count);
	json_out_bool(o, n, "active", active);
	json_out_count(o, n, "changes_unix_s", (uint64_t)schedule_change(s, now));
}

static void entries_out(struct json_out *o, struct json_node *n, const struct config *c,
	const struct config_group *g)
{
	const struct config_blocking *b = &c->blocking;
	unsigned allow = g ? g->allow.count + g->allow.pattern_count
			   : b->allow_count + b->allow_pattern_count;
	unsigned deny =
		g ? g->deny.count + g->deny.pattern_count : b->deny_count + b->deny_pattern_count;
	for (unsigned i = 0; i < c->dated.count; i++) {
		const struct config_dated_entry *e = &c->dated.entries[i];
		if (config_dated_is_special(e) && e->group == (g ? g - c->groups + 1 : 0))
			*(e->allow ? &allow : &deny) += 1;
	}
	json_out_count(o, n, "allow", allow);
	json_out_count(o, n, "deny", deny);
}

static void now_out(struct json_out *o, struct json_node *n, const struct group_now *now)
{
	json_out_bool(o, n, "block_all", now->mask.block_all);
	json_out_bool(o, n, "paused", now->mask.paused);
	json_out_count(o, n, "pause_left_s", now->pause_left_s);
	json_out_count(o, n, "next_change_unix_s", (uint64_t)now->next_change);
}

// Returns the object for the group's own values; NULL: without `has_own`, or for everyone else.
static struct json_node *detail_out(struct json_out *o, struct json_node *list, const struct api *a,
	unsigned group, bool has_own, const struct member_names *names)
{
	static const struct config_group nobody;
	const struct api_deps *d = &a->deps;
	const struct config *c = d->config_current(d->reload_arg);
	const struct config_group *g = group ? &c->groups[group - 1] : NULL;
	const struct config_schedules *s = config_group_schedules(c, g);
	struct json_node *n = json_out_object(o, list, NULL);
	struct group_now now;
	struct dns_block block;
	d->group_now(d->reload_arg, group, &now);
	config_block_reply(c, g, &block);
	json_out_count(o, n, "group", group);
	json_out_text(o, n, "name", config_group_name(g));
	json_out_bool(o, n, "blocking", c->blocking.enabled && (!g || g->blocking));
	members_out(o, n, g ? g : &nobody);
	member_names_out(o, n, g ? g : &nobody, names);
	json_out_count(o, n, "host_addresses",
		d->groups_hosts ? group_hosts_of(d->groups_hosts(d->reload_arg), group) : 0);
	lists_out(o, n, c, g);
	entries_out(o, n, c, g);
	services_out(o, n, config_group_services(c, g));
	safe_search_out(o, n, config_group_safe_search(c, g));
	block_out(o, n, &block);
	now_out(o, n, &now);
	json_out_bool(o, n, "own_schedules", !g || g->has_schedules);
	struct json_node *schedules = json_out_array(o, n, "schedules");
	for (unsigned i = 0; i < s->count; i++)
		schedule_out(o, schedules, c, &s->one[i], now.mask.active >> i & 1, time(NULL));
	return has_own && g ? json_out_object(o, n, "own") : NULL;
}

enum { OWN_DEPTH_MAX = 8 }; // more than the keys of a group have

// Writes the groups' own values into their objects. A helper thread parses the texts, which may be
// megabytes; it reads a copy.
struct own_out {
	struct http_exchange *exchange;
	struct config_bundle texts;
	struct json_out *o;
	char *body; // when all is written
	unsigned depth;
	struct json_node *at[OWN_DEPTH_MAX];          // open objects and lists
	struct json_node *own[CONFIG_GROUPS_MAX + 1]; // objects of the groups, by number; or NULL
	char name[CONFIG_GROUPS_MAX + 1][CONFIG_GROUP_NAME_MAX + 1];
};

static bool own_group(void *arg, const char *name)
{
	struct own_out *out = arg;
	out->depth = 0;
	out->at[0] = NULL;
	for (unsigned i = 1; i <= CONFIG_GROUPS_MAX && !out->at[0]; i++)
		if (out->own[i] && strcmp(out->name[i], name) == 0)
			out->at[0] = out->own[i];
	return out->at[0] != NULL;
}

static void own_open(void *arg, const char *key, bool is_list)
{
	struct own_out *out = arg;
	struct json_node *in = out->at[out->depth];
	assert(out->depth + 1 < OWN_DEPTH_MAX);
	out->at[++out->depth] =
		is_list ? json_out_array(out->o, in, key) : json_out_object(out->o, in, key);
}

static void own_text(void *arg, const char *key, const char *text)
{
	struct own_out *out = arg;
	json_out_text(out->o, out->at[out->depth], key, text);
}

static void own_close(void *arg)
{
	struct own_out *out = arg;
	out->depth--;
}

static int own_work(void *arg, const _Atomic bool *)
{
	static const struct config_own_use use = {own_group, own_open, own_text, own_close};
	struct own_out *out = arg;
	int rc = config_groups_own(&out->texts, &use, out);
	out->body = json_out_finish(out->o);
	out->o = NULL;
	return rc;
}

static void own_done(void *arg, int err)
{
	struct own_out *out = arg;
	if (out->o)
		out->body = json_out_finish(out->o);
	if (err == 0) {
		http_reply(out->exchange, 200, out->body);
	} else {
		FREE_AND_NULL(out->body);
		api_busy(out->exchange, err);
	}
	config_bundle_free(&out->texts);
	heap_free(out);
}

// Goes on with the groups' own values, which go into `out`.
static void own_start(struct api *a, struct own_out *out)
{
	const struct api_deps *d = &a->deps;
	http_defer(out->exchange, API_FLUSH_MS);
	int rc = config_bundle_copy(d->config_bundle(d->reload_arg), &out->texts);
	if (rc == 0)
		rc = job_runner_start(
			a->whys, http_job_user(out->exchange), own_work, own_done, out);
	if (rc < 0)
		own_done(out, rc);
}

// Is the group shown? `only` NULL: all are.
static bool is_shown(const struct config *c, unsigned group, const char *only)
{
	return !only || strcmp(only, config_group_name(group ? &c->groups[group - 1] : NULL)) == 0;
}

// Adds the groups, or the one that `only` names. `own`: gets their names, and objects for the
// values of their own; or NULL.
static void groups_each(struct api *a, struct json_out *o, const char *only, struct own_out *own)
{
	const struct config *c = a->deps.config_current(a->deps.reload_arg);
	struct member_names *names = member_names_new(c, api_client_book(a));
	struct json_node *list = json_out_array(o, json_out_root(o), "groups");
	for (unsigned i = 0; i <= c->group_count; i++) {
		if (!is_shown(c, i, only))
			continue;
		struct json_node *n = detail_out(o, list, a, i, own, names);
		if (!own)
			continue;
		own->own[i] = n;
		snprintf(own->name[i], sizeof(own->name[i]), "%s",
			config_group_name(i ? &c->groups[i - 1] : NULL));
	}
	heap_free(names);
}

// Replies with the groups, or the one that `group` names, and what holds for each at present.
// `own=1`: also with the values that each has of its own, in the form of a file, which PUT takes.
static void serve_groups(struct api *a, struct http_exchange *x)
{
	const struct api_deps *d = &a->deps;
	const char *only = http_param(x, "group");
	bool has_own;
	if (!api_param_flag(x, "own", &has_own))
		return;
	if (!d->group_now || (has_own && !d->config_bundle)) {
		api_refuse(x, 503, "there are no groups yet");
		return;
	}
	const struct config *c = d->config_current(d->reload_arg);
	if (only && strcmp(only, CONFIG_EVERYONE) != 0 && !config_group_by_name(c, only)) {
		api_param_refuse_group(a, x, only);
		return;
	}
	struct own_out *own = has_own ? heap_calloc(1, sizeof(*own)) : NULL;
	if (has_own && !own) {
		http_reply(x, 500, NULL);
		return;
	}
	struct json_out *o = json_out_new();
	groups_each(a, o, only, own);
	if (!own) {
		http_reply(x, 200, json_out_finish(o));
		return;
	}
	own->exchange = x;
	own->o = o;
	own_start(a, own);
}

struct domains_out {
	struct json_out *o;
	struct json_node *list;
};

static int domain_out(void *arg, const struct dns_name *name)
{
	const struct domains_out *d = arg;
	char text[DNS_NAME_TEXT_MAX];
	json_out_text(d->o, d->list, NULL, dns_name_to_text(name, text));
	return 0;
}

// Replies with the services that can be blocked.
static void serve_services(struct api *, struct http_exchange *x)
{
	struct json_out *o = json_out_new();
	struct json_node *list = json_out_array(o, json_out_root(o), "services");
	for (unsigned i = 0; i < SERVICE_COUNT; i++) {
		struct json_node *n = json_out_object(o, list, NULL);
		json_out_text(o, n, "name", service_word(i));
		struct domains_out d = {o, json_out_array(o, n, "domains")};
		(void)services_table_each(i, domain_out, &d);
	}
	http_reply(x, 200, json_out_finish(o));
}

const struct api_part api_groups_part = {
	.endpoint = {{"/groups", serve_groups, API_GET, CONTROL_READ, "own group"},
		{"/services", serve_services, API_GET, CONTROL_READ, ""}},
	.status = groups_out,
};
