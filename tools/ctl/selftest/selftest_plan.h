// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The weir that a selftest starts: its cores, its configuration, and its upstream.

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <weir/attr.h>
#include <weir/config.h>

struct selftest_cpus {
	unsigned main, worker, load; // main and load may be the same
};

// Chooses cores: the configuration's, or, if an appliance runs on those, others. -EBUSY: there are
// no others, and `force` is not set. -ENOENT: there are fewer than two cores.
ATTR_MUST_CHECK int selftest_cpus_choose(const struct config_dataplane *c, bool running, bool force,
	const bool allowed[], unsigned count, struct selftest_cpus *out);

// Writes a configuration to a new file: a memif port in `dir`, an upstream on loopback, and from
// `c` the cache's size up to 64 MiB and the lists that are files. `lists` gets their number.
// -errno.
ATTR_MUST_CHECK int selftest_config_write(const char *path, const char *dir, const struct config *c,
	const struct selftest_cpus *cpus, uint16_t upstream_port, unsigned *lists);

// The upstream is a child process on loopback that knows the names which weir-loadgen asks for,
// `n<i>.load.test` with the address 198.19.(i / 256 % 256).(i % 256).
enum { SELFTEST_UPSTREAM_TTL_S = 300, SELFTEST_REPLY_MAX = 512 };

// Writes the reply to a query and returns its length; 0: the query gets no reply.
size_t selftest_upstream_reply(const uint8_t *query, size_t len, uint8_t reply[SELFTEST_REPLY_MAX]);

// Starts a child that answers until it is killed or its parent ends. -errno.
ATTR_MUST_CHECK int selftest_upstream_start(pid_t *pid, uint16_t *port);
