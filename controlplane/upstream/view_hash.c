// SPDX-License-Identifier: BSD-3-Clause
#include "views_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <weir/keyhash.h>

static int by_address(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct socket_address));
}

enum { SERVERS_TEXT_MAX = CONFIG_UPSTREAMS_MAX * SOCKET_ADDRESS_TEXT_MAX };

// The end of the text.
static char *servers_write(char *p, const struct config_upstream *servers, unsigned count)
{
	struct socket_address server[CONFIG_UPSTREAMS_MAX];
	char one[SOCKET_ADDRESS_TEXT_MAX];

	memset(server, 0, sizeof(server)); // padding is compared too
	for (unsigned i = 0; i < count; i++) {
		server[i].ip = servers[i].address.ip;
		server[i].port = servers[i].address.port;
	}
	qsort(server, count, sizeof(server[0]), by_address);
	for (unsigned i = 0; i < count; i++)
		p += sprintf(p, "%s\n", socket_address_text(&server[i], one));
	return p;
}

uint64_t view_definition_hash(const struct view_definition *d)
{
	char text[SERVERS_TEXT_MAX + 128 + SAFE_ENGINE_COUNT * 32];
	char *p = stpcpy(text, "weir view 1\n");

	p = d->group && d->group->upstream_count > 0
		    ? servers_write(p, d->group->upstreams, d->group->upstream_count)
		    : servers_write(p, d->everyone->server, d->everyone->count);
	if (d->group) {
		if (d->group->disable_cache)
			p += sprintf(p, "no cache: %.63s\n", d->group->name);
		uint64_t names = view_names_hash(d->group);
		if (names)
			p += sprintf(p, "names: %016llx\n", (unsigned long long)names);
	}
	for (unsigned i = 0; d->safe && i < SAFE_ENGINE_COUNT; i++)
		if (d->safe->level[i])
			p += sprintf(p, "safe: %s %u\n", safe_engine_word(i), d->safe->level[i]);
	uint64_t hash = contenthash(text, (size_t)(p - text));
	return hash ? hash : 1;
}

uint64_t view_hash(const struct config *config, const struct config_group *group)
{
	const struct view_definition d = {.everyone = &config->upstreams, .group = group};
	return view_definition_hash(&d);
}

uint64_t view_everyone_hash(const struct config *c)
{
	uint64_t part[2] = {view_hash(c, NULL), view_names_everyone_hash(c)};
	uint64_t hash = contenthash(part, sizeof(part));
	return hash ? hash : 1;
}

bool view_safe_definition(
	const struct config *c, const struct config_group *group, struct view_definition *out)
{
	*out = (struct view_definition){&c->upstreams, group, config_group_safe_search(c, group)};
	return config_safe_search_any(out->safe);
}

uint64_t view_safe_hash(const struct config *config, const struct config_group *group)
{
	struct view_definition d;
	return view_safe_definition(config, group, &d) ? view_definition_hash(&d) : 0;
}
