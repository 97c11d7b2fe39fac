// SPDX-License-Identifier: BSD-3-Clause
// `upstreams.mode`: recursion as a server of the list, after those of `upstreams.servers`.
#include "config_entries.h"
#include "config_file.h"
#include "config_sections.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <weir/keyhash.h>

enum { HINTS_MAX = 65536 };

static const char name[] = "recursion";

// weir writes the path into settings of the library, between quotes.
static int hints_apply(const struct config_doc *doc, struct config_upstreams *u)
{
	static const char key[] = "upstreams.root_hints";
	char text[HINTS_MAX + 1];

	if (!u->root_hints || !u->root_hints[0])
		return 0;
	if (u->root_hints[0] != '/')
		return config_refuse(doc, key, "must be an absolute path");
	if (strpbrk(u->root_hints, "\"\\\n\r"))
		return config_refuse(doc, key, "must have no quote and no backslash");
	int len = config_file_read(u->root_hints, text, HINTS_MAX);
	if (len < 0)
		return config_refuse(doc, key, "cannot be read: %s", strerror(-len));
	if (!strstr(text, "NS"))
		return config_refuse(doc, key, "has no NS record");
	u->root_hints_hash = contenthash(text, (size_t)len);
	return 0;
}

static int mode_check(const struct config_doc *doc, const struct config_upstreams *u)
{
	static const char servers[] = "upstreams.servers";

	if (u->mode != UPSTREAM_RECURSIVE && u->count == 0)
		return config_refuse(doc, servers,
			"at least one server is needed, or `upstreams.mode: recursive`");
	if (u->mode == UPSTREAM_FORWARD)
		return 0;
	if (u->strict)
		return config_refuse(doc, "upstreams.mode",
			"asks authoritative servers in clear text, but `upstreams.strict` is true");
	if (u->mode == UPSTREAM_RECURSIVE && u->count > 0)
		return config_refuse(doc, servers,
			"are not asked where `upstreams.mode` is `recursive`: `forward-first`, or "
			"a forward zone");
	if (u->mode == UPSTREAM_FORWARD_FIRST && (u->policy != UPSTREAM_FAILOVER || u->race > 1))
		return config_refuse(doc, "upstreams.mode",
			"`forward-first` needs the policy `failover`, and no `race`");
	if (u->count == CONFIG_UPSTREAMS_MAX)
		return config_refuse(doc, servers, "one fewer, as recursion is one of them");
	for (unsigned i = 0; i < u->count; i++)
		if (strcmp(u->server[i].name, name) == 0)
			return config_refuse(
				doc, servers, "`recursion` is the name of weir's own recursion");
	return 0;
}

int config_recursion_apply(const struct config_doc *doc, struct config_upstreams *u)
{
	int rc = mode_check(doc, u);

	if (rc == 0)
		rc = hints_apply(doc, u);
	if (rc < 0 || u->mode == UPSTREAM_FORWARD)
		return rc;
	char *own = strdup(name);
	if (!own)
		return -ENOMEM;
	u->server[u->count++] = (struct config_upstream){.name = own,
		.address = {.ip = {.version = 4, .prefix_len = 32, .bytes = {127, 0, 0, 1}}},
		.weight = 1,
		.is_recursion = true};
	return 0;
}
