// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The help of weirctl, from the tables of commands, topics and options (lib/ctl.h, args.h). Each
// page has at most 24 lines of 80 columns: a list of topics, a topic or verb with its commands, a
// command with its options, the options of every command.

#include "args.h"

// Prints the page for the words after "help" (`is_verb`: the first word of `a` is "help"), or for a
// command with --help; without further words the list of topics. CTL_FAILED: stdout cannot be
// written; CTL_USAGE: the error is printed.
ATTR_MUST_CHECK int help_print(struct args *a, bool is_verb);
// Prints `what` is wrong with the operands, and the command's usage, to stderr. Returns CTL_USAGE.
int help_usage(const struct ctl_command *cmd, const char *what);
// Prints the list of topics to stderr. Returns CTL_USAGE.
int help_missing(void);
