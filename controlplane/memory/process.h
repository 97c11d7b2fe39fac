// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Facts about this process, and one more, from /proc. Any thread.

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

// A file of /proc, cut at `cap` - 1; its length. "": not readable.
size_t process_text_read(const char *path, char *out, size_t cap);
// Bytes in memory, and of these the ones that no file and no other process has; 0: not readable.
void process_memory(uint64_t *rss, uint64_t *anonymous);
void process_memory_of(pid_t process, uint64_t *rss, uint64_t *anonymous);

enum { PROCESS_THREADS_MAX = 64, PROCESS_NAME_MAX = 20 };

struct process_thread {
	pid_t id;
	char name[PROCESS_NAME_MAX];
	char state;                // as in /proc: R, S, D
	uint64_t cpu_ms;           // that it ran
	uint64_t waits, preempted; // switches away from it, wanted and not
};

// Threads, up to `cap` of them; returns how many there are.
unsigned process_threads(struct process_thread *out, unsigned cap);
