// SPDX-License-Identifier: BSD-3-Clause
// Looks at the cache and flushes of it, of all parts (resolvers.h).
#include "resolvers.h"

#include <errno.h>
#include <string.h>
#include <weir/clock.h>
#include <weir/heap_site.h>

enum { LOOK_MS = 250 };

// A call that each resolver has a part of; a block begins with it, and is freed once all parts are
// back. It ends when the only parts that are out are of resolvers that hang. The calls are made,
// and their answers come, on `reply_to`, so all of it is that loop's alone.
struct gather {
	const struct resolvers *all;
	struct loop *reply_to;
	void (*end)(void *block, unsigned hung); // with the number of resolvers that are left out
	unsigned out, back;                      // a bit of each resolver
	bool ended;
	int err; // the first one's that could not
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

// At least once, so that a call does not end within.
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

// `err`: as the resolver's answer has it, or its call.
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
	struct look_line *line; // NULL: it stands in none
	struct look_call *next; // behind it in line
	resolver_look_fn done;
	void *arg;
	unsigned l0, l1; // entries of each tier
	unsigned left_out;
	unsigned bogus_count;
	struct bogus_found bogus[CACHE_BOGUS_MAX];
	struct cache_look look;
	struct cache_entry entry[2 * CACHE_GET_MAX]; // those of L1 in the second half
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
		// A look takes each resolver a walk: none for who has hung up, or had its 504.
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

// The first resolver alone flushes L1. One that comes back late has flushed its part.
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
