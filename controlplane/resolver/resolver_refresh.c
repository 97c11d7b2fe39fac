// SPDX-License-Identifier: BSD-3-Clause
// Refresh-ahead (refresh.h) on the resolver's loop: its timers, and the questions it asks.
#include "resolver_refresh.h"

#include "base/leak_demo.h"
#include "question.h"
#include "resolver_store.h"

#include <event2/event.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <weir/clock.h>
#include <weir/keyhash.h>

enum {
	STEP_WORK_US = 300, // of the loop's time, and then a pause
	STEP_PAUSE_US = 2000,
	JITTER_MS = 5000,
};

static struct timeval timeval_of_ms(uint32_t ms)
{
	return (struct timeval){.tv_sec = ms / 1000, .tv_usec = (suseconds_t)(ms % 1000 * 1000)};
}

// Boxes that share upstreams and were started together sweep at different times.
static uint32_t host_jitter_ms(void)
{
	char name[256] = "";

	(void)!gethostname(name, sizeof(name) - 1);
	return (uint32_t)(contenthash(name, strlen(name)) % JITTER_MS);
}

static void sweep_arm(struct resolver *r, uint32_t extra_ms)
{
	const struct timeval tv =
		timeval_of_ms(refresh_policy(r->refresh)->sweep_interval_ms + extra_ms);

	event_add(r->sweep, &tv);
}

static void on_sweep_step(evutil_socket_t, short, void *arg)
{
	struct resolver *r = arg;
	uint64_t start_us = clock_mono_us(), now_ms = clock_mono_ms();
	bool done;

	do
		done = refresh_sweep_step(r->refresh, now_ms, REFRESH_STEP_BUCKETS);
	while (!done && clock_mono_us() - start_us < STEP_WORK_US);
	if (!done)
		event_add(r->sweep_step, &(struct timeval){.tv_usec = STEP_PAUSE_US});
}

// A round of a very large cache goes on; the next one begins a sweep later.
static void sweep_begin(struct resolver *r)
{
	if (event_pending(r->sweep_step, EV_TIMEOUT, NULL))
		return;
	refresh_sweep_begin(r->refresh, clock_mono_ms());
	event_add(r->sweep_step, &(struct timeval){.tv_usec = STEP_PAUSE_US});
}

static void on_sweep(evutil_socket_t, short, void *arg)
{
	struct resolver *r = arg;
	sweep_begin(r);
	sweep_arm(r, 0);
}

// The question as the miss ring would bring it.
static bool query_of(const struct refresh_request *q, struct dns_query *out)
{
	uint8_t msg[DNS_HEADER_LEN + UPSTREAM_QUESTION_MAX] = {0};
	uint8_t *end = msg + DNS_HEADER_LEN + q->name_len;

	put_u16(msg + 2, DNS_FLAG_RD | (q->key_flags & L0_KEY_CD ? DNS_FLAG_CD : 0));
	put_u16(msg + 4, 1);
	memcpy(msg + DNS_HEADER_LEN, q->name, q->name_len);
	put_u16(end, q->qtype);
	put_u16(end + 2, q->qclass);
	if (dns_query_parse(msg, (size_t)(end + 4 - msg), out) != DNS_QUERY_OK)
		return false;
	out->dnssec_ok = q->key_flags & L0_KEY_DO;
	return true;
}

// A renewal has no client, so it sends no subnet, and its answer would be for weir's own network.
// Clients whose servers get subnets therefore ask again themselves once the record has expired.
// Where workers serve expired records at once (`stale: immediate`) clients would not, so the record
// is deleted: the next client's question is a miss.
static void leave_to_clients(struct resolver *r, const struct l0_key *key, uint64_t now_ms)
{
	struct l0_view v;

	if (r->set.stale_immediate && store_find(r, key, &v) && l0_age_of(&v, now_ms) != L0_FRESH)
		(void)l0_writer_delete(r->l0, key);
}

// One question for each key: the in-flight table is the lock.
static enum refresh_started on_start(void *arg, struct refresh_request *request)
{
	struct resolver *r = arg;
	struct dns_query query;
	uint64_t now_ms = clock_mono_ms();
	struct view *view = views_find(r->views, request->view);

	// Its groups are gone: no client will read the record again.
	if (!view || view->left_ms)
		return REFRESH_IS_ASKED;
	if (!query_of(request, &query))
		return REFRESH_NO_ROOM;
	const struct l0_key key = {
		.hash = request->hash,
		.name = query.name.wire,
		.name_len = query.name.len,
		.flags = request->key_flags,
		.qtype = request->qtype,
		.qclass = request->qclass,
		.view = request->view,
	};
	// A client's question that failed a moment ago is as good as one that is under way.
	if (inflight_find(r->inflight, &key, NULL)
		|| failures_recent(r->failures, key.hash, now_ms))
		return REFRESH_IS_ASKED;
	if (question_sends_subnet(r, view, &query)) {
		leave_to_clients(r, &key, now_ms);
		return REFRESH_IS_ASKED;
	}
	struct question *q;
	const uint64_t servers = question_l1_hash(r, view, &query.name, query.qtype);
	if (inflight_add(r->inflight, &key, &query, NULL, servers, true, now_ms, &q) != BOUND_none)
		return REFRESH_NO_ROOM;
	q->owner = r;
	q->def = view;
	q->request = request;
	LEAK_DEMO(refresh, 4000);
	q->born_ms = now_ms;
	question_start(q, now_ms);
	return REFRESH_UNDER_WAY;
}

// Requests of an earlier life keep their records from being renewed until a sweep clears them.
static void on_marks(void *arg)
{
	struct resolver *r = arg;
	sweep_begin(r);
}

int resolver_refresh_open(struct resolver *r)
{
	const struct refresh_ops ops = {.start = on_start, .arg = r};
	struct event_base *base = loop_base(r->loop);
	int rc = refresh_new(&r->refresh, r->l0, &ops);

	if (rc < 0)
		return rc;
	r->sweep = event_new(base, -1, 0, on_sweep, r);
	r->sweep_step = event_new(base, -1, 0, on_sweep_step, r);
	if (!r->sweep || !r->sweep_step)
		return -ENOMEM;
	worker_rings_on_marks(r->worker_rings, on_marks, r);
	return 0;
}

void resolver_refresh_configure(struct resolver *r, const struct config *config)
{
	const bool first = !event_pending(r->sweep, EV_TIMEOUT, NULL);
	const uint32_t interval_ms = refresh_policy(r->refresh)->sweep_interval_ms;
	struct config_refresh c = config->refresh;

	c.max_inflight = resolver_share(r, c.max_inflight);
	c.max_batch = resolver_share(r, c.max_batch);
	refresh_configure(
		r->refresh, &c, &config->cache, resolver_share(r, config->limits.inflight));
	if (first || refresh_policy(r->refresh)->sweep_interval_ms != interval_ms)
		sweep_arm(r, first ? host_jitter_ms() : 0);
}

void resolver_refresh_close(struct resolver *r)
{
	if (r->sweep)
		event_free(r->sweep);
	if (r->sweep_step)
		event_free(r->sweep_step);
	refresh_free(r->refresh);
}

void resolver_refresh_report(const struct resolver *r, struct refresh_report *out)
{
	refresh_report(r->refresh, clock_mono_ms(), out);
}
