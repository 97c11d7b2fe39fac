// SPDX-License-Identifier: BSD-3-Clause
#include "group_client.h"

#include <string.h>
#include <weir/bytes.h>
#include <weir/policy.h>
#include <weir/rule_class.h>

static_assert(POLICY_GROUPS_MAX <= 64);

struct term {
	bool is_except, is_address;
	char text[RULE_CLIENT_MAX];
	uint64_t groups; // 0: it means none
};

static unsigned clients_within(const struct config_group *g, const struct ip_address *prefix)
{
	unsigned count = 0;
	for (unsigned i = 0; i < g->client_count; i++)
		count += ip_address_covers(prefix, &g->clients[i]);
	return count;
}

static bool has_client(const struct config_group *g, const struct ip_address *prefix)
{
	for (unsigned i = 0; i < g->client_count; i++)
		if (ip_address_covers(prefix, &g->clients[i])
			&& ip_address_covers(&g->clients[i], prefix))
			return true;
	return false;
}

static uint64_t groups_at(const struct config *c, const struct ip_address *prefix)
{
	uint64_t groups = 0;
	bool is_covered = false;
	for (unsigned i = 0; i < c->group_count; i++) {
		const struct config_group *g = &c->groups[i];
		const unsigned within = clients_within(g, prefix);
		if (within == 0)
			continue;
		if (within < g->client_count || g->mac_count || g->iid_count || g->vlan_count
			|| g->client_name_count || g->host_count)
			return 0;
		groups |= UINT64_C(1) << (i + 1);
		is_covered = is_covered || has_client(g, prefix);
	}
	return is_covered ? groups : 0;
}

static uint64_t groups_named(const struct config *c, const char *name)
{
	const struct config_group *g = config_group_by_name(c, name);
	return g ? UINT64_C(1) << (g - c->groups + 1) : 0;
}

// The next term of *rest, which is not at its end.
static struct term term_next(const struct config *c, const char **rest)
{
	struct term t = {.is_except = **rest == '~'};
	struct ip_address prefix;
	const char *at = *rest + t.is_except;
	const size_t len = strcspn(at, "|");
	memcpy(t.text, at, len < sizeof(t.text) ? len : sizeof(t.text) - 1);
	*rest = at + len + (at[len] == '|');
	t.groups = groups_named(c, t.text);
	t.is_address = t.groups == 0 && ip_address_parse(t.text, &prefix) == 0;
	if (t.is_address)
		t.groups = groups_at(c, &prefix);
	return t;
}

uint64_t group_clients_of(const struct config *c, const char *client)
{
	uint64_t groups = *client == '~' ? UINT64_MAX : 0;
	while (*client) {
		const struct term t = term_next(c, &client);
		if (!t.is_except)
			groups |= t.groups;
		else
			groups &= t.is_address && t.groups == 0 ? 0 : ~t.groups;
	}
	return groups;
}

void group_clients_each_unknown(const struct config *c, const char *client,
	void (*take)(void *arg, const char *term, bool address), void *arg)
{
	while (*client) {
		const struct term t = term_next(c, &client);
		if (t.groups == 0)
			take(arg, t.text, t.is_address);
	}
}
