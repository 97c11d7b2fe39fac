// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Reads a list of names to block or to allow and hands its rules (list_rule.h) to the builder.
// docs/reference/lists.md explains each line of each format, and has one for each reason below.
//
// The parser recognises the format of each line: hosts (an address, then names), a domain, a
// wildcard, AdBlock's syntax as far as it is about names, dnsmasq's options, /patterns/. A zone
// file (RPZ) is one from its first line that only a zone file has ($TTL, $ORIGIN, SOA) to its end.
// Any other line is counted under a named reason and does not affect the rest. The parser does not
// guess, so a filter rule such as `example.com##.ad` never blocks example.com. A text whose first
// word is a tag (<) is a page, not a list: all its lines are refused.
//
// Lines end with LF, CR or both. The list is fed in pieces of any size. A line of up to
// LIST_LINE_MAX bytes is read as a whole; a longer one is refused. Every line ends as one of: a
// comment, ruled, refused. Time is linear in the bytes. Memory: the struct; besides, the process's
// table of public suffixes (list_suffix.h). One thread.

#include "list_rule.h"
#include "list_text.h"
#include "list_zone.h"

// Why a line, or one name of a line, gives no rule.
#define LIST_REJECTS(X)                                                                        \
	X(SINGLE_LABEL, "single_label", "a name of one label, such as com")                    \
	X(PUBLIC_SUFFIX, "public_suffix", "a name under which others register, such as co.uk") \
	X(SPECIAL, "special_name", "localhost and other names that every machine needs")       \
	X(ADDRESS, "address", "an IP address where a name belongs")                            \
	X(TOO_LONG, "name_too_long",                                                           \
		"a label over 63 bytes, or a name over 255 bytes or 40 labels")                \
	X(EMPTY_LABEL, "empty_label", "two dots in a row, or a dot in front")                  \
	X(CHARACTER, "character", "a character other than a letter, a digit, - or _")          \
	X(NON_ASCII, "non_ascii", "characters outside ASCII that are no IDNA2008 name")        \
	X(COSMETIC, "cosmetic", "AdBlock's rules about a page's elements")                     \
	X(FILTER, "filter_syntax", "AdBlock's rules that are not about a whole name")          \
	X(MODIFIER, "modifier", "AdBlock's rules with an option that DNS cannot apply")        \
	X(CLIENT, "client", "$client with anything but one plain name")                        \
	X(REWRITE, "rewrite", "an answer that a list cannot give, such as a CNAME")            \
	X(PATTERN, "pattern", "a pattern that is empty, too long or has invalid characters")   \
	X(URL, "url", "a URL or a path")                                                       \
	X(WORDS, "several_words", "several words without an address in front")                 \
	X(NO_NAME, "no_name", "an address without a name")                                     \
	X(HOSTS_ADDRESS, "hosts_address", "a hosts line whose address does not mean blocking") \
	X(PREFIX, "prefix", "no address or prefix in a list of addresses")                     \
	X(DNSMASQ, "dnsmasq", "an option of dnsmasq that blocks nothing")                      \
	X(ZONE_SYNTAX, "zone_syntax", "a line that is not a record of a zone file")            \
	X(ZONE_OWNER, "zone_owner", "a record whose owner is not in the zone")                 \
	X(ZONE_TRIGGER, "zone_trigger", "RPZ by client address, name server or its address")   \
	X(ZONE_ACTION, "zone_action", "rpz-tcp-only, and actions that have no meaning here")   \
	X(PAGE, "page", "a line of an HTML page")                                              \
	X(FORMAT, "other_format", "a line of another format than the one configured")          \
	X(LINE_TOO_LONG, "line_too_long", "a line over 4096 bytes")

enum list_reject {
#define X(id, name, help) LIST_REJECT_##id,
	LIST_REJECTS(X)
#undef X
		LIST_REJECT_COUNT // for functions that check: nothing is wrong
};

extern const char *const list_reject_name[LIST_REJECT_COUNT];

enum list_role { LIST_ROLE_BLOCK, LIST_ROLE_ALLOW };

struct list_options {
	enum list_role role;
	enum list_format format; // not AUTO: lines of another one are refused
	bool force;              // accept single labels and public suffixes too
};

// lines = comments + ruled + refused.
struct list_counts {
	uint64_t bytes, lines;
	uint64_t comments; // empty lines, comments, a zone's own records, lines that go on below
	uint64_t ruled;    // lines that gave at least one rule
	uint64_t refused;  // lines that gave none, but a reason
	uint64_t names;    // rules by name that were handed on
	uint64_t patterns, addresses;
	uint64_t rejected[LIST_REJECT_COUNT]; // reasons; a line of several names may give several
};
uint64_t list_counts_rejected(const struct list_counts *c); // sum of all reasons
uint64_t list_counts_rules(const struct list_counts *c);

struct list_parser {
	list_rule_take take; // list_parse_* return its first result that is not 0 from then on
	void *arg;
	struct list_options options;
	struct list_counts counts;
	int stopped;
	struct list_text text;  // during `take`: the line, or the zone's record
	struct list_rule plain; // the rule of a plain name, without name and line
	struct list_zone zone;
	bool gave, refused; // rules, reasons: by the line at hand
	bool began, page;   // a line was not empty; that one begins with a tag, as pages do
	bool skipping;      // inside a line that is too long
	bool after_cr;      // a line feed that comes now ends no line
	size_t line_len;
	char line[LIST_LINE_MAX];
};

void list_parse_begin(
	struct list_parser *p, const struct list_options *options, list_rule_take take, void *arg);
ATTR_MUST_CHECK int list_parse_feed(struct list_parser *p, const void *bytes, size_t len);
ATTR_MUST_CHECK int list_parse_end(struct list_parser *p); // the last line may lack its newline
