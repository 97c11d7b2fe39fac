// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <stdio.h>
#include <stdlib.h>

// Removes what a test has made, with all that is in it; `b` may be "". 0: for a teardown to return.
static inline int folder_remove(const char *a, const char *b)
{
	char command[2 * 4096];
	snprintf(command, sizeof(command), "rm -rf '%s' '%s'", a, b);
	return system(command);
}
