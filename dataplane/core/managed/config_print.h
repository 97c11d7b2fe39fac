// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Prints the tree of a configuration as YAML: every key that has a value, in the order of the
// schema, and each item of a list on a line. Loading that text gives the same values. Comments, and
// the order of the text that was loaded, are lost. Pure.

#include "core/config/config_schema.h"

#include <stdio.h>

// Errors are those of the stream.
void config_print(const struct config_node *root, FILE *out);
