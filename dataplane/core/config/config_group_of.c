// SPDX-License-Identifier: BSD-3-Clause

// What applies to a group, its own or inherited, and which client an address is.

#include <string.h>
#include <weir/config.h>

static const struct config_filter nothing;

static const struct config_filter *filter_of(
	const struct config *c, const struct config_group *group, bool own)
{
	if (!group)
		return &c->blocking.filter;
	if (own)
		return &group->filter;
	return group->inherits ? &c->blocking.filter : &nothing;
}

const struct service_set *config_group_services(
	const struct config *c, const struct config_group *group)
{
	return &filter_of(c, group, group && group->has_services)->services;
}

const struct config_safe_search *config_group_safe_search(
	const struct config *c, const struct config_group *group)
{
	return &filter_of(c, group, group && group->has_safe_search)->safe_search;
}

const struct config_schedules *config_group_schedules(
	const struct config *c, const struct config_group *group)
{
	return &filter_of(c, group, group && group->has_schedules)->schedules;
}

struct config_ipv6 config_group_ipv6(const struct config *c, const struct config_group *group)
{
	struct config_ipv6 out = c->ipv6;
	out.dns64_text = NULL;
	if (group && group->has_dns64)
		out.dns64 = group->ipv6.dns64;
	if (group && group->has_filter_aaaa)
		out.filter_aaaa = group->ipv6.filter_aaaa;
	return out;
}

const char *config_group_name(const struct config_group *group)
{
	return group ? group->name : CONFIG_EVERYONE;
}

static bool prefix_has(const struct ip_address *prefix, const struct ip_address *a)
{
	return prefix->version == a->version
	       && bits_same(prefix->bytes, a->bytes, prefix->prefix_len);
}

const struct config_client *config_client_by_address(
	const struct config *c, const struct ip_address *address)
{
	const struct config_client *best = NULL;
	unsigned length = 0;
	for (unsigned i = 0; i < c->client_count; i++)
		for (unsigned k = 0; k < c->clients[i].address_count; k++) {
			const struct ip_address *p = &c->clients[i].addresses[k];
			if ((best && p->prefix_len <= length) || !prefix_has(p, address))
				continue;
			best = &c->clients[i];
			length = p->prefix_len;
		}
	return best;
}

const struct config_client *config_client_by_mac(
	const struct config *c, const struct config_mac *mac)
{
	for (unsigned i = 0; i < c->client_count; i++)
		for (unsigned k = 0; k < c->clients[i].mac_count; k++)
			if (memcmp(&c->clients[i].macs[k], mac, sizeof(*mac)) == 0)
				return &c->clients[i];
	return NULL;
}

const struct config_group *config_group_by_name(const struct config *c, const char *name)
{
	for (unsigned i = 0; name && i < c->group_count; i++)
		if (strcmp(c->groups[i].name, name) == 0)
			return &c->groups[i];
	return NULL;
}

const struct config_client *config_client_by_name(const struct config *c, const char *name)
{
	for (unsigned i = 0; i < c->client_count; i++)
		if (strcasecmp(c->clients[i].name, name) == 0)
			return &c->clients[i];
	return NULL;
}
