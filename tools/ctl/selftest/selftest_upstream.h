// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The upstream of a selftest: a child process on loopback that knows the names which
// weir-loadgen asks for, `n<i>.load.test` with the address 198.19.(i / 256 % 256).(i % 256).

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <weir/attr.h>

enum { SELFTEST_UPSTREAM_TTL_S = 300, SELFTEST_REPLY_MAX = 512 };

// The reply to the query in `query`; 0: not one that deserves an answer.
size_t selftest_upstream_reply(const uint8_t *query, size_t len, uint8_t reply[SELFTEST_REPLY_MAX]);

// A child that answers until it is killed or its parent ends. -errno.
ATTR_MUST_CHECK int selftest_upstream_start(pid_t *pid, uint16_t *port);
