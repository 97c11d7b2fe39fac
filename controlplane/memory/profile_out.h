// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// What the profiles of profile.h end with.

#include <stdio.h>

void profile_maps_write(FILE *f);                // the mapped files
int profile_finish(FILE *f, char **out, int rc); // closes; -errno frees *out
