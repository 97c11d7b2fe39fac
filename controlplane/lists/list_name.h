// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Names as lists write them: any case, a dot behind or not, UTF-8 (made A-labels, IDNA2008).
// Stateless; 30 ns for a plain name, a microsecond for an international one.

#include "list_rule.h"
#include "list_text.h"

// Host bytes and dots only, of any number of labels; a dot behind or not. False: something else,
// and *out is undefined.
bool list_name_scan(struct list_text text, struct dns_name *out);
bool list_name_scan_bytes(struct list_text text, struct dns_name *out); // accepts no dot behind

bool list_name_is_host(const struct dns_name *name); // checks a name in wire form

// Why a scanned name is none for a list; LIST_REJECT_COUNT: it is. Single labels and public
// suffixes are good when `force`.
enum list_reject list_name_check(const struct dns_name *name, bool force);

// Both, and international names. *out is undefined after a refusal.
enum list_reject list_name_read(struct list_text text, bool force, struct dns_name *out);

bool list_name_is_special(const struct dns_name *name); // localhost and similar names

// An IPv4 or IPv6 address, the latter with a zone (fe80::1%lo0) or not.
bool list_text_is_address(struct list_text text);

// `192.0.2.1`, `2001:db8::/32`. False: neither, bits behind the prefix, or the prefix /0.
bool list_prefix_read(struct list_text text, struct ip_address *out);

// An address whose answers a list of names may block: in brackets or not, a prefix, or `192.0.2.`.
// False: it is no address, or one of the own network or of this machine, whose names a list from
// elsewhere must not take away.
bool list_answer_read(struct list_text text, struct ip_address *out);
enum { LIST_OWN_PREFIXES = 10 };
extern const char *const list_own_prefixes[LIST_OWN_PREFIXES];

// A UTF-8 name as A-labels (IDNA2008 by way of UTS 46, non-transitional, by libidn2),
// NUL-terminated. False: it is none. Input over LIST_IDN_TEXT_MAX * 4 bytes is none.
enum { LIST_IDN_TEXT_MAX = 256 };
bool list_name_to_ascii(struct list_text text, char out[LIST_IDN_TEXT_MAX]);
