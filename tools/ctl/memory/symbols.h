// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Names of the functions in files that a process has mapped. The one includer of libelf.
//
// Files are read once and kept, SYMBOL_FILES_MAX of them; a symbol table is .symtab, or .dynsym
// where a file was stripped. A file that is not the one that was mapped gives wrong names: keep the
// program, or look before it is replaced. libelf checks what it reads.

#include <stdbool.h>
#include <stdint.h>

enum { SYMBOL_FILES_MAX = 64, SYMBOL_NAME_MAX = 96 };

struct symbols;

struct symbols *symbols_new(void); // NULL: no memory, and symbols_name takes that
void symbols_free(struct symbols *s);
// The function at byte `offset` of the file: its name, or "file+0xoffset".
void symbols_name(struct symbols *s, const char *path, uint64_t offset, char out[SYMBOL_NAME_MAX]);
