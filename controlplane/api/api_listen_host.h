// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Is the box meant by the name that a request over clear text asks for? A browser sends in the
// field Host the name that stands in its address bar, also after that name's owner has rebound it
// to the box's address. Known are: no name (clients without Host are no browsers), an IPv4 or IPv6
// address, localhost, the machine's own name, and those of `metrics.hosts`. The port does not
// matter. Any thread.

#include <stdbool.h>
#include <weir/config.h>

bool api_listen_host_is_known(const struct config_metrics *m, const char *host); // NULL: no field
