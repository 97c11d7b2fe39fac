// SPDX-License-Identifier: BSD-3-Clause
#pragma once

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
// Of a text without a rule, by the reason that most of its lines have.
extern const char *const list_reject_all[LIST_REJECT_COUNT];
