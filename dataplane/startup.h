// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// What the process starts with, and how long the parts of the start took, for one line of the log:
//
//   started in 83 ms: config 1, eal 41, rings 6, pools 14, ports 12, workers 6, tables 3
//
// The main thread calls startup_part at the end of each part; a part with a name that was used
// before adds to it. The first call of the process begins the time: from the entry of main on,
// without what the dynamic linker took.

#include <weir/config.h>

enum { STARTUP_PARTS_MAX = 12 };

void startup_begin(void);
// The time since the last call belongs to `name`, a string literal.
void startup_part(const char *name);
void startup_log(void);

// The configuration of the version in force, or of the file (weir/config/versions.h), for
// config_free; from then on the log is as it says. NULL: neither can be used, which is logged.
struct config *startup_config(const char *path, char why[CONFIG_WHY_MAX]);
