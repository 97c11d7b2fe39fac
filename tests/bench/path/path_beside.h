// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// What goes on beside a worker: a control plane's writes to L0, and its rule images, on a thread of
// the other CPUs. The worker's thread says when; between cases there is no such thread.
//
// Writes are 100,000 a second, five each twentieth of a millisecond, each a name of the table put
// again.
// An image is published as the data plane's main lcore would: in memory of its own, checked as a
// whole, its tables handed over, the old memory given back once the worker stands on the new one.

#include "path_rig.h"

#include <pthread.h>

enum { PATH_WRITES_PER_S = 100000 };

struct path_beside {
	struct path_rig *r;
	const struct path_case *c;
	pthread_t thread;
	_Atomic bool on;         // writes
	_Atomic uint64_t wanted; // images
	_Atomic bool stop;
	// The thread's.
	_Atomic uint64_t written, refused; // records
	_Atomic uint64_t published;        // images
	_Atomic bool failed;
	struct worker_tables tables[2];
	void *image[2];
};

// Before path_rig_start, which leaves the process one CPU. False: there is no other one, so nothing
// can go on beside the worker.
bool path_beside_prepare(void);

// The thread of a case of VERSUS_WRITES, VERSUS_SWAPS or VERSUS_BUILDS. False after saying why.
bool path_beside_start(struct path_beside *b, struct path_rig *r, const struct path_case *c);
// The worker's tables are its own again. Turns go on in it until the thread has ended.
void path_beside_stop(struct path_beside *b);
