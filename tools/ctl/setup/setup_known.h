// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Block lists and public resolvers that `weirctl setup` knows by name.

#include <stdbool.h>
#include <stddef.h>

// NULL: no list of this name.
const char *setup_known_list(const char *name);
// Its servers, the last one NULL: over TLS, by address. NULL: no resolver of this name.
const char *const *setup_known_resolver(const char *name, bool is_ipv6);
// All names, separated by commas.
void setup_known_lists(char *out, size_t cap);
void setup_known_resolvers(char *out, size_t cap);
// A line of each: "list NAME URL", "servers NAME ADDRESS...".
void setup_known_print(bool is_ipv6);
