// SPDX-License-Identifier: BSD-3-Clause
#include "resolvers.h"

#include "base/loop.h"
#include "resolver_internal.h"
#include "resolvers_set.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <weir/clock.h>
#include <weir/heap_site.h>

// Cache lookups and flushes in all resolvers' parts.

enum { LOOK_MS = 250 };

// A call with a part for each resolver; the call's block begins with it, and is freed once all
// parts are back. The call ends when only parts of resolvers that hang are missing. Calls are made,
// and their answers come, on `reply_to`: only that loop uses the block.
struct gather {
	const struct resolvers *all;
	struct loop *reply_to;
	void (*end)(void *block, unsigned hung); // `hung`: resolvers that are left out
	unsigned out, back;                      // a bit for each resolver
	bool ended;
	int err; // first error of a part
	struct wheel_timer wait;
	struct gather_part {
		struct gather *gather;
		unsigned resolver;
	} part[RESOLVERS_MAX];
};

static void gather_begin(struct gather *g, const struct resolvers *all, struct loop *reply_to,
	void (*end)(void *block, unsigned hung))
{
	g->all = all;
	g->reply_to = reply_to;
	g->end = end;
	g->out = (1U << all->count) - 1;
	for (unsigned i = 0; i < all->count; i++)
		g->part[i] = (struct gather_part){.gather = g, .resolver = i};
}

static bool rest_hangs(const struct gather *g)
{
	for (unsigned i = 0; i < g->all->count; i++)
		if (g->out >> i & 1 && !resolver_hangs(g->all->one[i]))
			return false;
	return true;
}

static void gather_end(struct gather *g)
{
	wheel_stop(&g->wait);
	g->ended = true;
	if (g->err == 0 && g->back == 0)
		g->err = -ETIMEDOUT;
	g->end(g, (unsigned)__builtin_popcount(g->out));
}

static void gather_wait(struct gather *g);

static void on_wait(void *arg)
{
	struct gather *g = arg;
	if (rest_hangs(g))
		gather_end(g);
	else
		gather_wait(g);
}

// Waits at least once, so that a call does not end within.
static void gather_wait(struct gather *g)
{
	g->wait.fn = on_wait;
	g->wait.arg = g;
	wheel_start(loop_wheel(g->reply_to), &g->wait, LOOK_MS, clock_mono_ms());
}

static void gather_drop(struct gather *g)
{
	if (g->out == 0)
		heap_free(g);
}

// `err`: of the resolver's answer, or of the call that it refused.
static void part_back(struct gather_part *p, int err)
{
	struct gather *g = p->gather;

	g->out &= ~(1U << p->resolver);
	g->back |= 1U << p->resolver;
	if (err < 0 && g->err == 0)
		g->err = err;
	if (g->out == 0 && !g->ended)
		gather_end(g);
	gather_drop(g);
}

struct look_call {
	struct gather gather;
	struct resolvers *all;
	struct loop *reply_to;
	struct cache_wish wish;
	struct look_line *line; // NULL: the call does not wait in a line
	struct look_call *next; // next call in the line
	resolver_look_fn done;
	void *arg;
	unsigned l0, l1; // entries of each tier
	unsigned left_out;
	unsigned bogus_count;
	struct bogus_found bogus[CACHE_BOGUS_MAX];
	struct cache_look look;
	struct cache_entry entry[2 * CACHE_GET_MAX]; // entries of L1 in the second half
};

static void line_go_on(struct look_line *line);

static void look_end(void *block, unsigned hung)
{
	struct look_call *c = block;

	memmove(&c->entry[c->l0], &c->entry[CACHE_GET_MAX], c->l1 * sizeof(c->entry[0]));
	c->look.count = c->l0 + c->l1;
	c->look.entry = c->entry;
	c->look.left_out = c->left_out;
	c->look.hung = hung;
	c->look.bogus_count = c->bogus_count;
	memcpy(c->look.bogus, c->bogus, sizeof(c->bogus));
	c->done(c->arg, c->gather.err, &c->look);
	if (c->line)
		line_go_on(c->line);
}

static void look_take(struct look_call *c, const struct cache_look *look)
{
	for (unsigned i = 0; i < look->count; i++) {
		const struct cache_entry *e = &look->entry[i];
		if (e->in_l1 && c->l1 < CACHE_GET_MAX)
			c->entry[CACHE_GET_MAX + c->l1++] = *e;
		else if (!e->in_l1 && c->l0 < CACHE_GET_MAX)
			c->entry[c->l0++] = *e;
		else
			c->left_out++;
	}
	c->left_out += look->left_out;
	for (unsigned i = 0; i < look->bogus_count && c->bogus_count < CACHE_BOGUS_MAX; i++)
		c->bogus[c->bogus_count++] = look->bogus[i];
	if (look->l1_types)
		c->look = *look;
}

static void on_look(void *arg, int err, const struct cache_look *look)
{
	struct gather_part *p = arg;
	struct look_call *c = (struct look_call *)p->gather;
	if (err == 0 && !c->gather.ended)
		look_take(c, look);
	part_back(p, err);
}

static int look_begin(struct look_call *c)
{
	const struct resolvers *all = c->all;

	gather_begin(&c->gather, all, c->reply_to, look_end);
	for (unsigned i = 0; i < all->count; i++) {
		struct gather_part *p = &c->gather.part[i];
		const int rc = resolver_cache_get(
			all->one[i], &c->wish.name, c->wish.qtype, c->reply_to, on_look, p);
		if (rc < 0 && i == 0)
			return rc;
		if (rc < 0)
			part_back(p, rc);
	}
	gather_wait(&c->gather);
	c->line->runs = true;
	return 0;
}

static void line_go_on(struct look_line *line)
{
	struct look_call *c;

	line->runs = false;
	while (!line->runs && (c = line->first)) {
		line->first = c->next;
		line->waiting--;
		// A lookup costs each resolver a walk: no walk for a caller that hung up or had a
		// 504.
		const int rc = c->wish.lives(c->arg) ? look_begin(c) : -ECANCELED;
		if (rc == 0)
			continue;
		c->done(c->arg, rc, &c->look);
		heap_free(c);
	}
}

static void line_join(struct look_line *line, struct look_call *c)
{
	struct look_call **end = &line->first;

	while (*end)
		end = &(*end)->next;
	*end = c;
	line->waiting++;
}

static struct look_call *look_new(
	struct resolvers *all, struct loop *reply_to, resolver_look_fn done, void *arg)
{
	struct look_call *c =
		heap_calloc(1, sizeof(*c)); // entries that stay empty are never touched
	if (!c)
		return NULL;
	c->all = all;
	c->reply_to = reply_to;
	c->done = done;
	c->arg = arg;
	return c;
}

int resolvers_cache_get(struct resolvers *all, const struct cache_wish *wish, struct loop *reply_to,
	resolver_look_fn done, void *arg)
{
	struct look_line *line = &all->looks[wish->from];
	int rc = 0;

	if (line->waiting == LOOKS_WAITING_MAX)
		return -EAGAIN;
	struct look_call *c = look_new(all, reply_to, done, arg);
	if (!c)
		return -ENOMEM;
	c->wish = *wish;
	c->line = line;
	if (line->runs)
		line_join(line, c);
	else
		rc = look_begin(c);
	if (rc < 0)
		heap_free(c);
	return rc;
}

int resolvers_cache_find(struct resolvers *all, const struct cache_question *q,
	struct loop *reply_to, resolver_look_fn done, void *arg)
{
	struct look_call *c = look_new(all, reply_to, done, arg);

	if (!c)
		return -ENOMEM;
	gather_begin(&c->gather, all, reply_to, look_end);
	for (unsigned i = 0; i < all->count; i++) {
		struct gather_part *p = &c->gather.part[i];
		const int rc = resolver_cache_find(all->one[i], q, reply_to, on_look, p);
		if (rc < 0 && i == 0) {
			heap_free(c);
			return rc;
		}
		if (rc < 0)
			part_back(p, rc);
	}
	gather_wait(&c->gather);
	return 0;
}

struct flush_call {
	struct gather gather;
	resolver_flush_fn done;
	void *arg;
	struct cache_flushed sum;
};

static void flush_end(void *block, unsigned hung)
{
	struct flush_call *c = block;
	c->sum.hung = hung;
	c->done(c->arg, c->gather.err, &c->sum);
}

// The first resolver alone flushes L1. A resolver that comes back late has flushed its part.
static void on_flushed(void *arg, int err, const struct cache_flushed *f)
{
	struct gather_part *p = arg;
	struct flush_call *c = (struct flush_call *)p->gather;
	const uint64_t l0 = c->sum.l0;
	const bool failed = c->sum.recursion_failed || f->recursion_failed;

	if (p->resolver == 0)
		c->sum = *f;
	c->sum.l0 = l0 + f->l0;
	c->sum.recursion_failed = failed;
	part_back(p, err);
}

int resolvers_cache_flush(struct resolvers *all, const struct flush *what, bool tells_others,
	struct loop *reply_to, resolver_flush_fn done, void *arg)
{
	struct flush_call *c = heap_calloc(1, sizeof(*c));
	if (!c)
		return -ENOMEM;
	gather_begin(&c->gather, all, reply_to, flush_end);
	c->done = done;
	c->arg = arg;
	c->sum.l1_end = L1_FLUSH_AWAY; // if the first one hangs
	for (unsigned i = 0; i < all->count; i++) {
		struct gather_part *p = &c->gather.part[i];
		int rc = resolver_cache_flush(
			all->one[i], what, tells_others, reply_to, on_flushed, p);
		if (rc == 0)
			continue;
		if (i == 0) {
			heap_free(c);
			return rc;
		}
		part_back(p, rc);
	}
	gather_wait(&c->gather);
	return 0;
}

// The block of each call that reads begins with a read_call.
struct read_call {
	struct loop_fan fan;
	const struct resolvers *all;
};

static bool read_hangs(const void *block, unsigned i)
{
	const struct read_call *c = block;
	return resolver_hangs(c->all->one[i]);
}

// Calls loop_fan for all resolvers; `block` begins with a read_call.
static int read_all(struct resolvers *all, void *block, struct loop *reply_to,
	void (*work)(void *block, unsigned i), void (*deliver)(void *block))
{
	struct loop *loops[RESOLVERS_MAX];
	struct read_call *c = block;

	for (unsigned i = 0; i < all->count; i++)
		loops[i] = resolver_loop(all->one[i]);
	if (c) {
		const struct loop_fan fan = {reply_to, work, deliver, .hangs = read_hangs};
		*c = (struct read_call){.fan = fan, .all = all};
	}
	return loop_fan(loops, all->count, block);
}

// The first resolver from `i` on that is back; all->count: no resolver is.
static unsigned read_next(const struct read_call *c, unsigned i)
{
	while (i < c->all->count && !loop_fan_is_back(&c->fan, i))
		i++;
	return i;
}

struct status_call {
	struct read_call read;
	void (*done)(void *arg, const struct resolver_status *s);
	void *arg;
	struct resolver_status part[];
};

static void status_work(void *block, unsigned i)
{
	struct status_call *c = block;
	resolver_status(c->read.all->one[i], &c->part[i]);
}

static void status_deliver(void *block)
{
	struct status_call *c = block;
	const unsigned first = read_next(&c->read, 0);
	for (unsigned i = first; (i = read_next(&c->read, i + 1)) < c->read.all->count;)
		resolvers_merge_status(&c->part[first], &c->part[i]);
	c->done(c->arg, &c->part[first]);
}

int resolvers_status(struct resolvers *all, struct loop *reply_to,
	void (*done)(void *arg, const struct resolver_status *s), void *arg)
{
	struct status_call *c = heap_calloc(1, sizeof(*c) + all->count * sizeof(c->part[0]));
	if (c) {
		c->done = done;
		c->arg = arg;
	}
	return read_all(all, c, reply_to, status_work, status_deliver);
}

struct report_call {
	struct read_call read;
	void (*done)(void *arg, const struct refresh_report *report);
	void *arg;
	struct refresh_report part[];
};

static void report_work(void *block, unsigned i)
{
	struct report_call *c = block;
	resolver_refresh_report(c->read.all->one[i], &c->part[i]);
}

static void report_deliver(void *block)
{
	struct report_call *c = block;
	const unsigned first = read_next(&c->read, 0);
	for (unsigned i = first; (i = read_next(&c->read, i + 1)) < c->read.all->count;)
		resolvers_merge_refresh(&c->part[first], &c->part[i]);
	c->done(c->arg, &c->part[first]);
}

int resolvers_refresh_report(struct resolvers *all, struct loop *reply_to,
	void (*done)(void *arg, const struct refresh_report *report), void *arg)
{
	struct report_call *c = heap_calloc(1, sizeof(*c) + all->count * sizeof(c->part[0]));
	if (c) {
		c->done = done;
		c->arg = arg;
	}
	return read_all(all, c, reply_to, report_work, report_deliver);
}

struct pending_call {
	struct read_call read;
	unsigned limit;
	void (*done)(void *arg, const struct resolver_pending *p);
	void *arg;
	struct resolver_pending part[RESOLVERS_MAX];
	struct pending_question question[]; // `limit` for each part, and for two sums
};

static struct pending_question *pending_room(struct pending_call *c, unsigned i)
{
	return &c->question[(size_t)i * c->limit];
}

static void pending_work(void *block, unsigned i)
{
	struct pending_call *c = block;
	resolver_pending(c->read.all->one[i], c->limit, pending_room(c, i), &c->part[i]);
}

static void pending_deliver(void *block)
{
	struct pending_call *c = block;
	const unsigned count = c->read.all->count, first = read_next(&c->read, 0);
	unsigned sums = 0;
	for (unsigned i = first; (i = read_next(&c->read, i + 1)) < count;)
		resolvers_merge_pending(&c->part[first], &c->part[i], c->limit,
			pending_room(c, count + sums++ % 2));
	c->done(c->arg, &c->part[first]);
}

int resolvers_pending(struct resolvers *all, unsigned limit, struct loop *reply_to,
	void (*done)(void *arg, const struct resolver_pending *p), void *arg)
{
	if (limit > RESOLVER_PENDING_MAX)
		limit = RESOLVER_PENDING_MAX;
	const size_t rooms = all->count + 2;
	struct pending_call *c =
		heap_calloc(1, sizeof(*c) + rooms * limit * sizeof(c->question[0]));
	if (c) {
		c->limit = limit;
		c->done = done;
		c->arg = arg;
	}
	return read_all(all, c, reply_to, pending_work, pending_deliver);
}

struct upstreams_call {
	struct read_call read;
	void (*done)(void *arg, const struct resolvers_upstreams *u);
	void *arg;
	struct resolvers_upstreams part[RESOLVERS_MAX];
	struct resolvers_upstream row[]; // RESOLVERS_UPSTREAMS_MAX for each
};

static void rows_add(void *arg, const struct views_set *set)
{
	struct upstream_status status[CONFIG_UPSTREAMS_MAX];
	struct resolvers_upstreams *part = arg;
	unsigned count = upstreams_status(set->upstreams, status);

	for (unsigned i = 0; i < count; i++) {
		if (part->count == RESOLVERS_UPSTREAMS_MAX) {
			part->left_out++;
			continue;
		}
		struct resolvers_upstream *row = &part->row[part->count++];
		*row = (struct resolvers_upstream){
			.group = set->group, .is_safe = set->is_safe, .status = status[i]};
		if (set->zone)
			row->zone = *set->zone;
	}
}

static void upstreams_work(void *block, unsigned i)
{
	struct upstreams_call *c = block;
	c->part[i].row = &c->row[(size_t)i * RESOLVERS_UPSTREAMS_MAX];
	views_sets(c->read.all->one[i]->views, rows_add, &c->part[i]);
}

static bool same_server(const struct resolvers_upstream *a, const struct resolvers_upstream *b)
{
	return a->group == b->group && a->is_safe == b->is_safe && a->zone.len == b->zone.len
	       && (a->zone.len == 0 || dns_name_equal(&a->zone, &b->zone))
	       && strcmp(a->status.address, b->status.address) == 0;
}

// Resolvers have the same sets but while the configuration changes; then the first one's count.
static void part_merge(struct resolvers_upstreams *sum, const struct resolvers_upstreams *one)
{
	for (unsigned i = 0; i < sum->count; i++)
		for (unsigned k = 0; k < one->count; k++)
			if (same_server(&sum->row[i], &one->row[k]))
				resolvers_merge_upstream(&sum->row[i].status, &one->row[k].status);
}

static void upstreams_deliver(void *block)
{
	struct upstreams_call *c = block;
	const unsigned first = read_next(&c->read, 0);
	for (unsigned i = first; (i = read_next(&c->read, i + 1)) < c->read.all->count;)
		part_merge(&c->part[first], &c->part[i]);
	c->done(c->arg, &c->part[first]);
}

int resolvers_upstreams(struct resolvers *all, struct loop *reply_to,
	void (*done)(void *arg, const struct resolvers_upstreams *u), void *arg)
{
	const size_t rows = (size_t)all->count * RESOLVERS_UPSTREAMS_MAX;
	struct upstreams_call *c = heap_calloc(1, sizeof(*c) + rows * sizeof(c->row[0]));

	if (c) {
		c->done = done;
		c->arg = arg;
	}
	return read_all(all, c, reply_to, upstreams_work, upstreams_deliver);
}

// A call about one server, on the first resolver's loop.
struct server_call {
	struct loop_ask ask;
	struct resolver *resolver;
	char server[RESOLVERS_SERVER_MAX];
	bool is_drained;
	unsigned sets;
	struct resolvers_tried tried;
	void (*drained)(void *arg, unsigned sets);
	void (*done)(void *arg, const struct resolvers_tried *t);
	void *arg;
};

static void set_drain(void *arg, const struct views_set *set)
{
	struct server_call *c = arg;
	c->sets += upstreams_drain(set->upstreams, c->server, c->is_drained) > 0;
}

static void drain_work(void *block)
{
	struct server_call *c = block;
	views_sets(c->resolver->views, set_drain, c);
	loop_answer(&c->ask);
}

static void drain_deliver(void *block)
{
	struct server_call *c = block;
	c->drained(c->arg, c->sets);
}

static void on_tried(void *arg, int err, const struct upstream_tried tried[UPSTREAM_TRANSPORTS])
{
	struct server_call *c = arg;
	c->tried.err = err;
	memcpy(c->tried.tried, tried, sizeof(c->tried.tried));
	loop_answer(&c->ask);
}

struct try_walk {
	struct server_call *call; // may be freed once `rc` is 0
	int rc;
};

static void set_try(void *arg, const struct views_set *set)
{
	struct try_walk *w = arg;
	if (w->rc == -ENOENT)
		w->rc = upstreams_try(set->upstreams, w->call->server, on_tried, w->call);
}

static void try_work(void *block)
{
	struct server_call *c = block;
	struct try_walk w = {.call = c, .rc = -ENOENT};

	views_sets(c->resolver->views, set_try, &w);
	if (w.rc == 0)
		return;
	c->tried.err = w.rc;
	loop_answer(&c->ask);
}

static void try_deliver(void *block)
{
	struct server_call *c = block;
	c->done(c->arg, &c->tried);
}

// `size`: of the call's block, which begins with a server_call.
static struct server_call *call_new(
	struct resolvers *all, size_t size, const char *server, struct loop *reply_to, void *arg)
{
	struct server_call *c = heap_calloc(1, size);
	if (!c)
		return NULL;
	c->ask.reply_to = reply_to;
	c->resolver = all->one[0];
	snprintf(c->server, sizeof(c->server), "%s", server);
	c->arg = arg;
	return c;
}

int resolvers_drain(struct resolvers *all, const char *server, bool is_drained,
	struct loop *reply_to, void (*done)(void *arg, unsigned sets), void *arg)
{
	struct server_call *c = call_new(all, sizeof(*c), server, reply_to, arg);
	if (c) {
		c->ask.work = drain_work;
		c->ask.deliver = drain_deliver;
		c->is_drained = is_drained;
		c->drained = done;
	}
	return loop_ask(resolver_loop(all->one[0]), c);
}

int resolvers_try(struct resolvers *all, const char *server, struct loop *reply_to,
	void (*done)(void *arg, const struct resolvers_tried *t), void *arg)
{
	struct server_call *c = call_new(all, sizeof(*c), server, reply_to, arg);
	if (c) {
		c->ask.work = try_work;
		c->ask.deliver = try_deliver;
		c->done = done;
	}
	return loop_ask(resolver_loop(all->one[0]), c);
}

struct candidate_call {
	struct server_call call;
	struct upstream_wish wish;
};

static void candidate_work(void *block)
{
	struct candidate_call *c = block;
	struct resolver *r = c->call.resolver;
	const int rc = upstream_candidate_try(
		&r->candidate, resolver_loop(r), &c->wish, on_tried, &c->call);
	if (rc == 0)
		return;
	c->call.tried.err = rc;
	loop_answer(&c->call.ask);
}

int resolvers_try_candidate(struct resolvers *all, const struct config_upstreams *config,
	const struct config_upstream *server, struct loop *reply_to,
	void (*done)(void *arg, const struct resolvers_tried *t), void *arg)
{
	struct server_call *c = call_new(all, sizeof(struct candidate_call), "", reply_to, arg);
	if (c) {
		upstream_wish_fill(&((struct candidate_call *)c)->wish, config, server);
		c->ask.work = candidate_work;
		c->ask.deliver = try_deliver;
		c->done = done;
	}
	return loop_ask(resolver_loop(all->one[0]), c);
}

static void set_try_stop(void *arg, const struct views_set *set)
{
	(void)arg;
	upstreams_try_stop(set->upstreams);
}

void resolvers_try_stop(struct resolvers *all)
{
	views_sets(all->one[0]->views, set_try_stop, NULL);
	upstream_candidate_stop(&all->one[0]->candidate);
}
