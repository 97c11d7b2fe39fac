// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// How many frames a worker passes to the kernel (exceptions): on a TAP each is a system call, in
// which the kernel also does what the frame asks of it, on the thread that answers DNS.
//
// Frames are told apart by what it costs to lose them: each class has a bucket of its own, so that
// a flood of one leaves the others what they have. What the kernel takes part in (kernel_flows.h)
// is no flood of strangers and has far more than what anybody may send; TCP and UDP each by
// themselves, as whoever has a connection may flood that. A bucket is the time at which it will be
// full again (the generic cell rate algorithm, ITU-T I.371): it fills by the TSC, and holds a
// quarter of a second's worth, at least a batch. Who is over it is dropped (drop_kernel_rate, and a
// counter of the class). The rate is that of one worker, as what is protected is a worker's time.
//
// What passes waits until DNS has been answered, and so many of it go a turn that an answer waits
// no longer for them than for a burst. The queue holds EXCEPTION_WAITING; each of the three kinds
// in exception.c leaves places for the next. Who finds none is dropped (drop_exception_full).
// Worker-local: no lock, no system call but the kernel's port's; what is DNS for us never comes
// here.

#include "batch.h"

// Of EXCEPTION_WAITING, for what we are found by, and for that and conversations.
enum { EXCEPTION_FOR_NEIGHBOURS = 64, EXCEPTION_FOR_FLOWS = 128 };
// A turn's: so many at most, and no more after one in EXCEPTION_SHARE of the time that makes it
// slow.
enum { EXCEPTION_PER_TURN = 32, EXCEPTION_SHARE = 2 };

enum exception_class {
	EXCEPTION_flow,      // TCP of a connection that the kernel takes part in
	EXCEPTION_tcp,       // TCP of none
	EXCEPTION_tcp_new,   // SYN
	EXCEPTION_answer,    // UDP from port 53, of nobody whom the kernel has just asked
	EXCEPTION_udp,       // all other UDP
	EXCEPTION_other,     // routing protocols, fragments, what is not IP
	EXCEPTION_icmp,      // ICMP and ICMPv6, but for the next
	EXCEPTION_neighbour, // ARP, neighbour and router discovery: to be found at all
	EXCEPTION_asked, // UDP of two ends between which the kernel has sent some; counted as flow
};
static_assert((int)EXCEPTION_asked + 1 == (int)WORKER_EXCEPTION_CLASSES);

struct exception_view {
	const struct kernel_flows *flows;
	uint64_t now_ms;
};
// Of a frame that stage_net has no use for: l3 is set and, behind an IP header, which it has
// checked, l4.
enum exception_class exception_class_of(
	const struct exception_view *v, const struct packet *p, uint16_t ether_type);

// From now on so many frames a second, 0: any number; a change fills the buckets. `hz`: of the
// clock below; 0: there is none, and no limit.
void exception_set(struct exception *p, uint32_t rate, uint64_t hz);

// One more of this class at this time. False: it is over its rate.
bool exception_take(struct exception *p, enum exception_class c, uint64_t now);

// VERDICT_to_kernel: it may go; else what it is dropped as.
enum verdict exception_verdict(struct batch *b, const struct packet *p, uint16_t ether_type);

ATTR_INLINE uint32_t exception_waiting(const struct exception *p)
{
	return p->tail - p->head;
}
