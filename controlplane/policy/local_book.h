// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Local data on its way to rules: merges all sources, so that one is left at each name.
//
// Sources ("voices") by precedence: a group's own records, records, hosts files, local zones,
// forwarding zones, special-use names. An item of a higher one for a name itself, or for the names
// below it, removes the others' items for the same. Of different names the nearest decides, as in
// the image. Bytes are kept once each; some 32 and the name's for each item. One thread, no I/O.

#include "lists/list_rule.h"

enum local_voice {
	LOCAL_OWN_RECORD,
	LOCAL_RECORD,
	LOCAL_HOSTS,
	LOCAL_ZONE,
	LOCAL_FORWARD,
	LOCAL_SPECIAL,
	LOCAL_VOICES,
};

enum { LOCAL_ITEMS_MAX = 1000000 };

struct local_book;

ATTR_MUST_CHECK int local_book_new(struct local_book **out);
ATTR_MUST_CHECK int local_book_copy(const struct local_book *from, struct local_book **out);
void local_book_free(struct local_book *b); // NULL is fine

struct local_item {
	const struct dns_name *name;
	uint8_t voice, covers, reply;
	uint16_t but_type; // the rule is not for this type; 0: for all
	uint16_t rtype, rdata_len;
	const uint8_t *rdata;
	uint32_t ttl_s;
};
// A CNAME is given as RULE_REPLY_DATA: whether it is one is found out by local_book_settle.
// -ENOMEM; -E2BIG: over LOCAL_ITEMS_MAX.
ATTR_MUST_CHECK int local_book_add(struct local_book *b, const struct local_item *item);

// When all is in: sorts, lets the loudest speak, and finds out which CNAMEs lead to local data
// (RULE_REPLY_DATA, the image follows them) and which to names of others (RULE_REPLY_RESOLVE).
void local_book_settle(struct local_book *b);

// Passes on the remaining items, in the order of names. A result other than 0 stops, and is
// returned.
int local_book_rules(const struct local_book *b, unsigned first_voice, unsigned last_voice,
	list_rule_take take, void *arg);
