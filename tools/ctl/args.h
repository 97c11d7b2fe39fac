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

// An option, and its place in struct ctl: of a text, or of a bool. One without a CTL_OPT_* is of
// every command.
struct ctl_option {
	const char *name, *alias;
	uint64_t option;
	bool is_flag;
	size_t offset;
	const char *value; // what its value is called; "" of a flag
	const char *help;
};

extern const struct ctl_option ctl_options[];
extern const unsigned ctl_option_count;

// Takes the options into `c`. CTL_OK, or CTL_USAGE (said).
ATTR_MUST_CHECK int args_parse(char **argv, struct ctl *c, struct args *a);

// Say on stderr what is wrong with the command line. Return CTL_USAGE. `nearest`: a word that
// weirctl knows, or NULL.
int args_wrong(const char *what, const char *which);
int args_wrong_word(const char *what, const char *which, const char *nearest);
