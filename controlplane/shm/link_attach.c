// SPDX-License-Identifier: BSD-3-Clause

// What a hello leads to: each resolver attaches its rings on its own loop, one after the other, and
// the first one's loop then answers.
#include "link_internal.h"

#include <event2/event.h>

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>
#include <weir/fault.h>
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

static void walk_end(void *arg)
{
	struct link_server *s = arg;
	void (*done)(struct link_server *) = s->done;
	s->each = NULL;
	done(s);
}

static void walk_step(void *arg)
{
	struct link_server *s = arg;

	s->each(s, s->at);
	if (++s->at < s->resolvers)
		loop_call_back(s->of[s->at].loop, &s->step, walk_step, s);
	else if (s->resolvers > 1)
		loop_call_back(s->of[0].loop, &s->step, walk_end, s);
	else
		walk_end(s);
}

// Runs `each` for every resolver on its own loop, one after the other, then `done` on the first.
static void walk_begin(struct link_server *s,
	void (*each)(struct link_server *s, unsigned resolver), void (*done)(struct link_server *s))
{
	s->each = each;
	s->done = done;
	s->at = 0;
	walk_step(s);
}

static void detach_one(struct link_server *s, unsigned resolver)
{
	worker_rings_detach(s->of[resolver].worker_rings);
}

// No resolver uses the bells of the last data plane any more.
static void detached(struct link_server *s)
{
	greeting_close(&s->attached);
}

void link_detach(struct link_server *s)
{
	if (s->attached.fd_count > 0)
		walk_begin(s, detach_one, detached);
}

static void attach_one(struct link_server *s, unsigned resolver)
{
	struct worker_rings *rings = s->of[resolver].worker_rings;
	if (s->attach_rc == 0)
		s->attach_rc =
			worker_rings_attach(rings, &s->coming.hello, s->coming.fds, s->attach_why);
	else // those of the last data plane, whose bells go
		worker_rings_detach(rings);
}

static void refuse(struct link_server *s)
{
	log_warning("data plane refused: %s", s->attach_why);
	greeting_close(&s->coming);
	link_welcome_send(s->peer_fd, publisher_incarnation(s->publisher), s->attach_rc);
	link_peer_drop(s);
}

// The resolvers that had taken the data plane have let it go.
static void taken_back(struct link_server *s)
{
	greeting_close(&s->attached);
	refuse(s);
}

static void attached(struct link_server *s)
{
	if (s->attach_rc < 0) {
		walk_begin(s, detach_one, taken_back);
		return;
	}
	greeting_close(&s->attached);
	s->attached = s->coming;
	s->coming.fd_count = 0;
	s->up = true;
	event_add(s->peer_event, NULL);
	link_welcome_send(s->peer_fd, publisher_incarnation(s->publisher), 0);
	FAULT_POINT(link_welcome_sent);
	log_info("data plane attached, %u workers", s->attached.hello.workers);
}

void link_peer_greet(struct link_server *s)
{
	int rc = greeting_read(s->peer_fd, &s->coming, s->attach_why);
	if (rc == -EAGAIN || rc == -EINTR)
		return;
	FAULT_POINT(link_hello_taken);
	s->attach_rc = rc;
	event_del(s->peer_event); // and its timeout; again once it is attached
	if (rc < 0)               // no resolver has heard of it
		refuse(s);
	else
		walk_begin(s, attach_one, attached);
}
