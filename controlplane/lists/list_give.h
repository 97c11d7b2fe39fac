// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The state of a parser, and what its files do with it: a line gives rules, or is refused.

#include "list_reject.h"
#include "list_rule.h"
#include "list_text.h"
#include "list_zone.h"

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

// Every line or name that gives no rule comes here, and every rule there. Nothing is handed on
// once the taker has stopped the parser.
void list_refuse(struct list_parser *p, enum list_reject why);
void list_give(struct list_parser *p, const struct list_rule *rule);

uint32_t list_line_number(const struct list_parser *p); // of the line at hand

// A rule of the line at hand with nothing but its kind's class, cover and reply.
struct list_rule list_rule_make(const struct list_parser *p, enum rule_class rule_class,
	uint8_t covers, enum rule_reply reply);
// The class of a name in this list, unless its format says more.
enum rule_class list_class(const struct list_parser *p);

// The rule answers with the address, which must stay while it is used.
void list_rule_answer(struct list_rule *rule, const struct ip_address *address);
enum { LIST_REWRITE_TTL_S = 300 }; // of answers that formats give no TTL for

// Reads the name, `*.` in front or not, and gives the rule with it, or refuses.
void list_give_name(struct list_parser *p, struct list_text name, struct list_rule *rule);

// One line each, trimmed; the zone's as it is.
void list_adblock_line(struct list_parser *p, struct list_text line);
void list_dnsmasq_line(struct list_parser *p, struct list_text line);
void list_zone_line(struct list_parser *p, struct list_text line);
void list_zone_end(struct list_parser *p); // of the list

// A line that only a zone file has, from which on the list is one.
bool list_zone_begins(struct list_text line);
// `name CNAME target`, as a zone file's header may be missing.
bool list_zone_is_record(struct list_text line);
// `||`, `@@`, options and similar syntax.
bool list_adblock_is(struct list_text line);
// `option=value`.
bool list_dnsmasq_is(struct list_text line);
