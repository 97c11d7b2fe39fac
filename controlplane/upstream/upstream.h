// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Upstream servers: asking a question until one answers. Resolver loop's thread only.
//
// An ask holds up to UPSTREAM_LEGS legs, each a connected UDP socket to one server with a random
// port, id and letter case (RFC 5452; draft-vixie-dnsext-dns0x20), and at most one query over TCP,
// on a connection shared with other asks (upstream_streams.h). When the shared connection ends
// first, the query is sent on another one, and at last on a connection of its own, within the time
// and the sends that the ask has. A server that closes connections after some replies gets no more
// queries on each (upstream_limit.h). A further query to a server with an open leg is the same
// query from the same socket: a spoofer gets no second guess. A leg stays open when the next server
// is tried, so the reply to any query of the ask is good until the ask ends. When one more leg is
// needed, the leg that was idle for longest is closed.
//
// A leg believes only a reply from its address with its id and exactly its question. Anything else
// is counted and ignored while waiting goes on, without a longer deadline. One reply with a wrong
// id, one that differs in letter case only, and TC close the leg and move to TCP with the same
// server, after the TCP try that is under way if there is one. A server that changed letter case
// UPSTREAM_STRIKES times gets queries in lower case for the next UPSTREAM_PLAIN_MS.
//
// ICMP port unreachable ends the try that is waited for, if there is a server that the question was
// sent to less often. The kernel reports it to a connected socket whose addresses and ports it
// quotes, so whoever forges one has to know the port. It ends a wait that a lost packet would end
// later, and nothing else: the leg stays open and a reply to it counts, the same server is asked no
// sooner than without it, and no question fails for it.
//
// A server that does not know EDNS replies with FORMERR or NOTIMP (RFC 6891 7): it gets the query
// once more without an OPT. Where that helped UPSTREAM_STRIKES times, the server gets no OPT for
// the next UPSTREAM_PLAIN_MS. Silence is no such sign (DNS flag day 2019). The first query of a
// TCP connection has the keepalive option (RFC 7828). A server, or a middlebox before it, may
// refuse that option, or end the connection because of it: then the queries of the connection are
// sent once more with their OPT and without the option. Where that helped as often, the option is
// left out as long; each connection counts once. It says nothing of UDP or of EDNS.
//
// With `client_subnet_*` a query has the client's subnet (upstream_subnet.h).
//
// Order: by the policy (upstream_choose.h), servers in back-off last, each at most
// UPSTREAM_SENDS_EACH times by UDP (in back-off once) and once by TCP (twice where an OPT was
// turned down), at most max_sends in all whatever the cause. After each send the ask waits
// min(first_timeout, max(50 ms, 3 * srtt)), doubled for each further query to the same server and,
// until a query that was sent once is answered, for each such that was not (Karn and Partridge
// 1987: a reply to a repeated query measures no round-trip time). A server that answers with a
// failure gets no further query; if the ask was waiting for it, the next server is tried at once,
// and the other legs stay open. The last wait lasts until the ask's deadline, so a late reply still
// fills the cache. A server is down for backoff_s, or until it answers, after UPSTREAM_DOWN_AFTER
// waits in a row without any answer. All sets that have a server share its state
// (upstream_health.h).
//
// A failure is a reply. Once there is one, no question waits for servers that were down when it
// came to them: such a server gets a question each UPSTREAM_DOWN_TRY_MS, for one wait, as it may be
// there again; the others end.
//
// A server that replies with failures to questions of UPSTREAM_STRIKES zones (zone_suffix.h) within
// UPSTREAM_STRIKE_MS, all of which another one of the set answers, is avoided for backoff_s, and
// again with the next such question after that. An answer of its own ends it. Clients can make
// servers fail by broken names, and have weir leave one that filters or validates: so a zone counts
// once, and a failure not at all for which the server names DNSSEC or a block of the name (RFC
// 8914), or which is weir's own, of a reply that it cannot use. A question that no server answers
// says nothing of any. What a server refuses may be one set's questions alone, so each set has its
// own count; in one for forward zones (upstreams_for_zones) each name counts, as all are of few
// zones.
//
// A server over TLS (upstream_tls.c) is asked on its connections (upstream_streams.h) and in no
// other way: no datagram and nothing in clear text goes to it. Its legs stay open like those of
// UDP. It gets the query a second time when its connection, once there, has said nothing for
// UPSTREAM_STREAM_STALL_MS; then the connection is left. A handshake that fails ends the tries of
// all queries that wait for it, counts as a wait that was over, and keeps weir from opening another
// connection for 250 ms, doubled with each further failure up to 4 s. A reply is a measure of the
// round trip if its connection was there when the query was sent.
//
// A server over HTTPS (upstream_https.h) is one over TLS whose legs are exchanges of HTTP: all of
// this holds for it.
//
// weir asks recursion (config_upstream.is_recursion) when every other server has failed, is down,
// refused by ICMP or has had UPSTREAM_RECURSION_AFTER queries, or when one query is left.
// Recursion itself is never down: names that take long say nothing of others.
//
// With `race` the first query goes to two servers at once, the second one as the policy chooses
// among those that it was not sent to and that nobody has reason to avoid. Both count. Silence is
// held against both when the first one's wait is over; when the first one fails the second one's
// wait begins.
//
// With checks (upstream_check.c) a server that leaves one query unanswered is avoided at once, and
// checked; it is up again when it answers, and no question waits for it meanwhile if another server
// is up. A server that answers checks and leaves questions of UPSTREAM_STRIKES zones within
// UPSTREAM_STRIKE_MS, all of which another one of the set answers, is down for backoff_s. Without
// checks a server is down after that many silences in a row; of one zone the first in that time
// counts, and those that another server answers.
//
// A server may be given by a host name: then each of its addresses is a server (upstream_hosts.h).
// Until the first lookup of a name has ended, a question that has had no reply and has no other
// server left waits for it, within its deadline.
//
// A leg of UDP has a socket, or leaves through a port of the data plane (upstream_port.h).
// Sockets: one for each leg while it is open, from those that upstream_socket.h keeps ready, and
// the connections of upstream_streams.h. Without one to be had (EMFILE) the send has failed: it is
// counted, and the next server is tried.

#include "base/age_list.h"
#include "base/loop.h"
#include "base/rng.h"
#include "base/wheel.h"
#include "querylog/trace_step.h"
#include "querylog/upstream_book.h"
#include "upstream_https.h"
#include "upstream_socket.h"
#include "upstream_streams.h"
#include "upstream_subnet.h"

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
	struct upstream_socket *socket; // of UDP, unless by_port
	struct upstream_leg *port_next; // of the same local port
	struct age_link age;            // by_port, while it is listed
	uint16_t local_port;            // of UDP
	uint8_t worker;                 // by_port: that has the query
	bool by_port;                   // a worker sends it (upstream_port.h)
	bool is_listed;                 // by its local port
	bool open;
	bool tcp;
	bool is_tls;   // over TCP with TLS
	bool measures; // its connection was there when it was sent: the reply measures a round trip
	bool answered; // nothing more can come to the socket
	bool refused;  // by ICMP
	bool aside;    // nobody waits for it as long as the other one of the race runs
	bool mixed_case;  // letter case is random, by coin
	bool edns;        // with an OPT
	bool subnet;      // with the client's subnet
	bool asks_ad;     // with AD, as its server's is trusted
	bool is_doubtful; // its server was down when it was opened, or its last queries were silent
	bool no_option;   // over TCP: not with the keepalive option
	bool option;      // it had it
	uint16_t id;
	unsigned sends;
	unsigned server; // in the list of `generation`
	uint64_t generation;
	uint64_t first_sent_us, last_sent_us;
	socklen_t peer_len;
	union upstream_peer peer;
	uint8_t coin[DNS_NAME_MAX / 8 + 1]; // bit i: byte i is in upper case if it is a letter
};

struct upstream_callbacks;

// One question's hunt for an answer; the caller embeds it. All fields are upstream*.c's.
struct upstream_ask {
	struct upstreams *owner; // NULL: not running
	const struct upstream_callbacks *callbacks;
	struct wheel_timer timer; // end of the present wait
	struct upstream_leg leg[UPSTREAM_LEGS];
	struct upstream_tcp *tcp;                // NULL: none; else current
	struct upstream_tcp *tls[UPSTREAM_LEGS]; // NULL: none; each to another server
	struct upstream_leg *current; // of the latest send; NULL: late replies are all there is
	uint64_t generation;          // of the server list that the next six index
	uint8_t sends_to[CONFIG_UPSTREAMS_MAX];
	uint32_t failed;                // bits
	uint32_t failing;               // bits: of these, by a reply
	uint32_t blamed;                // bits: of these, by one that says something of the server
	uint32_t silent;                // bits: left its first query, and this is not yet counted
	uint32_t tcp_wanted, tcp_tried; // bits
	uint32_t truncated;             // bits: TC is why TCP is tried
	uint32_t plain;                 // bits: without an OPT, for the rest of this ask
	uint32_t no_option; // bits: without the keepalive option, for the rest of this ask
	uint32_t no_subnet, subnet_refused; // bits: without the subnet; of these, after REFUSED
	unsigned sends;
	bool case_off; // for the rest of this ask
	bool stay_udp; // TCP was no way out of a wrong id: ignore them from now on
	bool any_reply, any_sent;
	bool cd, dnssec_ok;
	bool is_check; // no client's: counted apart
	unsigned only; // 1 more than the place of the one server to ask; 0: any
	uint16_t question_len;
	uint16_t answered_by;     // number in `book` of the server that sent the callback's reply
	bool trusts_ad;           // that server's AD (config_upstream)
	uint64_t replied_ms;      // when that reply came
	int scope;                // of that reply, or UPSTREAM_NO_SCOPE (upstream_subnet.h)
	bool is_unproven;         // it came by UDP, and has no subnet
	struct ip_address subnet; // that servers get; version 0: none
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

// Where the result of an ask goes: its own, as servers are shared. They outlive the ask.
struct upstream_callbacks {
	// A reply that matches the question asked.
	enum upstream_take (*reply)(struct upstream_ask *a, const uint8_t *msg, size_t len);
	// Exhausted, or past its deadline; the ask is stopped. May come from upstream_ask_start.
	void (*ended)(struct upstream_ask *a, enum upstream_end why);
	// How many asks are traced. While there are any, `note` gets each step of each ask, and
	// finds the trace of the ask (trace.h). NULL: none ever.
	const unsigned *watched;
	void (*note)(struct upstream_ask *a, const struct trace_event *e);
};

// What all sets of a resolver share; they outlive the upstreams.
struct upstream_shared {
	struct loop *loop;
	struct upstream_book *book; // numbers the servers for the query log. NULL: no numbers
	struct upstream_port *port; // NULL: sockets alone
	const struct socket_address *recursion; // of such a server; NULL: none
};
ATTR_MUST_CHECK int upstreams_new(struct upstreams **out, const struct upstream_shared *shared,
	const struct config_upstreams *config);
void upstreams_free(struct upstreams *u); // NULL is fine; every ask must be stopped
// It is one of so many sets: its sockets opened ahead are so much fewer where files are short.
void upstreams_one_of(struct upstreams *u, unsigned sets);
// It is for the names of forward zones alone.
void upstreams_for_zones(struct upstreams *u);
// Servers given by a host name get the addresses that it has by now (upstream_hosts.h). Not from a
// callback.
void upstreams_follow_hosts(struct upstreams *u);
// Servers that stay keep what is known of them. Asks that run go on with the new list.
void upstreams_configure(struct upstreams *u, const struct config_upstreams *config);

struct upstream_request {
	const struct upstream_callbacks *callbacks;
	const uint8_t *question; // lower case: name, type and class; copied
	uint16_t question_len;
	bool cd, dnssec_ok;
	const struct ip_address *subnet; // of the client; NULL: none is sent
	bool is_check;        // one query, which counts as the server's check; the reply ends it
	bool by_tcp;          // of a check: not by UDP
	unsigned only;        // 1 more than the place of the one server to ask; 0: any
	uint64_t deadline_ms; // clock_mono_ms
};
void upstream_ask_start(
	struct upstreams *u, struct upstream_ask *a, const struct upstream_request *request);
void upstream_ask_stop(struct upstream_ask *a); // no callback; a stopped one is fine

bool upstreams_trust_ad(const struct upstreams *u); // of any server
// What its servers get of a client's address, of 4 or 16 bytes by the version; NULL: nothing of it,
// but a source prefix length of 0. Version 0: no option at all, also where none of them takes it,
// so that its clients' questions are one.
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
	uint16_t server;   // in the book; LOG_NO_UPSTREAM: not known
	unsigned sends;    // so far, to all servers
	uint64_t since_us; // of the latest one
};
struct upstream_progress upstream_ask_progress(const struct upstream_ask *a);

enum {
	UPSTREAM_ADDRESS_TEXT_MAX =
		SOCKET_ADDRESS_TEXT_MAX + CONFIG_TLS_NAME_MAX + CONFIG_HTTPS_PATH_MAX + 16
};

struct upstream_status {
	char name[64];
	char address[UPSTREAM_ADDRESS_TEXT_MAX]; // as configured, with the port; or "recursion"
	bool is_tls, is_https;
	struct upstream_https_counts https;
	uint64_t tls_handshakes, tls_resumed; // that were done; of these by a session ticket
	unsigned tls_sessions;                // that can be resumed
	uint64_t tls_failed[TLS_FAILURE_COUNT];
	uint64_t tls_about_ms, tls_why_ms; // when they were written; clock_mono_ms
	char tls_about[TLS_ABOUT_MAX];     // version and cipher of the latest one
	char tls_why[TLS_WHY_MAX];         // of the latest one's failure; "": it was done
	bool up;
	bool is_nowhere; // given by a host name without an address
	bool suspect;    // up, but left a query unanswered
	bool failing;    // up, but it fails what others answer
	bool drained;
	uint16_t share;                 // of the last hundreds of queries of the set, in 65535ths
	uint64_t set_sent;              // queries of the set ever
	uint64_t checks, checks_failed; // queries of weir's own, by whatever set; those unanswered
	uint64_t sent, answered, timeouts, bad_replies, tcp_retries, send_errors,
		failures;      // failures: SERVFAIL, REFUSED, ...
	uint64_t case_changed; // replies whose letter case was not ours
	uint64_t refused;      // queries that the server's host refused by ICMP
	uint64_t tcp_opened;   // connections; tcp_retries are the queries on them
	unsigned tcp_open;     // connections now
	unsigned tcp_limit;    // queries that it takes on each; 0: not known to end them
	bool mixed_case;       // 0x20 is in use
	bool edns;             // its queries have an OPT
	bool sends_subnet;     // and the client's subnet, of so many bits
	struct config_subnet subnet;
	uint32_t srtt_us;
	uint32_t down_for_ms; // back-off still to run
	uint64_t sent_port;   // of `sent`, through the port
	uint16_t way;         // enum route_way
	struct took took;     // of the round trips that srtt_us is of
};
unsigned upstreams_status(
	const struct upstreams *u, struct upstream_status out[CONFIG_UPSTREAMS_MAX]);

// Takes servers by name or address out of use, or back, in all sets that have them; how many are in
// this one. Outlives changes of the list. A host name is all its addresses (host_board_drain).
unsigned upstreams_drain(struct upstreams *u, const char *server, bool is_drained);

// The reply of a server to one query.
struct upstream_tried {
	bool is_sent, is_answered;
	bool is_tls;    // of the second one: over TLS, and the first one is none
	bool is_https;  // over HTTPS, which is over TLS too
	uint16_t flags; // of its header
	uint32_t bytes;
	uint64_t took_us;
	char why[TLS_WHY_MAX]; // there is no reply, or no query; "": none came
};
// Asks the server with the name or address what a check asks, by UDP and then over TCP, for up to
// UPSTREAM_TRY_MS each. `done` comes once, perhaps before this returns; `err` is -ECANCELED when
// the list of servers changed meanwhile. -ENOENT: no such server; -EBUSY: one is tried; -ENOMEM.
enum { UPSTREAM_TRY_MS = 1500, UPSTREAM_TRANSPORTS = 2 };
typedef void (*upstream_tried_fn)(
	void *arg, int err, const struct upstream_tried tried[UPSTREAM_TRANSPORTS]);
ATTR_MUST_CHECK int upstreams_try(
	struct upstreams *u, const char *server, upstream_tried_fn done, void *arg);
void upstreams_try_stop(struct upstreams *u); // as a change of the list does

struct upstream_totals {
	// `sent`: by UDP when the kernel took the datagram, over TCP when it took the last byte.
	uint64_t sent, replies, mismatched;
	// Queries with a client's subnet; replies dropped because theirs is another one.
	uint64_t subnet_sent, subnet_mismatched;
	uint64_t tcp_again;       // queries given to a second connection
	unsigned sets, sets_down; // sets of servers; of these without one that is up
	struct upstream_sockets_stats sockets;
	struct upstream_streams_stats streams;
	struct upstream_https_stats https;
};
void upstreams_totals(const struct upstreams *u, struct upstream_totals *out);
void upstream_totals_add(struct upstream_totals *sum, const struct upstream_totals *t);
void upstream_totals_end(struct upstream_totals *t); // of a set that ends: what it holds is gone
