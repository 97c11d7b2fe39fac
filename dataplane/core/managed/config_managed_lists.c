// SPDX-License-Identifier: BSD-3-Clause

// Lists and upstream servers of the managed part: items with lists of their own.

#include "config_managed.h"

#include <errno.h>
#include <string.h>
#include <weir/heap_site.h>

static void pins_free(char **pin, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		FREE_AND_NULL(pin[i]);
	heap_free(pin);
}

static void list_close(struct config_raw_blocking *b, unsigned i)
{
	struct config_raw_list *l = &b->lists[i];
	char **const texts[] = {&l->name, &l->path, &l->url, &l->format, &l->allow, &l->force,
		&l->exact, &l->tsig, &l->ca_file};
	managed_texts_free(texts, ARRAY_LEN(texts));
	pins_free(l->pin, l->pin_count);
	managed_item_close(b->lists, &b->lists_count, sizeof(*l), i);
}

static unsigned list_find(const struct config_raw_blocking *b, const char *name)
{
	unsigned i = 0;
	while (i < b->lists_count && !(b->lists[i].name && strcmp(b->lists[i].name, name) == 0))
		i++;
	return i;
}

int config_managed_list_add(struct config_managed *m, const struct managed_list *l)
{
	struct config_raw_blocking *b = m->raw->blocking;
	if (list_find(b, l->name) < b->lists_count)
		return -EEXIST;
	if (b->lists_count == CONFIG_LISTS_MAX)
		return -E2BIG;
	struct config_raw_list *grown = managed_item_new(b->lists, b->lists_count, sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	b->lists = grown;
	struct config_raw_list *at = &grown[b->lists_count++];
	char **const to[] = {&at->name, &at->path, &at->url, &at->format, &at->allow};
	const char *const from[] = {l->name, l->path, l->url, l->format, l->allow ? "true" : NULL};
	if (managed_texts_take(to, from, ARRAY_LEN(to))) {
		(void)!config_managed_list_enable(m, l->name);
		return 0;
	}
	list_close(b, b->lists_count - 1);
	return -ENOMEM;
}

int config_managed_list_remove(struct config_managed *m, const char *name)
{
	struct config_raw_blocking *b = m->raw->blocking;
	const unsigned i = list_find(b, name);
	if (i == b->lists_count)
		return -ENOENT;
	list_close(b, i);
	(void)!config_managed_list_enable(m, name);
	return 0;
}

static unsigned disabled_find(const struct config_raw_blocking *b, const char *name)
{
	unsigned i = 0;
	while (i < b->disabled_lists_count && strcmp(b->disabled_lists[i], name) != 0)
		i++;
	return i;
}

int config_managed_list_disable(struct config_managed *m, const char *name)
{
	struct config_raw_blocking *b = m->raw->blocking;
	if (disabled_find(b, name) < b->disabled_lists_count)
		return -EEXIST;
	if (b->disabled_lists_count == CONFIG_LISTS_MAX)
		return -E2BIG;
	char **grown =
		heap_reallocarray(b->disabled_lists, b->disabled_lists_count + 1, sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	b->disabled_lists = grown;
	grown[b->disabled_lists_count] = heap_strdup(name);
	if (!grown[b->disabled_lists_count])
		return -ENOMEM;
	b->disabled_lists_count++;
	return 0;
}

int config_managed_list_enable(struct config_managed *m, const char *name)
{
	struct config_raw_blocking *b = m->raw->blocking;
	const unsigned i = disabled_find(b, name);
	if (i == b->disabled_lists_count)
		return -ENOENT;
	FREE_AND_NULL(b->disabled_lists[i]);
	managed_item_close(
		b->disabled_lists, &b->disabled_lists_count, sizeof(*b->disabled_lists), i);
	return 0;
}

static void server_close(struct config_raw_upstreams *u, unsigned i)
{
	struct config_raw_server *s = &u->servers[i];
	char **const texts[] = {&s->address, &s->name, &s->weight, &s->trust_ad};
	managed_texts_free(texts, ARRAY_LEN(texts));
	pins_free(s->pin, s->pin_count);
	managed_item_close(u->servers, &u->servers_count, sizeof(*s), i);
}

static unsigned server_find(const struct config_raw_upstreams *u, const char *address)
{
	unsigned i = 0;
	while (i < u->servers_count
		&& !(u->servers[i].address && strcmp(u->servers[i].address, address) == 0))
		i++;
	return i;
}

int config_managed_server_add(struct config_managed *m, const char *address, const char *name)
{
	struct config_raw_upstreams *u = m->raw->upstreams;
	if (server_find(u, address) < u->servers_count)
		return -EEXIST;
	if (u->servers_count == CONFIG_UPSTREAMS_MAX)
		return -E2BIG;
	struct config_raw_server *grown =
		managed_item_new(u->servers, u->servers_count, sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	u->servers = grown;
	char **const to[] = {&grown[u->servers_count].address, &grown[u->servers_count].name};
	const char *const from[] = {address, name};
	u->servers_count++;
	if (managed_texts_take(to, from, ARRAY_LEN(to)))
		return 0;
	server_close(u, u->servers_count - 1);
	return -ENOMEM;
}

int config_managed_server_remove(struct config_managed *m, const char *address)
{
	struct config_raw_upstreams *u = m->raw->upstreams;
	const unsigned i = server_find(u, address);
	if (i == u->servers_count)
		return -ENOENT;
	server_close(u, i);
	return 0;
}
