// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The end of entries that have one (`entries` in the configuration). A look each second compares
// their ends with the clock of the machine, whatever steps that makes, and applies the
// configuration again without those that have ended: the managed part without them, entries of
// files as they are. Nothing else remembers an end, so it survives a restart. Costs a pass over the
// entries a second. The service loop's thread.

#include <weir/attr.h>

struct app;
struct app_dated;

ATTR_MUST_CHECK int app_dated_open(struct app *a, struct app_dated **out); // -ENOMEM, -EIO
void app_dated_close(struct app_dated *d);                                 // NULL is fine
