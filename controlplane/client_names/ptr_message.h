// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The names of PTR queries (RFC 1035 3.5, RFC 3596 2.5), and their replies. The reply is untrusted,
// but for its header and question, which the caller has compared. Any thread.

#include "client_book.h"

#include <weir/dns_name.h>

// Writes a name like 7.2.0.192.in-addr.arpa.
void ptr_message_name(const struct client_ip *a, struct dns_name *out);
// Reads the first PTR record, of any owner (RFC 2317). 0: with its name and TTL; -ENOENT: the
// address has no name; -EAGAIN: the server failed; -EBADMSG: the reply does not parse.
ATTR_MUST_CHECK int ptr_message_read(
	const uint8_t *msg, size_t len, char name[CLIENT_NAME_MAX], uint32_t *ttl_s);
