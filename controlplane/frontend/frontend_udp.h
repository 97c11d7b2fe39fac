// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// UDP/53 on sockets of the kernel, one for each service address: answers queries that the XDP
// program passes to the kernel because no data plane runs, from the same cache and by the same
// rules (frontend.h). Frontend loop's thread only. Each frontend has sockets of its own on the
// same addresses; the kernel chooses one of them by the client's address and port.
//
// The sockets are always open, so nothing has to switch: while a data plane runs, its queries do
// not get here; when it dies the program passes them, and once a new one has bound its queues they
// stop. A port other than AF_XDP takes its frames from the kernel for good, so without an AF_XDP
// port nothing is opened, unless fallback.udp is `on`.
//
// Each socket is bound to its address (IP_FREEBIND: it need not exist yet), so replies have the
// right source. A datagram from a balancer (proxy_protocol.from) begins with a PROXY header, whose
// client counts in the place of the sender; a datagram without a valid header is dropped. An
// address in use is tried again each FRONTEND_UDP_RETRY_S. At most FRONTEND_UDP_BURST queries of a
// socket in an iteration of the loop; the kernel drops queries beyond its queue, counted as
// kernel_drops. Replies that a socket does not accept at once are dropped and counted: the client
// asks again. No path MTU is learnt (RFC 9715), so forged errors cannot make replies smaller.

#include "base/counts.h"
#include "base/table_registry.h"

#include <weir/config.h>

struct frontend_udp;
struct frontend;
struct loop;
struct publisher;

enum {
	FRONTEND_UDP_BATCH = 32,
	FRONTEND_UDP_BURST = 256,
	FRONTEND_UDP_QUERY_MAX = 4096,
	FRONTEND_UDP_RETRY_S = 5,
	FRONTEND_UDP_FORWARDED = 4096, // questions of clients that balancers named, without answer
	FRONTEND_UDP_BUFFER = 1 << 20, // receive buffer, as far as net.core.rmem_max allows
};

#define FALLBACK_COUNTS(X)                                                                     \
	X(FIRST, unsigned, sockets, NAMED("addresses"), NONE,                                  \
		"Sockets, one for each service address; 0: the fallback is off.")              \
	X(LEAST, unsigned, bound, SAME, SAME,                                                  \
		"Service addresses to which the control plane is bound.")                      \
	X(SUM, uint64_t, received, SAME, TOTAL,                                                \
		"Queries that the control plane received over UDP.")                           \
	X(SUM, uint64_t, alone, SAME, TOTAL,                                                   \
		"Of these, queries while no data plane was attached.")                         \
	X(SUM, uint64_t, sent, SAME, TOTAL, "Replies that the control plane sent over UDP.")   \
	X(SUM, uint64_t, send_full, SAME, TOTAL,                                               \
		"Replies dropped because the kernel's send buffer was full.")                  \
	X(SUM, uint64_t, send_errors, SAME, TOTAL, "Replies that the kernel refused to send.") \
	X(SUM, uint64_t, too_long, SAME, NONE, "Queries over FRONTEND_UDP_QUERY_MAX bytes.")   \
	X(SUM, uint64_t, bad_source, SAME, NONE,                                               \
		"Queries from a port that no real client uses (sender.h).")                    \
	X(SUM, uint64_t, proxied, SAME, TOTAL,                                                 \
		"Queries of clients that a balancer named over UDP.")                          \
	X(SUM, uint64_t, bad_proxy, SAME, TOTAL,                                               \
		"Datagrams dropped: no PROXY header, or a bad one, from a balancer.")          \
	X(SUM, uint64_t, forwarded_full, SAME, TOTAL,                                          \
		"Queries of such clients dropped because too many waited.")                    \
	X(SUM, uint64_t, kernel_drops, SAME, TOTAL,                                            \
		"Queries dropped because the kernel's receive buffer was full.")

struct frontend_udp_status {
	FALLBACK_COUNTS(COUNT_FIELD)
};
COUNTS(fallback_rows, struct frontend_udp_status, "weir_fallback_", FALLBACK_COUNTS)

// *out is NULL where the fallback is off. `loop` is the frontend's. -ENOMEM.
ATTR_MUST_CHECK int frontend_udp_open(struct frontend_udp **out, struct frontend *frontend,
	struct publisher *publisher, struct loop *loop, const struct config *config, uint16_t port);
// Takes the balancers of a new configuration. On the loop; NULL is fine.
void frontend_udp_configure(struct frontend_udp *u, const struct config *config);
void frontend_udp_close(struct frontend_udp *u); // NULL is fine; before the engine's end
// Status and tables; with NULL all counts are 0.
void frontend_udp_status(const struct frontend_udp *u, struct frontend_udp_status *out);
void frontend_udp_tables(const struct frontend_udp *u, struct table_registry *tables);
