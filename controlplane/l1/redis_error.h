// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Errors of a Redis server: the kinds that matter here, and where MOVED and ASK point to. The texts
// are the server's own, so hostile until read by these.

#include "redis_reply.h"

#include <weir/config.h>

enum redis_error {
	REDIS_ERROR_OTHER,
	REDIS_ERROR_OOM,
	REDIS_ERROR_READONLY,
	REDIS_ERROR_WRONGTYPE,
	REDIS_ERROR_DENIED, // by the ACL, or not logged in
	REDIS_ERROR_MOVED,
	REDIS_ERROR_ASK,
	REDIS_ERROR_CLUSTERDOWN,
	REDIS_ERROR_EXECABORT,
};

enum redis_error redis_error_kind(const struct redis_reply *reply); // of REDIS_ERROR
// "MOVED 3999 127.0.0.1:6381", "ASK 3999 fd53::1:6381"; an empty host stands for `from`. -EINVAL.
ATTR_MUST_CHECK int redis_error_where(const struct redis_reply *reply,
	const struct socket_address *from, unsigned *slot, struct socket_address *out);
// A host and a port as a server writes them in two texts. -EINVAL: a name, or nonsense.
ATTR_MUST_CHECK int redis_host_parse(
	const char *host, size_t host_len, int64_t port, struct socket_address *out);
