// SPDX-License-Identifier: BSD-3-Clause
#include "memory_file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <weir/heap_site.h>
#include <weir/keyhash.h>
#include <weir/own_file.h>

enum { FILE_VERSION = 3 };
// One sample a minute does not get there.
static const uint64_t FILE_NUMBER_MAX = (uint64_t)1 << 48;

struct file_head {
	char magic[8];
	uint32_t version, length, row_size, life_size;
	uint64_t sum;
};

struct file_names {
	struct memory_series series[MEMORY_SERIES_MAX];
	uint64_t sum;
};

struct file_lives {
	struct memory_lives lives[MEMORY_PROCESSES];
	uint64_t sum;
};

struct file_row {
	struct memory_row row;
	uint64_t number; // number of the sample; 0 before the first
	uint64_t sum;
};

struct memory_file {
	int fd;
	uint64_t damaged;
	struct file_row row;
	struct file_names names;
	struct file_lives lives;
};

enum {
	NAMES_AT = sizeof(struct file_head),
	LIVES_AT = NAMES_AT + sizeof(struct file_names),
	ROWS_AT = LIVES_AT + sizeof(struct file_lives),
};

// The sum of a part, which is its last word.
static uint64_t sum_of(const void *part, size_t size)
{
	return contenthash(part, size - sizeof(uint64_t));
}

// Not in line: gcc 12 at -O3 takes a part for its first member, and warns that all of it is read.
static __attribute__((noinline)) int part_write(
	struct memory_file *f, void *part, size_t size, off_t at)
{
	uint64_t sum = sum_of(part, size);
	memcpy((char *)part + size - sizeof(sum), &sum, sizeof(sum));
	ssize_t n = pwrite(f->fd, part, size, at);
	return n == (ssize_t)size ? 0 : n < 0 ? -errno : -ENOSPC;
}

// False: cut short, or not what was written. Zeros are a part that never was, not a damaged one.
static bool part_read(struct memory_file *f, void *part, size_t size, off_t at)
{
	uint64_t sum;
	if (pread(f->fd, part, size, at) != (ssize_t)size)
		return false;
	memcpy(&sum, (const char *)part + size - sizeof(sum), sizeof(sum));
	if (sum == sum_of(part, size))
		return true;
	f->damaged += sum != 0;
	return false;
}

static struct file_head head_now(const struct memory_ring *r)
{
	return (struct file_head){.magic = "weirmem",
		.version = FILE_VERSION,
		.length = r->length,
		.row_size = sizeof(struct file_row),
		.life_size = sizeof(struct memory_life)};
}

// Drops a series that no stored sample has: it would keep its place from new ones for ever.
static void series_check(struct memory_ring *r)
{
	uint64_t newest = r->next ? r->next - 1 : 0;
	for (unsigned i = 0; i < MEMORY_SERIES_MAX; i++) {
		struct memory_series *s = &r->series[i];
		s->name[MEMORY_NAME_MAX - 1] = '\0';
		if (s->last > newest)
			s->last = newest;
		if (s->since > r->next)
			s->since = r->next;
	}
}

// Reads place `i` into f->row. False: it has no row.
static bool row_read(struct memory_file *f, const struct memory_ring *r, unsigned i)
{
	struct file_row *in = &f->row;
	return part_read(f, in, sizeof(*in), ROWS_AT + (off_t)i * (off_t)sizeof(*in))
	       && in->number > 0 && in->number <= FILE_NUMBER_MAX
	       && (in->number - 1) % r->length == i;
}

static void rows_read(struct memory_file *f, struct memory_ring *r)
{
	for (unsigned i = 0; i < r->length; i++)
		if (row_read(f, r, i) && f->row.number > r->next)
			r->next = f->row.number;
	uint64_t damaged = f->damaged;
	// Rows of laps before the newest row's, over which nothing could be written, are older
	// than the ring is long.
	for (unsigned i = 0; i < r->length; i++)
		if (row_read(f, r, i) && f->row.number + r->length > r->next)
			r->row[i] = f->row.row;
		else
			memset(r->row[i].value, 0xff, sizeof(r->row[i].value));
	f->damaged = damaged;
}

static void lives_take(const struct memory_lives *from, struct memory_lives *l)
{
	if (from->next > FILE_NUMBER_MAX)
		return;
	*l = *from;
	for (unsigned i = 0; i < MEMORY_LIVES; i++) {
		l->life[i].boot[MEMORY_BOOT_MAX - 1] = '\0';
		l->life[i].version[MEMORY_VERSION_MAX - 1] = '\0';
	}
}

static void all_read(
	struct memory_file *f, struct memory_ring *r, struct memory_lives lives[MEMORY_PROCESSES])
{
	if (part_read(f, &f->lives, sizeof(f->lives), LIVES_AT))
		for (unsigned i = 0; i < MEMORY_PROCESSES; i++)
			lives_take(&f->lives.lives[i], &lives[i]);
	// Rows without names say nothing.
	if (!part_read(f, &f->names, sizeof(f->names), NAMES_AT))
		return;
	memcpy(r->series, f->names.series, sizeof(r->series));
	rows_read(f, r);
	series_check(r);
}

static int file_start(
	struct memory_file *f, struct memory_ring *r, struct memory_lives lives[MEMORY_PROCESSES])
{
	struct file_head want = head_now(r), head;
	want.sum = sum_of(&want, sizeof(want));
	if (part_read(f, &head, sizeof(head), 0) && memcmp(&head, &want, sizeof(head)) == 0) {
		all_read(f, r, lives);
		return 0;
	}
	off_t size = ROWS_AT + (off_t)r->length * (off_t)sizeof(struct file_row);
	if (ftruncate(f->fd, 0) < 0 || ftruncate(f->fd, size) < 0)
		return -errno;
	return part_write(f, &want, sizeof(want), 0);
}

int memory_file_open(struct memory_file **out, const char *path, struct memory_ring *r,
	struct memory_lives lives[MEMORY_PROCESSES])
{
	struct memory_file *f = heap_calloc(1, sizeof(*f));
	if (!f)
		return -ENOMEM;
	f->fd = own_file_open(path, O_RDWR | O_CREAT, 0600);
	// Earlier versions let the group read it.
	int rc = f->fd < 0 ? f->fd : fchmod(f->fd, 0600) < 0 ? -errno : file_start(f, r, lives);
	if (rc < 0) {
		memory_file_close(f);
		return rc;
	}
	*out = f;
	return 0;
}

int memory_file_row(struct memory_file *f, const struct memory_ring *r)
{
	const struct memory_row *newest = memory_ring_row(r, 0);
	if (!newest)
		return 0;
	memcpy(f->names.series, r->series, sizeof(f->names.series));
	int rc = part_write(f, &f->names, sizeof(f->names), NAMES_AT);
	if (rc < 0)
		return rc;
	f->row.row = *newest;
	f->row.number = r->next;
	off_t at = (off_t)((r->next - 1) % r->length) * (off_t)sizeof(f->row);
	return part_write(f, &f->row, sizeof(f->row), ROWS_AT + at);
}

int memory_file_lives(struct memory_file *f, const struct memory_lives lives[MEMORY_PROCESSES])
{
	memcpy(f->lives.lives, lives, sizeof(f->lives.lives));
	return part_write(f, &f->lives, sizeof(f->lives), LIVES_AT);
}

uint64_t memory_file_damaged(const struct memory_file *f)
{
	return f->damaged;
}

size_t memory_file_bytes(const struct memory_file *f)
{
	return f ? sizeof(*f) : 0;
}

void memory_file_close(struct memory_file *f)
{
	if (f && f->fd >= 0)
		close(f->fd);
	heap_free(f);
}
