// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Small files in the state directory: a line with kind and version, lines of "key value", and a
// line with a checksum. A new file is written beside the old one, synced and renamed over it. A
// file that is damaged, longer than STATE_FILE_MAX or of another version counts as absent. Blocking
// file I/O of one page.

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <weir/attr.h>

enum { STATE_FILE_MAX = 4096, STATE_FILE_WHY_MAX = 256 };

struct state_file {
	size_t len;
	bool full; // something did not fit: state_file_write fails
	char text[STATE_FILE_MAX];
};

// `kind`: without blanks, the same for writing and reading.
void state_file_begin(struct state_file *f, const char *kind, unsigned version);
// Values end at the first byte that is no printable ASCII.
void state_file_text(struct state_file *f, const char *key, const char *value);
void state_file_number(struct state_file *f, const char *key, uint64_t value);
// -EFBIG, or -errno of the file system: the old file is still there.
ATTR_MUST_CHECK int state_file_write(
	struct state_file *f, const char *path, char why[STATE_FILE_WHY_MAX]);

// -ENOENT: no file; -EPROTO: a damaged file or one of another kind; other -errno.
ATTR_MUST_CHECK int state_file_read(
	struct state_file *f, const char *path, const char *kind, unsigned version);
// Reads the value of a key, "" if it is absent. False: the value does not fit; `out` is "", too.
bool state_file_get(const struct state_file *f, const char *key, char *out, size_t cap);
uint64_t state_file_get_number(const struct state_file *f, const char *key); // 0: absent
