// SPDX-License-Identifier: BSD-3-Clause
#include "querylog_hand.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>
#include <weir/fault.h>
#include <weir/own_file.h>

#define HAND_MAGIC UINT64_C(0x646e61682d676f6c) // "log-hand"

struct record {
	uint64_t magic, sum;
	uint64_t count;
	struct querylog_hand_rows sink[QUERYLOG_HAND_SINKS];
	uint8_t rest[512 - 24 - QUERYLOG_HAND_SINKS * sizeof(struct querylog_hand_rows)];
};
static_assert(sizeof(struct querylog_hand_rows) == 32 && sizeof(struct record) == 512);

// FNV-1a of all that follows it: tells a record of weir's from other data.
static uint64_t sum_of(const struct record *r)
{
	uint64_t sum = UINT64_C(0xcbf29ce484222325);
	const uint8_t *from = (const uint8_t *)&r->count;
	for (size_t i = 0; i < sizeof(*r) - offsetof(struct record, count); i++)
		sum = (sum ^ from[i]) * UINT64_C(0x100000001b3);
	return sum;
}

static bool name_is_plain(const char name[QUERYLOG_HAND_NAME])
{
	size_t len = strnlen(name, QUERYLOG_HAND_NAME);
	return len > 0 && len < QUERYLOG_HAND_NAME
	       && strspn(name, "abcdefghijklmnopqrstuvwxyz-_") == len;
}

static void was_read(struct querylog_hand *h)
{
	struct record r;
	if (pread(h->fd, &r, sizeof(r), 0) != (ssize_t)sizeof(r) || r.magic != HAND_MAGIC
		|| r.sum != sum_of(&r) || r.count > QUERYLOG_HAND_SINKS)
		return;
	for (unsigned i = 0; i < r.count; i++)
		if (name_is_plain(r.sink[i].name) && r.sink[i].rows)
			h->was[h->was_count++] = r.sink[i];
}

int querylog_hand_open(struct querylog_hand *h, const char *path)
{
	*h = (struct querylog_hand){.fd = -1};
	int fd = own_file_open(path, O_RDWR | O_CREAT, 0600);
	if (fd < 0)
		return fd;
	h->fd = fd;
	FAULT_POINT(hand_opened);
	was_read(h);
	return 0;
}

void querylog_hand_begin(struct querylog_hand *h)
{
	h->is_begun = true;
	querylog_hand_put(h, NULL, 0);
}

void querylog_hand_put(
	struct querylog_hand *h, const struct querylog_hand_rows *rows, unsigned count)
{
	struct record r = {.magic = HAND_MAGIC, .count = count};
	assert(count <= QUERYLOG_HAND_SINKS);
	if (h->fd < 0)
		return;
	if (count)
		memcpy(r.sink, rows, count * sizeof(*rows));
	r.sum = sum_of(&r);
	FAULT_POINT(hand_before);
	// One that a full tmpfs does not take leaves an older word, or none: a bound is not
	// promised.
	(void)!pwrite(h->fd, &r, sizeof(r), 0);
	FAULT_POINT(hand_written);
}

void querylog_hand_close(struct querylog_hand *h)
{
	if (h->is_begun)
		querylog_hand_put(h, NULL, 0);
	if (h->fd >= 0)
		close(h->fd);
	h->fd = -1;
}
