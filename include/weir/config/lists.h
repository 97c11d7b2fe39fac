// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Where rules come from: block lists, when they are fetched, and the operator's entries that may
// end. Part of config.h, whose constants it needs.

#include <stdbool.h>
#include <stdint.h>
#include <weir/attr.h>
#include <weir/config_clients.h>
#include <weir/config_log.h>
#include <weir/dns_name.h>

// How to read the lines of a list.
enum list_format {
	LIST_FORMAT_AUTO, // each for itself
	LIST_FORMAT_HOSTS,
	LIST_FORMAT_DOMAINS,
	LIST_FORMAT_ADBLOCK,
	LIST_FORMAT_DNSMASQ,
	LIST_FORMAT_RPZ,
	LIST_FORMAT_ADDRESSES, // of answers to block, not of names
	LIST_FORMAT_COUNT
};
bool config_list_format(const char *word, uint8_t *out); // false: no such format

enum config_tsig_algorithm { CONFIG_TSIG_SHA256, CONFIG_TSIG_SHA512, CONFIG_TSIG_ALGORITHMS };
enum {
	CONFIG_TSIG_KEYS_MAX = 8,
	CONFIG_TSIG_SECRET_MIN = 16,
	CONFIG_TSIG_SECRET_MAX = 128,
	CONFIG_TSIG_PATH_MAX = 200,
};

// Whom the server of a zone transfer over TLS must be (RFC 9103).
struct config_list_tls {
	char name[CONFIG_TLS_NAME_MAX + 1];   // of its certificate, lower case; "": its address
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
	char *name;     // title, unique
	char *path;     // absolute, or relative to the configuration file (made absolute by
			// config_load); NULL: fetched from `url`
	char *url;      // http, https, or a transfer of RPZ: axfr, ixfr, either with +tls; NULL: a
			// local file. May hold a password: shown by url_shown
	uint8_t format; // enum list_format
	bool allow, exact; // exact: plain names and those of hosts lines cover none below
	bool force;        // takes single labels, top level domains and public suffixes too
	uint8_t tsig;      // number in tsig_keys, from 1, of the key of its transfer; 0: none
	struct config_list_tls *tls; // of a transfer over TLS; else NULL
};

struct config_blocking;
// Is a list of that name defined, but out of use?
bool config_list_is_disabled(const struct config_blocking *b, const char *name);

// Private addresses in answers to public names.
struct config_rebinding {
	bool enabled; // false
	unsigned allow_count;
	struct dns_name *allow; // with all names below: they may have them
};

enum update_start { UPDATE_START_FAST, UPDATE_START_BLOCKING, UPDATE_START_FAIL };

// When and how lists are fetched.
struct config_update {
	uint32_t interval_s;      // 86400; 0: only on request
	uint32_t jitter_s;        // 3600: added to the interval, up to this much
	uint8_t start;            // enum update_start
	uint32_t start_timeout_s; // 60
	uint32_t timeout_s;       // 60, of one download with all its redirects
	uint32_t max_mb;          // 64, as sent and as unpacked
	uint32_t max_redirects;   // 5
	bool allow_private;       // false
	unsigned bootstrap_count; // 0: upstreams.servers
	struct socket_address bootstrap[CONFIG_UPSTREAMS_MAX];
};
enum { CONFIG_UPDATE_INTERVAL_MIN_S = 60 };

enum { CONFIG_DATED_MAX = 10000, CONFIG_DATED_WHY_MAX = 200 };

// One of `entries`. While it lasts its name or pattern is also one of blocking.allow,
// blocking.deny, or of the group's.
struct config_dated_entry {
	bool allow;
	bool ended;     // at the load: `until` had passed by the clock, so it has no effect
	unsigned group; // number; 0: everyone else
	struct dns_name name;
	char *pattern; // regular expression, without the slashes; NULL: `name` counts
	char *why;     // the operator's reason, UTF-8; "": none
	int64_t until; // Unix time; 0: it does not end
};

struct config_dated {
	unsigned count;
	struct config_dated_entry *entries; // in the order of the files
};

// "2026-11-25T20:00:00Z" as Unix time. -EINVAL: it is no such time, or before 1970.
ATTR_MUST_CHECK int config_time_parse(const char *text, int64_t *out);
enum { CONFIG_TIME_TEXT_MAX = 32 };
char *config_time_text(int64_t unix_s, char out[CONFIG_TIME_TEXT_MAX]);
