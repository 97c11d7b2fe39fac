// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Recursion (RFC 1034 5.3.3): answers from the authoritative servers, from the root on, by
// libunbound on the resolver's event loop and a socket on 127.0.0.1. For the upstreams
// (upstream/upstream.h) that socket is a server like any other. docs/explanation/libunbound.md
// explains caches, validation and versions of IP.
//
// Resolver loop's thread only, but for recursor_address_any. Bounds: questions, and of these so
// many of each zone (zone_suffix.h) as places and sockets are free; one more is SERVFAIL. Sockets
// and TCP connections of the library: further queries wait. A change of settings ends the questions
// that run: SERVFAIL.

#include "base/counts.h"
#include "validator/validator.h"

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <weir/attr.h>
#include <weir/config.h>
#include <weir/hops.h>

// Over which version of IP authoritative servers can be asked. Resolver loop's thread.
//
// libunbound remembers servers one by one, so where packets of one version are lost it waits
// for each server of each zone again. This module counts what its queries over UDP meet. After
// PATH_SILENT queries in a row that nothing came back for it asks servers of that version itself:
// the first PATH_PEERS that were asked, which are those of the root, and the last ones that
// answered. Where none of these answers, and a server of the other version has answered meanwhile,
// the version is off; the recursor asks the same servers each PATH_PROBE_EACH_MS or more, and one
// answer turns it on again. Where packets are lost now and then that answer may come just as well
// as none before, and each change empties the library's caches: so a version that is left again
// waits twice as long as the time before, up to PATH_STEPS_MAX times, and each PATH_DECAY_MS that
// it was on takes one of these back. So names whose servers are silent, however many, turn nothing
// off. (Knot Resolver leaves IPv6 by such a count, too.) At most one version is off.

struct loop;
struct event;

enum {
	PATH_V4,
	PATH_V6,
	PATHS,

	PATH_SILENT = 4,
	PATH_PEERS = 4,
	PATH_PROBE_MS = 1500,       // the wait for answers
	PATH_DOUBT_EACH_MS = 5000,  // between two rounds while the version is on
	PATH_PROBE_EACH_MS = 30000, // while it is off, the first time
	PATH_STEPS_MAX = 5,         // doublings of that: 16 minutes
	PATH_DECAY_MS = 600000,
};

union path_peer {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6; // family 0 without one
};

struct path {
	bool is_off;
	unsigned steps;       // how often the wait is doubled the next time
	uint32_t each_ms;     // between two rounds while it is off
	uint64_t on_ms;       // when it was turned on again
	unsigned silent;      // queries since the last answer
	uint64_t since_ms;    // the first of these
	uint64_t answered_ms; // when the last answer came; 0 before the first
	union path_peer first[PATH_PEERS], good[PATH_PEERS];
	unsigned good_at; // the next place in `good`
	int fd;           // socket of a round of probes; -1 between rounds
	struct event *readable;
	uint16_t id;
	uint64_t end_ms;  // when the round ends
	uint64_t next_ms; // no round before
};

struct recursor_paths {
	struct loop *loop;
	struct path path[PATHS];
};

struct loop;
struct recursor;
struct table_registry;

enum {
	RECURSOR_QUESTIONS_MAX = 2048, // all resolvers together
	RECURSOR_SOCKETS = 512,        // the library's, each resolver
	RECURSOR_TCP = 64,             // TCP connections of the library, each resolver
	RECURSOR_MEMORY = 40 << 20,    // more than caches and buffers of the library take: 26 MB
	RECURSOR_DRAIN_MS = 5000,      // for questions after a flush: their clients wait no longer
};

struct recursor_settings {
	bool is_on;
	enum recursion_ip ip;
	const char *root_hints; // file of NS and address records; "": the library's
	bool validates;         // validates by `trusted`
	struct validator_settings trusted;
	uint64_t hash;        // a hash of all of it; another hash makes a new library
	unsigned range_count; // ports at which workers take replies of upstream servers
	struct hops_range range[HOPS_RANGES_MAX];
};

ATTR_MUST_CHECK int recursor_new(
	struct recursor **out, struct loop *loop, unsigned questions); // off; -errno
void recursor_free(struct recursor *r); // running questions get no answer; NULL is fine
ATTR_MUST_CHECK int recursor_configure(
	struct recursor *r, const struct recursor_settings *settings);
// Empties the library's caches. Questions that run go on with the old ones. Not within an answer.
// -EAGAIN: questions of before the last flush still run, so nothing is emptied; the caller tries
// again. After RECURSOR_DRAIN_MS these questions are SERVFAIL, and the caches are emptied. Another
// -errno: nothing is emptied.
ATTR_MUST_CHECK int recursor_flush(struct recursor *r);
// Empties the library's caches at the next beat that can. NULL is fine.
void recursor_forget(struct recursor *r);
// Ends the library that was flushed, once its questions have ended, and makes another one where
// authoritative servers can be asked over other versions of IP than it does:
// each 100 ms. Not within an answer. NULL is fine.
void recursor_beat(struct recursor *r);
// Where it can be asked; the port is 0 while it is off. It stays there until `r` is freed.
const struct socket_address *recursor_address(const struct recursor *r);
// The address of a recursor of the process that is on. False: all are off. Any thread.
ATTR_MUST_CHECK bool recursor_address_any(struct socket_address *out);

#define RECURSION_COUNTS(X)                                                                      \
	X(SUM, uint64_t, queries, SAME, TOTAL, "Queries of the upstreams to recursion.")         \
	X(SUM, uint64_t, answers, SAME, TOTAL, "Answers that recursion found.")                  \
	X(SUM, uint64_t, failed, SAME, TOTAL, "Queries that recursion answered with SERVFAIL.")  \
	X(SUM, uint64_t, repeated, SAME, TOTAL,                                                  \
		"Queries for what recursion was looking for already.")                           \
	X(SUM, uint64_t, refused, SAME, TOTAL, "Queries refused because recursion had no room.") \
	X(SUM, uint64_t, malformed, SAME, TOTAL,                                                 \
		"Datagrams at the socket of recursion that are no query.")                       \
	X(SUM, uint64_t, broken, SAME, TOTAL,                                                    \
		"Queries that failed because libunbound refused its settings.")                  \
	X(SUM, unsigned, questions, SAME, SAME, "Questions that recursion works on.")            \
	X(SUM, unsigned, ipv4_off, SAME, SAME,                                                   \
		"Resolvers whose recursion asks no server over IPv4.")                           \
	X(SUM, unsigned, ipv6_off, SAME, SAME,                                                   \
		"Resolvers whose recursion asks no server over IPv6.")

struct recursor_status {
	RECURSION_COUNTS(COUNT_FIELD)
};
COUNTS(recursion_rows, struct recursor_status, "weir_resolver_recursion_", RECURSION_COUNTS)
void recursor_status(const struct recursor *r, struct recursor_status *out);
void recursor_tables(const struct recursor *r, struct table_registry *tables);
