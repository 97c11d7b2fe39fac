// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Whether a user may read or write a file, by the modes of it and of the directories that lead to
// it. Groups beside the user's own do not count. Follows symbolic links. Needs search permission on
// these directories itself.

#include "doctor.h"

#include <limits.h>
#include <sys/stat.h>

// The part of the way that stops the user: the file, or a directory that leads to it.
struct doctor_block {
	char part[PATH_MAX];
	bool is_missing; // there is no such file; `st` and `bits` are nothing
	bool is_way;     // a directory that leads to the file
	struct stat st;
	unsigned bits; // that the user lacks there
	char why[DOCTOR_TEXT_MAX];
};

// `bits` as of access(2): 4 to read, 2 to write, 1 to search; root may in any case where the file
// is. 1: the user may; 0: not, with `b`; -errno with `b->why`: this process cannot see it.
ATTR_MUST_CHECK int doctor_file_may(
	const struct passwd_user *u, const char *path, unsigned bits, struct doctor_block *b);
// The command that lets the user in at that part, and takes nothing from anyone else.
void doctor_block_do(struct doctor *d, const struct passwd_user *u, const struct doctor_block *b);
