// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Names for the MAC addresses that are clients of groups: those of `clients` in the configuration,
// else those of leases. For one reply, on the service loop.

#include "client_names/client_book.h"

#include <weir/config.h>

struct member_names;

// `book` NULL: no names of leases. NULL: no group has a MAC address, or no memory.
struct member_names *member_names_new(const struct config *c, struct client_book *book);
void member_names_free(struct member_names *n); // NULL is fine

struct member_name {
	struct config_mac mac;
	const char *from; // "clients", or a word of client_from_names
	char name[CONFIG_CLIENT_NAME_MAX + 1];
};
static_assert((int)CONFIG_CLIENT_NAME_MAX + 1 >= (int)CLIENT_NAME_MAX);

// NULL: no name is known. `n` may be NULL.
const struct member_name *member_name_of(
	const struct member_names *n, const struct config_mac *mac);
