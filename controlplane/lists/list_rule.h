// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// One rule, as every source of rules hands it to the builder of the image: parsed lists, the
// operator's entries, services, safe search, local data. All pointers are the giver's, valid during
// the call.

#include <weir/config.h>
#include <weir/dns_name.h>
#include <weir/rule_class.h>

enum list_rule_what {
	LIST_RULE_NAME,    // `name`, in the image's table
	LIST_RULE_PATTERN, // `pattern`: a regular expression, for names (list_parse.h: /.../)
	LIST_RULE_ADDRESS, // `prefix`: of addresses in answers
};

enum { LIST_PATTERN_MAX = 1024 };

// CNAMEs one after the other: the first has the rule's name, each further one the target before.
struct list_chain {
	unsigned count;
	struct {
		const uint8_t *target; // `len` bytes
		uint32_t ttl_s;
		uint8_t len;
	} alias[CONFIG_ALIASES_MAX];
};

struct list_rule {
	enum list_rule_what what;
	struct rule_kind kind;
	uint32_t line; // in the source, from 1 on; 0: it has none
	const struct dns_name *name;
	const char *pattern; // without the slashes, not NUL-terminated
	size_t pattern_len;
	struct ip_address prefix;
	// One record of the name, where kind.reply is RULE_REPLY_DATA. Without a type the rule
	// gives the name no record (an empty name: NODATA for every type).
	uint16_t rtype; // 0: none
	uint16_t rdata_len;
	uint32_t ttl_s;
	const uint8_t *rdata; // wire form, names in it not compressed
	// In front of the record, which has the name of the last target; NULL: none. Without a type
	// it is for all types that no other rule has: the CNAMEs, and no data or, with
	// `chain_is_dead`, NXDOMAIN.
	const struct list_chain *chain;
	bool chain_is_dead;
};

// Not 0 stops the source for good, which returns it.
typedef int (*list_rule_take)(void *arg, const struct list_rule *rule);
