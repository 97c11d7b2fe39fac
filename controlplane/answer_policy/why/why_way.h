// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The local data for the name, and the servers that weir asks without an answer: those of the
// forward zone of the name, else of the client's group, else everyone's. From the configuration.

#include "why.h"

void why_way_find(struct why *w, const struct config *c);
