// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Where rules come from: block lists, when they are fetched, and the operator's entries with an
// end. Part of config.h, whose constants this header needs.

#include <stdbool.h>
#include <stdint.h>
#include <weir/attr.h>
#include <weir/config_clients.h>
#include <weir/config_log.h>
#include <weir/dns_name.h>
#include <weir/rule_class.h>

// How to read the lines of a list.
enum list_format {
	LIST_FORMAT_AUTO, // each line by its own format
	LIST_FORMAT_HOSTS,
	LIST_FORMAT_DOMAINS,
	LIST_FORMAT_ADBLOCK,
	LIST_FORMAT_DNSMASQ,
	LIST_FORMAT_UNBOUND,
	LIST_FORMAT_RPZ,
	LIST_FORMAT_ADDRESSES, // addresses in answers to block, no names
	LIST_FORMAT_COUNT
};
bool config_list_format(const char *word, uint8_t *out); // false: no such format
const char *config_list_format_text(uint8_t format);     // "auto"

enum config_tsig_algorithm { CONFIG_TSIG_SHA256, CONFIG_TSIG_SHA512, CONFIG_TSIG_ALGORITHMS };
enum {
	CONFIG_TSIG_KEYS_MAX = 8,
	CONFIG_TSIG_SECRET_MIN = 16,
	CONFIG_TSIG_SECRET_MAX = 128,
	CONFIG_TSIG_PATH_MAX = 200,
};

// Whom the server of a zone transfer over TLS must be (RFC 9103).
struct config_list_tls {
	char name[CONFIG_TLS_NAME_MAX + 1]; // name in the certificate, lower case; "": the address
	char ca_file[CONFIG_CA_FILE_MAX + 1]; // absolute; "": the system's authorities
	unsigned pin_count;
	uint8_t pin[CONFIG_PINS_MAX][CONFIG_PIN_LEN]; // SHA-256 of public keys
};

// A key of zone transfers (RFC 8945).
struct config_tsig_key {
	struct dns_name name;
	uint8_t algorithm; // enum config_tsig_algorithm
	uint8_t secret_len;
	char secret_file[CONFIG_TSIG_PATH_MAX + 1];
	uint8_t secret[CONFIG_TSIG_SECRET_MAX]; // wiped by config_free
};

struct config_list {
	char *name; // title, unique
	// Absolute, or relative to the configuration file (config_load makes it absolute); NULL:
	// weir fetches `url`.
	char *path;
	// http, https, or a transfer of RPZ: axfr, ixfr, either with +tls; NULL: a local file. May
	// hold a password: show it by url_shown.
	char *url;
	uint8_t format;    // enum list_format
	bool allow, exact; // exact: plain names and names of hosts lines cover no names below
	bool force;        // accepts single labels, top level domains and public suffixes
	uint8_t tsig;      // number in tsig_keys, from 1, of the transfer's key; 0: no key
	struct config_list_tls *tls; // settings of a transfer over TLS; else NULL
};

struct config_blocking;
// Is a list of that name defined, but out of use?
bool config_list_is_disabled(const struct config_blocking *b, const char *name);

// Private addresses in answers to public names.
struct config_rebinding {
	bool enabled; // false
	unsigned allow_count;
	struct dns_name *allow; // names that may have private addresses, with all names below
};

enum update_start { UPDATE_START_FAST, UPDATE_START_BLOCKING, UPDATE_START_FAIL };

// When and how lists are fetched.
struct config_update {
	uint32_t interval_s;      // 86400; 0: only on request
	uint32_t jitter_s;        // 3600: added to the interval, up to this much
	uint8_t start;            // enum update_start
	uint32_t start_timeout_s; // 60
	uint32_t timeout_s;       // 60: one download with all its redirects
	uint32_t max_mb;          // 64, as sent and as unpacked
	uint32_t max_redirects;   // 5
	bool allow_private;       // false
	unsigned bootstrap_count; // 0: upstreams.servers
	struct socket_address bootstrap[CONFIG_UPSTREAMS_MAX];
};
enum { CONFIG_UPDATE_INTERVAL_MIN_S = 60 };

enum { CONFIG_DATED_MAX = 10000, CONFIG_DATED_WHY_MAX = 200 };

// An item of `entries`. Until it ends, one that is not special is also in blocking.allow or
// blocking.deny, or in `allow` or `deny` of its group.
struct config_dated_entry {
	bool allow;
	bool ended;     // at the load: `until` had passed by the clock, so it has no effect
	unsigned group; // number; 0: everyone else
	struct dns_name name;
	char *pattern;           // regular expression, without the slashes; NULL: `name` counts
	bool inverts;            // the pattern is for the names that it does not match
	struct rule_types types; // query types that it is for
	uint8_t reply;           // enum rule_reply; an allow entry has RULE_REPLY_GROUP
	char *why;               // the operator's reason, UTF-8; "": not given
	int64_t until;           // Unix time; 0: it does not end
};

enum {
	// Combinations of types and reply of the special entries of a group and a verdict. With the
	// entries for every type and blocking.types a source has 32 kinds of rules at most
	// (controlplane/rule_image/rule_numbers.h).
	CONFIG_ENTRY_KINDS_MAX = 30,
};

struct config_dated {
	unsigned count;
	struct config_dated_entry *entries; // ordered as in the files
};

// Has the entry, which has not ended, query types or a reply of its own, or an inverted pattern?
static inline bool config_dated_is_special(const struct config_dated_entry *e)
{
	return !e->ended && (e->types.count || e->reply != RULE_REPLY_GROUP || e->inverts);
}

enum { CONFIG_TYPES_TEXT_MAX = 64 };
// Writes "A,AAAA", or "~A,~AAAA" for all but these; "": all. Returns `out`.
char *config_types_text(const struct rule_types *t, char out[CONFIG_TYPES_TEXT_MAX]);
// The value of `reply`; "": as the group says.
const char *config_dated_reply_text(const struct config_dated_entry *e);

// Reads "2026-11-25T20:00:00Z" as Unix time. -EINVAL: it is no such time, or before 1970.
ATTR_MUST_CHECK int config_time_parse(const char *text, int64_t *out);
enum { CONFIG_TIME_TEXT_MAX = 32 };
char *config_time_text(int64_t unix_s, char out[CONFIG_TIME_TEXT_MAX]);
