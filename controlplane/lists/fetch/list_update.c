// SPDX-License-Identifier: BSD-3-Clause
#include "list_update.h"

#include "base/file_write.h"
#include "base/net_public.h"
#include "http/http_server.h"
#include "list_axfr.h"
#include "list_primary.h"
#include "rule_image/rule_compile.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <time.h>
#include <unistd.h>
#include <weir/clock.h>
#include <weir/heap_site.h>
#include <weir/http_coding.h>
#include <weir/log.h>
#include <weir/url.h>

enum { OTHER_BODY_MAX = 65536, FETCH_SHOWN_MAX = 80, CONDITION_MAX = LIST_FETCH_ETAG_MAX + 32 };

struct fetch {
	const struct list_fetch_request *request;
	struct list_fetch_result *result;
	struct http_transfer *transfer;
	uint64_t deadline_ms;
	int err; // why a callback ended the transfer; 0 if none did
	uint64_t other_bytes;
	bool refused; // some address was not public
	char refused_text[SOCKET_ADDRESS_TEXT_MAX];
	char condition[2][CONDITION_MAX]; // header lines; "" without one
};

static int ATTR_PRINTF(3, 4) fail(struct fetch *f, int err, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(f->result->why, sizeof(f->result->why), fmt, ap);
	va_end(ap);
	return err;
}

static bool stopped(const struct fetch *f)
{
	return f->request->stop && atomic_load_explicit(f->request->stop, memory_order_relaxed);
}

static bool on_body(void *arg, unsigned status, const char *bytes, size_t len)
{
	struct fetch *f = arg;
	if (status != 200) {
		f->other_bytes += len;
		return f->other_bytes <= OTHER_BODY_MAX;
	}
	f->result->bytes += len;
	if (f->result->bytes > f->request->max_bytes)
		f->err = -EFBIG;
	else if (f->request->body)
		f->err = f->request->body(f->request->arg, bytes, len) ? 0 : -EFBIG;
	else
		f->err = file_write_fd(f->request->fd, bytes, len);
	return !f->err;
}

// The value of a header line, cut to nothing when it does not fit: half a validator would never
// match.
static void header_take(const char *line, size_t len, const char *name, char *out, size_t cap)
{
	size_t n;
	const char *value = http_header_value(line, len, name, &n);

	if (!value)
		return;
	bool fits = n < cap;
	for (size_t i = 0; i < n; i++)
		fits &= value[i] >= 0x20 && value[i] <= 0x7e;
	if (!fits)
		n = 0;
	memcpy(out, value, n);
	out[n] = '\0';
}

static void on_header(void *arg, const char *line, size_t len)
{
	struct list_fetch_result *r = ((struct fetch *)arg)->result;
	header_take(line, len, "ETag", r->etag, sizeof(r->etag));
	header_take(line, len, "Last-Modified", r->last_modified, sizeof(r->last_modified));
}

static bool on_wait(void *arg, uint64_t received)
{
	struct fetch *f = arg;
	if (stopped(f))
		f->err = -ECANCELED;
	else if (received > f->request->max_bytes)
		f->err = -EFBIG;
	return !f->err;
}

static bool on_address(void *arg, const struct ip_address *a)
{
	struct fetch *f = arg;
	if (f->request->allow_private || net_public(a))
		return true;
	f->refused = true;
	ip_address_text(a, false, f->refused_text);
	return false;
}

// The addresses of the URL's host, "" when it needs none.
static int host_prepare(struct fetch *f, const struct http_url *url, char out[HTTP_HOST_LINE_MAX])
{
	char why[HTTP_HOST_WHY_MAX];
	struct bootstrap b = {.server_count = f->request->server_count,
		.deadline_ms = f->deadline_ms,
		.stop = f->request->stop};
	if (b.server_count > ARRAY_LEN(b.server))
		b.server_count = ARRAY_LEN(b.server);
	if (b.server_count)
		memcpy(b.server, f->request->servers, b.server_count * sizeof(b.server[0]));
	int err = http_host_addresses(url, &b, out, why);
	return err ? fail(f, err, "%s", why) : 0;
}

static int transfer_error(struct fetch *f, int err, const char *why)
{
	const struct list_fetch_request *r = f->request;
	const bool in_mb = r->max_bytes >= 1 << 20;
	if (f->err == -EFBIG || err == -EFBIG)
		return fail(f, -EFBIG, "larger than %llu %ciB",
			(unsigned long long)r->max_bytes >> (in_mb ? 20 : 10), in_mb ? 'M' : 'K');
	if (f->err == -ECANCELED)
		return fail(f, -ECANCELED, "stopped");
	if (f->err)
		return fail(f, -EIO, "cannot write: %s", strerror(-f->err));
	if (f->refused)
		return fail(f, -EACCES,
			"%s is not a public address (blocking.update.allow_private)",
			f->refused_text);
	if (err == -ETIMEDOUT)
		return fail(f, -ETIMEDOUT, "too slow: stopped after %u s at most",
			(r->timeout_ms + 999) / 1000);
	return fail(f, -EIO, "%s", why);
}

static void request_fill(struct fetch *f, const char *url, const char *addresses, uint64_t now_ms,
	struct http_transfer_request *out)
{
	*out = (struct http_transfer_request){.url = url,
		.addresses = *addresses ? addresses : NULL,
		.takes_gzip = true,
		.max_bytes = f->request->max_bytes,
		.connect_ms = LIST_FETCH_CONNECT_MS,
		.timeout_ms = (unsigned)(f->deadline_ms - now_ms),
		.low_speed_s = f->request->low_speed_s,
		.hooks = {.on_header = on_header,
			.on_body = on_body,
			.on_wait = on_wait,
			.on_address = on_address},
		.arg = f};
	unsigned n = 0;
	for (unsigned i = 0; i < ARRAY_LEN(f->condition); i++)
		if (f->condition[i][0])
			out->header[n++] = f->condition[i];
}

// One transfer. 1: a redirect, in *next (to be freed).
static int hop_run(struct fetch *f, const char *url, const char *addresses, char **next)
{
	struct http_transfer_request request;
	struct http_transfer_result got;
	uint64_t now_ms = clock_mono_ms();
	f->result->etag[0] = f->result->last_modified[0] = '\0';
	f->result->bytes = f->other_bytes = 0;
	f->refused = false;
	if (now_ms >= f->deadline_ms)
		return fail(f, -ETIMEDOUT, "no time left after redirects");
	request_fill(f, url, addresses, now_ms, &request);
	int err = http_transfer(f->transfer, &request, &got);
	f->result->http_status = got.status;
	f->result->wire_bytes = got.received;
	if (got.status >= 400 && !f->err) {
		f->result->retry_after_s = got.retry_after_s < LIST_FETCH_AGAIN_MAX_S
						   ? got.retry_after_s
						   : LIST_FETCH_AGAIN_MAX_S;
		return fail(f, -EPROTO, "HTTP status %u", got.status);
	}
	if (err)
		return transfer_error(f, err, got.why);
	if (got.status == 200)
		return 0;
	if (got.status == 304 && (f->condition[0][0] || f->condition[1][0])) {
		f->result->not_modified = true;
		return 0;
	}
	if (got.status < 300 || got.status > 308 || !got.redirect)
		return fail(f, -EPROTO, "HTTP status %u", got.status);
	*next = heap_strdup(got.redirect);
	return *next ? 1 : fail(f, -EIO, "no memory");
}

// Checks and resolves, then transfers.
static int hop(struct fetch *f, const char *url, bool had_tls, char **next)
{
	char addresses[HTTP_HOST_LINE_MAX];
	struct http_url split;
	if (http_url_split(url, &split) < 0)
		return fail(f, -EPROTO, "not a URL with a host");
	if (strcmp(split.scheme, "https") != 0 && (had_tls || strcmp(split.scheme, "http") != 0))
		return fail(f, -EPROTO, "a redirect to %.10s%s", split.scheme,
			had_tls ? " from https" : "");
	int err = host_prepare(f, &split, addresses);
	return err ? err : hop_run(f, url, addresses, next);
}

static int hops_run(struct fetch *f)
{
	char shown[FETCH_SHOWN_MAX], *redirect = NULL;
	const char *url = f->request->url;
	bool had_tls = false;
	int err = 1;
	for (unsigned i = 0; err == 1; i++) {
		char *next = NULL;
		if (i > f->request->max_redirects) {
			err = fail(f, -ELOOP, "more than %u redirects", f->request->max_redirects);
			break;
		}
		err = hop(f, url, had_tls, &next);
		had_tls |= strncasecmp(url, "https:", 6) == 0;
		if (err < 0 && i > 0) {
			size_t len = strlen(f->result->why);
			snprintf(f->result->why + len, sizeof(f->result->why) - len,
				" (redirected to %s)", url_shown(url, shown, sizeof(shown)));
		}
		heap_free(redirect);
		url = redirect = next;
	}
	heap_free(redirect);
	return err;
}

// Makes the request conditional.
static void conditions_fill(struct fetch *f)
{
	const struct list_fetch_request *r = f->request;
	if (r->etag[0])
		snprintf(f->condition[0], CONDITION_MAX, "If-None-Match: %s", r->etag);
	if (r->last_modified[0])
		snprintf(f->condition[1], CONDITION_MAX, "If-Modified-Since: %s", r->last_modified);
}

int list_fetch(const struct list_fetch_request *request, struct list_fetch_result *out)
{
	if (list_axfr_is(request->url))
		return list_axfr(request, out);
	struct fetch f = {.request = request,
		.result = out,
		.deadline_ms = clock_mono_ms() + request->timeout_ms};
	*out = (struct list_fetch_result){0};
	conditions_fill(&f);
	if (http_transfer_open(&f.transfer) < 0)
		return fail(&f, -EIO, "libcurl cannot be set up");
	int err = hops_run(&f);
	http_transfer_close(f.transfer);
	return err;
}

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
	const struct list_fetch_result *fetched, const struct list_stored *before,
	uint64_t good_unix_s)
{
	char why[LIST_STORE_WHY_MAX];
	struct list_stored s = {.good_unix_s = good_unix_s};
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

static void files_close(struct files *f, bool is_taken)
{
	if (f->copy >= 0)
		close(f->copy);
	if (f->fd >= 0)
		close(f->fd);
	if (f->fd >= 0 && !is_taken)
		(void)unlink(f->paths->temporary);
	f->fd = f->copy = -1;
}

// The list's server confirmed the list at `good_unix_s`.
static int confirmed(struct list_update *l, struct files *f,
	const struct list_fetch_result *fetched, uint64_t good_unix_s)
{
	char why[LIST_STORE_WHY_MAX];
	int err = 0;
	if (!fetched->not_modified) {
		err = body_take(l, f->paths, f->fd, fetched, &f->before, good_unix_s);
	} else {
		l->outcome = LIST_UPDATE_UNCHANGED;
		f->before.good_unix_s = good_unix_s;
		err = l->notified ? 0 : list_store_write_state(f->paths, &f->before, why);
		if (err)
			snprintf(l->why, sizeof(l->why), "%.159s", why);
	}
	l->good_unix_s = err ? l->good_unix_s : good_unix_s;
	return err;
}

static int fetch(const struct list_fetch_request *request, struct list_update *l, struct files *f)
{
	struct list_fetch_result fetched;
	int err = list_fetch(request, &fetched);
	l->http_status = fetched.http_status;
	l->retry_after_s = fetched.retry_after_s;
	l->changes = fetched.changes;
	l->why[0] = '\0'; // that of the primary
	if (!err)
		return confirmed(l, f, &fetched, l->try_unix_s);
	snprintf(l->why, sizeof(l->why), "%s", fetched.why);
	return err;
}

// Has this list the same content on each box that takes it from the primary? A transfer that
// proves its server is each box's own.
static bool may_be_of_primary(const struct list_update_options *o, const struct list_update *l)
{
	return o->primary && !l->force && !l->notified && !l->key && !l->tls;
}

// A date in the primary's future counts as this box's present.
static int fetch_of_primary(const struct list_primary *p, const struct list_fetch_request *request,
	struct list_update *l, struct files *f)
{
	struct list_fetch_result fetched;
	struct list_stored got;
	char shown[SHOWN_MAX];
	int err = list_primary_fetch(p, request, &f->before, &got, &fetched);
	l->http_status = fetched.http_status;
	snprintf(l->why, sizeof(l->why), "%s", err ? fetched.why : "");
	if (!err)
		err = confirmed(l, f, &fetched,
			got.good_unix_s < l->try_unix_s ? got.good_unix_s : l->try_unix_s);
	l->is_of_primary = !err;
	if (err && err != -ENOENT)
		log_info("lists: %s: not taken from the primary: %s",
			url_shown(l->url, shown, sizeof(shown)), l->why);
	return err;
}

static int fetch_by(const struct list_update_options *o, struct list_fetch_request *request,
	struct list_update *l, struct files *f)
{
	if (may_be_of_primary(o, l)) {
		if (fetch_of_primary(o->primary, request, l, f) == 0)
			return 0;
		if (l->primary_alone) {
			l->outcome = LIST_UPDATE_WAITS;
			return 0;
		}
		// The open file may be the stored list by now, if only its state could not be
		// written.
		files_close(f, false);
		request->copy = -1;
		int err = files_open(f, &request->fd, &request->copy);
		if (err < 0)
			return refuse(l, err, 0);
	}
	return fetch(request, l, f);
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
	if (err < 0)
		err = refuse(l, err, 0);
	else
		err = fetch_by(o, &request, l, &f);
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
	if (err < 0)
		l->outcome = LIST_UPDATE_FAILED;
	url_shown(l->url, shown, sizeof(shown));
	if (err < 0)
		log_warning("lists: %s: %s", shown, l->why);
	else if (l->outcome == LIST_UPDATE_CHANGED && l->changes)
		log_info("lists: %s: %llu bytes, by %llu changed lines", shown,
			(unsigned long long)l->bytes, (unsigned long long)l->changes);
	else if (l->outcome == LIST_UPDATE_CHANGED)
		log_info("lists: %s: %llu bytes%s", shown, (unsigned long long)l->bytes,
			l->is_of_primary ? ", from the primary" : "");
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
