// SPDX-License-Identifier: BSD-3-Clause

#include "config_entries.h"
#include "config_sections.h"

#include <errno.h>
#include <weir/heap_site.h>

static int clients_take(
	const struct config_doc *doc, const struct config_node *node, struct config_limits *out)
{
	const unsigned count = config_node_count(node, "unlimited_clients");
	if (count == 0)
		return 0;
	out->unlimited_clients = heap_calloc(count, sizeof(*out->unlimited_clients));
	if (!out->unlimited_clients)
		return -ENOMEM;
	int rc = 0;
	for (unsigned i = 0; i < count; i++) {
		struct ip_address *a = &out->unlimited_clients[i];
		char key[CONFIG_PATH_MAX];
		config_item_key(key, "limits.unlimited_clients", i, NULL);
		if (ip_address_parse(config_node_item_text(node, "unlimited_clients", i), a) < 0)
			rc = config_refuse(
				doc, key, "is not an IP address, with or without /prefix");
		else
			rc = config_worse(rc, config_prefix_check(doc, key, a));
	}
	out->unlimited_client_count = count;
	return rc;
}

static int zones_take(
	const struct config_doc *doc, const struct config_node *node, struct config_limits *out)
{
	const unsigned count = config_node_count(node, "unlimited_zones");
	if (count == 0)
		return 0;
	out->unlimited_zones = heap_calloc(count, sizeof(*out->unlimited_zones));
	if (!out->unlimited_zones)
		return -ENOMEM;
	int rc = 0;
	for (unsigned i = 0; i < count; i++) {
		char key[CONFIG_PATH_MAX];
		rc = config_worse(
			rc, config_entry_name(doc,
				    config_item_key(key, "limits.unlimited_zones", i, NULL),
				    config_node_item_text(node, "unlimited_zones", i),
				    &out->unlimited_zones[i]));
	}
	out->unlimited_zone_count = count;
	return rc;
}

int config_limits_apply(const struct config_doc *doc, struct config *out)
{
	int rc = clients_take(doc, config_section(doc, "limits"), &out->limits);
	return config_worse(rc, zones_take(doc, config_section(doc, "limits"), &out->limits));
}

void config_limits_free(struct config *c)
{
	FREE_AND_NULL(c->limits.unlimited_clients);
	FREE_AND_NULL(c->limits.unlimited_zones);
}
