// SPDX-License-Identifier: BSD-3-Clause
#include "upstream_book.h"

#include "base/table_registry.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <weir/heap_site.h>
#include <weir/log_msg.h>
#include <weir/text.h>

struct upstream_book {
	pthread_mutex_t lock; // held while a name is added
	_Atomic unsigned count;
	_Atomic uint64_t refused;
	char name[UPSTREAM_BOOK_MAX][UPSTREAM_BOOK_NAME_MAX];
};
static_assert((int)UPSTREAM_BOOK_MAX <= (int)LOG_NO_UPSTREAM);

int upstream_book_open(struct upstream_book **out)
{
	struct upstream_book *b = heap_calloc(1, sizeof(*b));
	if (!b)
		return -ENOMEM;
	pthread_mutex_init(&b->lock, NULL);
	*out = b;
	return 0;
}

void upstream_book_close(struct upstream_book *b)
{
	if (b)
		pthread_mutex_destroy(&b->lock);
	heap_free(b);
}

static uint16_t number_of(struct upstream_book *b, const char text[UPSTREAM_BOOK_NAME_MAX])
{
	unsigned count = atomic_load_explicit(&b->count, memory_order_relaxed);
	for (unsigned i = 0; i < count; i++)
		if (strcmp(b->name[i], text) == 0)
			return (uint16_t)i;
	if (count == UPSTREAM_BOOK_MAX) {
		atomic_fetch_add_explicit(&b->refused, 1, memory_order_relaxed);
		return LOG_NO_UPSTREAM;
	}
	memcpy(b->name[count], text, UPSTREAM_BOOK_NAME_MAX);
	atomic_store_explicit(&b->count, count + 1, memory_order_release);
	return (uint16_t)count;
}

uint16_t upstream_book_number(struct upstream_book *b, const char *name)
{
	char text[UPSTREAM_BOOK_NAME_MAX] = "";
	if (!b)
		return LOG_NO_UPSTREAM;
	text_name(name, text, sizeof(text));
	pthread_mutex_lock(&b->lock);
	uint16_t number = number_of(b, text);
	pthread_mutex_unlock(&b->lock);
	return number;
}

const char *upstream_book_name(const struct upstream_book *b, unsigned number)
{
	if (!b || number >= atomic_load_explicit(&b->count, memory_order_acquire))
		return "";
	return b->name[number];
}

void upstream_book_tables(const struct upstream_book *b, struct table_registry *tables)
{
	unsigned count = atomic_load_explicit(&b->count, memory_order_relaxed);
	table_register(
		tables, &(struct table_info){.name = "upstream_names",
				.owner = "resolver loop",
				.eviction = "refuse: the upstream has no name in the query log",
				.lifetime = "life of the process",
				.kind = TABLE_CACHE,
				.cap = UPSTREAM_BOOK_MAX,
				.used = count,
				.high = count,
				.refused = atomic_load_explicit(&b->refused, memory_order_relaxed),
				.has = TABLE_REFUSES,
				.bytes = sizeof(*b)});
}
