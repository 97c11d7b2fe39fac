// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// From sources to a rule image. weir-controlplane and rulec both use this, so an image made offline
// is the one that the server would make.
//
// A source is a list file, or a function that hands rules: the operator's entries, a group's,
// services, local data. Two passes over them: rule_compile_hash finds whether anything changed,
// rule_compile parses and builds. Blocking file I/O and a second of CPU per few million names: for
// a helper thread.

#include "base/config_files.h"
#include "lists/list_parse.h"
#include "rule_build.h"

#include <errno.h>
#include <string.h>

enum { RULE_COMPILE_WHY_MAX = 256 };
#define RULE_SOURCE_BYTES_MAX (UINT64_C(1) << 30) // bound of one file; a longer one is an error

// Sources 0 and 1 are the allow and deny entries for everyone. With neither path nor rules a source
// has no rules.
struct rule_source {
	const char *title; // identifies it from image to image: unique
	const char *path;  // file of a list; NULL: the source is `rules`
	const char *kept;  // copy to read if `path` cannot be read (list_files.h); NULL: no copy
	bool stored;       // `path` is replaced as a whole and never written in place
	// Hands each rule to `take` with `take_arg`, the same ones in the same order each time, and
	// stops with what that returns if it is not 0. Called once or twice, on a helper thread. An
	// unusable rule (rule_builder_rule) is counted as rejected, and the walk goes on.
	int (*rules)(void *arg, list_rule_take take, void *take_arg);
	void *arg;
	bool answers; // `rules` give data, and block nothing
	// Of a list: struct list_options.
	bool allow, force, exact, passes_any;
	uint8_t format; // enum list_format
};

static inline struct list_options rule_source_options(const struct rule_source *s)
{
	return (struct list_options){.role = s->allow ? LIST_ROLE_ALLOW : LIST_ROLE_BLOCK,
		.format = (enum list_format)s->format,
		.exact = s->exact,
		.force = s->force,
		.passes_any = s->passes_any};
}

struct rule_source_result {
	struct list_counts counts;
	uint64_t unusable; // rules that the image cannot have; rejected like those of counts
	uint64_t no_room;  // unusable ones for which it has no room
	uint64_t content_hash;
	enum list_reject most; // for -EBADMSG the reason of most lines
	int error; // -errno of reading it; -EBADMSG: there is text in it, but not one name;
		   // -ENODATA: it is empty and was not before
	bool kept; // set after an error if the rules are those of the copy
};

// Is nothing of the source in the image?
static inline bool rule_source_lost(const struct rule_source_result *r)
{
	return r->error && !r->kept;
}

// A file whose content was hashed. While config_files.h says that it is the same it is not read
// again.
struct rule_known {
	struct file_seen file; // all zero: nothing is known
	uint64_t content_hash;
};

// The content hash of all sources. A source that cannot be read counts too; its result says so.
// Updates `known` of the first RULE_LISTS_MAX sources: no later one has a path. `pace`: throttled,
// or NULL.
uint64_t rule_compile_hash(const struct rule_source *source, unsigned count,
	struct rule_source_result *result, struct rule_known *known, struct pace *pace);

static inline const char *rule_source_error_text(int err, enum list_reject most)
{
	if (err == -EBADMSG)
		return list_reject_all[most];
	if (err == -ENODATA)
		return "the list is empty; a forced reload accepts it";
	return strerror(-err);
}

struct rule_compile_options {
	struct keyhash_secret secret;
	uint64_t created_unix_s;
	bool partial; // take what can be read, or copies; otherwise any bad source fails the whole
	const bool *had_names; // for each source: had names in the previous image; NULL: unknown
	const struct rule_list_info *before; // lists of the image before, so that numbers stay
	unsigned before_count;
	struct pace *pace; // NULL: it never pauses
};

// Source i is source i of the image. 0 and *out, or -errno and `why`; `result` is filled as far as
// it came.
ATTR_MUST_CHECK int rule_compile(const struct rule_source *source, unsigned count,
	const struct rule_compile_options *options, struct rule_source_result *result,
	struct rule_arena *out, size_t *peak_bytes, char why[RULE_COMPILE_WHY_MAX]);
