// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Reads a list of names to block or to allow and hands its rules (list_rule.h) to the builder.
// docs/reference/lists.md explains each line of each format, and has one for each reason of
// list_reject.h.
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

#include "list_give.h"

void list_parse_begin(
	struct list_parser *p, const struct list_options *options, list_rule_take take, void *arg);
ATTR_MUST_CHECK int list_parse_feed(struct list_parser *p, const void *bytes, size_t len);
ATTR_MUST_CHECK int list_parse_end(struct list_parser *p); // the last line may lack its newline
