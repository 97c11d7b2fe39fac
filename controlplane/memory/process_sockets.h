// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The sockets of this process, by asking the kernel about each open file: nothing has to be kept
// for it. Any thread; another one may close a file meanwhile, or open another one of that number:
// neither is reported then. Some us each: 12,289 took 61 to 102 ms of CPU on a very busy machine
// (docs/how-to/heap.md).

#include <stdbool.h>
#include <stdint.h>

enum { PROCESS_ADDRESS_MAX = 128 };

struct process_socket {
	int fd;
	const char *kind; // "tcp", "udp", "tcp listener", "unix", "other"
	char local[PROCESS_ADDRESS_MAX], peer[PROCESS_ADDRESS_MAX]; // "": none
	uint64_t unread, unsent;                                    // bytes that the kernel holds
};

struct process_files_count {
	unsigned files, sockets;
};

void process_sockets(void (*each)(void *arg, const struct process_socket *s), void *arg,
	struct process_files_count *out);
