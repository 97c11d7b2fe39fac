// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Was a worker of the data plane held up? It counts its turns of over 10 ms itself (turns_long and
// turns_long_us), whatever held them up. Here the time that the machine gave to other programs is
// taken off: what the kernel says that the thread waited for a CPU (/proc/PID/task/TID/schedstat),
// between the last look before the turn can have begun and the one that found it; and it cannot
// have worked longer than it ran there. What is neither (page faults, the host of a virtual
// machine) is printed, not checked: a worker itself never waits.

#include <weir/shm_region.h>

ATTR_MUST_CHECK int watch_open(const struct shm_paths *paths, char why[SHM_WHY_MAX]);
void watch_look(void);  // each millisecond or so
void watch_print(void); // what was found, as members of a JSON object
