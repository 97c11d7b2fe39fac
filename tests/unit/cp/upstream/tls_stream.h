// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// stream_rig.h with TLS on each connection (tls_rig.h): the server's side, which the test plays.

#include "stream_rig.h"
#include "tests/unit/cp/tls/tls_rig.h"

enum { TLS_STREAM_CONNS = 32, TLS_STREAM_IN = 4096 };

struct tls_stream {
	struct tls_side *side;
	bool done; // the handshake
	size_t len;
	uint8_t in[TLS_STREAM_IN]; // what came and was not taken
};

extern struct tls_stream conn[TLS_STREAM_CONNS]; // as rig.conn

// A server for dns.example, as configured; afterwards: no query came in clear text.
int tls_stream_setup(void **state);
int tls_stream_teardown(void **state);

void server_is(enum tls_rig_kind kind); // for connections from now on
void name_is(const char *name);         // in the configuration
void serve_all(void);                   // what can be done now
void conn_close(unsigned i, bool reset);
size_t question_end(const uint8_t *msg);
void query_take(unsigned i, struct stream_query *q); // waits for it
void answer(unsigned i, const struct stream_query *q);
void ask_wait(unsigned number);                 // until it has ended, one way or the other
void answer_asked(unsigned i, unsigned number); // that question, on that connection
void answer_ask(unsigned i);      // a question that is asked and answered on that connection
void ask_fails(void);             // one that is not
bool has_failed(const void *arg); // a handshake, by the enum tls_failure
