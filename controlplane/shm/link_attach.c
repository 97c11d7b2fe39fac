// SPDX-License-Identifier: BSD-3-Clause

// What a hello leads to: each resolver attaches its rings on its own loop, and the first one's loop
// then answers.
#include "link_internal.h"

#include <event2/event.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <weir/fault.h>
#include <weir/heap_site.h>
#include <weir/log.h>

void link_peer_drop(struct link_server *s)
{
	if (s->peer_event)
		event_free(s->peer_event);
	s->peer_event = NULL;
	if (s->peer_fd >= 0)
		link_guests_leave(s->guests, s->peer_fd);
	s->peer_fd = -1;
	s->up = false;
}

// A hang-up, or what nobody reads.
static void on_peer(evutil_socket_t, short, void *arg)
{
	log_warning("data plane closed its link");
	link_peer_drop(arg);
}

static struct link_welcome welcome(const struct link_server *s, int error)
{
	return (struct link_welcome){.magic = SHM_MAGIC,
		.abi_version = SHM_ABI_VERSION,
		.error = error,
		.cp_incarnation = publisher_incarnation(s->publisher)};
}

static void refusal_send(const struct link_server *s, int fd, int error)
{
	const struct link_welcome w = welcome(s, error);
	(void)send(fd, &w, sizeof(w), MSG_DONTWAIT | MSG_NOSIGNAL);
}

void link_greeting_drop(struct greeting_shared *g)
{
	if (!g || atomic_fetch_sub_explicit(&g->references, 1, memory_order_acq_rel) > 1)
		return;
	link_bells_close(&g->bells);
	heap_free(g);
}

static struct greeting_shared *greeting_keep(struct greeting_shared *g)
{
	if (g)
		atomic_fetch_add_explicit(&g->references, 1, memory_order_relaxed);
	return g;
}

static int greeting_share(
	struct greeting_shared **out, const struct link_hello *hello, unsigned resolvers)
{
	struct greeting_shared *g = heap_malloc(sizeof(*g));
	if (!g)
		return -ENOMEM;
	*g = (struct greeting_shared){.references = 1, .hello = *hello};
	int rc = link_bells_open(&g->bells, hello->workers, resolvers);
	if (rc < 0) {
		heap_free(g);
		return rc;
	}
	*out = g;
	return 0;
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
		r->rc = worker_rings_attach(r->worker_rings, &r->given->hello,
			r->given->bells.rings, r->given->bells.gong[r - s->of], r->why);
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
	refusal_send(s, s->peer_fd, s->attach_rc);
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
	struct link_welcome w = welcome(s, 0);
	int rc = link_bells_give(&s->target->bells, s->peer_fd, &w);
	if (rc < 0) { // it asks again
		snprintf(s->attach_why, sizeof(s->attach_why), "welcome: %s", strerror(-rc));
		log_warning("data plane refused: %s", s->attach_why);
		link_peer_drop(s);
		return;
	}
	FAULT_POINT(link_welcome_sent);
	log_info("data plane attached, %u workers", s->target->hello.workers);
}

// Until the welcome nobody looks at the connection.
static int peer_take(struct link_server *s, const struct link_guest *guest)
{
	s->peer_fd = guest->fd;
	s->peer_event =
		event_new(loop_base(s->of[0].loop), guest->fd, EV_READ | EV_PERSIST, on_peer, s);
	return s->peer_event ? 0 : -ENOMEM;
}

static int greet(
	struct link_server *s, const struct link_guest *guest, struct greeting_shared **target)
{
	int rc = peer_take(s, guest);
	if (guest->rc < 0) {
		memcpy(s->attach_why, guest->why, sizeof(s->attach_why));
		return guest->rc;
	}
	if (rc == 0)
		rc = greeting_share(target, &guest->hello, s->resolvers);
	if (rc < 0)
		snprintf(s->attach_why, sizeof(s->attach_why), "bells: %s", strerror(-rc));
	return rc;
}

void link_guest_came(void *server, const struct link_guest *guest)
{
	struct link_server *s = server;
	struct greeting_shared *target = NULL;
	if (guest->rc == -ETIMEDOUT) {
		log_warning("data plane: handshake timed out");
		link_guests_leave(s->guests, guest->fd);
		return;
	}
	if (s->peer_fd >= 0 || s->walking) {
		refusal_send(s, guest->fd, -EBUSY);
		link_guests_leave(s->guests, guest->fd);
		return;
	}
	FAULT_POINT(link_hello_taken);
	publisher_reader_look(s->publisher);
	s->attach_rc = greet(s, guest, &target);
	if (s->attach_rc < 0) // no resolver has heard of it
		refuse(s);
	else
		walk_begin(s, target, attached);
}
