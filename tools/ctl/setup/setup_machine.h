// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// What `weirctl setup` finds on the machine: interfaces, their addresses, name servers. It reads
// /proc, /etc and /run (lib/sysroot.h) and asks the kernel for addresses. A default that cannot be
// found is "".

#include <stdbool.h>
#include <stddef.h>
#include <weir/config.h>

// Weir can share an Ethernet interface that is not one of its `own`: their names, with a blank
// before and after each. The one of the default route, else the first with an address.
void setup_machine_interface(const char *own, char *out, size_t cap);
// Is there such an interface, and may it serve? False with a sentence.
bool setup_machine_has_interface(const char *own, const char *name, char *why, size_t cap);
bool setup_machine_is_wifi(const char *name);
// A default route of IPv6, and none of IPv4.
bool setup_machine_is_ipv6_only(void);

// The addresses of the interface with their prefix lengths, IPv4 first, configured ones of IPv6
// before others; no link-local, temporary (RFC 8981), deprecated or tentative ones.
unsigned setup_machine_addresses(const char *interface, struct ip_address *out, unsigned cap);

// The name servers of the machine, separated by blanks; without loopback and the addresses `not`.
void setup_machine_servers(
	const struct ip_address * not, unsigned not_count, char *out, size_t cap);
