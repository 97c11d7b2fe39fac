// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Finds records that the answer section of a reply has twice: of one owner, type, class and data
// (RFC 2181 5: such duplicates should be suppressed). Aliases too: a question for type CNAME or ANY
// gets all of a name, not only the one that a resolver follows.
//
// Data with names are compared as on the wire: with other pointers they count as different. Some
// microseconds for a thousand records: names are read only of twins that dns_select.c kept for
// different steps, DNS_STRANGERS_MAX times at most.

#include "dns_records.h"

void dns_twins_drop(struct dns_records *t); // the first one of them stays kept
