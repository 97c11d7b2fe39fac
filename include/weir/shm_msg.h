// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Messages of the worker rings. A message is one ring_unit header (shm_ring.h) and then one
// of these structs and its variable part; the header's `len` counts both. Readers copy, check, then
// use.

#include "shm_abi.h"

enum shm_msg_type {
	MSG_PAD = 0,    // ring-internal
	MSG_MISS = 1,   // dp -> cp: struct msg_miss, then question_len bytes of question as
			// received, and with a cookie (has_opt) that of the reply, DNS_COOKIE_LEN
			// bytes, and whole_len of the query as received
	MSG_ANSWER = 2, // cp -> dp: struct msg_answer, then a whole DNS message
	MSG_WATCH = 4,  // to the log thread: struct watch_msg (watch_msg.h), a name, a frame
	MSG_LOG = 3,    // to the log thread: struct log_record (log_msg.h), then a name
	MSG_LOG_WHOLE = 5, // log ring: as MSG_LOG, then struct log_whole, messages
};

enum { MSG_WHOLE_MAX = 1472 }; // longest query that goes along with its miss
enum { MSG_DNS_MAX = 4096 };   // longest DNS message that passes a ring; longer ones go as TC

// Everything that is needed to send a reply to a client without its packet. Made by the data
// plane, handed back unchanged by the control plane; addresses in network byte order.
struct return_path {
	uint16_t port;     // data plane's port index
	uint16_t worker;   // the worker that must send it
	uint16_t vlan_tci; // when has_vlan
	uint8_t has_vlan;
	uint8_t ip_version; // 4 or 6
	uint8_t client_mac[6];
	uint8_t service_mac[6]; // destination MAC of the query, source of the reply
	uint16_t client_udp;    // network byte order
	uint16_t service_udp;
	uint8_t client_ip[16]; // IPv4 in the first 4 bytes, the rest 0
	uint8_t service_ip[16];
	uint8_t zero_csum; // IPv4 query came without UDP checksum
	uint8_t note[3];   // the worker's own (frame.h)
};
static_assert(offsetof(struct return_path, note) == 57);
static_assert(sizeof(struct return_path) == 60);

enum {
	MISS_WAITER = 1,  // a client waits for the answer
	MISS_REFRESH = 2, // no client waits: renew the record
};

struct msg_miss {
	uint64_t dp_incarnation;
	uint64_t arrival_ms; // clock_mono_ms
	struct return_path path;
	uint16_t id;
	uint16_t flags; // header flags as received
	uint16_t udp_size;
	uint8_t has_opt; // of enum dns_query_opt
	uint8_t dnssec_ok;
	uint16_t view;
	uint8_t kind;             // MISS_*
	uint8_t group;            // of the client, below POLICY_GROUPS_MAX
	uint16_t question_len;    // bytes that follow: 5..259
	uint16_t query_len;       // bytes of the whole query
	uint32_t arrival_more_us; // after arrival_ms, whose clock ticks slowly; for the query log
	uint32_t trace;           // its number for who watches (watch_msg.h); 0: it has none
	uint16_t policy;    // generation, modulo 65536, of the policy image that `group` is of
	uint16_t whole_len; // query_len, or 0: the query does not go along
};
static_assert(sizeof(struct msg_miss) == 104);
static_assert(offsetof(struct msg_miss, policy) == 100);

struct msg_answer {
	uint64_t dp_incarnation; // as in the miss; another life's answers are dropped
	uint64_t arrival_ms;     // as in the miss
	struct return_path path;
	uint16_t dns_len; // bytes that follow, <= MSG_DNS_MAX
	uint16_t sum;     // of these, csum_partial: what changed on its way is not sent
	uint8_t verdict;  // enum answer_kind: what to count
	uint8_t reserved;
	uint16_t trace; // low half of msg_miss.trace for a watched query; else 0
};
static_assert(sizeof(struct msg_answer) == 88);

enum answer_kind {
	ANSWER_UPSTREAM = 0,
	ANSWER_CACHED = 1,
	ANSWER_STALE = 2,
	ANSWER_SERVFAIL = 3,
	ANSWER_BLOCKED = 4, // because of a record of the answer, or a pattern
	ANSWER_KINDS
};

// link.sock, SOCK_SEQPACKET, one fixed-size message each way. The data plane speaks first and
// passes one end of a bell (bell.h) per worker (SCM_RIGHTS), in the order of the workers: the
// worker rings it for misses, and is rung for answers while it sleeps.

struct link_hello {
	uint64_t magic; // SHM_MAGIC
	uint32_t abi_version;
	uint32_t workers;
	uint64_t dp_incarnation;
};
static_assert(sizeof(struct link_hello) == 24);

struct link_welcome {
	uint64_t magic;
	uint32_t abi_version;
	int32_t error; // 0, or -errno: the control plane refuses (its log says why)
	uint64_t cp_incarnation;
};
static_assert(sizeof(struct link_welcome) == 24);
