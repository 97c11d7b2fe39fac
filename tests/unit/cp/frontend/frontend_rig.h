// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The frontend's engine on the resolver's rig: one session for each transport, asked from the
// calling thread, and later replies kept in order.

#include "controlplane/frontend/frontend.h"
#include "tests/unit/cp/resolver/resolver_rig.h"

enum { LATER_MAX = 20000 };

struct frontend_rig_reply {
	union client_address client;
	enum frontend_transport transport;
	uint16_t len, opt;
	uint8_t msg[1200]; // the first bytes
};

extern struct frontend_session frontend_session[FRONTEND_TRANSPORTS];
// What was said at once; whole.
extern uint8_t frontend_said[DNS_MESSAGE_MAX];
extern struct frontend_reply frontend_said_reply;
// What came later; `later_count` is written last.
extern struct frontend_rig_reply later[LATER_MAX];
extern _Atomic unsigned later_count;

void frontend_rig_open(void);  // after rig_setup
void frontend_rig_close(void); // before rig_teardown
// Before that it answers nobody.
void frontend_rig_admit_all(void);
void frontend_rig_configure(void); // rig.config, of resolver and frontend
// Around a test: all of this and the resolver's rig, with answers that live for 300 s.
int frontend_rig_setup(void **state);
int frontend_rig_setup_closed(void **state); // admits nobody
int frontend_rig_teardown(void **state);

struct frontend_rig_query {
	const char *name;   // without escapes
	uint16_t type, id;  // type 0: A
	uint16_t udp_size;  // 0: no OPT
	const char *client; // NULL: 198.18.0.2
};
// Its bytes; returns their number.
size_t query_write(uint8_t msg[600], const struct frontend_rig_query *q);
enum frontend_outcome frontend_rig_ask(
	enum frontend_transport t, const struct frontend_rig_query *q);
#define FRONTEND_ASK(t, ...)   frontend_rig_ask(t, &(const struct frontend_rig_query){__VA_ARGS__})
#define FRONTEND_WAITS(t, ...) assert_int_equal(FRONTEND_ASK(t, __VA_ARGS__), FRONTEND_LATER)
enum frontend_outcome frontend_rig_ask_bytes(
	enum frontend_transport t, const char *client, const uint8_t *msg, size_t len);
// Waits for number n of the later replies.
const struct frontend_rig_reply *expect_later(unsigned n);
enum frontend_outcome ask_for(const char *name); // its address, over TCP
struct frontend_status frontend_now(void);       // on the loop
struct frontend_counts frontend_counts(enum frontend_transport t);
void frontend_rig_end(enum frontend_transport t); // as when its connection dies
