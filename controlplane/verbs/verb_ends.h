// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Ends entries that have an end (`entries` in the configuration). Each second a timer compares
// their ends with the wall clock, whatever steps that makes, and applies the configuration again
// without entries that have ended: the managed part loses them, files of the operator stay as they
// are. Nothing else remembers an end, so it survives a restart. It costs a pass over the entries a
// second. The service loop's thread.

#include <weir/attr.h>

struct api_deps;
struct verb_ends;

// Once the process serves. `deps` outlives it, and has versions. -ENOMEM, -EIO.
ATTR_MUST_CHECK int verb_ends_open(struct verb_ends **out, const struct api_deps *deps);
void verb_ends_close(struct verb_ends *d); // NULL is fine
