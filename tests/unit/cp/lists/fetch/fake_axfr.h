// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// A DNS server on 127.0.0.1 over TCP, or TLS with a `context`, in a thread of the test, one
// connection at a time, that answers questions for the SOA and the transfer of rpz.test as `how`
// says, and those for differences as `ixfr` says: words of digits are SOAs of that serial, other
// words are owners below example.rpz.test of CNAME records to the root, "|" ends a message.

#include "fake_tsig.h"
#include "tests/unit/cp/http/fake_listener.h"
#include "tests/unit/cp/tls/tls_rig.h"

#include <weir/bytes.h>

enum fake_axfr_how {
	FAKE_AXFR_GOOD, // two messages
	FAKE_AXFR_ONE_RECORD_EACH,
	FAKE_AXFR_REFUSED,
	FAKE_AXFR_NOTAUTH,
	FAKE_AXFR_WRONG_ID,
	FAKE_AXFR_QUERY, // QR is off
	FAKE_AXFR_TC,
	FAKE_AXFR_OTHER_QUESTION,
	FAKE_AXFR_NO_SOA,       // in front
	FAKE_AXFR_NO_END,       // no SOA at the end, then it closes
	FAKE_AXFR_OTHER_SERIAL, // at the end
	FAKE_AXFR_BEHIND_END,   // a record behind the SOA at the end
	FAKE_AXFR_CUT,          // the message is shorter than its length said
	FAKE_AXFR_SHORT,        // the last record's data is longer than the message
	FAKE_AXFR_CLASS,        // a record of CH
	FAKE_AXFR_HEADLESS,     // a message of four bytes
	FAKE_AXFR_MANY,         // 120 messages
	FAKE_AXFR_ENDLESS,      // records for ever
	FAKE_AXFR_EMPTY,        // messages without records for ever
	FAKE_AXFR_STALL,        // nothing after the first message
	FAKE_AXFR_MUTE,         // no reply for 10 s, unless `how` is changed meanwhile
};

struct fake_axfr {
	struct fake_listener listener;
	uint16_t port;
	_Atomic enum fake_axfr_how how;
	_Atomic uint32_t serial;
	const char *_Atomic ixfr; // NULL: NOTIMP
	_Atomic unsigned soa_asked, axfr_asked, ixfr_asked, signed_asked, wrong_asked;
	_Atomic uint32_t ixfr_serial;    // that the client said last
	_Atomic enum fake_tsig_how sign; // replies to signed queries
	struct fake_tsig tsig;           // of the thread's, but for the key
	struct ssl_ctx_st *context;      // NULL: in clear text. Set while no one is connected
	_Atomic unsigned dot, resumed;   // connections with ALPN "dot"; of a resumed session
};

void fake_axfr_start(struct fake_axfr *f);
void fake_axfr_stop(struct fake_axfr *f);
