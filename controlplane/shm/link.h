// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The data plane, as this process sees it: link.sock, where it introduces itself, the worker rings
// that it brings, and L0, which it reads. Owned by the process, on the resolver loop's thread.
//
// SOCK_SEQPACKET, mode 0600. One data plane at a time: it sends struct link_hello and one eventfd
// for each worker, and gets struct link_welcome; after that only the hang-up has a meaning. A
// second one is refused (-EBUSY) while the first is connected, a hello must come within 1 s. After
// a hang-up the worker rings stay attached while the process lives (dataplane.lock, probed each 100
// ms): a stopped worker may still hold references; they are detached once it is dead.
//
// The same timer is the heartbeat of the publisher, the worker rings and the writer of L0.

#include "worker_rings.h"

struct link_server;

ATTR_MUST_CHECK int link_open(struct link_server **out, struct loop *loop,
	struct publisher *publisher, char why[SHM_WHY_MAX]);
void link_close(struct link_server *s); // NULL is fine; unlinks the socket
bool link_up(const struct link_server *s);
// Both live as long as the link.
struct worker_rings *link_worker_rings(const struct link_server *s);
struct l0_writer *link_l0(const struct link_server *s);

// The table of L0.
void link_tables(const struct link_server *s, struct table_registry *tables);

// link_l0.c: the writer of L0, filled from a cache of another size for 0.6 s at most, and its
// region made current. -errno with `why`.
ATTR_MUST_CHECK int link_l0_open(
	struct publisher *publisher, struct l0_writer **out, char why[SHM_WHY_MAX]);
