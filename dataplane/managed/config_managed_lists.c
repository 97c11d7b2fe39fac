// SPDX-License-Identifier: BSD-3-Clause

// Lists and upstream servers of the managed part: items with lists of their own.

#include "config_managed.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

// A copy, or NULL for none. False: no memory.
static bool text_take(char **to, const char *from)
{
	*to = from ? strdup(from) : NULL;
	return !from || *to;
}

static void pins_free(char **pin, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		FREE_AND_NULL(pin[i]);
	free(pin);
}

static void list_close(struct config_raw_blocking *b, unsigned i)
{
	struct config_raw_list *l = &b->lists[i];
	char **const texts[] = {&l->name, &l->path, &l->url, &l->format, &l->allow, &l->force,
		&l->tsig, &l->ca_file};
	for (size_t k = 0; k < ARRAY_LEN(texts); k++)
		FREE_AND_NULL(*texts[k]);
	pins_free(l->pin, l->pin_count);
	memmove(l, l + 1, (--b->lists_count - i) * sizeof(*l));
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
	struct config_raw_list *grown = reallocarray(b->lists, b->lists_count + 1, sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	b->lists = grown;
	struct config_raw_list *to = &grown[b->lists_count++];
	*to = (struct config_raw_list){0};
	if (text_take(&to->name, l->name) && text_take(&to->path, l->path)
		&& text_take(&to->url, l->url) && text_take(&to->format, l->format)
		&& text_take(&to->allow, l->allow ? "true" : NULL)) {
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
	char **grown = reallocarray(b->disabled_lists, b->disabled_lists_count + 1, sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	b->disabled_lists = grown;
	grown[b->disabled_lists_count] = strdup(name);
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
	memmove(&b->disabled_lists[i], &b->disabled_lists[i + 1],
		(--b->disabled_lists_count - i) * sizeof(*b->disabled_lists));
	return 0;
}

static void server_close(struct config_raw_upstreams *u, unsigned i)
{
	struct config_raw_server *s = &u->servers[i];
	char **const texts[] = {&s->address, &s->name, &s->weight, &s->trust_ad};
	for (size_t k = 0; k < ARRAY_LEN(texts); k++)
		FREE_AND_NULL(*texts[k]);
	pins_free(s->pin, s->pin_count);
	memmove(s, s + 1, (--u->servers_count - i) * sizeof(*s));
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
		reallocarray(u->servers, u->servers_count + 1, sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	u->servers = grown;
	struct config_raw_server *to = &grown[u->servers_count++];
	*to = (struct config_raw_server){0};
	if (text_take(&to->address, address) && text_take(&to->name, name))
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
