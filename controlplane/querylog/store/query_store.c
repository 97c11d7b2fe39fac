// SPDX-License-Identifier: BSD-3-Clause
#include "query_store.h"

#include "query_file.h"
#include "query_folder.h"
#include "query_schema.h"
#include "querylog/querylog.h"
#include "sql.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <weir/clock.h>
#include <weir/heap_site.h>
#include <weir/log.h>
#include <weir/thread.h>

// ROW_BYTES: generous size of a row, by which a transaction ends before its WAL becomes large.
enum { PART_SHARE = 8, ROW_BYTES = 64, TRANSACTION_MAX = 4 << 20 };

struct query_store {
	struct query_store_settings settings;
	char folder[PATH_MAX];
	struct querylog_queue *queue;
	pthread_t thread;
	_Atomic bool failing;
	_Atomic uint64_t refused;
	pthread_mutex_t lock;
	struct query_store_status shown; // protected by `lock`

	// Fields that the store's thread alone uses.
	struct query_file *file;
	char path[PATH_MAX];
	bool open;
	int64_t hour;
	unsigned part;
	int64_t bad_hour; // hour with a damaged file; its parts go on from bad_part + 1
	unsigned bad_part;
	struct query_rate rate;
	uint64_t began_ms;    // when the transaction began; 0: nothing waits for a commit
	uint64_t unsynced_ms; // since when something waits for a sync. 0: nothing does
	uint64_t open_rows, open_weight;
	uint64_t tidy_ms, retry_ms, backoff_ms;
	struct query_keep keep;
	uint64_t others_bytes;         // bytes of the files that are not open
	struct query_store_status now; // copied to `shown`
};

static int64_t unix_s(const struct query_store *s)
{
	return s->settings.unix_s ? s->settings.unix_s() : (int64_t)time(NULL);
}

static void rows_lose(struct query_store *s, uint64_t rows, uint64_t weight)
{
	s->now.lost_rows += rows;
	s->now.lost_weight += weight;
}

// Closes the file, whatever state it is in; rows not committed are lost.
static void file_leave(struct query_store *s)
{
	query_file_close(s->file);
	rows_lose(s, s->open_rows, s->open_weight);
	s->open_rows = s->open_weight = s->began_ms = s->unsynced_ms = 0;
	s->open = false;
}

static void journal_end(const struct query_store *s, const struct query_folder_file *f)
{
	char path[PATH_MAX];
	if (f->hour >= 0 && query_folder_path(s->folder, f->hour, f->part, path) == 0)
		query_file_settle(path);
}

// Deletes files that are too old or too many, so that `room` bytes are free, and tries to remove
// the journal of one file.
static int tidy(struct query_store *s, uint64_t room)
{
	const struct query_folder_file open = {.hour = s->hour, .part = s->part};
	struct query_tidied left;
	s->tidy_ms = clock_mono_ms() + QUERY_TIDY_MS;
	int rc = query_folder_tidy(
		s->folder, &s->keep, unix_s(s), s->open ? &open : NULL, room, &left);
	s->now.clock_ahead_s = s->keep.clock_ahead_s;
	if (!left.is_read)
		return rc;
	s->now.files = left.files;
	s->now.oldest_unix_s = left.oldest_unix_s;
	s->now.bytes = left.bytes;
	s->now.dropped_files += left.dropped;
	s->others_bytes = left.bytes - (s->open ? query_folder_bytes(s->path) : 0);
	journal_end(s, &left.with_wal);
	return rc;
}

static uint64_t part_max(const struct query_store *s)
{
	return s->settings.max_bytes / PART_SHARE;
}

// Bytes of rows after which a commit is due.
static uint64_t transaction_max(const struct query_store *s)
{
	return part_max(s) < TRANSACTION_MAX ? part_max(s) : TRANSACTION_MAX;
}

// Finds the part of `hour` to write to: the last one, or the next if that is full or damaged.
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

// Opens a file of `hour`. -errno; -EUCLEAN: it is damaged.
static int file_begin(struct query_store *s, int64_t hour)
{
	int rc = query_folder_make(s->folder);
	if (rc)
		return rc;
	s->hour = -1; // an error before a file is chosen is no fault of a file
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
	return tidy(s, 0);
}

// Notes that a write succeeded. The wait after a failure keeps doubling until rows are committed.
static void failure_clear(struct query_store *s)
{
	s->now.failing = false;
	s->now.why[0] = '\0';
	atomic_store(&s->failing, false);
}

static int commit(struct query_store *s)
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
	failure_clear(s);
	uint64_t bytes = query_folder_bytes(s->path);
	s->now.bytes = s->others_bytes + bytes;
	if (bytes >= part_max(s))
		file_leave(s);
	if (s->now.bytes > s->settings.max_bytes)
		rc = tidy(s, s->open ? 0 : part_max(s) / PART_SHARE);
	return rc;
}

// Syncs committed rows to the disk, if it is due.
static int sync_if_due(struct query_store *s)
{
	bool is_due = s->unsynced_ms && clock_mono_ms() - s->unsynced_ms >= QUERY_SYNC_MS;
	if (!is_due || s->began_ms) // within a transaction there is no checkpoint
		return 0;
	s->unsynced_ms = 0;
	return query_file_sync(s->file);
}

static void show(struct query_store *s)
{
	query_file_texts(s->file, &s->now.texts, &s->now.texts_evicted);
	s->now.open_rows = s->open_rows;
	s->now.open_weight = s->open_weight;
	pthread_mutex_lock(&s->lock);
	s->shown = s->now;
	pthread_mutex_unlock(&s->lock);
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
	s->now.retry_at_ms = s->retry_ms;
	snprintf(s->now.why, sizeof(s->now.why), "%s: %s", what,
		damaged ? "damaged, or not ours" : strerror(-err));
	log_warning("query store: %s; next try in %llu ms", s->now.why,
		(unsigned long long)s->backoff_ms);
	atomic_store(&s->failing, true);
	show(s);
}

static int64_t row_hour(const struct querylog_row *row)
{
	return (int64_t)(row->time_us / (uint64_t)QUERY_HOUR_US);
}

// Rows come a little out of order: the first row of a later hour ends the file, and a row of the
// hour before goes into it.
static bool file_fits(const struct query_store *s, int64_t hour)
{
	return s->open && (hour == s->hour || hour + 1 == s->hour);
}

static int row_put(struct query_store *s, const char *box, const struct querylog_row *row,
	uint64_t weight, uint64_t rows)
{
	int rc = 0;
	if (s->open && !file_fits(s, row_hour(row))) {
		rc = commit(s);
		if (rc == 0)
			file_leave(s);
	}
	if (rc == 0 && !s->open)
		rc = file_begin(s, row_hour(row));
	if (rc == 0)
		rc = query_file_put(s->file, box, row, weight);
	if (rc) {
		rows_lose(s, rows, weight);
		return rc;
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
	int rc = 0;
	s->now.keep_one_in = n;
	for (unsigned i = 0; i < b->count; i++) {
		const struct querylog_row *row = &b->row[i];
		weight += querylog_weight(b, owed, i);
		rows++;
		if (rc) // the rest of a failed batch is lost
			continue;
		if (rows < n && i + 1 < b->count && row_hour(row) == row_hour(row + 1))
			continue;
		rc = row_put(s, b->box, row, weight, rows);
		weight = rows = 0;
	}
	rows_lose(s, rows, weight);
	return rc;
}

static void batch_receive(struct query_store *s, const struct querylog_batch *b, uint64_t owed)
{
	if (s->now.failing && clock_mono_ms() < s->retry_ms) {
		rows_lose(s, b->count, b->weight + owed);
		return;
	}
	int rc = batch_put(s, b, owed);
	if (rc == 0 && s->open_rows * ROW_BYTES >= transaction_max(s))
		rc = commit(s);
	if (rc)
		fail(s, rc, s->open ? "write" : s->folder);
}

// Finds out without a row whether the folder can be written again: a box without queries would wait
// long for a row.
static int folder_try(struct query_store *s)
{
	int rc = query_folder_make(s->folder);
	if (rc == 0)
		rc = query_folder_try(s->folder);
	if (rc)
		return rc;
	failure_clear(s);
	return 0;
}

// No batch arrives while the store fails, so the beat tries again.
static void beat(struct query_store *s, uint64_t now_ms)
{
	int rc = 0;
	if (s->began_ms && now_ms - s->began_ms >= QUERY_FLUSH_MS)
		rc = commit(s);
	if (rc == 0)
		rc = sync_if_due(s);
	if (rc == 0 && now_ms >= s->tidy_ms) {
		// Tidies while it fails, too: deleting old files may make room.
		bool was_failing = s->now.failing;
		rc = tidy(s, 0);
		rc = was_failing ? 0 : rc;
	}
	if (rc == -ENOENT && !s->open
		&& !s->now.files) // no row came yet, so the folder does not exist
		rc = 0;
	if (rc == 0 && s->now.failing && now_ms >= s->retry_ms)
		rc = folder_try(s);
	if (rc)
		fail(s, rc, s->folder);
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
			batch_receive(s, b, owed);
			querylog_release(b);
			show(s);
		}
		uint64_t now_ms = clock_mono_ms();
		if (now_ms - shown_ms >= QUERY_FLUSH_MS / 4) {
			beat(s, now_ms);
			shown_ms = now_ms;
		}
	}
	int rc = commit(s);
	if (rc)
		fail(s, rc, s->folder);
	file_leave(s);
	show(s);
	return NULL;
}

static void store_free(struct query_store *s)
{
	querylog_queue_free(s->queue);
	query_file_free(s->file);
	pthread_mutex_destroy(&s->lock);
	heap_free(s);
}

int query_store_open(struct query_store **out, const struct query_store_settings *settings)
{
	if (strlen(settings->folder) >= PATH_MAX - 64)
		return -ENAMETOOLONG;
	struct query_store *s = heap_calloc(1, sizeof(*s));
	if (!s)
		return -ENOMEM;
	s->settings = *settings;
	snprintf(s->folder, sizeof(s->folder), "%s", settings->folder);
	snprintf(s->now.folder, sizeof(s->now.folder), "%s", settings->folder);
	s->settings.folder = s->folder;
	s->hour = s->bad_hour = -1;
	s->keep = (struct query_keep){.hours = settings->hours, .max_bytes = settings->max_bytes};
	s->now.hours = settings->hours;
	s->now.max_bytes = settings->max_bytes;
	s->now.keep_one_in = 1;
	s->shown = s->now;
	query_rate_start(&s->rate, settings->max_rate, clock_mono_ms());
	pthread_mutex_init(&s->lock, NULL);
	int rc = querylog_queue_open(&s->queue, QUERY_QUEUE_MAX);
	if (rc == 0)
		rc = query_file_new(&s->file);
	if (rc == 0)
		rc = thread_start(&s->thread, "weir-store", store_run, s);
	if (rc) {
		store_free(s);
		return rc;
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

static void store_held(void *arg, struct querylog_held *out)
{
	struct query_store_status status;
	query_store_status(arg, &status);
	*out = (struct querylog_held){.rows = status.open_rows,
		.weight = status.open_weight,
		.lost_rows = status.lost_rows,
		.lost_weight = status.lost_weight};
}

struct querylog_sink query_store_sink(struct query_store *s)
{
	return (struct querylog_sink){
		.name = "store", .fold = store_fold, .held = store_held, .arg = s};
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
	uint64_t now_ms = clock_mono_ms();
	out->retry_in_ms =
		out->failing && out->retry_at_ms > now_ms ? out->retry_at_ms - now_ms : 0;
	out->queued = counts.used;
	out->queue_cap = counts.cap;
	out->queued_most = counts.used_most;
	out->queued_since_ms = counts.since_ms;
	out->queue_bytes = counts.bytes + sizeof(*s);
	out->open_rows += counts.rows;
	out->open_weight += counts.weight;
	out->refused = atomic_load(&s->refused);
}

static uint64_t sqlite_bytes(void)
{
	const struct heap_site *site[HEAP_SITES_MAX];
	uint64_t bytes = 0;
	for (unsigned i = heap_sites(site, HEAP_SITES_MAX); i-- > 0;)
		if (strcmp(site[i]->file, "sqlite") == 0)
			bytes += atomic_load_explicit(&site[i]->bytes, memory_order_relaxed);
	return bytes;
}

void query_store_tables(const struct query_store_status *s, struct table_registry *tables)
{
	int64_t now_s = time(NULL);
	table_register(tables, &(struct table_info){.name = "query_store_queue",
				       .owner = "query store",
				       .eviction = "drop the batch, keep its weight",
				       .lifetime = "until written",
				       .kind = TABLE_WORK,
				       .cap = s->queue_cap,
				       .used = s->queued,
				       .high = s->queued_most,
				       .bytes = s->queue_bytes,
				       .refused = s->refused,
				       .oldest_ms = table_age(s->queued_since_ms, clock_mono_ms()),
				       .has = TABLE_AGES | TABLE_REFUSES});
	table_register(tables,
		&(struct table_info){.name = "query_store_texts",
			.owner = "query store",
			.eviction = "evict the least recently used of two",
			.lifetime = "life of the open file",
			.kind = TABLE_CACHE,
			.cap = QUERY_NAMES_CACHED + QUERY_CLIENTS_CACHED + QUERY_KINDS_CACHED,
			.used = s->texts,
			.evicted = s->texts_evicted,
			.has = TABLE_EVICTS,
			.bytes = query_file_memory()});
	const uint64_t sqlite = sqlite_bytes();
	// Pages, statements and sorts of the file being written and of searches.
	table_register(tables, &(struct table_info){.name = "sqlite_pages",
				       .owner = "query store",
				       .eviction = "evict the least recently used page",
				       .lifetime = "life of the open file or search",
				       .kind = TABLE_CACHE,
				       .cap = 4 * SQL_CACHE_KIB * UINT64_C(1024),
				       .used = sqlite,
				       .bytes = sqlite});
	table_register(
		tables, &(struct table_info){.name = "query_store_files",
				.owner = "query store",
				.eviction = "delete the oldest file, by hours and bytes",
				.lifetime = "query_log.store.hours",
				.kind = TABLE_CACHE,
				.cap = QUERY_FILES_MAX,
				.used = s->files,
				.files = sql_files(),
				.evicted = s->dropped_files,
				.oldest_ms = s->oldest_unix_s && now_s > s->oldest_unix_s
						     ? 1000 * (uint64_t)(now_s - s->oldest_unix_s)
						     : 0,
				.has = TABLE_AGES | TABLE_EVICTS});
}
