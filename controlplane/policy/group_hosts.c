// SPDX-License-Identifier: BSD-3-Clause
#include "group_hosts.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <weir/ascii.h>
#include <weir/heap_site.h>
#include <weir/hosts_file.h>
#include <weir/policy.h>

// Is it the name, or without a dot in `host` its first label?
static bool is_named(const char *name, const char *host)
{
	const size_t len = strlen(host);
	return ascii_lower((uint8_t)name[0]) == host[0] && strncasecmp(name, host, len) == 0
	       && (name[len] == '\0' || (name[len] == '.' && !strchr(host, '.')));
}

static bool is_whole_client(const struct config *c, const struct ip_address *a)
{
	for (unsigned i = 0; i < c->group_count; i++)
		for (unsigned k = 0; k < c->groups[i].client_count; k++) {
			const struct ip_address *p = &c->groups[i].clients[k];
			if (p->prefix_len == a->prefix_len && ip_address_covers(p, a))
				return true;
		}
	return false;
}

// How many addresses there may be.
static unsigned room(const struct config *c)
{
	unsigned left = POLICY_PREFIXES_MAX;
	for (unsigned i = 0; i < c->group_count; i++)
		left -= c->groups[i].client_count;
	return left < GROUP_HOSTS_MAX ? left : GROUP_HOSTS_MAX;
}

void group_hosts_add(const struct config *c, const struct ip_address *a, const char *name,
	struct group_hosts *out)
{
	struct group_host one = {.address = *a};
	unsigned at = 0; // place of the name among those of all groups
	for (unsigned i = 0; i < c->group_count && !one.group; i++)
		for (unsigned k = 0; k < c->groups[i].host_count && !one.group; k++) {
			if (!is_named(name, c->groups[i].hosts[k])) {
				at++;
				continue;
			}
			one.group = (uint16_t)(i + 1);
			one.host = (uint16_t)k;
		}
	if (!one.group || !config_address_is_host(a) || hosts_is_localhost(a)
		|| is_whole_client(c, a))
		return;
	if (out->of[at] == GROUP_HOST_EACH_MAX || out->count >= room(c)) {
		out->left_out++;
		return;
	}
	out->of[at]++;
	out->one[out->count++] = one;
}

static int by_address(const void *x, const void *y)
{
	const struct group_host *a = x, *b = y;
	if (a->address.version != b->address.version)
		return a->address.version < b->address.version ? -1 : 1;
	return memcmp(a->address.bytes, b->address.bytes, sizeof(a->address.bytes));
}

bool group_hosts_has_names(const struct config *c)
{
	unsigned names = 0;
	for (unsigned i = 0; i < c->group_count; i++)
		names += c->groups[i].host_count;
	return names > 0;
}

void group_hosts_sort(struct group_hosts *h)
{
	qsort(h->one, h->count, sizeof(h->one[0]), by_address);
}

bool group_hosts_same(const struct group_hosts *a, const struct group_hosts *b)
{
	return a->count == b->count && a->left_out == b->left_out
	       && memcmp(a->one, b->one, a->count * sizeof(a->one[0])) == 0;
}

const struct group_host *group_hosts_at(const struct group_hosts *h, const struct ip_address *a)
{
	const struct group_host key = {.address = *a};
	return bsearch(&key, h->one, h->count, sizeof(h->one[0]), by_address);
}

unsigned group_hosts_of(const struct group_hosts *h, unsigned group)
{
	unsigned count = 0;
	for (unsigned i = 0; i < h->count; i++)
		count += h->one[i].group == group;
	return count;
}

static int group_join(const struct group_hosts *h, unsigned group, struct config_group *g)
{
	const unsigned more = group_hosts_of(h, group);
	struct ip_address *clients =
		heap_calloc(g->client_count + (size_t)more + 1, sizeof(*clients));
	if (!clients)
		return -ENOMEM;
	if (g->client_count)
		memcpy(clients, g->clients, g->client_count * sizeof(*clients));
	g->clients = clients;
	for (unsigned i = 0; i < h->count; i++)
		if (h->one[i].group == group)
			g->clients[g->client_count++] = h->one[i].address;
	return 0;
}

int group_hosts_join(const struct config *c, const struct group_hosts *h, struct config *out)
{
	struct config_group *groups = heap_calloc(c->group_count + (size_t)1, sizeof(*groups));
	int rc = groups ? 0 : -ENOMEM;
	if (rc == 0 && c->group_count)
		memcpy(groups, c->groups, c->group_count * sizeof(*groups));
	*out = *c;
	out->groups = groups;
	out->group_count = 0;
	for (; rc == 0 && out->group_count < c->group_count; out->group_count += rc == 0) {
		rc = group_join(h, out->group_count + 1, &groups[out->group_count]);
		if (rc < 0)
			break;
	}
	if (rc < 0)
		group_hosts_end(out);
	return rc;
}

void group_hosts_end(struct config *joined)
{
	for (unsigned i = 0; i < joined->group_count; i++)
		FREE_AND_NULL(joined->groups[i].clients);
	FREE_AND_NULL(joined->groups);
}
