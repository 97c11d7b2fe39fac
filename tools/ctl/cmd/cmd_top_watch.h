// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// `weirctl top --watch`: rates, names, clients, blocked names and lists on the whole screen.

#include "lib/ctl.h"

ATTR_MUST_CHECK int top_watch(struct ctl *c);
