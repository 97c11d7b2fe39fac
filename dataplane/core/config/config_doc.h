// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The text of a configuration file, its tree, and the errors with their places.
//
// A document has the files that its key `include` names as parts (config_include.h), and its tree
// has the keys of all files. Checks name a key by that tree, such as item 5 of a list whose first 3
// items are in another file; an error names the key as in its own file.

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
	const char *path; // the caller's name of the file
	char *absolute;   // absolute form of `path`
	uint8_t *text;
	size_t len;
	uint64_t device, inode; // identify the file
	struct config_tree tree;
	uint16_t number; // number of the file, for its nodes
	struct config_errors *errors;
	bool leaves_secrets; // secrets are not opened, as if their files were fine
	bool leaves_absent;  // credentials and variables that this process lacks count as fine
	bool is_included;    // a part: only a plain file, which may be empty
	const struct config_bundle *given; // included texts; NULL: files are read
	const struct config_text *shared;  // the part after the files; NULL: no such part
	const struct config_text *managed; // the last part; NULL: no such part
	struct config_part *parts;         // CONFIG_PARTS_MAX, or NULL
	unsigned part_count;
	char *folders[CONFIG_INCLUDE_MAX]; // absolute; patterns of `include` search them
	bool includes_absolute;            // an entry of `include` is an absolute path
	unsigned folder_count;
	uint32_t own;     // `sync.own` of the files, as bits of enum config_shared_section
	uint32_t ignored; // such bits: sections of the files that the shared part replaces
};

enum config_part_kind { CONFIG_PART_FILE, CONFIG_PART_SHARED, CONFIG_PART_MANAGED };
enum { CONFIG_PARTS_MAX = CONFIG_INCLUDED_MAX + 2 };

struct config_part { // an included file, the shared part, or the managed part; it has no parts
	struct config_doc doc;
	char *path; // doc.path, escaped for messages
	enum config_part_kind kind;
};

// File 0 is the document's own, files 1 to part_count are its parts.
static inline const struct config_doc *config_doc_file(const struct config_doc *doc, unsigned i)
{
	return i ? &doc->parts[i - 1].doc : doc;
}

// Makes an empty document for the file at `path`.
void config_doc_begin(struct config_doc *doc, const char *path, enum config_secrets_kind secrets,
	struct config_errors *errors);
// Reads the file. -errno, -EFBIG: over CONFIG_FILE_MAX. Adds no error to the document.
ATTR_MUST_CHECK int config_doc_open(struct config_doc *doc);
// Copies a text in memory in place of reading the file; its path stays the caller's. -ENOMEM.
ATTR_MUST_CHECK int config_doc_take(struct config_doc *doc, const struct config_text *text);
const char *config_doc_reason(int err); // words for -errno of config_doc_open
// Reads the file as config_doc_open does, and adds an error if it fails.
ATTR_MUST_CHECK int config_doc_read(struct config_doc *doc);
void config_doc_free(struct config_doc *doc); // frees its parts, too
// The length of a path's folder with its final slash; 0: the path has no folder.
int config_doc_folder_len(const char *path);

// Adds an error to the document; beyond CONFIG_ERRORS_MAX it only counts it.
void config_doc_error(const struct config_doc *doc, const char *fmt, ...) ATTR_PRINTF(2, 3);

// A section of the document; NULL: it is not there, or has no keys.
static inline const struct config_node *config_section(
	const struct config_doc *doc, const char *key)
{
	return config_node_mapping(doc->tree.root, key);
}

// Adds the error "config: key: reason (FILE:LINE:COL)", with the position of the key, or of its
// nearest parent that the document has. A list's item with a name goes by that name:
// groups "kids": upstreams[1].address. Returns -EINVAL, so that a check can end with it.
int config_refuse(const struct config_doc *doc, const char *key, const char *fmt, ...)
	ATTR_PRINTF(3, 4);
// Refuses as config_refuse does, with `; did you mean "nearest"?` at the end unless that is NULL.
int config_refuse_near(const struct config_doc *doc, const char *key, const char *nearest,
	const char *fmt, ...) ATTR_PRINTF(4, 5);

// Refuses as config_refuse does, at the place of `n`, a node of the document's tree with the path
// `key` (`n` NULL: at the place of `key`). `tail` is at the end: "" or "; what to write".
int config_refuse_node(const struct config_doc *doc, const struct config_node *n, const char *key,
	const char *tail, const char *fmt, ...) ATTR_PRINTF(5, 6);

// Writes "weir.yaml:12:9": the file and place of the key, or of its nearest parent.
void config_place_text(const struct config_doc *doc, const char *key, char *out, size_t cap);

// The worse result of two checks: no memory is worse than refused, refused worse than 0.
static inline int config_worse(int a, int b)
{
	bool is_fatal = a < 0 && a != -EINVAL;
	return is_fatal || b == 0 ? a : b;
}
