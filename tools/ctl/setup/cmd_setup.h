// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The configuration file of `weirctl setup`, and the one that it may become: FILE.setup beside it,
// so that relative paths in it are right. Signals that end the program are blocked from
// setup_file_make() to setup_file_end(), so that no interrupted run leaves FILE.setup.

#include "setup.h"

enum { SETUP_PATH_MAX = PATH_MAX + 16 };
char *setup_file_path(const struct setup *s, const char *ending, char out[SETUP_PATH_MAX]);

// FILE.setup with this text, with the mode and the owner of FILE. Call setup_file_end() after
// either result. False with a sentence.
ATTR_MUST_CHECK bool setup_file_make(struct setup *s, const char *text, char why[SETUP_WHY_MAX]);
// Removes FILE.setup, unless setup_file_take() took it.
void setup_file_end(struct setup *s);
