// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// A record of a log ring as a row of a batch, with names of the configuration. Log thread only, but
// for struct querylog_names.

#include "base/frontend_neighbour.h"
#include "client_names/client_book.h"
#include "querylog_batch.h"
#include "upstream_book.h"

#include <stdatomic.h>
#include <weir/attr.h>
#include <weir/config.h>
#include <weir/log_msg.h>
#include <weir/rule_image.h>

// The part of the configuration that the query log needs: names of groups, lists and clients,
// exclusions, and how to hide clients. A snapshot, immutable and counted: the service loop makes
// one with each change of the configuration or of the lists, each batch holds the snapshot that its
// rows were made with.
struct querylog_names;

// Makes a snapshot, which the caller holds. NULL: no memory. `book`: the names of upstreams;
// outlives every batch; NULL: upstreams have no names.
ATTR_MUST_CHECK struct querylog_names *querylog_names_new(const struct config *c,
	const struct rule_list_info *lists, unsigned list_count, const struct upstream_book *book);
// Call it before others hold `n`. `n` describes the policy image `policy_generation`; groups of
// earlier images keep their names of `before`. Without the call the groups of all images have the
// names of `c`. A list number that `n` does not use keeps its title of `before` (rule_numbers.h).
void querylog_names_follow(
	struct querylog_names *n, const struct querylog_names *before, uint64_t policy_generation);
// Whether both hide and exclude the same clients and names.
bool querylog_names_hide_alike(const struct querylog_names *a, const struct querylog_names *b);
void querylog_names_hold(struct querylog_names *n);
void querylog_names_release(void *names); // NULL is fine; any thread

// Hides clients' addresses, in the log and wherever else weir shows some. A key belongs to one
// thread; others have copies (querylog_hiding).
//
// Hashed: SipHash-2-4 (Aumasson, Bernstein 2012) under a key that is drawn at start and again each
// 24 hours and stored nowhere. So a client can be followed for a day on one box, but not identified
// by hashing all 2^32 addresses, as with a bare SHA-256.

enum { QUERYLOG_CLIENT_TEXT_MAX = 48 };

struct querylog_hide {
	uint64_t key[2];
	uint64_t drawn_ms;
	bool has_key;
};

// How other threads than the log thread hide clients.
struct querylog_hiding {
	enum log_clients how;
	struct querylog_hide key;
};

// Bits of a client's address that are shown: all, its network's, or 0 if addresses are hashed.
unsigned querylog_hide_bits(enum log_clients how, unsigned version);
// -errno of the system's random source; then nothing can be hashed.
ATTR_MUST_CHECK int querylog_hide_beat(struct querylog_hide *h, uint64_t now_ms);
// Changes `bytes` and writes the text, NUL-terminated. Returns its length.
size_t querylog_hide_client(const struct querylog_hide *h, enum log_clients how, unsigned version,
	uint8_t bytes[16], char out[QUERYLOG_CLIENT_TEXT_MAX]);
// SipHash-2-4 of 16 bytes, as in the appendix of RFC 9018.
uint64_t querylog_siphash(const uint64_t key[2], const uint8_t bytes[16]);

// Verdicts that only the resolver loop gives, above those of workers.
enum log_verdict {
	LOG_VERDICT_RESOLVED = 240, // answered by an upstream or L1
	LOG_VERDICT_SERVFAIL,
	LOG_VERDICT_UNANSWERED, // the answer came too late, or too many clients waited
	// SERVFAIL because of a bound (bounds/bounds.h)
	LOG_VERDICT_SERVFAIL_INFLIGHT,
	LOG_VERDICT_SERVFAIL_ZONE,
	LOG_VERDICT_SERVFAIL_SUFFIX,
	LOG_VERDICT_SERVFAIL_WAITERS,
	LOG_VERDICT_SERVFAIL_CLIENT,
};

// MAC addresses of clients, for clients that the configuration names by them. A record has no MAC
// address, so this asks the kernel (frontend_neighbour.h, with its table and bounds), which learns
// them from ARP and neighbour discovery, as workers pass both to it. The MAC address of a client
// behind a router is not known.
//
// Log thread only, but for the counts. Costs nothing while no client has a name by MAC.
struct querylog_macs {
	uint64_t now_ms; // time of this look at the rings
	struct frontend_neighbours neighbours;
	_Atomic uint64_t used, evicted, refused, oldest_ms; // for other threads
};

void querylog_macs_open(struct querylog_macs *m); // zeroed
void querylog_macs_close(struct querylog_macs *m);
// Each second: counts for other threads.
void querylog_macs_beat(struct querylog_macs *m, uint64_t now_ms);

enum querylog_made {
	QUERYLOG_MADE,
	QUERYLOG_EXCLUDED, // *weight: queries that the record stands for
	QUERYLOG_BAD,      // not a valid record: wrong length, number, time or name
	QUERYLOG_FULL,     // the batch is full: try again with another one
};

struct log_whole_view;

// Input for making rows.
struct querylog_maker {
	const struct querylog_names *names;
	const struct querylog_hide *hide;
	struct querylog_macs *macs;
	struct client_book *clients; // names for clients that `names` does not name; or NULL
	int64_t wall_us;             // added to the record's time
};

// Makes a row of a record and its name. `whole`: the view of a MSG_LOG_WHOLE, else NULL. The row of
// a hidden client gets no messages: both may hold its address.
ATTR_MUST_CHECK enum querylog_made querylog_row_make(struct querylog_batch *b,
	const struct querylog_maker *by, const uint8_t *msg, size_t len,
	const struct log_whole_view *whole, uint64_t *weight);
// The i-th word for a row's verdict; NULL behind the last.
const char *querylog_row_verdict(unsigned i);
// Weight of a record whose time is implausible and whose other fields are valid; else 0.
uint64_t querylog_row_weight(const uint8_t *msg, size_t len);
// A row for `weight` queries of which nothing is known. False: the batch is full.
ATTR_MUST_CHECK bool querylog_row_rest(struct querylog_batch *b, uint64_t time_us, uint64_t weight);
