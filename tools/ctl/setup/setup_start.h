// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// From the yes of `weirctl setup` to a weir that serves: writes the file, activates it as a new
// version (`config apply`), restarts both units, and waits until both processes are up, 60 s at
// most. If one is not, the file from before comes back, and both are restarted with it. Signals
// that end the program are blocked meanwhile.

#include "setup.h"

ATTR_MUST_CHECK int setup_start(struct setup *s); // CTL_OK, or CTL_FAILED (said)
