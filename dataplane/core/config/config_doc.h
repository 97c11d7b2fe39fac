// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The text of a configuration file, its tree, and the errors with their places.
//
// A document has the files that its key `include` names as parts (config_include.h), and its tree
// has what all of them say. Checks name a key as it is in that tree, such as item 5 of a list whose
// first 3 are in another file; an error names it as it is in its own file.

#include "config_tree.h"

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <weir/attr.h>
#include <weir/config/versions.h>
#include <weir/config_tools.h>

enum { CONFIG_FILE_MAX = 4 << 20 };

struct config_doc {
	const char *path; // as the caller named it
	char *absolute;   // the same, with the working directory in front if it was relative
	uint8_t *text;
	size_t len;
	uint64_t device, inode; // which file it is
	struct config_tree tree;
	uint16_t number; // of the file: that of its nodes
	struct config_errors *errors;
	bool leaves_secrets; // secrets are not opened, as if their files were fine
	bool leaves_absent;  // so are credentials and variables that this process lacks
	bool is_included;    // it is a part: a plain file, and may be empty
	const struct config_bundle *given; // included texts; NULL: files are read
	const struct config_text *managed; // the last part; NULL: no such part
	struct config_part *parts;         // CONFIG_INCLUDED_MAX and one of them, or NULL
	unsigned part_count;
	char *folders[CONFIG_INCLUDE_MAX]; // absolute: those that patterns of `include` search
	bool includes_absolute;            // an entry of `include` is an absolute path
	unsigned folder_count;
};

struct config_part { // an included file; it has no parts
	struct config_doc doc;
	char *path;      // doc.path, escaped: for messages
	bool is_managed; // no file, but the managed part
};

// File 0 is the document's own, then come its parts in their order: part_count + 1 files.
static inline const struct config_doc *config_doc_file(const struct config_doc *doc, unsigned i)
{
	return i ? &doc->parts[i - 1].doc : doc;
}

// An empty document of the file at `path`.
void config_doc_begin(struct config_doc *doc, const char *path, enum config_secrets_kind secrets,
	struct config_errors *errors);
// -ENOENT and other -errno, -EFBIG over CONFIG_FILE_MAX. No error is added.
ATTR_MUST_CHECK int config_doc_open(struct config_doc *doc);
// The same with a copy of a text in memory, whose path stays the caller's. -ENOMEM alone.
ATTR_MUST_CHECK int config_doc_take(struct config_doc *doc, const struct config_text *text);
const char *config_doc_reason(int err); // in words, for an error
// The same, with an error added.
ATTR_MUST_CHECK int config_doc_read(struct config_doc *doc);
void config_doc_free(struct config_doc *doc); // with its parts
// How much of a path is its folder, with the slash at its end; 0: it has none.
int config_doc_folder_len(const char *path);

// Adds an error to the document's; beyond CONFIG_ERRORS_MAX it is only counted.
void config_doc_error(const struct config_doc *doc, const char *fmt, ...) ATTR_PRINTF(2, 3);

// A section of the document; NULL: it is not there, or has no keys.
static inline const struct config_node *config_section(
	const struct config_doc *doc, const char *key)
{
	return config_node_mapping(doc->tree.root, key);
}

// Adds the error "config: key: reason (FILE:LINE:COL)", with the position of the key, or of its
// nearest parent that is in a file of the document. Items of lists go by their names where they
// have one: groups "kids": upstreams[1].address. Returns -EINVAL, so that a check can end with it.
int config_refuse(const struct config_doc *doc, const char *key, const char *fmt, ...)
	ATTR_PRINTF(3, 4);
// The same, with `; did you mean "nearest"?` behind it unless that is NULL.
int config_refuse_near(const struct config_doc *doc, const char *key, const char *nearest,
	const char *fmt, ...) ATTR_PRINTF(4, 5);

// The same, about a node of the document's tree whose path is `key` (NULL: found by it), with
// `tail` behind it: "" or "; what to write".
int config_refuse_node(const struct config_doc *doc, const struct config_node *n, const char *key,
	const char *tail, const char *fmt, ...) ATTR_PRINTF(5, 6);

// "weir.yaml:12:9": the file and place of the key, or of its nearest parent.
void config_place_text(const struct config_doc *doc, const char *key, char *out, size_t cap);

// What to return after two checks that both were made: no memory before refused before fine.
static inline int config_worse(int a, int b)
{
	bool is_fatal = a < 0 && a != -EINVAL;
	return is_fatal || b == 0 ? a : b;
}
