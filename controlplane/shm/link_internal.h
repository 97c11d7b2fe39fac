// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Shared by link.c (socket, accept, beat) and link_attach.c (hello, and what follows on each loop).

#include "link.h"

struct event;

struct link_resolver {
	struct link_server *owner;
	struct loop *loop;
	struct worker_rings *worker_rings;
	struct l0_writer *l0;
	struct event *beat;
};

struct link_server {
	struct publisher *publisher;
	unsigned resolvers;
	struct link_resolver of[SHM_RESOLVERS_MAX];
	char path[SHM_PATH_MAX + 16];
	int listen_fd, peer_fd; // -1: none
	bool up;                // the peer has been welcomed
	struct event *accept_event, *peer_event;
	// A walk over the loops; `each` NULL: none. Its steps come one after the other.
	void (*each)(struct link_server *s, unsigned resolver);
	void (*done)(struct link_server *s);
	unsigned at;
	struct loop_return step;
	struct greeting attached, coming; // whose bells are in use, and are to be
	int attach_rc;
	char attach_why[SHM_WHY_MAX];
};

// link_attach.c
void link_peer_drop(struct link_server *s);
void link_welcome_send(int fd, uint64_t incarnation, int error);
void link_peer_greet(struct link_server *s); // the peer has said something
void link_detach(struct link_server *s);     // the data plane is dead; no walk may be in progress
