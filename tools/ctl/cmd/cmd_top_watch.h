// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// `weirctl top --watch`: rates, names, clients, blocked names and rules on the whole screen; with
// --since or --client the lists are of the query store.

#include "lib/ctl.h"

ATTR_MUST_CHECK int top_watch(struct ctl *c);
