// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The frontend: DNS messages that clients send to the control plane itself, over TCP
// (frontend_tcp.h) or, while no data plane takes them off the wire, over UDP (frontend_udp.h). One
// engine behind every transport; it knows no sockets and no framing.
//
// A message passes the same steps as in a worker, with the same functions of dataplane/core:
// parser, group of the client, rules, L0, which the engine reads as a worker does: by a place in
// the epoch of all resolvers and with marks (publisher_reader). The rest goes to the resolver of
// its key by a ring and joins the questions of the workers' clients (resolver_client.h). So the
// reply is the one that the data plane would send, up to the size of the transport.
//
// Who owns what: the process makes and frees the engine; all of it runs on one loop's thread. A
// transport embeds one frontend_session for each destination of replies: a connection, or a UDP
// socket. The transport keeps the message, which is not needed once frontend_ask has returned. A
// reply is the engine's own buffer, good until the transport calls the engine again or returns to
// the loop. Ends: frontend_ask answers at once or calls session->reply exactly once later, from the
// loop and never from within frontend_ask, in the order in which answers are found, which is not
// that of the questions. A question without an answer in FRONTEND_LIFE_MS (the resolver sends
// SERVFAIL after limits.answer_deadline_ms) ends with a reply of no bytes. frontend_session_end,
// when a connection ends, cancels all pending questions of its session: nothing is called for it
// afterwards. The reply function may end any session, its own too, and then free it. It may not
// call frontend_ask, because it runs while many are being answered: a transport with more questions
// goes on from the loop. Full: no room among FRONTEND_PENDING_MAX pending questions of all
// frontends, or on the ring of the resolver, is a stale answer at once, or SERVFAIL with EDE 0,
// counted; by `pending` of a session a transport knows when to stop reading. While the resolver
// hangs stale answers are given, too, and a question without one waits. A session has no cap of its
// own here. Costs: a hit some 0.1 us; nothing is allocated.

#include "base/counts.h"
#include "base/table_registry.h"
#include "resolver/resolver_client.h"

#include <netinet/in.h>
#include <weir/log_msg.h>
#include <weir/shm_msg.h>
#include <weir/shm_stats.h>

struct config;
struct frontend;
struct frontend_shared;
struct loop;
struct publisher;

enum frontend_transport {
	FRONTEND_UDP,
	FRONTEND_TCP,
	FRONTEND_DOT,
	FRONTEND_DOH,
	FRONTEND_TRANSPORTS
};
extern const char *const frontend_transport_names[FRONTEND_TRANSPORTS]; // "udp", ...

enum {
	FRONTEND_PORT = 53,
	FRONTEND_PENDING_MAX = 16384,
	FRONTEND_LIFE_MS = 6000,
};

// `msg` may be changed, with REPLY_HEADROOM bytes before and REPLY_TAILROOM behind it.
struct frontend_reply {
	uint8_t *msg; // NULL where none came in time, to the session's oldest question
	uint16_t len; // 0: there is none, and the client gets nothing; `msg` has the question's id
	uint16_t opt; // offset of the reply's OPT, whose RDATA ends the message; 0: no OPT
};

struct frontend_session {
	void (*reply)(struct frontend_session *s, const union client_address *client,
		const struct frontend_reply *reply);
	// Lets the transport add to a reply, before the query log sees it. May be NULL.
	void (*complete)(struct frontend_session *s, struct frontend_reply *reply);
	enum frontend_transport transport;
	uint8_t group; // from the client's name, for the next message; 0: the address decides
	union client_address service; // the service address that the client uses; all 0: unknown
	unsigned pending;             // questions that will be answered later
	uint32_t first;               // the engine's
};

enum frontend_outcome {
	FRONTEND_REPLY,    // *out is the reply
	FRONTEND_LATER,    // session->reply will be called
	FRONTEND_NO_REPLY, // no reply: dropped by a rule or a rate limit, or no memory
	FRONTEND_BROKEN,   // no reply; close the stream: no query, or the client may not ask
};

// The caller sets the fields before `pending`.
void frontend_session_begin(struct frontend_session *s);
void frontend_session_end(struct frontend *f, struct frontend_session *s);

// One message of `len` bytes, of any content. Over UDP the reply is no longer than the client and
// limits.udp_reply_size allow, over any stream than 65,535 bytes.
ATTR_MUST_CHECK enum frontend_outcome frontend_ask(struct frontend *f, struct frontend_session *s,
	const union client_address *client, const uint8_t *msg, size_t len,
	struct frontend_reply *out);

// Shall a stream of this client stay open? False: the client may not ask, and gets no REFUSED. Over
// TLS no client gets REFUSED.
ATTR_MUST_CHECK bool frontend_admits(
	struct frontend *f, const union client_address *client, bool over_tls);

#define FRONTEND_COUNTS(X)                                                                     \
	X(SUM, uint64_t, answers, SAME, TOTAL,                                                 \
		"Clients of the frontend that the resolver answered.")                         \
	X(SUM, uint64_t, answers_stale, SAME, TOTAL, "Of these, answers from a stale record.") \
	X(SUM, uint64_t, answers_servfail, SAME, TOTAL, "Of these, answers with SERVFAIL.")    \
	X(SUM, uint64_t, answers_blocked, SAME, TOTAL, "Of these, blocked answers.")           \
	X(SUM, uint64_t, left, SAME, TOTAL, "Clients that left before their answer came.")     \
	X(SUM, uint64_t, lost, SAME, TOTAL, "Questions of the frontend that got no answer.")   \
	X(SUM, uint64_t, truncated, SAME, TOTAL, "Replies of the frontend with TC.")           \
	X(SUM, uint64_t, cookies_good, SAME, NONE, "Queries with a right cookie.")             \
	X(SUM, uint64_t, cookies_bad, SAME, NONE, "Queries with a wrong cookie.")              \
	X(SUM, uint64_t, cookies_alone, SAME, NONE, "Queries with a client cookie only.")      \
	X(SUM, uint64_t, cookies_exempt, SAME, NONE,                                           \
		"Queries over their limits with a right cookie.")

struct frontend_counts {
	FRONTEND_COUNTS(COUNT_FIELD)
	// Every message ends in exactly one verdict, with a worker's names and meanings: `miss` is
	// a question that the resolver took over, and its end is one of `answers`.
	uint64_t verdict[VERDICT_COUNT];
};
COUNTS(frontend_rows, struct frontend_counts, "weir_frontend_", FRONTEND_COUNTS)

struct frontend_status {
	struct frontend_counts of[FRONTEND_TRANSPORTS];
	unsigned pending, pending_max; // this frontend's places of FRONTEND_PENDING_MAX
	uint64_t macs_unasked; // clients whose MAC address was not asked for (frontend_neighbour.h)
	uint64_t record_anomalies; // cached records that failed their check
};

// Objects of the process that an engine uses. They outlive it.
struct frontend_given {
	unsigned number;             // place among the frontends, in the epoch and in the mesh
	struct loop *loop;           // the loop on whose thread it runs
	struct ring_mesh *resolvers; // resolver_client_mesh
	struct publisher *publisher;
	struct frontend_shared *shared; // shared by all frontends; NULL: this one is alone
	struct list_notify *notify;     // takes NOTIFY (lists/fetch/list_notify.h); NULL: NOTIMP
};
// Before the loop runs, or on it. -ENOMEM, -EPROTO.
ATTR_MUST_CHECK int frontend_open(
	struct frontend **out, const struct frontend_given *given, const struct config *config);
void frontend_close(struct frontend *f); // NULL is fine; before the resolver's end
// Adds the frontend's ring to the query log, which must be stopped before the close; before the
// loop runs, or on it. -ENOSPC. frontend_end_log: no more queries come; writes a record for those
// that have none yet.
struct querylog;
ATTR_MUST_CHECK int frontend_set_log(
	struct frontend *f, struct querylog *q, const struct config *config);
void frontend_end_log(struct frontend *f);
// Copies reply sizes, identity and other settings of a new configuration.
void frontend_configure(struct frontend *f, const struct config *config);
void frontend_status(const struct frontend *f, struct frontend_status *out);
void frontend_tables(const struct frontend *f, struct table_registry *tables);
// When the oldest question over a stream that waits for its answer came (clock_mono_ms); 0: no
// question waits.
uint64_t frontend_streams_since(const struct frontend *f);
struct frontend_shared *frontend_shared_of(const struct frontend *f);
