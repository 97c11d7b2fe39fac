// SPDX-License-Identifier: BSD-3-Clause
// Looks at the cache and flushes of it, of all parts (resolvers.h).
#include "resolvers.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

// One call that each resolver has a part of. The calls are made, and their answers come, on
// `reply_to`, so the sum is that loop's alone.
struct look_call {
	unsigned left;
	int err;
	resolver_look_fn done;
	void *arg;
	unsigned l0, l1; // entries of each tier
	struct cache_look look;
	struct cache_entry entry[2 * CACHE_GET_MAX]; // those of L1 in the second half
};

static void look_end(struct look_call *c)
{
	memmove(&c->entry[c->l0], &c->entry[CACHE_GET_MAX], c->l1 * sizeof(c->entry[0]));
	c->look.count = c->l0 + c->l1;
	c->look.entry = c->entry;
	c->done(c->arg, c->err, &c->look);
	free(c);
}

static void look_take(struct look_call *c, const struct cache_look *look)
{
	for (unsigned i = 0; i < look->count; i++) {
		const struct cache_entry *e = &look->entry[i];
		if (e->in_l1 && c->l1 < CACHE_GET_MAX)
			c->entry[CACHE_GET_MAX + c->l1++] = *e;
		else if (!e->in_l1 && c->l0 < CACHE_GET_MAX)
			c->entry[c->l0++] = *e;
	}
	if (look->l1_types)
		c->look = *look;
}

static void look_done(struct look_call *c, int err)
{
	if (err < 0 && c->err == 0)
		c->err = err;
	if (--c->left == 0)
		look_end(c);
}

static void on_look(void *arg, int err, const struct cache_look *look)
{
	struct look_call *c = arg;
	if (err == 0)
		look_take(c, look);
	look_done(c, err);
}

int resolvers_cache_get(struct resolvers *all, const struct dns_name *name, uint16_t qtype,
	struct loop *reply_to, resolver_look_fn done, void *arg)
{
	if (all->count == 1)
		return resolver_cache_get(all->one[0], name, qtype, reply_to, done, arg);
	struct look_call *c = calloc(1, sizeof(*c)); // entries that stay empty are never touched
	if (!c)
		return -ENOMEM;
	c->left = all->count;
	c->done = done;
	c->arg = arg;
	int rc = resolver_cache_get(all->one[0], name, qtype, reply_to, on_look, c);
	if (rc < 0) {
		free(c);
		return rc;
	}
	for (unsigned i = 1; i < all->count; i++) {
		rc = resolver_cache_get(all->one[i], name, qtype, reply_to, on_look, c);
		if (rc < 0)
			look_done(c, rc);
	}
	return 0;
}

struct flush_call {
	unsigned left;
	int err;
	resolver_flush_fn done;
	void *arg;
	struct cache_flushed sum;
};

static void flush_done(struct flush_call *c, int err)
{
	if (err < 0 && c->err == 0)
		c->err = err;
	if (--c->left > 0)
		return;
	c->done(c->arg, c->err, &c->sum);
	free(c);
}

// The first resolver, which alone flushes L1.
static void on_flushed_first(void *arg, int err, const struct cache_flushed *f)
{
	struct flush_call *c = arg;
	const uint64_t l0 = c->sum.l0;
	c->sum = *f;
	c->sum.l0 += l0;
	flush_done(c, err);
}

static void on_flushed(void *arg, int err, const struct cache_flushed *f)
{
	struct flush_call *c = arg;
	c->sum.l0 += f->l0;
	flush_done(c, err);
}

int resolvers_cache_flush(struct resolvers *all, const struct flush *what, bool tells_others,
	struct loop *reply_to, resolver_flush_fn done, void *arg)
{
	struct flush_call *c = calloc(1, sizeof(*c));
	if (!c)
		return -ENOMEM;
	*c = (struct flush_call){.left = all->count, .done = done, .arg = arg};
	int rc = resolver_cache_flush(
		all->one[0], what, tells_others, reply_to, on_flushed_first, c);
	if (rc < 0) {
		free(c);
		return rc;
	}
	for (unsigned i = 1; i < all->count; i++) {
		rc = resolver_cache_flush(all->one[i], what, false, reply_to, on_flushed, c);
		if (rc < 0)
			flush_done(c, rc);
	}
	return 0;
}
