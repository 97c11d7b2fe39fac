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
