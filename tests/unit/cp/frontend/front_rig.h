// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The front's engine on the resolver's rig: one session for each transport, asked from the calling
// thread, and what comes later kept in order.

#include "controlplane/frontend/front.h"
#include "tests/unit/cp/resolver/resolver_rig.h"

enum { LATER_MAX = 20000 };

struct front_rig_reply {
	union client_address client;
	enum front_transport transport;
	uint16_t len, opt;
	uint8_t msg[1200]; // the first octets
};

extern struct front_session front_session[FRONT_TRANSPORTS];
// What was said at once; whole.
extern uint8_t front_said[DNS_MESSAGE_MAX];
extern struct front_reply front_said_reply;
// What came later; `later_count` is written last.
extern struct front_rig_reply later[LATER_MAX];
extern _Atomic unsigned later_count;

void front_rig_open(void);  // after rig_setup
void front_rig_close(void); // before rig_teardown
// Before that it answers nobody.
void front_rig_admit_all(void);

struct front_rig_query {
	const char *name; // without escapes
	uint16_t type, id;
	uint16_t udp_size;  // 0: no OPT
	const char *client; // NULL: 198.18.0.2
};
// Its octets; returns their number.
size_t query_write(uint8_t msg[600], const struct front_rig_query *q);
enum front_outcome front_rig_ask(enum front_transport t, const struct front_rig_query *q);
enum front_outcome front_rig_ask_bytes(
	enum front_transport t, const char *client, const uint8_t *msg, size_t len);
// Number n of what comes later, waited for. wait_ms: as expect_answer.
const struct front_rig_reply *expect_later(unsigned n, unsigned wait_ms);
struct front_status front_now(void);        // on the loop
void front_rig_end(enum front_transport t); // as when its connection dies
