// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Sets of upstream servers, and asking a set a question until one of its servers answers. Resolver
// loop's thread only. docs/explanation/upstreams.md says in which order weir asks servers, which
// replies weir believes, and when a server is avoided.
//
// An ask is one question's way through a set. It has up to UPSTREAM_LEGS legs over UDP, as many
// over TLS or HTTPS, and one over TCP. A leg is one query to one server, sent once or more. A leg
// stays open when weir asks the next server, so the reply to any query of the ask is good until the
// ask ends. Which server is next upstream_internal.h decides; all sets that have a server share its
// state (struct upstream_health).

#include "base/age_list.h"
#include "base/counts.h"
#include "base/loop.h"
#include "base/rng.h"
#include "base/wheel.h"
#include "querylog/trace_step.h"
#include "querylog/upstream_book.h"
#include "tls/tls.h"
#include "upstream_edns.h"
#include "upstream_udp.h"

#include <stdbool.h>
#include <stddef.h>
#include <weir/config.h>
#include <weir/took.h>

enum {
	UPSTREAM_LEGS = 3,
	UPSTREAM_SENDS_EACH = 3,
	UPSTREAM_TLS_EACH = 2,
	UPSTREAM_RECURSION_AFTER = 2,
	UPSTREAM_DOWN_AFTER = 3,
	UPSTREAM_DOWN_TRY_MS = 1000,
	UPSTREAM_STRIKES = 3,
	UPSTREAM_STRIKE_MS = 60000,
	UPSTREAM_PLAIN_MS = 3600000,
	UPSTREAM_TCP_AGAIN = 2,
	UPSTREAM_TCP_MS = 1000,
	UPSTREAM_TCP_LEAST_MS = 500,
	UPSTREAM_STREAMS_EACH = 4, // TCP connections to a server
	UPSTREAM_HTTPS_WHY_MAX = 160,
	UPSTREAM_QUESTION_MAX = DNS_NAME_MAX + 4,
	UPSTREAM_QUERY_MAX = 2 + DNS_HEADER_LEN + UPSTREAM_QUESTION_MAX + DNS_OPT_FIXED_LEN
			     + UPSTREAM_SUBNET_MAX,
};

struct upstream_port;
struct upstreams;
struct upstream_tcp;

// One query to one server, on a socket that nobody else uses meanwhile. All fields are
// upstream*.c's.
struct upstream_leg {
	struct upstream_ask *ask;
	struct upstream_socket *socket; // UDP socket, unless by_port
	struct upstream_leg *port_next; // next leg of this local port
	struct age_link age;            // by_port, while it is listed
	uint16_t local_port;            // local UDP port
	uint8_t worker;                 // worker that has the query, if by_port
	bool by_port;                   // a worker sends it (upstream_udp.h)
	bool is_listed;                 // listed by its local port
	bool open;
	bool tcp;
	bool is_tls;      // over TCP with TLS
	bool measures;    // the connection was there before: the reply measures a round trip
	bool answered;    // nothing more can come to the socket
	bool refused;     // ICMP port unreachable, or the connection failed
	bool aside;       // no wait is for it as long as the other leg of the race runs
	bool mixed_case;  // letter case is random, by coin
	bool edns;        // the query has an OPT
	bool subnet;      // the query has the client's subnet
	bool asks_ad;     // the query has AD, because the server's AD is trusted
	bool is_doubtful; // the server was down, or its last queries silent, when the leg was made
	bool no_option;   // no keepalive option over TCP
	bool option;      // the query had the keepalive option
	uint16_t id;
	unsigned sends;
	unsigned server; // place in the list of `generation`
	uint64_t generation;
	uint64_t first_sent_us, last_sent_us;
	socklen_t peer_len;
	union upstream_peer peer;
	uint8_t coin[DNS_NAME_MAX / 8 + 1]; // bit i: byte i is in upper case if it is a letter
};

struct upstream_callbacks;

// The asking of one question; the caller embeds it. All fields are upstream*.c's.
struct upstream_ask {
	struct upstreams *owner; // NULL: not running
	const struct upstream_callbacks *callbacks;
	struct wheel_timer timer; // end of the present wait
	struct upstream_leg leg[UPSTREAM_LEGS];
	struct upstream_tcp *tcp;                // NULL: no leg over TCP; else it is `current`
	struct upstream_tcp *tls[UPSTREAM_LEGS]; // NULL: no leg; each to another server
	struct upstream_leg *current; // leg of the latest send; NULL: only late replies are left
	uint64_t generation; // generation of the server list that sends_to and all bits index
	uint8_t sends_to[CONFIG_UPSTREAMS_MAX];
	uint32_t failed;  // bits: the ask is done with the server
	uint32_t failing; // bits: the server replied with a failure
	uint32_t blamed;  // bits: the server failed by a reply that says something of it
	uint32_t silent;  // bits: the server left its first query, which is not yet counted
	uint32_t tcp_wanted, tcp_tried; // bits
	uint32_t truncated;             // bits: TC is why TCP is tried
	uint32_t plain;                 // bits: without an OPT, for the rest of this ask
	uint32_t no_option; // bits: without the keepalive option, for the rest of this ask
	uint32_t no_subnet, subnet_refused; // bits: without the subnet; of these, after REFUSED
	unsigned sends;
	bool case_off; // no mixed letter case for the rest of this ask
	bool stay_udp; // TCP did not help against a wrong id: wrong ids are ignored from now on
	bool any_reply, any_sent;
	bool cd, dnssec_ok;
	bool is_check; // not a client's question: counted apart
	unsigned only; // 1 more than the place of the one server to ask; 0: any
	uint16_t question_len;
	uint16_t answered_by;     // number in `book` of the server that sent the callback's reply
	bool trusts_ad;           // that server's AD is trusted (config_upstream)
	uint64_t replied_ms;      // when that reply came
	int scope;                // scope of that reply, or UPSTREAM_NO_SCOPE (upstream_edns.h)
	bool is_unproven;         // that reply came by UDP, and has no subnet
	struct ip_address subnet; // subnet that servers get; version 0: no subnet
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

// Where the result of an ask goes: each ask has callbacks of its own, because servers are shared.
// They outlive the ask.
struct upstream_callbacks {
	// A reply that matches the question asked.
	enum upstream_take (*reply)(struct upstream_ask *a, const uint8_t *msg, size_t len);
	// The ask has no try left, or is past its deadline; it is stopped. May come from
	// upstream_ask_start.
	void (*ended)(struct upstream_ask *a, enum upstream_end why);
	// How many asks are traced; NULL: no ask ever is. While there are any, `note` gets each
	// step of each ask, and finds the trace of the ask (trace.h).
	const unsigned *watched;
	void (*note)(struct upstream_ask *a, const struct trace_event *e);
};

// What all sets of a resolver share; they outlive the upstreams.
struct upstream_shared {
	struct loop *loop;
	struct upstream_book *book; // numbers the servers for the query log. NULL: no numbers
	struct upstream_port *port; // NULL: sockets alone
	const struct socket_address *recursion; // address of recursion; NULL: no recursion
	// The set shares no state of its servers with other sets, logs nothing of them, and its
	// tries ask for DNSSEC (upstream_candidate.h).
	bool is_apart;
};
ATTR_MUST_CHECK int upstreams_new(struct upstreams **out, const struct upstream_shared *shared,
	const struct config_upstreams *config);
void upstreams_free(struct upstreams *u); // NULL is fine; every ask must be stopped
// The set is one of `sets`: it opens fewer sockets ahead where files are short.
void upstreams_one_of(struct upstreams *u, unsigned sets);
// The set is for the names of forward zones alone.
void upstreams_for_zones(struct upstreams *u);
// Servers given by a host name get the name's present addresses (upstream_hosts.h). Not from a
// callback.
void upstreams_follow_hosts(struct upstreams *u);
// Servers that stay keep what is known of them. Asks that run go on with the new list.
void upstreams_configure(struct upstreams *u, const struct config_upstreams *config);

struct upstream_request {
	const struct upstream_callbacks *callbacks;
	const uint8_t *question; // lower case: name, type and class; copied
	uint16_t question_len;
	bool cd, dnssec_ok;
	const struct ip_address *subnet; // subnet of the client; NULL: no subnet is sent
	bool is_check;        // one query, which counts as the server's check; the reply ends it
	bool by_tcp;          // for a check: not by UDP
	unsigned only;        // 1 more than the place of the one server to ask; 0: any
	uint64_t deadline_ms; // clock_mono_ms
};
void upstream_ask_start(
	struct upstreams *u, struct upstream_ask *a, const struct upstream_request *request);
void upstream_ask_stop(struct upstream_ask *a); // no callback; a stopped one is fine

bool upstreams_trust_ad(const struct upstreams *u); // is the AD of any server trusted?
// What servers of the set get of a client's address, which has 4 or 16 bytes by the version; NULL:
// nothing of it, but a source prefix length of 0. Version 0: no option at all, also where no server
// takes it, so that its clients' questions are one.
struct ip_address upstreams_subnet(
	const struct upstreams *u, unsigned version, const uint8_t *address);

// What an ask waits for.
enum upstream_step {
	UPSTREAM_STEP_NONE,       // it is stopped
	UPSTREAM_STEP_UDP,        // a reply to a datagram
	UPSTREAM_STEP_CONNECTION, // a connection to send on
	UPSTREAM_STEP_TCP,        // a reply on a connection
	UPSTREAM_STEP_LATE,       // a late reply, all tries being used up
};
struct upstream_progress {
	enum upstream_step step;
	uint16_t server;   // number in the book; LOG_NO_UPSTREAM: not known
	unsigned sends;    // so far, to all servers
	uint64_t since_us; // time of the latest send
};
struct upstream_progress upstream_ask_progress(const struct upstream_ask *a);

enum {
	UPSTREAM_ADDRESS_TEXT_MAX =
		SOCKET_ADDRESS_TEXT_MAX + CONFIG_TLS_NAME_MAX + CONFIG_HTTPS_PATH_MAX + 16
};

// Why a reply over HTTPS is no answer.
#define UPSTREAM_HTTPS_FAILURES(X)                                      \
	X(status, "a reply with another status than 200")               \
	X(type, "a reply of another type than application/dns-message") \
	X(body, "a body of more than 65,535 bytes, or less than 12")    \
	X(connection, "the connection ended before the reply")

enum upstream_https_failure {
#define X(name, text) UPSTREAM_HTTPS_##name,
	UPSTREAM_HTTPS_FAILURES(X)
#undef X
		UPSTREAM_HTTPS_FAILURE_COUNT
};

extern const char *const upstream_https_failure_names[UPSTREAM_HTTPS_FAILURE_COUNT];

// Exchanges with a server, by their results.
struct upstream_https_counts {
	uint64_t replies, failed[UPSTREAM_HTTPS_FAILURE_COUNT];
	unsigned version;                 // HTTP version of the latest reply; 0: no reply yet
	unsigned status;                  // the latest status other than 200; 0: no such reply
	uint64_t status_ms, why_ms;       // times of `status` and of `why`; clock_mono_ms
	char why[UPSTREAM_HTTPS_WHY_MAX]; // failure of the latest exchange; "": it had a reply
};

#define HTTPS_COUNTS(X)                                                           \
	X(SUM, unsigned, open, SAME, SAME, "HTTPS connections to upstreams.")     \
	X(SUM, unsigned, queries, SAME, SAME, "Queries over HTTPS in flight.")    \
	X(SUM, unsigned, high, NONE, NONE, "Most queries in flight at once.")     \
	X(SUM, uint64_t, late, SAME, TOTAL,                                       \
		"Replies over HTTPS to queries that had been dropped.")           \
	X(SUM, uint64_t, full, SAME, TOTAL,                                       \
		"Queries over HTTPS refused because too many were in flight.")    \
	X(SUM, uint64_t, refused, SAME, TOTAL,                                    \
		"HTTPS connections refused because there were too many.")         \
	X(SUM, uint64_t, evicted, SAME, TOTAL,                                    \
		"Idle HTTPS connections and dropped queries ended to make room.") \
	X(SUM, size_t, bytes, NONE, NONE, "Memory of connections and queries.")

struct upstream_https_stats {
	HTTPS_COUNTS(COUNT_FIELD)
};
COUNTS(upstream_https_rows, struct upstream_https_stats, "weir_resolver_upstream_https_",
	HTTPS_COUNTS)

#define UPSTREAM_COUNTS(X)                                                                         \
	X(SUM, uint64_t, tls_handshakes, NONE, TOTAL,                                              \
		"TLS handshakes with the server that were done.")                                  \
	X(SUM, uint64_t, tls_resumed, NONE, TOTAL, "TLS handshakes that resumed a session.")       \
	X(SUM, unsigned, tls_sessions, NONE, NONE, "TLS sessions that can be resumed.")            \
	X(LEAST, bool, up, SAME, SAME, "Whether weir uses the server; 0: it is in back-off.")      \
	X(MOST, bool, suspect, SAME, SAME,                                                         \
		"Whether the server, though up, left a query unanswered and is being checked.")    \
	X(MOST, bool, failing, SAME, SAME,                                                         \
		"Whether the server, though up, fails questions that others answer: weir asks it " \
		"after them.")                                                                     \
	X(MOST, bool, drained, SAME, SAME, "Whether an operator has taken the server out of use.") \
	X(SUM, uint64_t, set_sent, NONE, NONE, "Queries of the set, ever.")                        \
	X(MOST, uint64_t, checks, SAME, TOTAL, "Checks sent to the server.")                       \
	X(MOST, uint64_t, checks_failed, SAME, TOTAL,                                              \
		"Checks that the server did not answer in time.")                                  \
	X(SUM, uint64_t, sent, SAME, NAMED("queries_total"), "Queries sent to the server.")        \
	X(SUM, uint64_t, answered, SAME, NAMED("answers_total"),                                   \
		"Questions that the server answered.")                                             \
	X(SUM, uint64_t, timeouts, SAME, TOTAL, "Queries that the server did not answer in time.") \
	X(SUM, uint64_t, bad_replies, SAME, TOTAL, "Replies that weir rejected.")                  \
	X(SUM, uint64_t, tcp_retries, SAME, TOTAL, "Questions sent to the server over TCP.")       \
	X(SUM, uint64_t, send_errors, SAME, TOTAL, "Queries that could not be sent.")              \
	X(SUM, uint64_t, failures, SAME, TOTAL,                                                    \
		"Replies with SERVFAIL, REFUSED or another failure.")                              \
	X(SUM, uint64_t, case_changed, SAME, TOTAL,                                                \
		"Replies that changed the letter case of the question.")                           \
	X(SUM, uint64_t, refused, SAME, TOTAL,                                                     \
		"Queries that the server's host refused by ICMP port unreachable.")                \
	X(SUM, uint64_t, tcp_opened, SAME, TOTAL, "TCP connections opened to the server.")         \
	X(SUM, unsigned, tcp_open, SAME, SAME, "TCP connections to the server.")                   \
	X(EARLIEST, unsigned, tcp_limit, SAME, NONE,                                               \
		"Queries that the server takes on each connection; 0: it ends none that is "       \
		"known.")                                                                          \
	X(LEAST, bool, mixed_case, NONE, NONE, "Queries have letters of mixed case (0x20).")       \
	X(LEAST, bool, edns, NONE, NONE, "Queries have an OPT record.")                            \
	X(MOST, bool, sends_subnet, NONE, NONE, "Queries have the client's subnet.")               \
	X(MOST, uint32_t, srtt_us, SAME, NAMED("srtt_seconds"),                                    \
		"Smoothed round-trip time to the server.")                                         \
	X(MOST, uint32_t, down_for_ms, SAME, NAMED("down_for_seconds"),                            \
		"Time left of the server's back-off.")                                             \
	X(SUM, uint64_t, sent_port, NONE, NONE, "Queries sent through the port.")

struct upstream_status {
	UPSTREAM_COUNTS(COUNT_FIELD)
	char name[64];
	char address[UPSTREAM_ADDRESS_TEXT_MAX]; // the configured address with the port; or
						 // "recursion"
	bool is_tls, is_https;
	bool is_nowhere; // given by a host name without an address
	struct upstream_https_counts https;
	uint64_t tls_failed[TLS_FAILURE_COUNT];
	uint64_t tls_about_ms, tls_why_ms; // times of tls_about and tls_why; clock_mono_ms
	char tls_about[TLS_ABOUT_MAX];     // version and cipher of the latest handshake
	char tls_why[TLS_WHY_MAX];         // failure of the latest handshake; "": it was done
	uint16_t share;              // share of the set's last hundreds of queries, in 65535ths
	uint16_t way;                // enum route_way
	struct config_subnet subnet; // bits of the client's subnet
	struct took took;            // round trips of replies to questions
};
COUNTS(upstream_rows, struct upstream_status, "weir_upstream_", UPSTREAM_COUNTS)

#define UPSTREAM_FAILURE_COUNTS(X)                                                           \
	X(SUM, uint64_t, tls_failed[TLS_FAILURE_handshake], NONE,                            \
		NAMED("tls_handshake_failed_total"),                                         \
		"TLS handshakes that the server ended or did not finish.")                   \
	X(SUM, uint64_t, tls_failed[TLS_FAILURE_certificate], NONE,                          \
		NAMED("tls_certificate_failed_total"),                                       \
		"TLS handshakes with a certificate that is expired or not trusted.")         \
	X(SUM, uint64_t, tls_failed[TLS_FAILURE_name], NONE, NAMED("tls_name_failed_total"), \
		"TLS handshakes with a certificate for another name.")                       \
	X(SUM, uint64_t, tls_failed[TLS_FAILURE_pin], NONE, NAMED("tls_pin_failed_total"),   \
		"TLS handshakes with a key that is not pinned.")                             \
	X(SUM, uint64_t, https.failed[UPSTREAM_HTTPS_status], NONE,                          \
		NAMED("https_status_failed_total"),                                          \
		"Replies over HTTPS with another status than 200.")                          \
	X(SUM, uint64_t, https.failed[UPSTREAM_HTTPS_type], NONE,                            \
		NAMED("https_type_failed_total"),                                            \
		"Replies over HTTPS of another media type than application/dns-message.")    \
	X(SUM, uint64_t, https.failed[UPSTREAM_HTTPS_body], NONE,                            \
		NAMED("https_body_failed_total"),                                            \
		"Replies over HTTPS of more than 65,535 bytes, or less than 12.")            \
	X(SUM, uint64_t, https.failed[UPSTREAM_HTTPS_connection], NONE,                      \
		NAMED("https_connection_failed_total"),                                      \
		"Queries over HTTPS whose connection ended before the reply.")
COUNTS(upstream_failure_rows, struct upstream_status, "weir_upstream_", UPSTREAM_FAILURE_COUNTS)

unsigned upstreams_status(
	const struct upstreams *u, struct upstream_status out[CONFIG_UPSTREAMS_MAX]);

// Drains servers by name or address, or ends that, in all sets that have them; returns how many are
// in this one. Outlives changes of the list. A host name is all its addresses (host_board_drain).
unsigned upstreams_drain(struct upstreams *u, const char *server, bool is_drained);

// The reply of a server to one query.
struct upstream_tried {
	bool is_sent, is_answered;
	bool is_tls;    // set in [1]: over TLS, and [0] is not tried
	bool is_https;  // set in [1]: over HTTPS, which is over TLS too
	bool is_signed; // the set is apart, and the answer has RRSIG records
	uint16_t flags; // flags of the reply's header
	uint32_t bytes;
	uint64_t took_us;
	char why[TLS_WHY_MAX]; // why there is no reply, or no query; "": no reply came
};
// Asks the server with the name or address what a check asks, by UDP and then over TCP, for up to
// UPSTREAM_TRY_MS each. `done` comes once, perhaps before this returns; `err` is -ECANCELED when
// the list of servers changed meanwhile. -ENOENT: no such server; -EBUSY: a trial runs; -ENOMEM.
enum { UPSTREAM_TRY_MS = 1500, UPSTREAM_TRANSPORTS = 2 };
typedef void (*upstream_tried_fn)(
	void *arg, int err, const struct upstream_tried tried[UPSTREAM_TRANSPORTS]);
ATTR_MUST_CHECK int upstreams_try(
	struct upstreams *u, const char *server, upstream_tried_fn done, void *arg);
void upstreams_try_stop(struct upstreams *u); // ends a trial, like a change of the list

// TCP connections, perhaps with TLS, of a set (upstream_stream.h).
#define STREAM_COUNTS(X)                                                                           \
	X(SUM, unsigned, open, SAME, SAME, "TCP connections to upstreams.")                        \
	X(SUM, unsigned, high, NONE, NONE, "Most connections at once.")                            \
	X(SUM, unsigned, queries, SAME, SAME, "Queries on TCP connections that wait for replies.") \
	X(SUM, unsigned, waiting, SAME, SAME, "Queries that wait for a TCP connection.")           \
	X(SUM, unsigned, waiting_high, NONE, NONE, "Most queries that waited at once.")            \
	X(SUM, uint64_t, waited, SAME, TOTAL, "Queries that had to wait for a TCP connection.")    \
	X(SUM, uint64_t, opened, SAME, TOTAL, "TCP connections opened to upstreams.")              \
	X(SUM, uint64_t, reused, SAME, TOTAL,                                                      \
		"Queries on a TCP connection that had carried one before.")                        \
	X(SUM, uint64_t, late, SAME, TOTAL,                                                        \
		"Replies over TCP that no question waited for any more.")                          \
	X(SUM, uint64_t, bad, SAME, TOTAL,                                                         \
		"TCP connections closed because the server sent a reply to no query.")             \
	X(SUM, uint64_t, stalled, SAME, TOTAL,                                                     \
		"TCP connections closed because the server sent nothing.")                         \
	X(SUM, uint64_t, broken, SAME, TOTAL, "TCP connections closed within a message.")          \
	X(SUM, uint64_t, closed_peer, SAME, TOTAL,                                                 \
		"TCP connections that the upstream or the network ended.")                         \
	X(SUM, uint64_t, closed_idle, SAME, TOTAL, "Idle TCP connections that weir closed.")       \
	X(SUM, uint64_t, evicted, SAME, TOTAL,                                                     \
		"Idle or stalled TCP connections closed to make room.")                            \
	X(SUM, uint64_t, full, SAME, TOTAL,                                                        \
		"Queries over TCP refused because too many wait for a connection.")                \
	X(SUM, size_t, bytes, NONE, NONE, "Memory of connections.")                                \
	X(EARLIEST, uint64_t, since_ms, NONE, NONE,                                                \
		"When the oldest connection began; 0: no connection is open.")

struct upstream_streams_stats {
	STREAM_COUNTS(COUNT_FIELD)
};
COUNTS(upstream_stream_rows, struct upstream_streams_stats, "weir_resolver_upstream_tcp_",
	STREAM_COUNTS)

struct upstream_totals {
	// `sent`: by UDP when the kernel took the datagram, over TCP when it took the last byte.
	uint64_t sent, replies, mismatched;
	// Queries with a client's subnet; replies dropped because they are for another one.
	uint64_t subnet_sent, subnet_mismatched;
	uint64_t tcp_again;       // queries given to a second connection
	unsigned sets, sets_down; // sets of servers; those without a server that is up
	struct upstream_sockets_stats sockets;
	struct upstream_streams_stats streams;
	struct upstream_https_stats https;
};
void upstreams_totals(const struct upstreams *u, struct upstream_totals *out);
void upstream_totals_add(struct upstream_totals *sum, const struct upstream_totals *t);
// Clears what a set that ends no longer holds.
void upstream_totals_end(struct upstream_totals *t);
