// SPDX-License-Identifier: BSD-3-Clause

// A new image: what L0 holds is judged by it before workers get it, so that no cached answer is
// served by rules that its mask does not know. What arrives meanwhile is judged by the new one too.
// The walk goes through the index in slices between which the loop does its work. A record whose
// mask changes is written anew; one for which there is no room then, or that has no mask
// (judge_finding.h), is deleted. Entries do not move, so none is missed.
#include "resolver_internal.h"

#include <event2/event.h>

#include <stdlib.h>
#include <weir/clock.h>

struct rejudge {
	struct resolver *resolver;
	struct event *step;
	bool running;
	uint64_t cursor; // bucket
	uint64_t start_ms;
	void (*then)(void *arg);
	void *arg;
};

static void record_judge(struct resolver *r, const struct l0_view *v, void *)
{
	struct judge_count *count = &r->count.judge;
	struct rd rd = rd_init(v->name, v->name_len);
	struct dns_name name;
	struct l0_key key;
	struct rule_set mask;
	struct judge_finding finding = {.count = 0};

	if (!v->judged && (!r->judge || !judge_concerns(r->judge, &v->answer)))
		return;
	if (dns_name_read(&rd, &name))
		return;
	count->rejudged++;
	if (r->judge)
		judge_answer(r->judge, JUDGE_ON_RESOLVER, &name, v->qtype, &v->answer, &finding);
	l0_key_of_view(l0_writer_reader(r->l0), v, &key);
	key.name = name.wire;
	if (!judge_finding_mask(&finding, &mask)) {
		count->rejudged_deleted += l0_writer_delete(r->l0, &key);
		return;
	}
	if (v->judged ? memcmp(&mask, &v->mask, sizeof mask) == 0
		      : !(mask.lists[0] | mask.lists[1] | mask.lists[2] | mask.lists[3]))
		return;
	int rc = l0_writer_judge(r->l0, &key, &mask);
	count->rejudged_changed += rc == 0;
	count->rejudged_deleted += rc < 0;
}

// True: all is done.
static bool slice(struct rejudge *w)
{
	return store_walk(w->resolver, &w->cursor, record_judge, NULL);
}

static void walk_end(struct rejudge *w)
{
	struct judge_count *count = &w->resolver->count.judge;

	w->running = false;
	count->walks++;
	count->walk_ms = clock_mono_ms() - w->start_ms;
	if (w->then)
		w->then(w->arg);
}

static void on_step(evutil_socket_t fd, short what, void *arg)
{
	struct rejudge *w = arg;
	(void)fd, (void)what;

	if (slice(w))
		walk_end(w);
	else
		event_add(w->step, &(struct timeval){0});
}

int rejudge_open(struct resolver *r)
{
	struct rejudge *w = calloc(1, sizeof *w);
	if (!w)
		return -ENOMEM;
	r->rejudge = w;
	w->resolver = r;
	w->step = event_new(loop_base(r->loop), -1, 0, on_step, w);
	return w->step ? 0 : -ENOMEM;
}

void rejudge_close(struct resolver *r)
{
	if (r->rejudge && r->rejudge->step)
		event_free(r->rejudge->step);
	free(r->rejudge);
	r->rejudge = NULL;
}

void resolver_judge_by(
	void *resolver, const struct judge *judge, void (*then)(void *arg), void *arg)
{
	struct resolver *r = resolver;
	struct rejudge *w = r->rejudge;

	assert(!w->running || !w->then);
	r->judge = judge;
	w->running = true;
	w->cursor = 0;
	w->start_ms = clock_mono_ms();
	w->then = then;
	w->arg = arg;
	event_add(w->step, &(struct timeval){0});
}

void resolver_judge_finish(void *resolver)
{
	struct resolver *r = resolver;
	struct rejudge *w = r->rejudge;

	if (!w->running)
		return;
	(void)event_del(w->step);
	while (!slice(w))
		;
	walk_end(w);
}
