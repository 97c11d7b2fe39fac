// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// A watched query, on the terminal: the client, the question and the result, how long each
// stage of the worker took, and each step of the control plane with the time since it arrived.

#include "json_doc.h"

void trace_print(const struct json_node *query);
// A text of it and `end`; "-" for an empty one.
void trace_word_print(const struct json_node *n, const char *key, const char *end);
