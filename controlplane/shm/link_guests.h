// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Connections to link.sock. Who connects may hand over descriptors, with its hello or after it, and
// the thread that reads the message or closes the connection waits until the kernel has closed
// them (weir/os/passed_files.h). So helper threads do both, two at most: one reads a hello, which
// must come within LINK_HELLO_MS; one closes. Nobody reads anything further. The next connection
// waits in the kernel while a hello is read, and while LINK_GUESTS_MAX are open or wait to be
// closed.
//
// Owned by the first resolver's loop.

#include "base/loop.h"

#include <weir/shm_msg.h>
#include <weir/shm_region.h>

enum { LINK_HELLO_MS = 1000, LINK_GUESTS_MAX = 8 };

struct link_guest {
	int fd;
	int rc; // 0: its hello is sound; -errno with `why`, -ETIMEDOUT: none came
	struct link_hello hello;
	char why[SHM_WHY_MAX];
};

struct link_guests;
// The connection is the callee's until link_guests_leave.
typedef void (*link_guests_fn)(void *arg, const struct link_guest *guest);

// `listener` stays the caller's. -ENOMEM, or -errno of eventfd.
ATTR_MUST_CHECK int link_guests_open(
	struct link_guests **out, struct loop *loop, int listener, link_guests_fn came, void *arg);
// Waits for the helpers, and closes all connections that have left. NULL is fine.
void link_guests_close(struct link_guests *g);
void link_guests_leave(struct link_guests *g, int fd); // closes it, soon
// Each 100 ms: what found no file, memory or thread is tried again. A connection for whose hello
// there was no thread is closed.
void link_guests_beat(struct link_guests *g);
