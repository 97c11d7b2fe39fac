// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Upstream servers: asking a question until one answers. Resolver loop's thread only.
//
// An ask sends one query at a time, each from a fresh connected UDP socket with a random port, id
// and letter case (RFC 5452; draft-vixie-dnsext-dns0x20), and believes only a reply from that
// address with that id and exactly that question. Anything else is counted and ignored while
// waiting goes on, without a longer deadline; ICMP errors are ignored as well. One reply with a
// wrong id, one that differs in letter case only, and TC move the ask to TCP with the same server.
// A server that changed letter case three times is asked without it from then on.
//
// Order: the servers as configured, those in back-off last, each at most UPSTREAM_SENDS_EACH times
// by UDP and once by TCP, at most max_sends in all whatever the cause. A server that timed out
// UPSTREAM_DOWN_AFTER times in a row is down for backoff_s. The first wait is min(first_timeout,
// max(50 ms, 3 * srtt)), doubled for each further query to the same server; the last one lasts
// until the ask's deadline, so a late reply still fills the cache. So an ask holds one socket.

#include "loop.h"
#include "rng.h"

#include <event2/event_struct.h>

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>
#include <weir/config.h>

enum {
	UPSTREAM_SENDS_EACH = 3,
	UPSTREAM_DOWN_AFTER = 3,
	UPSTREAM_CASE_STRIKES = 3,
	UPSTREAM_TCP_MAX = 256, // connections at once; one more is a failed send
	UPSTREAM_TCP_MS = 1000,
	UPSTREAM_QUESTION_MAX = DNS_NAME_MAX + 4,
	UPSTREAM_QUERY_MAX = 2 + DNS_HEADER_LEN + UPSTREAM_QUESTION_MAX + DNS_OPT_FIXED_LEN,
};

struct upstreams;
struct upstream_tcp;

enum upstream_transport { UPSTREAM_IDLE, UPSTREAM_UDP, UPSTREAM_TCP };

// One question's hunt for an answer; the caller embeds it. All fields are upstream*.c's.
struct upstream_ask {
	struct upstreams *owner; // NULL: not running
	struct event event;
	int fd; // -1: none
	enum upstream_transport transport;
	uint64_t generation; // of the server list that the next four index
	unsigned server;
	uint8_t sends_to[CONFIG_UPSTREAMS_MAX];
	uint32_t failed, tcp_tried; // bits
	unsigned sends;
	bool mixed_case; // this send's letter case is random
	bool case_off;   // for the rest of this ask
	bool stay_udp;   // TCP was no way out of a wrong id: ignore them from now on
	bool truncated;  // TC is why TCP is tried
	bool any_reply, any_sent;
	bool cd, dnssec_ok;
	uint16_t id, question_len;
	uint64_t sent_us, due_us, deadline_ms; // due: end of the present wait
	struct sockaddr_storage peer;
	socklen_t peer_len;
	struct upstream_tcp *tcp;
	uint8_t question[UPSTREAM_QUESTION_MAX]; // lower case
	uint8_t spelled[UPSTREAM_QUESTION_MAX];  // as sent
};

enum upstream_take {
	UPSTREAM_TAKEN,     // done: the callback has ended the ask (upstream_ask_stop)
	UPSTREAM_IGNORED,   // malformed: keep waiting
	UPSTREAM_TRUNCATED, // TC
	UPSTREAM_FAILED,    // SERVFAIL and the like: the next server
};

enum upstream_end {
	UPSTREAM_END_FAILURE, // servers answered, but with failures
	UPSTREAM_END_TIMEOUT, // no server answered
	UPSTREAM_END_NETWORK, // nothing could even be sent
};

struct upstream_callbacks {
	// A reply that matches the question asked.
	enum upstream_take (*reply)(struct upstream_ask *a, const uint8_t *msg, size_t len);
	// Exhausted, or past its deadline; the ask is stopped. May come from upstream_ask_start.
	void (*ended)(struct upstream_ask *a, enum upstream_end why);
};

ATTR_MUST_CHECK int upstreams_new(struct upstreams **out, struct loop *loop,
	const struct config_upstreams *config, const struct upstream_callbacks *callbacks);
void upstreams_free(struct upstreams *u); // NULL is fine; every ask must be stopped
// Servers that stay keep what is known of them. Asks that run go on with the new list.
void upstreams_configure(struct upstreams *u, const struct config_upstreams *config);

// Asks for `question` (lower case, name + type + class) until deadline_ms (CLOCK_MONOTONIC).
void upstream_ask_start(struct upstreams *u, struct upstream_ask *a, const uint8_t *question,
	uint16_t question_len, bool cd, bool dnssec_ok, uint64_t deadline_ms);
void upstream_ask_stop(struct upstream_ask *a); // no callback; a stopped one is fine

struct upstream_status {
	char name[64], address[SOCKET_ADDRESS_TEXT_MAX];
	bool up;
	uint64_t sent, answered, timeouts, bad_replies, tcp_retries, send_errors,
		failures;      // failures: SERVFAIL, REFUSED, ...
	uint64_t case_changed; // replies whose letter case was not ours
	bool mixed_case;       // 0x20 is in use
	uint32_t srtt_us;
	uint32_t down_for_ms; // back-off still to run
};
unsigned upstreams_status(
	const struct upstreams *u, struct upstream_status out[CONFIG_UPSTREAMS_MAX]);

struct upstream_totals {
	uint64_t sent, replies, mismatched, tcp_full;
	unsigned tcp_open;
};
void upstreams_totals(const struct upstreams *u, struct upstream_totals *out);
