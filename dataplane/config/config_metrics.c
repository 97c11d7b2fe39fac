// SPDX-License-Identifier: BSD-3-Clause
#include "config_entries.h"
#include "config_sections.h"

#include <errno.h>

enum { METRICS_PORT = 9153 };

static const char *const shipped[] = {"127.0.0.0/8", "::1"};

static int entry_add(
	const struct config_doc *doc, const char *key, const char *text, struct config_metrics *m)
{
	struct ip_address a;
	if (!text || ip_address_parse(text, &a) < 0)
		return config_refuse(
			doc, key, "is not an IP address, with or without /prefix length");
	int rc = config_prefix_check(doc, key, &a);
	if (rc == 0)
		m->allow[m->allow_count++] = a;
	return rc;
}

// An address of a family that `allow` does not have would serve no client.
static bool has_family(const struct config_metrics *m)
{
	for (unsigned i = 0; i < m->allow_count; i++)
		if (m->allow[i].version == m->address.ip.version)
			return true;
	return false;
}

int config_metrics_apply(
	const struct config_doc *doc, const struct config_raw *raw, struct config *out)
{
	const struct config_raw_metrics *r = raw->metrics;
	struct config_metrics *m = &out->metrics;
	char key[CONFIG_PATH_MAX];
	int rc = 0;
	for (unsigned i = 0; rc == 0 && i < r->allow_count; i++)
		rc = entry_add(doc, config_item_key(key, "metrics.allow", i, NULL), r->allow[i], m);
	for (unsigned i = 0; rc == 0 && r->allow_count == 0 && i < ARRAY_LEN(shipped); i++)
		rc = entry_add(doc, "metrics.allow", shipped[i], m);
	if (rc < 0 || !*m->listen)
		return rc;
	if (socket_address_parse(m->listen, METRICS_PORT, &m->address) < 0)
		return config_refuse(doc, "metrics.listen",
			"is not an IP address, with or without port (\"192.0.2.7:9153\", "
			"\"[fd53::7]:9153\")");
	if (!has_family(m))
		return config_refuse(
			doc, "metrics.allow", "has nobody of the address family of metrics.listen");
	return 0;
}
