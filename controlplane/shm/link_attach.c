// SPDX-License-Identifier: BSD-3-Clause

// What a hello leads to: each resolver attaches its rings on its own loop, and the first one's loop
// then answers.
#include "link_internal.h"

#include <event2/event.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <weir/fault.h>
#include <weir/heap_site.h>
#include <weir/log.h>

void link_peer_drop(struct link_server *s)
{
	if (s->peer_event)
		event_free(s->peer_event);
	s->peer_event = NULL;
	if (s->peer_fd >= 0)
		close(s->peer_fd);
	s->peer_fd = -1;
	s->up = false;
}

void link_welcome_send(int fd, uint64_t incarnation, int error)
{
	const struct link_welcome w = {
		.magic = SHM_MAGIC,
		.abi_version = SHM_ABI_VERSION,
		.error = error,
		.cp_incarnation = incarnation,
	};
	(void)send(fd, &w, sizeof(w), MSG_DONTWAIT | MSG_NOSIGNAL);
}

void link_greeting_drop(struct greeting_shared *g)
{
	if (!g || atomic_fetch_sub_explicit(&g->references, 1, memory_order_acq_rel) > 1)
		return;
	greeting_close(&g->g);
	heap_free(g);
}

static struct greeting_shared *greeting_keep(struct greeting_shared *g)
{
	if (g)
		atomic_fetch_add_explicit(&g->references, 1, memory_order_relaxed);
	return g;
}

static struct greeting_shared *greeting_share(const struct greeting *g)
{
	struct greeting_shared *shared = heap_malloc(sizeof(*shared));
	if (shared)
		*shared = (struct greeting_shared){.references = 1, .g = *g};
	return shared;
}

static void step_send(struct link_resolver *r);

// The first resolver's loop. One that was late may have to attach another data plane by now.
static void step_back(void *arg)
{
	struct link_resolver *r = arg;
	struct link_server *s = r->owner;
	const unsigned resolver = (unsigned)(r - s->of);

	r->out = false;
	if (r->given != s->target) {
		step_send(r);
		return;
	}
	if (r->rc < 0 && (s->wait.late >> resolver & 1))
		log_error("resolver %u, which has been hanging, does not attach the data plane: "
			  "%s; restart weir-controlplane",
			resolver, r->why);
	loop_wait_done(&s->wait, resolver);
}

// Its own loop.
static void step(void *arg)
{
	struct link_resolver *r = arg;
	struct link_server *s = r->owner;

	r->rc = 0;
	if (r->given)
		r->rc = worker_rings_attach(
			r->worker_rings, &r->given->g.hello, r->given->g.fds, r->why);
	else
		worker_rings_detach(r->worker_rings);
	link_greeting_drop(r->held);
	r->held = r->rc == 0 ? greeting_keep(r->given) : NULL;
	link_greeting_drop(r->given);
	if (r == &s->of[0])
		step_back(r);
	else
		loop_call_back(s->of[0].loop, &r->back, step_back, r);
}

static void step_send(struct link_resolver *r)
{
	r->out = true;
	r->given = greeting_keep(r->owner->target);
	if (r == &r->owner->of[0])
		step(r);
	else
		loop_call_back(r->loop, &r->go, step, r);
}

static bool step_hangs(const void *server, unsigned resolver)
{
	const struct link_server *s = server;
	return publisher_resolver_hangs(s->publisher, resolver);
}

static void walk_end(void *arg)
{
	struct link_server *s = arg;
	s->walking = false;
	s->done(s);
}

// Every resolver attaches `target`, which becomes the link's, or lets its rings go, each on its own
// loop; then `done` on the first. One whose last step is still out gets there when it is back.
static void walk_begin(
	struct link_server *s, struct greeting_shared *target, void (*done)(struct link_server *s))
{
	link_greeting_drop(s->target);
	s->target = target;
	s->walking = true;
	s->done = done;
	s->wait = (struct loop_wait){
		.loop = s->of[0].loop, .hangs = step_hangs, .then = walk_end, .arg = s};
	loop_wait_begin(&s->wait, s->resolvers);
	for (unsigned i = s->resolvers; i-- > 0;)
		if (!s->of[i].out)
			step_send(&s->of[i]);
}

static void detached(struct link_server *)
{
}

void link_detach(struct link_server *s)
{
	if (s->target)
		walk_begin(s, NULL, detached);
}

// Those that had taken the data plane have let it go.
static void refuse(struct link_server *s)
{
	log_warning("data plane refused: %s", s->attach_why);
	link_welcome_send(s->peer_fd, publisher_incarnation(s->publisher), s->attach_rc);
	link_peer_drop(s);
}

// Keeps why one of them refuses the data plane; not of those that are late.
static void refusal_take(struct link_server *s)
{
	for (unsigned i = 0; i < s->resolvers && s->attach_rc == 0; i++) {
		const struct link_resolver *r = &s->of[i];
		if (r->out || r->rc >= 0)
			continue;
		s->attach_rc = r->rc;
		memcpy(s->attach_why, r->why, sizeof(s->attach_why));
	}
}

static void attached(struct link_server *s)
{
	refusal_take(s);
	if (s->attach_rc < 0) {
		walk_begin(s, NULL, refuse);
		return;
	}
	s->up = true;
	event_add(s->peer_event, NULL);
	link_welcome_send(s->peer_fd, publisher_incarnation(s->publisher), 0);
	FAULT_POINT(link_welcome_sent);
	log_info("data plane attached, %u workers", s->target->g.hello.workers);
}

void link_peer_greet(struct link_server *s)
{
	struct greeting_shared *target = NULL;
	struct greeting g;
	int rc = greeting_read(s->peer_fd, &g, s->attach_why);
	if (rc == -EAGAIN || rc == -EINTR)
		return;
	FAULT_POINT(link_hello_taken);
	publisher_reader_look(s->publisher);
	event_del(s->peer_event); // and its timeout; again once it is attached
	if (rc == 0 && !(target = greeting_share(&g))) {
		snprintf(s->attach_why, sizeof(s->attach_why), "no memory for its hello");
		rc = -ENOMEM;
	}
	s->attach_rc = rc;
	if (rc < 0) { // no resolver has heard of it
		greeting_close(&g);
		refuse(s);
	} else {
		walk_begin(s, target, attached);
	}
}
