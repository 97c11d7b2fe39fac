// SPDX-License-Identifier: BSD-3-Clause

#include "config_entries.h"
#include "config_sections.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <weir/heap_site.h>

int config_vlan_parse(const char *text, uint16_t *out)
{
	enum { DIGITS_MAX = 4 };
	size_t digits = strspn(text, "0123456789");
	if (digits == 0 || digits > DIGITS_MAX || text[digits])
		return -EINVAL;
	unsigned long id = strtoul(text, NULL, 10);
	if (id > CONFIG_VLAN_MAX)
		return -EINVAL;
	*out = (uint16_t)id;
	return 0;
}

// 0 stands for frames without a tag.
static int port_vlan_add(
	const struct config_doc *doc, const char *key, const char *text, struct config_port *port)
{
	uint16_t id;
	if (config_vlan_parse(text, &id) < 0)
		return config_refuse(doc, key, "must be a VLAN number, 1 to 4094, or 0: no tag");
	if (port->vlans[id / 64] >> id % 64 & 1)
		return config_refuse(doc, key, "given twice");
	port->vlans[id / 64] |= UINT64_C(1) << id % 64;
	return 0;
}

int config_port_vlans_apply(const struct config_doc *doc, const struct config_node *node,
	unsigned i, struct config_port *port)
{
	char list[CONFIG_PATH_MAX], key[CONFIG_PATH_MAX];
	int rc = 0;
	config_item_key(list, "dataplane.ports", i, "vlans");
	for (unsigned k = 0; k < config_node_count(node, "vlans"); k++)
		rc = config_worse(rc, port_vlan_add(doc, config_item_key(key, list, k, NULL),
					      config_node_item_text(node, "vlans", k), port));
	port->has_vlans = config_node_count(node, "vlans") > 0;
	return rc;
}

// `taken`: by VLAN, the number of the group that has it, or 0.
static int group_apply(const struct config_doc *doc, const struct config_node *node, unsigned i,
	uint8_t taken[CONFIG_VLANS], struct config *c)
{
	struct config_group *g = &c->groups[i];
	char list[CONFIG_PATH_MAX], key[CONFIG_PATH_MAX];
	if (config_node_count(node, "vlans") == 0)
		return 0;
	g->vlans = heap_calloc(config_node_count(node, "vlans"), sizeof(*g->vlans));
	if (!g->vlans)
		return -ENOMEM;
	int rc = 0;
	config_item_key(list, "groups", i, "vlans");
	for (unsigned k = 0; k < config_node_count(node, "vlans"); k++) {
		uint16_t id;
		config_item_key(key, list, k, NULL);
		if (config_vlan_parse(config_node_item_text(node, "vlans", k), &id) < 0
			|| id == 0) {
			rc = config_refuse(doc, key, "must be a VLAN number, 1 to 4094");
			continue;
		}
		if (taken[id])
			rc = config_refuse(doc, key, "VLAN %u is in group \"%s\" already", id,
				c->groups[taken[id] - 1].name);
		taken[id] = (uint8_t)(i + 1);
		g->vlans[g->vlan_count++] = id;
	}
	return rc;
}

int config_group_vlans_apply(const struct config_doc *doc, struct config *out)
{
	uint8_t taken[CONFIG_VLANS] = {0};
	int rc = 0;
	for (unsigned i = 0; i < out->group_count; i++)
		rc = config_worse(
			rc, group_apply(doc, config_node_item(doc->tree.root, "groups", i), i,
				    taken, out));
	return rc;
}
