// SPDX-License-Identifier: BSD-3-Clause
#include "list_update.h"

#include "list_axfr.h"
#include "rule_image/rule_compile.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <weir/clock.h>
#include <weir/log.h>
#include <weir/url.h>

enum { READ_SIZE = 1 << 16, SHOWN_MAX = 200 };

static int take_none(void *, const struct list_rule *)
{
	return 0;
}

// Is it a list? -EBADMSG: there is text in it, but not one rule, for the reason *most; -ENODATA: it
// is empty.
static int look_at(int fd, const struct list_options *options, enum list_reject *most)
{
	char piece[READ_SIZE];
	struct list_parser parser;
	off_t at = 0;
	list_parse_begin(&parser, options, take_none, NULL);
	for (;;) {
		ssize_t n = pread(fd, piece, sizeof(piece), at);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		int err = n ? list_parse_feed(&parser, piece, (size_t)n) : list_parse_end(&parser);
		if (err)
			return err;
		if (n == 0)
			break;
		at += n;
	}
	*most = list_counts_most(&parser.counts);
	if (list_counts_rules(&parser.counts))
		return 0;
	return list_counts_rejected(&parser.counts) ? -EBADMSG : -ENODATA;
}

static int refuse(struct list_update *l, int err, enum list_reject most)
{
	snprintf(l->why, sizeof(l->why), "%s", rule_source_error_text(err, most));
	return err;
}

// The body in `fd` becomes the list, unless it equals the stored one.
static int body_take(struct list_update *l, const struct list_store_paths *p, int fd,
	const struct list_fetch_result *fetched, const struct list_stored *before)
{
	char why[LIST_STORE_WHY_MAX];
	struct list_stored s = {.good_unix_s = l->try_unix_s};
	enum list_reject most = 0;
	int err = list_store_hash(fd, &s.size, &s.content_hash);
	if (!err)
		err = look_at(fd, &l->options, &most);
	if (err == -ENODATA && l->force)
		err = 0;
	if (err)
		return refuse(l, err, most);
	strcpy(s.etag, fetched->etag);
	strcpy(s.last_modified, fetched->last_modified);
	bool same = before->size == s.size && before->content_hash == s.content_hash
		    && before->good_unix_s;
	err = same ? list_store_write_state(p, &s, why) : list_store_take(p, fd, &s, why);
	if (err) {
		snprintf(l->why, sizeof(l->why), "%.159s", why);
		return err;
	}
	l->outcome = same ? LIST_UPDATE_UNCHANGED : LIST_UPDATE_CHANGED;
	l->bytes = s.size;
	return 0;
}

static struct list_fetch_request request_of(
	const struct list_update_options *o, const struct list_update *l)
{
	return (struct list_fetch_request){.url = l->url,
		.key = l->key,
		.tls = l->tls,
		.etag = "",
		.last_modified = "",
		.fd = -1,
		.copy = -1,
		.max_bytes = (uint64_t)o->update->max_mb << 20,
		.timeout_ms = o->update->timeout_s * 1000,
		.low_speed_s = LIST_FETCH_LOW_SPEED_S,
		.max_redirects = o->update->max_redirects,
		.allow_private = o->update->allow_private,
		.server_count = o->server_count,
		.servers = o->servers,
		.stop = o->stop};
}

// What one list's fetch has open.
struct files {
	const struct list_update *list;
	const struct list_store_paths *paths;
	struct list_stored before; // all zero: there is no copy
	int fd, copy;              // -1: not open
};

static void before_read(struct files *f, bool whole)
{
	if (list_store_read(f->paths, whole, &f->before))
		f->before = (struct list_stored){0};
}

static int files_open(void *arg, int *fd, int *copy)
{
	struct files *f = arg;
	const struct list_update *l = f->list;
	before_read(f, true);
	*fd = f->fd = open(
		f->paths->temporary, O_RDWR | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (f->fd < 0)
		return -errno;
	if (f->before.good_unix_s && !l->force && list_axfr_wants_copy(l->url))
		*copy = f->copy = open(f->paths->list, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	return 0;
}

static void files_close(const struct files *f, bool is_taken)
{
	if (f->copy >= 0)
		close(f->copy);
	if (f->fd < 0)
		return;
	close(f->fd);
	if (!is_taken)
		(void)unlink(f->paths->temporary);
}

static int fetch(const struct list_fetch_request *request, struct list_update *l, struct files *f)
{
	char why[LIST_STORE_WHY_MAX];
	struct list_fetch_result fetched;
	int err = list_fetch(request, &fetched);
	l->http_status = fetched.http_status;
	l->retry_after_s = fetched.retry_after_s;
	l->changes = fetched.changes;
	if (err) {
		snprintf(l->why, sizeof(l->why), "%s", fetched.why);
		return err;
	}
	if (!fetched.not_modified)
		return body_take(l, f->paths, f->fd, &fetched, &f->before);
	l->outcome = LIST_UPDATE_UNCHANGED;
	if (l->notified)
		return 0;
	f->before.good_unix_s = l->try_unix_s;
	err = list_store_write_state(f->paths, &f->before, why);
	if (err)
		snprintf(l->why, sizeof(l->why), "%.159s", why);
	return err;
}

// A server may send many NOTIFY: each costs one question while the zone stays the same. Files are
// opened, the copy is read, and its state is synced, only for another zone.
static int ask(const struct list_update_options *o, struct list_update *l,
	const struct list_store_paths *p)
{
	struct files f = {.list = l, .paths = p, .fd = -1, .copy = -1};
	struct list_fetch_request request = request_of(o, l);
	int err = 0;
	if (l->notified) {
		before_read(&f, false);
		request.open = files_open;
		request.arg = &f;
	} else {
		err = files_open(&f, &request.fd, &request.copy);
	}
	l->good_unix_s = f.before.good_unix_s;
	if (!l->force) {
		request.etag = f.before.etag;
		request.last_modified = f.before.last_modified;
	}
	err = err < 0 ? refuse(l, err, 0) : fetch(&request, l, &f);
	files_close(&f, err == 0 && l->outcome == LIST_UPDATE_CHANGED);
	return err;
}

static void update(const struct list_update_options *o, struct list_update *l)
{
	struct list_store_paths p;
	char shown[SHOWN_MAX];
	l->outcome = LIST_UPDATE_FAILED;
	l->try_unix_s = (uint64_t)time(NULL);
	int err = list_store_paths(&p, o->state_directory, l->url);
	if (err)
		refuse(l, err, 0);
	else
		err = ask(o, l, &p);
	if (err >= 0)
		l->good_unix_s = l->try_unix_s;
	else
		l->outcome = LIST_UPDATE_FAILED;
	url_shown(l->url, shown, sizeof(shown));
	if (err < 0)
		log_warning("lists: %s: %s", shown, l->why);
	else if (l->outcome == LIST_UPDATE_CHANGED && l->changes)
		log_info("lists: %s: %llu bytes, by %llu changed lines", shown,
			(unsigned long long)l->bytes, (unsigned long long)l->changes);
	else if (l->outcome == LIST_UPDATE_CHANGED)
		log_info("lists: %s: %llu bytes", shown, (unsigned long long)l->bytes);
}

struct crew {
	const struct list_update_options *options;
	struct list_update *list;
	unsigned count;
	_Atomic unsigned next;
};

static void *work(void *arg)
{
	struct crew *c = arg;
	for (unsigned i;
		(i = atomic_fetch_add_explicit(&c->next, 1, memory_order_relaxed)) < c->count;) {
		struct list_update *l = &c->list[i];
		bool stopped = c->options->stop
			       && atomic_load_explicit(c->options->stop, memory_order_relaxed);
		if (!l->wanted || stopped)
			continue;
		atomic_store(&l->since_ms, clock_mono_ms());
		update(c->options, l);
		atomic_store(&l->since_ms, 0);
	}
	return NULL;
}

unsigned list_update_all(
	const struct list_update_options *options, struct list_update *list, unsigned count)
{
	struct crew crew = {.options = options, .list = list, .count = count};
	pthread_t thread[LIST_UPDATE_THREADS - 1];
	unsigned threads = 0, changed = 0, wanted = 0;
	for (unsigned i = 0; i < count; i++) {
		list[i].outcome = LIST_UPDATE_NONE;
		wanted += list[i].wanted;
	}
	// This thread works too; the others have its signals and its nice value. If one cannot
	// start there is one less.
	while (threads < LIST_UPDATE_THREADS - 1 && threads + 1 < wanted
		&& pthread_create(&thread[threads], NULL, work, &crew) == 0)
		threads++;
	work(&crew);
	for (unsigned i = 0; i < threads; i++)
		pthread_join(thread[i], NULL);
	for (unsigned i = 0; i < count; i++)
		changed += list[i].outcome == LIST_UPDATE_CHANGED;
	return changed;
}
