// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The open descriptors of all processes (proc(5), /proc/PID/fd), in one pass. Processes that the
// caller may not look into are left out: root sees all of them.

#include <stdbool.h>
#include <sys/types.h>
#include <weir/attr.h>

enum { PROC_FDS_MAX = 1 << 18 }; // some 0.5 s

// Calls `look` with what each descriptor points to, as readlink has it, until that returns false.
// 0; -E2BIG: there are more than PROC_FDS_MAX; -errno: /proc cannot be read.
ATTR_MUST_CHECK int proc_fds_look(bool (*look)(void *arg, pid_t pid, const char *to), void *arg);
