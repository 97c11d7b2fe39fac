// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// One walk over the text of a configuration file with libyaml's events. It refuses what no schema
// allows, notes unknown keys, or finds the file and position of a key. config_walk.c alone includes
// yaml.h.

#include "config_doc.h"

enum {
	CONFIG_WALK_DEPTH_MAX = 8,
	CONFIG_WALK_KEYS_MAX = 32,
	CONFIG_WALK_KEY_MAX = 64,
	CONFIG_WALK_NAME_MAX = 80,
	CONFIG_WALK_VERSION_MAX = 24
};

struct config_walk_unknown { // key
	char path[CONFIG_PATH_MAX];
	const char *nearest;
};

// One open mapping or sequence.
struct config_walk_level {
	bool is_mapping;
	bool has_key;       // a mapping's key was read, its value comes next
	unsigned items;     // of a sequence, so far
	size_t path_len;    // of the walk's path, without the current key or item
	unsigned key_count; // of a mapping, so far
	char (*keys)[CONFIG_WALK_KEY_MAX];
};

struct config_walk {
	const struct config_doc *doc;
	config_doc_has_key *has_key;         // when checking
	struct config_walk_unknown *unknown; // CONFIG_ERRORS_MAX of them, when checking
	unsigned unknown_count;
	bool has_version;                      // the document has the key `version`, when checking
	char version[CONFIG_WALK_VERSION_MAX]; // its value, cut off where it is longer
	const char *wanted;                    // path to find, or NULL when checking
	const char *const *tops; // keys of the document itself, 32 at most; may be NULL
	unsigned top_count;
	uint32_t tops_found; // a bit for each of them
	// Names of the items on the way to it, "" without one.
	char name[CONFIG_WALK_DEPTH_MAX][CONFIG_WALK_NAME_MAX];
	bool found, is_list;   // the wanted one begins a sequence
	unsigned line, column; // of the best match; 1-based
	size_t found_len;
	unsigned items; // of the wanted list
	// The walk's own.
	struct config_walk_level level[CONFIG_WALK_DEPTH_MAX];
	unsigned depth;
	unsigned documents;
	char path[CONFIG_PATH_MAX];
};

// 0; -EINVAL when the text is malformed, with an error of the document; -ENOMEM. A search for
// `wanted` adds no error: the document has passed the check before.
ATTR_MUST_CHECK int config_walk_run(struct config_walk *w);

// Notes a key that the schema does not know, in a check. For the walk; config_places.c has it.
void config_walk_key_check(
	struct config_walk *w, const struct config_walk_level *l, const char *key);

// In which file of a document a key stands, and where. Lists of several files are one list
// (config_include.h), so item 5 may be item 2 of the second file. Walks the text of all files:
// for errors.

// The file that has `key`, else its nearest parent; the first of several. `own`: the key as it is
// in that file, which outlives the use of `w`: the finished walk that found it there. Where no
// memory is left, the place found so far.
const struct config_doc *config_place_find(const struct config_doc *doc, const char *key,
	char own[CONFIG_PATH_MAX], struct config_walk *w);
