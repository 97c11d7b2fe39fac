// SPDX-License-Identifier: BSD-3-Clause
#include "updates.h"

#include "base/file_write.h"
#include "base/job_runner.h"
#include "base/rng.h"
#include "lists/fetch/list_update.h"

#include <event2/event.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <weir/build.h>
#include <weir/heap_site.h>
#include <weir/log.h>
#include <weir/own_file.h>

enum { WAIT_MS = 60000, SHOWN_MAX = 80 };

// One job of the helper thread, which owns the struct until the job is done. It has copies of the
// settings from its begin.
struct check {
	struct updates *updates;
	uint64_t generation; // generation of the settings
	bool is_fetch;       // false: the job only reads the stored file
	bool is_read;        // the stored file was read, or does not exist
	bool has_former;     // `file` is the last good file, until a newer one replaces it
	struct update_file file;
	enum update_fault fault;
	uint64_t retry_after_s;
	uint8_t key[CONFIG_UPDATE_KEY_LEN];
	char path[PATH_MAX];
	char why[UPDATES_WHY_MAX];
	char store_why[FILE_WRITE_WHY_MAX]; // "": the file was stored, or there was no file
	size_t len;
	char bytes[UPDATE_FILE_MAX + 1];
	struct list_fetch_request request;
	unsigned server_count;
	struct socket_address servers[CONFIG_UPSTREAMS_MAX];
	char url[];
};

struct updates {
	struct events *events;
	struct job_runner *runner;
	struct event *timer;
	struct rng rng;
	uint64_t generation;
	struct check *settings; // copied for each job; NULL: `check` is false
	uint32_t interval_s, jitter_s;
	unsigned failures; // fetches in a row that brought no file
	bool is_read, has_file;
	struct update_file file; // the last good file
	char event_for[UPDATE_VERSION_MAX + 1];
	enum update_fault last;
	struct updates_status status;
};

static bool body_take(void *arg, const char *bytes, size_t len)
{
	struct check *c = arg;
	if (len > sizeof(c->bytes) - c->len)
		return false;
	memcpy(c->bytes + c->len, bytes, len);
	c->len += len;
	return true;
}

// Reads the stored file, if it exists and is signed with this key. -errno: it cannot be read, so
// nobody knows whether another file is older.
static int stored_read(struct check *c)
{
	char why[UPDATE_WHY_MAX];
	int fd = own_file_open(c->path, O_RDONLY | O_CLOEXEC, 0);
	if (fd < 0 && fd != -ENOENT)
		return fd;
	const ssize_t n = fd < 0 ? 0 : read(fd, c->bytes, sizeof(c->bytes));
	const int err = n < 0 ? -errno : 0;
	if (fd >= 0)
		close(fd);
	c->is_read = err == 0;
	c->has_former =
		n > 0
		&& update_file_read(c->bytes, (size_t)n, c->key, &c->file, why) == UPDATE_GOOD;
	return err;
}

static void file_take(struct check *c)
{
	char why[UPDATE_WHY_MAX];
	struct update_file got;
	c->fault = update_file_read(c->bytes, c->len, c->key, &got, why);
	if (c->fault == UPDATE_GOOD)
		c->fault =
			update_file_judge(&got, c->has_former ? &c->file : NULL, time(NULL), why);
	if (c->fault != UPDATE_GOOD) {
		snprintf(c->why, sizeof(c->why), "the file %s", why);
		return;
	}
	(void)!file_write(c->path, c->bytes, c->len, c->store_why);
	c->file = got;
	c->has_former = true;
}

static int check_work(void *arg, const _Atomic bool *stop)
{
	struct check *c = arg;
	struct list_fetch_result got;
	const int unread = c->is_read ? 0 : stored_read(c);
	if (unread) {
		c->fault = UPDATE_FAILED;
		snprintf(c->why, sizeof(c->why), "no fetch: %.200s cannot be read: %s", c->path,
			strerror(-unread));
	}
	if (unread || !c->is_fetch)
		return 0;
	c->request.url = c->url;
	c->request.servers = c->servers;
	c->request.server_count = c->server_count;
	c->request.arg = c;
	c->request.stop = stop;
	const int err = list_fetch(&c->request, &got);
	if (err == 0) {
		file_take(c);
		return 0;
	}
	c->fault = err == -EFBIG ? UPDATE_TOO_LONG : UPDATE_FAILED;
	c->retry_after_s = got.retry_after_s;
	snprintf(c->why, sizeof(c->why), "no file: %s", got.why);
	return err == -ECANCELED ? err : 0;
}

static bool is_newer(const struct update_file *f)
{
	struct update_version mine;
	// A build whose version cannot be read counts as older than any version.
	(void)!update_version_read(build_this()->version, &mine);
	return update_version_compare(&f->version, &mine) > 0;
}

static void timer_set(struct updates *u, uint64_t after_s)
{
	uint16_t random[2] = {rng_u16(&u->rng), rng_u16(&u->rng)};
	after_s += (((uint32_t)random[0] << 16) | random[1]) % ((uint64_t)u->jitter_s + 1);
	const struct timeval after = {.tv_sec = (time_t)after_s};
	u->status.next_unix_s = time(NULL) + (int64_t)after_s;
	(void)event_add(u->timer, &after);
}

static uint64_t pause_s(struct updates *u, const struct check *c)
{
	uint64_t pause = UPDATES_AGAIN_S;
	if (c->fault != UPDATE_FAILED) {
		u->failures = 0;
		return u->interval_s;
	}
	for (unsigned i = 0; i < u->failures && pause < u->interval_s; i++)
		pause *= 2;
	u->failures++;
	if (pause > u->interval_s)
		pause = u->interval_s;
	return c->retry_after_s > pause ? c->retry_after_s : pause;
}

// Adds an event once for each new version, and once when files begin to be refused.
static void events_of(struct updates *u, const struct check *c)
{
	if (c->fault == UPDATE_GOOD && u->status.available
		&& strcmp(u->event_for, u->file.text) != 0) {
		snprintf(u->event_for, sizeof(u->event_for), "%s", u->file.text);
		log_info("version %s is there; this is %s", u->file.text, build_this()->version);
		events_add(u->events, EVENT_update_available,
			EVENT_FIELDS({"version", u->file.text}, {"running", build_this()->version}),
			"version %s is there; this is %s", u->file.text, build_this()->version);
	}
	if (c->fault > UPDATE_FAILED && c->fault != u->last)
		events_add(u->events, EVENT_update_refused,
			EVENT_FIELDS({"why", update_fault_names[c->fault]}),
			"the file of updates.url is refused: %s", c->why);
	u->last = c->fault;
}

static void fetch_took(struct updates *u, const struct check *c)
{
	const int64_t now = time(NULL);
	u->status.tried_unix_s = now;
	u->status.results[c->fault]++;
	snprintf(u->status.why, sizeof(u->status.why), "%s", c->why);
	if (c->fault == UPDATE_GOOD)
		u->status.good_unix_s = now;
	else
		log_warning("updates: %s", c->why);
	if (*c->store_why)
		log_warning("updates: the file is not kept over a restart: %s", c->store_why);
	events_of(u, c);
	timer_set(u, pause_s(u, c));
}

static void check_done(void *arg, int err)
{
	struct check *c = arg;
	struct updates *u = c->updates;
	if (err == -ECANCELED || c->generation != u->generation) { // shutdown, or new settings
		heap_free(c);
		return;
	}
	if (err < 0) {
		c->fault = UPDATE_FAILED;
		snprintf(c->why, sizeof(c->why), "no thread for a fetch: %s", strerror(-err));
	}
	if (c->has_former) {
		u->file = c->file;
		u->status.available = is_newer(&u->file);
		u->status.issued_unix_s = u->file.issued_unix_s;
		snprintf(u->status.version, sizeof(u->status.version), "%s", u->file.text);
	}
	u->has_file = c->has_former;
	u->is_read = c->is_read;
	if (c->is_fetch) {
		fetch_took(u, c);
	} else {
		if (u->has_file) // the event of this version was added before the restart
			snprintf(u->event_for, sizeof(u->event_for), "%s", u->file.text);
		timer_set(u, 0);
	}
	heap_free(c);
}

static void check_begin(struct updates *u, bool is_fetch)
{
	const size_t size = sizeof(*u->settings) + strlen(u->settings->url) + 1;
	struct check *c = heap_malloc(size);
	int rc = -ENOMEM;
	u->status.next_unix_s = 0;
	if (c) {
		memcpy(c, u->settings, size);
		c->is_fetch = is_fetch;
		c->is_read = u->is_read;
		c->has_former = u->has_file;
		c->file = u->file;
		rc = job_runner_start(u->runner, 0, check_work, check_done, c);
	}
	if (rc < 0) {
		log_warning("updates: no fetch: %s", strerror(-rc));
		heap_free(c);
		timer_set(u, UPDATES_AGAIN_S);
	}
}

static void on_timer(evutil_socket_t, short, void *arg)
{
	check_begin(arg, true);
}

int updates_open(struct updates **out, struct loop *service, struct events *events)
{
	struct updates *u = heap_calloc(1, sizeof(*u));
	if (!u)
		return -ENOMEM;
	u->events = events;
	u->timer = event_new(loop_base(service), -1, 0, on_timer, u);
	if (!u->timer || job_runner_open(&u->runner, service, WAIT_MS) < 0) {
		updates_close(u);
		return -ENOMEM;
	}
	*out = u;
	return 0;
}

static bool settings_same(const struct updates *u, const struct check *n, const struct config *c)
{
	return u->settings && n && strcmp(u->settings->url, n->url) == 0
	       && memcmp(u->settings->key, n->key, sizeof(n->key)) == 0
	       && u->interval_s == c->updates.interval_s && u->jitter_s == c->updates.jitter_s;
}

static struct check *settings_new(struct updates *u, const struct config *c)
{
	const struct config_updates *s = &c->updates;
	const struct config_update *bounds = &c->blocking.update;
	struct check *n = heap_calloc(1, sizeof(*n) + strlen(s->url) + 1);
	if (!n)
		return NULL;
	n->updates = u;
	memcpy(n->url, s->url, strlen(s->url) + 1);
	memcpy(n->key, s->public_key, sizeof(n->key));
	snprintf(n->path, sizeof(n->path), "%s/update", c->runtime.state_directory);
	n->request = (struct list_fetch_request){.etag = "",
		.last_modified = "",
		.fd = -1,
		.copy = -1,
		.body = body_take,
		.max_bytes = UPDATE_FILE_MAX,
		.timeout_ms = bounds->timeout_s * 1000,
		.low_speed_s = LIST_FETCH_LOW_SPEED_S,
		.max_redirects = bounds->max_redirects,
		.allow_private = bounds->allow_private};
	return n;
}

void updates_configure(struct updates *u, const struct config *c,
	const struct socket_address *servers, unsigned server_count)
{
	struct check *n = c->updates.check ? settings_new(u, c) : NULL;
	const bool is_same = settings_same(u, n, c);
	if (c->updates.check && !n)
		log_warning("updates: no fetch: %s", strerror(ENOMEM));
	if (n) {
		n->server_count = server_count;
		if (server_count)
			memcpy(n->servers, servers, server_count * sizeof(n->servers[0]));
	}
	if (!is_same)
		u->generation++;
	if (n)
		n->generation = u->generation;
	FREE_AND_NULL(u->settings);
	u->settings = n;
	u->interval_s = c->updates.interval_s;
	u->jitter_s = c->updates.jitter_s;
	u->status.checks = n != NULL;
	if (is_same)
		return;
	(void)event_del(u->timer);
	u->has_file = u->is_read = false;
	u->failures = 0;
	u->last = UPDATE_GOOD;
	u->event_for[0] = '\0';
	const struct updates_status before = u->status;
	u->status = (struct updates_status){.checks = n != NULL};
	memcpy(u->status.results, before.results, sizeof(before.results));
	if (n)
		check_begin(u, false);
}

void updates_status(const struct updates *u, struct updates_status *out)
{
	*out = u->status;
}

void updates_close(struct updates *u)
{
	if (!u)
		return;
	job_runner_close(u->runner);
	if (u->timer)
		event_free(u->timer);
	FREE_AND_NULL(u->settings);
	heap_free(u);
}
