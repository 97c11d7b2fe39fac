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
#define RULE_EVERY_NAME "." // a pattern

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
	uint32_t line; // number of the line, from 1 on; 0: the rule has none
	bool off;      // it takes the same rule of its source away, and does nothing else
	const struct dns_name *name;
	// Where kind.globs: what the labels in front of `name` must fit (list_glob.h).
	const char *glob;
	size_t glob_len;
	const char *pattern; // text without the slashes, not NUL-terminated
	size_t pattern_len;
	bool inverts; // the pattern is for the names that it does not match
	struct ip_address prefix;
	// One record of the name, where kind.reply is RULE_REPLY_DATA. Without a type the rule
	// gives the name no record (an empty name: NODATA for every type).
	uint16_t rtype; // 0 without a record
	uint16_t rdata_len;
	uint32_t ttl_s;
	const uint8_t *rdata; // wire form; the names are not compressed
	const struct list_chain *chain;
	bool chain_is_dead;
};

// Not 0 stops the source for good, which returns it.
typedef int (*list_rule_take)(void *arg, const struct list_rule *rule);

// Why a line, or one name of a line, gives no rule.
#define LIST_REJECTS(X)                                                                        \
	X(SINGLE_LABEL, "single_label", "a name of one label, such as com")                    \
	X(PUBLIC_SUFFIX, "public_suffix", "a name under which others register, such as co.uk") \
	X(SPECIAL, "special_name", "localhost and other names that every machine needs")       \
	X(ADDRESS, "address", "an address of the own network, or where a name belongs")        \
	X(TOO_LONG, "name_too_long",                                                           \
		"a label over 63 bytes, or a name over 255 bytes or 40 labels")                \
	X(EMPTY_LABEL, "empty_label", "two dots in a row, or a dot in front")                  \
	X(CHARACTER, "character", "a character other than a letter, a digit, - or _")          \
	X(NON_ASCII, "non_ascii", "characters outside ASCII that are no IDNA2008 name")        \
	X(COSMETIC, "cosmetic", "AdBlock's rules about a page's elements")                     \
	X(FILTER, "filter_syntax", "AdBlock's rules that are not about a whole name")          \
	X(MODIFIER, "modifier", "AdBlock's rules with an option that DNS cannot apply")        \
	X(CLIENT, "client", "$client or $ctag that names no group, address or prefix")         \
	X(COPIES, "too_many_copies", "$client with several clients, over 16 MiB of copies")    \
	X(REWRITE, "rewrite", "an answer that a list cannot give, such as a CNAME")            \
	X(PATTERN, "pattern", "a pattern that is empty, too long or has invalid characters")   \
	X(URL, "url", "a URL or a path")                                                       \
	X(WORDS, "several_words", "several words without an address in front")                 \
	X(NO_NAME, "no_name", "an address without a name")                                     \
	X(HOSTS_ADDRESS, "hosts_address", "a hosts line whose address does not mean blocking") \
	X(PREFIX, "prefix", "no address or prefix in a list of addresses")                     \
	X(DNSMASQ, "dnsmasq", "an option of dnsmasq that blocks nothing")                      \
	X(UNBOUND, "unbound", "an option of unbound that blocks nothing")                      \
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
// The sentence for a text without a rule, by the reason that most of its lines have.
extern const char *const list_reject_all[LIST_REJECT_COUNT];
