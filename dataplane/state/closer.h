// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Closes descriptors that another process may have handed over, and sockets in which more of them
// may wait, on a thread of its own: the last close of a file can take the kernel as long as the
// sender wants (SO_LINGER), and nothing says so beforehand. Each turn interrupts the thread, which
// ends such a wait. Main lcore.

#include <pthread.h>
#include <stdbool.h>
#include <weir/shm_msg.h>

enum {
	CLOSER_MESSAGE_MAX = 253, // SCM_MAX_FD of the kernel: no message has more
	// A message's, the bells that it replaces, and the link.
	CLOSER_MAX = CLOSER_MESSAGE_MAX + LINK_BELLS_MAX + 1,
};

struct closer { // zeros at first
	int fds[CLOSER_MAX];
	unsigned count;
	unsigned closing; // the first ones, which belong to the thread while it runs
	pthread_t thread;
	bool is_running;
	_Atomic bool ended;
};

// The caller gives it CLOSER_MAX at most before a turn says that all are closed.
void closer_take(struct closer *c, int fd);
// Each few milliseconds: true when all are closed.
bool closer_turn(struct closer *c);
// Returns when all are closed, or after some three seconds: a file of a mount that hangs may take
// longer, and the process' end closes it.
void closer_end(struct closer *c);
