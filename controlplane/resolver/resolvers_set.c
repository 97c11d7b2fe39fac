// SPDX-License-Identifier: BSD-3-Clause
// What the process gives all resolvers (resolvers.h): the answer policy, a watch, the log; and
// whose parts of L0 are empty after a change of everyone's servers.

#include "resolvers_set.h"

#include "resolver_internal.h"
#include "resolvers.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>
#include <weir/clock.h>
#include <weir/heap_site.h>
#include <weir/log.h>

enum { FOLLOW_AGAIN_MS = 100 };

// The first resolver's loop.
static void part_back(void *arg)
{
	struct resolvers_part *p = arg;
	struct resolvers_change *c = p->change;
	loop_wait_done(&c->wait, (unsigned)(p - c->part));
}

static void all_back(void *arg)
{
	struct resolvers_change *c = arg;
	c->then(c->arg);
}

static bool part_hangs(const void *arg, unsigned part)
{
	const struct resolvers_change *c = arg;
	return resolver_hangs(c->part[part].resolver);
}

static struct resolvers *part_all(const struct resolvers_part *p)
{
	return p->change->all;
}

// The resolver's own loop, or before it runs.
static void part_done(void *arg)
{
	struct resolvers_part *p = arg;
	struct resolvers *all = part_all(p);

	if (all->running && p->resolver != all->one[0])
		loop_call_back(resolver_loop(all->one[0]), &p->back, part_back, p);
	else
		part_back(p);
}

static void policy_set(void *arg)
{
	struct resolvers_part *p = arg;
	resolver_set_answer_policy(p->resolver, part_all(p)->answer_policy, part_done, p);
}

// All parts have begun before the last one ends, so `then` may begin another change.
static void change_begin(struct resolvers *all, struct resolvers_change *c,
	void (*work)(void *part), void (*then)(void *arg), void *arg)
{
	const unsigned count = all->count;

	assert(c->wait.left == 0 && c->wait.late == 0);
	c->all = all; // sets all but `late`, which other threads read
	c->then = then;
	c->arg = arg;
	for (unsigned i = 0; i < count; i++)
		c->part[i] = (struct resolvers_part){.change = c, .resolver = all->one[i]};
	c->wait.loop = resolver_loop(all->one[0]);
	c->wait.hangs = c == &all->settings ? part_hangs : NULL;
	c->wait.then = all_back;
	c->wait.arg = c;
	loop_wait_begin(&c->wait, count);
	for (unsigned i = count; i-- > 1;) {
		struct resolvers_part *p = &c->part[i];
		if (all->running)
			loop_call_back(resolver_loop(p->resolver), &p->go, work, p);
		else
			work(p);
	}
	work(&c->part[0]);
}

void resolvers_set_answer_policy(void *resolvers, const struct answer_policy *answer_policy,
	void (*then)(void *arg), void *arg)
{
	struct resolvers *all = resolvers;

	all->answer_policy = answer_policy;
	if (then) {
		change_begin(all, &all->policy, policy_set, then, arg);
		return;
	}
	assert(!all->running);
	for (unsigned i = 0; i < all->count; i++)
		resolver_set_answer_policy(all->one[i], answer_policy, NULL, NULL);
}

bool resolvers_recheck_slice(void *resolvers)
{
	struct resolvers *all = resolvers;

	for (unsigned i = 0; i < all->count; i++)
		if (!resolver_recheck_slice(all->one[i]))
			return false;
	return all->policy.wait.left == 0; // the end of one change may begin another
}

// Tries again without room: views of earlier configurations leave after 10 s, when their last
// question has ended.
static void settings_follow(void *arg)
{
	struct resolvers_part *p = arg;
	struct resolvers *all = part_all(p);
	struct loop *loop = resolver_loop(p->resolver);

	if (p->resolver == all->one[0]
		|| resolver_follow(p->resolver, all->config, all->group) == 0) {
		part_done(p);
		return;
	}
	p->again.fn = settings_follow;
	p->again.arg = p;
	wheel_start(loop_wheel(loop), &p->again, FOLLOW_AGAIN_MS, clock_mono_ms());
}

int resolvers_reconfigure(struct resolvers *all, const struct config *config,
	struct policy_group group[POLICY_GROUPS_MAX], void (*then)(void *arg), void *arg)
{
	int rc = resolver_reconfigure(all->one[0], config);
	if (rc < 0)
		return rc;
	resolvers_groups(all, config, group);
	all->config = config;
	memcpy(all->group, group, sizeof(all->group));
	change_begin(all, &all->settings, settings_follow, then, arg);
	return 0;
}

unsigned resolvers_late(const struct resolvers *all)
{
	return atomic_load_explicit(&all->settings.wait.late, memory_order_acquire);
}

void resolvers_groups(const struct resolvers *all, const struct config *config,
	struct policy_group group[POLICY_GROUPS_MAX])
{
	memset(group, 0, POLICY_GROUPS_MAX * sizeof(*group));
	resolver_safe_view(all->one[0], 0, &group[0]);
	for (unsigned i = 0; i < config->group_count; i++)
		resolver_group_view(all->one[0], i, &group[i + 1]);
}

int resolvers_watch(
	struct resolvers *all, const struct dp_watch *filter, trace_put_fn put, void *arg)
{
	int rc = 0;
	for (unsigned i = 0; i < all->count && rc == 0; i++)
		rc = resolver_watch(all->one[i], filter, put, arg);
	return rc;
}

int resolvers_set_log(struct resolvers *all, struct querylog *q, const struct config *config)
{
	int rc = 0;
	for (unsigned i = 0; i < all->count && rc == 0; i++)
		rc = resolver_set_log(all->one[i], q, config);
	return rc;
}

void resolvers_end_log(struct resolvers *all)
{
	for (unsigned i = 0; i < all->count; i++)
		resolver_end_log(all->one[i]);
}

void resolvers_groups_published(struct resolvers *all, bool published)
{
	for (unsigned i = 0; i < all->count; i++)
		resolver_groups_published(all->one[i], published);
}

// The end of one resolver's walk over its part, on its way to the first one's loop.
struct walked {
	struct resolvers *all;
	struct publisher *publisher;
	uint32_t turn;
	uint64_t removed;
};

static _Atomic uint64_t *filled_by(struct publisher *p)
{
	return &publisher_directory(p)->filled_by;
}

// The first resolver's loop. A walk of an earlier change no longer counts.
static void part_walked(const struct walked *w)
{
	struct resolvers_fill *fill = &w->all->fill;

	if (w->turn != fill->turn)
		return;
	fill->removed += w->removed;
	if (--fill->left > 0)
		return;
	atomic_store(filled_by(w->publisher), fill->everyone);
	if (fill->removed > 0)
		log_info("upstreams or forwarding changed: %" PRIu64 " cached answers removed",
			fill->removed);
}

static void on_walked(void *arg)
{
	part_walked(arg);
	heap_free(arg);
}

static bool walked_send(const struct resolver *r, const struct walked *w)
{
	struct walked *sent = heap_malloc(sizeof(*sent));

	if (!sent)
		return false;
	*sent = *w;
	if (loop_call(r->all->one[0]->loop, on_walked, sent) == 0)
		return true;
	heap_free(sent);
	return false;
}

bool resolvers_part_emptied(const struct resolver *r, uint32_t turn, uint64_t removed)
{
	const struct walked w = {r->all, r->publisher, turn, removed};

	if (r->index > 0)
		return walked_send(r, &w);
	part_walked(&w);
	return true;
}

// A control plane that dies during the walks leaves 0, so the next one begins them again.
void resolvers_empty_all(struct resolver *r, uint64_t everyone, bool same_servers)
{
	struct resolvers_fill *fill = &r->all->fill;
	_Atomic uint64_t *filled = filled_by(r->publisher);

	fill->everyone = everyone;
	if (same_servers && fill->left > 0)
		return;
	if (same_servers) {
		atomic_store(filled, everyone);
	} else if (atomic_load(filled) != everyone) {
		atomic_store(filled, 0);
		fill->left = r->all->count;
		fill->removed = 0;
		fill->turn++;
	}
}

// The answers of several resolvers as one (resolvers.h).

#define SUM(field)  (sum->field += one->field)
#define MOST(field) (sum->field = one->field > sum->field ? one->field : sum->field)

static void took_sum(struct took *sum, const struct took *one)
{
	for (unsigned i = 0; i < TOOK_BUCKETS; i++)
		SUM(bucket[i]);
	SUM(sum_ns);
}

// Takes the result of the latest handshake.
static void tls_latest(struct upstream_status *sum, const struct upstream_status *one)
{
	if (one->tls_about_ms > sum->tls_about_ms) {
		sum->tls_about_ms = one->tls_about_ms;
		memcpy(sum->tls_about, one->tls_about, sizeof(sum->tls_about));
	}
	if (one->tls_why_ms > sum->tls_why_ms) {
		sum->tls_why_ms = one->tls_why_ms;
		memcpy(sum->tls_why, one->tls_why, sizeof(sum->tls_why));
	}
}

static void https_sum(struct upstream_https_counts *sum, const struct upstream_https_counts *one)
{
	SUM(replies);
	if (one->why_ms > sum->why_ms) {
		sum->why_ms = one->why_ms;
		memcpy(sum->why, one->why, sizeof(sum->why));
		sum->version = one->version ? one->version : sum->version;
	}
	if (one->status_ms > sum->status_ms) {
		sum->status_ms = one->status_ms;
		sum->status = one->status;
	}
}

// Each resolver asks the same servers over its own sockets, and chooses among them by itself: its
// share is weighted by its queries. Resolvers share the state and the checks of a server.
void resolvers_merge_upstream(struct upstream_status *sum, const struct upstream_status *one)
{
	const uint64_t sent = sum->set_sent + one->set_sent;

	if (sent)
		sum->share = (uint16_t)((sum->share * sum->set_sent + one->share * one->set_sent)
					/ sent);
	counts_merge(upstream_rows(), sum, one);
	counts_merge(upstream_failure_rows(), sum, one);
	tls_latest(sum, one);
	https_sum(&sum->https, &one->https);
	took_sum(&sum->took, &one->took);
}

static void upstreams_sum(struct resolver_status *sum, const struct resolver_status *one)
{
	counts_merge(upstream_socket_rows(), &sum->sockets, &one->sockets);
	counts_merge(upstream_stream_rows(), &sum->streams, &one->streams);
	counts_merge(upstream_https_rows(), &sum->https, &one->https);
	counts_merge(upstream_port_rows(), &sum->port, &one->port);
	// Servers match by address: a resolver may have the new addresses of a host name before
	// another one.
	for (unsigned i = 0; i < sum->upstream_count; i++)
		for (unsigned k = 0; k < one->upstream_count; k++)
			if (strcmp(sum->upstream[i].address, one->upstream[k].address) == 0)
				resolvers_merge_upstream(&sum->upstream[i], &one->upstream[k]);
}

void resolvers_merge_status(struct resolver_status *sum, const struct resolver_status *one)
{
	counts_merge(l0_rows(), &sum->l0, &one->l0);
	counts_merge(resolver_rows(), sum, one);
	client_tally_add(&sum->clients, &one->clients);
	for (unsigned i = 0; i < one->met_bounds.count; i++)
		bound_top_add(&sum->met_bounds, &one->met_bounds.met[i]);
	counts_merge(lag_rows(), &sum->lag, &one->lag);
	for (unsigned i = 0; i < LOOP_LAG_BUCKETS; i++)
		SUM(lag_ever.count[i]);
	upstreams_sum(sum, one);
	tables_sum(&sum->tables, &one->tables);
	redis_status_add(&sum->l1.redis, &one->l1.redis);
	counts_merge(l1_rows(), &sum->l1, &one->l1);
	MOST(l1.refused_in_a_row);
	counts_merge(flush_rows(), &sum->flush, &one->flush);
	counts_merge(answer_policy_rows(), &sum->answer_policy, &one->answer_policy);
	counts_merge(validation_rows(), &sum->validation, &one->validation);
	counts_merge(recursion_rows(), &sum->recursion, &one->recursion);
	counts_merge(step_rows(), &sum->step, &one->step);
	for (unsigned i = 0; i < ANSWER_KINDS; i++)
		took_sum(&sum->took[i], &one->took[i]);
}

// A slot of one resolver may still hold a minute of the day before.
static void minutes_sum(struct refresh_stats *sum, const struct refresh_stats *one)
{
	for (unsigned i = 0; i < REFRESH_MINUTES; i++) {
		if (sum->minute[i] < one->minute[i]) {
			sum->minute[i] = one->minute[i];
			sum->count[i] = one->count[i];
		} else if (sum->minute[i] == one->minute[i]) {
			counts_merge(refresh_rows(), &sum->count[i], &one->count[i]);
		}
	}
}

void resolvers_merge_refresh(struct refresh_report *sum, const struct refresh_report *one)
{
	MOST(round_ms);
	SUM(inflight);
	SUM(inflight_limit);
	SUM(planned);
	SUM(plan_limit);
	SUM(held_back);
	minutes_sum(&sum->stats, &one->stats);
}

// Merges both lists, the oldest first, into `room` for `limit` questions.
void resolvers_merge_pending(struct resolver_pending *sum, const struct resolver_pending *one,
	unsigned limit, struct pending_question *room)
{
	unsigned a = 0, b = 0, n = 0;

	while (n < limit && (a < sum->count || b < one->count)) {
		bool first =
			b == one->count
			|| (a < sum->count && sum->question[a].age_ms >= one->question[b].age_ms);
		room[n++] = first ? sum->question[a++] : one->question[b++];
	}
	SUM(total);
	SUM(clients);
	sum->count = n;
	sum->question = room;
}
