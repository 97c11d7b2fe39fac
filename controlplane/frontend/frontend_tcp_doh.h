// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// What frontend_tcp_doh.c (requests) and frontend_tcp_doh_out.c (responses) share. The frontend
// loop's thread.

#include "doh/doh.h"
#include "frontend_tcp_conn.h"

struct frontend_doh {
	struct doh_conn *conn;
	size_t plain;    // bytes that it may hold for its life
	size_t buffered; // what it has above that, of tcp.buffer_kb
};

// Gathers what there is to send: before other connections have their turn, tcp_doh_go_on.
enum frontend_tcp_end tcp_doh_gather(struct frontend_conn *c, uint64_t now_ms);
// After any call of the room: sends, and ends what has ended by itself. Where its client is to read
// why, it gets its last responses first. `end`: of that call.
enum frontend_tcp_end tcp_doh_go_on(
	struct frontend_conn *c, enum frontend_tcp_end end, uint64_t now_ms);
enum frontend_tcp_end tcp_doh_reply_put(
	struct frontend_conn *c, const struct frontend_reply *reply, uint64_t now_ms);
