// SPDX-License-Identifier: BSD-3-Clause
// GET /sync/list hands secondaries the fetched lists as this primary has them
// (lists/fetch/list_primary.h): a line, and the bytes of the stored list behind it.
//
// A transfer is a stream. Helper threads (job_runner.h) open the file and read pieces of it; the
// next piece is read when the client has taken most of the last one. Bounds: LISTS_MAX transfers,
// three quarters of them over the network, half of them with one token, which count from the
// request on; PIECE_LEN bytes of a file and as many that wait for the client, for each; a client
// that takes nothing for API_LINES_STUCK_MS is cut, each transfer after LIFE_MS.

#include "api_lines.h"
#include "api_param.h"
#include "api_server.h"
#include "lists/fetch/list_primary.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <weir/clock.h>
#include <weir/heap_site.h>
#include <weir/list_file.h>

enum {
	LISTS_MAX = 16,
	PIECE_LEN = 128 << 10,
	LIFE_MS = 10 * 60 * 1000,
	BEHIND_MS = 5000, // for the client to hang up once it has everything
	OPEN_MS = 10000,
};

struct transfer {
	LIST_ENTRY(transfer) link;
	struct api_sync_lists *owner;
	struct http_exchange *exchange; // NULL once the stream has begun
	struct http_stream_user user;
	struct api_lines out;
	bool is_busy;     // a helper thread has what follows
	bool is_given_up; // it ends with its job
	uint64_t until_ms;
	struct list_store_paths paths;
	struct list_stored asked, stored; // `asked`: hash and date of the client's copy
	int fd;
	uint64_t at;
	ssize_t len; // bytes in `piece`; 0: the file ended
	char *piece; // [PIECE_LEN]
};

struct api_sync_lists {
	struct job_runner *runner;
	LIST_HEAD(, transfer) transfers;
	unsigned count, most;
	uint64_t refused, cut;
};

static void transfer_free(struct transfer *t)
{
	t->owner->count--;
	LIST_REMOVE(t, link);
	api_lines_end(&t->out);
	if (t->fd >= 0)
		close(t->fd);
	FREE_AND_NULL(t->piece);
	heap_free(t);
}

static void transfer_end(struct transfer *t)
{
	t->is_given_up = true;
	if (!t->is_busy)
		transfer_free(t);
}

static bool has_all(const struct transfer *t)
{
	return t->fd < 0 || t->at == t->stored.size;
}

// The helper threads.

// -ENOENT: no copy was confirmed later than the client's.
static int open_work(void *arg, const _Atomic bool *)
{
	struct transfer *t = arg;
	struct stat st;
	const int rc = list_store_read(&t->paths, false, &t->stored);
	if (rc < 0)
		return rc;
	if (t->stored.good_unix_s <= t->asked.good_unix_s)
		return -ENOENT;
	if (t->asked.good_unix_s && t->stored.content_hash == t->asked.content_hash)
		return 0;
	t->fd = open(t->paths.list, O_RDONLY | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC);
	if (t->fd < 0)
		return -errno;
	// Another copy may have taken its place meanwhile.
	return fstat(t->fd, &st) == 0 && (uint64_t)st.st_size == t->stored.size ? 0 : -ENOENT;
}

static int read_work(void *arg, const _Atomic bool *)
{
	struct transfer *t = arg;
	do
		t->len = pread(t->fd, t->piece, PIECE_LEN, (off_t)t->at);
	while (t->len < 0 && errno == EINTR);
	return t->len < 0 ? -errno : 0;
}

// The service loop.

static void on_read(void *arg, int err)
{
	struct transfer *t = arg;
	t->is_busy = false;
	if (t->is_given_up) {
		transfer_free(t);
		return;
	}
	if (err == -EAGAIN) // the next tick tries again
		return;
	const uint64_t left = t->stored.size - t->at;
	if (err < 0 || t->len == 0) {
		transfer_end(t); // the client sees that bytes are missing
		return;
	}
	const uint64_t len = (uint64_t)t->len < left ? (uint64_t)t->len : left;
	t->at += len;
	if (!api_lines_put(&t->out, t->piece, len))
		transfer_end(t);
	else if (has_all(t))
		t->until_ms = clock_mono_ms() + LIFE_MS;
}

static void read_next(struct transfer *t)
{
	t->is_busy = true;
	const int rc = job_runner_start(t->owner->runner, t->user.right, read_work, on_read, t);
	if (rc == 0)
		return;
	t->is_busy = false;
	if (rc != -EAGAIN)
		transfer_end(t);
}

static void on_tick(int, short, void *arg)
{
	struct transfer *t = arg;
	const uint64_t now_ms = clock_mono_ms();
	const enum api_lines_state state = api_lines_look(&t->out, PIECE_LEN / 2, now_ms);
	if (has_all(t) && http_stream_pending(t->out.stream) == 0
		&& t->until_ms > now_ms + BEHIND_MS)
		t->until_ms = now_ms + BEHIND_MS;
	const bool is_late = state == API_LINES_STUCK || now_ms >= t->until_ms;
	if (t->is_given_up)
		return;
	t->owner->cut += is_late && state != API_LINES_GONE && !has_all(t);
	if (is_late || state == API_LINES_GONE)
		transfer_end(t);
	else if (state == API_LINES_ROOM && !t->is_busy && !has_all(t))
		read_next(t);
}

// Sends the head. The exchange ends here, in any case.
static void stream_begin(struct transfer *t)
{
	struct http_exchange *x = t->exchange;
	char *head = list_head_write(&t->stored, t->fd >= 0);
	t->exchange = NULL;
	if (t->fd >= 0)
		t->piece = heap_malloc(PIECE_LEN);
	if (!head || (t->fd >= 0 && !t->piece))
		http_reply(x, 500, NULL);
	else if (api_lines_begin(&t->out, x, "application/octet-stream")
		 && api_lines_put(&t->out, head, strlen(head))) {
		heap_free(head);
		t->until_ms = clock_mono_ms() + LIFE_MS;
		return;
	}
	heap_free(head);
	transfer_end(t);
}

static void on_open(void *arg, int err)
{
	struct transfer *t = arg;
	struct http_exchange *x = t->exchange;
	t->is_busy = false;
	if (http_is_live(x) && err == 0) {
		stream_begin(t);
		return;
	}
	t->exchange = NULL;
	if (!http_is_live(x))
		http_reply(x, 503, NULL);
	else if (err == -ENOENT)
		api_refuse(x, 404, "no copy of this list was confirmed later");
	else if (err == -EAGAIN)
		api_refuse(x, 503, "too many lists are read at the moment");
	else
		api_refuse(x, 500, "the list cannot be read: %s", strerror(-err));
	transfer_end(t);
}

static struct api_sync_lists *lists_of(struct api *a)
{
	if (a->sync_lists)
		return a->sync_lists;
	struct api_sync_lists *l = heap_calloc(1, sizeof(*l));
	if (!l)
		return NULL;
	LIST_INIT(&l->transfers);
	if (job_runner_open(&l->runner, a->deps.service, JOB_RUNNER_WAIT_MS) < 0) {
		heap_free(l);
		return NULL;
	}
	return a->sync_lists = l;
}

static bool admit(struct api_sync_lists *l, struct http_exchange *x)
{
	const struct transfer *t;
	struct api_places places = {0};
	LIST_FOREACH (t, &l->transfers, link)
		api_places_add(&places, &t->user, x);
	return api_places_admit(&places, x, LISTS_MAX, "transfers of lists", &l->refused);
}

// A number of a parameter in the given base, 16 or 10.
static bool number_read(const char *text, int base, uint64_t *out)
{
	const char *digits = base == 16 ? "0123456789abcdef" : "0123456789";
	const size_t len = strlen(text);
	*out = strtoull(text, NULL, base);
	return len > 0 && len <= 16 && strspn(text, digits) == len;
}

// Is the list with this id one that boxes share? A transfer that proves its server is each box's
// own: its key is to protect the zone from holders of sync tokens, too.
static bool is_shared(const struct config *c, uint64_t id)
{
	bool is_found = false;
	for (unsigned i = 0; i < c->blocking.list_count; i++) {
		const struct config_list *l = &c->blocking.lists[i];
		if (!l->url || list_file_id(l->url) != id)
			continue;
		if (l->tsig || l->tls)
			return false;
		is_found = true;
	}
	return is_found;
}

static bool may_serve(const struct api *a, struct http_exchange *x, uint64_t id)
{
	const struct config *c = a->deps.config_current(a->deps.reload_arg);
	const char *primary = c->sync.primary;
	if (primary && *primary)
		api_refuse(x, 409, "this box is a secondary of %.300s: point sync.primary there",
			primary);
	else if (!is_shared(c, id))
		api_refuse(x, 404, "no list that this box hands out has this id");
	else
		return true;
	return false;
}

// Sends a list as this box has it, if its server confirmed it later than the caller's copy.
static void serve_list(struct api *a, struct http_exchange *x)
{
	const char *id = http_param(x, "id"), *hash = http_param(x, "hash");
	const char *good = http_param(x, "good");
	struct api_sync_lists *l = lists_of(a);
	struct transfer new = {
		.owner = l, .exchange = x, .user = {.right = http_job_user(x)}, .fd = -1};
	uint64_t number;
	if (!number_read(id, 16, &number) || !number_read(hash, 16, &new.asked.content_hash)
		|| !number_read(good, 10, &new.asked.good_unix_s)) {
		api_refuse(x, 400, "id, hash, good: a number of up to 16 digits, lower-case");
		return;
	}
	if (!may_serve(a, x, number) || (l && !admit(l, x)))
		return;
	struct transfer *t = l ? heap_malloc(sizeof(*t)) : NULL;
	if (!t || list_store_paths_of(&new.paths, a->deps.state_directory, number) < 0
		|| api_lines_init(&new.out, a->deps.service, on_tick, t) < 0) {
		heap_free(t);
		http_reply(x, 500, NULL);
		return;
	}
	*t = new;
	snprintf(t->user.who, sizeof(t->user.who), "%s", http_who(x));
	LIST_INSERT_HEAD(&l->transfers, t, link);
	l->count++;
	l->most = l->count > l->most ? l->count : l->most;
	http_defer(x, OPEN_MS);
	t->is_busy = true;
	const int rc = job_runner_start(l->runner, t->user.right, open_work, on_open, t);
	if (rc < 0)
		on_open(t, rc);
}

static void lists_tables(struct api *a, struct table_registry *tables)
{
	static const struct api_sync_lists none;
	const struct api_sync_lists *l = a->sync_lists ? a->sync_lists : &none;
	struct job_runner_counts jobs = {0};
	if (l->runner)
		job_runner_counts(l->runner, &jobs);
	table_register(tables, &(struct table_info){.name = "sync_lists",
				       .owner = "control API",
				       .eviction = "refuse; close a stalled secondary",
				       .lifetime = "10 minutes",
				       .kind = TABLE_WORK,
				       .cap = LISTS_MAX,
				       .used = l->count,
				       .high = l->most,
				       .bytes = l->count * (sizeof(struct transfer) + PIECE_LEN)
						+ jobs.bytes + (a->sync_lists ? sizeof(*l) : 0),
				       .evicted = l->cut,
				       .refused = l->refused + jobs.refused,
				       .has = TABLE_EVICTS | TABLE_REFUSES});
}

static void lists_close(struct api *a)
{
	struct api_sync_lists *l = a->sync_lists;
	if (!l)
		return;
	for (struct transfer *t = LIST_FIRST(&l->transfers), *next; t; t = next) {
		next = LIST_NEXT(t, link);
		if (!t->exchange)
			transfer_end(t);
	}
	job_runner_close(l->runner); // the rest end with their jobs
	heap_free(l);
	a->sync_lists = NULL;
}

const struct api_part api_sync_lists_part = {
	.endpoint = {{"/sync/list", serve_list, API_GET, CONTROL_SYNC, "id! hash! good!"}},
	.tables = lists_tables,
	.close = lists_close,
};
