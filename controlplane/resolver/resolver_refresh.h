// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Refresh-ahead (refresh.h) on the resolver's loop. Resolver loop's thread.

#include "resolver_internal.h"

ATTR_MUST_CHECK int resolver_refresh_open(struct resolver *r);
void resolver_refresh_configure(struct resolver *r, const struct config *config);
void resolver_refresh_close(struct resolver *r);
