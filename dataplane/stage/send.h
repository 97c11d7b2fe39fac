// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Sends frames on a client port in one burst, counts them, and frees what the port does not take:
// a full port drops (counter tx_full) and never makes a worker wait.

#include "state/worker.h"

// Takes all `n` frames over. Number sent.
unsigned send_to_clients(
	struct worker *w, const struct worker_port *port, struct rte_mbuf **frame, unsigned n);
