// SPDX-License-Identifier: BSD-3-Clause

#include "config_entries.h"
#include "config_sections.h"

#include <string.h>

// The lengths of RFC 6052 2.2; byte 8 has no part in an address that is made.
static bool is_prefix(const struct ip_address *a)
{
	const unsigned len = a->prefix_len;
	bool is_length = len == 32 || len == 40 || len == 48 || len == 56 || len == 64 || len == 96;
	return a->version == 6 && is_length && (len < 96 || a->bytes[8] == 0);
}

static int prefix_apply(
	const struct config_doc *doc, const char *key, const char *text, struct ip_address *out)
{
	if (ip_address_parse(text, out) < 0 || !is_prefix(out))
		return config_refuse(doc, key,
			"\"%s\" is not a prefix for DNS64: an IPv6 prefix of 32, 40, 48, 56, 64 or "
			"96 bits, such as 64:ff9b::/96 (RFC 6052 2.2)",
			text);
	if (ip_address_mask(out))
		return config_refuse(doc, key, "\"%s\" has host bits", text);
	return 0;
}

static int ipv6_apply(const struct config_doc *doc, struct config *out)
{
	const char *text = out->ipv6.dns64_text;
	return text && *text ? prefix_apply(doc, "ipv6.dns64", text, &out->ipv6.dns64) : 0;
}

int config_group_ipv6_apply(const struct config_doc *doc, const struct config_node *node,
	unsigned i, struct config *out)
{
	struct config_group *g = &out->groups[i];
	char key[CONFIG_PATH_MAX];
	int rc = 0;

	g->has_dns64 = config_node_text(node, "dns64") != NULL;
	if (g->has_dns64 && strcmp(config_node_text(node, "dns64"), "off") != 0)
		rc = prefix_apply(doc, config_item_key(key, "groups", i, "dns64"),
			config_node_text(node, "dns64"), &g->ipv6.dns64);
	return rc;
}

// The section `ipv6`.
const struct config_step config_ipv6_step = {.apply = ipv6_apply};
