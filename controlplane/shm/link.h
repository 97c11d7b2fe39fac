// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// link.sock: where the data plane introduces itself. Resolver loop's thread only.
//
// SOCK_SEQPACKET, mode 0600. One data plane at a time: it sends struct link_hello and one eventfd
// for each worker, and gets struct link_welcome; then nothing more is said, the hang-up is the
// message. A second one is refused (-EBUSY) while the first is connected, a hello must come within
// 1 s. After a hang-up the lanes stay attached while the process lives (dataplane.lock, probed each
// 100 ms): a stopped worker may still hold references; they are detached once it is dead.

#include "lanes.h"

struct link_server;

ATTR_MUST_CHECK int link_open(struct link_server **out, struct loop *loop,
	struct publisher *publisher, struct lanes *lanes, char why[SHM_WHY_MAX]);
void link_close(struct link_server *s); // NULL is fine; unlinks the socket
bool link_up(const struct link_server *s);
