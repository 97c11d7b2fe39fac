// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// What `weirctl setup` finds on the machine: interfaces, their addresses, name servers. It reads
// /proc, /etc and /run (lib/sysroot.h) and asks the kernel for addresses. A default that cannot be
// found is "".

#include <stdbool.h>
#include <stddef.h>
#include <weir/config.h>

// The interface of the default route, else of the first interface with an address.
void setup_machine_interface(char *out, size_t cap);
// Is there such an interface, and may it serve? False with a sentence.
bool setup_machine_has_interface(const char *name, char *why, size_t cap);

// The addresses of the interface with their prefix lengths; without link-local ones. IPv4 first.
unsigned setup_machine_addresses(const char *interface, struct ip_address *out, unsigned cap);

// The name servers of the machine, separated by blanks; without loopback and the addresses `not`.
void setup_machine_servers(
	const struct ip_address * not, unsigned not_count, char *out, size_t cap);
