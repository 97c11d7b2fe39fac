// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "dataplane/state/worker_rings.h"

// Makes the control plane's half of all rings, in new files, as a control plane does that attaches
// to them, and has the data plane map them.
void fault_answers_make(const struct shm_paths *paths, struct worker_rings *l);
