// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Files of trust anchors that another program keeps by RFC 5011: unbound-anchor, or unbound with
// `auto-trust-anchor-file`. Such a file has all keys that the program has seen, and behind each a
// comment with its state. Only valid ones, and valid ones that the zone misses out, are trust
// anchors (RFC 5011 4.2). A key that waits for the end of its hold-down time, or that is revoked,
// stands there as a plain record.

#include <stdbool.h>
#include <weir/attr.h>

bool config_anchors_are_kept(const char *text);

// The keys of such a file that are trust anchors, as "OWNER IN DNSKEY ..." and a newline each, in
// `out`, which has room for strlen(text) + 1 bytes. How many they are; -EBADMSG: a line that no
// such program writes.
ATTR_MUST_CHECK int config_anchors_valid(const char *text, char *out);
