// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// What the files of the model share (weir/config/managed.h).

#include "core/config/config_raw.h"

#include <weir/config/managed.h>

struct config_managed {
	struct config_raw *raw; // no section is NULL
};

// Items are arrays that grow by one, of structs whose texts are their own.
// One more item of `size` bytes, all zero. NULL: no memory.
void *managed_item_new(void *list, unsigned count, size_t size);
// Closes the gap that item `i` leaves.
void managed_item_close(void *list, unsigned *count, size_t size, unsigned i);
// Copies of texts, NULL for NULL. False: no memory.
bool managed_texts_take(char **const to[], const char *const from[], unsigned count);
void managed_texts_free(char **const texts[], unsigned count);
bool managed_text_same(const char *a, const char *b); // both NULL, or the same bytes
