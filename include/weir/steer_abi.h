// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The interface between the steering program (dataplane/xdp/steer.bpf.c) and user space: its name,
// its maps and their contents. Compiled for both, so kernel types and plain C only.
//
// xsks_map is filled by DPDK's driver: queue number to AF_XDP socket; the name is the driver's. An
// entry goes when its socket closes, also by kill -9. The other maps are filled by weir-dataplane.

#include <linux/types.h>

#define STEER_PROGRAM     "weir_steer"
#define STEER_MAP_SOCKETS "xsks_map"
#define STEER_MAP_ADDRESSES \
	"weir_addresses"                   // hash: struct steer_address -> __u32, service addresses
#define STEER_MAP_SERVERS  "weir_servers"  // hash: struct steer_server -> __u32, upstreams
#define STEER_MAP_ASKED    "weir_asked"    // one struct steer_asked, mapped by the data plane
#define STEER_MAP_COUNTERS "weir_counters" // per CPU: enum steer_counter -> __u64
#define STEER_MAP_GATE     "weir_gate"     // one struct steer_gate

enum { STEER_QUEUES_MAX = 64, STEER_ADDRESSES_MAX = 64, STEER_DNS_PORT = 53 };
enum { STEER_SERVERS_MAX = 2048 }; // servers of two hops images

// IPv4 addresses are mapped (::ffff:0:0/96). Network byte order.
struct steer_address {
	__u32 word[4];
};

// An upstream server that workers ask from a local address. The port is in network byte order.
struct steer_server {
	struct steer_address server, local;
	__u32 port;
};

// For each local port, when a worker asked from it, and whether replies are awaited: a word is a
// time in ticks and, below it, replies that may come (dataplane/state/asked_ports.h). Workers write
// it without a system call.
enum {
	STEER_ASKED_BITS = 4,
	STEER_ASKED_TICK_MS = 256,
	STEER_ASKED_TICKS = 32,
	STEER_ASKED_SKEW = 12, // ticks that a worker may be ahead of an open gate
	STEER_ASKED_AGE_MASK = 0xfff,
};
struct steer_asked {
	__u16 port[65536];
};

// Packets are steered until then, by CLOCK_MONOTONIC; the data plane keeps moving it on while it
// works. So what hangs or was never ready gets nothing, and the kernel has it. And only those that
// were sent to the interface: by a mirror port, or where a switch floods, frames for other hosts
// come too. A MAC address is its bytes as they lie in a frame, in the lower six of a word.
enum { STEER_MACS_MAX = 9 };
struct steer_gate {
	__u64 until_ns;
	__u64 mac[STEER_MACS_MAX]; // the interface's own first, or 0
	__u64 asked_tick;          // the present, as of the data plane's last beat
};

#define STEER_COUNTER_LIST(X)                                                    \
	X(steered, "DNS for weir, given to the data plane")                      \
	X(gate_shut, "DNS for weir, left to the kernel: no working data plane")  \
	X(no_socket, "DNS for weir, left to the kernel: queue without a worker") \
	X(passed, "all other frames, left to the kernel")                        \
	X(other_host, "DNS for weir in frames to another MAC, left to the kernel")

enum steer_counter {
#define X(name, text) STEER_##name,
	STEER_COUNTER_LIST(X)
#undef X
		STEER_COUNTERS
};
