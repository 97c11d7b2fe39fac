// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The number of each list of an image, while it is built.
//
// A list is the rules of one kind of one source, identified by title and kind. It keeps its number
// from image to image, because records of answers keep sets of list numbers. A new list takes a
// number that the previous image did not use. Numbers 0 and 1 are the plain allow and deny entries
// of sources 0 and 1. There are 256 numbers; when they do not suffice the rest is counted, so that
// the error can say how many are needed. One source gets 32 at most, so that an odd list cannot use
// them all.
//
// A lookup costs one comparison for rules of the same kind in a row, else one for each list. One
// thread.

#include <stdbool.h>
#include <stdint.h>
#include <weir/rule_image.h>

enum {
	RULE_NUMBERS_MORE_MAX = 1024, // lists beyond the 256 that are counted
	RULE_SOURCE_KINDS_MAX = 32,
};

struct rule_number_key {
	struct rule_kind kind;
	unsigned source;
};

struct rule_numbers {
	struct rule_list_info before[RULE_LISTS_MAX]; // kind.covers 0: free for a new list
	struct rule_list_info list[RULE_LISTS_MAX];   // lists of the image being built
	struct rule_number_key *more;
	unsigned more_count, more_room;
	unsigned last;          // number found last; RULE_LISTS_MAX before the first
	unsigned source, kinds; // kinds that the newest source has
};

// `before`: the lists of the previous image, and former lists with numbers that are still reserved;
// NULL with 0: no previous image.
void rule_numbers_init(
	struct rule_numbers *n, const struct rule_list_info *before, unsigned before_count);
void rule_numbers_free(struct rule_numbers *n);

// The number of a list; of a new one, with `title`, all but title, kind and source is 0. One source
// after the other. -ENOSPC: the source has too many kinds, this one is not counted; -E2BIG: no
// number is left; -ENOMEM.
ATTR_MUST_CHECK int rule_numbers_of(struct rule_numbers *n, unsigned source,
	const char title[RULE_TITLE_MAX], const struct rule_kind *kind);

// Numbers that the lists asked for would take, those included that must rest for one image. Over
// RULE_LISTS_MAX: there was no number for some.
unsigned rule_numbers_needed(const struct rule_numbers *n);
unsigned rule_numbers_resting(const struct rule_numbers *n); // only the image before has them
unsigned rule_numbers_end(const struct rule_numbers *n);     // the highest one in use, and one

// The kinds of lists 0 and 1.
struct rule_kind rule_kind_of(enum rule_class rule_class); // covers all, any type, reply GROUP

// Numbers of lists that left the rule image. A row of the query log that still lies in a ring names
// its list by such a number, so no other list gets the number for RULE_REST_MS, however many images
// come in that time. One thread.

enum {
	RULE_REST_MS = 60000,
	// Lists and resting numbers together. With more lists, numbers rest for one image.
	RULE_REST_NUMBERS_MAX = RULE_LISTS_MAX / 2,
};

struct rule_rest {
	struct rule_list_info list[RULE_LISTS_MAX]; // kind.covers is 0 at a free place
	uint64_t left_ms[RULE_LISTS_MAX];
};

// Notes lists of an image that are about to be replaced by those of the next one.
void rule_rest_note(
	struct rule_rest *r, const struct rule_list_info *lists, unsigned count, uint64_t now_ms);

// Adds the resting lists to the `count` lists of the current image, where those have no number.
// Returns the new count.
ATTR_MUST_CHECK unsigned rule_rest_add(const struct rule_rest *r,
	struct rule_list_info lists[RULE_LISTS_MAX], unsigned count, uint64_t now_ms);
