// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Is an address one of the public Internet? (IANA's special-purpose registries for IPv4 and IPv6:
// RFC 6890 and its updates.) An IPv6 address that carries an IPv4 address (mapped, NAT64, 6to4) is
// what that one is.

#include <weir/config.h>

bool net_public(const struct ip_address *a);
