// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The help of weirctl, from the tables of commands, topics and options (lib/ctl.h, args.h). Each
// page has at most 24 lines of 80 columns: a list of topics, a topic or verb with its commands, a
// command with its options, the options of every command.

#include "args.h"

// The page for the words behind "help" (`is_verb`: the first of `a` is that word), or of a command
// with --help; without any the list of topics. CTL_OK, CTL_FAILED (stdout), or CTL_USAGE (said).
ATTR_MUST_CHECK int help_print(struct args *a, bool is_verb);
// The list of topics on stderr. CTL_USAGE.
int help_missing(void);
