// SPDX-License-Identifier: BSD-3-Clause
#include "watch_join.h"

struct watch_half *watch_join_place(struct watch_join *j, uint32_t number, uint16_t worker)
{
	struct watch_half *free = NULL, *oldest = &j->half[0];
	for (unsigned i = 0; i < WATCH_JOIN_MAX; i++) {
		struct watch_half *h = &j->half[i];
		if (h->number == number && h->worker == worker)
			return h;
		if (!h->number)
			free = h;
		if (h->order < oldest->order)
			oldest = h;
	}
	return free ? free : oldest;
}

struct watch_half *watch_join_due(struct watch_join *j, uint64_t now_ms)
{
	for (unsigned i = 0; i < WATCH_JOIN_MAX; i++)
		if (j->half[i].number && j->half[i].until_ms < now_ms)
			return &j->half[i];
	return NULL;
}

unsigned watch_join_used(const struct watch_join *j)
{
	unsigned used = 0;
	for (unsigned i = 0; i < WATCH_JOIN_MAX; i++)
		used += j->half[i].number != 0;
	return used;
}
