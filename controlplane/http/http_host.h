// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Resolves a URL's host by the configured servers (bootstrap.h) and not by the system, whose
// resolver may be this weir.

#include "bootstrap.h"
#include "transfer/http_transfer.h"

enum {
	HTTP_HOST_LINE_MAX = DNS_NAME_TEXT_MAX + BOOTSTRAP_ADDRESSES_MAX * SOCKET_ADDRESS_TEXT_MAX,
	HTTP_HOST_WHY_MAX = 160,
};

// Writes "host:port:address,address", as http_transfer wants it, or "" for a host that is an
// address or names this machine. -EPROTO: a name that is no plain ASCII; -ECANCELED, -ETIMEDOUT,
// -EIO of the lookup, with `why`. Blocks until b->deadline_ms.
ATTR_MUST_CHECK int http_host_addresses(const struct http_url *url, const struct bootstrap *b,
	char out[HTTP_HOST_LINE_MAX], char why[HTTP_HOST_WHY_MAX]);
