// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The audit of a packet pool: every buffer that is not free must be accounted for.
//
// After the ports have started, `base` buffers are out: those posted in RX rings. From then on the
// worker may hold a few batches and the frames that wait for the kernel (exception.h), and ports
// that send by DMA may hold up to their TX rings; nothing else. The worker counts the buffers that
// are out ten times a second, at the top of its loop, where it holds none: to an outside observer a
// preempted worker would look like a leak of its burst. A window without a count has no verdict.
//
// In a second without any frame the least count must not exceed base + tx_hold, which is exact for
// ports that free the frames they send; while frames flow, base + tx_hold + in_flight. Fewer are
// found by a walk (mbuf_walk.h). Below base - rx_vary at rest, a buffer was freed twice. Pure
// arithmetic; the main lcore's.

#include <stdbool.h>
#include <stdint.h>
#include <weir/shm_stats.h>

struct mbuf_audit {
	uint32_t base;      // buffers in use at start
	uint32_t tx_hold;   // most that TX rings keep of sent frames
	uint32_t rx_vary;   // most that RX rings may be short of their posted buffers
	uint32_t in_flight; // more than a worker holds at once, by far
	uint32_t floor;     // least sample of this window
	uint32_t samples;
};

// Where the worker's frames went, in the whole of a life; at rest nothing is on its way, else no
// more than a worker holds at once.
struct mbuf_flows {
	uint64_t received, settled; // from the wire; with a verdict
	uint64_t to_send, sent; // replies, answers, frames of the kernel; what TX took or dropped
	uint64_t to_kernel, kernel; // frames by verdict; frames taken by the exception port
	uint64_t dropped[VERDICT_COUNT];
};

// Where a walk cannot tell (mbuf_walk.h): the owner that most likely lost `lost` buffers, by frames
// that went in and did not come out in the run up to `after`. Else, as only dropped frames are
// freed without a count of their own, the verdict that dropped as many between the two samples, if
// there is just one. MBUF_OWNER_port: not known. `lost` must exceed the frames that can be in
// flight at `after`.
unsigned mbuf_suspect(
	const struct mbuf_flows *before, const struct mbuf_flows *after, uint32_t lost);
void mbuf_flows_read(struct mbuf_flows *out, const struct stats_worker *s);

enum mbuf_breach { MBUF_SOUND, MBUF_LEAK, MBUF_DOUBLE_FREE };

void mbuf_audit_sample(struct mbuf_audit *audit, uint32_t in_use);
// Ends the window. `quiet`: the worker moved no frame in the whole of it.
enum mbuf_breach mbuf_audit_check(struct mbuf_audit *audit, bool quiet);
