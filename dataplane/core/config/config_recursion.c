// SPDX-License-Identifier: BSD-3-Clause
// `upstreams.mode`: recursion as a server of the list, after those of `upstreams.servers`.
#include "config_entries.h"
#include "config_file.h"
#include "config_sections.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>
#include <strings.h>
#include <weir/heap_site.h>
#include <weir/keyhash.h>

enum { HINTS_MAX = 65536 };

static const char name[] = "recursion";

struct hints {
	unsigned root, addresses; // NS records of the root, and addresses
	const char *bad;          // no address; NULL: none is bad
};

static bool is_class(const char *word)
{
	return strcasecmp(word, "IN") == 0 || (*word >= '0' && *word <= '9'); // or a TTL
}

// A line of a zone file without its comment. Records of other types say nothing, as libunbound
// reads the file.
static void hints_line(struct hints *h, char *line)
{
	const bool has_owner = *line != ' ' && *line != '\t';
	uint8_t address[16];
	char *at = NULL, *word = strtok_r(line, " \t\r", &at);
	const bool is_root = has_owner && word && (!strcmp(word, ".") || !strcmp(word, "@"));

	if (has_owner && word)
		word = strtok_r(NULL, " \t\r", &at);
	while (word && is_class(word))
		word = strtok_r(NULL, " \t\r", &at);
	const char *data = word ? strtok_r(NULL, " \t\r", &at) : NULL;
	if (!data)
		return;
	const bool is_v4 = strcasecmp(word, "A") == 0, is_v6 = strcasecmp(word, "AAAA") == 0;
	h->root += is_root && strcasecmp(word, "NS") == 0;
	h->addresses += is_v4 || is_v6;
	if ((is_v4 || is_v6) && inet_pton(is_v4 ? AF_INET : AF_INET6, data, address) != 1)
		h->bad = h->bad ? h->bad : data;
}

static struct hints hints_read(char *text)
{
	struct hints h = {0};

	for (char *next, *line = text; line; line = next) {
		next = strchr(line, '\n');
		if (next)
			*next++ = '\0';
		line[strcspn(line, ";")] = '\0';
		hints_line(&h, line);
	}
	return h;
}

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
	if (len == HINTS_MAX)
		return config_refuse(doc, key, "has more than %d bytes", HINTS_MAX - 1);
	u->root_hints_hash = contenthash(text, (size_t)len);
	const struct hints h = hints_read(text);
	if (h.bad)
		return config_refuse(doc, key, "\"%.45s\" is no address", h.bad);
	if (!h.root || !h.addresses)
		return config_refuse(
			doc, key, "has no %s", h.root ? "address" : "NS record of the root");
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
	char *own = heap_strdup(name);
	if (!own)
		return -ENOMEM;
	u->server[u->count++] = (struct config_upstream){.name = own,
		.address = {.ip = {.version = 4, .prefix_len = 32, .bytes = {127, 0, 0, 1}}},
		.weight = 1,
		.is_recursion = true};
	return 0;
}
