// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The clock of a test that cannot wait: time goes on as ever, and jumps when told to. So what is to
// happen a minute later need not happen soon, and no question of a busy machine comes too late.
//
// A program that links this has a clock_gettime of its own, which the product's code and libevent
// call in the C library's stead; the kernel, and other processes, know nothing of it. Clocks that
// measure CPU time do not jump.

#include <stdint.h>

// Any thread. What is under way may time out by it.
void clock_ahead_by_ms(uint32_t ms);
