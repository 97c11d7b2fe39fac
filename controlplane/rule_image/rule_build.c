// SPDX-License-Identifier: BSD-3-Clause
#include "rule_build.h"

#include "lists/list_rule.h"
#include "rule_numbers.h"
#include "rule_off.h"
#include "rule_records.h"
#include "rule_rows.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <weir/heap_site.h>
#include <weir/rule_data.h>
#include <weir/rule_image.h>

// Collects the patterns, address prefixes and globs of an image: sorted, each once. 8 bytes and its
// text a pattern, 24 a prefix, 16 and its text a glob. One thread.

struct glob_at { // a glob, and the fingerprint of its name
	uint64_t fingerprint;
	struct rule_glob_row row;
};

struct rule_patterns {
	struct rule_pattern_row *pattern;
	struct rule_prefix_row *prefix;
	struct glob_at *glob;
	char *text;
	size_t pattern_count, pattern_room, prefix_count, prefix_room, text_len, text_room;
	size_t glob_count, glob_room;
	uint64_t globs_dropped; // over RULE_GLOBS_AT_MAX at one name
};

// Which names of a policy zone keep a wildcard above them away: those that exist, and those between
// them and the wildcard (RFC 4592 3.3.1, the closest encloser). The zone's rules come in any order,
// so all names are kept as fingerprints until its end: 8 bytes a label. One thread.

struct rule_zone_names {
	uint64_t *path; // for each name its labels, then the fingerprints of it and all above it
	size_t count, room;
	uint64_t *wildcard; // fingerprints of names with a wildcard below them
	size_t wildcards, wildcard_room;
};

static_assert((int)RULE_PATTERN_LEN_MAX == (int)LIST_PATTERN_MAX);

static void rule_patterns_free(struct rule_patterns *p)
{
	FREE_AND_NULL(p->pattern);
	FREE_AND_NULL(p->prefix);
	FREE_AND_NULL(p->glob);
	FREE_AND_NULL(p->text);
	*p = (struct rule_patterns){0};
}

// Bytes of memory.
static size_t rule_patterns_bytes(const struct rule_patterns *p)
{
	return p->pattern_room * sizeof(*p->pattern) + p->prefix_room * sizeof(*p->prefix)
	       + p->glob_room * sizeof(*p->glob) + p->text_room;
}

static int patterns_room(void **array, size_t *room, size_t needed, size_t each)
{
	if (needed <= *room)
		return 0;
	size_t grown = needed + needed / 2 + 16;
	void *moved = heap_realloc(*array, grown * each);
	if (!moved)
		return -ENOMEM;
	*array = moved;
	*room = grown;
	return 0;
}

static int patterns_text(struct rule_patterns *p, const char *text, size_t len)
{
	void *texts = p->text;
	int err = patterns_room(&texts, &p->text_room, p->text_len + len, 1);
	p->text = texts;
	if (err)
		return err;
	memcpy(p->text + p->text_len, text, len);
	p->text_len += len;
	return 0;
}

// -EINVAL: empty, too long or with a NUL, or no prefix; -ENOSPC: there are `most`, this one is left
// out; -ENOMEM.
static int rule_patterns_add(
	struct rule_patterns *p, unsigned list, const struct list_rule *rule, size_t most)
{
	const char *text = rule->pattern;
	const size_t len = rule->pattern_len;
	if (len == 0 || len > RULE_PATTERN_LEN_MAX || memchr(text, 0, len))
		return -EINVAL;
	if (p->pattern_count >= most)
		return -ENOSPC;
	void *rows = p->pattern;
	const uint32_t off = (uint32_t)p->text_len;
	int err = patterns_room(&rows, &p->pattern_room, p->pattern_count + 1, sizeof(*p->pattern));
	p->pattern = rows;
	if (!err)
		err = patterns_text(p, text, len);
	if (err)
		return err;
	p->pattern[p->pattern_count++] = (struct rule_pattern_row){
		.off = off, .len = (uint16_t)len, .list = (uint8_t)list, .inverts = rule->inverts};
	return 0;
}

static bool is_literal(const char *two)
{
	return two[0] != '*' && two[0] != '.' && two[1] != '*' && two[1] != '.';
}

// Two bytes behind a dot that the text begins with, or at its end.
static uint8_t glob_hint(const char *text, size_t len)
{
	const size_t at = len > 0 && text[0] == '*' ? 2 : 1;
	if (len >= at + 2 && text[at - 1] == '.' && is_literal(text + at))
		return (uint8_t)rule_glob_pair((uint8_t)text[at], (uint8_t)text[at + 1]);
	if (len >= 2 && is_literal(text + len - 2))
		return (uint8_t)(RULE_GLOB_ENDS
				 + rule_glob_pair((uint8_t)text[len - 2], (uint8_t)text[len - 1]));
	return RULE_GLOB_OPEN;
}

// -ENOSPC: there are too many, this one is left out; -ENOMEM.
static int rule_patterns_add_glob(
	struct rule_patterns *p, unsigned list, uint64_t hash, const char *text, size_t len)
{
	void *rows = p->glob;
	const uint32_t off = (uint32_t)p->text_len;
	if (p->glob_count == RULE_GLOBS_MAX)
		return -ENOSPC;
	int err = patterns_room(&rows, &p->glob_room, p->glob_count + 1, sizeof(*p->glob));
	p->glob = rows;
	if (!err)
		err = patterns_text(p, text, len);
	if (err)
		return err;
	p->glob[p->glob_count++] = (struct glob_at){hash, {.off = off,
								  .len = (uint8_t)len,
								  .list = (uint8_t)list,
								  .hint = glob_hint(text, len)}};
	return 0;
}

static struct rule_prefix_row prefix_row(unsigned list, const struct ip_address *prefix)
{
	struct rule_prefix_row row = {
		.version = prefix->version, .length = prefix->prefix_len, .list = (uint16_t)list};
	memcpy(row.bytes, prefix->bytes, prefix->version == 4 ? 4 : 16);
	return row;
}

static int rule_patterns_add_prefix(
	struct rule_patterns *p, unsigned list, const struct ip_address *prefix, size_t most)
{
	unsigned bits = prefix->version == 4 ? 32 : 128;
	if ((prefix->version != 4 && prefix->version != 6) || prefix->prefix_len > bits)
		return -EINVAL;
	if (p->prefix_count >= most)
		return -ENOSPC;
	void *rows = p->prefix;
	int err = patterns_room(&rows, &p->prefix_room, p->prefix_count + 1, sizeof(*p->prefix));
	p->prefix = rows;
	if (!err)
		p->prefix[p->prefix_count++] = prefix_row(list, prefix);
	return err;
}

static uint64_t prefix_key(const struct rule_prefix_row *row)
{
	return rule_off_key(row->list, 0, 0, row, sizeof(*row));
}

static int compare_patterns(const void *a, const void *b, void *text)
{
	const struct rule_pattern_row *x = a, *y = b;
	if (x->list != y->list)
		return x->list < y->list ? -1 : 1;
	if (x->inverts != y->inverts)
		return x->inverts < y->inverts ? -1 : 1;
	if (x->len != y->len)
		return x->len < y->len ? -1 : 1;
	int order = memcmp((char *)text + x->off, (char *)text + y->off, x->len);
	return order ? order : x->off < y->off ? -1 : x->off > y->off;
}

static bool same_pattern(const struct rule_patterns *p, const struct rule_pattern_row *a,
	const struct rule_pattern_row *b)
{
	return a->list == b->list && a->inverts == b->inverts && a->len == b->len
	       && memcmp(p->text + a->off, p->text + b->off, a->len) == 0;
}

static int compare_prefixes(const void *a, const void *b)
{
	const struct rule_prefix_row *x = a, *y = b;
	if (x->list != y->list)
		return x->list < y->list ? -1 : 1;
	return memcmp(x, y, sizeof(*x));
}

static int compare_globs(const void *a, const void *b, void *text)
{
	const struct glob_at *x = a, *y = b;
	if (x->fingerprint != y->fingerprint)
		return x->fingerprint < y->fingerprint ? -1 : 1;
	if (x->row.list != y->row.list)
		return x->row.list < y->row.list ? -1 : 1;
	if (x->row.len != y->row.len)
		return x->row.len < y->row.len ? -1 : 1;
	int order = memcmp((char *)text + x->row.off, (char *)text + y->row.off, x->row.len);
	return order ? order : x->row.off < y->row.off ? -1 : x->row.off > y->row.off;
}

// Drops what is `off` of the patterns and prefixes behind the first ones.
static void rule_patterns_take_off(
	struct rule_patterns *p, const struct rule_patterns *first, const struct rule_off *off)
{
	size_t patterns = first->pattern_count, prefixes = first->prefix_count;
	for (size_t i = patterns; i < p->pattern_count; i++) {
		const struct rule_pattern_row row = p->pattern[i];
		if (!rule_off_has(off, rule_off_key(row.list, 0, 0, p->text + row.off, row.len)))
			p->pattern[patterns++] = row;
	}
	for (size_t i = prefixes; i < p->prefix_count; i++)
		if (!rule_off_has(off, prefix_key(&p->prefix[i])))
			p->prefix[prefixes++] = p->prefix[i];
	p->pattern_count = patterns;
	p->prefix_count = prefixes;
}

// Drops what is `off` of the globs behind the first ones; `bare` gets the key of each name and list
// that has none left. -ENOMEM.
static int rule_globs_take_off(struct rule_patterns *p, const struct rule_patterns *first,
	const struct rule_off *off, struct rule_off *bare)
{
	size_t kept = first->glob_count, next;
	int err = 0;
	if (p->glob_count > kept)
		qsort_r(p->glob + kept, p->glob_count - kept, sizeof(*p->glob), compare_globs,
			p->text);
	for (size_t i = kept; i < p->glob_count && !err; i = next) {
		const struct glob_at at = p->glob[i];
		const size_t before = kept;
		for (next = i; next < p->glob_count; next++) {
			const struct glob_at g = p->glob[next];
			if (g.fingerprint != at.fingerprint || g.row.list != at.row.list)
				break;
			if (!rule_off_has(off, rule_off_key(g.row.list, g.fingerprint, 0,
						       p->text + g.row.off, g.row.len)))
				p->glob[kept++] = g;
		}
		if (kept == before)
			err = rule_off_add(
				bare, rule_off_key(at.row.list, at.fingerprint, 0, NULL, 0));
	}
	p->glob_count = kept;
	return err;
}

static bool same_glob(
	const struct rule_patterns *p, const struct glob_at *a, const struct glob_at *b)
{
	return a->fingerprint == b->fingerprint && a->row.list == b->row.list
	       && a->row.len == b->row.len
	       && memcmp(p->text + a->row.off, p->text + b->row.off, a->row.len) == 0;
}

// Sorts, drops repeated ones, and those that are too many at one name.
static void rule_globs_sort(struct rule_patterns *p)
{
	size_t kept = 0;
	unsigned here = 0;
	if (p->glob_count > 0)
		qsort_r(p->glob, p->glob_count, sizeof(*p->glob), compare_globs, p->text);
	for (size_t i = 0; i < p->glob_count; i++) {
		const struct glob_at *last = kept ? &p->glob[kept - 1] : NULL;
		here = last && last->fingerprint == p->glob[i].fingerprint ? here : 0;
		if (last && same_glob(p, last, &p->glob[i]))
			continue;
		if (here == RULE_GLOBS_AT_MAX) {
			p->globs_dropped++;
			continue;
		}
		here++;
		p->glob[kept++] = p->glob[i];
	}
	p->glob_count = kept;
}

// Puts the names with globs into the table, in their order, and the rows; with `table` NULL it only
// tries. False: a walk gets too long.
static bool rule_globs_fill(const struct rule_patterns *p, uint64_t homes,
	struct rule_glob_name *table, struct rule_glob_row *row)
{
	uint64_t at = 0, next = 0;
	for (size_t i = 0; i < p->glob_count; i++) {
		const uint64_t hash = p->glob[i].fingerprint;
		const unsigned hint = p->glob[i].row.hint;
		if (i == 0 || p->glob[i - 1].fingerprint != hash) {
			const uint64_t home = rule_slot_of(hash, homes);
			at = home > next ? home : next;
			next = at + 1;
			if (at - home > RULE_WALK_MAX)
				return false;
			if (table)
				table[at] = (struct rule_glob_name){
					.fingerprint = hash, .first = (uint32_t)i};
		}
		if (!table)
			continue;
		row[i] = p->glob[i].row;
		table[at].globs++;
		if (hint >= RULE_GLOB_OPEN)
			table[at].begins = UINT64_MAX;
		else
			*(hint < RULE_GLOB_ENDS ? &table[at].begins : &table[at].ends) |=
				UINT64_C(1) << hint % 64;
	}
	return true;
}

// Home slots for the names with globs, two each.
static uint64_t rule_globs_homes(const struct rule_patterns *p)
{
	uint64_t homes = 0;
	for (size_t i = 0; i < p->glob_count; i++)
		homes += i == 0 || p->glob[i - 1].fingerprint != p->glob[i].fingerprint ? 2 : 0;
	while (!rule_globs_fill(p, homes, NULL, NULL))
		homes += homes / 8 + 1;
	return homes;
}

// Sorts, and drops repeated ones.
static void rule_patterns_sort(struct rule_patterns *p)
{
	size_t kept = 0;
	if (p->pattern_count > 0)
		qsort_r(p->pattern, p->pattern_count, sizeof(*p->pattern), compare_patterns,
			p->text);
	for (size_t i = 0; i < p->pattern_count; i++)
		if (kept == 0 || !same_pattern(p, &p->pattern[kept - 1], &p->pattern[i]))
			p->pattern[kept++] = p->pattern[i];
	p->pattern_count = kept;
	kept = 0;
	if (p->prefix_count > 0)
		qsort(p->prefix, p->prefix_count, sizeof(*p->prefix), compare_prefixes);
	for (size_t i = 0; i < p->prefix_count; i++)
		if (kept == 0 || compare_prefixes(&p->prefix[kept - 1], &p->prefix[i]) != 0)
			p->prefix[kept++] = p->prefix[i];
	p->prefix_count = kept;
}

static void rule_zone_names_free(struct rule_zone_names *z)
{
	FREE_AND_NULL(z->path);
	FREE_AND_NULL(z->wildcard);
	*z = (struct rule_zone_names){0};
}

// Bytes of memory.
static size_t rule_zone_names_bytes(const struct rule_zone_names *z)
{
	return (z->room + z->wildcard_room) * sizeof(uint64_t);
}

static bool zone_names_room(uint64_t **at, size_t count, size_t *room)
{
	if (count <= *room)
		return true;
	size_t more = count + count / 2 + 1024;
	uint64_t *grown = heap_realloc(*at, more * sizeof(*grown));
	if (!grown)
		return false;
	*at = grown;
	*room = more;
	return true;
}

// `below`: the rule is a wildcard's below that name. -ENOMEM.
static int rule_zone_names_add(struct rule_zone_names *z, const struct keyhash_secret *secret,
	const struct dns_name *name, bool below)
{
	if (!zone_names_room(&z->path, z->count + name->labels + 1, &z->room)
		|| !zone_names_room(&z->wildcard, z->wildcards + 1, &z->wildcard_room))
		return -ENOMEM;
	struct dns_name up = *name;
	z->path[z->count++] = name->labels;
	for (; up.labels > 0; up = rule_suffix(&up, up.labels - 1U))
		z->path[z->count++] = rule_name_hash(secret, &up);
	if (below)
		z->wildcard[z->wildcards++] = z->path[z->count - name->labels];
	return 0;
}

static int by_value(const void *x, const void *y)
{
	const uint64_t *a = x, *b = y;
	return (*a > *b) - (*a < *b);
}

static bool has_wildcard(const struct rule_zone_names *z, uint64_t fingerprint)
{
	return bsearch(&fingerprint, z->wildcard, z->wildcards, sizeof(*z->wildcard), by_value);
}

// Calls `take` for each name that does, some more than once, until it returns another value than 0,
// and returns that; then nothing is kept any more.
static int rule_zone_names_end(struct rule_zone_names *z,
	int (*take)(void *arg, uint64_t fingerprint, unsigned labels), void *arg)
{
	int err = 0;
	if (z->wildcards)
		qsort(z->wildcard, z->wildcards, sizeof(*z->wildcard), by_value);
	for (size_t at = 0, labels; z->wildcards && at < z->count && !err; at += labels + 1) {
		labels = (size_t)z->path[at];
		// From the top down to the farthest wildcard; all below it exist.
		size_t up = labels - 1;
		while (up > 0 && !has_wildcard(z, z->path[at + 1 + up]))
			up--;
		for (size_t i = 0; i < up && !err; i++)
			err = take(arg, z->path[at + 1 + i], (unsigned)(labels - i));
	}
	rule_zone_names_free(z);
	return err;
}

void rule_title_make(char out[RULE_TITLE_MAX], const char *text)
{
	size_t n = 0;
	for (const char *c = text; *c; c++) {
		const bool is_plain = *c >= ' ' && *c < 0x7f;
		if (n + (is_plain ? 2 : 5) > RULE_TITLE_MAX)
			break;
		if (is_plain)
			out[n++] = *c;
		else
			n += (size_t)snprintf(out + n, 5, "\\%03u", (unsigned char)*c);
	}
	memset(out + n, 0, RULE_TITLE_MAX - n);
}

enum {
	PENDING_FIRST = 512,
};

// Fingerprints of one list of the current source.
struct pending {
	uint64_t *hash;
	size_t count, room;
};

struct rule_builder {
	struct keyhash_secret secret;
	struct rule_sets *sets;
	struct rule_rows rows;
	struct pending pending[RULE_LISTS_MAX];
	size_t pending_room; // room of all
	struct rule_numbers numbers;
	struct rule_records records;
	struct rule_patterns patterns;
	struct rule_zone_names zone_names; // names of the current source
	struct rule_off off;               // rules of the current source that it takes away
	struct rule_patterns first;        // counts of patterns in front of the current source
	size_t first_record;
	uint8_t zone; // number of its kinds
	bool is_list; // the current source
	uint64_t depths;
	uint32_t singles[64];
	unsigned source_count;
	struct rule_source_info source[RULE_SOURCES_MAX];
	size_t peak_bytes;
	struct pace *pace;
};

int rule_builder_new(const struct keyhash_secret *secret, const struct rule_list_info *before,
	unsigned before_count, struct rule_builder **out)
{
	struct rule_builder *b = heap_calloc(1, sizeof(*b));
	if (!b)
		return -ENOMEM;
	b->sets = rule_sets_new();
	if (!b->sets) {
		heap_free(b);
		return -ENOMEM;
	}
	b->secret = *secret;
	rule_numbers_init(&b->numbers, before, before_count);
	*out = b;
	return 0;
}

void rule_builder_pace(struct rule_builder *b, struct pace *pace)
{
	b->pace = pace;
}

static void pending_free(struct rule_builder *b)
{
	for (unsigned i = 0; i < RULE_LISTS_MAX; i++) {
		FREE_AND_NULL(b->pending[i].hash);
		b->pending[i] = (struct pending){0};
	}
	b->pending_room = 0;
}

void rule_builder_free(struct rule_builder *b)
{
	if (!b)
		return;
	rule_rows_free(&b->rows);
	rule_numbers_free(&b->numbers);
	rule_records_free(&b->records);
	rule_patterns_free(&b->patterns);
	rule_zone_names_free(&b->zone_names);
	rule_off_free(&b->off);
	pending_free(b);
	FREE_AND_NULL(b->sets);
	heap_free(b);
}

static void note_peak(struct rule_builder *b, size_t arena)
{
	size_t now = sizeof(*b) + sizeof(*b->sets) + arena + b->pending_room * sizeof(uint64_t)
		     + rule_records_bytes(&b->records) + rule_patterns_bytes(&b->patterns)
		     + rule_zone_names_bytes(&b->zone_names) + b->off.room * sizeof(uint64_t)
		     + b->rows.room * (sizeof(*b->rows.hash) + sizeof(*b->rows.set));
	if (now > b->peak_bytes)
		b->peak_bytes = now;
}

size_t rule_builder_peak_bytes(const struct rule_builder *b)
{
	return b->peak_bytes;
}

static int keep_rows(struct rule_builder *b, unsigned list, size_t distinct)
{
	struct pending *p = &b->pending[list];
	if (b->rows.count > 0)
		return rule_rows_merge(&b->rows, b->sets, list, p->hash, distinct);
	int err = rule_rows_first(&b->rows, b->sets, list, &p->hash, distinct);
	if (!err) {
		b->pending_room -= p->room;
		*p = (struct pending){0};
	}
	return err;
}

// The size of the list in the previous image, and a little more: so it need not move as it grows.
static size_t first_room(const struct rule_list_info *before)
{
	uint64_t names = before->kind.covers ? before->names + before->duplicates : 0;
	return names < RULE_ROWS_MAX ? names + names / 16 + PENDING_FIRST : PENDING_FIRST;
}

static int pending_grow(struct rule_builder *b, unsigned list)
{
	struct pending *p = &b->pending[list];
	// Half as much again: unused pages are never touched.
	size_t room = p->room ? p->room + p->room / 2 : first_room(&b->numbers.before[list]);
	if (room > 2 * (size_t)RULE_ROWS_MAX)
		return -E2BIG;
	uint64_t *hash = heap_realloc(p->hash, room * sizeof(*hash));
	if (!hash)
		return -ENOMEM;
	b->pending_room += room - p->room;
	p->hash = hash;
	p->room = room;
	note_peak(b, 0);
	return 0;
}

static int pending_add(struct rule_builder *b, unsigned list, uint64_t hash)
{
	struct pending *p = &b->pending[list];
	int err = p->count == p->room ? pending_grow(b, list) : 0;
	if (!err)
		p->hash[p->count++] = hash;
	return err;
}

// A name of a policy zone that keeps wildcards above it away.
static int add_existing(void *builder, uint64_t hash, unsigned labels)
{
	struct rule_builder *b = builder;
	unsigned source = b->source_count - 1;
	struct rule_kind kind = rule_kind_of(RULE_CLASS_EXCEPT);
	kind.zone = b->zone;
	int list = rule_numbers_of(&b->numbers, source, b->source[source].title, &kind);
	if (list < 0) // rule_builder_finish says for -E2BIG how many numbers it would take
		return list == -ENOMEM ? list : 0;
	b->depths |= UINT64_C(1) << labels;
	return pending_add(b, (unsigned)list, hash);
}

// Takes the rules away that lines with $badfilter name, of the current source.
static int take_off(struct rule_builder *b)
{
	struct rule_off bare = {0}; // names without any record or glob left
	if (b->off.count == 0)
		return 0;
	rule_off_sort(&b->off);
	rule_patterns_take_off(&b->patterns, &b->first, &b->off);
	int err = rule_globs_take_off(&b->patterns, &b->first, &b->off, &bare);
	if (!err)
		err = rule_records_take_off(&b->records, b->first_record, &b->off, &bare);
	rule_off_sort(&bare);
	for (unsigned i = 0; i < RULE_LISTS_MAX; i++) {
		struct pending *p = &b->pending[i];
		size_t kept = 0;
		for (size_t k = 0; k < p->count; k++) {
			const uint64_t key = rule_off_key(i, p->hash[k], 0, NULL, 0);
			if (!rule_off_has(&b->off, key) && !rule_off_has(&bare, key))
				p->hash[kept++] = p->hash[k];
		}
		p->count = kept;
	}
	rule_off_free(&bare);
	rule_off_free(&b->off);
	return err;
}

static int end_source(struct rule_builder *b)
{
	int err = rule_zone_names_end(&b->zone_names, add_existing, b);
	if (!err)
		err = take_off(b);
	for (unsigned i = 0; i < RULE_LISTS_MAX && !err; i++) {
		struct pending *p = &b->pending[i];
		if (p->count == 0)
			continue;
		struct rule_list_info *info = &b->numbers.list[i];
		size_t distinct = rule_hashes_sort(p->hash, p->count, b->pace);
		info->names = distinct;
		info->duplicates = p->count - distinct;
		err = keep_rows(b, i, distinct);
		note_peak(b, 0);
		pace(b->pace);
	}
	pending_free(b);
	return err;
}

int rule_builder_source(struct rule_builder *b, const char *title)
{
	int err = end_source(b);
	if (err)
		return err;
	if (b->source_count == RULE_SOURCES_MAX)
		return -E2BIG;
	b->is_list = false;
	b->first = b->patterns;
	b->first_record = b->records.count;
	rule_title_make(b->source[b->source_count++].title, title);
	return 0;
}

int rule_builder_list(struct rule_builder *b, const char *title)
{
	int err = rule_builder_source(b, title);
	b->is_list = err == 0;
	return err;
}

struct list_rule rule_of_name(enum rule_class rule_class, const struct dns_name *name)
{
	return (struct list_rule){.kind = rule_kind_of(rule_class), .name = name};
}

static int add_zone_name(struct rule_builder *b, const struct list_rule *rule)
{
	b->zone = rule->kind.zone;
	return rule_zone_names_add(
		&b->zone_names, &b->secret, rule->name, rule->kind.covers & RULE_COVERS_BELOW);
}

static int add_name(struct rule_builder *b, unsigned list, const struct list_rule *rule)
{
	const struct dns_name *name = rule->name;
	struct pending *p = &b->pending[list];
	uint64_t hash = rule_name_hash(&b->secret, name);
	const bool has_record = rule->rtype || rule->chain;
	int err = 0;
	if (rule->kind.globs)
		err = rule_patterns_add_glob(&b->patterns, list, hash, rule->glob, rule->glob_len);
	if (!err && has_record)
		err = rule_records_add(&b->records, hash, list, rule);
	if (!err && rule->kind.zone != RULE_ZONE_NONE)
		err = add_zone_name(b, rule);
	// The next record of a name is no repeated name.
	if (!err && (!has_record || p->count == 0 || p->hash[p->count - 1] != hash))
		err = pending_add(b, list, hash);
	if (err)
		return err;
	b->depths |= UINT64_C(1) << name->labels;
	if (name->labels == 1)
		b->singles[name->wire[0] & 63] |= 1U << (name->wire[1] & 31);
	return 0;
}

static bool is_glob_sound(const struct list_rule *rule)
{
	if (!rule->kind.globs)
		return rule->glob_len == 0;
	return rule->kind.globs == 1 && rule->kind.covers == RULE_COVERS_BELOW
	       && rule->what == LIST_RULE_NAME && rule->glob_len > 0
	       && rule->glob_len <= RULE_GLOB_LEN_MAX && !memchr(rule->glob, 0, rule->glob_len);
}

static bool is_sound(const struct list_rule *rule)
{
	const struct rule_kind *k = &rule->kind;
	if (k->rule_class >= RULE_CLASSES || k->covers == 0 || k->covers > RULE_COVERS_ALL
		|| k->reply >= RULE_REPLIES || k->types.count > RULE_TYPES_MAX
		|| k->client[RULE_CLIENT_MAX - 1] || k->zone > RULE_ZONE_ANY
		|| k->base > RULE_LABELS_MAX || !is_glob_sound(rule))
		return false;
	return rule->what != LIST_RULE_NAME
	       || (rule->name->labels >= 1 && rule->name->labels <= RULE_LABELS_MAX);
}

static uint64_t off_key(const struct rule_builder *b, unsigned list, const struct list_rule *rule)
{
	if (rule->what == LIST_RULE_PATTERN)
		return rule_off_key(list, 0, 0, rule->pattern, rule->pattern_len);
	if (rule->what == LIST_RULE_ADDRESS) {
		const struct rule_prefix_row row = prefix_row(list, &rule->prefix);
		return prefix_key(&row);
	}
	const uint64_t hash = rule_name_hash(&b->secret, rule->name);
	if (rule->kind.globs)
		return rule_off_key(list, hash, 0, rule->glob, rule->glob_len);
	return rule_off_key(list, hash, rule->rtype, rule->rdata, rule->rdata_len);
}

// How many of its kind, of `max` at most, there may be after a rule of the current source.
static size_t most_of(const struct rule_builder *b, size_t max)
{
	return b->is_list ? max - max / 16 : max;
}

int rule_builder_rule(void *builder, const struct list_rule *rule)
{
	struct rule_builder *b = builder;
	unsigned source = b->source_count - 1;
	if (!is_sound(rule))
		return -EINVAL;
	int list = rule_numbers_of(&b->numbers, source, b->source[source].title, &rule->kind);
	if (list == -E2BIG && b->numbers.more_count < RULE_NUMBERS_MORE_MAX)
		return 0; // rule_builder_finish will say how many it would take
	if (list < 0)
		return list;
	if (rule->off)
		return rule_off_add(&b->off, off_key(b, (unsigned)list, rule));
	switch (rule->what) {
	case LIST_RULE_PATTERN:
		return rule_patterns_add(
			&b->patterns, (unsigned)list, rule, most_of(b, RULE_PATTERNS_MAX));
	case LIST_RULE_ADDRESS:
		return rule_patterns_add_prefix(
			&b->patterns, (unsigned)list, &rule->prefix, most_of(b, RULE_PREFIXES_MAX));
	case LIST_RULE_NAME:
		break;
	}
	return add_name(b, (unsigned)list, rule);
}

void rule_builder_source_info(struct rule_builder *b, const struct rule_source_info *info)
{
	struct rule_source_info *to = &b->source[b->source_count - 1];
	char title[RULE_TITLE_MAX];
	memcpy(title, to->title, sizeof(title));
	*to = *info;
	memcpy(to->title, title, sizeof(title));
}

unsigned rule_builder_numbers(const struct rule_builder *b, unsigned *resting)
{
	*resting = rule_numbers_resting(&b->numbers);
	return rule_numbers_needed(&b->numbers);
}

static uint64_t align_up(uint64_t n, uint64_t to)
{
	return (n + to - 1) / to * to;
}

// The part behind the last one, from a byte that `align` divides.
static uint64_t place(struct rule_image_head *h, uint64_t count, uint64_t each, uint64_t align)
{
	uint64_t off = align_up(h->size, align);
	h->size = off + count * each;
	return off;
}

static bool holds_others(const struct rule_builder *b, const struct rule_set *set)
{
	bool holds = false;
	for (unsigned i = 0; i < RULE_LISTS_MAX; i++)
		holds |= set->lists[i / 64] >> i % 64 & 1 && !b->numbers.list[i].kind.globs;
	return holds;
}

// Names that other lists hold too: their globs alone must not pass a query.
static void open_shared(const struct rule_builder *b, struct rule_glob_name *table, uint64_t slots)
{
	const struct rule_rows *rows = &b->rows;
	size_t row = 0;
	for (uint64_t i = 0; i < slots; i++) {
		const uint64_t hash = table[i].fingerprint;
		while (hash && row < rows->count && rows->hash[row] < hash)
			row++;
		for (; hash && row < rows->count && rows->hash[row] == hash; row++)
			if (holds_others(b, &b->sets->set[rows->set[row]]))
				table[i].begins = UINT64_MAX;
	}
}

static int lay_out(
	struct rule_builder *b, struct rule_image_head *h, const struct rule_data_parts *data)
{
	uint64_t homes = rule_table_homes(&b->rows);
	if (homes == 0)
		return -E2BIG;
	h->names = b->rows.names;
	h->entries = b->rows.count;
	h->depths = b->depths;
	memcpy(h->singles, b->singles, sizeof(h->singles));
	h->list_count = rule_numbers_end(&b->numbers);
	h->source_count = b->source_count;
	h->set_count = rule_rows_pack(&b->rows, b->sets);
	h->bloom_blocks = rule_bloom_blocks(&b->rows);
	h->table_buckets = homes + RULE_WALK_MAX;
	h->index_slots = h->data_entries = data->entries;
	h->answers = data->answers;
	h->bytes = data->byte_count;
	h->data_dropped = data->dropped + b->records.dropped + b->patterns.globs_dropped;
	h->patterns = b->patterns.pattern_count;
	h->prefixes = b->patterns.prefix_count;
	h->globs = b->patterns.glob_count;
	h->glob_names = h->globs ? rule_globs_homes(&b->patterns) + RULE_WALK_MAX : 0;
	h->texts = b->patterns.text_len;
	h->size = sizeof(*h);
	h->bloom_off = place(h, h->bloom_blocks, sizeof(struct rule_bloom_block), CACHE_LINE);
	h->table_off = place(h, h->table_buckets, sizeof(struct rule_bucket), CACHE_LINE);
	h->sets_off = place(h, h->set_count, sizeof(struct rule_set), CACHE_LINE);
	h->entries_off = place(h, h->data_entries, sizeof(struct rule_data_entry), 8);
	h->answers_off = place(h, h->answers, sizeof(struct rule_data_answer), 8);
	h->bytes_off = place(h, h->bytes, 1, 8);
	h->index_off = place(h, h->index_slots + 1, sizeof(uint32_t), 4);
	h->lists_off = place(h, h->list_count, sizeof(struct rule_list_info), 8);
	h->sources_off = place(h, h->source_count, sizeof(struct rule_source_info), 8);
	h->patterns_off = place(h, h->patterns, sizeof(struct rule_pattern_row), 8);
	h->prefixes_off = place(h, h->prefixes, sizeof(struct rule_prefix_row), 8);
	h->globs_off = place(h, h->globs, sizeof(struct rule_glob_row), 8);
	h->glob_names_off = place(h, h->glob_names, sizeof(struct rule_glob_name), 8);
	h->texts_off = place(h, h->texts, 1, 1);
	h->size = align_up(h->size, 8);
	return 0;
}

static void copy_in(uint8_t *base, uint64_t off, const void *from, uint64_t count, size_t each)
{
	if (count > 0)
		memcpy(base + off, from, count * each);
}

static int fill(struct rule_builder *b, const struct rule_image_head *h, uint8_t *base)
{
	struct rule_data_parts data = {
		.index = (void *)(base + h->index_off),
		.entry = (void *)(base + h->entries_off),
		.answer = (void *)(base + h->answers_off),
		.bytes = base + h->bytes_off,
	};
	rule_bloom_fill(&b->rows, h->bloom_blocks, (void *)(base + h->bloom_off));
	pace(b->pace);
	rule_table_fill(&b->rows, h->table_buckets - RULE_WALK_MAX, (void *)(base + h->table_off));
	pace(b->pace);
	copy_in(base, h->sets_off, b->sets->set, h->set_count, sizeof(struct rule_set));
	copy_in(base, h->lists_off, b->numbers.list, h->list_count, sizeof(struct rule_list_info));
	copy_in(base, h->sources_off, b->source, h->source_count, sizeof(struct rule_source_info));
	copy_in(base, h->patterns_off, b->patterns.pattern, h->patterns,
		sizeof(struct rule_pattern_row));
	copy_in(base, h->prefixes_off, b->patterns.prefix, h->prefixes,
		sizeof(struct rule_prefix_row));
	if (h->globs) {
		struct rule_glob_name *names = (void *)(base + h->glob_names_off);
		(void)rule_globs_fill(&b->patterns, h->glob_names - RULE_WALK_MAX, names,
			(void *)(base + h->globs_off));
		open_shared(b, names, h->glob_names);
	}
	copy_in(base, h->texts_off, b->patterns.text, h->texts, 1);
	return rule_records_walk(&b->records, &data);
}

// The parts in which rules end up that are not in rows, ready to be counted.
static int settle(struct rule_builder *b, struct rule_data_parts *data)
{
	unsigned resting;
	int err = end_source(b);
	if (!err && rule_builder_numbers(b, &resting) > RULE_LISTS_MAX)
		err = -E2BIG;
	if (err)
		return err;
	rule_patterns_sort(&b->patterns);
	rule_globs_sort(&b->patterns);
	rule_records_sort(&b->records);
	return rule_records_walk(&b->records, data);
}

int rule_builder_finish(struct rule_builder *b, uint64_t input_hash, uint64_t created_unix_s,
	struct rule_arena *out)
{
	struct rule_image_head h = {.magic = RULE_IMAGE_MAGIC, .version = RULE_IMAGE_VERSION};
	struct rule_data_parts data = {0};
	struct rule_arena arena;
	int err = settle(b, &data);
	if (!err)
		err = lay_out(b, &h, &data);
	if (!err)
		err = rule_arena_new(&arena, h.size);
	if (err)
		return err;
	note_peak(b, arena.size);
	uint8_t *base = arena.base;
	err = fill(b, &h, base);
	if (err) {
		rule_arena_free(&arena);
		return err;
	}
	h.secret = b->secret;
	h.input_hash = input_hash;
	h.created_unix_s = created_unix_s;
	h.body_sum = contenthash(base + sizeof(h), arena.size - sizeof(h));
	h.head_sum = contenthash(&h, offsetof(struct rule_image_head, head_sum));
	memcpy(base, &h, sizeof(h));
	*out = arena;
	return 0;
}
