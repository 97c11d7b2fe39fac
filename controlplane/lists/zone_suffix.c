// SPDX-License-Identifier: BSD-3-Clause
#include "zone_suffix.h"

#include "list_name.h"

#include <libpsl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FILTER_BITS = 20 };
static const uint64_t filter_below = UINT64_C(0xd6e8feb86659fd93); // any number with bits all over

// Written once, under `once`; only read afterwards.
static pthread_once_t once = PTHREAD_ONCE_INIT;
static const psl_ctx_t *suffixes; // NULL: no memory; then no name is a suffix
static bool filtered;             // `filter` knows all suffixes
static uint64_t filter[(1u << FILTER_BITS) / 64];

static uint64_t load_bytes(const uint8_t *at, size_t len)
{
	uint64_t value = 0;
	memcpy(&value, at, len < 8 ? len : 8);
	return value;
}

// A bit for a name in wire form without the root, by its length, its first and its last bytes; and
// whether the name itself is a suffix or those one label longer are.
static uint32_t filter_bit(const uint8_t *wire, size_t len, bool below)
{
	uint64_t first = load_bytes(wire, len);
	uint64_t last = len > 8 ? load_bytes(wire + len - 8, 8) : 0;
	// One bit for `below` could be one of a letter's: then all of de would be taken for ee.
	uint64_t mixed = (first ^ (last << 31 | last >> 33) ^ len ^ (below ? filter_below : 0))
			 * UINT64_C(0x9e3779b97f4a7c15);
	mixed ^= mixed >> 29;
	return (uint32_t)(mixed * UINT64_C(0xbf58476d1ce4e5b9) >> (64 - FILTER_BITS));
}

static bool filter_has(const uint8_t *wire, size_t len, bool below)
{
	uint32_t bit = filter_bit(wire, len, below);
	return filter[bit / 64] >> bit % 64 & 1;
}

static void filter_add(struct list_text rule, bool below)
{
	char ascii[LIST_IDN_TEXT_MAX];
	struct dns_name name;
	if (list_name_to_ascii(rule, ascii) && !dns_name_from_text(ascii, strlen(ascii), &name)) {
		uint32_t bit = filter_bit(name.wire, name.len - 1u, below);
		filter[bit / 64] |= UINT64_C(1) << bit % 64;
	}
}

// A line of the list is a rule up to its first blank: `co.uk`, `*.ck` (all names one label longer),
// `!www.ck` (not that one).
static bool filter_fill(const char *path)
{
	char line[1024];
	FILE *f = fopen(path, "re");
	if (!f)
		return false;
	while (fgets(line, sizeof(line), f)) {
		struct list_text rest = {line, strcspn(line, "\n")};
		struct list_text rule = list_text_word(&rest);
		if (list_text_starts(rule, LIST_TEXT("//")) || rule.len == 0)
			continue;
		bool below = list_text_starts(rule, LIST_TEXT("*."));
		if (rule.at[0] == '!')
			continue;
		filter_add(list_text_skip(rule, below ? 2 : 0), false); // libpsl: *.ck makes ck one
		if (below)
			filter_add(list_text_skip(rule, 2), true);
	}
	bool good = !ferror(f);
	fclose(f);
	return good;
}

static void load(void)
{
	char path[256];
	const char *dist = psl_dist_filename();
	const char *dot = dist ? strrchr(dist, '.') : NULL;
	if (dot) {
		// The packed form, 54 KB: what libpsl makes of the text takes 1.7 MB.
		suffixes = psl_load_file(dist);
		snprintf(path, sizeof(path), "%.*s.dat", (int)(dot - dist), dist);
		filtered = suffixes && filter_fill(path);
	}
	if (!suffixes)
		suffixes = psl_latest(NULL);
}

void suffix_load(void)
{
	pthread_once(&once, load);
}

bool suffix_is_public(const struct dns_name *name)
{
	char text[DNS_NAME_TEXT_MAX];
	pthread_once(&once, load);
	size_t len = name->len - 1u, first = name->wire[0] + 1u;
	if (filtered && !filter_has(name->wire, len, false)
		&& (len <= first || !filter_has(name->wire + first, len - first, true)))
		return false;
	return suffixes
	       && psl_is_public_suffix2(suffixes, dns_name_to_text(name, text),
		       PSL_TYPE_ANY | PSL_TYPE_NO_STAR_RULE);
}

enum {
	SUFFIX_LABELS_MAX = 5, // labels of the longest rule in the list
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
		if (suffix_is_public(&tail))
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
	uint8_t start[DNS_NAME_MAX]; // where the last n labels begin
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
