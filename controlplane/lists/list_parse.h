// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Reads a list of names to block or to allow and hands its rules (list_rule.h) to the builder.
// docs/reference/lists.md explains each line of each format, and has one for each reason of
// list_rule.h.
//
// The parser recognises the format of each line: hosts (an address, then names), a domain, a
// wildcard, AdBlock's syntax as far as it is about names, dnsmasq's and unbound's options,
// /patterns/. A zone file (RPZ) is one from its first line that only a zone file has ($TTL,
// $ORIGIN, SOA) to its end. Any other line is counted under a named reason and does not affect the
// rest. The parser does not guess, so a filter rule such as `example.com##.ad` never blocks
// example.com. A text whose first word is a tag (<) is a page, not a list: all its lines are
// refused.
//
// Lines end with LF, CR or both. The list is fed in pieces of any size. A line of up to
// LIST_LINE_MAX bytes is read as a whole; a longer one is refused. Every line ends as one of: a
// comment, ruled, refused. Time is linear in the bytes. Memory: the struct; besides, the process's
// table of public suffixes (zone_suffix.h). One thread.

#include "list_rule.h"
#include "list_text.h"

#include <weir/dns_name.h>

// The state of a parser, and what its files do with it: a line gives rules, or is refused.

// Bytes of lines that a list may have once more for each further client of $client.
enum { LIST_COPIES_MAX = 16 << 20 };

enum list_role { LIST_ROLE_BLOCK, LIST_ROLE_ALLOW };

struct list_options {
	enum list_role role;
	enum list_format format; // not AUTO: lines of another one are refused
	bool exact;              // plain names and those of hosts lines: the name alone
	bool force;              // accept single labels and public suffixes too
	bool passes_any;         // what a policy zone lets pass no other zone blocks
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
uint64_t list_counts_rejected(const struct list_counts *c);     // sum of all reasons
enum list_reject list_counts_most(const struct list_counts *c); // the most frequent reason
uint64_t list_counts_rules(const struct list_counts *c);

enum { LIST_RECORD_LINES_MAX = 256 };

// The state of a zone file (RFC 1035 5, RPZ) from line to line: the origin, the owner that lines
// without one mean, and a record whose parentheses are still open. Bounded: such a record ends as
// refused after LIST_LINE_MAX bytes or LIST_RECORD_LINES_MAX lines, so that one parenthesis does
// not swallow the list.
struct list_zone {
	bool on;         // the list is a zone file
	bool has_origin; // $ORIGIN or the SOA's owner gave one; until then names are below the root
	bool has_apex;   // a SOA was seen; until then the apex is the first origin
	bool has_owner;
	struct dns_name origin, apex, owner;
	uint32_t ttl_s;             // for records without one
	unsigned parentheses;       // open ones
	bool quoted;                // inside quotes, at the end of `record`
	uint32_t first_line, lines; // where the record is
	size_t record_len;
	char record[LIST_LINE_MAX + 4]; // one record, without comments and parentheses
};

struct list_parser {
	list_rule_take take; // list_parse_* return its first result that is not 0 from then on
	void *arg;
	struct list_options options;
	struct list_counts counts;
	size_t copies; // bytes, LIST_COPIES_MAX at most
	int stopped;
	struct list_text text;  // during `take`: the line, or the zone's record
	struct list_rule plain; // the rule of a plain name, without name and line
	struct list_zone zone;
	struct dns_name redirect; // unbound's last zone that redirects; len 0: no zone does
	bool in_view;             // unbound's options are for some clients alone
	bool gave, refused;       // rules, reasons: by the line at hand
	bool began, page;         // a line was not empty; that one begins with a tag, as pages do
	bool skipping;            // inside a line that is too long
	bool after_cr;            // a line feed that comes now ends no line
	size_t line_len;
	char line[LIST_LINE_MAX];
};

// Every line or name that gives no rule comes here, and every rule there. Nothing is handed on
// once the taker has stopped the parser.
void list_refuse(struct list_parser *p, enum list_reject why);
void list_give(struct list_parser *p, const struct list_rule *rule);

// A rule of the line at hand with nothing but its kind's class, cover and reply.
struct list_rule list_rule_make(const struct list_parser *p, enum rule_class rule_class,
	uint8_t covers, enum rule_reply reply);
// The class of a name in this list, unless its format says more.
enum rule_class list_class(const struct list_parser *p);

enum { LIST_REWRITE_TTL_S = 300 }; // for answers that formats give no TTL for

// One line each, trimmed.
void list_adblock_line(struct list_parser *p, struct list_text line);
void list_unbound_line(struct list_parser *p, struct list_text line);

// A name of a zone file: without a dot at its end it is below the origin; `@` is the origin. False:
// no name, or too long.
bool list_zone_name(const struct list_zone *z, struct list_text text, struct dns_name *out);

// The record's next word, or what stands between quotes with them; of len 0: no more.
struct list_text list_zone_token(struct list_text *rest);

// `||`, `@@`, options and similar syntax.
bool list_adblock_is(struct list_text line);
// `option: value`.
bool list_unbound_is(struct list_text line);

void list_parse_begin(
	struct list_parser *p, const struct list_options *options, list_rule_take take, void *arg);
ATTR_MUST_CHECK int list_parse_feed(struct list_parser *p, const void *bytes, size_t len);
ATTR_MUST_CHECK int list_parse_end(struct list_parser *p); // the last line may lack its newline

// Which lines of a list made a rule: for `why`, which has the names from the image's lists only as
// numbers. The parser reads the source again, so the answer is what the build saw, if the bytes
// are the same. As fast as the parser, in the same memory. One thread.

enum { LIST_FIND_TEXT_MAX = 200 };

// The wanted rules: those of exactly this name, this pattern or this prefix; NULL: not these.
struct list_wanted {
	const struct dns_name *name;
	const char *pattern;
	size_t pattern_len;
	const struct ip_address *prefix;
};

struct list_found {
	const struct list_rule *rule; // line number and kind; valid during the call
	const char *text;             // the line's text, not NUL-terminated, unchecked bytes
	size_t text_len;              // LIST_FIND_TEXT_MAX at most
	unsigned wanted;              // which one of the array it is
};

typedef void (*list_found_take)(void *arg, const struct list_found *found);

struct list_finder {
	struct list_parser parser;
	const struct list_wanted *wanted;
	unsigned wanted_count;
	unsigned found, found_max; // it stops at found_max
	list_found_take take;
	void *arg;
};

// `wanted` must stay until the end. `options` are those of the build.
void list_find_begin(struct list_finder *f, const struct list_options *options,
	const struct list_wanted *wanted, unsigned wanted_count, unsigned found_max,
	list_found_take take, void *arg);
// False: enough was found, no more is needed.
bool list_find_feed(struct list_finder *f, const void *bytes, size_t len);
void list_find_end(struct list_finder *f);
