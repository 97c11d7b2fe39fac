// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Names of this program's own functions, from its file's table of symbols.

#include <stdbool.h>
#include <stdint.h>

enum { HEAP_SYMBOL_NAME = 48 };

bool heap_symbol_is_ours(uintptr_t address); // is it in this program's code, not in a library's?

// The function at an address of this program, or "+0xoffset" where the table was stripped. Searches
// the whole table, some 10 us; the first call maps the file, for good. Any thread.
void heap_symbol_name(uintptr_t address, char out[HEAP_SYMBOL_NAME]);
