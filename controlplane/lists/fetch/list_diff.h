// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Differences between two copies of a zone (transfer/axfr_ixfr.h), applied to the file of the old
// one. Of each line in them it keeps whether the old copy must have it and whether the new one
// does; so several differences in a row are one. Applying them is a walk over the old file with a
// look-up for each line. The order of lines means nothing but that the SOA is the first one.
//
// Memory goes with the differences, not with the zone: LIST_DIFF_TEXT_MAX bytes of lines, and 24
// bytes for each of LIST_DIFF_LINES_MAX. More is an error: then the whole zone is cheaper. Lines
// are found by a keyed hash and compared whole. One thread.

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <weir/attr.h>

enum { LIST_DIFF_TEXT_MAX = 16 << 20, LIST_DIFF_LINES_MAX = 1 << 18 };

struct list_diff;
ATTR_MUST_CHECK int list_diff_new(struct list_diff **out); // -ENOMEM
void list_diff_free(struct list_diff *d);                  // NULL is fine

// A line leaves the copy or joins it. -EBADMSG: by the lines before, it left or joined already;
// -E2BIG: too many; -ENOMEM.
ATTR_MUST_CHECK int list_diff_change(struct list_diff *d, bool joins, const char *line, size_t len);
uint64_t list_diff_changes(const struct list_diff *d); // lines that these calls changed

// `text` gets the new copy without its first line, which is `soa`. -EBADMSG: the copy lacks a line
// that leaves, has one that joins, or is no file of lines; or `soa` is not one that joins. -errno
// of reading; what `text` returned.
ATTR_MUST_CHECK int list_diff_apply(struct list_diff *d, int copy, const char *soa, size_t soa_len,
	int (*text)(void *arg, const char *line, size_t len), void *arg);
