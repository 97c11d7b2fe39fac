// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Upstream servers: asking a question until one answers. Resolver loop's thread only.
//
// An ask holds up to UPSTREAM_LEGS legs, each a connected UDP socket to one server with a random
// port, id and letter case (RFC 5452; draft-vixie-dnsext-dns0x20), and at most one query over TCP,
// on a connection shared with other asks (upstream_streams.h). One whose shared connection ends
// under it is sent on another one, and at last on one of its own, within the time and the sends
// that it has. A server that closes connections after some replies is given no more queries on each
// (upstream_limit.h). A further query to a server whose
// leg is open is the same query from the same socket: a spoofer gets no second guess. A leg stays
// open when the next server is tried, so the reply to any query of the ask is good until the ask
// ends; the leg idle for longest goes when one more is needed.
//
// A leg believes only a reply from its address with its id and exactly its question. Anything else
// is counted and ignored while waiting goes on, without a longer deadline; ICMP errors are ignored
// as well. One reply with a wrong id, one that differs in letter case only, and TC close the leg
// and move to TCP with the same server, after the TCP try that is under way if there is one. A
// server that changed letter case three times is asked without it from then on.
//
// FORMERR and NOTIMP are what servers say that do not know EDNS (RFC 6891 7): the same one is asked
// once more without an OPT. One for which that helped UPSTREAM_EDNS_STRIKES times is asked so at
// once for the next UPSTREAM_PLAIN_MS. Silence is no such sign (DNS flag day 2019). Where the query
// had the keepalive option (the first of a TCP connection, RFC 7828) that may be what it does not
// like, or what stands before it does not, which may end the connection instead: then its queries
// are sent once more without the option, with their OPT. Where either helped so often the option is
// left out as long, each connection counted once; of UDP, and of EDNS, that says nothing.
//
// Order: the servers as configured, those in back-off last, each at most UPSTREAM_SENDS_EACH times
// by UDP (in back-off once) and once by TCP (twice where an OPT was turned down), at most max_sends
// in all whatever the cause. After each send the ask waits min(first_timeout, max(50 ms, 3 *
// srtt)), doubled for each further query to the same server and, until a query that was sent once
// is answered, for each such that was not (Karn and Partridge 1987: a reply to a repeated query
// tells no round-trip time). A server that answers with a failure is not asked again; if it is the
// one being waited for, the next one is asked at once, and the legs of the others stay open. The
// last wait lasts until the ask's deadline, so a late reply still fills the cache. A server that
// let UPSTREAM_DOWN_AFTER waits in a row pass, answering nobody meanwhile, is down for backoff_s or
// until it answers after all.
//
// Sockets: one for each leg while it is open, from those that upstream_socket.h keeps ready, and
// the connections of upstream_streams.h. Without one to be had (EMFILE) the send has failed: it is
// counted, and the next server is tried.

#include "base/loop.h"
#include "base/rng.h"
#include "base/wheel.h"
#include "querylog/trace_step.h"
#include "querylog/upstream_book.h"
#include "upstream_socket.h"
#include "upstream_streams.h"

#include <stdbool.h>
#include <stddef.h>
#include <weir/config.h>
#include <weir/took.h>

enum {
	UPSTREAM_LEGS = 3,
	UPSTREAM_SENDS_EACH = 3,
	UPSTREAM_DOWN_AFTER = 3,
	UPSTREAM_CASE_STRIKES = 3,
	UPSTREAM_EDNS_STRIKES = 3,
	UPSTREAM_PLAIN_MS = 900000,
	UPSTREAM_TCP_AGAIN = 2,
	UPSTREAM_TCP_MS = 1000,
	UPSTREAM_TCP_LEAST_MS = 500,
	UPSTREAM_QUESTION_MAX = DNS_NAME_MAX + 4,
	UPSTREAM_QUERY_MAX = 2 + DNS_HEADER_LEN + UPSTREAM_QUESTION_MAX + DNS_OPT_FIXED_LEN,
};

struct upstreams;
struct upstream_tcp;

// One query to one server, on a socket that nobody else uses meanwhile. All fields are
// upstream*.c's.
struct upstream_leg {
	struct upstream_ask *ask;
	struct upstream_socket *socket; // of UDP
	bool open;
	bool tcp;
	bool answered;   // nothing more can come to the socket
	bool mixed_case; // letter case is random, by coin
	bool edns;       // with an OPT
	bool no_option;  // over TCP: not with the keepalive option
	bool option;     // it had it
	uint16_t id;
	unsigned sends;
	unsigned server; // in the list of `generation`
	uint64_t generation;
	uint64_t first_sent_us, last_sent_us;
	socklen_t peer_len;
	union upstream_peer peer;
	uint8_t coin[DNS_NAME_MAX / 8 + 1]; // bit i: byte i is in upper case if it is a letter
};

// One question's hunt for an answer; the caller embeds it. All fields are upstream*.c's.
struct upstream_ask {
	struct upstreams *owner;  // NULL: not running
	struct wheel_timer timer; // end of the present wait
	struct upstream_leg leg[UPSTREAM_LEGS];
	struct upstream_tcp *tcp;     // NULL: none; else current
	struct upstream_leg *current; // of the latest send; NULL: late replies are all there is
	uint64_t generation;          // of the server list that the next six index
	uint8_t sends_to[CONFIG_UPSTREAMS_MAX];
	uint32_t failed;                // bits
	uint32_t tcp_wanted, tcp_tried; // bits
	uint32_t truncated;             // bits: TC is why TCP is tried
	uint32_t plain;                 // bits: without an OPT, for the rest of this ask
	uint32_t no_option;             // bits: without the keepalive option, likewise
	unsigned sends;
	bool case_off; // for the rest of this ask
	bool stay_udp; // TCP was no way out of a wrong id: ignore them from now on
	bool any_reply, any_sent;
	bool cd, dnssec_ok;
	uint16_t question_len;
	uint16_t answered_by; // whose reply the callback is given, in `book`
	uint64_t deadline_ms;
	uint8_t question[UPSTREAM_QUESTION_MAX]; // lower case
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
	// What servers are numbered in for the query log; it outlives the upstreams. NULL: they are
	// not.
	struct upstream_book *book;
	// How many asks somebody watches; while there are any, each step of each one goes to
	// `note`, which knows whose it is (trace.h). NULL: none ever.
	const unsigned *watched;
	void (*note)(struct upstream_ask *a, const struct trace_event *e);
};

ATTR_MUST_CHECK int upstreams_new(struct upstreams **out, struct loop *loop,
	const struct config_upstreams *config, const struct upstream_callbacks *callbacks);
void upstreams_free(struct upstreams *u); // NULL is fine; every ask must be stopped
// It is one of so many sets: its sockets opened ahead are so much fewer where files are short, and
// for a server that nobody asked in the last minute there are none.
void upstreams_one_of(struct upstreams *u, unsigned sets);
// Servers that stay keep what is known of them. Asks that run go on with the new list.
void upstreams_configure(struct upstreams *u, const struct config_upstreams *config);

// Asks for `question` (lower case, name + type + class) until deadline_ms (clock_mono_ms).
void upstream_ask_start(struct upstreams *u, struct upstream_ask *a, const uint8_t *question,
	uint16_t question_len, bool cd, bool dnssec_ok, uint64_t deadline_ms);
void upstream_ask_stop(struct upstream_ask *a); // no callback; a stopped one is fine

struct upstream_status {
	char name[64], address[SOCKET_ADDRESS_TEXT_MAX];
	bool up;
	uint64_t sent, answered, timeouts, bad_replies, tcp_retries, send_errors,
		failures;      // failures: SERVFAIL, REFUSED, ...
	uint64_t case_changed; // replies whose letter case was not ours
	uint64_t tcp_opened;   // connections; tcp_retries are the queries on them
	unsigned tcp_open;     // connections now
	unsigned tcp_limit;    // queries that it takes on each; 0: not known to end them
	bool mixed_case;       // 0x20 is in use
	bool edns;             // it is asked with an OPT
	uint32_t srtt_us;
	uint32_t down_for_ms; // back-off still to run
	struct took took;     // of the round trips that srtt_us is of
};
unsigned upstreams_status(
	const struct upstreams *u, struct upstream_status out[CONFIG_UPSTREAMS_MAX]);

struct upstream_totals {
	// `sent`: by UDP when the kernel took the datagram, over TCP when it took the last byte.
	uint64_t sent, replies, mismatched;
	uint64_t tcp_again;       // queries given to a second connection
	unsigned sets, sets_down; // sets of servers; of these without one that is up
	struct upstream_sockets_stats sockets;
	struct upstream_streams_stats streams;
};
void upstreams_totals(const struct upstreams *u, struct upstream_totals *out);
void upstream_totals_add(struct upstream_totals *sum, const struct upstream_totals *t);
void upstream_totals_end(struct upstream_totals *t); // of a set that ends: what it holds is gone
