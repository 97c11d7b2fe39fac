// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The model as a configuration file of weir, in the order of tools/weir.yaml, with comments. What
// has no counterpart comes last, as comments.

#include "import_model.h"

#include <stdio.h>

// What the source did not say and weir needs (ports, an upstream server) is filled in, with a
// comment that asks for it. Write errors stay in the stream.
void import_write(const struct import_model *m, FILE *out);
// The misses, a line each: on standard error.
void import_write_misses(const struct import_model *m, FILE *out);
