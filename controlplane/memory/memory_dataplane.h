// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The data plane's accounts, from its statistics, in a sample of the slope meter: what its heap has
// by subsystem, what nobody explains of it, and who has DPDK's memory. Names as `weirctl mem
// accounts` shows them, behind METER_DATAPLANE; an account that holds nothing takes no series. What
// is free of DPDK's memory is nobody's, hence no account. The figures of the heap change each ten
// seconds, those of DPDK's memory each second; whatever the other process wrote is a value, no
// more.

#include "memory_sample.h"

#include <weir/stats_read.h>

void memory_dataplane_take(struct memory_sample *m, const struct stats_copy *s);
