// SPDX-License-Identifier: BSD-3-Clause
#include "why_config.h"

#include "policy/group_hosts.h"
#include "policy/local_why.h"
#include "policy/special_names.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static int group_parse(const struct config *c, const char *text, unsigned *out)
{
	const struct config_group *g = config_group_by_name(c, text);
	if (!g && strcmp(text, CONFIG_EVERYONE) != 0)
		return -EINVAL;
	*out = g ? (unsigned)(g - c->groups) + 1 : 0;
	return 0;
}

// An address, or the name that the configuration gives a client. A prefix is no client, but that of
// a client with a name stands for each of its addresses.
static bool client_parse(const struct config *c, const char *text, struct why_asked *out)
{
	out->has_address = !strchr(text, '/') && ip_address_parse(text, &out->address) == 0;
	if (out->has_address)
		return true;
	const struct config_client *known = config_client_by_name(c, text);
	if (!known)
		return false;
	if (known->address_count) {
		out->has_address = true;
		out->address = known->addresses[0];
	}
	if (known->mac_count && !out->has_mac) {
		out->has_mac = true;
		out->mac = known->macs[0];
	}
	return true;
}

int why_asked_parse(
	const struct config *c, const struct why_text *t, struct why_asked *out, const char **bad)
{
	const char *client = t->client, *mac = t->mac, *group = t->group;
	struct why_asked a = {.has_mac = mac != NULL, .has_group = group != NULL};
	*bad = NULL;
	if (mac && config_mac_parse(mac, &a.mac) < 0)
		*bad = "mac";
	else if (t->vlan && (config_vlan_parse(t->vlan, &a.vlan) < 0 || a.vlan == 0))
		*bad = "vlan";
	else if (client && !client_parse(c, client, &a))
		*bad = "client";
	else if (group && group_parse(c, group, &a.group) < 0)
		*bad = "group";
	if (*bad)
		return -EINVAL;
	*out = a;
	return 0;
}

bool why_asked_needs_mac(const struct config *c, const struct why_asked *asked)
{
	bool any = false;
	for (unsigned i = 0; i < c->group_count; i++)
		any = any || c->groups[i].mac_count;
	return any && asked->has_address && !asked->has_mac && !asked->has_group;
}

bool why_asked_needs_address(const struct config *c, const struct why_asked *asked)
{
	bool any = false;
	for (unsigned i = 0; i < c->group_count; i++) {
		const struct config_group *g = &c->groups[i];
		any = any || g->client_count || g->iid_count || g->host_count;
	}
	return any && asked->has_mac && !asked->has_address && !asked->has_group;
}

static bool prefix_has(const struct ip_address *prefix, const struct ip_address *a)
{
	return prefix->version == a->version
	       && bits_same(prefix->bytes, a->bytes, prefix->prefix_len);
}

static bool find_by_mac(
	const struct config *c, const struct config_mac *mac, struct why_client *out)
{
	for (unsigned i = 0; i < c->group_count; i++) {
		const struct config_group *g = &c->groups[i];
		for (unsigned k = 0; k < g->mac_count; k++) {
			if (memcmp(&g->macs[k], mac, sizeof(*mac)) != 0)
				continue;
			out->found = WHY_FOUND_MAC;
			out->group = i + 1;
			config_mac_text(mac, out->by);
			return true;
		}
	}
	return false;
}

static bool find_by_iid(const struct config *c, const struct ip_address *a, struct why_client *out)
{
	for (unsigned i = 0; a->version == 6 && i < c->group_count; i++) {
		const struct config_group *g = &c->groups[i];
		for (unsigned k = 0; k < g->iid_count; k++) {
			if (memcmp(g->iids[k].bytes, a->bytes + sizeof(g->iids[k].bytes),
				    sizeof(g->iids[k].bytes))
				!= 0)
				continue;
			char text[SOCKET_ADDRESS_TEXT_MAX];
			out->found = WHY_FOUND_IID;
			out->group = i + 1;
			snprintf(
				out->by, sizeof(out->by), "%s", config_iid_text(&g->iids[k], text));
			return true;
		}
	}
	return false;
}

static void find_by_address(
	const struct config *c, const struct ip_address *a, struct why_client *out)
{
	const struct ip_address *best = NULL;
	for (unsigned i = 0; i < c->group_count; i++) {
		const struct config_group *g = &c->groups[i];
		for (unsigned k = 0; k < g->client_count; k++) {
			const struct ip_address *p = &g->clients[k];
			if ((best && p->prefix_len <= best->prefix_len) || !prefix_has(p, a))
				continue;
			best = p;
			out->group = i + 1;
		}
	}
	if (!best)
		return;
	out->found = WHY_FOUND_PREFIX;
	ip_address_text(best, true, out->by);
}

static void find_by_vlan(const struct config *c, unsigned vlan, struct why_client *out)
{
	for (unsigned i = 0; i < c->group_count; i++) {
		const struct config_group *g = &c->groups[i];
		for (unsigned k = 0; k < g->vlan_count; k++) {
			if (g->vlans[k] != vlan)
				continue;
			out->found = WHY_FOUND_VLAN;
			out->group = i + 1;
			snprintf(out->by, sizeof(out->by), "%u", vlan);
		}
	}
}

// Fills in the client as asked, and its name in the configuration. A MAC address that weir found
// has a place of its own.
static void client_name(const struct config *c, const struct why_asked *a, struct why_client *out)
{
	const struct config_client *known = NULL;
	char text[SOCKET_ADDRESS_TEXT_MAX];
	if (a->has_mac) {
		known = config_client_by_mac(c, &a->mac);
		config_mac_text(&a->mac, out->mac);
		out->mac_from = a->mac_from;
	}
	if (a->has_mac && a->mac_from == WHY_FROM_ASKED)
		snprintf(out->client, sizeof(out->client), "%s", out->mac);
	if (a->has_address) {
		known = known ? known : config_client_by_address(c, &a->address);
		ip_address_text(&a->address, false, text);
		size_t len = strlen(out->client);
		snprintf(out->client + len, sizeof(out->client) - len, "%s%s%s", len ? ", " : "",
			text, a->address_from == WHY_FROM_LEASE ? " (its lease)" : "");
	}
	if (a->vlan) {
		size_t len = strlen(out->client);
		snprintf(out->client + len, sizeof(out->client) - len, "%sVLAN %u", len ? ", " : "",
			a->vlan);
	}
	if (known)
		snprintf(out->called, sizeof(out->called), "%s", known->name);
}

static void group_fill(const struct config *c, struct why_client *out)
{
	const struct config_group *g = out->group ? &c->groups[out->group - 1] : NULL;
	snprintf(out->name, sizeof(out->name), "%s", g ? g->name : "");
	out->blocking = !g || g->blocking;
}

void why_client_find(const struct config *c, const struct why_asked *asked, struct why_client *out)
{
	*out = (struct why_client){.found = WHY_FOUND_NOBODY, .blocking = true};
	if (asked->has_address || asked->has_mac || asked->vlan)
		out->found = WHY_FOUND_REST;
	client_name(c, asked, out);
	if (asked->has_group) {
		out->found = WHY_FOUND_GROUP;
		out->group = asked->group;
	} else if (!asked->has_mac || !find_by_mac(c, &asked->mac, out)) {
		if (asked->has_address && !find_by_iid(c, &asked->address, out))
			find_by_address(c, &asked->address, out);
		if (asked->vlan && out->group == 0)
			find_by_vlan(c, asked->vlan, out);
		out->lacks_address = why_asked_needs_address(c, asked);
	}
	out->lacks_mac = why_asked_needs_mac(c, asked);
	group_fill(c, out);
}

void why_client_host(const struct config *c, const struct group_hosts *hosts,
	const struct ip_address *a, struct why_client *out)
{
	const struct group_host *h = group_hosts_at(hosts, a);
	if (!h || h->group > c->group_count || h->host >= c->groups[h->group - 1].host_count
		|| (out->found != WHY_FOUND_REST && out->found != WHY_FOUND_PREFIX
			&& out->found != WHY_FOUND_VLAN))
		return;
	out->found = WHY_FOUND_HOST;
	out->group = h->group;
	snprintf(out->by, sizeof(out->by), "%s", c->groups[h->group - 1].hosts[h->host]);
	group_fill(c, out);
}

static bool pattern_fits(const struct why *w, const struct config_dated_entry *e)
{
	const size_t len = strlen(e->pattern);
	for (unsigned i = 0; i < w->hits; i++) {
		const struct why_hit *h = &w->hit[i];
		if (h->what == WHY_PATTERN && h->name == 0 && h->inverts == e->inverts
			&& h->pattern_len == len && memcmp(h->pattern, e->pattern, len) == 0)
			return true;
	}
	return false;
}

static void entry_fill(
	const struct config *c, const struct config_dated_entry *e, struct why_entry *out)
{
	char name[DNS_NAME_TEXT_MAX], until[CONFIG_TIME_TEXT_MAX];
	const char *reply = config_dated_reply_text(e);
	const char *group = e->group ? c->groups[e->group - 1].name : "";
	*out = (struct why_entry){.allow = e->allow, .inverts = e->inverts, .until = e->until};
	if (e->pattern)
		snprintf(out->name, sizeof(out->name), "/%.120s/", e->pattern);
	else
		snprintf(out->name, sizeof(out->name), "%.127s", dns_name_to_text(&e->name, name));
	snprintf(out->group, sizeof(out->group), "%s", group);
	snprintf(out->reply, sizeof(out->reply), "%s", reply);
	snprintf(out->why, sizeof(out->why), "%s", e->why);
	config_types_text(&e->types, out->types);
	snprintf(out->text, sizeof(out->text), "%s %s%s for %s%s%s%s%s%s%s%s%s%s",
		e->allow ? "allow" : "deny", e->inverts ? WHY_ALL_BUT : "", out->name,
		*group ? "group " : CONFIG_EVERYONE, group, e->types.count ? ", type " : "",
		out->types, *reply ? ", reply " : "", reply, e->until ? ", until " : "",
		e->until ? config_time_text(e->until, until) : "", *e->why ? ": " : "", e->why);
}

void why_entries_find(struct why *w, const struct config *c)
{
	w->entries = 0;
	for (unsigned i = 0; i < c->dated.count && w->entries < WHY_ENTRIES_MAX; i++) {
		const struct config_dated_entry *e = &c->dated.entries[i];
		if (e->ended || (e->group && e->group != w->client.group)
			|| !rule_types_fit(&e->types, w->qtype)
			|| !(e->pattern ? pattern_fits(w, e)
					: dns_name_is_under(&w->name[0], &e->name)))
			continue;
		entry_fill(c, e, &w->entry[w->entries++]);
	}
}

static void servers_text(
	const struct config_upstream *server, unsigned count, char out[WHY_TEXT_MAX])
{
	size_t len = 0;
	out[0] = 0;
	for (unsigned i = 0; i < count && len < WHY_TEXT_MAX; i++)
		len += (size_t)snprintf(
			out + len, WHY_TEXT_MAX - len, "%s%s", i ? ", " : "", server[i].name);
}

// The steps to the end of local data; the zone behind it has a step of its own.
static void local_find(struct why *w, const struct config *c, const struct config_group *g)
{
	struct local_why local;
	size_t len = 0;
	local_why(c, g, &w->name[0], w->qtype, false, &local);
	w->local[0] = 0;
	w->is_house = local.is_house;
	for (unsigned i = 0; i < local.count && len < sizeof(w->local); i++)
		if (local.step[i].kind != LOCAL_WHY_FORWARD)
			len += (size_t)snprintf(w->local + len, sizeof(w->local) - len, "%s%s%s",
				i ? "; " : "", local.step[i].text,
				local.step[i].group ? ", of that group alone" : "");
}

void why_way_find(struct why *w, const struct config *c)
{
	const struct config_group *g = w->client.group ? &c->groups[w->client.group - 1] : NULL;
	const struct dns_name *name = &w->name[0];
	char text[DNS_NAME_TEXT_MAX];
	struct dns_name above;
	const struct config_group *own;
	const struct config_forward_zone *zone = local_why_forward(c, g, name, &own);
	size_t len = 0;
	local_find(w, c, g);
	w->zone[0] = 0;
	if (zone && w->qtype == DNS_TYPE_DS && dns_name_equal(&zone->name, name)
		&& special_name_ds_is_above(name, &above)) {
		len = (size_t)snprintf(w->zone, sizeof(w->zone),
			"%.300s has servers of its own, but its DS is asked for above it",
			dns_name_to_text(name, text));
		zone = local_why_forward(c, g, &above, &own);
	}
	if (zone)
		snprintf(w->zone + len, sizeof(w->zone) - len, "%s%.300s %s%s", len ? "; " : "",
			dns_name_to_text(&zone->name, text),
			zone->server_count ? "has servers of its own"
					   : "is exempt from forward zones",
			own ? ", of that group alone" : "");
	if (zone && zone->server_count) {
		servers_text(zone->servers, zone->server_count, w->upstreams);
	} else if (g && g->upstream_count) {
		servers_text(g->upstreams, g->upstream_count, w->upstreams);
	} else {
		servers_text(c->upstreams.server, c->upstreams.count, w->upstreams);
	}
}
