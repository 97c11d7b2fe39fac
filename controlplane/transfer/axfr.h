// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// A zone from its server by AXFR over TCP (RFC 5936) or TLS (RFC 9103), as lines of a master file
// (axfr_ixfr.h). With a key the queries are signed, and so must be the replies (tsig.h); lines may
// come before the message that verifies them.
//
// With the serial of a present copy it first asks for the SOA, and the same serial ends the
// exchange: the zone did not change. With `change` it begins with a question for the differences
// since that serial, by IXFR (RFC 1995), and goes on with the SOA only if the server
// refuses, has an older one, or sends differences that do not fit together. Each question has a
// connection of its own, as servers may close one after a reply.
//
// Bounds: `connect_ms` to connect, and as long for the handshake of TLS; `idle_ms` without a byte,
// `deadline_ms` for all, `max_bytes` of messages to a question. Blocks: for helper threads. It
// checks `stop` ten times a second. 80 KiB of heap while it runs.

#include "axfr_ixfr.h"

#include <stdatomic.h>
#include <weir/config.h>

struct axfr_request {
	struct socket_address server;
	struct dns_name zone;
	bool has_serial;
	uint32_t serial;                   // the present copy's
	const struct config_tsig_key *key; // NULL: nothing is signed
	struct tls_peer *peer;             // whom the server must be (tls.h); NULL: in clear text
	uint64_t max_bytes;
	uint64_t deadline_ms; // clock_mono_ms
	unsigned connect_ms, idle_ms;
	const _Atomic bool *stop;                             // may be NULL
	int (*text)(void *arg, const char *line, size_t len); // not 0: ends the transfer with that
	// A line of the copy that leaves, or one that joins it; NULL: whole zones alone. Not 0:
	// weir asks for the whole zone.
	int (*change)(void *arg, bool joins, const char *line, size_t len);
	void *arg;
};

struct axfr_result {
	bool connected; // false: the server was not reached by TCP
	bool unchanged;
	bool is_difference; // `change` has got it, and `text` the new SOA
	uint32_t serial;
	uint64_t bytes; // bytes of all messages
	char why[AXFR_WHY_MAX];
	char instead[AXFR_WHY_MAX]; // why the whole zone was asked for after all; "": it was not
};

// 0: the zone is whole, or `unchanged`. -EFBIG, -ETIMEDOUT, -ECANCELED, -ENOMEM, what `text`
// returned; -EPROTO and -EBADMSG of axfr_read, -EKEYREJECTED of tsig_take or of a handshake; -EIO:
// any other error of the network. `why` with all but those of `text`.
ATTR_MUST_CHECK int axfr(const struct axfr_request *request, struct axfr_result *out);
