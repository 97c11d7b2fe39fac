// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The one list of verdicts and counters of the data plane, and the region that holds them.
//
// Every frame received on a client port ends in exactly one verdict: the sum of the verdicts of a
// worker equals the frames that it received there, and the sum over workers the ports' ipackets.
// Frames that weir itself sends (late answers, frames from the kernel) are in the second list. Its
// worker alone writes a block, with relaxed stores; others may map the region read-only (0640).

#include "build.h"
#include "shm_abi.h"
#include "stats_tables.h"
#include "took.h"

// name, meaning (shown by weirctl and in metrics)
#define VERDICT_LIST(X)                                                                \
	X(hit, "answered from L0")                                                     \
	X(hit_stale, "answered from L0 past its soft expiry")                          \
	X(blocked, "answered by a block rule")                                         \
	X(blocked_answer, "blocked because of a record of its answer")                 \
	X(local, "answered from local data")                                           \
	X(any_minimal, "HINFO in reply to ANY (access.any)")                           \
	X(identity, "answered with a TXT of class CHAOS (identity)")                   \
	X(drop_rule, "dropped by a block rule")                                        \
	X(miss, "handed to the control plane")                                         \
	X(notify, "NOTIFY handed to the control plane")                                \
	X(drop_notify, "dropped: NOTIFY over 1,000 a second, or miss ring full")       \
	X(miss_duplicate, "dropped: enough clients already wait for that question")    \
	X(servfail_ring_full, "SERVFAIL: miss ring full, no stale answer")             \
	X(servfail_fairness, "SERVFAIL: the client already fills the miss ring")       \
	X(drop_ring_full, "dropped: miss ring full, same question a moment ago")       \
	X(servfail_no_control, "SERVFAIL: no control plane, no cached answer")         \
	X(servfail_no_policy, "SERVFAIL: no policy image yet (access.allow)")          \
	X(servfail_no_rules, "SERVFAIL: no rules yet (blocking.closed)")               \
	X(cookie_only, "NOERROR: a query for a cookie, without a question")            \
	X(badcookie, "BADCOOKIE: wrong cookie, over its rate or without a question")   \
	X(formerr, "FORMERR")                                                          \
	X(notimp, "NOTIMP: opcode or type not supported")                              \
	X(badvers, "BADVERS: EDNS version above 0")                                    \
	X(refused, "REFUSED: class or type that is not served")                        \
	X(refused_denied, "REFUSED: the client may not ask (access.allow)")            \
	X(drop_denied, "dropped: the client may not ask (access.allow)")               \
	X(drop_limited, "dropped: client or network over its rate (access.rate)")      \
	X(slip_limited, "TC without records: over its rate (access.slip)")             \
	X(to_kernel, "passed to the exception port")                                   \
	X(upstream_reply, "handed to the resolver: reply of an upstream server")       \
	X(upstream_reply_ring_full, "dropped: upstream reply, miss ring full")         \
	X(arp_reply, "ARP answered (no exception port)")                               \
	X(ndp_reply, "neighbour solicitation answered (no exception port)")            \
	X(echo_reply, "ICMP or ICMPv6 echo answered (no exception port)")              \
	X(drop_kernel_rate, "dropped: over limits.kernel_frames")                      \
	X(drop_exception_full, "dropped: exception port or its queue full")            \
	X(drop_not_ours, "dropped: not for weir, and no exception port")               \
	X(drop_runt, "dropped: frame too short for its headers")                       \
	X(drop_ip_header, "dropped: bad IP header, or extensions before DNS")          \
	X(drop_ip_csum, "dropped: bad IPv4 header checksum")                           \
	X(drop_udp_header, "dropped: bad UDP length, or source port 0")                \
	X(drop_udp_csum, "dropped: bad UDP checksum")                                  \
	X(drop_source_port, "dropped: source port of a service that answers anything") \
	X(drop_fragment, "dropped: first fragment of UDP to port 53")                  \
	X(drop_source, "dropped: source address that no client can have")              \
	X(drop_proxy, "dropped: no PROXY header, or a bad one, from a balancer")       \
	X(drop_mac, "dropped: query to or from a group MAC address")                   \
	X(drop_vlan, "dropped: VLAN that the port does not accept (ports[].vlans)")    \
	X(drop_other_host, "dropped: sent to the MAC address of another host")         \
	X(drop_dns_short, "dropped: DNS message under 12 bytes")                       \
	X(drop_dns_response, "dropped: a response (QR=1)")                             \
	X(drop_chained, "dropped: frame in several segments")                          \
	X(drop_no_room, "dropped: no room for any reply in the packet")                \
	X(reflected, "sent back unchanged (bench_dataplane)")

#define COUNTER_LIST(X)                                                                            \
	X(rx_frames, "frames received on client ports")                                            \
	X(rx_bytes, "bytes received on client ports")                                              \
	X(tx_frames, "frames sent on client ports")                                                \
	X(tx_bytes, "bytes sent on client ports")                                                  \
	X(tx_full, "frames dropped: transmit queue of a client port full")                         \
	X(kernel_rx, "frames from the exception port")                                             \
	X(kernel_tx, "frames sent to the exception port")                                          \
	X(kernel_over_flow,                                                                        \
		"over limits.kernel_frames: of the box's own connections and questions")           \
	X(kernel_over_tcp, "over limits.kernel_frames: TCP of no such connection")                 \
	X(kernel_over_syn, "over limits.kernel_frames: SYN")                                       \
	X(kernel_over_answer, "over limits.kernel_frames: UDP from port 53 without a question")    \
	X(kernel_over_udp, "over limits.kernel_frames: other UDP")                                 \
	X(kernel_over_other, "over limits.kernel_frames: other protocols, fragments")              \
	X(kernel_over_icmp, "over limits.kernel_frames: ICMP, ICMPv6")                             \
	X(kernel_over_neighbour, "over limits.kernel_frames: ARP, neighbour and router discovery") \
	X(answers, "answers of the control plane that were sent")                                  \
	X(answers_stale, "of these, stale")                                                        \
	X(answers_servfail, "of these, SERVFAIL")                                                  \
	X(answers_blocked, "of these, blocked")                                                    \
	X(answer_foreign, "answers dropped: for an earlier run or another worker")                 \
	X(answer_bad, "answers dropped: malformed")                                                \
	X(answer_nombuf, "answers dropped: no packet buffer")                                      \
	X(answer_large, "answers dropped: longer than a frame")                                    \
	X(upstream_sent, "queries of resolvers sent to upstream servers")                          \
	X(upstream_foreign, "queries of resolvers not sent: for an earlier run")                   \
	X(upstream_bad, "queries of resolvers not sent: malformed")                                \
	X(upstream_unknown, "queries of resolvers not sent: server or port not in the image")      \
	X(upstream_large, "queries of resolvers not sent: over the MTU of the next hop")           \
	X(upstream_shut, "queries of resolvers not sent: AF_XDP leaves replies to the kernel")     \
	X(upstream_nombuf, "queries of resolvers not sent: no packet buffer")                      \
	X(upstream_unreachable, "ICMP messages for resolvers: upstream server unreachable")        \
	X(refresh_asked, "refresh requests sent")                                                  \
	X(refresh_full, "refresh requests not sent: miss ring full")                               \
	X(dedup_replaced, "entries of duplicate suppression evicted early")                        \
	X(ring_anomaly, "ring contents that are no record")                                        \
	X(record_anomaly, "records that failed their bounds check")                                \
	X(cookies_good, "queries with a right cookie")                                             \
	X(cookies_bad, "queries with a wrong cookie")                                              \
	X(cookies_alone, "queries with a client cookie only")                                      \
	X(cookies_exempt, "queries over their limits with a right cookie")                         \
	X(reply_truncated, "replies sent with TC")                                                 \
	X(csum_absent, "IPv4 queries without UDP checksum")                                        \
	X(proxied, "queries of clients that a balancer named (PROXY protocol)")                    \
	X(batches, "receive bursts with packets")                                                  \
	X(polls, "receive polls")                                                                  \
	X(sleeps, "times the worker slept")                                                        \
	X(sleeps_woken, "of these, ended by a port or an answer")                                  \
	X(sleeps_timed, "of these, ended by the timer")                                            \
	X(sleep_us, "microseconds that the worker slept")                                          \
	X(frames_slow, "frames in bursts that took over 100 us")                                   \
	X(turns_late, "iterations of the loop that took over 1 ms")                                \
	X(turns_long, "of these, over 10 ms")                                                      \
	X(turns_long_us, "microseconds in iterations over 10 ms")                                  \
	X(evictions, "times that the control plane evicted the worker")                            \
	X(tx_evicted, "replies not sent: the worker was evicted while it wrote them")              \
	X(watch_full, "frames not sent to watchers: log ring half full")                           \
	X(busy_cycles, "TSC cycles in batches with packets")

enum verdict {
#define X(name, text) VERDICT_##name,
	VERDICT_LIST(X)
#undef X
		VERDICT_COUNT
};

enum counter {
#define X(name, text) COUNTER_##name,
	COUNTER_LIST(X)
#undef X
		COUNTER_COUNT
};

extern const char *const verdict_names[VERDICT_COUNT];
extern const char *const verdict_texts[VERDICT_COUNT];
extern const char *const counter_names[COUNTER_COUNT];
extern const char *const counter_texts[COUNTER_COUNT];

// What a worker does in bench mode (bench_dataplane).
enum bench_mode {
	BENCH_OFF,       // answers
	BENCH_REFLECT,   // sends every frame back with its addresses swapped
	BENCH_ALTERNATE, // both in turn
	BENCH_MODES
};
extern const char *const bench_mode_names[BENCH_MODES];

// The stages of a worker, in the order in which they run (dataplane/stage/stages.h).
#define STAGE_LIST(X) X(rx) X(net) X(policy) X(parse) X(rules) X(lookup) X(miss) X(tx)

// Outcome of a query, for histograms of its time in the data plane.
#define OUTCOME_LIST(X)                                                    \
	X(hit, "answered from L0")                                         \
	X(ruled, "answered or dropped by a rule, or by the answer policy") \
	X(miss, "handed to the control plane")                             \
	X(other, "everything else, frames for the kernel too")

enum stage {
#define X(name) STAGE_##name,
	STAGE_LIST(X)
#undef X
		STAGE_COUNT
};

enum stats_outcome {
#define X(name, text) OUTCOME_##name,
	OUTCOME_LIST(X)
#undef X
		OUTCOME_COUNT
};

extern const char *const stage_names[STAGE_COUNT];
extern const char *const outcome_names[OUTCOME_COUNT];

// Types of questions that are counted by themselves: those under STATS_TYPES_LOW, and ANY.
enum { STATS_TYPES_LOW = 66, STATS_TYPE_ANY = 66, STATS_TYPE_OTHER = 67, STATS_TYPES = 68 };
enum { STATS_RCODES = 16 }; // rcodes of the header: BADVERS and BADCOOKIE have verdicts

enum {
	STATS_VERDICTS_MAX = 64,
	STATS_COUNTERS_MAX = 64,
	STATS_PORTS_MAX = 8,
	STATS_GROUPS_MAX = 64,
	STATS_PORT_NAME = 32,
	STATS_STEER_MAX = 5
};
static_assert((int)VERDICT_COUNT <= (int)STATS_VERDICTS_MAX);
static_assert((int)COUNTER_COUNT <= (int)STATS_COUNTERS_MAX);

struct stats_worker { // one per worker, written by that worker alone unless noted
	alignas(CACHE_LINE) _Atomic uint64_t verdict[STATS_VERDICTS_MAX];
	_Atomic uint64_t counter[STATS_COUNTERS_MAX];
	alignas(CACHE_LINE) _Atomic uint64_t heartbeat_ms;
	_Atomic uint32_t lcore;
	_Atomic uint32_t online;
	// Packet buffers, by the main lcore once a second: allocated = size - free; held = in rings
	// of ports and in flight, as reported by the ports. Breaches of the mbuf audit are counted.
	_Atomic uint32_t mbuf_size;
	_Atomic uint32_t mbuf_free;
	_Atomic uint64_t mbuf_breaches;
	_Atomic uint32_t bench_mode; // enum bench_mode
	// UDP/53 to us by group of the client, whatever becomes of it; none while there are no
	// groups. By number, which is a group's place in the configuration.
	alignas(CACHE_LINE) _Atomic uint64_t group[STATS_GROUPS_MAX];
	_Atomic uint64_t rcode[STATS_RCODES]; // replies sent, late answers too
	_Atomic uint64_t type[STATS_TYPES];   // questions that were read
	// Each frame by the time that its batch took, from the receive call to the sent reply.
	struct took_live outcome[OUTCOME_COUNT];
	struct took_live stage[STAGE_COUNT];        // one batch in STATS_STAGE_SAMPLE, by stage
	_Atomic uint32_t mbuf_missing[MBUF_OWNERS]; // counted for the last owner by the main lcore
	struct stats_table table[STATS_WORKER_TABLES_MAX]; // the main lcore writes them
};
enum { STATS_STAGE_SAMPLE = 128 };
static_assert(offsetof(struct stats_worker, rcode) == 64 * 8 * 3 + 64);
static_assert(sizeof(struct stats_worker) % CACHE_LINE == 0);

ATTR_INLINE unsigned stats_type(uint16_t qtype)
{
	enum { ANY = 255 };
	if (qtype < STATS_TYPES_LOW)
		return qtype;
	return qtype == ANY ? STATS_TYPE_ANY : STATS_TYPE_OTHER;
}

// Offloads of a port: name, meaning.
#define PORT_FEATURE_LIST(X)                                                           \
	X(rx_csum, "verifies received checksums")                                      \
	X(fast_free, "frees sent buffers in bulk")                                     \
	X(rss, "spreads clients over workers by a hash whose key is ours")             \
	X(reta, "has a table for that, filled evenly")                                 \
	X(link_events, "tells link changes at once")                                   \
	X(steering, "brings DNS to the workers and the rest to a queue of its own")    \
	X(promiscuous, "receives frames for any MAC address, and cannot do otherwise") \
	X(timer, "its interrupts do not arrive: idle workers look each millisecond")

enum port_feature {
#define X(name, text) PORT_FEATURE_##name,
	PORT_FEATURE_LIST(X)
#undef X
		PORT_FEATURE_COUNT
};

extern const char *const port_feature_names[PORT_FEATURE_COUNT];
extern const char *const port_feature_texts[PORT_FEATURE_COUNT];

struct stats_port { // written by the main lcore each second
	alignas(CACHE_LINE) _Atomic uint64_t ipackets;
	_Atomic uint64_t opackets;
	_Atomic uint64_t imissed;
	_Atomic uint64_t ierrors;
	_Atomic uint64_t oerrors;
	_Atomic uint64_t rx_nombuf;
	_Atomic uint32_t link_up;
	_Atomic uint32_t is_exception;
	char name[STATS_PORT_NAME];       // set before the region is published
	_Atomic uint32_t link_speed_mbps; // 0: unknown
	_Atomic uint32_t link_changes;    // since start
	_Atomic uint64_t mac;             // a number, the first byte highest
	_Atomic uint32_t features;        // PORT_FEATURE_LIST, one bit each
	_Atomic uint16_t mtu;
	_Atomic uint16_t queues;                 // queues of each direction
	_Atomic uint64_t steer[STATS_STEER_MAX]; // enum steer_counter, where is_xdp
	_Atomic uint32_t is_xdp;
};
static_assert(sizeof(struct stats_port) == 192);

// A kind of error or warning of the data plane (log_recent.h), by the main lcore each second.
// `sequence` is odd while it is written, and a reader takes what had an even one before and after.
enum { STATS_ERRORS_MAX = 16, STATS_ERROR_TEXT = 200 };
struct stats_error {
	uint32_t id, level;
	uint64_t count;
	int64_t first_unix_ms, last_unix_ms;
	char text[STATS_ERROR_TEXT];
};
struct stats_errors {
	_Atomic uint64_t sequence;
	uint64_t count, replaced;
	struct stats_error error[STATS_ERRORS_MAX]; // newest first
};

// Mappings and descriptors of the data plane by kind (mem_account.h), by the main lcore each 10 s.
enum { STATS_MAPS_MAX = 8, STATS_FDS_MAX = 16, STATS_REGIONS_MAX = 11 };
struct stats_deleted { // struct mem_deleted
	_Atomic uint64_t files, bytes, stale, stale_bytes, behind;
};
struct stats_kinds {
	alignas(CACHE_LINE) _Atomic uint64_t looks;      // that are over; 0: nothing is known
	_Atomic uint64_t maps[STATS_MAPS_MAX];           // enum mem_map_kind
	_Atomic uint64_t bytes[STATS_MAPS_MAX];          // address space
	_Atomic uint64_t descriptors[STATS_FDS_MAX];     // enum mem_fd_kind
	struct stats_deleted deleted[STATS_REGIONS_MAX]; // enum region_kind
};
static_assert(sizeof(struct stats_kinds) == 11 * CACHE_LINE);
static_assert((int)REGION_KINDS <= (int)STATS_REGIONS_MAX);

// How a run of the data plane ended: on request, killed or crashed, before it served a client.
enum stats_end { STATS_UNTOLD, STATS_STOPPED, STATS_FELL, STATS_FAILED };

// REGION_STATS, second page. geometry: [0] workers, [1] ports, [2] VERDICT_COUNT, [3]
// COUNTER_COUNT, [4] STATS_WORKER_TABLES, [5] STATS_PROCESS_TABLES.
struct stats_region {
	alignas(CACHE_LINE) _Atomic uint64_t heartbeat_ms; // the main lcore's, each 100 ms
	_Atomic uint64_t start_ms;
	_Atomic uint64_t tsc_hz;
	_Atomic uint32_t pid;
	_Atomic uint32_t control_seen;  // 1: link to the control plane is up
	_Atomic uint64_t l0_generation; // activated by all workers
	_Atomic uint64_t rule_image_generation;
	_Atomic uint64_t config_generation;
	_Atomic uint64_t policy_generation, hops_generation;
	_Atomic uint64_t verdict_gap; // last reconciliation: received - verdicts, while quiet
	_Atomic uint64_t limit_empty; // buckets of limited clients (limit.h) that are empty
	// Sources that ports drop by themselves: in force, refused by all ports, over the cap.
	_Atomic uint32_t drops_in_force, drops_refused, drops_full;
	_Atomic uint32_t drops_partial; // rules in force not on every port, or not with a tag
	_Atomic uint32_t ended; // enum stats_end; STATS_UNTOLD: it runs, or did not end by itself
	// The previous run, whose region this one replaces; STATS_UNTOLD: not known.
	_Atomic uint32_t former_end;
	_Atomic uint32_t log_lost; // lines lost because stderr was not read (log.h); saturates
	_Atomic uint64_t former_incarnation;
	// The program's (build.h); set before the region is published.
	char version[BUILD_TEXT_MAX], commit[BUILD_TEXT_MAX];
	struct stats_errors errors;
	struct stats_table table[STATS_PROCESS_TABLES_MAX];
	struct stats_memory memory;
	struct stats_kinds kinds;
	struct stats_sites sites;
	struct stats_port port[STATS_PORTS_MAX];
	struct stats_worker worker[];
};
static_assert(offsetof(struct stats_region, table) % CACHE_LINE == 0);
static_assert(offsetof(struct stats_worker, table) % CACHE_LINE == 0);

// The one way to raise a counter of a block that only this thread writes.
ATTR_INLINE void stats_add(_Atomic uint64_t *c, uint64_t n)
{
	atomic_store_explicit(
		c, atomic_load_explicit(c, memory_order_relaxed) + n, memory_order_relaxed);
}
