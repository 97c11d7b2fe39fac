// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The command line: its options, and its words. One thread, once a run.

#include "lib/ctl.h"

enum { WORDS_MAX = 64 };

struct args {
	const char *word[WORDS_MAX];
	unsigned words;
	uint64_t options; // CTL_OPT_* that were given
};

// An option, and its place in struct ctl, which is a text or a bool. Every command takes an option
// without a CTL_OPT_*.
struct ctl_option {
	const char *name, *alias;
	uint64_t option;
	bool is_flag;
	size_t offset;
	const char *value; // name of the value in the help; "" for a flag
	const char *help;
};

extern const struct ctl_option ctl_options[];
extern const unsigned ctl_option_count;

// Reads the options into `c`. CTL_USAGE: the error is printed.
ATTR_MUST_CHECK int args_parse(char **argv, struct ctl *c, struct args *a);

// Print to stderr what is wrong with the command line. Return CTL_USAGE. `nearest`: a known word,
// or NULL.
int args_wrong(const char *what, const char *which);
int args_wrong_word(const char *what, const char *which, const char *nearest);
