// SPDX-License-Identifier: BSD-3-Clause
#include "list_suffix.h"

#include "list_name.h"

#include <libpsl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

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

// Of a name in wire form without the root: its length, its first and its last bytes; and whether
// the name itself is a suffix or those one label longer are.
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
		filter_add(list_text_skip(rule, below ? 2 : 0), false); // of *.ck, to libpsl ck too
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

void list_suffix_load(void)
{
	pthread_once(&once, load);
}

bool list_suffix_is_public(const struct dns_name *name)
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
