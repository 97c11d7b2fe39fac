// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// YAML of other programs as a tree (libyaml). Files of IMPORT_YAML_MAX bytes; a document of more
// than IMPORT_YAML_NODES_MAX nodes or 64 levels is refused. Anchors and merge keys (<<) are
// followed.
//
// Readers take NULL and give "", 0 or NULL for what is absent or of another kind.

#include "import_sources.h"

enum { IMPORT_YAML_MAX = 16 << 20, IMPORT_YAML_NODES_MAX = 500000 };

struct yaml_tree;
struct yaml_place; // a node; lives as long as its tree

int import_yaml_read(struct yaml_tree **out, const char *path, char why[IMPORT_WHY_MAX]);
void import_yaml_free(struct yaml_tree *t);
// NULL: the document is empty.
const struct yaml_place *import_yaml_root(const struct yaml_tree *t);

// "blocking.denylists": keys of mappings, one in the other. A key with a dot is not found so.
const struct yaml_place *import_yaml_get(
	const struct yaml_tree *t, const struct yaml_place *n, const char *path);
// Elements of a sequence, or pairs of a mapping.
size_t import_yaml_count(const struct yaml_place *n);
const struct yaml_place *import_yaml_at(
	const struct yaml_tree *t, const struct yaml_place *n, size_t i);
// The key of the pair; "" in a sequence.
const char *import_yaml_key(const struct yaml_tree *t, const struct yaml_place *n, size_t i);
bool import_yaml_is_map(const struct yaml_place *n);
bool import_yaml_is_list(const struct yaml_place *n);

const char *import_yaml_text(const struct yaml_place *n); // of a scalar
// The same of a child.
const char *import_yaml_word(
	const struct yaml_tree *t, const struct yaml_place *n, const char *path);
bool import_yaml_flag(const struct yaml_tree *t, const struct yaml_place *n, const char *path);
