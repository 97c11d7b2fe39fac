// SPDX-License-Identifier: BSD-3-Clause
#include "zone_of.h"

#include "list_suffix.h"

#include <string.h>

enum {
	SUFFIX_LABELS_MAX = 5, // of the longest rule in the list
	IPV4_LABELS = 4,       // y.x.in-addr.arpa: a /16
	IPV6_LABELS = 10,      // eight nibbles: a /32
	ARPA_SUFFIX_LABELS = 2
};

// The last `labels` labels as a name.
static struct dns_name tail_of(const struct dns_name *name, const uint8_t *start, unsigned labels)
{
	unsigned at = start[labels];
	struct dns_name tail;
	tail.len = (uint8_t)(name->len - at);
	tail.labels = (uint8_t)labels;
	memcpy(tail.wire, name->wire + at, tail.len);
	return tail;
}

static unsigned suffix_labels(const struct dns_name *name, const uint8_t *start)
{
	unsigned found = 1;
	for (unsigned n = 2; n <= SUFFIX_LABELS_MAX && n <= name->labels; n++) {
		const struct dns_name tail = tail_of(name, start, n);
		if (list_suffix_is_public(&tail))
			found = n;
	}
	return found;
}

// Are the last two labels these, and not the only ones? Octets alone tell nothing: a label may have
// those of others in it.
static bool ends_in(const struct dns_name *name, const uint8_t *start, const char *wire, size_t len)
{
	if (name->labels <= ARPA_SUFFIX_LABELS)
		return false;
	const unsigned at = start[ARPA_SUFFIX_LABELS];
	return name->len - at == len && memcmp(name->wire + at, wire, len) == 0;
}

struct zone_of zone_of(const struct dns_name *name)
{
	static const char ipv4[] = "\7in-addr\4arpa", ipv6[] = "\3ip6\4arpa"; // with the root
	uint8_t start[DNS_NAME_MAX]; // of the last n labels
	unsigned suffix, zone, at = 0;

	if (name->labels == 0)
		return (struct zone_of){0, 0};
	for (unsigned n = name->labels; n > 0; n--) {
		start[n] = (uint8_t)at;
		at += name->wire[at] + 1u;
	}
	bool is_v4 = ends_in(name, start, ipv4, sizeof(ipv4));
	if (is_v4 || ends_in(name, start, ipv6, sizeof(ipv6))) {
		suffix = ARPA_SUFFIX_LABELS;
		zone = is_v4 ? IPV4_LABELS : IPV6_LABELS;
	} else {
		suffix = suffix_labels(name, start);
		zone = suffix + 1;
	}
	if (zone > name->labels)
		zone = name->labels;
	return (struct zone_of){.zone = start[zone], .suffix = start[suffix]};
}
