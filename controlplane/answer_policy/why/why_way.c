// SPDX-License-Identifier: BSD-3-Clause
#include "why_way.h"

#include "policy/local_why.h"
#include "policy/special_names.h"

#include <stdio.h>

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
