// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Queries of resolvers to upstream servers (MSG_SEND): checked and framed by the hops image that
// the worker has activated, over IPv4 or IPv6, with DF, a UDP checksum and the next hop's VLAN. A
// query that cannot be sent is counted, and its resolver reported (HEARD_REFUSED), so that it can
// use a socket; one of another life or with wrong numbers is only counted. Worker-local.

#include "state/worker.h"

// A message of `len` bytes from a resolver's answer ring. The frame, for client port *port; NULL:
// refused, and `*reported` whether there is a message for the resolver, which the caller publishes.
ATTR_MUST_CHECK struct rte_mbuf *server_send_frame(struct worker *w, unsigned resolver,
	const void *msg, size_t len, unsigned *port, bool *reported);
