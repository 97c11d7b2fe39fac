// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// IPv4 addresses inside IPv6 addresses, as NAT64 embeds them (RFC 6052 2.2). Pure.

#include <stdbool.h>
#include <stdint.h>
#include <weir/config.h>

// `prefix`: IPv6, of a length that the configuration allows (config_ipv6).
void nat64_embed(const struct ip_address *prefix, const uint8_t ipv4[4], uint8_t out[16]);
// False: nat64_embed does not make this address with this prefix.
bool nat64_extract(const struct ip_address *prefix, const uint8_t ipv6[16], uint8_t out[4]);
