// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The text of a configuration file as a tree: mappings, lists and texts, each with its line and
// column. config_tree.c alone includes yaml.h.
//
// Whatever the schema says, a text is refused that has duplicate keys, anchors, aliases, tags or a
// second document, that is nested deeper than CONFIG_DEPTH_MAX, or that has more values than
// CONFIG_NODES_MAX. All of a tree is freed at once. Any thread.

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <weir/attr.h>

enum {
	CONFIG_DEPTH_MAX = 8,
	CONFIG_KEYS_MAX = 64, // of one mapping
	CONFIG_KEY_MAX = 64,  // bytes of a key and its zero
	CONFIG_NODES_MAX = 1 << 20,
	CONFIG_PATH_MAX = 256 // bytes of the path of a node, such as "groups[1].name", and its zero
};

enum config_node_kind { CONFIG_NODE_TEXT, CONFIG_NODE_LIST, CONFIG_NODE_MAPPING };

struct config_node {
	const char *key; // in a mapping; NULL: it is an item of a list, or the document
	union {
		const char *text;
		struct config_node **child; // of a list or mapping, in the order of the text
	};
	uint32_t count;        // of children
	uint32_t line, column; // 1-based: of the key, or of the value where it has none
	uint32_t own;          // in a list: its number in the list of its own file
	uint16_t file;         // number of the file that it is from (config_doc_file)
	uint8_t kind;          // enum config_node_kind
};

struct config_tree {
	struct config_node *root; // NULL: the text has no document
	struct config_chunk *chunks;
	unsigned nodes;
};

struct config_doc;

// The tree of the document's text. -EINVAL when it is malformed, with an error of the document;
// -ENOMEM. config_tree_free frees what is there in each case.
ATTR_MUST_CHECK int config_tree_read(const struct config_doc *doc, struct config_tree *out);
void config_tree_free(struct config_tree *t);

// The value of a key. NULL: `mapping` is none, or lacks the key.
struct config_node *config_node_find(const struct config_node *mapping, const char *key);
// The same for a key with one text. NULL without a text.
const char *config_node_text(const struct config_node *mapping, const char *key);
// A list or mapping whose entries are all commented out is as good as absent.
bool config_node_is_empty(const struct config_node *n);

// The mapping of a key; NULL: it has none, or the key is empty.
struct config_node *config_node_mapping(const struct config_node *mapping, const char *key);
// The same of a list.
struct config_node *config_node_list(const struct config_node *mapping, const char *key);
unsigned config_list_count(const struct config_node *list); // of items; 0 for NULL
// The same of the list of a key, and one of its items, which must be there.
unsigned config_node_count(const struct config_node *mapping, const char *key);
const struct config_node *config_node_item(
	const struct config_node *mapping, const char *key, unsigned i);
const char *config_node_item_text(const struct config_node *mapping, const char *key, unsigned i);

// Adds ".key" to the path of a node, or "[3]" where `key` is NULL. The path's length before.
size_t config_path_add(char path[CONFIG_PATH_MAX], const char *key, unsigned item);

// Another spelling of a node: a text becomes a list of that one item, or a mapping with that one
// key. -ENOMEM.
ATTR_MUST_CHECK int config_node_wrap(struct config_tree *t, struct config_node *n);
ATTR_MUST_CHECK int config_node_name(struct config_tree *t, struct config_node *n, const char *key);

// Edits, of a tree that is no document's. They return NULL or -ENOMEM without memory.
// A node without a value, to be moved to its place. `key`: it must live as long as the tree; NULL:
// of an item.
struct config_node *config_node_new(
	struct config_tree *t, enum config_node_kind kind, const char *key);
// The list or mapping at the key of a mapping, made where that lacks it.
struct config_node *config_node_make(struct config_tree *t, struct config_node *mapping,
	enum config_node_kind kind, const char *key);
// A copy of a text as the value.
ATTR_MUST_CHECK int config_node_text_set(
	struct config_tree *t, struct config_node *n, const char *text);
// One more key with a copy of the text; NULL: no such key.
ATTR_MUST_CHECK int config_node_text_add(
	struct config_tree *t, struct config_node *mapping, const char *key, const char *text);
void config_node_remove(struct config_node *parent, unsigned i);
// One more child of a list or mapping, which may be that of another tree that lives as long.
ATTR_MUST_CHECK int config_node_move(
	struct config_tree *t, struct config_node *to, struct config_node *child);
