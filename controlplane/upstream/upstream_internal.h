// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// What the files of a set of servers share: upstream_ask.c (the steps of an ask, its legs, and what
// follows a reply), upstream_server.c (what is known of one server), upstream_set.c (the list of
// servers, its configuration and its state for others), upstream_check.c (queries of weir's own),
// upstream_udp.c, upstream_tcp.c and upstream_https.c (transports of a leg).

#include "route/route_board.h"
#include "upstream.h"
#include "upstream_hosts.h"

#include <stdalign.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <weir/attr.h>
#include <weir/config.h>
#include <weir/keyhash.h>

// Which server of a set gets the next query. Pure: it reads no clock and keeps nothing but the turn
// of round robin, which the caller owns. Cost: two passes over at most CONFIG_UPSTREAMS_MAX
// servers.
//
// The servers that this question was sent to least often come first, and of these the servers that
// weir has no reason to avoid. Among those that are left the policy decides:
//
// failover: the first one.
// latency: the shortest round trip, divided by the weight; one of less than
//   UPSTREAM_LATENCY_FLOOR_US counts as that, and of equal ones the first is taken. A server whose
//   round trip is not known comes before all others. One query in UPSTREAM_PROBE_SHARE goes to any
//   other one instead, so that weir notices a server that has become quick.
// least-outstanding: the fewest queries under way (and this one), divided by the weight; of equal
//   ones as by latency.
// round-robin: in turn, as often as the weights say, and spread out ("smooth").

enum { UPSTREAM_LATENCY_FLOOR_US = 1000, UPSTREAM_PROBE_SHARE = 32 };

// The state of a server when a question needs one.
struct upstream_known {
	bool eligible;   // the question may be sent to it
	bool avoid;      // it may be down
	bool down;       // it is down: every other server comes first, however often it was asked
	unsigned sends;  // sends of this question to it
	unsigned weight; // 1 to CONFIG_WEIGHT_MAX
	unsigned under_way;  // open legs of all questions
	uint32_t latency_us; // 0: not known
};

struct upstream_turn {
	int32_t owed[CONFIG_UPSTREAMS_MAX]; // sum 0 while the list and the choice stay the same
};

// The place of the chosen one of the first `count` servers; -1: no server is eligible. `draw`: a
// random number.
ATTR_MUST_CHECK int upstream_choose(enum upstream_policy policy, const struct upstream_known *known,
	unsigned count, struct upstream_turn *turn, uint16_t draw);

struct upstream_stream;

// The state of a server: one record for each configured address in the process. Sets of groups, of
// forward zones and of other resolver threads that have the same server share it.
//
// Threads: upstream_health_acquire and _release take a lock; they are for changes of the
// configuration. The fields may be read and written by any thread that holds the record, relaxed:
// none of them says anything of another one. A question only reads them. They are written when a
// wait is over, when the first reply after one comes, by checks, and at most every
// UPSTREAM_SHARE_US by each set for the times. What counts queries is in the sets.
//
// Bounds: UPSTREAM_HEALTH_MAX records, static. When all are taken a set keeps the record of a
// further server itself: that server's state is then known to that set alone (counted, `refused`).
enum { UPSTREAM_HEALTH_MAX = 1024, UPSTREAM_SHARE_US = 100000 };

struct upstream_health {
	// Waits in a row that were over without a reply, those of checks too.
	alignas(64) _Atomic uint32_t silent;
	_Atomic uint32_t srtt_us;    // smoothed round trip; 0: not known
	_Atomic uint32_t latency_us; // smoothed, with waits that were over; 0: not known
	_Atomic bool is_logged;      // the log says that it is down
	// The server is down, though it answers checks: it leaves questions that others answer. So
	// a reply to a check does not end that; a failed check does: the server answers nothing,
	// and the next check that it answers brings it back.
	_Atomic bool is_outdone;
	_Atomic bool is_drained;      // the operator drained it: it gets no questions
	_Atomic bool is_checked;      // a check of it is in flight, sent by any set
	_Atomic uint64_t check_at_ms; // no set begins a check before; clock_mono_ms
	_Atomic uint64_t checks, checks_failed;
	_Atomic uint64_t down_until_ms; // clock_mono_ms; 0: not down
	_Atomic uint64_t answered_us;   // clock_mono_us of a reply at most UPSTREAM_SHARE_US older
					// than the latest one
	// Fields of the table, under its lock.
	unsigned users;
	union upstream_peer address;
};

// The record of the address, in the state that its other users left it in, or else a new one. NULL:
// the table is full.
ATTR_MUST_CHECK struct upstream_health *upstream_health_acquire(const union upstream_peer *address);
void upstream_health_release(struct upstream_health *h); // NULL is fine

#define upstream_health_get(h, field) atomic_load_explicit(&(h)->field, memory_order_relaxed)
#define upstream_health_set(h, field, value) \
	atomic_store_explicit(&(h)->field, value, memory_order_relaxed)

struct table_registry;
void upstream_health_tables(struct table_registry *tables); // any thread

// How many queries a server takes on a TCP connection before it ends it (RFC 7766 6.2.1: clients
// have to expect that). Resolver loop's thread only.
//
// When a server ends a connection with queries on it, later connections get no more queries than it
// answered on that one; if it answered none, nothing is concluded. The first end may be a restart
// or an accident. So when the server answers all queries of a connection, the next connections get
// twice as many, and from UPSTREAM_LIMIT_USES on there is no limit. After UPSTREAM_LIMIT_STRIKES
// ends the limit is known: then one connection at a time is a probe with twice as many,
// UPSTREAM_LIMIT_PROBE_MS after the last end, later after twice as long, up to
// UPSTREAM_LIMIT_KEEP_MS. A probe that the server answers in full makes the limit an accident
// again. A limit that nothing has confirmed for UPSTREAM_LIMIT_KEEP_MS is forgotten.
enum {
	UPSTREAM_LIMIT_STRIKES = 3,
	UPSTREAM_LIMIT_USES = 4096,
	UPSTREAM_LIMIT_PROBE_MS = 60000,
	UPSTREAM_LIMIT_KEEP_MS = 900000,
};

struct upstream_limit {
	unsigned queries; // on a connection; 0: no limit
	unsigned strikes;
	unsigned ends; // calls of upstream_limit_ended, ever
	uint32_t probe_wait_ms;
	uint64_t probe_ms, until_ms;
};

// How many queries a new connection may be for; 0: any number.
unsigned upstream_limit_now(const struct upstream_limit *l, uint64_t now_ms);
// After how many queries the server is known to end connections; 0: not known.
unsigned upstream_limit_known(const struct upstream_limit *l, uint64_t now_ms);
// Notes that a connection for `uses` queries is opened. Is it the probe with more than the limit?
bool upstream_limit_opened(struct upstream_limit *l, unsigned uses, uint64_t now_ms);
// Notes that the server ended a connection with queries on it after `answered` replies. Is the
// limit known from this end on? The caller leaves out connections that were opened before the last
// end: that is no second time.
bool upstream_limit_ended(struct upstream_limit *l, unsigned answered, uint64_t now_ms);
// Notes that the server has answered `answered` queries on a connection for `uses`.
void upstream_limit_answered(struct upstream_limit *l, unsigned answered, unsigned uses);

// Something that a server turns down: after UPSTREAM_STRIKES times weir leaves it out until
// `until_ms`.
struct upstream_lack {
	unsigned strikes;
	uint64_t until_ms;
};

// The latest zones of questions that were held against a server.
struct upstream_zones {
	uint32_t zone[UPSTREAM_STRIKES];  // upstream_ask_subject
	uint64_t at_ms[UPSTREAM_STRIKES]; // 0: unused
};

// Questions in a row that the server failed and another server of the set answered.
struct upstream_outdone {
	struct upstream_zones zones;
	uint64_t until_ms; // the server comes last until then; 0: it did not since its last answer
};

// Bits of servers that failed or left a question of the zone which another server answers.
struct upstream_outdid {
	uint32_t blamed, silent;
	uint32_t zone; // 0: there are no such servers
};

// The connections of a server over TLS.
struct upstream_tls {
	struct tls_peer *peer;        // NULL: weir cannot ask the server
	struct upstream_https *https; // NULL: not over HTTPS
	uint64_t handshakes, resumed, failed[TLS_FAILURE_COUNT];
	unsigned backoff_ms;
	uint64_t until_ms; // no connection is opened before; clock_mono_ms
	uint64_t logged_ms;
	uint64_t about_ms, why_ms; // when they were written; clock_mono_ms
	char about[TLS_ABOUT_MAX], why[TLS_WHY_MAX];
};

struct upstream {
	struct config_upstream config; // `config.name` is NULL
	char name[64];
	uint16_t number;             // number in the book
	union upstream_peer address; // address of `config`, but for recursion this resolver's own
	socklen_t address_len;
	struct upstream_health *health; // for the address in config, which all resolvers have
	struct upstream_health own;     // used as `health` unless is_recorded
	bool is_recorded;               // `health` is in the table
	uint32_t share; // share of the set's queries: each query moves it by a 256th
	// Times as in `health`, measured by queries of this set or copied from `health`.
	uint32_t srtt_us, latency_us;
	uint64_t times_us, shared_us; // time of the last change, and of the last copy to `health`
	struct took took;
	// What the server does not take: an OPT; the keepalive option over TCP; mixed letter case;
	// the client's subnet.
	struct upstream_lack no_edns, no_option, no_case, no_subnet;
	struct upstream_outdone outdone;
	struct upstream_zones silences; // questions that it left since it last answered one
	uint64_t down_tried_ms;         // when it last got a query while it was down
	unsigned wait_shift; // waits double with each query, sent once, that was not answered
	unsigned under_way;  // open legs
	uint64_t answered_us;
	struct upstream_limit tcp_limit;
	bool is_tls, is_https; // over HTTPS it is over TLS too
	bool is_nowhere;       // given by a host name without an address: no question goes there
	bool host_drained;     // the board has its host name as drained (host_board.h)
	struct upstream_tls tls;
	struct upstream_https_counts https;
	uint64_t way_turn; // turn of the board (route_board.h) that `way` is of
	enum route_way way;
	uint64_t sent, sent_port, answered, timeouts, bad_replies, tcp_retries, send_errors,
		failures, case_changed, tcp_opened, refused;
};

struct upstreams {
	struct loop *loop;
	struct upstream_book *book;
	struct upstream_port *port;             // NULL: no port
	const struct socket_address *recursion; // NULL: no recursion
	struct rng rng;
	struct keyhash_secret secret; // secret for hashes of zones and names
	bool is_for_zones, is_apart;
	uint64_t generation;
	unsigned count, first_timeout_ms, max_sends, backoff_s;
	enum upstream_policy policy;
	enum upstream_check_mode check;
	unsigned race;
	struct config_subnet subnet;
	struct upstream_turn turn;
	struct upstream server[CONFIG_UPSTREAMS_MAX];
	struct upstream_named *named; // NULL: no server is given by a host name
	unsigned unknown;             // host names of which no lookup has ended yet
	struct upstream_sockets *sockets;
	struct upstream_streams *streams;
	struct upstream_https *https;            // the first pool of its servers
	struct upstream_https_stats https_stats; // all but open, queries and bytes
	struct upstream_checks *checks;
	struct upstream_try *trial;    // NULL: no trial runs
	struct upstream_totals totals; // all but `sockets`, `streams` and `https`
	uint8_t buf[DNS_MESSAGE_MAX];  // the datagram being read
};

// Notes a step of an ask, about server `i` of its list or (-1) none. A stopped ask has no steps.
ATTR_INLINE void upstream_note(
	struct upstream_ask *a, enum trace_step step, int i, unsigned n, uint64_t value)
{
	const struct upstreams *u = a->owner;
	if (likely_(!a->callbacks->watched || *a->callbacks->watched == 0))
		return;
	const struct trace_event e = {.step = (uint8_t)step,
		.n = (uint8_t)n,
		.server = i >= 0 && a->generation == u->generation ? u->server[i].number
								   : LOG_NO_UPSTREAM,
		.value = value < UINT32_MAX ? (uint32_t)value : UINT32_MAX};
	a->callbacks->note(a, &e);
}

// upstream_set.c
// Does the text name the server by its name or host name, or by its address?
bool upstream_server_is_called(const struct upstream *s, const char *text);
bool upstream_server_is_at(const struct upstream *s, const char *text);
// Has the operator drained the server, by its address or by its host name?
static inline bool upstream_is_drained(const struct upstream *s)
{
	return s->host_drained || upstream_health_get(s->health, is_drained);
}

// upstream_server.c
// The way to the server as the board (route_board.h) has it now.
enum route_way upstream_server_way(struct upstream *s);
// Counts a query that has left, even if no leg waits for its reply. NULL: its server has left the
// list.
void upstream_server_sent(struct upstreams *u, struct upstream *s);
// Notes an accepted reply to a question; rtt_us 0: it measures no round-trip time.
void upstream_server_answered(struct upstream *s, uint64_t rtt_us, uint64_t now_us);
// Notes the reply to a check: the server is there. Its time counts only while no question has
// measured one.
void upstream_server_checked(struct upstream *s, uint64_t rtt_us, uint64_t now_us);
// Counts a reply to a question.
void upstream_server_count(struct upstream *s, uint64_t rtt_us, bool failure);
// Notes that a wait for the leg's reply is over. Is it the first since the server's last reply?
bool upstream_server_timed_out(
	const struct upstreams *u, struct upstream *s, struct upstream_leg *leg);
bool upstream_server_down(const struct upstreams *u, const struct upstream *s, uint64_t now_ms);
// Does the server fail what others of the set answer?
bool upstream_server_failing(const struct upstream *s, uint64_t now_ms);
// Does the server fail what others answer, or may it be down? weir asks it after all others.
bool upstream_server_avoid(const struct upstreams *u, const struct upstream *s, uint64_t now_ms);
bool upstream_server_mixes_case(const struct upstream *s, uint64_t now_ms);
// Does the server get a client's subnet (RFC 7871)?
bool upstream_takes_subnet(const struct upstream *s, uint64_t now_ms);
// The state of a server for a new query; the caller adds what depends on the question.
struct upstream_known upstream_server_known(
	const struct upstreams *u, struct upstream *s, uint64_t now_us);
// Notes that the server's answer was used, to a question that `others` had failed or left.
void upstream_server_outdid(struct upstreams *u, struct upstream *s,
	const struct upstream_outdid *others, uint64_t now_us);
// Does a failed reply say something of its server? Not where weir refuses what is in it, nor where
// the server says that the name is the reason (RFC 8914).
bool upstream_reply_blames(const uint8_t *msg, size_t len);
// The hash by which a question counts once where another server answers it: of its zone; in a set
// for zones, whose questions are all of few zones, of its name.
uint32_t upstream_ask_subject(const struct upstream_ask *a);
// Notes that an answer was used, to a query `with` the thing, or to one `without` it after the
// server had turned it down.
void upstream_server_lack(
	struct upstream *s, struct upstream_lack *l, bool with, bool without, uint64_t now_ms);
// How long to wait for the `sends`th query to the server, the first being 1.
unsigned upstream_server_wait_ms(
	const struct upstream *s, unsigned first_timeout_ms, unsigned sends);

// upstream_ask.c
// Waits for the query just sent, or, without one, until the deadline.
void upstream_ask_wait(
	struct upstream_ask *a, struct upstream_leg *current, unsigned longest_ms, uint64_t now_ms);
// How many queries the ask may send in all.
unsigned upstream_sends_max(const struct upstream_ask *a);
// Is there a server left that was asked at most `sends` times, other than `server`?
bool upstream_pick_left(const struct upstream_ask *a, unsigned sends, int server, uint64_t now_ms);

// The server of a leg; NULL, or index -1, if the list has changed since weir asked it.
struct upstream *upstream_leg_server(const struct upstream_leg *leg);
int upstream_leg_index(const struct upstream_leg *leg);
// Makes a leg to server `server` of the present list, with an id and letter case of its own.
void upstream_leg_init(struct upstream_leg *leg, struct upstream_ask *a, unsigned server,
	bool mixed_case, uint64_t now_ms);
void upstream_leg_open(struct upstream_leg *leg);
void upstream_leg_close(struct upstream_leg *leg); // a closed one is fine
// Writes the leg's query as it goes out. Bytes, or 0.
uint16_t upstream_leg_query(const struct upstream_leg *leg, uint8_t *out, size_t cap);
unsigned upstream_leg_options(const struct upstream_leg *leg); // bytes of options in its OPT
bool upstream_leg_matches(
	const struct upstream_leg *leg, const uint8_t *msg, size_t len, bool exact_case);
void upstream_leg_count_bad(struct upstream_leg *leg); // a reply that weir rejects
// A header alone, which says that the server does not know EDNS, or does not take a client's
// subnet. It comes from servers that cannot even find the question's end (RFC 8906).
bool upstream_leg_is_bare_refusal(const struct upstream_leg *leg, const uint8_t *msg, size_t len);

// Events of the transports. Unless upstream_replied says UPSTREAM_IGNORED the leg is closed, and
// the ask has moved on or is gone, when these return.
// Writes the question of `msg` in lower case: names of the reply may point into it, and what the
// leg's letter case was does not matter.
enum upstream_take upstream_replied(struct upstream_leg *leg, uint8_t *msg, size_t len);
void upstream_tcp_failed(struct upstream_leg *leg);
// A wait for the leg's reply is over, or it is known that none comes.
void upstream_wait_over(struct upstream_leg *leg);
void upstream_refused(struct upstream_leg *leg); // ICMP port unreachable; the ask may be gone
// Begins the wait for the reply: the leg had to wait for a connection, or has another one now.
void upstream_tcp_wait(struct upstream_leg *leg, unsigned longest_ms);
void upstream_go_plain(struct upstream_leg *leg); // asks the same server without subnet, or OPT
bool upstream_can_tcp(const struct upstream_leg *leg);
void upstream_go_tcp(struct upstream_leg *leg, bool truncated);

// upstream_udp.c
// Sends the leg's query, the first time or once more.
ATTR_MUST_CHECK int upstream_leg_send(struct upstream_leg *leg, uint64_t now_us);
void upstream_leg_readable(struct upstream_socket *s);
// Gives a leg over UDP a way out: the port, or a socket to server `i` of the present list.
ATTR_MUST_CHECK int upstream_leg_connect(struct upstream_leg *leg, unsigned i, uint64_t now_ms);

// upstream_tcp.c
// Sends the ask's query over TCP in clear text; after a failure the caller ends *leg, if it is not
// NULL.
ATTR_MUST_CHECK int upstream_tcp_start(
	struct upstream_ask *a, unsigned server, struct upstream_leg **leg);
void upstream_tcp_free(struct upstream_ask *a); // all legs over TCP, TLS and HTTPS
// Sends a query over HTTPS on another connection; false: it may not be sent again.
bool upstream_tcp_again(struct upstream_leg *leg);
void upstream_tcp_end(struct upstream_leg *leg); // one leg over TCP, which is gone then
struct upstream_leg *upstream_tcp_leg(struct upstream_tcp *t); // NULL is fine
// May the leg's query have reached the server? Not while a handshake goes on.
bool upstream_tcp_is_asked(struct upstream_leg *leg);
// A wait for the leg is over: is it the first one during the handshake of its connection? True
// where no handshake goes on.
bool upstream_tcp_is_first_silence(struct upstream_leg *leg);
extern const struct upstream_stream_calls upstream_tcp_calls; // for the connections

// Makes the peer of a new server, if the server is one over TLS.
void upstream_tls_open(struct upstreams *u, struct upstream *s, const char *ca_file);
// The server keeps the peer that it had before a change of the list, if both are the same.
void upstream_tls_continue(struct upstream *s, struct upstream_tls *old);
void upstream_tls_close(struct upstream *s);
// Notes that a handshake is done.
void upstream_tls_done(struct upstream *s, bool is_resumed, const char *about);
// A handshake has failed. True: it is the first failure of an accident.
bool upstream_tls_failed(struct upstream *s, enum tls_failure failure, const char *why);
bool upstream_tls_may_log(struct upstream *s); // may a failure be logged? once a minute
// For how long the ask waits for the leg's reply before it asks another server.
unsigned upstream_tls_wait_ms(const struct upstream_leg *leg);
// Sends the ask's next query to server `i`, or goes on waiting there. -errno: no query was sent.
ATTR_MUST_CHECK int upstream_tls_send(
	struct upstream_ask *a, unsigned i, uint64_t now_us, bool aside);

// upstream_check.c
struct upstream_checks;
ATTR_MUST_CHECK int upstream_checks_new(struct upstream_checks **out, struct upstreams *u);
void upstream_checks_free(struct upstream_checks *c); // NULL is fine
// Ends checks in flight; to be called before the list changes.
void upstream_checks_stop(struct upstream_checks *c);
void upstream_checks_configure(struct upstream_checks *c, const struct config_upstreams *config);
// Checks the server at a place of the list, unless checks are off or one is under way.
void upstream_check_now(struct upstream_checks *c, unsigned server);
// The handshake of the ask's connection is done, so its query leaves. Asks that are no checks are
// fine.
void upstream_check_secure(struct upstream_ask *a);
