// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Which keys a configuration file has, and which keys hold lists and mappings. Reads the text of a
// file into a tree and checks it against this schema. Values stay texts, which the sections
// convert. Any thread.

#include "config_doc.h"

struct config_field {
	const char *key; // NULL: end of the array
	enum config_node_kind kind;
	unsigned max;                    // items of a list
	const struct config_field *keys; // keys of a mapping or its items; NULL: items are texts
	bool is_named;                   // no two items have the same text at their first key
	bool is_zone;                    // that text is a domain name, in any case of letters
	const char *text_key;            // key that a text in place of an item means; or NULL
};

// The keys of a file. `overrides` has these keys again, so that only the nodes end a walk.
extern const struct config_field config_schema[];

// The field of a key; NULL: the mapping has no such key.
const struct config_field *config_field_find(const struct config_field *keys, const char *key);

// The key `version`: the meaning of a file's keys. A new key does not need a new version, as a file
// without the key means what it meant before. Only a change that gives keys of an older file
// another meaning raises the version. It then adds a step that converts a file of the version
// before, so that weir accepts each older version. There is one version, so there is no step.
enum { CONFIG_VERSION = 1 };

// Reads the document's own text into its tree. -EINVAL: the text is malformed or of a version that
// is refused; -ENOMEM. Adds an error for each unknown key, too, but returns 0.
ATTR_MUST_CHECK int config_schema_read(struct config_doc *doc);

// Has each key of the tree a value of the kind that the schema says? -EINVAL by config_refuse. The
// document must have passed config_schema_read; keys that it reported are skipped.
ATTR_MUST_CHECK int config_schema_check(struct config_doc *doc);

// Adds the tree of `part` to the tree of `doc`, after the parts before it: merges mappings, appends
// lists. -EINVAL by config_refuse: both have a key with one value, or a list becomes too long;
// -ENOMEM. The tree of `doc` then has nodes of the part's tree.
ATTR_MUST_CHECK int config_schema_merge(struct config_doc *doc, const struct config_doc *part);

// Calls `use` with the tree of a bundle's texts, which loaded before without errors. -EINVAL,
// -ENOMEM.
struct config_bundle;
typedef void config_tree_use(void *arg, const struct config_node *root);
ATTR_MUST_CHECK int config_bundle_tree(
	const struct config_bundle *b, config_tree_use *use, void *arg);
