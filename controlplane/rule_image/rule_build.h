// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Builds a rule image (<weir/rule_image.h>) from sources of rules, one after the other.
//
//   rule_builder_new, then per source rule_builder_source, rule_builder_rule..., then
//   rule_builder_finish, rule_builder_free.
//
// Rules of one kind of a source become a list; the image before says which number it has
// (rule_numbers.h). Names are not kept, only their fingerprints: 8 bytes per name of the source
// being read (per label, of a policy zone), 10 per distinct name of all, 3 MiB for the sets,
// records and patterns; then the image in one arena of exactly its size. The same sources in the
// same order with the same secret and the same image before give the same image, byte for byte. No
// I/O. One thread (a helper thread; not for a loop).

#include "base/pace.h"
#include "lists/list_rule.h"
#include "rule_store.h"

#include <weir/rule_image.h>

// A list's title as the image keeps it: printable ASCII, the rest as \DDD, cut to fit, NUL-padded.
// Printable ASCII that fits stays as it is.
void rule_title_make(char out[RULE_TITLE_MAX], const char *text);

// Bounds of an image. Lists leave a sixteenth of the patterns and of the prefixes to sources of the
// configuration.
enum { RULE_PATTERNS_MAX = 1 << 20, RULE_PREFIXES_MAX = 1 << 22, RULE_GLOBS_MAX = 1 << 16 };

struct rule_builder;

// `before`: lists of the previous image (reader.lists); NULL with 0: no previous image.
ATTR_MUST_CHECK int rule_builder_new(const struct keyhash_secret *secret,
	const struct rule_list_info *before, unsigned before_count, struct rule_builder **out);
void rule_builder_free(struct rule_builder *b);                    // NULL is fine
void rule_builder_pace(struct rule_builder *b, struct pace *pace); // NULL: it never pauses

// The names of a policy zone (rule.kind.zone) that exist keep its wildcards above them away
// (rule_build.h), by a list of class EXCEPT.

// Ends the source before it and begins the next one, numbered from 0. Sources 0 and 1 are the
// operator's allow and deny entries for everyone. Titles tell sources apart from image to image.
// -E2BIG: RULE_SOURCES_MAX, or too many names; -ENOMEM.
ATTR_MUST_CHECK int rule_builder_source(struct rule_builder *b, const char *title);
// rule_builder_source for a list, which others write: it leaves room for other sources.
ATTR_MUST_CHECK int rule_builder_list(struct rule_builder *b, const char *title);

// A rule of the current source; a list_rule_take, `builder` is the builder. -EINVAL: a name without
// labels or with more than RULE_LABELS_MAX, a pattern or record that is too long, a kind that there
// is not; -ENOSPC: the source has too many kinds of rules already, or the image too many patterns,
// prefixes or globs. These change nothing. -ENOMEM, -E2BIG end the build.
ATTR_MUST_CHECK int rule_builder_rule(void *builder, const struct list_rule *rule);

// A rule for a name and all below, for any type, answered as the group says.
struct list_rule rule_of_name(enum rule_class rule_class, const struct dns_name *name);

// Facts about the current source besides its rules: takes all but the title from `info`.
void rule_builder_source_info(struct rule_builder *b, const struct rule_source_info *info);

// List numbers that this image would need; more than RULE_LISTS_MAX: it cannot be made
// (rule_builder_finish says -E2BIG). `resting`: how many of these only the image before has.
unsigned rule_builder_numbers(const struct rule_builder *b, unsigned *resting);

// Makes the image. The builder is used up and can only be freed.
ATTR_MUST_CHECK int rule_builder_finish(struct rule_builder *b, uint64_t input_hash,
	uint64_t created_unix_s, struct rule_arena *out);

// Most bytes held at one time so far, the arena included.
size_t rule_builder_peak_bytes(const struct rule_builder *b);
