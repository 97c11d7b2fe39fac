// SPDX-License-Identifier: BSD-3-Clause

#include "query_file.h"
#include "query_folder.h"
#include "query_schema.h"
#include "query_store_file.h"
#include "sql.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <weir/clock.h>
#include <weir/heap_site.h>
#include <weir/log.h>
#include <weir/thread.h>

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
	query_store_leave(s);
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

// Rows come a little out of order: the first of a new hour ends the file, one of the hour before
// goes where the others are.
static bool file_fits(const struct query_store *s, int64_t hour)
{
	return s->open && (hour == s->hour || hour + 1 == s->hour);
}

static int row_put(struct query_store *s, const char *box, const struct querylog_row *row,
	uint64_t weight, uint64_t rows)
{
	int rc = 0;
	if (s->open && !file_fits(s, row_hour(row))) {
		rc = query_store_commit(s);
		if (rc == 0)
			query_store_leave(s);
	}
	if (rc == 0 && !s->open)
		rc = query_store_begin(s, row_hour(row));
	if (rc == 0)
		rc = query_file_put(s->file, box, row, weight);
	if (rc) {
		query_store_lose(s, rows, weight);
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
		if (rc) // the rest of a batch that failed
			continue;
		if (rows < n && i + 1 < b->count && row_hour(row) == row_hour(row + 1))
			continue;
		rc = row_put(s, b->box, row, weight, rows);
		weight = rows = 0;
	}
	query_store_lose(s, rows, weight);
	return rc;
}

static void batch_take(struct query_store *s, const struct querylog_batch *b, uint64_t owed)
{
	if (s->now.failing && clock_mono_ms() < s->retry_ms) {
		query_store_lose(s, b->count, b->weight + owed);
		return;
	}
	int rc = batch_put(s, b, owed);
	if (rc == 0 && s->open_rows * ROW_BYTES >= query_store_transaction_max(s))
		rc = query_store_commit(s);
	if (rc)
		fail(s, rc, s->open ? "write" : s->folder);
}

// Finds out without a row whether the folder takes data again: a box without queries would wait
// long for a row.
static int folder_try(struct query_store *s)
{
	int rc = query_folder_make(s->folder);
	if (rc == 0)
		rc = query_folder_try(s->folder);
	if (rc)
		return rc;
	query_store_well(s);
	return 0;
}

// No batch arrives while the store fails, so the beat tries again.
static void beat(struct query_store *s, uint64_t now_ms)
{
	int rc = 0;
	if (s->began_ms && now_ms - s->began_ms >= QUERY_FLUSH_MS)
		rc = query_store_commit(s);
	if (rc == 0)
		rc = query_store_sync(s);
	if (rc == 0 && now_ms >= s->tidy_ms) {
		// Also while it fails: old files may take the missing room.
		bool was_failing = s->now.failing;
		rc = query_store_tidy(s, 0);
		rc = was_failing ? 0 : rc;
	}
	if (rc == -ENOENT && !s->open && !s->now.files) // no row came yet, nor was the folder made
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
			batch_take(s, b, owed);
			querylog_release(b);
			show(s);
		}
		uint64_t now_ms = clock_mono_ms();
		if (now_ms - shown_ms >= QUERY_FLUSH_MS / 4) {
			beat(s, now_ms);
			shown_ms = now_ms;
		}
	}
	int rc = query_store_commit(s);
	if (rc)
		fail(s, rc, s->folder);
	query_store_leave(s);
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
	// The file being written, and searches: pages, statements and what they sort.
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
