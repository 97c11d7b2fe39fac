// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Messages of the worker rings. A message is one ring_unit header (shm_ring.h) and then one
// of these structs and its variable part; the header's `len` counts both. Readers copy, check, then
// use.

#include "shm_abi.h"

#include <stdbool.h>
#include <string.h>

enum shm_msg_type {
	MSG_PAD = 0,    // ring-internal
	MSG_MISS = 1,   // dp -> cp: struct msg_miss, then question_len bytes of question as
			// received, and with a cookie (has_opt) that of the reply, DNS_COOKIE_LEN
			// bytes, and whole_len of the query as received
	MSG_ANSWER = 2, // cp -> dp: struct msg_answer, then a whole DNS message
	MSG_WATCH = 4,  // to the log thread: struct watch_msg (watch_msg.h), a name, a frame
	MSG_LOG = 3,    // to the log thread: struct log_record (log_msg.h), then a name
	MSG_LOG_WHOLE = 5, // log ring: as MSG_LOG, then struct log_whole, messages
	MSG_SEND = 6,      // cp -> dp, on an answer ring: struct msg_send, then a whole DNS message
	MSG_HEARD = 7,     // dp -> cp, on a miss ring: struct msg_heard, then dns_len bytes
};

enum { MSG_WHOLE_MAX = 1472 }; // longest query that goes along with its miss
enum { MSG_DNS_MAX = 4096 };   // longest DNS message that passes a ring; longer ones go as TC

// The balancer that forwarded the query of a client, and to which the reply goes in the client's
// place (PROXY protocol, stage_proxy.c). Network byte order.
struct return_via {
	uint16_t udp;
	uint8_t ip_version; // 4 or 6; 0: no balancer, and all else is 0
	uint8_t reserved;
	uint8_t ip[16]; // IPv4 in the first 4 bytes, the rest 0
};
static_assert(sizeof(struct return_via) == 20);

// Everything that is needed to send a reply to a client without its packet. Made by the data
// plane, handed back unchanged by the control plane; addresses in network byte order.
struct return_path {
	uint16_t port;     // data plane's port index
	uint16_t worker;   // the worker that must send it
	uint16_t vlan_tci; // when has_vlan
	uint8_t has_vlan;
	uint8_t ip_version;     // the client's, 4 or 6; the service's too, unless `via` has its own
	uint8_t client_mac[6];  // source of the frame: the client, its router or the balancer
	uint8_t service_mac[6]; // destination MAC of the query, source of the reply
	uint16_t client_udp;    // network byte order
	uint16_t service_udp;
	uint8_t client_ip[16]; // IPv4 in the first 4 bytes, the rest 0
	uint8_t service_ip[16];
	uint8_t zero_csum; // IPv4 query came without UDP checksum
	uint8_t note[3];   // the worker's own (frame.h)
	struct return_via via;
};
static_assert(offsetof(struct return_path, note) == 57);
static_assert(offsetof(struct return_path, via) == 60);
static_assert(sizeof(struct return_path) == 80);

// IP version of the frame that the query came in.
ATTR_INLINE unsigned return_path_version(const struct return_path *p)
{
	return p->via.ip_version ? p->via.ip_version : p->ip_version;
}

enum {
	MISS_WAITER = 1,  // a client waits for the answer
	MISS_REFRESH = 2, // no client waits: renew the record
	MISS_NOTIFY = 3,  // no question, but a NOTIFY (RFC 1996), which goes along whole
};

struct msg_miss {
	uint64_t dp_incarnation;
	uint64_t arrival_ms; // clock_mono_ms
	struct return_path path;
	uint16_t id;
	uint16_t flags; // header flags as received
	uint16_t udp_size;
	uint8_t has_opt; // bits of enum dns_query_opt
	uint8_t dnssec_ok;
	uint16_t view;
	uint8_t kind;             // MISS_*
	uint8_t group;            // the client's, below POLICY_GROUPS_MAX
	uint16_t question_len;    // bytes that follow: 5..259
	uint16_t query_len;       // bytes of the whole query
	uint32_t arrival_more_us; // after arrival_ms, whose clock ticks slowly; for the query log
	uint32_t trace;           // number for those who watch (watch_msg.h); 0: it has no number
	uint16_t policy;    // generation, modulo 65536, of the policy image that `group` is of
	uint16_t whole_len; // query_len, or 0: the query does not go along
	uint32_t reserved;
};
static_assert(sizeof(struct msg_miss) == 128);
static_assert(offsetof(struct msg_miss, policy) == 120);

struct msg_answer {
	uint64_t dp_incarnation; // see the miss; another life's answers are dropped
	uint64_t arrival_ms;     // see the miss
	struct return_path path;
	uint16_t dns_len; // bytes that follow, <= MSG_DNS_MAX
	uint16_t sum;     // csum_partial of the bytes: what changed on its way is not sent
	uint8_t verdict;  // enum answer_kind: what to count
	uint8_t dropped;  // 1: a rule drops the question; nothing is sent, but its wait is over
	uint16_t trace;   // low half of msg_miss.trace for a watched query; else 0
};
static_assert(sizeof(struct msg_answer) == 104);
static_assert(offsetof(struct msg_answer, dropped) == 101);

enum answer_kind {
	ANSWER_UPSTREAM = 0,
	ANSWER_CACHED = 1,
	ANSWER_STALE = 2,
	ANSWER_SERVFAIL = 3,
	ANSWER_BLOCKED = 4, // because of a record of the answer, a pattern, or a rule at the name
	ANSWER_KINDS
};

// A query of a resolver to a server of the hops image (hops.h), which says the next hop and our
// source address. Any worker sends it. Ports in host byte order, as in that image.
struct msg_send {
	uint64_t dp_incarnation; // the data plane whose ring it is; another's is dropped
	uint8_t server_ip[16];   // IPv4 in the first 4 bytes, the rest 0
	uint16_t server_port;
	uint16_t local_port; // from the image's ranges
	uint16_t dns_len;    // bytes that follow, <= MSG_DNS_MAX
	uint16_t sum;        // csum_partial of the bytes: what changed on its way is not sent
	uint8_t ip_version;  // 4 or 6
	uint8_t reserved[7];
};
static_assert(sizeof(struct msg_send) == 40);
static_assert(offsetof(struct msg_send, dns_len) == 28);

enum heard_kind {
	HEARD_REPLY,       // from the server; the message follows
	HEARD_UNREACHABLE, // an ICMP error; the part of our message that it quotes follows
	HEARD_REFUSED,     // the worker could not send the query; nothing follows
	HEARD_KINDS
};

// From any worker to the resolver of the local port (hops_resolver_of). A worker cannot tell who
// sent it: the resolver decides whether it is believed. The bytes of a reply go into the cache for
// all clients, so they carry a sum, as an answer and a query do. The numbers of the head carry
// none: with wrong ones no question waits for the message, or its question is asked again.
struct msg_heard {
	uint64_t dp_incarnation;
	uint64_t arrival_ms; // clock_mono_ms
	uint8_t server_ip[16];
	uint16_t server_port, local_port;
	uint16_t dns_len;   // bytes that follow, <= MSG_DNS_MAX
	uint8_t ip_version; // 4 or 6
	uint8_t kind;       // enum heard_kind
	uint8_t code;       // HEARD_UNREACHABLE: of the ICMP or ICMPv6 message
	uint8_t is_cut;     // 1: the beginning of a longer message; its checksum may be wrong
	uint16_t sum;       // csum_partial of the bytes: what changed on its way is not taken
	uint8_t reserved[4];
};
static_assert(sizeof(struct msg_heard) == 48);
static_assert(offsetof(struct msg_heard, dns_len) == 36);

// Copies the head of a message of `len` bytes out of `buf`. False: its numbers do not fit, or what
// follows is not as long as it says.
ATTR_MUST_CHECK static inline bool msg_send_read(struct msg_send *out, const void *buf, size_t len)
{
	if (len < sizeof(*out))
		return false;
	memcpy(out, buf, sizeof(*out));
	return out->dns_len <= MSG_DNS_MAX && len == sizeof(*out) + out->dns_len
	       && out->dns_len >= DNS_HEADER_LEN && (out->ip_version == 4 || out->ip_version == 6);
}

ATTR_MUST_CHECK static inline bool msg_heard_read(
	struct msg_heard *out, const void *buf, size_t len)
{
	if (len < sizeof(*out))
		return false;
	memcpy(out, buf, sizeof(*out));
	return out->dns_len <= MSG_DNS_MAX && len == sizeof(*out) + out->dns_len
	       && (out->kind != HEARD_REPLY || out->dns_len >= DNS_HEADER_LEN)
	       && out->kind < HEARD_KINDS && (out->ip_version == 4 || out->ip_version == 6);
}

// link.sock, SOCK_SEQPACKET, one fixed-size message each way. The data plane speaks first, and
// passes no descriptor. A welcome passes its bells (bell.h, SCM_RIGHTS): first the two ends of each
// worker's, LINK_BELL_ENDS, then each resolver's gong. The data plane keeps both ends of a bell, as
// it rings its workers itself, too.

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
	uint32_t workers, resolvers; // the bells that it passes; 0 with an error
};
static_assert(sizeof(struct link_welcome) == 32);

enum { LINK_BELL_ENDS = 2, LINK_BELLS_MAX = LINK_BELL_ENDS * SHM_WORKERS_MAX + SHM_RESOLVERS_MAX };
static_assert(LINK_BELLS_MAX <= 253); // SCM_MAX_FD of the kernel
