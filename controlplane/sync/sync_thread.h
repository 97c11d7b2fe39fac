// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The helper thread `weir-sync`: it polls the primary, and writes <state_directory>/sync. One job
// after the other, in the order in which they came. The service loop sends a poll only when the one
// before has ended, so a few jobs wait at most. A poll lasts SYNC_POLL_MS at most.

#include "base/loop.h"
#include "sync_memory.h"

enum {
	SYNC_CONNECT_MS = 5000,
	SYNC_POLL_MS = (SYNC_WAIT_S + SYNC_SEND_S + 5) * 1000,
	SYNC_LOW_SPEED_S = SYNC_WAIT_S + 15, // under 1 KiB/s, the wait included
	SYNC_URL_MAX = 2048,
	SYNC_TOKEN_MAX = 512,
};

struct sync_thread;

// Work on the thread, then `done` on the service loop, or in sync_thread_close on its caller's
// thread. The owner frees it in `done`.
struct sync_job {
	struct loop_return back;
	struct sync_job *next;
	bool is_cut; // the thread's
	void (*work)(struct sync_job *j, struct sync_thread *t);
	void (*done)(struct sync_job *j);
	void *arg; // the owner's
};

// The thread starts with the first job. -ENOMEM.
ATTR_MUST_CHECK int sync_thread_open(struct sync_thread **out, struct loop *service);
// Cuts the poll that runs, in a second at most; ends all jobs. NULL is fine.
void sync_thread_close(struct sync_thread *t);
// -errno of creating the thread: `done` is not called.
ATTR_MUST_CHECK int sync_thread_run(struct sync_thread *t, struct sync_job *j);
// Cuts the poll that runs now and those that wait: their settings have changed.
void sync_thread_cut(struct sync_thread *t);

// A poll. The caller fills in all up to `server`.
struct sync_poll {
	struct sync_job job;
	unsigned generation;    // the owner's
	char url[SYNC_URL_MAX]; // "https://HOST:PORT/v1/sync?wait=30"
	char token[SYNC_TOKEN_MAX];
	char ca_file[4096]; // "": the system's authorities
	char form[SYNC_FORM_MAX];
	unsigned server_count; // servers that resolve the host of the URL
	struct socket_address server[CONFIG_UPSTREAMS_MAX];
	unsigned status;         // HTTP status; 0: no reply came
	struct sync_offer offer; // empty with `err`
	int err;                 // 0: a good reply
	char why[SYNC_WHY_MAX];
};
void sync_poll_work(struct sync_job *j, struct sync_thread *t);

enum sync_save_of {
	SYNC_SAVE_MEMORY,
	SYNC_SAVE_TRY, // the version is applied once it is on disk
	SYNC_SAVE_PROMOTION,
};

struct sync_save {
	struct sync_job job;
	enum sync_save_of of;
	unsigned generation; // the owner's
	struct sync_memory memory;
	char path[4096];
	int err;
	char why[STATE_FILE_WHY_MAX];
};
void sync_save_work(struct sync_job *j, struct sync_thread *t);
