// SPDX-License-Identifier: BSD-3-Clause
// Endpoints of profiles in pprof's formats (profile.h): one at a time, on a helper thread.

#include "api_clients.h"
#include "api_param.h"
#include "memory/heap.h"
#include "memory/heap_baselines.h"
#include "memory/process.h"
#include "memory/profile.h"

#include <event2/event.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <weir/clock.h>
#include <weir/heap_site.h>
#include <weir/log.h>
#include <weir/mem_account.h>

enum { SECONDS = 30, SLACK_MS = 10000 };

struct profile_call {
	struct api *api;
	struct http_exchange *exchange;
	unsigned seconds;                     // length of a CPU profile, else 0
	int (*take)(char **out, size_t *len); // NULL: a CPU profile
	char *out;
	size_t len;
};

static int profile_work(void *arg, const _Atomic bool *stop)
{
	struct profile_call *c = arg;
	return c->take ? c->take(&c->out, &c->len)
		       : profile_cpu(c->seconds, stop, &c->out, &c->len);
}

static void on_profiled(void *arg, int err)
{
	struct profile_call *c = arg;
	c->api->is_profiling = false;
	if (err == 0)
		http_reply_bytes(c->exchange, 200,
			c->take ? "text/plain" : "application/octet-stream", c->out, c->len);
	else if (err == -ECANCELED)
		http_reply(c->exchange, 503, c->out);
	else
		api_refuse(c->exchange, 500, "profile: %s", strerror(-err));
	heap_free(c);
}

static void profile_start(struct api *a, struct http_exchange *x, unsigned seconds,
	int (*take)(char **out, size_t *len))
{
	char user[API_USER_MAX];
	if (a->is_profiling) {
		api_refuse(x, 409, "another profile is being taken: repeat this one later");
		return;
	}
	struct profile_call *c = heap_calloc(1, sizeof(*c));
	if (!c) {
		http_reply(x, 500, NULL);
		return;
	}
	*c = (struct profile_call){.api = a, .exchange = x, .seconds = seconds, .take = take};
	log_info("control: %s for %s", http_path(x), api_user_text(x, user));
	http_defer(x, seconds * 1000 + SLACK_MS);
	int err = job_runner_start(a->profiles, 0, profile_work, on_profiled, c);
	a->is_profiling = err == 0;
	if (err) {
		api_busy(x, err);
		heap_free(c);
	}
}

// Replies with a profile of the processor's time.
static void serve_cpu(struct api *a, struct http_exchange *x)
{
	unsigned seconds = SECONDS;
	if (http_param(x, "seconds")
		&& !api_param_number(x, "seconds", PROFILE_SECONDS_MAX, &seconds))
		return;
	if (seconds == 0)
		api_refuse(x, 400, "seconds: must be 1 to %d", PROFILE_SECONDS_MAX);
	else
		profile_start(a, x, seconds, NULL);
}

// Replies with a profile of allocations.
static void serve_alloc(struct api *a, struct http_exchange *x)
{
	profile_start(a, x, 0, profile_alloc);
}

// Replies with a profile of the stacks of all threads.
static void serve_threads(struct api *a, struct http_exchange *x)
{
	profile_start(a, x, 0, profile_threads);
}

static void tables(struct api *, struct table_registry *tables)
{
	struct profile_alloc_counts c;
	profile_alloc_count(&c);
	table_register(tables, &(struct table_info){.name = "profile_stacks",
				       .owner = "allocation profile",
				       .eviction = "samples of further stacks are counted alone",
				       .lifetime = "until the process ends",
				       .kind = TABLE_CACHE,
				       .cap = c.cap,
				       .used = c.used,
				       .bytes = c.bytes,
				       .refused = c.lost,
				       .has = TABLE_REFUSES});
}

const struct api_part api_profile_part = {
	.endpoint = {{"/profile/cpu", serve_cpu, API_GET | API_AUDIT, CONTROL_ADMIN, "seconds"},
		{"/profile/alloc", serve_alloc, API_GET | API_AUDIT, CONTROL_ADMIN, "seconds"},
		{"/profile/threads", serve_threads, API_GET | API_AUDIT, CONTROL_ADMIN, "seconds"}},
	.tables = tables,
};

// Endpoints of the heap: its figures and profiles; and of what a profile leaves out: threads and
// open sockets.

enum { SOCKETS_MAX = 1024, SOCKETS_DEFER_MS = 10000 };

// Replies with the memory of the allocator.
static void serve_heap(struct api *, struct http_exchange *x)
{
	struct heap_stats s;
	struct mem_sum by[MEM_ACCOUNT_COUNT];
	uint64_t rss, anonymous;
	heap_read(&s);
	process_memory(&rss, &anonymous);
	struct json_out *o = json_out_new();
	struct json_node *root = json_out_root(o);
	json_out_count(o, root, "monotonic_ms", clock_mono_ms());
	json_out_text(o, root, "allocator", s.jemalloc ? "jemalloc" : "libc");
	json_out_bool(o, root, "can_profile", s.can_profile);
	json_out_bool(o, root, "profiles", s.profiles);
	JSON_COUNTS(o, root, &s, sample, allocated, active, resident, retained, metadata,
		threads_cached, profiler, allocations, frees);
	json_out_count(o, root, "made", mem_accounts(by).made);
	json_out_count(o, root, "rss", rss);
	json_out_count(o, root, "anonymous", anonymous);
	http_reply(x, 200, json_out_finish(o));
}

static void done_reply(struct http_exchange *x, int rc)
{
	if (rc == -ENOTSUP) {
		api_refuse(x, 409,
			"the allocator here has no heap profiles; weirctl mem sites counts "
			"without");
		return;
	}
	if (rc < 0) {
		api_refuse(x, 500, "heap profile: %s", strerror(-rc));
		return;
	}
	struct json_out *o = json_out_new();
	json_out_bool(o, json_out_root(o), "ok", true);
	http_reply(x, 200, json_out_finish(o));
}

// A heap dump blocks this loop, so weir makes at most one in API_DUMP_SPACE_MS, and changes the
// sampling rate as often, because that dumps a baseline first. True: an earlier request, which this
// call refuses.
static bool is_too_soon(struct http_exchange *x, uint64_t last_ms)
{
	if (!last_ms || clock_mono_ms() - last_ms >= API_DUMP_SPACE_MS)
		return false;
	api_refuse(x, 429, "there was one just now: one heap dump, one new rate in %d s",
		API_DUMP_SPACE_MS / 1000);
	return true;
}

// Begins to sample the heap.
static void serve_heap_on(struct api *a, struct http_exchange *x)
{
	unsigned lg = HEAP_SAMPLE_LG;
	if (http_param(x, "sample_lg")
		&& !api_param_number(x, "sample_lg", HEAP_SAMPLE_LG_MAX, &lg))
		return;
	if (lg < HEAP_SAMPLE_LG_MIN) {
		api_refuse(x, 400, "sample_lg: must be %d to %d", HEAP_SAMPLE_LG_MIN,
			HEAP_SAMPLE_LG_MAX);
		return;
	}
	struct heap_stats s;
	heap_read(&s);
	if (s.can_profile && s.sample != (uint64_t)1 << lg) {
		if (is_too_soon(x, a->rate_ms))
			return;
		if (a->baselines)
			heap_baselines_take(a->baselines);
		a->rate_ms = clock_mono_ms();
	}
	done_reply(x, heap_profile(true, lg));
}

// Ends the sampling of the heap.
static void serve_heap_off(struct api *, struct http_exchange *x)
{
	done_reply(x, heap_profile(false, 0));
}

// Whether the dump blocked the loop. A dump that failed has, unless it could not begin.
static bool has_dumped(int rc)
{
	return rc != -ENOTSUP && rc != -EMFILE && rc != -ENFILE;
}

// Replies with a heap profile of the control plane. Logs each dump, because a dump shows what lies
// where in memory.
static void serve_debug_heap(struct api *a, struct http_exchange *x)
{
	char *text;
	size_t len;
	char user[API_USER_MAX];
	if (is_too_soon(x, a->dumped_ms))
		return;
	int rc = heap_dump(&text, &len);
	if (has_dumped(rc))
		a->dumped_ms = clock_mono_ms();
	log_info("control: heap dump for %s: %s", api_user_text(x, user),
		rc < 0 ? strerror(-rc) : "sent");
	if (rc < 0)
		done_reply(x, rc);
	else
		http_reply_text(x, 200, "text/plain", text);
}

// Replies with the threads of the control plane.
static void heap_serve_threads(struct api *, struct http_exchange *x)
{
	struct process_thread t[PROCESS_THREADS_MAX];
	unsigned count = process_threads(t, PROCESS_THREADS_MAX);
	struct json_out *o = json_out_new();
	struct json_node *root = json_out_root(o);
	json_out_count(o, root, "count", count);
	struct json_node *list = json_out_array(o, root, "threads");
	for (unsigned i = 0; i < count && i < PROCESS_THREADS_MAX; i++) {
		const char state[2] = {t[i].state, '\0'};
		struct json_node *n = json_out_object(o, list, NULL);
		json_out_count(o, n, "id", (uint64_t)t[i].id);
		json_out_text(o, n, "name", t[i].name);
		json_out_text(o, n, "state", state);
		JSON_COUNTS(o, n, &t[i], cpu_ms, waits, preempted);
	}
	http_reply(x, 200, json_out_finish(o));
}

// The list ends at SOCKETS_MAX sockets; the sums by peer count all sockets.
struct sockets_out {
	struct json_out *o;
	struct json_node *list;
	unsigned listed;
	struct process_peers *peers;
	const struct querylog_hiding *hiding;
};

// Hides a client's address as the query log does, and leaves its port out.
static void peer_hide(const struct querylog_hiding *h, struct process_socket *s)
{
	char text[QUERYLOG_CLIENT_TEXT_MAX];
	if (h->how == LOG_CLIENTS_WHOLE || !s->may_be_client)
		return;
	api_hidden_text(h, s->peer_version, s->peer_bytes, text);
	snprintf(s->peer, sizeof(s->peer), strchr(text, ':') ? "[%s]" : "%s", text);
}

static void socket_out(void *arg, struct process_socket *s)
{
	struct sockets_out *to = arg;
	peer_hide(to->hiding, s);
	process_peers_add(to->peers, s);
	if (to->listed == SOCKETS_MAX)
		return;
	to->listed++;
	struct json_node *n = json_out_object(to->o, to->list, NULL);
	json_out_count(to->o, n, "fd", (uint64_t)s->fd);
	json_out_text(to->o, n, "kind", s->kind);
	json_out_text(to->o, n, "local", s->local);
	json_out_text(to->o, n, "peer", s->peer);
	JSON_COUNTS(to->o, n, s, unread, unsent);
}

static void sums_out(struct json_out *o, struct json_node *n, const struct process_peer *p)
{
	JSON_COUNTS(o, n, p, sockets, unread, unsent);
}

static void peers_out(struct json_out *o, struct json_node *root, const struct process_peers *p)
{
	struct json_node *list = json_out_array(o, root, "peers");
	for (unsigned i = 0; i < p->count; i++) {
		struct json_node *n = json_out_object(o, list, NULL);
		json_out_text(o, n, "kind", p->peer[i].kind);
		json_out_text(o, n, "peer", p->peer[i].host);
		sums_out(o, n, &p->peer[i]);
	}
	sums_out(o, json_out_object(o, root, "other_peers"), &p->others);
}

struct sockets_job {
	struct api *api;
	struct querylog_hiding hiding;
	char *text; // the reply; NULL: no memory
};

// Runs on a helper thread.
static int sockets_work(void *arg, const _Atomic bool *)
{
	struct sockets_job *job = arg;
	struct process_peers *peers = heap_calloc(1, sizeof(*peers));
	if (!peers)
		return -ENOMEM;
	struct json_out *o = json_out_new();
	struct json_node *root = json_out_root(o);
	struct sockets_out to = {.o = o,
		.list = json_out_array(o, root, "sockets"),
		.peers = peers,
		.hiding = &job->hiding};
	struct process_files_count c;
	process_sockets(socket_out, &to, &c);
	peers_out(o, root, peers);
	heap_free(peers);
	JSON_COUNTS_AS(o, root, "open_", &c, files, sockets);
	json_out_count(o, root, "listed", to.listed);
	job->text = json_out_finish(o);
	return job->text ? 0 : -ENOMEM;
}

// Replies to all requests that wait.
static void sockets_reply(struct api_sockets *s, int err, const char *text)
{
	while (s->waiting) {
		struct http_exchange *x = s->exchange[--s->waiting];
		if (err && err != -ENOMEM)
			api_busy(x, err);
		else
			http_reply(x, 200, text ? heap_strdup(text) : NULL);
	}
}

// If the API is being closed, http_reply() only frees the exchanges.
static void on_sockets(void *arg, int err)
{
	struct sockets_job *job = arg;
	job->api->sockets.runs = false;
	sockets_reply(&job->api->sockets, err, job->text);
	FREE_AND_NULL(job->text);
	heap_free(job);
}

static void sockets_begin(evutil_socket_t, short, void *arg)
{
	struct api *a = arg;
	struct sockets_job *job = heap_calloc(1, sizeof(*job));
	int rc = -ENOMEM;
	if (job) {
		job->api = a;
		api_hiding(a, &job->hiding);
		rc = job_runner_start(a->profiles, 0, sockets_work, on_sockets, job);
	}
	a->sockets.runs = rc == 0;
	a->sockets.begun_ms = clock_mono_ms();
	if (rc < 0) {
		heap_free(job);
		sockets_reply(&a->sockets, rc, NULL);
	}
}

// Replies with the sockets of the control plane.
static void serve_connections(struct api *a, struct http_exchange *x)
{
	struct api_sockets *s = &a->sockets;
	if (s->waiting == API_SOCKETS_WAITING_MAX) {
		api_busy(x, -EAGAIN);
		return;
	}
	http_defer(x, SOCKETS_DEFER_MS);
	s->exchange[s->waiting++] = x;
	const uint64_t since_ms = clock_mono_ms() - s->begun_ms;
	if (s->runs || evtimer_pending(s->next, NULL))
		return;
	if (!s->begun_ms || since_ms >= API_SOCKETS_MS)
		sockets_begin(-1, 0, a);
	else
		event_add(s->next,
			&(struct timeval){.tv_usec = (long)(API_SOCKETS_MS - since_ms) * 1000});
}

static int heap_open(struct api *a)
{
	a->sockets.next = evtimer_new(loop_base(a->deps.service), sockets_begin, a);
	return a->sockets.next ? 0 : -ENOMEM;
}

static void heap_close(struct api *a)
{
	if (a->sockets.next)
		event_free(a->sockets.next);
	if (!a->sockets.runs)
		sockets_reply(&a->sockets, -ECANCELED, NULL);
}

const struct api_part api_heap_part = {
	.endpoint = {{"/heap", serve_heap, API_ALWAYS, CONTROL_ADMIN, ""},
		{"/heap/on", serve_heap_on, API_POST, CONTROL_ADMIN, "sample_lg"},
		{"/heap/off", serve_heap_off, API_POST, CONTROL_ADMIN, ""},
		{"/debug/heap", serve_debug_heap, API_ALWAYS | API_AUDIT, CONTROL_ADMIN, ""},
		{"/threads", heap_serve_threads, API_GET, CONTROL_READ, ""},
		{"/connections", serve_connections, API_GET, CONTROL_READ, ""}},
	.open = heap_open,
	.close = heap_close,
};
