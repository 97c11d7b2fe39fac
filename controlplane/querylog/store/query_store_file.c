// SPDX-License-Identifier: BSD-3-Clause
#include "query_store_file.h"

#include "query_file.h"
#include "query_folder.h"

#include <errno.h>
#include <time.h>
#include <weir/clock.h>
#include <weir/heap_site.h>
#include <weir/log.h>

static int64_t unix_s(const struct query_store *s)
{
	return s->settings.unix_s ? s->settings.unix_s() : (int64_t)time(NULL);
}

void query_store_lose(struct query_store *s, uint64_t rows, uint64_t weight)
{
	s->now.lost_rows += rows;
	s->now.lost_weight += weight;
}

void query_store_leave(struct query_store *s)
{
	query_file_close(s->file);
	query_store_lose(s, s->open_rows, s->open_weight);
	s->open_rows = s->open_weight = s->began_ms = s->unsynced_ms = 0;
	s->open = false;
}

// Which files go, and in which order.
struct order {
	int64_t oldest;          // files of hours before that are too old
	unsigned count, present; // all files; the first ones, those of the present (retention.h)
	bool future_first;
};

// -ENOMEM.
static int order_make(struct query_store *s, const struct query_folder *f, struct order *out)
{
	int64_t *start_s = heap_calloc(f->count + 1, sizeof(*start_s)), clock_s = unix_s(s);
	uint64_t mono_ms = clock_mono_ms();
	if (!start_s)
		return -ENOMEM;
	for (unsigned i = 0; i < f->count; i++)
		start_s[i] = f->file[i].hour * 3600;
	int64_t now_s = retention_now(&s->retention, clock_s, mono_ms, start_s, f->count, 3600);
	unsigned present = retention_present(clock_s, start_s, f->count);
	heap_free(start_s);
	int64_t ahead_s = clock_s - now_s > RETENTION_PROOF_S ? clock_s - now_s : 0;
	if (ahead_s && !s->now.clock_ahead_s)
		log_warning("query store: the clock is %lld hours ahead of the newest rows; weir "
			    "deletes no file by age for a day",
			(long long)(ahead_s / 3600));
	s->now.clock_ahead_s = ahead_s;
	*out = (struct order){.oldest = now_s / 3600 - s->settings.hours,
		.count = f->count,
		.present = present ? present : f->count,
		.future_first = retention_is_steady(&s->retention, mono_ms)};
	return 0;
}

// The i-th of all but one: the newest file of the present stays, whatever it is.
static unsigned order_at(const struct order *o, unsigned i)
{
	unsigned future = o->count - o->present;
	if (o->future_first)
		return i < future ? o->present + i : i - future;
	return i + 1 < o->present ? i : i + 1;
}

static void files_count(struct query_store *s, const struct query_folder *f)
{
	unsigned first = f->count;
	s->now.files = 0;
	for (unsigned i = f->count; i-- > 0;) {
		if (f->file[i].hour < 0) // removed
			continue;
		s->now.files++;
		first = i;
	}
	s->now.oldest_unix_s = first < f->count ? f->file[first].hour * 3600 : 0;
}

int query_store_tidy(struct query_store *s, uint64_t room)
{
	struct query_folder f;
	struct order order;
	s->tidy_ms = clock_mono_ms() + QUERY_TIDY_MS;
	int rc = query_folder_scan(&f, s->folder);
	if (rc == 0 && (rc = order_make(s, &f, &order)) < 0)
		query_folder_free(&f);
	if (rc)
		return rc;
	uint64_t bytes = f.bytes;
	for (unsigned i = 0; i + 1 < f.count; i++) {
		struct query_folder_file *one = &f.file[order_at(&order, i)];
		bool is_open = s->open && one->hour == s->hour && one->part == s->part;
		bool is_much = bytes + room > s->settings.max_bytes;
		if (is_open || (one->hour >= order.oldest && !is_much))
			continue;
		rc = query_folder_remove(s->folder, one);
		if (rc)
			break;
		bytes -= one->bytes;
		one->hour = -1;
		s->now.dropped_files++;
	}
	files_count(s, &f);
	s->now.bytes = bytes;
	s->others_bytes = bytes - (s->open ? query_folder_bytes(s->path) : 0);
	query_folder_free(&f);
	return rc;
}

static uint64_t part_max(const struct query_store *s)
{
	return s->settings.max_bytes / PART_SHARE;
}

uint64_t query_store_transaction_max(const struct query_store *s)
{
	return part_max(s) < TRANSACTION_MAX ? part_max(s) : TRANSACTION_MAX;
}

// The part of `hour` to go on with: the last one, or the next when that is full or damaged.
static int part_find(struct query_store *s, int64_t hour, unsigned *part)
{
	struct query_folder f;
	int rc = query_folder_scan(&f, s->folder);
	if (rc)
		return rc;
	unsigned found = 1;
	for (unsigned i = 0; i < f.count; i++)
		if (f.file[i].hour == hour)
			found = f.file[i].part + (f.file[i].bytes >= part_max(s));
	query_folder_free(&f);
	if (s->bad_hour == hour && found <= s->bad_part)
		found = s->bad_part + 1;
	*part = found ? found : 1;
	return found > QUERY_PARTS_MAX ? -EMFILE : 0;
}

int query_store_begin(struct query_store *s, int64_t hour)
{
	int rc = query_folder_make(s->folder);
	if (rc)
		return rc;
	s->hour = -1; // no file's fault until one is chosen
	unsigned part;
	rc = part_find(s, hour, &part);
	if (rc == 0)
		rc = query_folder_path(s->folder, hour, part, s->path);
	if (rc)
		return rc;
	s->hour = hour;
	s->part = part;
	rc = query_file_open(s->file, s->path, hour);
	if (rc)
		return rc;
	s->open = true;
	return query_store_tidy(s, 0);
}

// The wait doubles on until rows are committed.
void query_store_well(struct query_store *s)
{
	s->now.failing = false;
	s->now.why[0] = '\0';
	atomic_store(&s->failing, false);
}

int query_store_commit(struct query_store *s)
{
	if (!s->open || !s->began_ms)
		return 0;
	int rc = query_file_commit(s->file);
	if (rc)
		return rc;
	s->now.rows += s->open_rows;
	s->now.weight += s->open_weight;
	s->open_rows = s->open_weight = s->began_ms = 0;
	s->backoff_ms = 0;
	if (!s->unsynced_ms)
		s->unsynced_ms = clock_mono_ms();
	query_store_well(s);
	uint64_t bytes = query_folder_bytes(s->path);
	s->now.bytes = s->others_bytes + bytes;
	if (bytes >= part_max(s))
		query_store_leave(s);
	if (s->now.bytes > s->settings.max_bytes)
		rc = query_store_tidy(s, s->open ? 0 : part_max(s) / PART_SHARE);
	return rc;
}

int query_store_sync(struct query_store *s)
{
	bool is_due = s->unsynced_ms && clock_mono_ms() - s->unsynced_ms >= QUERY_SYNC_MS;
	if (!is_due || s->began_ms) // within a transaction there is no checkpoint
		return 0;
	s->unsynced_ms = 0;
	return query_file_sync(s->file);
}
