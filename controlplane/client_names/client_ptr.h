// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Asks a server for the PTR records of an address (RFC 1035 3.5, RFC 3596 2.5), by UDP, with random
// id and port; a reply counts only if it comes from that server and repeats the question (RFC
// 5452). Blocks for at most CLIENT_PTR_WAIT_MS: for a helper thread.

#include "client_book.h"

#include <stdatomic.h>
#include <weir/config.h>

enum { CLIENT_PTR_WAIT_MS = 1000 };

// 0 with a name, and its TTL; -ENOENT: the address has no name, `*ttl_s` is the TTL of a PTR record
// without a usable name, or 0; -ETIMEDOUT, -ECANCELED (*stop), -EAGAIN (the server failed), -errno.
ATTR_MUST_CHECK int client_ptr_ask(const struct socket_address *server, const struct client_ip *a,
	const _Atomic bool *stop, char name[CLIENT_NAME_MAX], uint32_t *ttl_s);
