// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// What a selftest's own weir is like: on which cores, with what of the user's configuration.

#include <stdbool.h>
#include <weir/attr.h>
#include <weir/config.h>

struct selftest_cpus {
	unsigned main, worker, load; // main and load may be the same
};

// Cores that may be used: those of the configuration, or, when an appliance runs there, others.
// -EBUSY: there are no others and `force` is not set. -ENOENT: less than two cores.
ATTR_MUST_CHECK int selftest_cpus_choose(const struct config_dataplane *c, bool running, bool force,
	const bool allowed[], unsigned count, struct selftest_cpus *out);

// Writes the configuration to a new file: a memif port in `dir`, an upstream on loopback, the
// cache's size up to 64 MiB, and the lists that are files (*lists of them). -errno.
ATTR_MUST_CHECK int selftest_config_write(const char *path, const char *dir, const struct config *c,
	const struct selftest_cpus *cpus, uint16_t upstream_port, unsigned *lists);
