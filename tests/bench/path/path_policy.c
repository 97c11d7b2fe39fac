// SPDX-License-Identifier: BSD-3-Clause
#include "path_policy.h"

#include "controlplane/policy/policy_build.h"
#include "path_load.h"
#include "tests/dp/wire.h"
#include "tools/loadgen/corpus.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

// What an operator writes who changes nothing; and one who has everybody's rate counted, though it
// is such that nobody is over it.
static const char as_shipped[] =
	"dataplane:\n"
	"  ports: [{device: net_null0}]\n"
	"  service_addresses: [" WIRE_SERVICE4 "/15, \"" WIRE_SERVICE6 "/48\"]\n"
	"upstreams: {servers: [{address: 127.0.0.1}]}\n";
static const char limited[] =
	"access: {unlimited: [], rate: 1000000, network_rate: 1000000, burst: 60}\n";

static struct config *load(bool with_limits)
{
	char path[] = "/tmp/weir-bench-XXXXXX", why[CONFIG_WHY_MAX];
	struct config *c = NULL;
	int fd = mkstemp(path);
	FILE *f = fd < 0 ? NULL : fdopen(fd, "w");
	if (!f) {
		perror(path);
		return NULL;
	}
	fputs(as_shipped, f);
	if (with_limits)
		fputs(limited, f);
	fclose(f);
	if (config_load(path, &c, why) < 0)
		fprintf(stderr, "the bench's configuration: %s\n", why);
	unlink(path);
	return c;
}

static bool build_groups(struct config *config, struct policy_group what[])
{
	enum { GROUPS = PATH_GROUPS, GROUP_MAX = 128, PREFIXES = 1000 };
	static struct ip_address clients[GROUPS][GROUP_MAX];
	static struct config_group groups[GROUPS];
	char text[64];

	for (unsigned i = 0; i <= GROUPS; i++) {
		unsigned own = RULE_LIST_FIRST + PATH_LISTS_COMMON + i - 1;
		what[i].lists[0] = (UINT64_C(1) << (RULE_LIST_FIRST + PATH_LISTS_COMMON)) - 1;
		if (i > 0)
			what[i].lists[own / 64] |= UINT64_C(1) << own % 64;
		what[i].block = path_block;
	}
	for (unsigned i = 0; i < 2 * PREFIXES; i++) {
		unsigned group = (unsigned)corpus_mix(i) % GROUPS, net = i % PREFIXES / 2;
		struct config_group *g = &groups[group];
		if (i < PREFIXES)
			snprintf(text, sizeof(text), i % 2 ? "198.%u.%u.77" : "198.%u.%u.0/24",
				18 + net / 256, net % 256);
		else
			snprintf(text, sizeof(text), i % 2 ? "fd53:0:0:%x::4d" : "fd53:0:0:%x::/64",
				net);
		g->clients = clients[group];
		if (g->client_count == GROUP_MAX
			|| ip_address_parse(text, &g->clients[g->client_count++]) < 0)
			return false;
	}
	config->group_count = GROUPS;
	config->groups = groups;
	return true;
}

bool path_policy_build(enum path_policy kind, void **image, struct policy_reader *reader)
{
	static struct policy_group what[PATH_GROUPS + 1];
	struct policy_image made;
	char why[128];
	struct config *shipped = load(kind == PATH_POLICY_LIMITS);
	if (!shipped)
		return false;
	struct config c = *shipped;
	bool ok = kind != PATH_POLICY_GROUPS || build_groups(&c, what);
	ok = ok && policy_build(&c, what, &made) == 0;
	config_free(shipped);
	if (!ok)
		return false;
	*image = made.head;
	return policy_reader_init(reader, made.head, made.size, why) == 0;
}
