// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Files of the sources. A file is read whole, IMPORT_FILE_MAX bytes at most, and walked by lines.
// Blocking reads of regular files alone, so a FIFO or a device never holds the command up.

#include "import_sources.h"

enum { IMPORT_FILE_MAX = 64 << 20, IMPORT_FILES_MAX = 1000, IMPORT_DEPTH_MAX = 8 };

// The bytes and a NUL behind them, for free(); -errno with a sentence. `len` may be NULL.
int import_file_read(const char *path, char **out, size_t *len, char why[IMPORT_WHY_MAX]);

// Cuts the next line off: NUL-terminated, without CR and LF, without blanks around. NULL: the end.
// The text is changed. A NUL inside ends the line early.
char *import_file_line(char **rest);

// Calls `each` for each line of a file, cut as by import_file_line(); -errno with a sentence.
int import_file_lines(
	const char *path, void (*each)(void *arg, char *line), void *arg, char why[IMPORT_WHY_MAX]);

// The next word of a line by blanks; quotes (" or ') around a word go. NULL: none.
char *import_file_word(char **rest);

// Calls `each` for each file that a pattern (glob) matches, relative to `base`'s folder, in the
// order of their names; IMPORT_FILES_MAX at most. What cannot be read is a miss with `key`.
void import_file_glob(struct import_model *m, const char *base, const char *pattern,
	const char *key, void (*each)(void *arg, const char *path), void *arg);

// The same for an absolute pattern or one relative to the current folder; no match is fine.
void import_file_each(struct import_model *m, const char *pattern,
	void (*each)(void *arg, const char *path), void *arg);

// `folder` and `name` with a slash between. NULL: no memory.
char *import_file_join(const char *folder, const char *name);
bool import_file_is_folder(const char *path);
bool import_file_exists(const char *path);
