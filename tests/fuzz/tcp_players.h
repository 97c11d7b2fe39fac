// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Clients over TCP that a fuzz body plays, on the server that they ask and an engine of its own,
// which knows of each question whose it is. The clock stands still unless the body turns it. What a
// message is stands in its byte TCP_PLAYERS_ORDER_AT, one of tcp_players_orders.

#include "controlplane/frontend/frontend_tcp_internal.h"
#include "fuzz.h"

enum {
	TCP_PLAYERS = 6,
	TCP_QUESTIONS_MOST = 8192, // of one input; more get no reply
	TCP_PLAYERS_ORDER_AT = 12,
	TCP_PLAYERS_SHORTEST = 13, // message that has an order
};

extern struct tcp_player {
	int fd;                           // its end; -1: none
	struct frontend_session *session; // the server's; NULL: it has ended
	unsigned life;
	bool keepalive; // it has asked for how long it may be silent
	uint8_t *said;
	size_t said_len, asked; // bytes; of these asked
	uint8_t in[2 + DNS_MESSAGE_MAX];
	size_t in_len;
} tcp_player[TCP_PLAYERS];

extern struct tcp_question {
	unsigned client, life;
	char order;
	bool is_open; // its reply has not come
} tcp_question[TCP_QUESTIONS_MOST];
extern unsigned tcp_questions, tcp_players_later; // of these to be answered later
extern struct frontend_tcp *tcp_server;
// At once, later; big ones; none; not DNS; with an OPT, at once and later.
extern const char tcp_players_orders[];

void tcp_players_begin(void);          // once
void tcp_players_server(unsigned how); // begins to serve, with the limits that these bits choose
void tcp_players_limit(unsigned how);  // what tcp_players_limits() is from now on
const struct config_tcp *tcp_players_limits(void);
void tcp_players_turn(void);            // what is ready on the loop
void tcp_players_wait(unsigned ms);     // the clock
void tcp_players_reply(unsigned which); // to one of those that wait
void tcp_player_open(unsigned i, unsigned from);
void tcp_player_close(struct tcp_player *c);
void tcp_player_say(struct tcp_player *c, const void *bytes, size_t len);
// Reads, and judges what is whole. False: nothing has come.
bool tcp_player_read(struct tcp_player *c, size_t most);
