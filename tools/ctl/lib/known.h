// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Block lists and public resolvers that commands take by name: setup, `list add`, `upstream add`.

#include <stdbool.h>
#include <stddef.h>

// The URL of a list; NULL: no list has this name.
const char *known_list(const char *name);
// The servers of a resolver, over TLS by address, NULL at the end. NULL: no resolver has this name.
const char *const *known_resolver(const char *name, bool is_ipv6);
// Write all names, separated by commas.
void known_list_names(char *out, size_t cap);
void known_resolver_names(char *out, size_t cap);
// Prints the lists and servers, a line each: "list NAME URL", "servers NAME ADDRESS...".
void known_all_print(bool is_ipv6);
