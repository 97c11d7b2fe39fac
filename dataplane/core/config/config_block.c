// SPDX-License-Identifier: BSD-3-Clause

#include "config_entries.h"
#include "config_keys.h"
#include "config_sections.h"

#include <errno.h>
#include <string.h>
#include <weir/heap_site.h>

enum { TTL_MIN_S = 1, TTL_MAX_S = 86400 };

// Absent: left as it is.
static int address_apply(const struct config_doc *doc, const char *owner, const char *of,
	const char *text, unsigned version, struct ip_address *out)
{
	char key[CONFIG_PATH_MAX];
	struct ip_address a;
	if (!text)
		return 0;
	config_sub_key(key, owner, of);
	if (strchr(text, '/') || ip_address_parse(text, &a) < 0 || a.version != version)
		return config_refuse(doc, key, "is not an IPv%u address", version);
	*out = a;
	return 0;
}

static int addresses_apply(const struct config_doc *doc, const char *owner, const char *ipv4,
	const char *ipv6, struct ip_address *v4, struct ip_address *v6)
{
	int rc = address_apply(doc, owner, "ipv4", ipv4, 4, v4);
	return config_worse(rc, address_apply(doc, owner, "ipv6", ipv6, 6, v6));
}

int config_blocking_reply_apply(
	const struct config_doc *doc, const struct config_node *node, struct config_blocking *out)
{
	int rc = addresses_apply(doc, "blocking", config_node_text(node, "ipv4"),
		config_node_text(node, "ipv6"), &out->custom_v4, &out->custom_v6);
	if (rc == 0 && out->mode == DNS_BLOCK_CUSTOM && !out->custom_v4.version
		&& !out->custom_v6.version)
		rc = config_refuse(doc, "blocking.mode", "`address` needs `ipv4` or `ipv6`");
	return rc;
}

static int values_apply(const struct config_doc *doc, const char *base,
	const struct config_node *node, struct config_block *out)
{
	int64_t mode = 0, ttl = 0;
	int rc = config_choice_of(doc, base, node, "mode", "block_mode", &mode);
	rc = config_worse(rc, config_number_of(doc, base, node, "ttl", TTL_MIN_S, TTL_MAX_S, &ttl));
	out->mode = (enum dns_block_mode)mode;
	out->has_mode = config_node_text(node, "mode") != NULL;
	out->ttl_s = (uint32_t)ttl;
	out->has_ttl = config_node_text(node, "ttl") != NULL;
	return rc;
}

int config_block_apply(const struct config_doc *doc, const char *owner,
	const struct config_node *node, const struct config_blocking *everyone,
	struct config_block *out)
{
	char base[CONFIG_PATH_MAX], key[CONFIG_PATH_MAX];
	if (!node)
		return 0;
	config_sub_key(base, owner, "block");
	int rc = values_apply(doc, base, node, out);
	rc = config_worse(
		rc, addresses_apply(doc, base, config_node_text(node, "ipv4"),
			    config_node_text(node, "ipv6"), &out->custom_v4, &out->custom_v6));
	bool has_address = out->custom_v4.version || out->custom_v6.version
			   || everyone->custom_v4.version || everyone->custom_v6.version;
	if (rc == 0 && out->has_mode && out->mode == DNS_BLOCK_CUSTOM && !has_address)
		rc = config_refuse(
			doc, config_sub_key(key, base, "mode"), "`address` needs `ipv4` or `ipv6`");
	return rc;
}

int config_rebinding_apply(
	const struct config_doc *doc, const struct config_node *node, struct config_rebinding *out)
{
	int rc = config_bool_of(doc, "blocking.rebinding", node, "enabled", &out->enabled);
	if (config_node_count(node, "allow") == 0)
		return rc;
	out->allow = heap_calloc(config_node_count(node, "allow"), sizeof(*out->allow));
	if (!out->allow)
		return -ENOMEM;
	for (unsigned i = 0; i < config_node_count(node, "allow"); i++) {
		char key[CONFIG_PATH_MAX];
		rc = config_worse(
			rc, config_entry_name(doc,
				    config_item_key(key, "blocking.rebinding.allow", i, NULL),
				    config_node_item_text(node, "allow", i), &out->allow[i]));
	}
	out->allow_count = config_node_count(node, "allow");
	return rc;
}

void config_rebinding_free(struct config_rebinding *r)
{
	FREE_AND_NULL(r->allow);
}
