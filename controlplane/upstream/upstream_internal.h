// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// What upstream.c (the order of things), upstream_reply.c (what follows a reply), upstream_pick.c
// (the next server), upstream_server.c (what is known of one), upstream_outdone.c (who fails what
// others answer), upstream_set.c (the list of them),
// upstream_report.c (their state), upstream_check.c, upstream_leg.c (one query), upstream_port.c
// (queries without a socket) and upstream_tcp.c share.

#include "route/route_board.h"
#include "upstream.h"
#include "upstream_choose.h"
#include "upstream_health.h"
#include "upstream_hosts.h"
#include "upstream_limit.h"

#include <event2/event.h>

#include <weir/keyhash.h>

// Something that is turned down: left out until then after so many times.
struct upstream_lack {
	unsigned strikes;
	uint64_t until_ms;
};

// The latest zones of questions that were held against a server.
struct upstream_zones {
	uint32_t zone[UPSTREAM_STRIKES];  // upstream_ask_subject
	uint64_t at_ms[UPSTREAM_STRIKES]; // 0: none
};

// Questions that it failed and another server of the set answered, in a row.
struct upstream_outdone {
	struct upstream_zones zones;
	uint64_t until_ms; // it comes last; 0: it did not, since it last answered
};

// Servers, as bits, that failed or left a question of the zone which another one answers.
struct upstream_outdid {
	uint32_t blamed, silent;
	uint32_t zone; // 0: there are none
};

// Of a server over TLS.
struct upstream_tls {
	struct tls_peer *peer;        // NULL: it cannot be asked
	struct upstream_https *https; // NULL: not over HTTPS
	uint64_t handshakes, resumed, failed[TLS_FAILURE_COUNT];
	unsigned backoff_ms;
	uint64_t until_ms; // no connection is opened before; clock_mono_ms
	uint64_t logged_ms;
	uint64_t about_ms, why_ms; // when they were written; clock_mono_ms
	char about[TLS_ABOUT_MAX], why[TLS_WHY_MAX];
};

struct upstream {
	struct config_upstream config; // name is our own copy
	char name[64];
	uint16_t number;             // in the book
	union upstream_peer address; // of config, but of recursion where this resolver has it
	socklen_t address_len;
	struct upstream_health *health; // by the address in config, which all resolvers have
	struct upstream_health own;     // `health` unless
	bool is_recorded;               // in the table
	uint32_t share;                 // of the set's queries: each moves it by a 256th
	// As in `health`, from the queries of this set, or from there when it is of late.
	uint32_t srtt_us, latency_us;
	uint64_t times_us, shared_us; // when they were last brought up to date; told to `health`
	struct took took;
	// OPT; over TCP the keepalive option; letter case as it was sent; the client's subnet.
	struct upstream_lack no_edns, no_option, no_case, no_subnet;
	struct upstream_outdone outdone;
	struct upstream_zones silences; // of questions that it left, since it last answered one
	uint64_t down_tried_ms;         // when it last got a query while it was down
	unsigned wait_shift; // waits double with each query, sent once, that was not answered
	unsigned under_way;  // open legs
	uint64_t answered_us;
	struct upstream_limit tcp_limit;
	bool is_tls, is_https; // over HTTPS it is over TLS too
	bool is_nowhere;       // given by a host name without an address: no question goes there
	bool host_drained;     // by its host name, as the board has it (host_board.h)
	struct upstream_tls tls;
	struct upstream_https_counts https;
	uint64_t way_turn; // of the board (route_board.h), that `way` is of
	enum route_way way;
	uint64_t sent, sent_port, answered, timeouts, bad_replies, tcp_retries, send_errors,
		failures, case_changed, tcp_opened, refused;
};

struct upstreams {
	struct loop *loop;
	struct upstream_book *book;
	struct upstream_port *port;             // NULL: none
	const struct socket_address *recursion; // NULL: none
	struct rng rng;
	struct keyhash_secret secret; // of zones and names
	bool is_for_zones;
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
	struct upstream_https *https;            // the first one of its servers
	struct upstream_https_stats https_stats; // but open, queries and bytes
	struct upstream_checks *checks;
	struct upstream_try *trial;    // NULL: none
	struct upstream_totals totals; // but `sockets` and `streams`
	uint8_t buf[DNS_MESSAGE_MAX];  // the datagram being looked at
};

// A step of an ask, of server `i` of its list or of none. Once it is stopped there are none.
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

// By its name, or by its address.
bool upstream_server_is_called(const struct upstream *s, const char *text);
bool upstream_server_is_at(const struct upstream *s, const char *text);
// By the operator: its address, or its host name, whichever address that has.
static inline bool upstream_is_drained(const struct upstream *s)
{
	return s->host_drained || upstream_health_get(s->health, is_drained);
}
void upstreams_drained_read(struct upstreams *u); // of host names, from the board
// The way to it as the board has it now.
enum route_way upstream_server_way(struct upstream *s);
// A query has left, whoever still waits for its reply. NULL: its server has left the list.
void upstream_server_sent(struct upstreams *u, struct upstream *s);
// A believed reply to a question; rtt_us 0: it measures no round-trip time.
void upstream_server_answered(struct upstream *s, uint64_t rtt_us, uint64_t now_us);
// A reply to a check: the server is there. Its time counts where none of a question is known.
void upstream_server_checked(struct upstream *s, uint64_t rtt_us, uint64_t now_us);
void upstream_server_count(struct upstream *s, uint64_t rtt_us, bool failure); // to a question
// A wait for the leg's reply is over. True: this is the first since its last reply.
bool upstream_server_timed_out(
	const struct upstreams *u, struct upstream *s, struct upstream_leg *leg);
bool upstream_server_down(const struct upstreams *u, const struct upstream *s, uint64_t now_ms);
// It fails what others of the set answer.
bool upstream_server_failing(const struct upstream *s, uint64_t now_ms);
// That, or it may be down: asked after all others.
bool upstream_server_avoid(const struct upstreams *u, const struct upstream *s, uint64_t now_ms);
bool upstream_server_mixes_case(const struct upstream *s, uint64_t now_ms);
bool upstream_takes_subnet(const struct upstream *s, uint64_t now_ms); // a client's (RFC 7871)
// The state of a server for a new query; the caller adds what depends on the question.
struct upstream_known upstream_server_known(
	const struct upstreams *u, struct upstream *s, uint64_t now_us);

// The server that the ask's next query goes to by UDP; -1: none is left.
int upstream_pick(struct upstream_ask *a, uint64_t now_us);
// How many queries the ask may send in all.
unsigned upstream_sends_max(const struct upstream_ask *a);
// Is there a server left that was asked at most `sends` times, other than `server`?
bool upstream_pick_left(const struct upstream_ask *a, unsigned sends, int server, uint64_t now_ms);
// Its answer was taken, to a question that those others had failed or left.
void upstream_server_outdid(struct upstreams *u, struct upstream *s,
	const struct upstream_outdid *others, uint64_t now_us);
// How many of the zones are no older than UPSTREAM_STRIKE_MS, with this one; 0: it was among them.
unsigned upstream_zones_add(struct upstream_zones *z, uint32_t zone, uint64_t now_ms);
// Another server of the set has answered a question that this one left.
void upstream_server_left(
	const struct upstreams *u, struct upstream *s, uint32_t zone, uint64_t now_us);
// Does a reply that was of no use say something of its server? Not where weir refuses what is in
// it, nor where the server says that the name is the reason (RFC 8914).
bool upstream_reply_blames(const uint8_t *msg, size_t len);
// Of the ask's question.
uint32_t upstream_ask_zone(const struct upstream_ask *a);
// What of it counts once where another server answers it: the zone; in a set for zones, whose
// questions are all of few zones, the name.
uint32_t upstream_ask_subject(const struct upstream_ask *a);
// An answer to be used; `with` it, or `without`: after that had been turned down.
void upstream_server_lack(
	struct upstream *s, struct upstream_lack *l, bool with, bool without, uint64_t now_ms);
// How long to wait for the `sends`th query to it, first being 1.
unsigned upstream_server_wait_ms(
	const struct upstream *s, unsigned first_timeout_ms, unsigned sends);

// The first time or once more.
ATTR_MUST_CHECK int upstream_leg_send(struct upstream_leg *leg, uint64_t now_us);
void upstream_leg_readable(struct upstream_socket *s);
// A leg of UDP gets a way out: through the port, or a socket to server `i` of the present list.
ATTR_MUST_CHECK int upstream_leg_connect(struct upstream_leg *leg, unsigned i, uint64_t now_ms);
// A worker has a message from the leg's server; `is_cut`: the beginning of a longer
// one, which its checksum may not fit. The ask may be gone.
void upstream_leg_heard(struct upstream_leg *leg, const uint8_t *dns, size_t len, bool is_cut);
// A socket gets the query of a leg through the port, and sends it; `again`: it may have left
// before. Where none can be opened the leg stays as it is.
void upstream_leg_move(struct upstream_leg *leg, bool again);
// By TCP, all at once; upstream_tcp_free takes what there is either way.
ATTR_MUST_CHECK int upstream_tcp_start(
	struct upstream_ask *a, unsigned server, struct upstream_leg **leg);
void upstream_tcp_free(struct upstream_ask *a); // all legs over TCP as well
// A leg over TCP, into `*place`; what a failure leaves there upstream_tcp_end takes.
ATTR_MUST_CHECK int upstream_tcp_begin(
	struct upstream_ask *a, struct upstream_tcp **place, unsigned server, bool is_tls);
// A query over HTTPS is sent on another connection, if it may be; false: it is not.
bool upstream_tcp_again(struct upstream_leg *leg);
void upstream_tcp_end(struct upstream_leg *leg); // one leg over TCP, which is gone then
struct upstream_leg *upstream_tcp_leg(struct upstream_tcp *t); // NULL is fine
// Has its connection said nothing since it was sent, for too long?
bool upstream_tcp_is_silent(struct upstream_leg *leg);
// Has its query perhaps reached the server? Not while a handshake goes on.
bool upstream_tcp_is_asked(struct upstream_leg *leg);
// A wait for the leg is over: is it the first one during the handshake of its connection? True
// where no handshake goes on.
bool upstream_tcp_is_first_silence(struct upstream_leg *leg);

// Servers over TLS (upstream_tls.c). A new server's peer, if it is one; from the one before it, if
// that is the same; its end.
void upstream_tls_open(struct upstreams *u, struct upstream *s, const char *ca_file);
void upstream_tls_continue(struct upstream *s, struct upstream_tls *old);
void upstream_tls_close(struct upstream *s);
// For the connections (upstream_streams.h).
int upstream_tls_peer(struct upstreams *u, const struct upstream_leg *leg, struct tls_peer **out);
void upstream_tls_secure(const struct upstream_stream *stream);
void upstream_tls_insecure(
	struct upstream_stream *stream, enum tls_failure failure, const char *why);
// A handshake is done, or has failed: true: the first failure of an accident.
void upstream_tls_done(struct upstream *s, bool is_resumed, const char *about);
bool upstream_tls_failed(struct upstream *s, enum tls_failure failure, const char *why);
bool upstream_tls_may_log(struct upstream *s); // a failure; once a minute
// For how long the ask waits for the leg's reply before it asks another server.
unsigned upstream_tls_wait_ms(const struct upstream_leg *leg);
// The leg over TLS to a server of the ask's list, or NULL.
struct upstream_leg *upstream_tls_to(const struct upstream_ask *a, unsigned server);
// The ask's next query goes to server `i`, or goes on waiting there. 0, -errno: no further one
// does.
ATTR_MUST_CHECK int upstream_tls_send(
	struct upstream_ask *a, unsigned i, uint64_t now_us, bool aside);
extern const struct upstream_stream_calls upstream_tcp_calls;

void upstream_leg_open(struct upstream_leg *leg);
void upstream_leg_close(struct upstream_leg *leg); // a closed one is fine

// The server of a leg; NULL, or index -1, if the list has changed since weir asked it.
struct upstream *upstream_leg_server(const struct upstream_leg *leg);
int upstream_leg_index(const struct upstream_leg *leg);
// Of the UDP legs: the open one to a server of the ask's list, or NULL.
struct upstream_leg *upstream_leg_to(struct upstream_ask *a, unsigned server);
// One that is not in use, or else the one that was sent to the longest ago, closed.
struct upstream_leg *upstream_leg_spare(struct upstream_ask *a);
// Is a reply to it worth a wait? After a failure, not from a server that was down when it was sent.
bool upstream_leg_is_awaited(const struct upstream_leg *leg);
bool upstream_leg_any_awaited(const struct upstream_ask *a); // of those that are open
// A leg to server i of the present list, with an id and letter case of its own.
void upstream_leg_init(struct upstream_leg *leg, struct upstream_ask *a, unsigned server,
	bool mixed_case, uint64_t now_ms);
// Its query as it goes out. Bytes, or 0.
uint16_t upstream_leg_query(const struct upstream_leg *leg, uint8_t *out, size_t cap);
unsigned upstream_leg_options(const struct upstream_leg *leg); // bytes of options in its OPT
bool upstream_leg_matches(
	const struct upstream_leg *leg, const uint8_t *msg, size_t len, bool exact_case);
void upstream_leg_count_bad(struct upstream_leg *leg); // a reply that is not believed
// Is it what a server says that does not know EDNS, or does not take a client's subnet, to a query
// that has it?
bool upstream_leg_is_too_old(const struct upstream_leg *leg, const uint8_t *msg, size_t len);
// The same as a header alone, from servers that cannot even find the question's end (RFC 8906).
bool upstream_leg_is_bare_refusal(const struct upstream_leg *leg, const uint8_t *msg, size_t len);

// Checks of the servers (upstream_check.c).
struct upstream_checks;

ATTR_MUST_CHECK int upstream_checks_new(struct upstream_checks **out, struct upstreams *u);
void upstream_checks_free(struct upstream_checks *c); // NULL is fine
// Ends those under way: before the list of servers changes.
void upstream_checks_stop(struct upstream_checks *c);
void upstream_checks_configure(struct upstream_checks *c, const struct config_upstreams *config);
// Of the server at a place of the list, unless checks are off or one is under way.
void upstream_check_now(struct upstream_checks *c, unsigned server);

// The handshake of the ask's connection is done, so its query leaves. Asks that are no checks are
// fine.
void upstream_check_secure(struct upstream_ask *a);

// What a check asks, also where there are none.
const uint8_t *upstream_checks_question(const struct upstream_checks *c, uint16_t *len);

// Steps of an ask.
// The next query, or waiting for the legs that are left, or the end; the ask may be gone.
void upstream_ask_next(struct upstream_ask *a);
// Waits for the query just sent, or, without one, until the deadline.
void upstream_ask_wait(
	struct upstream_ask *a, struct upstream_leg *current, unsigned longest_ms, uint64_t now_ms);
// `bit`: the server; 0 if it has left the list. TCP was no way out.
void upstream_without_tcp(struct upstream_ask *a, uint32_t bit);
// The leg beside the one that is waited for, or NULL: waited for from now on, or no longer.
struct upstream_leg *upstream_leg_aside_take(struct upstream_ask *a);

// Events of the transports. Unless upstream_replied says UPSTREAM_IGNORED the leg is closed, and
// the ask has moved on or is gone, when these return.
// Writes the question of `msg` in lower case: names of the reply may point into it, and what the
// leg's letter case was does not matter.
enum upstream_take upstream_replied(struct upstream_leg *leg, uint8_t *msg, size_t len);
void upstream_tcp_failed(struct upstream_leg *leg);
// A wait for the leg's reply is over, or it is known that none comes.
void upstream_wait_over(struct upstream_leg *leg);
void upstream_refused(struct upstream_leg *leg); // ICMP port unreachable; the ask may be gone
// For the reply to what has a connection after a wait, or another one than before.
void upstream_tcp_wait(struct upstream_leg *leg, unsigned longest_ms);
void upstream_go_plain(struct upstream_leg *leg); // the same server without subnet, or OPT
bool upstream_can_tcp(const struct upstream_leg *leg);
void upstream_go_tcp(struct upstream_leg *leg, bool truncated);
