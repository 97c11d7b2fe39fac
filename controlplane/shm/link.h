// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The data plane, as this process sees it: link.sock, where it introduces itself, the worker rings
// that it brings, and L0, which it reads. Owned by the process, on the first resolver's loop.
//
// SOCK_SEQPACKET, mode 0600, with two users 0660 of their group. One data plane at a time: it sends
// struct link_hello and gets struct link_welcome with its bells; whatever it sends after that ends
// the link unread. A second one is refused (-EBUSY) while the first is connected, a hello must come
// within 1 s. Helpers read hellos and close connections (link.c). After a hang-up the worker
// rings stay attached while the process lives (dataplane.lock, probed each 100 ms): a stopped
// worker may still hold references; they are detached once it is dead.
//
// Each resolver attaches and detaches its worker rings on its own loop, and the first one's loop
// welcomes or refuses the data plane when all have. Meanwhile it reads nothing from the link. With
// one resolver nothing is put off. A resolver that hangs is not waited for (base/loop.h): it
// keeps the rings and bells that it has, and attaches those of the latest data plane when it is
// back.
//
// A timer on each loop is the heartbeat of its worker rings and writer of L0; the first one's is
// the publisher's too.

#include "worker_rings.h"

struct link_server;

// `loops`: one for each of publisher_resolvers, none of which runs yet.
ATTR_MUST_CHECK int link_open(struct link_server **out, struct loop *const *loops,
	struct publisher *publisher, char why[SHM_WHY_MAX]);
void link_close(struct link_server *s); // NULL is fine; unlinks the socket; no loop runs any more
bool link_up(const struct link_server *s);
// Of a resolver, for its loop's thread. Both live as long as the link.
struct worker_rings *link_worker_rings(const struct link_server *s, unsigned resolver);
struct l0_writer *link_l0(const struct link_server *s, unsigned resolver);

// The table of a resolver's share of L0, on its loop's thread.
void link_tables(const struct link_server *s, unsigned resolver, struct table_registry *tables);
