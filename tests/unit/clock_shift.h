// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The clocks of a test: time goes on as ever, and shifts on request. So what is to happen a
// minute later need not happen soon, and no question of a busy machine comes too late.
//
// A program that links this has its own clock_gettime and time, which the product's code and
// libevent call in the C library's stead; the kernel, and other processes, know nothing of it.
// Clocks that measure CPU time do not shift. Each function: any thread; shifts add up.

#include <stdint.h>

// All clocks jump. Work in flight may time out by it.
void clock_ahead_by_ms(uint32_t ms);
// The machine wakes up after so long: CLOCK_BOOTTIME and CLOCK_REALTIME have gone on.
void clock_suspend_ms(uint32_t ms);
// Sets CLOCK_REALTIME, ahead or back.
void clock_step_ms(int64_t ms);
// Each reading of a clock takes so long from now on, by all of them; 0: no longer.
void clock_slow_us(uint32_t us);
