// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The link to the data plane: link.sock, where a data plane says hello, the worker rings that it
// brings, and L0, which it reads. Owned by the process, on the first resolver's loop.
//
// The socket is SOCK_SEQPACKET with mode 0600, or with two users 0660 and their group. There is one
// data plane at a time: it sends struct link_hello and gets struct link_welcome with its bells.
// Anything that it sends after that ends the link unread. A second data plane is refused (-EBUSY)
// while the first is connected; a hello must come within 1 s. Helper threads read hellos and close
// connections (link.c). After a hang-up the worker rings stay attached while the data plane's
// process lives (dataplane.lock, probed each 100 ms), because a stopped worker may still hold
// references; they are detached once the process is dead.
//
// Each resolver attaches and detaches its worker rings on its loop. When all have, the first
// resolver's loop welcomes or refuses the data plane; until then it reads nothing from the link.
// With one resolver all of this is one call. A resolver that hangs is not waited for (base/loop.h):
// it keeps its rings and bells, and attaches those of the latest data plane when it runs again.
//
// A timer on each loop is the heartbeat of the resolver's worker rings and writer of L0; the first
// resolver's timer is the publisher's heartbeat, too.

#include "worker_rings.h"

struct link_server;

// `loops`: a loop for each resolver (publisher_resolvers). No loop runs yet.
ATTR_MUST_CHECK int link_open(struct link_server **out, struct loop *const *loops,
	struct publisher *publisher, char why[SHM_WHY_MAX]);
void link_close(struct link_server *s); // NULL is fine; unlinks the socket; no loop may run
bool link_up(const struct link_server *s);
// A resolver's rings and writer of L0, for the resolver's loop. Both live as long as the link.
struct worker_rings *link_worker_rings(const struct link_server *s, unsigned resolver);
struct l0_writer *link_l0(const struct link_server *s, unsigned resolver);

// Adds the table of a resolver's share of L0, on the resolver's loop.
void link_tables(const struct link_server *s, unsigned resolver, struct table_registry *tables);
