// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The data plane's accounts, from its statistics, in a sample of the slope meter: its heap by
// subsystem, the unaccounted rest, and DPDK's memory by user. Names as in `weirctl mem accounts`,
// behind METER_DATAPLANE; an empty account has no series. DPDK's free memory is in no account. The
// figures of the heap change each two seconds, those of DPDK's memory each second. They are not
// trusted: any number is just a value.

#include "memory_sample.h"

#include <weir/stats_read.h>

void memory_dataplane_take(struct memory_sample *m, const struct stats_copy *s);
