// SPDX-License-Identifier: BSD-3-Clause
#include "zone_of.h"

#include "list_suffix.h"

#include <string.h>

enum {
	SUFFIX_LABELS_MAX = 5, // of the longest rule in the list
	IPV4_LABELS = 4,       // y.x.in-addr.arpa: a /16
	IPV6_LABELS = 10,      // eight nibbles: a /32
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

static const struct dns_name ipv4 = {.len = 14, .labels = 2, .wire = "\7in-addr\4arpa"},
			     ipv6 = {.len = 10, .labels = 2, .wire = "\3ip6\4arpa"},
			     home = {.len = 11, .labels = 2, .wire = "\4home\4arpa"};

static bool is_below(const struct dns_name *name, const struct dns_name *apex)
{
	return name->labels > apex->labels && dns_name_is_under(name, apex);
}

struct zone_of zone_of(const struct dns_name *name)
{
	uint8_t start[DNS_NAME_MAX]; // of the last n labels
	unsigned suffix, zone, at = 0;

	if (name->labels == 0)
		return (struct zone_of){0, 0};
	for (unsigned n = name->labels; n > 0; n--) {
		start[n] = (uint8_t)at;
		at += name->wire[at] + 1u;
	}
	bool is_v4 = is_below(name, &ipv4);
	if (is_v4 || is_below(name, &ipv6)) {
		suffix = ipv4.labels;
		zone = is_v4 ? IPV4_LABELS : IPV6_LABELS;
	} else if (is_below(name, &home)) {
		zone = home.labels;
		suffix = zone - 1;
	} else {
		suffix = suffix_labels(name, start);
		zone = suffix + 1;
	}
	if (zone > name->labels)
		zone = name->labels;
	return (struct zone_of){.zone = start[zone], .suffix = start[suffix]};
}

uint32_t zone_key(const struct dns_name *name, const struct keyhash_secret *secret)
{
	const unsigned at = zone_of(name).zone;
	return (uint32_t)keyhash(secret, name->wire + at, name->len - at) | 1u << 31;
}

unsigned zone_count(const uint32_t *keys, unsigned n, uint32_t key)
{
	unsigned count = 0;
	for (unsigned i = 0; i < n; i++)
		count += keys[i] == key;
	return count;
}
