// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Whether a user may read or write a file, by the modes of the file and of the directories above
// it. Groups beside the user's own do not count. Follows symbolic links. This process itself needs
// search permission on these directories.

#include "doctor.h"

#include <limits.h>
#include <sys/stat.h>

// The part of the path that stops the user: the file, or a directory above it.
struct doctor_block {
	char part[PATH_MAX];
	bool is_missing; // there is no such file; `st` and `bits` are not set
	bool is_way;     // the part is a directory above the file
	struct stat st;
	unsigned bits; // rights that the user lacks
	char why[DOCTOR_TEXT_MAX];
};

// `bits` as in access(2): 4 to read, 2 to write, 1 to search; root may use any file that exists. 1:
// the user may; 0: the user may not, with `b`; -errno with `b->why`: this process cannot see it.
ATTR_MUST_CHECK int doctor_file_may(
	const struct passwd_user *u, const char *path, unsigned bits, struct doctor_block *b);
// Adds the command that gives the user the rights at that part, and takes no right from another
// user.
void doctor_block_do(struct doctor *d, const struct passwd_user *u, const struct doctor_block *b);
