// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// A record of the query log on a log ring (MSG_LOG): one query and its result.
//
// Written where the query ends: by a worker on its log ring, or by the resolver loop on a ring in
// its own memory for misses, TCP and the UDP fallback. The fixed part fills the rest of one unit
// behind the ring's header; the name follows in the next ones, one for most names. The log thread
// copies it out and does not trust it: it checks every number before it uses it as an index.

#include "attr.h"
#include "shm_abi.h"

#include <stddef.h>

enum log_from { LOG_FROM_WORKER = 0, LOG_FROM_RESOLVER = 1 };

enum log_tier { // see querylog_tier
	LOG_TIER_NONE,
	LOG_TIER_RULES,
	LOG_TIER_L0,
	LOG_TIER_L1,
	LOG_TIER_UPSTREAM,
	LOG_TIER_STALE,
	LOG_TIERS
};

enum {
	LOG_IPV6 = 1,
	LOG_TCP = 2,
	LOG_ANSWERED = 4,
	LOG_REST = 8, // stands for queries that have no record: only time and weight mean anything
	LOG_TIER_SHIFT = 4, // enum log_tier in the three bits from this one on
	LOG_TIER_MASK = 7,
	LOG_TLS = 128, // LOG_TLS and LOG_TCP: DNS over TLS; without LOG_TCP DNS over HTTPS
};

// Result of the validation of an answer. NONE: weir did not validate it, or it has records of
// weir's own (blocking, local CNAMEs, DNS64).
enum log_validation {
	LOG_VALIDATION_NONE,
	LOG_VALIDATION_SECURE, // proven, or a trusted server says so
	LOG_VALIDATION_INSECURE,
	LOG_VALIDATION_BOGUS, // so the reply is SERVFAIL
	LOG_VALIDATIONS
};

// The rcode has the lower bits of its field, enum log_validation the two above.
enum { LOG_RCODE_MASK = 0xfff, LOG_VALIDATION_SHIFT = 12, LOG_VALIDATION_MASK = 3 };

enum { LOG_NO_LIST = UINT16_MAX, LOG_NO_EDE = UINT16_MAX, LOG_NO_UPSTREAM = UINT16_MAX };

struct log_record {
	uint64_t time_us; // received, as clock_mono_us
	uint32_t weight;  // 1 + the queries of this writer since its last record
	uint32_t total_us;
	uint8_t client[16]; // IPv4 in the first 4
	uint16_t client_port;
	uint16_t qtype, qclass;
	uint16_t query_len, reply_len;
	uint16_t rcode;    // extended; LOG_VALIDATION_SHIFT
	uint16_t ede;      // or LOG_NO_EDE
	uint16_t list;     // number of the list that blocked, or LOG_NO_LIST
	uint16_t upstream; // number in the control plane's book, or LOG_NO_UPSTREAM
	uint16_t dataplane_us;
	uint8_t verdict;  // enum verdict
	uint8_t group;    // group_in_image
	uint8_t flags;    // LOG_*
	uint8_t name_len; // bytes of lower-case wire form that follow; 0: not read
};
static_assert(sizeof(struct log_record) == RING_UNIT - 8);

enum { LOG_MESSAGE_MAX = 56 + 255 };

// A group's number may mean another group in the next policy image. So the last bits of the image's
// generation go with it. Group 0 has no name in any image.
enum { LOG_GROUP_BITS = 6, LOG_IMAGES = 4 };

ATTR_INLINE uint8_t group_in_image(unsigned group, uint64_t policy_generation)
{
	return (uint8_t)(group | policy_generation % LOG_IMAGES << LOG_GROUP_BITS);
}

// A record with both ends of the exchange and both messages, on a log
// ring as MSG_LOG_WHOLE: the record, its name, a log_whole, then with LOG_HAS_QUERY the record's
// `query_len` bytes of the query as it came, and with LOG_HAS_REPLY its `reply_len` of the reply
// as it went. For dnstap; dp_config.log_detail says whether they are written.

enum { LOG_HAS_QUERY = 1, LOG_HAS_REPLY = 2 };

struct log_whole {
	uint8_t service[16];     // the queried service address; IPv4 in the first 4
	uint16_t service_port;   // 0: neither is known
	uint8_t has;             // LOG_HAS_*
	uint8_t service_version; // 4 or 6: behind a balancer not always that of the client
	uint8_t reserved[4];
};
static_assert(sizeof(struct log_whole) == 24);

enum { LOG_WHOLE_MAX = LOG_MESSAGE_MAX + sizeof(struct log_whole) + 2 * UINT16_MAX };

// The parts that a whole record adds. A NULL message is left out.
struct log_parts {
	const uint8_t *service; // 4 or 16 bytes by the version
	unsigned ip_version;
	uint16_t service_port;
	uint16_t query_len, reply_len; // see the record
	const uint8_t *query, *reply;
};

// Bytes behind record and name.
ATTR_MUST_CHECK uint32_t log_whole_len(const struct log_parts *p);
// Writes them, behind a record with its `name_len`.
void log_writer_whole_put(struct log_record *r, const struct log_parts *p);

// A parsed record. The pointers lead into the message.
struct log_whole_view {
	size_t record_len;            // bytes of record and name, with which the message begins
	struct log_whole ends;        // `has` is reduced to valid parts
	const uint8_t *query, *reply; // NULL: left out
};
// Reads `len` bytes at `msg`, which may be anything. -EBADMSG: lengths that do not fit.
ATTR_MUST_CHECK int log_whole_read(const uint8_t *msg, size_t len, struct log_whole_view *out);
