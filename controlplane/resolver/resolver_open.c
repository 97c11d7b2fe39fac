// SPDX-License-Identifier: BSD-3-Clause
#include "miss.h"
#include "question.h"
#include "resolver_cache.h"
#include "resolver_check.h"
#include "resolver_flush.h"
#include "resolver_log.h"
#include "resolver_port.h"
#include "resolver_refresh.h"
#include "resolver_step.h"
#include "resolvers.h"
#include "route/host_board.h"
#include "route/route_board.h"

#include <event2/event.h>

#include <errno.h>
#include <stdio.h>
#include <weir/clock.h>
#include <weir/heap_site.h>
#include <weir/log.h>

enum { BEAT_MS = 100 };

// One slice in an iteration of the loop, so that replies are read in between.
static void on_move(evutil_socket_t, short, void *arg)
{
	struct resolver *r = arg;
	if (upstream_port_move(r->port))
		(void)event_add(r->move, &(struct timeval){0});
}

static void hosts_follow(struct resolver *r)
{
	const uint64_t turn = host_board_turn();

	if (r->hosts_turn == turn)
		return;
	r->hosts_turn = turn;
	views_follow_hosts(r->views);
}

static void on_beat(evutil_socket_t, short, void *arg)
{
	struct resolver *r = arg;
	if (clock_mono_ms() >= atomic_load(&r->views_keep_ms))
		views_sweep(r->views, clock_mono_ms());
	hosts_follow(r);
	resolver_step_beat(r);
	validators_beat(r->validators);
	recursor_beat(r->recursor);
	resolver_flush_beat(r);
	if (r->port && upstream_port_beat(r->port))
		(void)event_add(r->move, &(struct timeval){0});
	refresh_run(r->refresh, clock_mono_ms());
	resolver_log_beat(r->log);
	traces_beat(r->traces, clock_mono_ms());
}

static int timers_open(struct resolver *r)
{
	struct event_base *base = loop_base(r->loop);

	r->beat = event_new(base, -1, EV_PERSIST, on_beat, r);
	r->move = event_new(base, -1, 0, on_move, r);
	if (!r->beat || !r->move
		|| event_add(r->beat, &(struct timeval){.tv_usec = BEAT_MS * 1000}) < 0)
		return -ENOMEM;
	return 0;
}

static struct failures_spans failure_spans(const struct config *c)
{
	const uint32_t first_ms = c->cache.failure_ttl_s * 1000;
	return (struct failures_spans){
		.first_ms = first_ms,
		.longest_ms = first_ms > FAILURE_LONGEST_MS ? first_ms : FAILURE_LONGEST_MS,
		.memory_ms = FAILURE_MEMORY_MS,
	};
}

unsigned resolver_share(const struct resolver *r, unsigned limit)
{
	const unsigned share = limit / r->all->count;
	return share || !limit ? share : 1;
}

static void settings_take(struct resolver *r, const struct config *c)
{
	r->set = (struct resolver_settings){
		.ttl = ttl_rules_of(&c->cache),
		.stale_ttl_s = c->cache.stale_ttl_s,
		.any_minimal = c->access.any_minimal,
		.rotate = c->cache.rotate,
		.sends_subnet = config_sends_subnet(c),
		.stale_immediate = c->cache.stale_immediate,
		.client_ttl_cap_s = c->cache.client_ttl_cap_s,
		.waiters = c->limits.waiters,
		.answer_deadline_ms = c->limits.answer_deadline_ms,
		.udp_reply_size = c->limits.udp_reply_size,
	};
	config_identity_take(c, &r->set.identity);
	inflight_set_limits(
		r->inflight, &(struct inflight_limits){
				     .questions = resolver_share(r, c->limits.inflight),
				     .zone_questions = resolver_share(r, c->limits.zone_inflight),
				     .client_waiters = resolver_share(r, c->limits.client_waiters),
			     });
	exempt_set(inflight_exempt(r->inflight), &c->limits);
}

static int parts_open(struct resolver *r, const struct config *config)
{
	const struct failures_spans spans = failure_spans(config);
	int rc = inflight_new(&r->inflight, resolver_share(r, RESOLVER_QUESTIONS_MAX),
		resolver_share(r, RESOLVER_WAITERS_MAX), &r->kept_queries);
	if (rc == 0) {
		settings_take(r, config);
		rc = failures_new(&r->failures, FAILURES_BUCKETS, &spans);
	}
	if (rc == 0)
		rc = question_validators_open(r);
	if (rc == 0)
		question_validators_configure(r, config);
	if (rc == 0)
		rc = l1_new(&r->l1, r->loop, config);
	if (rc == 0 && r->index == 0)
		rc = l1_sweep_new(
			&r->l1_sweep, r->loop, r->l1, &config->redis, question_l1_drop, r);
	if (rc == 0)
		rc = resolver_flush_open(r);
	if (rc == 0)
		rc = resolver_check_open(r);
	if (rc == 0)
		rc = resolver_step_open(r);
	if (rc == 0 && r->index == 0)
		resolvers_empty_all(r, view_everyone_hash(config), false);
	if (rc == 0)
		resolver_flush_whole(r);
	if (rc == 0)
		rc = resolver_refresh_open(r);
	if (rc == 0)
		resolver_refresh_configure(r, config);
	if (rc == 0)
		rc = resolver_log_open(&r->log);
	if (rc == 0)
		rc = timers_open(r);
	return rc;
}

int resolver_open(struct resolver **out, const struct resolver_given *given,
	const struct config *config, char why[SHM_WHY_MAX])
{
	struct resolver *r = heap_calloc(1, sizeof(*r));
	snprintf(why, SHM_WHY_MAX, "no memory for the resolver");
	if (!r)
		return -ENOMEM;
	r->all = given->all;
	r->index = given->index;
	r->loop = given->loop;
	r->publisher = given->publisher;
	r->link = given->link;
	r->worker_rings = link_worker_rings(given->link, given->index);
	r->l0 = link_l0(given->link, given->index);
	r->views = given->views;
	r->port = given->port;
	r->recursor = given->recursor;
	r->notify = given->notify;
	r->lookups = given->lookups;
	int rc = traces_new(&r->traces);
	if (rc == 0)
		rc = ring_mesh_open(&r->clients, given->frontends, CLIENT_RESOLVERS, r->index,
			r->loop, resolver_client_take, r);
	if (rc == 0)
		rc = parts_open(r, config);
	if (rc < 0) {
		resolver_close(r);
		return rc;
	}
	r->callbacks = (struct upstream_callbacks){
		.reply = question_replied,
		.ended = question_failed,
		.watched = traces_live(r->traces),
		.note = question_upstream_note,
	};
	worker_rings_serve(r->worker_rings, resolver_miss, r);
	if (r->port)
		resolver_port_open(r);
	*out = r;
	return 0;
}

static void timer_free(struct event *e)
{
	if (e)
		event_free(e);
}

void resolver_close(struct resolver *r)
{
	struct question *q;

	if (!r)
		return;
	if (r->traces)
		traces_end(r->traces);
	while (r->inflight && (q = inflight_younger(r->inflight, NULL)))
		question_finish(q, REFRESH_ABANDONED);
	validators_free(r->validators);
	resolver_log_close(r->log);
	resolver_cache_close(r);
	resolver_flush_close(r);
	resolver_check_close(r);
	resolver_step_close(r);
	timer_free(r->beat);
	timer_free(r->move);
	resolver_refresh_close(r);
	traces_free(r->traces);
	l1_free(r->l1);
	l1_sweep_free(r->l1_sweep);
	failures_free(r->failures);
	bogus_names_free(&r->bogus_names);
	inflight_free(r->inflight);
	ring_mesh_close(r->clients);
	heap_free(r);
}

static void log_set(struct resolver *r, const struct config *config)
{
	enum log_detail detail = (enum log_detail)config_log_detail(config);
	resolver_log_set(r->log, config_log_sample(config), detail);
	r->kept_queries.is_on = detail == LOG_DETAIL_MESSAGES;
}

int resolver_recursion_configure(struct recursor *recursor, const struct config *config)
{
	const struct config_upstreams *u = &config->upstreams;
	const struct config_dnssec *d = &config->dnssec;
	const uint64_t part[3] = {u->root_hints_hash, d->hash, u->recursion_ip};
	struct recursor_settings set = {
		.is_on = u->mode != UPSTREAM_FORWARD,
		.ip = u->recursion_ip,
		.root_hints = u->root_hints ? u->root_hints : "",
		.validates = d->validate,
		.trusted = question_trusted(d),
		.hash = contenthash(part, sizeof(part)),
	};

	set.range_count = set.is_on ? route_board_ranges_of(config, set.range) : 0;
	return recursor ? recursor_configure(recursor, &set) : 0;
}

// Recursion is there before the servers that name it, and gone after them.
static int servers_configure(struct resolver *r, const struct config *config)
{
	const bool is_used = config->upstreams.mode != UPSTREAM_FORWARD;
	int rc = views_have_room(r->views, config);

	if (rc == 0 && is_used)
		rc = resolver_recursion_configure(r->recursor, config);
	if (rc == 0)
		rc = views_configure(r->views, config, clock_mono_ms());
	return rc < 0 || is_used ? rc : resolver_recursion_configure(r->recursor, config);
}

int resolver_reconfigure(struct resolver *r, const struct config *config)
{
	uint32_t turn = views_turn(r->views);
	int rc = servers_configure(r, config);
	if (rc < 0)
		return rc;
	if (r->index == 0)
		resolvers_empty_all(r, view_everyone_hash(config), views_turn(r->views) == turn);
	resolver_flush_whole(r);
	if (r->lookups)
		upstream_lookups_configure(r->lookups, config);
	settings_take(r, config);
	question_validators_configure(r, config);
	r->is_off = config->resolver_off;
	if (r->logs)
		log_set(r, config);
	l1_configure(r->l1, config);
	resolver_flush_configure(r);
	if (r->l1_sweep)
		l1_sweep_configure(r->l1_sweep, &config->redis);
	const struct failures_spans spans = failure_spans(config);
	failures_configure(r->failures, &spans);
	failures_clear_all(r->failures);
	bogus_names_clear_all(&r->bogus_names);
	resolver_refresh_configure(r, config);
	return 0;
}

int resolver_follow(struct resolver *r, const struct config *config,
	const struct policy_group group[POLICY_GROUPS_MAX])
{
	views_recover(r->views, group, POLICY_GROUPS_MAX);
	return resolver_reconfigure(r, config);
}

void resolver_group_view(const struct resolver *r, unsigned group, struct policy_group *out)
{
	const struct view *view = views_of_group(r->views, group);
	out->view = view->number;
	out->view_hash = view->hash;
	resolver_safe_view(r, group + 1, out);
}

void resolver_safe_view(const struct resolver *r, unsigned group, struct policy_group *out)
{
	const struct view *safe = views_safe(r->views, group);
	out->safe_view = safe ? safe->number : 0;
	out->safe_hash = safe ? safe->hash : 0;
}

void resolver_groups_published(struct resolver *r, bool published)
{
	if (!published)
		atomic_store(&r->views_keep_ms, UINT64_MAX);
	else if (atomic_load(&r->views_keep_ms) == UINT64_MAX)
		atomic_store(&r->views_keep_ms, clock_mono_ms() + VIEWS_GRACE_MS);
}

int resolver_set_log(struct resolver *r, struct querylog *q, const struct config *config)
{
	int rc = resolver_log_source(r->log, q);
	if (rc < 0)
		return rc;
	r->logs = true;
	log_set(r, config);
	if (r->index == 0)
		worker_rings_set_log(r->worker_rings, q);
	return 0;
}

struct loop *resolver_loop(const struct resolver *r)
{
	return r->loop;
}

void resolver_end_log(struct resolver *r)
{
	resolver_log_end(r->log);
}
