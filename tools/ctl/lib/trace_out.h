// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Prints a watched query: the client, the question and the result, the time of each stage of the
// worker, and each step of the control plane with the time since the query arrived.

#include "json_doc.h"

void trace_print(const struct json_node *query);
// Prints the text at a key, or "-" for an empty one, and `end`.
void trace_word_print(const struct json_node *n, const char *key, const char *end);
