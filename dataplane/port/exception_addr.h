// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The kernel's side of an exception port: interface up, service addresses on it.
//
// One rtnetlink socket, kernel headers only. Idempotent: addresses that are there are replaced by
// themselves, those that someone else put there are left alone. IPv6 addresses skip duplicate
// address detection, which would keep a service silent for seconds. Start-up only; each request
// waits for the kernel's acknowledgement, one second at most. Needs CAP_NET_ADMIN.

#include <weir/config.h>

enum { EXCEPTION_WHY_MAX = 256 };

// -ENODEV (no such interface), -EPERM, -ETIMEDOUT or what the kernel answered, with `why`.
ATTR_MUST_CHECK int exception_addr_apply(const char *interface, const struct ip_address *addresses,
	unsigned count, char why[EXCEPTION_WHY_MAX]);

// TAP interfaces that outlive their configuration: exceptions and those of TAP ports. weir makes
// them persistent, so one that no port names any more would stay with its addresses, and with a
// route ahead of the real one: TCP and misses would go into it. Each interface bears a mark, its
// alias (`ip link show`), which says that it is weir's, and the identity of its weir
// (shm_paths.instance): two weirs may share a network namespace. A removal of the package deletes
// what bears the mark. Start-up only; needs CAP_NET_ADMIN.

// Is a process attached to an interface that a TAP of `dp` would have: an exception, or the one of
// a TAP port? Two data planes would share its frames, and the second one's MAC address would stay.
// As one that ends may need a moment, this waits for it, a second at most. 0, -EBUSY or another
// -errno, with `why`; before EAL.
ATTR_MUST_CHECK int exception_free(const struct config_dataplane *dp, char why[EXCEPTION_WHY_MAX]);
// Looks once more for a process that attached since, when each of these interfaces has a queue of
// every worker: -EBUSY if one has more.
ATTR_MUST_CHECK int exception_alone(const struct config_dataplane *dp, char why[EXCEPTION_WHY_MAX]);

// Marks the TAP interfaces of `dp` as those of that weir. How many; the log says why another one is
// not: it has an alias that no weir gave, or one that cannot be read, and keeps it.
unsigned exception_left_mark(const struct config_dataplane *dp, uint64_t instance);
// Deletes those with the mark of this weir that `dp` does not have, and says so in the log. How
// many.
unsigned exception_left_remove(const struct config_dataplane *dp, uint64_t instance);
