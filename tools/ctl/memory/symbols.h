// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Names of the functions in files that a process has mapped. Only symbols.c includes libelf.
//
// Each file is read once and kept, at most SYMBOL_FILES_MAX files. The symbol table is .symtab, or
// .dynsym of a stripped file. A file that differs from the mapped one gives wrong names: keep the
// program, or read the profile before it is replaced. libelf checks its input.

#include <stdbool.h>
#include <stdint.h>

enum { SYMBOL_FILES_MAX = 64, SYMBOL_NAME_MAX = 96 };

struct symbols;

struct symbols *symbols_new(void); // NULL: no memory; symbols_name accepts it
void symbols_free(struct symbols *s);
// Writes the name of the function at byte `offset` of the file, or "file+0xoffset".
void symbols_name(struct symbols *s, const char *path, uint64_t offset, char out[SYMBOL_NAME_MAX]);
