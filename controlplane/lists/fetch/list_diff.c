// SPDX-License-Identifier: BSD-3-Clause
#include "list_diff.h"

#include "base/rng.h"
#include "transfer/axfr.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>
#include <weir/heap_site.h>
#include <weir/keyhash.h>

enum { WINDOW = 1 << 16, ROOM_FIRST = 256, TEXT_FIRST = 1 << 14 };
static_assert((int)WINDOW > (int)AXFR_LINE_MAX);

struct entry {
	uint32_t at, len; // place and length in the text
	bool was, is;     // is it in the old copy, in the new one?
	bool seen;        // found in the old copy, or written as the first line of the new one
};

struct list_diff {
	struct keyhash_secret secret;
	uint32_t *slot; // [2 * room]: entry + 1; 0: free
	struct entry *entry;
	uint32_t count, room;
	char *text;
	size_t text_len, text_room;
	uint64_t changes;
	char window[WINDOW]; // a part of the file
};

static uint32_t *slot_find(const struct list_diff *d, const char *line, size_t len)
{
	const uint32_t mask = 2 * d->room - 1;
	uint32_t i = (uint32_t)keyhash(&d->secret, line, len) & mask;
	for (; d->slot[i]; i = (i + 1) & mask) {
		const struct entry *e = &d->entry[d->slot[i] - 1];
		if (e->len == len && memcmp(d->text + e->at, line, len) == 0)
			break;
	}
	return &d->slot[i];
}

static struct entry *entry_find(const struct list_diff *d, const char *line, size_t len)
{
	uint32_t number = *slot_find(d, line, len);
	return number ? &d->entry[number - 1] : NULL;
}

// Room for one more entry.
static int room_make(struct list_diff *d)
{
	uint32_t room = d->room ? 2 * d->room : ROOM_FIRST;
	if (d->count < d->room)
		return 0;
	if (room > LIST_DIFF_LINES_MAX)
		return -E2BIG;
	struct entry *entry = heap_realloc(d->entry, room * sizeof(*entry));
	if (!entry)
		return -ENOMEM;
	d->entry = entry;
	uint32_t *slot = heap_calloc(2 * (size_t)room, sizeof(*slot));
	if (!slot)
		return -ENOMEM;
	FREE_AND_NULL(d->slot);
	d->slot = slot;
	d->room = room;
	for (uint32_t i = 0; i < d->count; i++)
		*slot_find(d, d->text + entry[i].at, entry[i].len) = i + 1;
	return 0;
}

// Room for `len` more bytes of text.
static int text_make(struct list_diff *d, size_t len)
{
	size_t room = d->text_room ? d->text_room : TEXT_FIRST;
	if (d->text_len + len > LIST_DIFF_TEXT_MAX)
		return -E2BIG;
	while (room < d->text_len + len)
		room *= 2;
	if (room == d->text_room)
		return 0;
	char *text = heap_realloc(d->text, room);
	if (!text)
		return -ENOMEM;
	d->text = text;
	d->text_room = room;
	return 0;
}

int list_diff_new(struct list_diff **out)
{
	struct rng rng = {0};
	struct list_diff *d = heap_calloc(1, sizeof(*d));
	if (!d)
		return -ENOMEM;
	rng_bytes(&rng, &d->secret, sizeof(d->secret));
	explicit_bzero(&rng, sizeof(rng));
	if (room_make(d) < 0 || text_make(d, 1) < 0) {
		list_diff_free(d);
		return -ENOMEM;
	}
	*out = d;
	return 0;
}

void list_diff_free(struct list_diff *d)
{
	if (!d)
		return;
	FREE_AND_NULL(d->slot);
	FREE_AND_NULL(d->entry);
	FREE_AND_NULL(d->text);
	heap_free(d);
}

uint64_t list_diff_changes(const struct list_diff *d)
{
	return d->changes;
}

int list_diff_change(struct list_diff *d, bool joins, const char *line, size_t len)
{
	struct entry *e = entry_find(d, line, len);
	if (e && e->is == joins)
		return -EBADMSG;
	if (e) {
		e->is = joins;
		d->changes++;
		return 0;
	}
	int err = room_make(d);
	if (err == 0)
		err = text_make(d, len);
	if (err < 0)
		return err;
	*slot_find(d, line, len) = d->count + 1;
	d->entry[d->count++] = (struct entry){
		.at = (uint32_t)d->text_len, .len = (uint32_t)len, .was = !joins, .is = joins};
	memcpy(d->text + d->text_len, line, len);
	d->text_len += len;
	d->changes++;
	return 0;
}

// One line of the old copy.
static int line_apply(struct list_diff *d, const char *line, size_t len,
	int (*text)(void *arg, const char *line, size_t len), void *arg)
{
	struct entry *e = entry_find(d, line, len);
	if (e && !e->was)
		return -EBADMSG;
	if (e)
		e->seen = true;
	return e && !e->is ? 0 : text(arg, line, len);
}

// All lines of the old copy.
static int copy_apply(struct list_diff *d, int copy,
	int (*text)(void *arg, const char *line, size_t len), void *arg)
{
	size_t have = 0;
	off_t at = 0;
	for (;;) {
		ssize_t n = pread(copy, d->window + have, sizeof(d->window) - have, at);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : have ? -EBADMSG : 0;
		at += n;
		have += (size_t)n;
		const char *line = d->window, *end = d->window + have, *feed;
		while ((feed = memchr(line, '\n', (size_t)(end - line)))) {
			int err = line_apply(d, line, (size_t)(feed + 1 - line), text, arg);
			if (err)
				return err;
			line = feed + 1;
		}
		have = (size_t)(end - line);
		if (have == sizeof(d->window))
			return -EBADMSG; // a line that no reader of transfers writes
		memmove(d->window, line, have);
	}
}

int list_diff_apply(struct list_diff *d, int copy, const char *soa, size_t soa_len,
	int (*text)(void *arg, const char *line, size_t len), void *arg)
{
	struct entry *first = entry_find(d, soa, soa_len);
	if (!first || first->was || !first->is)
		return -EBADMSG;
	for (uint32_t i = 0; i < d->count; i++)
		d->entry[i].seen = false;
	int err = copy_apply(d, copy, text, arg);
	first->seen = true;
	for (uint32_t i = 0; i < d->count && err == 0; i++) {
		const struct entry *e = &d->entry[i];
		if (e->was && !e->seen)
			err = -EBADMSG;
		else if (e->is && !e->was && !e->seen)
			err = text(arg, d->text + e->at, e->len);
	}
	return err;
}
