// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// What upstream.c (the order of things), upstream_server.c (what is known of a server),
// upstream_leg.c (one query) and upstream_tcp.c share.

#include "upstream.h"
#include "upstream_limit.h"

#include <event2/event.h>

// Something that is turned down: left out until then after so many times.
struct upstream_lack {
	unsigned strikes;
	uint64_t until_ms;
};

struct upstream {
	struct config_upstream config; // name is our own copy
	char name[64];
	uint16_t number; // in the book
	union upstream_peer address;
	socklen_t address_len;
	uint32_t srtt_us; // 0: not known yet
	struct took took;
	unsigned timeouts_in_a_row, case_strikes;
	struct upstream_lack no_edns, no_option; // OPT; over TCP the keepalive option
	unsigned wait_shift; // waits double with each query, sent once, that was not answered
	uint64_t answered_us;
	uint64_t down_until_ms;
	bool was_down; // logged as down
	struct upstream_limit tcp_limit;
	uint64_t sent, answered, timeouts, bad_replies, tcp_retries, send_errors, failures,
		case_changed, tcp_opened;
};

struct upstreams {
	struct loop *loop;
	struct upstream_callbacks callbacks;
	struct rng rng;
	uint64_t generation;
	unsigned count, first_timeout_ms, max_sends, backoff_s;
	struct upstream server[CONFIG_UPSTREAMS_MAX];
	struct upstream_sockets *sockets;
	struct upstream_streams *streams;
	struct upstream_totals totals; // but `sockets` and `streams`
	uint8_t buf[DNS_MESSAGE_MAX];  // the datagram being looked at
};

// A step of an ask, of server `i` of its list or of none. Once it is stopped there are none.
ATTR_INLINE void upstream_note(
	struct upstream_ask *a, enum trace_step step, int i, unsigned n, uint64_t value)
{
	const struct upstreams *u = a->owner;
	if (likely_(!u->callbacks.watched || *u->callbacks.watched == 0))
		return;
	const struct trace_event e = {.step = (uint8_t)step,
		.n = (uint8_t)n,
		.server = i >= 0 && a->generation == u->generation ? u->server[i].number
								   : LOG_NO_UPSTREAM,
		.value = value < UINT32_MAX ? (uint32_t)value : UINT32_MAX};
	u->callbacks.note(a, &e);
}

// A query has left, whoever still waits for its reply. NULL: its server has left the list.
void upstream_server_sent(struct upstreams *u, struct upstream *s);
// A reply that is believed; rtt_us 0: it tells no round-trip time.
void upstream_server_answered(struct upstream *s, uint64_t rtt_us, uint64_t now_us, bool failure);
// A wait for the leg's reply is over.
void upstream_server_timed_out(
	struct upstream *s, const struct upstream_leg *leg, unsigned backoff_s);
// An answer to be used; `with` it, or `without`: after that had been turned down.
void upstream_server_lack(
	struct upstream *s, struct upstream_lack *l, bool with, bool without, uint64_t now_ms);
// How long to wait for the `sends`th query to it, first being 1.
unsigned upstream_server_wait_ms(
	const struct upstream *s, unsigned first_timeout_ms, unsigned sends);

// The first time or once more.
ATTR_MUST_CHECK int upstream_leg_send(struct upstream_leg *leg, uint64_t now_us);
void upstream_leg_readable(struct upstream_socket *s);
// By TCP, all at once; upstream_tcp_free takes what there is either way.
ATTR_MUST_CHECK int upstream_tcp_start(
	struct upstream_ask *a, unsigned server, struct upstream_leg **leg);
void upstream_tcp_free(struct upstream_ask *a); // its leg as well; NULL is fine
extern const struct upstream_stream_calls upstream_tcp_calls;

void upstream_leg_close(struct upstream_leg *leg); // a closed one is fine; of UDP

// The server of a leg; NULL if the list has changed since it was asked.
struct upstream *upstream_leg_server(const struct upstream_leg *leg);
int upstream_leg_index(const struct upstream_leg *leg); // likewise; -1: it has changed
// Of the UDP legs: the open one to a server of the ask's list, or NULL.
struct upstream_leg *upstream_leg_to(struct upstream_ask *a, unsigned server);
// One that is not in use, or else the one that was sent to the longest ago, closed.
struct upstream_leg *upstream_leg_spare(struct upstream_ask *a);
bool upstream_leg_any(const struct upstream_ask *a); // is open
// A leg to server i of the present list, with an id and letter case of its own.
void upstream_leg_init(
	struct upstream_leg *leg, struct upstream_ask *a, unsigned server, bool mixed_case);
// Its query as it goes out. Bytes, or 0.
uint16_t upstream_leg_query(const struct upstream_leg *leg, uint8_t *out, size_t cap);
bool upstream_leg_matches(
	const struct upstream_leg *leg, const uint8_t *msg, size_t len, bool exact_case);
void upstream_leg_count_bad(struct upstream_leg *leg); // a reply that is not believed
// Is it what a server says that does not know EDNS, to a query with an OPT?
bool upstream_leg_is_too_old(const struct upstream_leg *leg, const uint8_t *msg, size_t len);
// The same as a header alone, from servers that cannot even find the question's end (RFC 8906).
bool upstream_leg_is_bare_refusal(const struct upstream_leg *leg, const uint8_t *msg, size_t len);

// Events of the transports. Unless upstream_replied says UPSTREAM_IGNORED the leg is closed, and
// the ask has moved on or is gone, when these return.
// Writes the question of `msg` in lower case: names of the reply may point into it, and what the
// leg's letter case was is nobody's business.
enum upstream_take upstream_replied(struct upstream_leg *leg, uint8_t *msg, size_t len);
void upstream_tcp_failed(struct upstream_leg *leg);
// For the reply to what has a connection after a wait, or another one than before.
void upstream_tcp_wait(struct upstream_leg *leg, unsigned longest_ms);
void upstream_go_plain(struct upstream_leg *leg); // the same server without an OPT
bool upstream_can_tcp(const struct upstream_leg *leg);
void upstream_go_tcp(struct upstream_leg *leg, bool truncated);
