// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The data plane's end of link.sock: introduces the two processes and notices the end of the other.
//
// The control plane listens; this tries to connect each 100 ms. One hello, one welcome with all
// bells, then silence: the open socket only serves to notice a hang-up at once. Any further byte,
// a wrong welcome or none within a second ends the connection. Nothing here blocks: a closer has
// whatever the control plane sent or could have sent, and the next try comes when all of it is
// closed. Main lcore only; no DPDK.
//
// Bells take the numbers of descriptors that are there (dup3), so threads that use them notice
// nothing: those of the last control plane go on until the next one's come.

#include "closer.h"

#include <stdbool.h>
#include <weir/attr.h>
#include <weir/shm_msg.h>

enum { LINK_RETRY_MS = 100, LINK_WELCOME_MS = 1000, LINK_PATH_MAX = 108 };

enum link_event { LINK_NOTHING, LINK_CAME_UP, LINK_WENT_DOWN };

struct link_client {
	char path[LINK_PATH_MAX];
	const int *bells; // the caller's: LINK_BELLS_MAX numbers, in the order of link_welcome
	unsigned workers;
	uint64_t dp_incarnation;

	int fd; // -1 if not connected
	bool up;
	uint64_t next_try_ms;
	uint64_t deadline_ms; // when the welcome must be there
	int told_error;       // last refusal that was logged, so that retries stay silent
	struct closer closer;
};

// -ENAMETOOLONG when the socket's path does not fit an address.
ATTR_MUST_CHECK int link_init(struct link_client *l, const char *run_dir, const int *bells,
	unsigned workers, uint64_t dp_incarnation);
enum link_event link_poll(struct link_client *l, uint64_t now_ms);
void link_close(struct link_client *l);
