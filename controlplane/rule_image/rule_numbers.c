// SPDX-License-Identifier: BSD-3-Clause
#include "rule_numbers.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <weir/heap_site.h>

struct rule_kind rule_kind_of(enum rule_class rule_class)
{
	return (struct rule_kind){.rule_class = (uint8_t)rule_class, .covers = RULE_COVERS_ALL};
}

void rule_numbers_init(
	struct rule_numbers *n, const struct rule_list_info *before, unsigned before_count)
{
	memset(n, 0, sizeof(*n));
	n->last = RULE_LISTS_MAX;
	if (before_count > 0)
		memcpy(n->before, before, before_count * sizeof(*before));
}

void rule_numbers_free(struct rule_numbers *n)
{
	FREE_AND_NULL(n->more);
}

static bool same_kind(const struct rule_kind *a, const struct rule_kind *b)
{
	return memcmp(a, b, sizeof(*a)) == 0;
}

static bool is_list(const struct rule_numbers *n, unsigned number, unsigned source,
	const struct rule_kind *kind)
{
	const struct rule_list_info *l = &n->list[number];
	return l->source == source && same_kind(&l->kind, kind);
}

static unsigned fixed_number(unsigned source, const struct rule_kind *kind)
{
	static const enum rule_class of[] = {
		[RULE_LIST_ALLOW] = RULE_CLASS_OPERATOR_ALLOW,
		[RULE_LIST_DENY] = RULE_CLASS_OPERATOR_DENY,
	};
	if (source >= ARRAY_LEN(of))
		return RULE_LISTS_MAX;
	struct rule_kind plain = rule_kind_of(of[source]);
	return same_kind(&plain, kind) ? source : RULE_LISTS_MAX;
}

// The number that the image before gave it, else the lowest one that neither uses.
static unsigned choose(const struct rule_numbers *n, unsigned source,
	const char title[RULE_TITLE_MAX], const struct rule_kind *kind)
{
	unsigned fresh = RULE_LISTS_MAX, fixed = fixed_number(source, kind);
	if (fixed != RULE_LISTS_MAX)
		return fixed;
	for (unsigned i = RULE_LIST_FIRST; i < RULE_LISTS_MAX; i++) {
		if (n->list[i].kind.covers)
			continue;
		if (!n->before[i].kind.covers)
			fresh = fresh < i ? fresh : i;
		else if (same_kind(&n->before[i].kind, kind)
			 && memcmp(n->before[i].title, title, RULE_TITLE_MAX) == 0)
			return i;
	}
	return fresh;
}

static int count_more(struct rule_numbers *n, unsigned source, const struct rule_kind *kind)
{
	for (unsigned i = 0; i < n->more_count; i++)
		if (n->more[i].source == source && same_kind(&n->more[i].kind, kind))
			return -E2BIG;
	if (n->more_count == RULE_NUMBERS_MORE_MAX)
		return -E2BIG;
	if (n->more_count == n->more_room) {
		unsigned room = n->more_room ? 2 * n->more_room : 64;
		struct rule_number_key *more = heap_realloc(n->more, room * sizeof(*more));
		if (!more)
			return -ENOMEM;
		n->more = more;
		n->more_room = room;
	}
	n->more[n->more_count++] = (struct rule_number_key){.kind = *kind, .source = source};
	n->kinds++;
	return -E2BIG;
}

int rule_numbers_of(struct rule_numbers *n, unsigned source, const char title[RULE_TITLE_MAX],
	const struct rule_kind *kind)
{
	if (n->last < RULE_LISTS_MAX && is_list(n, n->last, source, kind))
		return (int)n->last;
	for (unsigned i = 0; i < RULE_LISTS_MAX; i++)
		if (is_list(n, i, source, kind)) {
			n->last = i;
			return (int)i;
		}
	n->kinds = n->source == source ? n->kinds : 0;
	n->source = source;
	if (n->kinds == RULE_SOURCE_KINDS_MAX)
		return -ENOSPC;
	unsigned number = choose(n, source, title, kind);
	if (number == RULE_LISTS_MAX)
		return count_more(n, source, kind);
	struct rule_list_info *l = &n->list[number];
	*l = (struct rule_list_info){.kind = *kind, .source = (uint16_t)source};
	memcpy(l->title, title, RULE_TITLE_MAX);
	n->last = number;
	n->kinds++;
	return (int)number;
}

unsigned rule_numbers_resting(const struct rule_numbers *n)
{
	unsigned resting = 0;
	for (unsigned i = RULE_LIST_FIRST; i < RULE_LISTS_MAX; i++)
		resting += n->before[i].kind.covers && !n->list[i].kind.covers;
	return resting;
}

unsigned rule_numbers_needed(const struct rule_numbers *n)
{
	unsigned needed = RULE_LIST_FIRST + rule_numbers_resting(n) + n->more_count;
	for (unsigned i = RULE_LIST_FIRST; i < RULE_LISTS_MAX; i++)
		needed += n->list[i].kind.covers != 0;
	return needed;
}

unsigned rule_numbers_end(const struct rule_numbers *n)
{
	for (unsigned i = RULE_LISTS_MAX; i > 0; i--)
		if (n->list[i - 1].kind.covers)
			return i;
	return 0;
}

void rule_rest_note(
	struct rule_rest *r, const struct rule_list_info *lists, unsigned count, uint64_t now_ms)
{
	for (unsigned i = 0; i < count; i++)
		if (lists[i].kind.covers) {
			r->list[i] = lists[i];
			r->left_ms[i] = now_ms;
		}
}

unsigned rule_rest_add(const struct rule_rest *r, struct rule_list_info lists[RULE_LISTS_MAX],
	unsigned count, uint64_t now_ms)
{
	bool keeps[RULE_LISTS_MAX];
	unsigned numbers = 0, end = count;
	memset(&lists[count], 0, (RULE_LISTS_MAX - count) * sizeof(*lists));
	for (unsigned i = 0; i < RULE_LISTS_MAX; i++) {
		keeps[i] = !lists[i].kind.covers && r->list[i].kind.covers
			   && now_ms - r->left_ms[i] < RULE_REST_MS;
		numbers += keeps[i] || lists[i].kind.covers;
	}
	for (unsigned i = 0; i < RULE_LISTS_MAX && numbers <= RULE_REST_NUMBERS_MAX; i++)
		if (keeps[i]) {
			lists[i] = r->list[i];
			end = end > i + 1 ? end : i + 1;
		}
	return end;
}
