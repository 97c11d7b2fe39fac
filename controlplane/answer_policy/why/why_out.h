// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The explanation as JSON (docs/how-to/why.md). Of a struct why with its steps.

#include "base/json.h"
#include "why.h"

void why_out(struct json_out *o, struct json_node *root, const struct why *w);
