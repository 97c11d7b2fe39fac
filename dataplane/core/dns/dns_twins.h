// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Records that the answer section of a reply has twice: of one owner, type, class and data (RFC
// 2181 5: that is meaningless, and such duplicates should be suppressed). Aliases too: who asks for
// type CNAME or ANY gets all of a name, and not only the one that would be followed.
//
// Data that hold names are compared as they are on the wire: two that are written with other
// pointers are taken for different. Some microseconds for a thousand records: names are read only
// of twins that dns_select.c kept for different steps, DNS_STRANGERS_MAX times at most.

#include "dns_records.h"

void dns_twins_drop(struct dns_records *t); // the first one of them stays kept
