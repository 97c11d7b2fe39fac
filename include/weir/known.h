// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Block lists and public resolvers that commands take by name: setup, `list add`, `upstream add`;
// the control API names the resolvers. Static texts; any thread.

#include <stdbool.h>
#include <stddef.h>

struct known_list {
	const char *name, *url;
};
struct known_resolver {
	const char *name, *ipv4[3], *ipv6[3]; // servers over TLS by address, NULL at the end
};
// NULL: there are no more.
const struct known_list *known_list_at(unsigned i);
const struct known_resolver *known_resolver_at(unsigned i);

// The URL of a list; NULL: no list has this name.
const char *known_list(const char *name);
// The servers of a resolver, NULL at the end. NULL: no resolver has this name.
const char *const *known_resolver(const char *name, bool is_ipv6);
// Write all names, separated by commas.
void known_list_names(char *out, size_t cap);
void known_resolver_names(char *out, size_t cap);
