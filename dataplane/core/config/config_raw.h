// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The text of a configuration file as a tree that the schema allows, and from there into the
// structs of config_schema.h. Any thread.

#include "config_schema.h"

// The key `version`: what the keys of a file mean. A key that is added does not change it, as a
// file without that key means the same. Only a change that gives keys of an older file another
// meaning makes it one more. It then comes with a step that turns what a file of the version before
// says (config_schema.h) into this one, so that each older version is accepted. There is one
// version, so there is no step.
enum { CONFIG_VERSION = 1 };

// Reads the document's own text into its tree. -EINVAL when the text is malformed or of a version
// that is refused; -ENOMEM; or 0, also with unknown keys. Adds an error for each of these.
ATTR_MUST_CHECK int config_raw_check(struct config_doc *doc);

// Has each key of the tree a value of the kind that the schema says? -EINVAL by config_refuse. The
// document must have passed config_raw_check; keys that it reported are skipped.
ATTR_MUST_CHECK int config_raw_shape(struct config_doc *doc);

// Adds what `part` says to the tree of `doc`, which has that of the parts before: mappings are
// merged, lists appended. -EINVAL by config_refuse: both have a key with one value, or a list
// becomes too long; -ENOMEM. Nodes of the part's tree are in that of `doc` then.
ATTR_MUST_CHECK int config_raw_merge(struct config_doc *doc, const struct config_doc *part);

// What the tree says, which passed config_raw_shape. It lives as long as the tree. NULL: no memory.
struct config_raw *config_raw_make(struct config_doc *doc);

// What the texts of a bundle say, which were loaded before, for `use` alone. -EINVAL, -ENOMEM.
struct config_bundle;
typedef void config_tree_use(void *arg, const struct config_node *root);
ATTR_MUST_CHECK int config_bundle_tree(
	const struct config_bundle *b, config_tree_use *use, void *arg);
