// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// One time zone from a file of the tz database (TZif, RFC 8536, versions 1 to 4), for a schedule
// that has another zone than the machine: localtime_r(3) knows one zone for the whole process.
//
// Only the offset from UTC counts here; names of zones and whether it is summer time do not. Files
// with leap seconds (`right/`) are refused, as weir's clock has none. A zone is constant once made:
// any thread may ask it. Pure functions, which allocate nothing but the zone.

#include "attr.h"

#include <stddef.h>
#include <stdint.h>

enum { TIME_ZONE_FILE_MAX = 32768 }; // bytes

struct time_zone;

// Reads the `len` bytes of a file, which may be anything. The caller frees *out with
// time_zone_free(). -EBADMSG: no TZif, out of its bounds, or with leap seconds; -ENOMEM.
ATTR_MUST_CHECK int time_zone_parse(const void *bytes, size_t len, struct time_zone **out);
void time_zone_free(struct time_zone *z); // NULL is ignored

// Seconds east of UTC at `unix_s`, at most 26 hours to either side. The rule behind the last
// transition of the file has no summer time before 1970 and from the year 9999 on.
int32_t time_zone_offset(const struct time_zone *z, int64_t unix_s);
