// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Which keys a configuration file has, and which of them hold lists and mappings: the text of a
// file as a tree that this schema allows. Values are texts still, which the sections convert. Any
// thread.

#include "config_doc.h"

struct config_field {
	const char *key; // NULL: there are no more
	enum config_node_kind kind;
	unsigned max;                    // items of a list
	const struct config_field *keys; // of a mapping or of the items; NULL: items are texts
	const char *text_key;            // which of them an item is that is a text; NULL: none
};

// The keys of a file.
extern const struct config_field config_schema[];

// The key `version`: what the keys of a file mean. A key that is added does not change it, as a
// file without that key means the same. Only a change that gives keys of an older file another
// meaning makes it one more. It then comes with a step that turns what a file of the version before
// says into this one, so that each older version is accepted. There is one
// version, so there is no step.
enum { CONFIG_VERSION = 1 };

// Reads the document's own text into its tree. -EINVAL when the text is malformed or of a version
// that is refused; -ENOMEM; or 0, also with unknown keys. Adds an error for each of these.
ATTR_MUST_CHECK int config_schema_read(struct config_doc *doc);

// Has each key of the tree a value of the kind that the schema says? -EINVAL by config_refuse. The
// document must have passed config_schema_read; keys that it reported are skipped.
ATTR_MUST_CHECK int config_schema_check(struct config_doc *doc);

// Adds what `part` says to the tree of `doc`, which has that of the parts before: mappings are
// merged, lists appended. -EINVAL by config_refuse: both have a key with one value, or a list
// becomes too long; -ENOMEM. Nodes of the part's tree are in that of `doc` then.
ATTR_MUST_CHECK int config_schema_merge(struct config_doc *doc, const struct config_doc *part);

// What the texts of a bundle say, which were loaded before, for `use` alone. -EINVAL, -ENOMEM.
struct config_bundle;
typedef void config_tree_use(void *arg, const struct config_node *root);
ATTR_MUST_CHECK int config_bundle_tree(
	const struct config_bundle *b, config_tree_use *use, void *arg);
