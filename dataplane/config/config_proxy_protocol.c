// SPDX-License-Identifier: BSD-3-Clause
#include "config_entries.h"
#include "config_sections.h"

static int entry_add(const struct config_doc *doc, const char *key, const char *text,
	struct config_proxy_protocol *out)
{
	struct ip_address a;
	if (!text || ip_address_parse(text, &a) < 0)
		return config_refuse(doc, key, "is not an IP address, with or without /prefix");
	int rc = config_prefix_check(doc, key, &a);
	if (rc == 0)
		out->from[out->from_count++] = a;
	return rc;
}

int config_proxy_protocol_apply(
	const struct config_doc *doc, const struct config_raw *raw, struct config *out)
{
	const struct config_raw_proxy_protocol *r = raw->proxy_protocol;
	char key[CONFIG_PATH_MAX];
	int rc = 0;
	for (unsigned i = 0; i < r->from_count; i++)
		rc = config_worse(
			rc, entry_add(doc, config_item_key(key, "proxy_protocol.from", i, NULL),
				    r->from[i], &out->proxy_protocol));
	return rc;
}
