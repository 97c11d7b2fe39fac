// SPDX-License-Identifier: BSD-3-Clause

#include "query_store.h"

#include "query_file.h"
#include "query_folder.h"
#include "query_rate.h"
#include "query_schema.h"
#include "querylog_queue.h"
#include "thread_start.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <weir/clock.h>
#include <weir/log.h>

// Octets of a row, generously, by which a transaction ends before it makes a large WAL.
enum { PART_SHARE = 8, ROW_BYTES = 64, TRANSACTION_MAX = 4 << 20 };

struct query_store {
	struct query_store_settings settings;
	char folder[PATH_MAX];
	struct querylog_queue *queue;
	pthread_t thread;
	_Atomic bool failing;
	_Atomic uint64_t refused;
	pthread_mutex_t lock;
	struct query_store_status shown; // under the lock

	// The thread's own.
	struct query_file *file;
	char path[PATH_MAX];
	bool open;
	int64_t hour;
	unsigned part;
	int64_t bad_hour; // a damaged file was found there: parts from bad_part + 1 on
	unsigned bad_part;
	struct query_rate rate;
	uint64_t began_ms; // 0: nothing waits for a commit
	uint64_t open_rows, open_weight;
	uint64_t tidy_ms, retry_ms, backoff_ms;
	uint64_t others_bytes;         // of the files that are not open
	struct query_store_status now; // copied to `shown`
};

static void show(struct query_store *s)
{
	query_file_texts(s->file, &s->now.texts, &s->now.texts_evicted);
	pthread_mutex_lock(&s->lock);
	s->shown = s->now;
	pthread_mutex_unlock(&s->lock);
}

static int64_t unix_s(const struct query_store *s)
{
	return s->settings.unix_s ? s->settings.unix_s() : (int64_t)time(NULL);
}

static void lose(struct query_store *s, uint64_t rows, uint64_t weight)
{
	s->now.lost_rows += rows;
	s->now.lost_weight += weight;
}

// Ends the use of the file, whatever state it is in.
static void file_leave(struct query_store *s)
{
	query_file_close(s->file);
	lose(s, s->open_rows, s->open_weight);
	s->open_rows = s->open_weight = s->began_ms = 0;
	s->open = false;
}

static void fail(struct query_store *s, int err, const char *what)
{
	bool damaged = err == -EUCLEAN;
	file_leave(s);
	if (damaged && s->hour >= 0) {
		s->bad_hour = s->hour;
		s->bad_part = s->part;
	}
	s->backoff_ms = s->backoff_ms ? s->backoff_ms * 2 : QUERY_BACKOFF_MIN_MS;
	if (s->backoff_ms > QUERY_BACKOFF_MAX_MS)
		s->backoff_ms = QUERY_BACKOFF_MAX_MS;
	s->retry_ms = clock_mono_ms() + s->backoff_ms;
	s->now.failures++;
	s->now.damaged += damaged;
	s->now.failing = true;
	s->now.retry_in_ms = s->backoff_ms;
	snprintf(s->now.why, sizeof s->now.why, "%s: %s", what,
		damaged ? "damaged, or not ours" : strerror(-err));
	log_warning("query store: %s; next try in %llu ms", s->now.why,
		(unsigned long long)s->backoff_ms);
	atomic_store(&s->failing, true);
	show(s);
}

// Oldest first, what is too old or too much, `room` octets to be left; never the file in use.
static int tidy(struct query_store *s, uint64_t room)
{
	struct query_folder f;
	s->tidy_ms = clock_mono_ms() + QUERY_TIDY_MS;
	int ret = query_folder_scan(&f, s->folder);
	if (ret)
		return ret;
	int64_t oldest = unix_s(s) / 3600 - s->settings.hours;
	uint64_t bytes = f.bytes;
	unsigned i = 0;
	for (; i < f.count; i++) {
		const struct query_folder_file *one = &f.file[i];
		if (s->open && one->hour == s->hour && one->part == s->part)
			break;
		if (one->hour >= oldest && bytes + room <= s->settings.max_bytes)
			break;
		ret = query_folder_remove(s->folder, one);
		if (ret)
			break;
		bytes -= one->bytes;
		s->now.dropped_files++;
	}
	s->now.files = f.count - i;
	s->now.bytes = bytes;
	s->now.oldest_unix_s = i < f.count ? f.file[i].hour * 3600 : 0;
	s->others_bytes = bytes - (s->open ? query_folder_bytes(s->path) : 0);
	query_folder_free(&f);
	return ret;
}

static uint64_t part_max(const struct query_store *s)
{
	return s->settings.max_bytes / PART_SHARE;
}

static uint64_t transaction_max(const struct query_store *s)
{
	return part_max(s) < TRANSACTION_MAX ? part_max(s) : TRANSACTION_MAX;
}

// The part of `hour` to go on with: the last one, or the next when that is full or damaged.
static int part_find(struct query_store *s, int64_t hour, unsigned *part)
{
	struct query_folder f;
	int ret = query_folder_scan(&f, s->folder);
	if (ret)
		return ret;
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

static int file_open(struct query_store *s, int64_t hour)
{
	int ret = query_folder_make(s->folder);
	if (ret)
		return ret;
	s->hour = -1; // no file's fault until one is chosen
	unsigned part;
	ret = part_find(s, hour, &part);
	if (ret == 0)
		ret = query_folder_path(s->folder, hour, part, s->path);
	if (ret)
		return ret;
	s->hour = hour;
	s->part = part;
	ret = query_file_open(s->file, s->path, hour);
	if (ret)
		return ret;
	s->open = true;
	return tidy(s, 0);
}

static int file_commit(struct query_store *s)
{
	if (!s->open || !s->began_ms)
		return 0;
	int ret = query_file_commit(s->file);
	if (ret)
		return ret;
	s->now.rows += s->open_rows;
	s->now.weight += s->open_weight;
	s->open_rows = s->open_weight = s->began_ms = 0;
	s->backoff_ms = 0;
	s->now.failing = false;
	s->now.why[0] = '\0';
	s->now.retry_in_ms = 0;
	atomic_store(&s->failing, false);
	uint64_t bytes = query_folder_bytes(s->path);
	s->now.bytes = s->others_bytes + bytes;
	if (bytes >= part_max(s))
		file_leave(s);
	if (s->now.bytes > s->settings.max_bytes)
		ret = tidy(s, s->open ? 0 : part_max(s) / PART_SHARE);
	return ret;
}

static int64_t row_hour(const struct querylog_row *row)
{
	return (int64_t)(row->time_us / (uint64_t)QUERY_HOUR_US);
}

// Rows come a little out of order: the first of a new hour ends the file, one of the hour before
// goes where the others are.
static bool file_fits(const struct query_store *s, int64_t hour)
{
	return s->open && (hour == s->hour || hour + 1 == s->hour);
}

static int row_put(struct query_store *s, const char *box, const struct querylog_row *row,
	uint64_t weight, uint64_t rows)
{
	int ret = 0;
	if (s->open && !file_fits(s, row_hour(row))) {
		ret = file_commit(s);
		if (ret == 0)
			file_leave(s);
	}
	if (ret == 0 && !s->open)
		ret = file_open(s, row_hour(row));
	if (ret == 0)
		ret = query_file_put(s->file, box, row, weight);
	if (ret) {
		lose(s, rows, weight);
		return ret;
	}
	if (!s->began_ms)
		s->began_ms = clock_mono_ms();
	s->open_rows++;
	s->open_weight += weight;
	s->now.merged += rows - 1;
	return 0;
}

static int batch_put(struct query_store *s, const struct querylog_batch *b, uint64_t owed)
{
	unsigned n = query_rate_step(&s->rate, b->count, clock_mono_ms());
	uint64_t weight = 0, rows = 0;
	int ret = 0;
	s->now.keep_one_in = n;
	for (unsigned i = 0; i < b->count; i++) {
		const struct querylog_row *row = &b->row[i];
		weight += querylog_weight(b, owed, i);
		rows++;
		if (ret) // the rest of a batch that failed
			continue;
		if (rows < n && i + 1 < b->count && row_hour(row) == row_hour(row + 1))
			continue;
		ret = row_put(s, b->box, row, weight, rows);
		weight = rows = 0;
	}
	lose(s, rows, weight);
	return ret;
}

static void batch_take(struct query_store *s, const struct querylog_batch *b, uint64_t owed)
{
	if (s->now.failing && clock_mono_ms() < s->retry_ms) {
		lose(s, b->count, b->weight + owed);
		return;
	}
	int ret = batch_put(s, b, owed);
	if (ret == 0 && s->open_rows * ROW_BYTES >= transaction_max(s))
		ret = file_commit(s);
	if (ret)
		fail(s, ret, s->open ? "write" : s->folder);
}

// While it fails nothing comes that would have it try again, so it does so by itself.
static void beat(struct query_store *s, uint64_t now_ms)
{
	int ret = 0;
	if (s->began_ms && now_ms - s->began_ms >= QUERY_FLUSH_MS)
		ret = file_commit(s);
	if (ret == 0 && now_ms >= s->tidy_ms) {
		// Also while it fails: perhaps for want of the room that old files take.
		bool was_failing = s->now.failing;
		ret = tidy(s, 0);
		ret = was_failing ? 0 : ret;
	}
	if (ret == -ENOENT && !s->open && !s->now.files) // no row came yet, nor was the folder made
		ret = 0;
	if (ret) {
		fail(s, ret, s->folder);
	} else if (s->now.failing) {
		s->now.retry_in_ms = s->retry_ms > now_ms ? s->retry_ms - now_ms : 0;
		if (!s->now.retry_in_ms)
			atomic_store(&s->failing, false); // one batch may come and try
	}
	show(s);
}

static void *store_run(void *arg)
{
	struct query_store *s = arg;
	uint64_t shown_ms = 0;
	thread_background();
	while (!querylog_queue_is_done(s->queue)) {
		uint64_t owed;
		const struct querylog_batch *b =
			querylog_queue_take(s->queue, QUERY_FLUSH_MS / 4, &owed);
		if (b) {
			batch_take(s, b, owed);
			querylog_release(b);
		}
		uint64_t now_ms = clock_mono_ms();
		if (now_ms - shown_ms >= QUERY_FLUSH_MS / 4) {
			beat(s, now_ms);
			shown_ms = now_ms;
		}
	}
	int ret = file_commit(s);
	if (ret)
		fail(s, ret, s->folder);
	file_leave(s);
	show(s);
	return NULL;
}

static int thread_start(struct query_store *s)
{
	sigset_t all, before;
	thread_mask(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	int err = pthread_create(&s->thread, NULL, store_run, s);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (err == 0)
		(void)pthread_setname_np(s->thread, "weir-store");
	return -err;
}

static void store_free(struct query_store *s)
{
	querylog_queue_free(s->queue);
	query_file_free(s->file);
	pthread_mutex_destroy(&s->lock);
	free(s);
}

int query_store_open(struct query_store **out, const struct query_store_settings *settings)
{
	if (strlen(settings->folder) >= PATH_MAX - 64)
		return -ENAMETOOLONG;
	struct query_store *s = calloc(1, sizeof *s);
	if (!s)
		return -ENOMEM;
	s->settings = *settings;
	snprintf(s->folder, sizeof s->folder, "%s", settings->folder);
	snprintf(s->now.folder, sizeof s->now.folder, "%s", settings->folder);
	s->settings.folder = s->folder;
	s->hour = s->bad_hour = -1;
	s->now.hours = settings->hours;
	s->now.max_bytes = settings->max_bytes;
	s->now.keep_one_in = 1;
	s->shown = s->now;
	query_rate_start(&s->rate, settings->max_rate, clock_mono_ms());
	pthread_mutex_init(&s->lock, NULL);
	int ret = querylog_queue_open(&s->queue, QUERY_QUEUE_MAX);
	if (ret == 0)
		ret = query_file_new(&s->file);
	if (ret == 0)
		ret = thread_start(s);
	if (ret) {
		store_free(s);
		return ret;
	}
	*out = s;
	return 0;
}

void query_store_close(struct query_store *s)
{
	if (!s)
		return;
	querylog_queue_close(s->queue);
	pthread_join(s->thread, NULL);
	store_free(s);
}

static bool store_fold(void *arg, const struct querylog_batch *b, uint64_t owed)
{
	struct query_store *s = arg;
	if (!atomic_load(&s->failing) && querylog_queue_put(s->queue, b, owed))
		return true;
	atomic_fetch_add(&s->refused, 1);
	return false;
}

struct querylog_sink query_store_sink(struct query_store *s)
{
	return (struct querylog_sink){.name = "store", .fold = store_fold, .arg = s};
}

const char *query_store_folder(const struct query_store *s)
{
	return s->folder;
}

void query_store_status(struct query_store *s, struct query_store_status *out)
{
	struct querylog_queue_counts counts;
	pthread_mutex_lock(&s->lock);
	*out = s->shown;
	pthread_mutex_unlock(&s->lock);
	querylog_queue_counts(s->queue, &counts);
	out->queued = counts.used;
	out->queue_cap = counts.cap;
	out->queued_most = counts.used_most;
	out->queued_since_ms = counts.since_ms;
	out->refused = atomic_load(&s->refused);
}

void query_store_tables(const struct query_store_status *s, struct table_registry *tables)
{
	int64_t now_s = time(NULL);
	table_register(tables,
		&(struct table_info){.name = "query_store_queue",
			.owner = "query store",
			.eviction = "a batch that finds it full is not stored, its weight is",
			.lifetime = "until it is written",
			.cap = s->queue_cap,
			.used = s->queued,
			.high = s->queued_most,
			.refused = s->refused,
			.oldest_ms = table_age(s->queued_since_ms, clock_mono_ms()),
			.has = TABLE_AGES | TABLE_REFUSES});
	table_register(tables,
		&(struct table_info){.name = "query_store_texts",
			.owner = "query store",
			.eviction = "of a set of two the one used longer ago",
			.lifetime = "that of the open file",
			.cap = QUERY_NAMES_CACHED + QUERY_CLIENTS_CACHED + QUERY_KINDS_CACHED,
			.used = s->texts,
			.evicted = s->texts_evicted,
			.has = TABLE_EVICTS,
			.bytes = query_file_memory()});
	table_register(
		tables, &(struct table_info){.name = "query_store_files",
				.owner = "query store",
				.eviction = "oldest first, by hours and octets of disk",
				.lifetime = "query_log.store.hours",
				.cap = QUERY_FILES_MAX,
				.used = s->files,
				.evicted = s->dropped_files,
				.oldest_ms = s->oldest_unix_s && now_s > s->oldest_unix_s
						     ? 1000 * (uint64_t)(now_s - s->oldest_unix_s)
						     : 0,
				.has = TABLE_AGES | TABLE_EVICTS});
}
