// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Looks at what both caches have of a name (resolver_cache_get of resolver.h).

#include "resolver_internal.h"

void resolver_cache_close(struct resolver *r); // looks that are under way end
