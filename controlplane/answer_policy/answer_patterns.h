// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Regular expressions over names: which lists have one that matches. The only includer of hs.h
// (vectorscan).
//
// A name is matched in text form, lower case, without the dot at its end (dns_name_to_text).
// Patterns ignore case, match anywhere unless they say ^ or $ (as in Pi-hole and AdGuard Home), and
// are those of libhs: no look-around, no back references. A pattern that does not compile is
// refused and counted; the others work.
//
// Compiled for seconds of CPU time at most, so on a helper thread: a pattern with a bounded repeat,
// the one kind that can take long alone, is first compiled alone and refused if that is slow, or
// sure to be; the others come in portions of few repeats each, and when the time or the size is
// used up, the rest is refused and counted. A text that several lists have, inverted or not, is
// compiled once. A portion in progress is not interrupted: 2 s at most.
// The cost of a name is bounded, too: each pattern has a price, a count that is the same on every
// machine (pattern_positions.h), and the operator's own together, and those of lists together, may
// cost so much. The operator's own are taken first, then those that cost least.
// Immutable then, shared by all threads; each thread needs a scratch of its own. A usual name costs
// some 0.1 us for each portion of up to 512 patterns, the worst one that was found 0.6 ms for each
// 4096 of price.

#include <stdbool.h>
#include <weir/attr.h>
#include <weir/rule_image.h>

enum {
	ANSWER_PATTERNS_MAX = 4096,
	ANSWER_PATTERN_LEN_MAX = 1024,
	ANSWER_PATTERNS_BUDGET_MS = 5000,
	// The part for the operator's patterns, which a build reads twice: lists have the rest.
	ANSWER_PATTERNS_OWN_MS = ANSWER_PATTERNS_BUDGET_MS / 4,
	ANSWER_PATTERN_SLOW_MS = 250,
	ANSWER_PATTERN_POSITIONS_MAX = 4000, // repeats written out (pattern_positions.h)
	ANSWER_PATTERN_PRICE_MAX = 1024,
	ANSWER_PATTERNS_PRICE_OWN = 4096,
	ANSWER_PATTERNS_PRICE_MAX = 4096,
};
#define ANSWER_PATTERNS_BYTES_MAX (UINT64_C(64) << 20)

struct answer_pattern {
	unsigned list; // number in the image
	const char *text;
	size_t len;   // no NUL needed
	bool is_own;  // the operator's
	bool inverts; // it applies where the text does not match
};

struct answer_pattern_limits {
	uint64_t budget_ms, bytes;
	uint64_t until_ms; // clock_mono_ms; 0: however long it takes to get that CPU time
};

struct answer_pattern_counts {
	uint32_t compiled;
	uint32_t refused_syntax; // not a pattern of libhs, or a NUL in it
	uint32_t refused_length, refused_count;
	uint32_t refused_slow;      // alone took too long, or its price is over what is left
	uint32_t refused_time;      // no time was left, of one kind or the other
	uint32_t refused_size;      // no room was left
	uint64_t bytes, compile_ms; // libhs's
	uint64_t held_bytes;        // memory beside that of libhs
	char first_error[128];      // why the first one has bad syntax
};

// CPU time of the operator's patterns so far: of all, ANSWER_PATTERNS_BUDGET_MS at most, and of the
// good ones, ANSWER_PATTERNS_OWN_MS. And the price of the good ones, ANSWER_PATTERNS_PRICE_OWN.
struct answer_pattern_spent {
	uint64_t all_ms, good_ms;
	unsigned price;
};

// Does the pattern compile in time, alone, and may a name cost what it does, after others that took
// *spent? Else `why` says why not. Twice as strict as answer_patterns_new with the time of a
// pattern, which varies. Adds time and price; up to some seconds, nobody can end it. True where
// libhs does not run at all.
enum { ANSWER_PATTERN_WHY_MAX = 80 };
bool answer_pattern_proves(
	const char *text, struct answer_pattern_spent *spent, char why[ANSWER_PATTERN_WHY_MAX]);

struct answer_patterns;
struct answer_pattern_scratch;

// *out is NULL where no pattern is left. `limits`: NULL for the ones above. -ENOMEM.
ATTR_MUST_CHECK int answer_patterns_new(struct answer_patterns **out,
	const struct answer_pattern *pattern, size_t count,
	const struct answer_pattern_limits *limits, struct answer_pattern_counts *counts);
void answer_patterns_free(struct answer_patterns *p); // NULL is fine

// For one thread; of these patterns alone.
ATTR_MUST_CHECK int answer_pattern_scratch_new(
	const struct answer_patterns *p, struct answer_pattern_scratch **out);
void answer_pattern_scratch_free(struct answer_pattern_scratch *s); // NULL is fine

// Adds the lists with a pattern that applies to *lists: its text matches, or not where it inverts.
// A refused pattern applies to no name, inverted or not. NULL patterns apply to nothing.
void answer_patterns_match(const struct answer_patterns *p, struct answer_pattern_scratch *s,
	const char *text, size_t len, struct rule_set *lists);
