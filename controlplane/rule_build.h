// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Builds a rule image (<weir/rule_image.h>) from lists of names, one list after the other.
//
//   rule_builder_new, then per list rule_builder_list, rule_builder_name..., then
//   rule_builder_finish, rule_builder_free.
//
// Names are not kept, only their fingerprints: 8 octets per name of the list being read, 10 per
// distinct name of all lists, 3 MiB for the sets; then the image in one arena of exactly its size.
// The same lists in the same order with the same secret give the same image, octet for octet.
// No I/O. One thread (a helper thread; not for a loop).

#include <weir/rule_image.h>

struct rule_builder;

// An image in memory of its own, aligned to a page.
struct rule_arena {
	void *base;
	size_t size;
};
ATTR_MUST_CHECK int rule_arena_new(struct rule_arena *a, size_t size); // zeroed; -ENOMEM
void rule_arena_free(struct rule_arena *a);                            // an empty one is fine

// A list's title as the image keeps it: printable ASCII, the rest as \DDD, cut to fit, NUL-padded.
void rule_title_make(char out[RULE_TITLE_MAX], const char *text);

ATTR_MUST_CHECK int rule_builder_new(
	const struct keyhash_secret *secret, struct rule_builder **out);
void rule_builder_free(struct rule_builder *b); // NULL is fine

// Ends the list before it and begins the next one, numbered from 0.
// -E2BIG: RULE_LISTS_MAX, or too many names; -ENOMEM.
ATTR_MUST_CHECK int rule_builder_list(struct rule_builder *b, const char *title, bool allow);

// A name of the current list. Names of 1 to RULE_LABELS_MAX labels; others are -EINVAL and change
// nothing. -ENOMEM, -E2BIG.
ATTR_MUST_CHECK int rule_builder_name(struct rule_builder *b, const struct dns_name *name);

// What is told of the current list besides its names: lines, comments, rejected, bytes and
// content_hash are taken from `info`.
void rule_builder_list_info(struct rule_builder *b, const struct rule_list_info *info);

// Makes the image. The builder is used up and can only be freed.
ATTR_MUST_CHECK int rule_builder_finish(struct rule_builder *b, uint64_t input_hash,
	uint64_t created_unix_s, struct rule_arena *out);

// Most octets held at one time so far, the arena included.
size_t rule_builder_peak_bytes(const struct rule_builder *b);
