// SPDX-License-Identifier: BSD-3-Clause

#include "config_groups.h"

#include "config_lists.h"
#include "config_net.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int flag_apply(const struct config_doc *doc, unsigned group, const char *of,
	const char *text, bool fallback, bool *out)
{
	char key[CONFIG_PATH_MAX];
	*out = text ? strcmp(text, "true") == 0 : fallback;
	if (text && !*out && strcmp(text, "false") != 0)
		return config_refuse(
			doc, config_item_key(key, "groups", group, of), "must be true or false");
	return 0;
}

static int name_apply(
	const struct config_doc *doc, const char *text, unsigned group, struct config *c)
{
	char key[CONFIG_PATH_MAX];
	config_item_key(key, "groups", group, "name");
	int ret = config_text_take(doc, key, text, CONFIG_TITLE_MAX, &c->groups[group].name);
	for (unsigned i = 0; ret == 0 && i < group; i++) {
		if (strcmp(c->groups[i].name, text) == 0)
			return config_refuse(doc, key, "the name \"%s\" is given twice", text);
	}
	return ret;
}

// Octets and bits behind the prefix must be zero: what was meant is not ours to guess.
static bool has_host_bits(const struct ip_address *a)
{
	unsigned bits = a->version == 4 ? 32 : 128;
	for (unsigned i = a->prefix_len; i < bits; i++)
		if (a->bytes[i / 8] >> (7 - i % 8) & 1)
			return true;
	return false;
}

// IPv4 in the clothes of IPv6 (::ffff:0:0/96): no packet comes from there, so nobody would match.
static bool is_mapped(const struct ip_address *a)
{
	static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
	return a->version == 6 && a->prefix_len >= 8 * sizeof mapped
	       && memcmp(a->bytes, mapped, sizeof mapped) == 0;
}

static int clients_apply(const struct config_doc *doc, const struct config_raw_group *raw,
	unsigned group, struct config_group *g)
{
	char list[CONFIG_PATH_MAX], key[CONFIG_PATH_MAX];
	config_item_key(list, "groups", group, "clients");
	if (raw->clients_count == 0)
		return config_refuse(doc, list, "at least one address or prefix is needed");
	g->clients = calloc(raw->clients_count, sizeof *g->clients);
	if (!g->clients)
		return -ENOMEM;
	for (unsigned i = 0; i < raw->clients_count; i++) {
		struct ip_address *a = &g->clients[i];
		config_item_key(key, list, i, NULL);
		if (ip_address_parse(raw->clients[i], a) < 0)
			return config_refuse(
				doc, key, "is not an IP address, with or without /prefix length");
		if (has_host_bits(a))
			return config_refuse(
				doc, key, "has bits set behind its prefix of %u", a->prefix_len);
		if (is_mapped(a))
			return config_refuse(doc, key,
				"is an IPv4 address written as IPv6, which no client has");
		g->client_count++;
	}
	return 0;
}

static int lists_apply(const struct config_doc *doc, const struct config_raw_group *raw,
	unsigned group, const struct config_blocking *b, struct config_group *g)
{
	char list[CONFIG_PATH_MAX], key[CONFIG_PATH_MAX];
	if (raw->lists_count == 0)
		return 0;
	g->has_lists = true;
	g->lists = calloc(raw->lists_count, sizeof *g->lists);
	if (!g->lists)
		return -ENOMEM;
	config_item_key(list, "groups", group, "lists");
	for (unsigned i = 0; i < raw->lists_count; i++) {
		unsigned k = 0;
		while (k < b->list_count && strcmp(b->lists[k].name, raw->lists[i]) != 0)
			k++;
		if (k == b->list_count)
			return config_refuse(doc, config_item_key(key, list, i, NULL),
				"no list of blocking.lists has this name");
		g->lists[g->list_count++] = k;
	}
	return 0;
}

static int upstreams_apply(const struct config_doc *doc, const struct config_raw_group *raw,
	unsigned group, const struct config *c, struct config_group *g)
{
	char list[CONFIG_PATH_MAX];
	if (raw->upstreams_count == 0)
		return 0;
	g->upstreams = calloc(raw->upstreams_count, sizeof *g->upstreams);
	if (!g->upstreams)
		return -ENOMEM;
	config_item_key(list, "groups", group, "upstreams");
	int ret = 0;
	for (unsigned i = 0; ret == 0 && i < raw->upstreams_count; i++)
		ret = config_server_apply(
			doc, &raw->upstreams[i], list, c, g->upstreams, &g->upstream_count);
	return ret;
}

static int group_apply(const struct config_doc *doc, const struct config_raw_group *raw, unsigned i,
	struct config *c)
{
	struct config_group *g = &c->groups[i];
	c->group_count = i + 1;
	int ret = name_apply(doc, raw->name, i, c);
	if (ret == 0)
		ret = clients_apply(doc, raw, i, g);
	if (ret == 0)
		ret = flag_apply(
			doc, i, "disable_cache", raw->disable_cache, false, &g->disable_cache);
	if (ret == 0)
		ret = flag_apply(doc, i, "blocking", raw->blocking, true, &g->blocking);
	if (ret == 0)
		ret = lists_apply(doc, raw, i, &c->blocking, g);
	if (ret == 0)
		ret = upstreams_apply(doc, raw, i, c, g);
	return ret;
}

// Where a prefix stands, for the message about a second one like it.
struct placed {
	struct ip_address prefix;
	unsigned group, item;
};

static int by_prefix(const void *a, const void *b)
{
	const struct placed *x = a, *y = b;
	int order = memcmp(&x->prefix, &y->prefix, sizeof x->prefix);
	if (order == 0)
		order = (x->group > y->group) - (x->group < y->group);
	return order ? order : (x->item > y->item) - (x->item < y->item);
}

static int placed_check(const struct config_doc *doc, const struct config *c,
	const struct placed *placed, unsigned count)
{
	for (unsigned i = 1; i < count; i++) {
		const struct placed *first = &placed[i - 1], *again = &placed[i];
		char list[CONFIG_PATH_MAX], key[CONFIG_PATH_MAX], text[SOCKET_ADDRESS_TEXT_MAX];
		if (memcmp(&first->prefix, &again->prefix, sizeof first->prefix) != 0)
			continue;
		config_item_key(list, "groups", again->group, "clients");
		return config_refuse(doc, config_item_key(key, list, again->item, NULL),
			"%s is in group \"%s\" already",
			ip_address_text(&again->prefix, true, text), c->groups[first->group].name);
	}
	return 0;
}

// One prefix within another is fine, the longer one counts; two equal ones are not.
static int prefixes_check(const struct config_doc *doc, const struct config *c)
{
	unsigned count = 0, n = 0;
	for (unsigned i = 0; i < c->group_count; i++)
		count += c->groups[i].client_count;
	if (count > CONFIG_PREFIXES_MAX)
		return config_refuse(doc, "groups", "more than %d prefixes of clients in all",
			CONFIG_PREFIXES_MAX);
	struct placed *placed = calloc(count + 1, sizeof *placed);
	if (!placed)
		return -ENOMEM;
	for (unsigned i = 0; i < c->group_count; i++)
		for (unsigned k = 0; k < c->groups[i].client_count; k++)
			placed[n++] = (struct placed){c->groups[i].clients[k], i, k};
	qsort(placed, count, sizeof *placed, by_prefix);
	int ret = placed_check(doc, c, placed, count);
	free(placed);
	return ret;
}

int config_groups_apply(
	const struct config_doc *doc, const struct config_raw *raw, struct config *out)
{
	if (raw->groups_count == 0)
		return 0;
	out->groups = calloc(raw->groups_count, sizeof *out->groups);
	if (!out->groups)
		return -ENOMEM;
	for (unsigned i = 0; i < raw->groups_count; i++) {
		int ret = group_apply(doc, &raw->groups[i], i, out);
		if (ret < 0)
			return ret;
	}
	return prefixes_check(doc, out);
}

void config_groups_free(struct config *c)
{
	for (unsigned i = 0; i < c->group_count; i++) {
		struct config_group *g = &c->groups[i];
		for (unsigned k = 0; k < g->upstream_count; k++)
			free(g->upstreams[k].name);
		free(g->upstreams);
		free(g->lists);
		free(g->clients);
		free(g->name);
	}
	free(c->groups);
}
