// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// A gong, which workers strike for a resolver: the other way of bell.h, for an event loop. An
// eventfd that holds 1 and is never read. A write of 0 waits for nothing, whatever O_NONBLOCK and
// the counter of the one open file are, and is an event for an epoll that watches it
// edge-triggered. The far end can only strike too often, or make its own strikes silent.
//
// It could not be a socket, which would bring descriptors; nor a pipe, whose lock a process holds
// while it waits for a page of its buffer. A strike takes 0.3 us. Any thread.

#include "attr.h"

#include <stdbool.h>

ATTR_MUST_CHECK int gong_open(void); // or -errno
void gong_strike(int gong);          // below 0: nothing
// May it be struck? A file of another kind could make the caller wait.
bool gong_is(int fd);
