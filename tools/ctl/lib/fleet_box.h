// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Finds boxes in the reply of /fleet, and in lists of names, "NAME,...". Pure.

#include "json_doc.h"

// The row of the box with this name of `len` bytes; of several the first that is not away, because
// a box that has another address leaves a row behind. NULL: no such row.
const struct json_node *fleet_box_find(const struct json_node *boxes, const char *name, size_t len);
// Moves `*names` behind its first name and a comma. Returns the bytes of the name; 0: no more.
size_t fleet_name_next(const char **names, const char **name);
