// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// How many frames a worker passes to the kernel (exceptions): on a TAP each is a system call, in
// which the kernel also processes the frame, on the thread that answers DNS.
//
// Frames are classified by the cost of losing them: each class has a bucket of its own, so that a
// flood of one does not affect the others. Conversations of the kernel (kernel_flows.h) are no
// flood of strangers and get far more than traffic that anyone may send; TCP and UDP separately,
// because a peer may flood its connection. A bucket is the time at which it will be full again (the
// generic cell rate algorithm, ITU-T I.371): it fills by the TSC, and holds a quarter of a second's
// worth, at least a batch. A frame over it is dropped (drop_kernel_rate, and a counter of the
// class). The rate is per worker, because it protects a worker's time.
//
// Frames that pass wait until DNS has been answered; an iteration sends only so many that an answer
// waits no longer for them than for a burst. The queue holds EXCEPTION_WAITING; each of the three
// kinds in exception.c leaves places for the next. A frame without a place is dropped
// (drop_exception_full). Worker-local: no lock, no system call except that of the exception port.
// DNS for weir never comes here.

#include "batch.h"

// Places of EXCEPTION_WAITING for EXCEPTION_neighbour, and for these and conversations.
enum { EXCEPTION_FOR_NEIGHBOURS = 64, EXCEPTION_FOR_FLOWS = 128 };
// Frames per iteration: at most this many, and none after one in EXCEPTION_SHARE of the time that
// makes an iteration slow.
enum { EXCEPTION_PER_TURN = 32, EXCEPTION_SHARE = 2 };

enum exception_class {
	EXCEPTION_flow,      // TCP of a connection that the kernel takes part in
	EXCEPTION_tcp,       // TCP of none
	EXCEPTION_tcp_new,   // SYN
	EXCEPTION_answer,    // UDP from port 53 that answers no recent question of the kernel
	EXCEPTION_udp,       // all other UDP
	EXCEPTION_other,     // routing protocols, fragments, not IP
	EXCEPTION_icmp,      // ICMP and ICMPv6, but for the next
	EXCEPTION_neighbour, // ARP, neighbour and router discovery, VRRP: to be found at all
	EXCEPTION_asked, // UDP of two ends between which the kernel has sent some; counted as flow
};
static_assert((int)EXCEPTION_asked + 1 == (int)WORKER_EXCEPTION_CLASSES);

struct exception_view {
	const struct kernel_flows *flows;
	uint64_t now_ms;
};
// The frame is one that stage_net has no use for: l3 is set and, behind an IP header, which it has
// checked, l4.
enum exception_class exception_class_of(
	const struct exception_view *v, const struct packet *p, uint16_t ether_type);

// Sets the frames a second, 0: no limit; a change fills the buckets. `hz`: of the clock below; 0:
// no clock, and no limit.
void exception_set(struct exception *p, uint32_t rate, uint64_t hz);

// One more of this class at this time. False: it is over its rate.
bool exception_take(struct exception *p, enum exception_class c, uint64_t now);

// VERDICT_to_kernel: it may go; else what it is dropped as.
enum verdict exception_verdict(struct batch *b, const struct packet *p, uint16_t ether_type);

ATTR_INLINE uint32_t exception_waiting(const struct exception *p)
{
	return p->tail - p->head;
}
