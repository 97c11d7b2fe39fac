// SPDX-License-Identifier: BSD-3-Clause
#include "sync_thread.h"

#include "base/json.h"
#include "http/http_server.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <weir/clock.h>
#include <weir/heap_site.h>
#include <weir/text.h>
#include <weir/thread.h>

struct sync_thread {
	struct loop *service;
	pthread_t thread;
	bool is_started; // the service loop's
	pthread_mutex_t lock;
	pthread_cond_t wake;
	// The lock protects these:
	bool is_ending;
	struct sync_job *first, **last;
	struct sync_job *ended; // while the thread ends
	// Ends the exchange that runs; the thread sets it before each job.
	_Atomic bool stop;
};

static void job_return(void *arg)
{
	struct sync_job *j = arg;
	j->done(j);
}

// NULL: the thread shall end.
static struct sync_job *job_take(struct sync_thread *t)
{
	pthread_mutex_lock(&t->lock);
	while (!t->first && !t->is_ending)
		pthread_cond_wait(&t->wake, &t->lock);
	struct sync_job *j = t->first;
	if (j) {
		t->first = j->next;
		t->last = t->first ? t->last : &t->first;
		atomic_store(&t->stop, t->is_ending || j->is_cut);
	}
	pthread_mutex_unlock(&t->lock);
	return j;
}

static void *run(void *arg)
{
	struct sync_thread *t = arg;
	struct sync_job *j;
	thread_background();
	while ((j = job_take(t))) {
		j->work(j, t);
		pthread_mutex_lock(&t->lock);
		const bool is_ending = t->is_ending;
		if (is_ending) {
			j->next = t->ended;
			t->ended = j;
		}
		pthread_mutex_unlock(&t->lock);
		if (!is_ending)
			loop_call_back(t->service, &j->back, job_return, j);
	}
	return NULL;
}

int sync_thread_open(struct sync_thread **out, struct loop *service)
{
	struct sync_thread *t = heap_calloc(1, sizeof(*t));
	if (!t)
		return -ENOMEM;
	t->service = service;
	t->last = &t->first;
	pthread_mutex_init(&t->lock, NULL);
	pthread_cond_init(&t->wake, NULL);
	*out = t;
	return 0;
}

void sync_thread_close(struct sync_thread *t)
{
	if (!t)
		return;
	pthread_mutex_lock(&t->lock);
	t->is_ending = true;
	atomic_store(&t->stop, true);
	pthread_cond_signal(&t->wake);
	pthread_mutex_unlock(&t->lock);
	if (t->is_started)
		pthread_join(t->thread, NULL);
	for (struct sync_job *j = t->ended, *next; j; j = next) {
		next = j->next;
		j->done(j);
	}
	pthread_cond_destroy(&t->wake);
	pthread_mutex_destroy(&t->lock);
	heap_free(t);
}

int sync_thread_run(struct sync_thread *t, struct sync_job *j)
{
	const int rc = t->is_started ? 0 : thread_start(&t->thread, "weir-sync", run, t);
	if (rc < 0)
		return rc;
	t->is_started = true;
	j->next = NULL;
	j->is_cut = false;
	pthread_mutex_lock(&t->lock);
	*t->last = j;
	t->last = &j->next;
	pthread_cond_signal(&t->wake);
	pthread_mutex_unlock(&t->lock);
	return 0;
}

void sync_thread_cut(struct sync_thread *t)
{
	pthread_mutex_lock(&t->lock);
	for (struct sync_job *j = t->first; j; j = j->next)
		j->is_cut = true;
	atomic_store(&t->stop, true);
	pthread_mutex_unlock(&t->lock);
}

// One exchange with the primary: the reply is a line, behind which the stream is of no use.

enum { KEPT_FIRST = 4096, ERROR_MAX = 4096 };

struct exchange {
	struct sync_thread *thread;
	char *bytes;
	size_t len, cap;
	bool is_whole, is_too_long;
	bool no_memory;
};

static bool room_make(struct exchange *e, size_t len)
{
	size_t cap = e->cap ? e->cap : KEPT_FIRST;
	while (cap < e->len + len)
		cap *= 2;
	if (cap == e->cap)
		return true;
	char *bytes = heap_realloc(e->bytes, cap);
	e->no_memory = !bytes;
	if (!bytes)
		return false;
	e->bytes = bytes;
	e->cap = cap;
	return true;
}

static bool on_body(void *arg, unsigned status, const char *bytes, size_t len)
{
	struct exchange *e = arg;
	const size_t max = status == 200 ? SYNC_LINE_MAX : ERROR_MAX;
	const char *end = status == 200 ? memchr(bytes, '\n', len) : NULL;
	len = end ? (size_t)(end - bytes) : len;
	e->is_too_long = len > max - e->len;
	if (e->is_too_long || !room_make(e, len))
		return false;
	memcpy(e->bytes + e->len, bytes, len);
	e->len += len;
	e->is_whole = end != NULL;
	return !end;
}

static bool on_wait(void *arg, uint64_t)
{
	const struct exchange *e = arg;
	return !atomic_load(&e->thread->stop);
}

// The error in the reply of a primary that refuses the poll.
static void refusal_write(const struct exchange *e, struct sync_poll *p)
{
	char json_why[JSON_IN_WHY_MAX], text[SYNC_WHY_MAX / 2];
	struct json_in *v = json_in_read(e->bytes ? e->bytes : "", e->len, json_why);
	text_escape(json_in_text(json_in_get(v, "error")), text, sizeof(text));
	json_in_free(v);
	snprintf(p->why, sizeof(p->why), "the primary refuses polls (HTTP %u)%s%s", p->status,
		*text ? ": " : "", text);
}

static int reply_read(const struct exchange *e, struct sync_poll *p)
{
	if (e->no_memory) {
		snprintf(p->why, sizeof(p->why), "%s", strerror(ENOMEM));
		return -ENOMEM;
	}
	if (e->is_too_long) {
		snprintf(p->why, sizeof(p->why), "the reply is too long");
		return -EFBIG;
	}
	if (p->status != 200) {
		refusal_write(e, p);
		return -EACCES;
	}
	return sync_line_read(e->bytes, e->len, &p->offer, p->why);
}

static int exchange(struct exchange *e, struct sync_poll *p, const char *addresses)
{
	char authorization[SYNC_TOKEN_MAX + 32];
	struct http_transfer *t;
	struct http_transfer_result got;
	snprintf(authorization, sizeof(authorization), "Authorization: Bearer %s", p->token);
	const struct http_transfer_request request = {.url = p->url,
		.addresses = *addresses ? addresses : NULL,
		.ca_file = *p->ca_file ? p->ca_file : NULL,
		.header = {authorization, "Content-Type: application/x-www-form-urlencoded"},
		.body = p->form,
		.len = strlen(p->form),
		.connect_ms = SYNC_CONNECT_MS,
		.timeout_ms = SYNC_POLL_MS,
		.low_speed_s = SYNC_LOW_SPEED_S,
		.single = true,
		.hooks = {.on_body = on_body, .on_wait = on_wait},
		.arg = e};
	int rc = http_transfer_open(&t);
	if (rc < 0) {
		snprintf(p->why, sizeof(p->why), "%s", strerror(-rc));
		return rc;
	}
	rc = http_transfer(t, &request, &got);
	http_transfer_close(t);
	explicit_bzero(authorization, sizeof(authorization));
	p->status = got.status;
	if (e->is_whole || e->is_too_long || e->no_memory || (rc == 0 && got.status != 200))
		return reply_read(e, p);
	snprintf(p->why, sizeof(p->why), "%s",
		rc == 0 ? "the primary ended the reply too early" : got.why);
	return rc == 0 ? -EIO : rc;
}

static void poll_run(struct sync_poll *p, struct sync_thread *t)
{
	struct exchange e = {.thread = t};
	struct http_url host;
	struct bootstrap ask = {.stop = &t->stop,
		.server_count = p->server_count,
		.deadline_ms = clock_mono_ms() + SYNC_CONNECT_MS};
	char addresses[HTTP_HOST_LINE_MAX], why[HTTP_HOST_WHY_MAX];
	memcpy(ask.server, p->server, p->server_count * sizeof(p->server[0]));
	p->err = http_url_split(p->url, &host);
	if (p->err < 0) {
		snprintf(p->why, sizeof(p->why), "sync.primary is not a URL with a host");
		return;
	}
	p->err = http_host_addresses(&host, &ask, addresses, why);
	if (p->err < 0) {
		snprintf(p->why, sizeof(p->why), "%s: %s", host.host, why);
		return;
	}
	p->err = exchange(&e, p, addresses);
	heap_free(e.bytes);
}

void sync_poll_work(struct sync_job *j, struct sync_thread *t)
{
	struct sync_poll *p = (struct sync_poll *)j;
	poll_run(p, t);
	explicit_bzero(p->token, sizeof(p->token));
}

void sync_save_work(struct sync_job *j, struct sync_thread *)
{
	struct sync_save *s = (struct sync_save *)j;
	s->err = sync_memory_write(&s->memory, s->path, s->why);
}
