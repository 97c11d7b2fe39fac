// SPDX-License-Identifier: BSD-3-Clause
#include "list_rest.h"

#include <stdbool.h>
#include <string.h>

void list_rest_note(
	struct list_rest *r, const struct rule_list_info *lists, unsigned count, uint64_t now_ms)
{
	for (unsigned i = 0; i < count; i++)
		if (lists[i].kind.covers) {
			r->list[i] = lists[i];
			r->left_ms[i] = now_ms;
		}
}

unsigned list_rest_add(const struct list_rest *r, struct rule_list_info lists[RULE_LISTS_MAX],
	unsigned count, uint64_t now_ms)
{
	bool keeps[RULE_LISTS_MAX];
	unsigned numbers = 0, end = count;
	memset(&lists[count], 0, (RULE_LISTS_MAX - count) * sizeof(*lists));
	for (unsigned i = 0; i < RULE_LISTS_MAX; i++) {
		keeps[i] = !lists[i].kind.covers && r->list[i].kind.covers
			   && now_ms - r->left_ms[i] < LIST_REST_MS;
		numbers += keeps[i] || lists[i].kind.covers;
	}
	for (unsigned i = 0; i < RULE_LISTS_MAX && numbers <= LIST_REST_NUMBERS_MAX; i++)
		if (keeps[i]) {
			lists[i] = r->list[i];
			end = end > i + 1 ? end : i + 1;
		}
	return end;
}
