// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Whether an address is one of the public Internet, by IANA's special-purpose registries for IPv4
// and IPv6 (RFC 6890 and its updates). An IPv6 address that carries an IPv4 address (mapped, NAT64,
// 6to4) is public if the IPv4 address is.

#include <weir/config.h>

bool net_public(const struct ip_address *a);
