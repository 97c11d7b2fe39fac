// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Pieces of YAML with comments. A text is in single quotes unless it is plain enough; a comment is
// escaped, so that neither ends where it should not.

#include "import_model.h"

#include <stdio.h>

void import_write_text(FILE *out, const char *text);
// " # note", if it is given, and the end of the line.
void import_write_note(FILE *out, const char *note);
// "key:" and an item a line, `indent` blanks before the key. An empty list gives nothing.
void import_write_items(
	FILE *out, unsigned indent, const char *key, const struct import_items *items);
// The same in one line, without notes: "[a, b]".
void import_write_flow(FILE *out, const struct import_items *items);
