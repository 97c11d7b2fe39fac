// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// A weir of its own for a selftest: both processes, an upstream and weir-loadgen on a memif between
// them, in a directory of its own. Its lists that are files, its cache and its cores are those of
// the configuration; nothing of it is reached from outside.
//
// All processes end with us, however that comes; the directories are removed by selftest_rig_stop.
// Each wait has a deadline and ends when a process dies or SIGINT or SIGTERM comes.

#include "lib/ctl.h"
#include "selftest_plan.h"
#include "terminal/progress.h"

#include <limits.h>
#include <stdint.h>
#include <sys/types.h>

enum {
	SELFTEST_NAMES = 10000,
	SELFTEST_SECONDS_MAX = 600,
	SELFTEST_START_MS = 60000,
	SELFTEST_LINE_MAX = 2048,
};

enum selftest_process { SELFTEST_UPSTREAM, SELFTEST_CONTROL, SELFTEST_DATA, SELFTEST_LOAD };
enum { SELFTEST_PROCESSES = SELFTEST_LOAD + 1 };

struct selftest_rig {
	char dir[32], config[64];
	char program[SELFTEST_PROCESSES][PATH_MAX]; // of the upstream: none
	pid_t pid[SELFTEST_PROCESSES];              // 0: not started
	int lines_fd, hold_fd;                      // the generator's output and input
	size_t have;                                // of `text`
	char text[SELFTEST_LINE_MAX];
	struct ctl inner;         // a weirctl of this weir
	unsigned lists;           // that are in it
	uint64_t listed;          // names in its rule image
	struct progress progress; // drawn by each wait
};

// Up to the generator's start. -errno with `why`; selftest_rig_stop is due in any case.
ATTR_MUST_CHECK int selftest_rig_start(struct selftest_rig *rig, const struct config *c,
	const struct selftest_cpus *cpus, unsigned seconds, char why[CONFIG_WHY_MAX]);
// The generator's next line. -ETIME, -ECHILD, -EINTR, ... with `why`.
ATTR_MUST_CHECK int selftest_rig_line(struct selftest_rig *rig, unsigned timeout_ms,
	char line[SELFTEST_LINE_MAX], char why[CONFIG_WHY_MAX]);
// What the waits that follow draw (progress.h).
void selftest_rig_tell(struct selftest_rig *rig, const char *what, unsigned total_s);
void selftest_rig_stop(struct selftest_rig *rig);
