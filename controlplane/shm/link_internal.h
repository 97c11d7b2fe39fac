// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Shared by link.c (socket, accept, beat) and link_attach.c (hello, and what follows on each loop).

#include "base/loop_wait.h"
#include "link.h"

struct event;

// A hello, whose bells are closed when no resolver uses them any more.
struct greeting_shared {
	_Atomic unsigned references;
	struct greeting g;
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
	struct event *accept_event, *peer_event;
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
void link_welcome_send(int fd, uint64_t incarnation, int error);
void link_peer_greet(struct link_server *s); // the peer has said something
void link_detach(struct link_server *s);     // the data plane is dead; no walk may be in progress
void link_greeting_drop(struct greeting_shared *g); // NULL is fine
