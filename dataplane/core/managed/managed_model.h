// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The inside of struct config_managed (weir/config/managed.h), for the files of this folder.

#include "core/config/config_override.h"

#include <stdio.h>
#include <weir/config/managed.h>

struct config_managed {
	struct config_tree tree; // the root is a mapping
};

// Reads a text of at most `max` bytes, of which errors speak as `path`, into a model. Errors of
// config_managed_parse.
ATTR_MUST_CHECK int managed_parse(const char *path, const char *text, size_t max,
	struct config_managed **out, char why[CONFIG_WHY_MAX]);
// Prints one key of a mapping as YAML, if it has a value. `keeps_empty`: an empty list is a value
// at any depth. The stream has the errors.
void managed_field_print(const struct config_field *f, const struct config_node *mapping, int depth,
	bool keeps_empty, FILE *out);
// The sections that the operator's files keep of their own (config_sync.own). -EINVAL, -ENOMEM.
ATTR_MUST_CHECK int managed_own_find(const struct config_bundle *b, uint32_t *own);
// The value of a key of an item; NULL: it has none, or an empty list, which says the same.
const struct config_node *managed_value(
	const struct config_field *f, const struct config_node *mapping);
// Has the item no value but that of its first key?
bool managed_has_name_alone(const struct config_node *item);
// A list whose items verbs edit: the section that has it (NULL: the document), its key, and its
// largest count.
struct managed_items {
	const char *section, *key;
	unsigned max;
};
const struct managed_items *managed_items_at(unsigned i); // NULL: no more
// The text of a shared part, for free(); NULL: no memory.
char *managed_shared_text(const struct config_managed *shared);
// Removes the paths of `unset` that are `path` or below it. Returns their number.
unsigned managed_unset_clear(struct config_managed *m, const char *path);
