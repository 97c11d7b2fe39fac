// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The encrypted services of this box as SVCB records of `_dns.resolver.arpa` (RFC 9462), from which
// clients that ask over UDP learn to use DNS over TLS (RFC 7858) or HTTPS (RFC 8484).
//
// One record for each service that is on, all with `tls.name` as target. DNS over TLS comes first:
// it costs less. A port is given where it is not the usual one; `dohpath` (RFC 9461) is the path of
// `doh`. The hints are the service addresses of the start, so a client need not resolve the name.
// Without `tls.name` weir has no such record: clients could check no certificate. Pure functions.

#include <weir/config.h>

enum { DESIGNATED_MAX = 2, DESIGNATED_RDATA_MAX = 800, DESIGNATED_TTL_S = 300 };

struct designated {
	unsigned count;
	struct designated_record {
		uint16_t rdata_len;
		uint8_t rdata[DESIGNATED_RDATA_MAX];
	} record[DESIGNATED_MAX];
};

bool designated_any(const struct config *c);
void designated_make(const struct config *c, struct designated *out);
