// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The clock of a machine that was suspended: CLOCK_BOOTTIME and CLOCK_REALTIME have gone on,
// CLOCK_MONOTONIC has not. A program that links this has a clock_gettime of its own, which the
// product's code and libevent call in the C library's stead.

#include <stdint.h>

// The machine wakes up after so long. Any thread.
void clock_suspend_ms(uint32_t ms);
