// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Shared by the files of the parser: the rules of a line.

#include "list_parse.h"

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
