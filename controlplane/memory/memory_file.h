// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The history of memory on disk: the ring of minutes and the lives, in a file of fixed size that
// is written in place, a row each minute, and read once at a start. Each part ends in its sum; one
// that does not fit it is empty, so that a file of other sizes, or damaged, or of another version
// costs what it held and nothing else. Not synced: a power cut may cost the last minutes. Blocking
// writes of a page or two.

#include "memory_judge.h"
#include "memory_sample.h"

struct memory_file;

// Fills `r` (open, empty) and `lives` from the file at `path`, made if it is not there. -errno: the
// file cannot be made or read; then nothing was filled in.
ATTR_MUST_CHECK int memory_file_open(struct memory_file **out, const char *path,
	struct memory_ring *r, struct memory_lives lives[MEMORY_PROCESSES]);
// The newest row and the names of the series; the lives. 0 or -errno.
ATTR_MUST_CHECK int memory_file_row(struct memory_file *f, const struct memory_ring *r);
ATTR_MUST_CHECK int memory_file_lives(
	struct memory_file *f, const struct memory_lives lives[MEMORY_PROCESSES]);
uint64_t memory_file_damaged(const struct memory_file *f); // parts that did not fit their sums
size_t memory_file_bytes(const struct memory_file *f);     // 0 for NULL
void memory_file_close(struct memory_file *f);             // NULL is fine
