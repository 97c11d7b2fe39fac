// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The end of entries that have one (`entries` in the configuration). A look each second compares
// their ends with the clock of the machine, whatever steps that makes, and applies the
// configuration again without those that have ended: the managed part without them, entries of
// files as they are. Nothing else remembers an end, so it survives a restart. Costs a pass over the
// entries a second. The service loop's thread.

#include <weir/attr.h>

struct api_deps;
struct verb_ends;

// Once the process serves. `deps` outlives it, and has versions. -ENOMEM, -EIO.
ATTR_MUST_CHECK int verb_ends_open(struct verb_ends **out, const struct api_deps *deps);
void verb_ends_close(struct verb_ends *d); // NULL is fine
