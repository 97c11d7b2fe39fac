// SPDX-License-Identifier: BSD-3-Clause

// A new image: what L0 holds is checked by it before workers get it, so that no cached answer is
// served by rules that its mask does not know. What arrives meanwhile is checked by the new one
// too. The walk goes through the index in slices between which the loop does its work. A record
// whose mask changes is written anew; one for which there is no room then, or that has no mask
// (answer_match.h), is deleted. Entries do not move, so none is missed.
#include "resolver_internal.h"

#include <event2/event.h>

#include <stdlib.h>
#include <weir/clock.h>

struct recheck {
	struct resolver *resolver;
	struct event *step;
	bool running;
	uint64_t cursor; // bucket
	uint64_t start_ms;
	void (*then)(void *arg);
	void *arg;
};

static void record_check(struct resolver *r, const struct l0_view *v, void *)
{
	struct answer_policy_count *count = &r->count.answer_policy;
	struct rd rd = rd_init(v->name, v->name_len);
	struct dns_name name;
	struct l0_key key;
	struct rule_set mask;
	struct answer_match finding = {.count = 0};

	if (!v->masked
		&& (!r->answer_policy || !answer_policy_concerns(r->answer_policy, &v->answer)))
		return;
	if (dns_name_read(&rd, &name))
		return;
	count->rechecked++;
	if (r->answer_policy)
		answer_policy_answer(r->answer_policy, ANSWER_POLICY_ON_RESOLVER, &name, v->qtype,
			&v->answer, &finding);
	l0_key_of_view(l0_writer_reader(r->l0), v, &key);
	key.name = name.wire;
	if (!answer_match_mask(&finding, &mask)) {
		count->rechecked_deleted += l0_writer_delete(r->l0, &key);
		return;
	}
	if (v->masked ? memcmp(&mask, &v->mask, sizeof mask) == 0
		      : !(mask.lists[0] | mask.lists[1] | mask.lists[2] | mask.lists[3]))
		return;
	int rc = l0_writer_set_mask(r->l0, &key, &mask);
	count->rechecked_changed += rc == 0;
	count->rechecked_deleted += rc < 0;
}

// True: all is done.
static bool slice(struct recheck *w)
{
	return store_walk(w->resolver, &w->cursor, record_check, NULL);
}

static void walk_end(struct recheck *w)
{
	struct answer_policy_count *count = &w->resolver->count.answer_policy;

	w->running = false;
	count->walks++;
	count->walk_ms = clock_mono_ms() - w->start_ms;
	if (w->then)
		w->then(w->arg);
}

static void on_step(evutil_socket_t fd, short what, void *arg)
{
	struct recheck *w = arg;
	(void)fd, (void)what;

	if (slice(w))
		walk_end(w);
	else
		event_add(w->step, &(struct timeval){0});
}

int recheck_open(struct resolver *r)
{
	struct recheck *w = calloc(1, sizeof *w);
	if (!w)
		return -ENOMEM;
	r->recheck = w;
	w->resolver = r;
	w->step = event_new(loop_base(r->loop), -1, 0, on_step, w);
	return w->step ? 0 : -ENOMEM;
}

void recheck_close(struct resolver *r)
{
	if (r->recheck && r->recheck->step)
		event_free(r->recheck->step);
	free(r->recheck);
	r->recheck = NULL;
}

void resolver_set_answer_policy(void *resolver, const struct answer_policy *answer_policy,
	void (*then)(void *arg), void *arg)
{
	struct resolver *r = resolver;
	struct recheck *w = r->recheck;

	assert(!w->running || !w->then);
	r->answer_policy = answer_policy;
	w->running = true;
	w->cursor = 0;
	w->start_ms = clock_mono_ms();
	w->then = then;
	w->arg = arg;
	event_add(w->step, &(struct timeval){0});
}

void resolver_recheck_finish(void *resolver)
{
	struct resolver *r = resolver;
	struct recheck *w = r->recheck;

	if (!w->running)
		return;
	(void)event_del(w->step);
	while (!slice(w))
		;
	walk_end(w);
}
