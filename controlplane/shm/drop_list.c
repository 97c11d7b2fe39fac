// SPDX-License-Identifier: BSD-3-Clause

#include "drop_list.h"

#include <errno.h>
#include <string.h>

static void write_begin(struct directory_drops *d)
{
	uint64_t now = atomic_load_explicit(&d->sequence, memory_order_relaxed);
	atomic_store_explicit(&d->sequence, now | 1, memory_order_relaxed);
	atomic_thread_fence(memory_order_release);
}

static void write_end(struct directory_drops *d)
{
	uint64_t now = atomic_load_explicit(&d->sequence, memory_order_relaxed);
	atomic_store_explicit(&d->sequence, now + 1, memory_order_release);
}

static bool is_sane(const struct directory_drop *e)
{
	return e->version == 0 || drop_source_is_sane(e->version, e->prefix_len);
}

void drop_list_open(struct directory *dir)
{
	struct directory_drops *d = &dir->drops;
	bool sane = atomic_load_explicit(&d->sequence, memory_order_relaxed) % 2 == 0;
	for (unsigned i = 0; i < DIRECTORY_DROPS_MAX; i++)
		sane &= is_sane(&d->entry[i]);
	if (sane)
		return;
	write_begin(d);
	memset(d->entry, 0, sizeof(d->entry));
	write_end(d);
}

static bool is_free(const struct directory_drop *e, uint64_t now_ms)
{
	return e->version == 0 || e->expires_ms <= now_ms;
}

static bool is_of(const struct directory_drop *e, const struct ip_address *a)
{
	return e->version == a->version && e->prefix_len == a->prefix_len
	       && memcmp(e->bytes, a->bytes, sizeof(e->bytes)) == 0;
}

static void put(struct directory_drops *d, unsigned i, const struct directory_drop *e)
{
	write_begin(d);
	d->entry[i] = *e;
	write_end(d);
}

int drop_list_add(
	struct directory *dir, struct ip_address *source, unsigned minutes, uint64_t now_ms)
{
	struct directory_drops *d = &dir->drops;
	if (!drop_source_is_sane(source->version, source->prefix_len) || minutes == 0
		|| minutes > DROP_MINUTES_MAX)
		return -EINVAL;
	if (ip_address_mask(source))
		return -EDOM;
	unsigned place = DIRECTORY_DROPS_MAX;
	for (unsigned i = DIRECTORY_DROPS_MAX; i-- > 0;) {
		if (is_free(&d->entry[i], now_ms))
			place = i;
	}
	for (unsigned i = 0; i < DIRECTORY_DROPS_MAX; i++) {
		if (is_of(&d->entry[i], source))
			place = i;
	}
	if (place == DIRECTORY_DROPS_MAX)
		return -ENOSPC;
	struct directory_drop e = {.version = source->version,
		.prefix_len = source->prefix_len,
		.expires_ms = now_ms + minutes * UINT64_C(60000)};
	memcpy(e.bytes, source->bytes, sizeof(e.bytes));
	put(d, place, &e);
	return 0;
}

int drop_list_remove(struct directory *dir, struct ip_address *source, uint64_t now_ms)
{
	struct directory_drops *d = &dir->drops;
	(void)ip_address_mask(source);
	for (unsigned i = 0; i < DIRECTORY_DROPS_MAX; i++) {
		if (!is_of(&d->entry[i], source) || is_free(&d->entry[i], now_ms))
			continue;
		put(d, i, &(struct directory_drop){0});
		return 0;
	}
	return -ENOENT;
}

bool drop_list_at(const struct directory *dir, unsigned i, uint64_t now_ms,
	struct ip_address *source, uint64_t *left_ms)
{
	const struct directory_drop *e = &dir->drops.entry[i];
	if (is_free(e, now_ms) || !is_sane(e))
		return false;
	*source = (struct ip_address){.version = e->version, .prefix_len = e->prefix_len};
	memcpy(source->bytes, e->bytes, sizeof(source->bytes));
	*left_ms = e->expires_ms - now_ms;
	return true;
}
