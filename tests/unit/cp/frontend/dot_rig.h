// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// tcp_rig.h's server with DNS over TLS, and clients of it whose calls wait.

#include "tcp_rig.h"
#include "tests/unit/cp/tls/tls_rig.h"

struct tls_server *dot_certificate(enum tls_rig_kind kind);
void dot_start(void); // tcp_rig_start, with TLS_RIG_GOOD

struct dot {
	int fd;
	struct tls_side *side;
};

struct dot dot_connect(unsigned host); // with its handshake
void dot_close(struct dot d);
void dot_ask(struct dot d, uint16_t id, char order);
bool dot_tries(
	struct dot d, uint16_t id, char order); // the server may have closed; was it written?
size_t dot_reply(struct dot d, uint8_t *out);
void dot_reply_is(struct dot d, uint16_t id, size_t len);
void dot_echo(struct dot d, uint16_t id); // asks, and is answered
void dot_gone(int fd);                    // is closed, perhaps after an alert; and closes it
