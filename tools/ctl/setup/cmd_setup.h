// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// FILE.setup, which may become the configuration file FILE. It is beside FILE, so that relative
// paths are right. Signals that end the program are blocked from setup_file_make() to
// setup_file_end(), so that no interrupted run leaves FILE.setup.

#include "setup.h"

enum { SETUP_PATH_MAX = PATH_MAX + 16 };
char *setup_file_path(const struct setup *s, const char *ending, char out[SETUP_PATH_MAX]);

// Writes FILE.setup with this text, and the mode and owner of FILE. False: `why` has a sentence.
// Call setup_file_end() after either result.
ATTR_MUST_CHECK bool setup_file_make(struct setup *s, const char *text, char why[SETUP_WHY_MAX]);
// Removes FILE.setup if it is still there.
void setup_file_end(struct setup *s);
