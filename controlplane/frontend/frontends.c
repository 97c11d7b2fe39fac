// SPDX-License-Identifier: BSD-3-Clause
#include "frontends.h"

#include "frontend_tcp_shared.h"
#include "shm/publish.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <weir/heap_site.h>

// Runs on the frontend's own loop.
static void one_status(const struct frontends_one *one, struct frontends_status *out)
{
	*out = (struct frontends_status){.lag = {0}};
	frontend_status(one->engine, &out->engine);
	frontend_udp_status(one->udp, &out->udp);
	frontend_tables(one->engine, &out->tables);
	frontend_udp_tables(one->udp, &out->tables);
	loop_lag_minute(one->loop, &out->lag);
	if (!one->tcp)
		return;
	frontend_tcp_status(one->tcp, &out->tcp);
	frontend_tcp_tables(one->tcp, &out->tables);
}

struct report_call {
	struct loop_fan fan;
	const struct frontends *all;
	void (*done)(void *arg, const struct frontends_status *s);
	void *arg;
	struct frontends_status part[];
};

static void report_work(void *block, unsigned i)
{
	struct report_call *c = block;
	one_status(&c->all->one[i], &c->part[i]);
}

static struct frontends_load load_of(const struct frontends_status *s)
{
	return (struct frontends_load){.udp_received = s->udp.received,
		.tcp_queries = s->tcp.queries,
		.lag_p99_us = s->lag.p99_us,
		.pending = s->engine.pending,
		.tcp_open = s->tcp.open};
}

static bool report_hangs(const void *block, unsigned i)
{
	const struct report_call *c = block;
	return c->all->publisher && publisher_frontend_hangs(c->all->publisher, i);
}

static void report_deliver(void *block)
{
	struct report_call *c = block;
	const unsigned count = c->all->count;
	struct frontends_load each[FRONTENDS_MAX] = {0};
	struct frontends_status *sum = NULL;

	for (unsigned i = 0; i < count; i++) {
		each[i].hangs = !loop_fan_is_back(&c->fan, i);
		if (each[i].hangs)
			continue;
		each[i] = load_of(&c->part[i]);
		if (sum)
			frontends_merge_status(sum, &c->part[i]);
		else
			sum = &c->part[i];
	}
	assert(sum);
	sum->count = count;
	memcpy(sum->each, each, sizeof(each));
	c->done(c->arg, sum);
}

int frontends_report(const struct frontends *all, struct loop *reply_to,
	void (*done)(void *arg, const struct frontends_status *s), void *arg)
{
	struct loop *loops[FRONTENDS_MAX];
	struct report_call *c = heap_calloc(1, sizeof(*c) + all->count * sizeof(c->part[0]));

	for (unsigned i = 0; i < all->count; i++)
		loops[i] = all->one[i].loop;
	if (c) {
		c->fan = (struct loop_fan){.reply_to = reply_to,
			.work = report_work,
			.deliver = report_deliver,
			.hangs = report_hangs};
		c->all = all;
		c->done = done;
		c->arg = arg;
	}
	return loop_fan(loops, all->count, c);
}

// Runs on the loop that is replied to.
static void part_back(void *arg)
{
	struct frontends_part *p = arg;
	struct frontends_change *c = p->change;
	loop_wait_done(&c->wait, (unsigned)(p - c->part));
}

static void all_back(void *arg)
{
	struct frontends_change *c = arg;
	c->then(c->arg);
}

static bool part_hangs(const void *arg, unsigned part)
{
	const struct frontends_change *c = arg;
	return publisher_frontend_hangs(c->all->publisher, part);
}

// Runs on a frontend's own loop.
static void part_work(void *arg)
{
	struct frontends_part *p = arg;
	const struct frontends_change *c = p->change;
	const struct frontends_one *one = p->one;

	frontend_configure(one->engine, c->config);
	frontend_udp_configure(one->udp, c->config);
	if (one->tcp) {
		frontend_tcp_files(one->tcp, c->tcp_files);
		struct frontend_tcp_settings set;
		frontend_tcp_settings_of(c->config, &set);
		frontend_tcp_configure(one->tcp, &set);
	}
	loop_call_back(c->wait.loop, &p->back, part_back, p);
}

// Runs on the loop that is replied to, before any part is back.
static void wait_begin(void *arg)
{
	struct frontends_change *c = arg;
	loop_wait_begin(&c->wait, c->all->count);
}

void frontends_configure(struct frontends *all, const struct config *config, unsigned tcp_files,
	struct loop *reply_to, void (*then)(void *arg), void *arg)
{
	struct frontends_change *c = &all->change;

	assert(c->wait.left == 0 && c->wait.late == 0);
	c->all = all; // sets all but `wait.late`, which other threads read
	c->config = config;
	c->tcp_files = tcp_files;
	c->then = then;
	c->arg = arg;
	c->wait.loop = reply_to;
	c->wait.hangs = all->publisher ? part_hangs : NULL;
	c->wait.then = all_back;
	c->wait.arg = c;
	for (unsigned i = 0; i < all->count; i++)
		c->part[i] = (struct frontends_part){.change = c, .one = &all->one[i]};
	loop_call_back(reply_to, &c->begin, wait_begin, c);
	for (unsigned i = 0; i < all->count; i++)
		loop_call_back(all->one[i].loop, &c->part[i].go, part_work, &c->part[i]);
}

unsigned frontends_late(const struct frontends *all)
{
	return atomic_load_explicit(&all->change.wait.late, memory_order_acquire);
}

// Runs on a frontend's own loop. A later drain is sent again, or seen here.
static void drain_work(void *arg)
{
	struct frontends_drain *d = arg;
	atomic_store(&d->is_sent, false);
	frontend_tcp_drain(d->tcp);
}

void frontends_drain(struct frontends *all, enum frontend_tcp_drain drain)
{
	if (!all->tcp_shared)
		return;
	atomic_store(&all->tcp_shared->drain, drain);
	for (unsigned i = 0; i < all->count; i++) {
		struct frontends_drain *d = &all->drain[i];
		if (!all->one[i].tcp || atomic_exchange(&d->is_sent, true))
			continue;
		d->tcp = all->one[i].tcp;
		loop_call_back(all->one[i].loop, &d->go, drain_work, d);
	}
}
