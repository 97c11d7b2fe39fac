// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// What upstream.c (the order of things) and its two transports share.

#include "upstream.h"

#include <event2/event.h>

struct upstream {
	struct config_upstream config; // name is our own copy
	char name[64];
	struct sockaddr_storage address;
	socklen_t address_len;
	uint32_t srtt_us; // 0: not known yet
	unsigned timeouts_in_a_row, case_strikes;
	uint64_t down_until_ms;
	bool was_down; // logged as down
	uint64_t sent, answered, timeouts, bad_replies, tcp_retries, send_errors, failures,
		case_changed;
};

struct upstreams {
	struct loop *loop;
	struct upstream_callbacks callbacks;
	struct rng rng;
	uint64_t generation;
	unsigned count, first_timeout_ms, max_sends, backoff_s;
	struct upstream server[CONFIG_UPSTREAMS_MAX];
	struct upstream_totals totals;
	uint8_t buf[DNS_MESSAGE_MAX]; // the datagram being looked at
};

// Transports: open, send and arm the event. 0 or -errno, then upstream_close is due all the same.
ATTR_MUST_CHECK int upstream_udp_start(struct upstream_ask *a);
ATTR_MUST_CHECK int upstream_tcp_start(struct upstream_ask *a);
void upstream_tcp_free(struct upstream_ask *a);
void upstream_close(struct upstream_ask *a); // socket, event, connection

// Waits for `what` on the socket until a->due_us, which no reply puts off.
void upstream_wait(struct upstream_ask *a, short what, event_callback_fn fn);

// The query as it goes out, with a new id and letter case. Octets, or 0.
uint16_t upstream_write_query(struct upstream_ask *a, uint8_t *out, size_t cap);

// The server that the ask waits for; NULL if the list has changed since it was asked.
struct upstream *upstream_of(const struct upstream_ask *a);
void upstream_count_bad(struct upstream_ask *a); // a reply that is not believed

// Events of the transports. Unless upstream_replied says UPSTREAM_IGNORED the ask has moved on, or
// is gone, when these return.
enum upstream_take upstream_replied(struct upstream_ask *a, const uint8_t *msg, size_t len);
void upstream_timed_out(struct upstream_ask *a);
void upstream_tcp_failed(struct upstream_ask *a);
bool upstream_can_tcp(const struct upstream_ask *a);
void upstream_go_tcp(struct upstream_ask *a, bool truncated);
