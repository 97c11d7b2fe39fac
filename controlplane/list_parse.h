// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Reads a block or allow list, line by line: hosts format (an address, then names) or one domain a
// line. Anything else is counted under a named reason and costs only itself; nothing is guessed, so
// a filter rule such as `example.com##.ad` never blocks example.com.
//
// The list is fed in pieces of any size. A line of up to LIST_LINE_MAX octets is kept until it is
// whole; of a longer one nothing is taken. Memory: the struct, nothing else. One thread.
//
// What is tolerated: a byte order mark, CRLF, blanks around, `#` and `!` comment lines, a comment
// after a blank and `#`, a leading `*.`, a trailing dot, upper case.

#include <stdbool.h>
#include <weir/dns_name.h>

// One line, or one name of a hosts line, is rejected for one reason.
#define LIST_REJECTS(X)                                                                  \
	X(SINGLE_LABEL, "single_label", "a name of one label, such as com")              \
	X(SPECIAL, "special_name", "localhost and other names that every machine needs") \
	X(ADDRESS, "address", "an IP address where a name belongs")                      \
	X(TOO_LONG, "name_too_long", "over 63 octets a label, 255 or 40 labels a name")  \
	X(EMPTY_LABEL, "empty_label", "two dots in a row, or a dot in front")            \
	X(CHARACTER, "character", "an octet that is no letter, digit, - or _")           \
	X(NON_ASCII, "non_ascii", "an octet over 127")                                   \
	X(FILTER, "filter_syntax", "AdBlock rules and the like")                         \
	X(URL, "url", "a URL or a path")                                                 \
	X(WORDS, "several_words", "several words without an address in front")           \
	X(NO_NAME, "no_name", "an address and nothing behind it")                        \
	X(LINE_TOO_LONG, "line_too_long", "a line over 4096 octets")

enum list_reject {
#define X(id, name, help) LIST_REJECT_##id,
	LIST_REJECTS(X)
#undef X
		LIST_REJECT_COUNT
};

extern const char *const list_reject_name[LIST_REJECT_COUNT];

enum { LIST_LINE_MAX = 4096 };

struct list_counts {
	uint64_t bytes, lines;
	uint64_t comments; // and empty lines
	uint64_t names;    // handed to `name`
	uint64_t rejected[LIST_REJECT_COUNT];
};
uint64_t list_counts_rejected(const struct list_counts *c); // sum of all reasons

struct list_parser {
	// Takes one name; not 0 stops the parser for good, and list_parse_* return it.
	int (*name)(void *arg, const struct dns_name *name);
	void *arg;
	struct list_counts counts;
	int stopped;
	bool skipping; // inside a line that is too long
	size_t line_len;
	char line[LIST_LINE_MAX];
};

void list_parse_begin(
	struct list_parser *p, int (*name)(void *arg, const struct dns_name *name), void *arg);
ATTR_MUST_CHECK int list_parse_feed(struct list_parser *p, const void *octets, size_t len);
ATTR_MUST_CHECK int list_parse_end(struct list_parser *p); // the last line may lack its newline

// One name as a list writes it. LIST_REJECT_COUNT: it is good, and in *out.
enum list_reject list_parse_name(const char *text, size_t len, struct dns_name *out);
