// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Socket files of memif servers that outlive their process. The driver makes the file and removes
// it at the end; a process that is killed leaves it, and the next one cannot bind: the data plane
// would not start until an operator removes the file by hand.
//
// Start-up only, before the ports are probed. Costs a connect for each memif server that has a file
// already.

#include <weir/config.h>

// Removes the socket file of each memif port of `dp` that is a server and to whose file nobody
// listens, and says so in the log. Anything else that is there stays: a file that is no socket, and
// a socket that a process listens to; the driver then says that it cannot bind. How many.
unsigned memif_left_remove(const struct config_dataplane *dp);
