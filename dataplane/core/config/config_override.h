// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The keys `overrides` and `unset` of the managed part (weir/config/managed.h): values that count
// in place of those of the operator's files, which weir does not edit.
//
// `unset` names keys and items that count as absent from the files. `overrides` has the keys of a
// file: a value or a list of values replaces that of the files; a mapping replaces the values of
// its keys. An item of a list whose items have names changes the item of its name in the same way,
// or is added; any other list is replaced. What the managed part adds besides comes after both.
//
// A path names a key as errors do, but an item by its name or value:
// "groups[kids].services[tiktok]". Any thread.

#include "config_schema.h"

#include <weir/config.h>

// Refuses both keys in a file of the operator.
ATTR_MUST_CHECK int config_override_refuse(const struct config_doc *doc);
// Takes both keys out of the managed part's tree, and applies them to the tree of the files.
// -EINVAL by config_refuse: a path names no key, a key cannot be set so, a list becomes too long;
// -ENOMEM.
ATTR_MUST_CHECK int config_override_apply(struct config_doc *doc, struct config_doc *part);

// Merges `from` into `to`, mappings of these keys, by the rules above. The nodes of `from` become
// part of the tree `t` of `to`. -E2BIG: a list is too long; -ENOMEM. Both leave `to` half changed.
ATTR_MUST_CHECK int config_override_merge(struct config_tree *t, struct config_node *to,
	const struct config_node *from, const struct config_field *keys);
// The first key, at any depth, that `overrides` cannot have, or that has an item without its name;
// NULL: there is none.
const char *config_override_bad(const struct config_node *from, const struct config_field *keys);
// Writes the path of the first key whose value is a secret, which `KEY_file` beside it may name.
// Overrides of an older weir may have such keys. False: no key is one.
ATTR_MUST_CHECK bool config_override_secret(const struct config_node *mapping,
	const struct config_field *keys, char path[CONFIG_PATH_MAX]);

enum { CONFIG_STEP_MAX = 256, CONFIG_WAY_MAX = 512 }; // bytes of an item and of a path, with a zero
struct config_path_step {
	char key[CONFIG_KEY_MAX], item[CONFIG_STEP_MAX]; // `item` "": the key itself
	const struct config_field *field;                // NULL: there is no such key
};
// Reads the first step of a path below a mapping of these keys. Returns the next one, "" at the
// end; NULL: it is malformed.
const char *config_path_next(
	const char *path, const struct config_field *keys, struct config_path_step *out);
// Does the schema have that path? `why` has the error.
ATTR_MUST_CHECK bool config_path_check(const char *path, char why[CONFIG_WHY_MAX]);
// The node at a checked path, and its parent. NULL: the mapping has no such key or item.
struct config_node *config_path_find(
	struct config_node *mapping, const char *path, struct config_node **parent);
void config_child_remove(struct config_node *parent, const struct config_node *child);
