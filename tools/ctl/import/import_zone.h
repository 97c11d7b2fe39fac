// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Zone files (RFC 1035 5): records for local.records. Owners and names in data become absolute.
// $ORIGIN and $TTL count; $INCLUDE and $GENERATE are misses. SOA, NS and DNSSEC records belong to
// the zone as such and are left out; a record FWD, as Technitium has it, is a forward zone.

#include "import_model.h"

enum { IMPORT_ZONE_LINE_MAX = 16384 }; // bytes of a record, lines in parentheses together

// `origin`: of the zone, or "" where the text says it. Returns the number of records that were
// read. The zone of an SOA record becomes a local zone.
unsigned import_zone_text(struct import_model *m, const char *text, const char *origin);
