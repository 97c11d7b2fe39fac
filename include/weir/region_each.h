// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The files in a folder of regions. A process that was broken into may fill its folder, and the
// others read it when they start or attach: they look at REGION_LOOKS_MAX names at most, where a
// weir makes some hundred. What lies behind them stays until a later look.

#include <weir/shm_region.h>

enum { REGION_LOOKS_MAX = 8192 };

// Any thread. `each` may delete the file.
void region_each(const struct shm_paths *paths, enum shm_where where,
	void (*each)(void *arg, const char *name), void *arg);
