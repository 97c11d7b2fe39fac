// SPDX-License-Identifier: BSD-3-Clause
#include "rule_patterns.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <weir/heap_site.h>

static_assert((int)RULE_PATTERN_LEN_MAX == (int)LIST_PATTERN_MAX);

void rule_patterns_free(struct rule_patterns *p)
{
	FREE_AND_NULL(p->pattern);
	FREE_AND_NULL(p->prefix);
	FREE_AND_NULL(p->text);
	*p = (struct rule_patterns){0};
}

size_t rule_patterns_bytes(const struct rule_patterns *p)
{
	return p->pattern_room * sizeof(*p->pattern) + p->prefix_room * sizeof(*p->prefix)
	       + p->text_room;
}

static int make_room(void **array, size_t *room, size_t needed, size_t each)
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

int rule_patterns_add(struct rule_patterns *p, unsigned list, const char *text, size_t len)
{
	if (len == 0 || len > RULE_PATTERN_LEN_MAX || memchr(text, 0, len))
		return -EINVAL;
	if (p->pattern_count == RULE_PATTERNS_MAX)
		return -ENOSPC;
	void *rows = p->pattern, *texts = p->text;
	int err = make_room(&rows, &p->pattern_room, p->pattern_count + 1, sizeof(*p->pattern));
	p->pattern = rows;
	if (!err)
		err = make_room(&texts, &p->text_room, p->text_len + len, 1);
	p->text = texts;
	if (err)
		return err;
	p->pattern[p->pattern_count++] = (struct rule_pattern_row){
		.off = (uint32_t)p->text_len, .len = (uint16_t)len, .list = (uint16_t)list};
	memcpy(p->text + p->text_len, text, len);
	p->text_len += len;
	return 0;
}

int rule_patterns_add_prefix(
	struct rule_patterns *p, unsigned list, const struct ip_address *prefix)
{
	unsigned bits = prefix->version == 4 ? 32 : 128;
	if ((prefix->version != 4 && prefix->version != 6) || prefix->prefix_len > bits)
		return -EINVAL;
	if (p->prefix_count == RULE_PREFIXES_MAX)
		return -ENOSPC;
	void *rows = p->prefix;
	int err = make_room(&rows, &p->prefix_room, p->prefix_count + 1, sizeof(*p->prefix));
	p->prefix = rows;
	if (err)
		return err;
	struct rule_prefix_row *row = &p->prefix[p->prefix_count++];
	*row = (struct rule_prefix_row){
		.version = prefix->version, .length = prefix->prefix_len, .list = (uint16_t)list};
	memcpy(row->bytes, prefix->bytes, bits / 8);
	return 0;
}

static int compare_patterns(const void *a, const void *b, void *text)
{
	const struct rule_pattern_row *x = a, *y = b;
	if (x->list != y->list)
		return x->list < y->list ? -1 : 1;
	if (x->len != y->len)
		return x->len < y->len ? -1 : 1;
	int order = memcmp((char *)text + x->off, (char *)text + y->off, x->len);
	return order ? order : x->off < y->off ? -1 : x->off > y->off;
}

static bool same_pattern(const struct rule_patterns *p, const struct rule_pattern_row *a,
	const struct rule_pattern_row *b)
{
	return a->list == b->list && a->len == b->len
	       && memcmp(p->text + a->off, p->text + b->off, a->len) == 0;
}

static int compare_prefixes(const void *a, const void *b)
{
	const struct rule_prefix_row *x = a, *y = b;
	if (x->list != y->list)
		return x->list < y->list ? -1 : 1;
	return memcmp(x, y, sizeof(*x));
}

void rule_patterns_sort(struct rule_patterns *p)
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
