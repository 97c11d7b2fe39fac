// SPDX-License-Identifier: BSD-3-Clause
#include "base/local_ports.h"
#include "recursor_internal.h"
#include "validator/validator_config.h"

#include <errno.h>
#include <stdio.h>

// Settings of the library for every recursor; docs/reference/recursion.md has the reason of each.
// Prefetching and stale answers are weir's, and so is validation. A name server that was silent
// gets a query again within a minute; by default the library leaves it alone for a quarter of an
// hour. A zone's owner chooses addresses for its name servers: loopback, what the kernel takes for
// loopback, and groups of hosts are none. An NXDOMAIN for an alias is that of the alias's
// target (RFC 6604 3), but the library takes it for one of all names below the alias.
static const char fixed[] =
	"edns-buffer-size: 1232\nmsg-cache-size: 4m\nmsg-cache-slabs: 1\n"
	"rrset-cache-size: 8m\nrrset-cache-slabs: 1\nkey-cache-slabs: 1\n"
	"infra-cache-numhosts: 4096\ninfra-cache-slabs: 1\n"
	"infra-host-ttl: 60\ninfra-keep-probing: yes\n"
	"cache-max-ttl: 86400\ncache-max-negative-ttl: 3600\n"
	"max-query-restarts: 16\nudp-connect: yes\nqname-minimisation: yes\nuse-caps-for-id: no\n"
	"do-not-query-localhost: yes\ndo-not-query-address: 0.0.0.0/8\n"
	"do-not-query-address: ::\ndo-not-query-address: 224.0.0.0/4\n"
	"do-not-query-address: ff00::/8\n"
	"harden-glue: yes\nharden-dnssec-stripped: yes\nharden-below-nxdomain: no\n"
	"prefetch: no\nprefetch-key: no\nserve-expired: no\nrrset-roundrobin: no\n"
	"minimal-responses: no\nroot-key-sentinel: no\nval-clean-additional: yes\n";

static const char without_validation[] =
	"module-config: \"iterator\"\nkey-cache-size: 16k\nneg-cache-size: 16k\n";
static const char with_validation[] =
	"module-config: \"validator iterator\"\nkey-cache-size: 1m\nneg-cache-size: 1m\n"
	"val-permissive-mode: yes\naggressive-nsec: yes\ntrust-anchor-signaling: no\n";

// Ports of other programs, and those that workers listen at: the reply of a server that is also an
// upstream server would not reach the library there.
static void ports_write(FILE *f, const struct recursor_settings *s)
{
	struct local_ports reserved;

	local_ports_load(&reserved);
	for (unsigned i = 0; i < reserved.count; i++)
		fprintf(f, "outgoing-port-avoid: %u-%u\n", reserved.range[i].first,
			reserved.range[i].last);
	for (unsigned i = 0; i < s->range_count; i++)
		fprintf(f, "outgoing-port-avoid: %u-%u\n", s->range[i].first, s->range[i].last);
}

int recursor_config_write(const struct recursor_settings *s, unsigned questions, char **out)
{
	size_t len;
	FILE *f = open_memstream(out, &len);

	if (!f)
		return -ENOMEM;
	validator_common_write(f);
	fputs(fixed, f);
	fprintf(f, "outgoing-range: %d\noutgoing-num-tcp: %d\nnum-queries-per-thread: %u\n",
		RECURSOR_SOCKETS, RECURSOR_TCP, questions);
	ports_write(f, s);
	fputs(s->validates ? with_validation : without_validation, f);
	if (s->validates)
		validator_anchors_write(f, &s->trusted);
	if (s->root_hints[0])
		fprintf(f, "root-hints: \"%s\"\n", s->root_hints);
	bool is_short = ferror(f);
	return fclose(f) == 0 && !is_short ? 0 : -ENOMEM;
}
