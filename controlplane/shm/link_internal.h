// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Shared by link.c (socket, beat), link_attach.c (what follows a hello, on each loop) and
// link_bells.c.

#include "base/loop_wait.h"
#include "link.h"
#include "link_guests.h"

#include <weir/bell.h>
#include <weir/gong.h>

struct event;

struct link_bells {
	unsigned workers, resolvers;
	int hears[SHM_WORKERS_MAX]; // -1: handed over; the first resolver's loop alone
	int rings[SHM_WORKERS_MAX];
	int gong[SHM_RESOLVERS_MAX];
};

// A hello, whose bells are closed when no resolver uses them any more.
struct greeting_shared {
	_Atomic unsigned references;
	struct link_hello hello;
	struct link_bells bells;
};

struct link_resolver {
	struct link_server *owner;
	struct loop *loop;
	struct worker_rings *worker_rings;
	struct l0_writer *l0;
	struct event *beat;
	struct greeting_shared *held; // its loop's: whose bells its rings have; NULL: none
	// Its step of a walk: its loop's while it is out, else the first one's.
	bool out; // the first one's
	struct greeting_shared *given;
	struct loop_return go, back;
	int rc;
	char why[SHM_WHY_MAX];
};

struct link_server {
	struct publisher *publisher;
	unsigned resolvers;
	struct link_resolver of[SHM_RESOLVERS_MAX];
	char path[SHM_PATH_MAX + 32];
	int listen_fd, peer_fd; // -1: none
	bool up;                // the peer has been welcomed
	struct link_guests *guests;
	struct event *peer_event;
	// All resolvers on their way to `target`.
	bool walking;
	void (*done)(struct link_server *s);
	struct loop_wait wait;
	struct greeting_shared *target; // that all are to attach, or have; NULL: none
	int attach_rc;
	char attach_why[SHM_WHY_MAX];
};

// link_attach.c
void link_peer_drop(struct link_server *s);
void link_guest_came(void *server, const struct link_guest *guest);
void link_detach(struct link_server *s); // the data plane is dead; no walk may be in progress
void link_greeting_drop(struct greeting_shared *g); // NULL is fine

// link_bells.c: -errno, and none is open.
ATTR_MUST_CHECK int link_bells_open(struct link_bells *b, unsigned workers, unsigned resolvers);
void link_bells_close(struct link_bells *b);
// Sends the welcome with them. -errno of that; the ends that hear are no longer here in any case.
ATTR_MUST_CHECK int link_bells_give(struct link_bells *b, int peer, struct link_welcome *w);
