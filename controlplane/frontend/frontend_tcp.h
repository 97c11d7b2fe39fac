// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// TCP/53: queries to the service addresses over TCP (RFC 7766, 9210), on the kernel's sockets
// behind the exception port, answered by the frontend (frontend.h); and the same over TLS (RFC
// 7858). frontend_tcp_internal.h says what a listener's connections speak.
//
// Runs on a frontend's loop. Connections are kept open and take any number of queries, one after
// the other or many at once; replies leave as they are found, in whatever order, each in one piece
// with its length. A client that closes its side still gets its answers. After a client sends the
// keepalive option (RFC 7828), replies with an OPT say how long it may be silent. Sockets are
// touched in frontend_tcp_conn.c only; what a connection speaks sees only clear bytes.
//
// TLS: certificates are those in force when a connection is accepted (frontend_tcp_shared.h);
// without any, it is not listened. A handshake has tcp.query_timeout in all. FRONTEND_TLS_SHAKING
// of a frontend may be open, one more closes the one begun longest ago; a step of one counts
// as TCP_STEP_COST messages of an iteration. Over TLS, a reply with an OPT is padded to a multiple
// of 468 bytes (RFC 8467) once the client has sent the padding option.
//
// A connection from a balancer (proxy_protocol.from) begins with a header of PROXY protocol v2,
// read before TLS (frontend_tcp_accept.c). The client that it names is the connection's client in
// all that follows. A header that names none (a health check) leaves the balancer as the client.
//
// Bounds, all of them in weirctl tcp and of all frontends together (frontend_tcp_shared.h):
// * No connections from clients that may not ask (access), unless access.denied is `refuse`; over
//   TLS in no case, as a refusal would cost a handshake.
// * tcp.connections in all; one more closes the one that was idle longest, or if none is, the one
//   that has stalled longest; without either the new one is refused. Where this frontend has no
//   idle one, it asks the others (frontend_tcp_accept.c). Never more than the files that this
//   process may open, less those that the resolver needs.
// * FRONTEND_PROXY_WAITS connections of a frontend without their header yet, which are in no other
//   bound, each for tcp.query_timeout at most; one more closes the one that has waited longest.
// * tcp.per_client from one address (IPv4) or /64 (IPv6), in the same way among that client's.
// * tcp.pipelined questions without their answers in one connection, a quarter of tcp.queries in
//   those of one address (or what one connection may, if that is more), divided by the frontends
//   that it uses, and tcp.queries in all, so that TCP cannot take all places of limits.inflight;
//   over that, or while a client leaves CONN_OUT_SOFT bytes unread, its connection is not read:
//   data waits in the kernel.
// * tcp.buffer_kb of memory for messages of which a part has come, or a part could not be sent:
//   only slow clients need any. When it is used up, the one that has stalled longest is closed.
// * Time: tcp.idle_timeout without a question, falling to a tenth of it while the last quarter of
//   tcp.connections fills; tcp.query_timeout from the first byte of a query to its last;
//   CONN_DRAIN_MS for what the client leaves unread.
// * tcp.connection_queries questions in one connection, and tcp.connection_age of it, where the
//   operator sets them (RFC 9210 4.2): it gets its answers, keepalive announces the end, and the
//   server waits for the client's close (CONN_PARTING_MS): an immediate close with unread queries
//   would be a reset, which can lose replies that the client has not read.
// * A drain of the box (weirctl drain): connections end in the same way, those that are idle at
//   once. A client that comes meanwhile, or is in its TLS handshake at the begin, has
//   CONN_DRAINED_MS for its questions, from the end of its handshake on. The drain waits for the
//   second kind, too.
// At most TCP_ENDS_A_TICK expired connections end in each tick of the wheel, the others in later
// ticks: other work does not wait for ten thousand that a lower tcp.idle_timeout ends. An iteration
// of the loop accepts 64 new connections, 256 messages, and 32 of one connection, so that answers
// of resolvers, other connections and the UDP fallback wait little. Misses of workers do not pass
// this loop.

#include "base/counts.h"
#include "base/loop.h"
#include "base/table_registry.h"
#include "doh/doh.h"
#include "frontend.h"
#include "frontend_names.h"
#include "frontend_socket.h"
#include "tls/tls_server.h"

#include <weir/config.h>

// Options of EDNS that belong to a connection. Keepalive (RFC 7828): a client sends it in a query
// over TCP, and replies say how long its connection may be silent. Padding (RFC 7830): a client
// that sends it over TLS gets replies in blocks of TCP_PADDING_BLOCK bytes (RFC 8467).

enum {
	TCP_OPTION_KEEPALIVE = 1,
	TCP_OPTION_PADDING = 2,
	TCP_PADDING_BLOCK = 468,
};

// Which of these options does the query's OPT have? `msg` may be any bytes. Options of any length
// count, because their content in a query means nothing.
unsigned tcp_options_of(const uint8_t *msg, size_t len);

// Puts the keepalive option into the reply's OPT, if it has one. `idle_ms` is capped at 6553.5 s.
void tcp_keepalive_tell(struct frontend_reply *reply, unsigned idle_ms);

// The bytes that padding adds to the reply; 0: the reply has no OPT, or no room.
unsigned tcp_padding_of(const struct frontend_reply *reply);
// Pads `msg`, a copy of the reply with room for `pad` bytes behind it.
void tcp_padding_put(uint8_t *msg, const struct frontend_reply *reply, unsigned pad);

struct frontend_tcp;

// Why connections end. X(name, text)
#define FRONTEND_TCP_ENDS(X)                                               \
	X(client, "closed by the client")                                  \
	X(error, "reset, or the network failed")                           \
	X(memory, "no memory left for TLS")                                \
	X(idle, "no question for tcp.idle_timeout")                        \
	X(slow_query, "a query not complete in tcp.query_timeout")         \
	X(proxy, "no PROXY header, or a bad one, from a balancer")         \
	X(slow_proxy, "PROXY header not complete in tcp.query_timeout")    \
	X(handshake, "no TLS: the handshake failed")                       \
	X(slow_handshake, "no TLS: not done in tcp.query_timeout")         \
	X(slow_reader, "replies left unread")                              \
	X(broken, "not DNS")                                               \
	X(http, "not HTTP, or a request that weir refused before its end") \
	X(flood, "more resets or frames of HTTP/2 than a client needs")    \
	X(queries, "had its tcp.connection_queries")                       \
	X(age, "open for tcp.connection_age")                              \
	X(drained, "the box is drained")                                   \
	X(evicted, "idle longest, when tcp.connections were open")         \
	X(evicted_client, "idle longest, when its client had too many")    \
	X(evicted_memory, "stalled longest, when tcp.buffer_kb was full")  \
	X(evicted_proxy, "longest without its PROXY header of too many")   \
	X(evicted_handshake, "shaking hands longest, when too many were")  \
	X(stopped, "TCP turned off, or weir stops")

enum frontend_tcp_end {
	FRONTEND_TCP_OPEN,
#define X(name, text) FRONTEND_TCP_END_##name,
	FRONTEND_TCP_ENDS(X)
#undef X
		FRONTEND_TCP_END_COUNT
};
extern const char
	*const frontend_tcp_end_names[FRONTEND_TCP_END_COUNT]; // NULL for FRONTEND_TCP_OPEN

// Why accept() gave no connection. X(name, text)
#define FRONTEND_TCP_ACCEPT_ERRORS(X)                  \
	X(lost, "closed or unreachable before accept") \
	X(files, "no file descriptor left")            \
	X(memory, "the kernel had no memory")          \
	X(other, "another error")

enum frontend_tcp_accept_error {
#define X(name, text) FRONTEND_TCP_ACCEPT_##name,
	FRONTEND_TCP_ACCEPT_ERRORS(X)
#undef X
		FRONTEND_TCP_ACCEPT_ERROR_COUNT
};
extern const char *const frontend_tcp_accept_error_names[FRONTEND_TCP_ACCEPT_ERROR_COUNT];
enum frontend_tcp_accept_error frontend_tcp_accept_error_of(int err); // err: an errno

// What a drain of the box does to connections, by the time that it has lasted (api/drain.h).
enum frontend_tcp_drain {
	FRONTEND_TCP_STAYS, // no drain, or the routes to the box are not withdrawn yet
	FRONTEND_TCP_PARTS, // each ends once it has answered what it was asked
	FRONTEND_TCP_CUTS,  // connections from before the drain end at once; new ones as above
};

enum frontend_tcp_kind {
	FRONTEND_TCP_CLEAR,
	FRONTEND_TCP_DOT,
	FRONTEND_TCP_DOH,
	FRONTEND_TCP_KINDS
};
extern const char *const frontend_tcp_kind_names[FRONTEND_TCP_KINDS];

enum {
	FRONTEND_TCP_LISTENERS_MAX = FRONTEND_TCP_KINDS * CONFIG_ADDRESSES_MAX,
	FRONTEND_TLS_SHAKING = 256,
};
static_assert((int)FRONTEND_TCP_LISTENERS_MAX <= (int)FRONTEND_SOCKETS_MAX);

// What the TCP server uses of a configuration.
struct frontend_tcp_settings {
	struct config_tcp tcp; // the limits of all kinds
	struct frontend_tcp_port {
		bool enabled;
		uint16_t port;
	} serves[FRONTEND_TCP_KINDS];
	struct doh_settings doh;
	struct config_proxy_protocol balancers;
};
void frontend_tcp_settings_of(const struct config *c, struct frontend_tcp_settings *out);

// Connections over TLS.
#define TLS_COUNTS(X)                                                                          \
	X(SUM, unsigned, open, SAME, NAMED("connections"), "Connections of clients over TLS.") \
	X(SUM, unsigned, shaking, SAME, NONE, "Connections in their handshake.")               \
	X(SUM, unsigned, shaking_max, SAME, NONE, "Most of these at once.")                    \
	X(SUM, uint64_t, handshakes, SAME, TOTAL, "TLS handshakes of clients.")                \
	X(SUM, uint64_t, resumed, SAME, TOTAL, "Of these, sessions resumed by a ticket.")      \
	X(SUM, uint64_t, certified, SAME, TOTAL,                                               \
		"TLS handshakes of clients with a certificate that tls.client_ca vouches for.")

struct frontend_tls_status {
	TLS_COUNTS(COUNT_FIELD)
	uint64_t failed[TLS_REFUSAL_COUNT];
	// The certificates in force, the same for all frontends, and the error of newer files ("":
	// no error).
	unsigned certificates;
	struct tls_certificate_about certificate[TLS_CERTIFICATES_MAX];
	char why[TLS_WHY_MAX];
};
COUNTS(frontend_tls_rows, struct frontend_tls_status, "weir_tls_", TLS_COUNTS)

struct frontend_tcp_listener_status {
	enum frontend_tcp_kind kind;
	struct socket_address address;
	int err; // 0: it listens; -errno: it is tried again
};

const char *frontend_tcp_listen_error(int err); // text of frontend_tcp_listener_status.err

#define TCP_COUNTS(X)                                                                            \
	X(FIRST, bool, enabled, SAME, NONE, "Whether weir listens on TCP.")                      \
	X(SUM, unsigned, open, SAME, NAMED("connections"), "TCP connections of clients.")        \
	X(FIRST, unsigned, open_max, SAME, NONE, "Most connections at once.")                    \
	X(SUM, unsigned, leaving, SAME, SAME, "TCP connections that a drain has yet to end.")    \
	X(FIRST, unsigned, cap, NAMED("open_cap"), NAMED("connections_cap"),                     \
		"Most TCP connections of clients.")                                              \
	X(FIRST, unsigned, clients, SAME, SAME, "Clients with a connection.")                    \
	X(FIRST, unsigned, per_client, NAMED("per_client_cap"), NONE,                            \
		"Most connections of one client.")                                               \
	X(FIRST, unsigned, busiest_open, SAME, NONE, "Connections of the client that has most.") \
	X(SUM, unsigned, pending, SAME, SAME, "Questions over TCP that wait for an answer.")     \
	X(FIRST, unsigned, pending_max, SAME, NONE, "Most questions that waited at once.")       \
	X(FIRST, unsigned, pending_cap, SAME, NONE, "Most questions that can wait.")             \
	X(SUM, uint64_t, buffered, SAME, NAMED("buffered_bytes"),                                \
		"Bytes in buffers of TCP connections.")                                          \
	X(FIRST, uint64_t, buffered_cap, SAME, NAMED("buffered_cap_bytes"),                      \
		"Most bytes in buffers of TCP connections.")                                     \
	X(FIRST, unsigned, idle_ms, SAME, NONE,                                                  \
		"Time after which an idle connection ends, as of now.")                          \
	X(SUM, uint64_t, accepted, SAME, TOTAL, "TCP connections accepted.")                     \
	X(SUM, uint64_t, proxied, SAME, TOTAL,                                                   \
		"Of these, TCP connections of clients that a balancer named.")                   \
	X(SUM, uint64_t, refused_full, SAME, TOTAL,                                              \
		"TCP connections refused because tcp.connections was reached.")                  \
	X(SUM, uint64_t, refused_client, SAME, TOTAL,                                            \
		"TCP connections refused because their client reached tcp.per_client.")          \
	X(SUM, uint64_t, refused_denied, SAME, TOTAL,                                            \
		"TCP connections refused because their client may not ask.")                     \
	X(SUM, uint64_t, accept_paused, SAME, TOTAL,                                             \
		"Times that accepting paused because no file descriptor was free.")              \
	X(SUM, uint64_t, queries, SAME, TOTAL, "Queries received over TCP.")                     \
	X(SUM, uint64_t, replies, SAME, TOTAL, "Replies sent over TCP.")                         \
	X(SUM, uint64_t, bytes_in, SAME, NAMED("received_bytes_total"),                          \
		"Bytes received over TCP.")                                                      \
	X(SUM, uint64_t, bytes_out, SAME, NAMED("sent_bytes_total"), "Bytes sent over TCP.")     \
	X(SUM, uint64_t, held, SAME, NONE,                                                       \
		"Times that a connection was not read because too much was under way.")

struct frontend_tcp_status {
	TCP_COUNTS(COUNT_FIELD)
	struct ip_address busiest; // the client with most connections; version 0: no client
	uint64_t accept_errors[FRONTEND_TCP_ACCEPT_ERROR_COUNT];
	uint64_t ended[FRONTEND_TCP_END_COUNT];
	struct frontend_tls_status tls;
	struct doh_status_now doh;
	unsigned listener_count;
	struct frontend_tcp_listener_status listener[FRONTEND_TCP_LISTENERS_MAX];
};
COUNTS(frontend_tcp_rows, struct frontend_tcp_status, "weir_tcp_", TCP_COUNTS)

// The engine that answers: frontend.h, but in tests.
struct frontend_tcp_engine {
	struct frontend *frontend;
	enum frontend_outcome (*ask)(struct frontend *f, struct frontend_session *s,
		const union client_address *client, const uint8_t *msg, size_t len,
		struct frontend_reply *out);
	void (*begin)(struct frontend_session *s);
	void (*end)(struct frontend *f, struct frontend_session *s);
	// May this client have a connection? NULL: any client may.
	bool (*admits)(struct frontend *f, const union client_address *client, bool over_tls);
	// When the oldest question that waits for its answer came; 0: no question waits. NULL:
	// unknown.
	uint64_t (*since_ms)(const struct frontend *f);
	unsigned number;                    // place among the frontends
	struct frontend_tcp_shared *shared; // frontend_tcp_shared.h; NULL: not shared
};

enum {
	FRONTEND_TCP_FILES_ALL = 1 << 30,
	FRONTEND_TCP_CLAIMS = 64,   // connections that wait for room at another frontend
	FRONTEND_PROXY_WAITS = 256, // connections that wait for their PROXY header
};

// Listens on each address for each kind that is on. `files`: how many connections there may be by
// the limit of open files. An address that cannot be bound is logged and tried again every 5 s.
// -ENOMEM, or -errno if there is no randomness. Before the loop runs.
ATTR_MUST_CHECK int frontend_tcp_open(struct frontend_tcp **out, struct loop *loop,
	const struct frontend_tcp_engine *engine, const struct frontend_tcp_settings *set,
	const struct ip_address *address, unsigned count, unsigned files);
void frontend_tcp_close(struct frontend_tcp *t); // NULL is fine; before the engine's end

// On the loop's thread: the number of connections that the limit of open files allows.
void frontend_tcp_files(struct frontend_tcp *t, unsigned files);
// On the loop's thread. Times hold for all connections, lower caps for new ones; a kind that is
// turned off loses all its connections. The port of TCP/53 stays what it was.
void frontend_tcp_configure(struct frontend_tcp *t, const struct frontend_tcp_settings *set);
// On the loop's thread: begins what frontend_tcp_shared_drain() has set, for all connections.
void frontend_tcp_drain(struct frontend_tcp *t);
// On the loop's thread.
void frontend_tcp_status(const struct frontend_tcp *t, struct frontend_tcp_status *out);
void frontend_tcp_tables(const struct frontend_tcp *t, struct table_registry *tables);
