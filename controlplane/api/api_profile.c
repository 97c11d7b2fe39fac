// SPDX-License-Identifier: BSD-3-Clause
// Endpoints of profiles in pprof's formats (profile.h), one at a time, taken on a helper thread.

#include "api_param.h"
#include "memory/profile.h"

#include <errno.h>
#include <string.h>
#include <weir/heap_site.h>
#include <weir/log.h>

enum { SECONDS = 30, SLACK_MS = 10000 };

struct profile_call {
	struct api *api;
	struct http_exchange *exchange;
	unsigned seconds; // of cpu, else 0
	int (*take)(char **out, size_t *len);
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

static void serve_alloc(struct api *a, struct http_exchange *x)
{
	profile_start(a, x, 0, profile_alloc);
}

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
