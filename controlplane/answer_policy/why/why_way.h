// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// What the configuration's local data says of the name, and who is asked when nobody has an answer:
// the servers of the conditional zone that the name is in, else of the client's group, else
// everyone's. From the configuration.

#include "why.h"

void why_way_find(struct why *w, const struct config *c);
