// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Are there huge pages for DPDK? Without any EAL fails late, and says `Permission denied`. Reads
// sysfs once, at start.

#include <weir/attr.h>

enum { EAL_PAGES_WHY_MAX = 256 };

#define EAL_PAGES_SYSFS "/sys/kernel/mm/hugepages"

// `sysfs`: EAL_PAGES_SYSFS, except in tests. -ENOMEM: none is reserved, or none is free, and `why`
// says what to do; 0: some are free, or it is unknown.
ATTR_MUST_CHECK int eal_pages_check(const char *sysfs, char why[EAL_PAGES_WHY_MAX]);
