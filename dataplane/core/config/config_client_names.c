// SPDX-License-Identifier: BSD-3-Clause
// The names by which clients of a group call this box over TLS and HTTPS.

#include "config_entries.h"
#include "config_sections.h"

#include <errno.h>
#include <string.h>
#include <weir/ascii.h>
#include <weir/heap_site.h>

// One label of a host name, in lower case.
static bool label_take(const char *text, char out[CONFIG_CLIENT_NAME_MAX + 1])
{
	const size_t len = strlen(text);
	if (len == 0 || len > CONFIG_CLIENT_NAME_MAX)
		return false;
	for (size_t i = 0; i <= len; i++)
		out[i] = (char)ascii_lower((uint8_t)text[i]);
	return strspn(out, "abcdefghijklmnopqrstuvwxyz0123456789-_") == len;
}

static const struct config_group *owner_of(const struct config *c, const char *label)
{
	for (unsigned i = 0; i < c->group_count; i++)
		for (unsigned k = 0; k < c->groups[i].client_name_count; k++)
			if (strcmp(c->groups[i].client_names[k], label) == 0)
				return &c->groups[i];
	return NULL;
}

static int name_add(const struct config_doc *doc, const char *key, const char *text,
	const struct config *c, struct config_group *g)
{
	char label[CONFIG_CLIENT_NAME_MAX + 1];
	if (!text || !label_take(text, label))
		return config_refuse(doc, key,
			"must be one label of a name: 1 to %d letters, digits, \"-\", \"_\"",
			CONFIG_CLIENT_NAME_MAX);
	const struct config_group *owner = owner_of(c, label);
	if (owner)
		return config_refuse(
			doc, key, "\"%s\" is in group \"%s\" already", label, owner->name);
	char *name = heap_strdup(label);
	if (!name)
		return -ENOMEM;
	g->client_names[g->client_name_count++] = name;
	return 0;
}

static int group_apply(
	const struct config_doc *doc, const struct config_node *node, unsigned i, struct config *c)
{
	struct config_group *g = &c->groups[i];
	char list[CONFIG_PATH_MAX], key[CONFIG_PATH_MAX];
	int rc = 0;
	if (config_node_count(node, "client_names") == 0)
		return 0;
	g->client_names =
		heap_calloc(config_node_count(node, "client_names"), sizeof(*g->client_names));
	if (!g->client_names)
		return -ENOMEM;
	config_item_key(list, "groups", i, "client_names");
	for (unsigned k = 0; k < config_node_count(node, "client_names"); k++)
		rc = config_worse(
			rc, name_add(doc, config_item_key(key, list, k, NULL),
				    config_node_item_text(node, "client_names", k), c, g));
	return rc;
}

int config_group_names_apply(const struct config_doc *doc, struct config *out)
{
	unsigned count = 0;
	int rc = 0;
	for (unsigned i = 0; i < out->group_count; i++)
		count += config_node_count(
			config_node_item(doc->tree.root, "groups", i), "client_names");
	if (count > CONFIG_CLIENT_NAMES_MAX)
		return config_refuse(doc, "groups",
			"%u client_names in all groups, at most %d are possible", count,
			CONFIG_CLIENT_NAMES_MAX);
	for (unsigned i = 0; i < out->group_count; i++)
		rc = config_worse(rc,
			group_apply(doc, config_node_item(doc->tree.root, "groups", i), i, out));
	return rc;
}
