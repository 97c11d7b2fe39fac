// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// A bell, which the control plane rings for a worker: one ends the other's sleep, though they do
// not trust each other. The control plane makes bells and gongs (gong.h), which workers strike for
// a resolver, and hands them over with its welcome (shm_msg.h): so it receives no descriptor, whose
// last close may take the kernel long.
//
// A pair of stream sockets, of which each process holds an end, and a byte a ring. Each call says
// whether it may wait, so the other process has no say in it. An eventfd would be one open file for
// both, with one O_NONBLOCK and a counter that the other can fill. A full socket drops a ring,
// because the bell has rung long before. The far end can only ring too often, or shut the pair
// down, which bell_clear reports. Nothing can be sent to the end that rings, descriptors neither.
//
// A ring and a clear are one system call each, 1.1 us where an eventfd takes 0.4; the wake-up costs
// more than either. A socket holds some 250 rings. Any thread.

#include "attr.h"

#include <stdbool.h>

enum { BELL_HEARS, BELL_RINGS, BELL_ENDS };

// -errno.
ATTR_MUST_CHECK int bell_open(int end[BELL_ENDS]);
// Makes the end that hears readable (poll(2), epoll); `end` below 0: nothing.
void bell_ring(int end);
// Takes what was rung. False: it will never be rung again, and would be readable for ever.
bool bell_clear(int end);
