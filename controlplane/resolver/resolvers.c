// SPDX-License-Identifier: BSD-3-Clause
#include "resolvers.h"

#include "base/loop_ask.h"
#include "resolver_internal.h"
#include "resolvers_merge.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <weir/heap_site.h>

// Each call that reads begins with this.
struct read_call {
	struct loop_fan fan;
	const struct resolvers *all;
};

static bool read_hangs(const void *block, unsigned i)
{
	const struct read_call *c = block;
	return resolver_hangs(c->all->one[i]);
}

// As loop_fan; `block` begins with a read_call.
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

// The first that is back from `i`; the number of all: none is.
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

// They have the same configuration, but while it changes; then the first one's counts.
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

// Of one server, on the first resolver's loop.
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
	struct server_call *call; // gone once `rc` is 0
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

static struct server_call *call_new(
	struct resolvers *all, const char *server, struct loop *reply_to, void *arg)
{
	struct server_call *c = heap_calloc(1, sizeof(*c));
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
	struct server_call *c = call_new(all, server, reply_to, arg);
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
	struct server_call *c = call_new(all, server, reply_to, arg);
	if (c) {
		c->ask.work = try_work;
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
}
