// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The text of a configuration file as a tree: mappings, lists and texts, each with its line and
// column. Only config_tree.c includes yaml.h.
//
// Whatever the schema allows, config_tree_read refuses duplicate keys, anchors, aliases, tags, a
// second document, more depth than CONFIG_DEPTH_MAX, and more values than CONFIG_NODES_MAX. A tree
// is freed as a whole. Any thread.

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <weir/attr.h>

enum {
	CONFIG_DEPTH_MAX = 8,
	CONFIG_KEYS_MAX = 64, // keys of one mapping
	CONFIG_KEY_MAX = 64,  // bytes of a key and its zero
	CONFIG_NODES_MAX = 1 << 20,
	CONFIG_PATH_MAX = 256 // bytes of the path of a node, such as "groups[1].name", and its zero
};

enum config_node_kind { CONFIG_NODE_TEXT, CONFIG_NODE_LIST, CONFIG_NODE_MAPPING };

struct config_node {
	const char *key; // key in a mapping; NULL: an item of a list, or the document
	union {
		const char *text;
		struct config_node **child; // items or values, in the order of the text
	};
	uint32_t count;        // number of children
	uint32_t line, column; // 1-based place of the key, or of a value without a key
	uint32_t own;          // number of a list's item in the list of its own file
	uint16_t file;         // number of the node's file (config_doc_file)
	uint8_t kind;          // enum config_node_kind
};

struct config_tree {
	struct config_node *root; // NULL: the text has no document
	struct config_chunk *chunks;
	unsigned nodes;
};

struct config_doc;

// Reads the document's text into a tree. -EINVAL: it is malformed, and the document has an error;
// -ENOMEM. In each case config_tree_free frees the tree.
ATTR_MUST_CHECK int config_tree_read(const struct config_doc *doc, struct config_tree *out);
void config_tree_free(struct config_tree *t);

// The value of a key. NULL: `mapping` is no mapping, or lacks the key.
struct config_node *config_node_find(const struct config_node *mapping, const char *key);
// The text of a key. NULL: `mapping` has no such key, or its value is no text.
const char *config_node_text(const struct config_node *mapping, const char *key);
// Is there no value? If all entries of a list or mapping are commented out, its key has no value.
bool config_node_is_empty(const struct config_node *n);

// The mapping at a key; NULL: there is no mapping, or it is empty.
struct config_node *config_node_mapping(const struct config_node *mapping, const char *key);
// The list at a key; NULL: there is no list, or it is empty.
struct config_node *config_node_list(const struct config_node *mapping, const char *key);
unsigned config_list_count(const struct config_node *list); // number of items; NULL: 0
// The number of items of the list at a key, and one of its items, which must exist.
unsigned config_node_count(const struct config_node *mapping, const char *key);
const struct config_node *config_node_item(
	const struct config_node *mapping, const char *key, unsigned i);
const char *config_node_item_text(const struct config_node *mapping, const char *key, unsigned i);

// Adds ".key" to the path of a node, or "[3]" if `key` is NULL. Returns the path's length before.
size_t config_path_add(char path[CONFIG_PATH_MAX], const char *key, unsigned item);

// Replace a text by a longer spelling: a list with the text as its only item, or a mapping with the
// text at its only key. -ENOMEM.
ATTR_MUST_CHECK int config_node_wrap(struct config_tree *t, struct config_node *n);
ATTR_MUST_CHECK int config_node_name(struct config_tree *t, struct config_node *n, const char *key);

// Functions that edit a tree that no document has. Without memory they return NULL or -ENOMEM.

// A node without a value, for config_node_move. `key` must live as long as the tree; NULL: the node
// is for an item.
struct config_node *config_node_new(
	struct config_tree *t, enum config_node_kind kind, const char *key);
// The list or mapping at the key of a mapping, which is added if it is missing.
struct config_node *config_node_make(struct config_tree *t, struct config_node *mapping,
	enum config_node_kind kind, const char *key);
// Sets the value to a copy of the text.
ATTR_MUST_CHECK int config_node_text_set(
	struct config_tree *t, struct config_node *n, const char *text);
// Adds a key with a copy of the text; `text` NULL: adds nothing.
ATTR_MUST_CHECK int config_node_text_add(
	struct config_tree *t, struct config_node *mapping, const char *key, const char *text);
// A copy of the node with all below it.
struct config_node *config_node_copy(struct config_tree *t, const struct config_node *n);
void config_node_remove(struct config_node *parent, unsigned i);
// Adds a child to a list or mapping. It may be from another tree, which must live as long.
ATTR_MUST_CHECK int config_node_move(
	struct config_tree *t, struct config_node *to, struct config_node *child);
