// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// What `weirctl bisect` prints: its steps as a table or as JSON, and the suspect.

#include "bisect.h"

void bisect_print(const struct bisect_step *step, unsigned count, const struct bisect_finding *f);
void bisect_json(const struct bisect_step *step, unsigned count, const struct bisect_finding *f);
