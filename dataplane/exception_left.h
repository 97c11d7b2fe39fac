// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Exception interfaces that outlive their configuration. weir makes them persistent, so one that no
// port names any more would stay with its addresses, and with a route ahead of the real one: TCP
// and misses would go into it. Each interface bears a mark, its alias (`ip link show`), which says
// that it is weir's and of which runtime directory. Start-up only; needs CAP_NET_ADMIN.

#include <weir/config.h>

// Marks the interface as an exception interface of that runtime directory. 0 or -errno.
ATTR_MUST_CHECK int exception_left_mark(const char *interface, const char *run);
// Deletes those with the mark of this runtime directory that are no exception of `dp`, and says so
// in the log. How many.
unsigned exception_left_remove(const struct config_dataplane *dp, const char *run);
