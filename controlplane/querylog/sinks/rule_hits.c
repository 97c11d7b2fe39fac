// SPDX-License-Identifier: BSD-3-Clause
#include "rule_hits.h"

#include <stdio.h>
#include <string.h>

static bool has_list(const struct rule_reader *r, const struct rule_set *set, const char *title)
{
	for (unsigned w = 0; w < ARRAY_LEN(set->lists); w++) {
		for (uint64_t left = set->lists[w]; left; left &= left - 1) {
			const struct rule_list_info *list =
				rule_list_info(r, w * 64 + (unsigned)__builtin_ctzll(left));
			if (list && strncmp(list->title, title, RULE_TITLE_MAX) == 0)
				return true;
		}
	}
	return false;
}

static bool rule_find(
	const struct rule_reader *r, const struct querylog_row *row, struct dns_name *out)
{
	struct rule_match match[RULE_LABELS_MAX];
	struct dns_name name;
	if (!r || dns_name_from_text(row->qname.at, row->qname.len, &name))
		return false;
	const unsigned count = rule_matches(r, &name, row->qtype, match);
	for (unsigned i = 0; i < count; i++) {
		if (!has_list(r, &match[i].set, row->list.at))
			continue;
		*out = rule_suffix(&name, match[i].labels);
		return rule_reader_is_whole(r);
	}
	return false;
}

size_t rule_hits_text(
	const struct rule_reader *r, const struct querylog_row *row, char out[RULE_HIT_TEXT_MAX])
{
	char name[DNS_NAME_TEXT_MAX] = "";
	struct dns_name rule;
	if (rule_find(r, row, &rule))
		(void)dns_name_to_text(&rule, name);
	return (size_t)snprintf(
		out, RULE_HIT_TEXT_MAX, "%.*s\n%s", RULE_TITLE_MAX - 1, row->list.at, name);
}

static bool is_list(const struct rule_hits_list *l, const char *title)
{
	return strncmp(l->title, title, RULE_TITLE_MAX - 1) == 0;
}

void rule_hits_add(struct rule_hits *h, const struct querylog_text *title, uint64_t queries)
{
	unsigned i = h->last;
	if (i >= h->count || !is_list(&h->list[i], title->at))
		for (i = 0; i < h->count && !is_list(&h->list[i], title->at); i++)
			;
	if (i == RULE_HIT_LISTS) {
		h->left_out += queries;
		return;
	}
	if (i == h->count) {
		snprintf(h->list[i].title, RULE_TITLE_MAX, "%s", title->at);
		h->count++;
	}
	h->list[i].queries += queries;
	h->last = i;
}

uint64_t rule_hits_of(const struct rule_hits *h, const char *title)
{
	for (unsigned i = 0; i < h->count; i++)
		if (is_list(&h->list[i], title))
			return h->list[i].queries;
	return 0;
}
