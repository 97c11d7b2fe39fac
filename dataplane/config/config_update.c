// SPDX-License-Identifier: BSD-3-Clause
#include "config_entries.h"
#include "config_sections.h"

#include <errno.h>
#include <string.h>

enum { DNS_PORT = 53 };

static bool same(const struct socket_address *a, const struct socket_address *b)
{
	return a->port == b->port && a->ip.version == b->ip.version
	       && memcmp(a->ip.bytes, b->ip.bytes, sizeof(a->ip.bytes)) == 0;
}

static int bootstrap_apply(const struct config_doc *doc,
	const struct config_raw_blocking_update *raw, const struct config *out,
	struct config_update *u)
{
	for (unsigned i = 0; i < raw->bootstrap_count; i++) {
		char key[CONFIG_PATH_MAX];
		struct socket_address a;
		config_item_key(key, "blocking.update.bootstrap", i, NULL);
		if (!raw->bootstrap[i] || socket_address_parse(raw->bootstrap[i], DNS_PORT, &a) < 0)
			return config_refuse(doc, key,
				"is not an IP address, with or without port (\"9.9.9.9\", "
				"\"[2620:fe::fe]:53\")");
		if (config_server_check(doc, key, out, NULL, 0, &a) < 0)
			return -EINVAL;
		for (unsigned j = 0; j < i; j++) {
			if (same(&u->bootstrap[j], &a))
				return config_refuse(doc, key, "given twice");
		}
		u->bootstrap[u->bootstrap_count++] = a;
	}
	return 0;
}

int config_update_apply(
	const struct config_doc *doc, const struct config_raw *raw, struct config *out)
{
	struct config_update *u = &out->blocking.update;
	if (u->interval_s && u->interval_s < CONFIG_UPDATE_INTERVAL_MIN_S)
		return config_refuse(doc, "blocking.update.interval", "must be 0 or at least %d",
			CONFIG_UPDATE_INTERVAL_MIN_S);
	return bootstrap_apply(doc, raw->blocking_update, out, u);
}
