// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Counters of an endpoint as a table for people: each number, and beside it what it counts.

#include "http_get.h"

#include <stddef.h>

struct count_row {
	const char *key, *text; // in the JSON object; for people
};

// On stdout. A key that is not there counts 0.
void count_rows_print(const struct json_node *root, const struct count_row *rows, size_t count);
