// SPDX-License-Identifier: BSD-3-Clause

#include "config_entries.h"
#include "config_sections.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <weir/heap_site.h>

static bool is_zero(const void *bytes, size_t len)
{
	const uint8_t *p = bytes;
	for (size_t i = 0; i < len; i++)
		if (p[i])
			return false;
	return true;
}

int config_mac_check(const struct config_doc *doc, const char *key, const struct config_mac *mac)
{
	if (mac->bytes[0] & 1 || is_zero(mac, sizeof(*mac)))
		return config_refuse(doc, key, "no interface can have this address");
	return 0;
}

static int client_name_apply(
	const struct config_doc *doc, const char *text, unsigned i, struct config_client *c)
{
	char key[CONFIG_PATH_MAX];
	struct ip_address a;
	struct config_mac mac;
	config_item_key(key, "clients", i, "name");
	int rc = config_text_take(doc, key, text, CONFIG_TITLE_MAX, &c->name);
	if (rc == 0 && (ip_address_parse(text, &a) == 0 || config_mac_parse(text, &mac) == 0))
		return config_refuse(doc, key, "is an address; give a name");
	return rc;
}

static int addresses_apply(const struct config_doc *doc, const struct config_node *node, unsigned i,
	struct config_client *c)
{
	char list[CONFIG_PATH_MAX], key[CONFIG_PATH_MAX];
	int rc = 0;
	config_item_key(list, "clients", i, "addresses");
	for (unsigned k = 0; k < config_node_count(node, "addresses"); k++) {
		struct ip_address *a = &c->addresses[c->address_count++];
		config_item_key(key, list, k, NULL);
		rc = config_worse(
			rc, ip_address_parse(config_node_item_text(node, "addresses", k), a) == 0
				    ? config_prefix_check(doc, key, a)
				    : config_refuse(doc, key,
					    "is not an IP address, with or without /prefix "
					    "length"));
	}
	return rc;
}

static int macs_apply(const struct config_doc *doc, const struct config_node *node, unsigned i,
	struct config_client *c)
{
	char list[CONFIG_PATH_MAX], key[CONFIG_PATH_MAX];
	int rc = 0;
	config_item_key(list, "clients", i, "macs");
	for (unsigned k = 0; k < config_node_count(node, "macs"); k++) {
		struct config_mac *mac = &c->macs[c->mac_count++];
		config_item_key(key, list, k, NULL);
		rc = config_worse(
			rc, config_mac_parse(config_node_item_text(node, "macs", k), mac) == 0
				    ? config_mac_check(doc, key, mac)
				    : config_refuse(doc, key,
					    "is not a MAC address (\"02:00:5e:10:00:01\")"));
	}
	return rc;
}

static int client_apply(const struct config_doc *doc, const struct config_node *node, unsigned i,
	struct config_client *c)
{
	char key[CONFIG_PATH_MAX];
	int rc = client_name_apply(doc, config_node_text(node, "name"), i, c);
	if (config_node_count(node, "addresses") + config_node_count(node, "macs") == 0)
		return config_refuse(doc, config_item_key(key, "clients", i, "addresses"),
			"at least one address or MAC is needed");
	c->addresses = heap_calloc(config_node_count(node, "addresses") + 1, sizeof(*c->addresses));
	c->macs = heap_calloc(config_node_count(node, "macs") + 1, sizeof(*c->macs));
	if (!c->addresses || !c->macs)
		return -ENOMEM;
	rc = config_worse(rc, addresses_apply(doc, node, i, c));
	return config_worse(rc, macs_apply(doc, node, i, c));
}

static int by_client_name(const void *a, const void *b)
{
	const struct config_client *const *x = a, *const *y = b;
	int order = strcasecmp((*x)->name, (*y)->name);
	return order ? order : (*x > *y) - (*x < *y);
}

const struct config_client **config_clients_sorted(const struct config *c)
{
	const struct config_client **sorted = heap_calloc(c->client_count + 1, sizeof(*sorted));
	for (unsigned i = 0; sorted && i < c->client_count; i++)
		sorted[i] = &c->clients[i];
	if (sorted)
		qsort(sorted, c->client_count, sizeof(*sorted), by_client_name);
	return sorted;
}

static int names_check(const struct config_doc *doc, const struct config *c)
{
	const struct config_client **sorted = config_clients_sorted(c);
	if (!sorted)
		return -ENOMEM;
	const struct config_client *again = NULL;
	for (unsigned i = 1; !again && i < c->client_count; i++)
		if (strcasecmp(sorted[i - 1]->name, sorted[i]->name) == 0)
			again = sorted[i];
	heap_free(sorted);
	if (!again)
		return 0;
	char key[CONFIG_PATH_MAX];
	return config_refuse(doc,
		config_item_key(key, "clients", (unsigned)(again - c->clients), "name"),
		"the name \"%s\" is given twice", again->name);
}

static int clients_apply(const struct config_doc *doc, struct config *out)
{
	if (config_node_count(doc->tree.root, "clients") == 0)
		return 0;
	out->clients =
		heap_calloc(config_node_count(doc->tree.root, "clients"), sizeof(*out->clients));
	if (!out->clients)
		return -ENOMEM;
	out->client_count = config_node_count(doc->tree.root, "clients");
	int rc = 0;
	for (unsigned i = 0; i < config_node_count(doc->tree.root, "clients"); i++)
		rc = config_worse(
			rc, client_apply(doc, config_node_item(doc->tree.root, "clients", i), i,
				    &out->clients[i]));
	return rc == 0 ? names_check(doc, out) : rc;
}

static void clients_free(struct config *c)
{
	for (unsigned i = 0; i < c->client_count; i++) {
		FREE_AND_NULL(c->clients[i].name);
		FREE_AND_NULL(c->clients[i].addresses);
		FREE_AND_NULL(c->clients[i].macs);
	}
	FREE_AND_NULL(c->clients);
}

// The list `clients`, and the entries of `groups[].clients`. Refuses a client in two groups.
const struct config_step config_clients_step = {.apply = clients_apply, .free = clients_free};
