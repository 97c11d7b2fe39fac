// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The head of `weirctl status`: what needs an operator, each with what to do. The reasons of /ready
// (docs/reference/reasons.md), and what is none: a part of the servers down, a file on disk that is
// not in force, workers that hang, bounds that were met.

#include "lib/ctl.h"
#include "lib/json_doc.h"

// `root`: the reply of /status.
void status_problems_print(const struct ctl *c, const struct json_node *root);
