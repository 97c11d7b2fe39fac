// SPDX-License-Identifier: BSD-3-Clause

#include "mbuf_audit.h"

#include <string.h>

void mbuf_audit_sample(struct mbuf_audit *audit, uint32_t in_use)
{
	if (audit->samples++ == 0 || in_use < audit->floor)
		audit->floor = in_use;
}

enum mbuf_breach mbuf_audit_check(struct mbuf_audit *audit, bool quiet)
{
	if (audit->samples == 0)
		return MBUF_SOUND;
	audit->samples = 0;
	uint64_t most = (uint64_t)audit->base + audit->tx_hold + (quiet ? 0 : audit->in_flight);
	if (audit->floor > most)
		return MBUF_LEAK;
	if (quiet && (uint64_t)audit->floor + audit->rx_vary < audit->base)
		return MBUF_DOUBLE_FREE;
	return MBUF_SOUND;
}

// The fate of the frame of each verdict.
enum fate { SENT, TO_KERNEL, FREED };

static enum fate fate_of(enum verdict v)
{
	static const char *const freed[] = {"drop_", "miss"};
	if (v == VERDICT_to_kernel)
		return TO_KERNEL;
	for (unsigned i = 0; i < ARRAY_LEN(freed); i++)
		if (strncmp(verdict_names[v], freed[i], strlen(freed[i])) == 0)
			return FREED;
	return SENT;
}

static uint64_t get(const _Atomic uint64_t *n)
{
	return atomic_load_explicit(n, memory_order_relaxed);
}

void mbuf_flows_read(struct mbuf_flows *out, const struct stats_worker *s)
{
	// Inputs are read first, outputs last: the worker goes on meanwhile, and no frame of
	// that time may look lost.
	*out = (struct mbuf_flows){
		.received = get(&s->counter[COUNTER_rx_frames]),
		.to_send = get(&s->counter[COUNTER_answers]) + get(&s->counter[COUNTER_kernel_rx]),
	};
	for (unsigned v = 0; v < VERDICT_COUNT; v++) {
		uint64_t n = get(&s->verdict[v]);
		out->settled += n;
		switch (fate_of((enum verdict)v)) {
		case SENT:
			out->to_send += n;
			break;
		case TO_KERNEL:
			out->to_kernel += n;
			break;
		case FREED:
			out->dropped[v] = n;
			break;
		}
	}
	out->sent = get(&s->counter[COUNTER_tx_frames]) + get(&s->counter[COUNTER_tx_full]);
	out->kernel = get(&s->counter[COUNTER_kernel_tx]);
}

// Frames that went in and never came out.
static uint64_t kept(uint64_t in, uint64_t out)
{
	return in > out ? in - out : 0;
}

unsigned mbuf_suspect(
	const struct mbuf_flows *before, const struct mbuf_flows *after, uint32_t lost)
{
	unsigned owner = MBUF_OWNER_port, found = 0;

	if (kept(after->received, after->settled) >= lost)
		return MBUF_OWNER_rx;
	if (kept(after->to_send, after->sent) >= lost)
		return MBUF_OWNER_tx;
	if (kept(after->to_kernel, after->kernel) >= lost)
		return MBUF_OWNER_kernel_tx;
	for (unsigned v = 0; v < VERDICT_COUNT; v++) {
		if (after->dropped[v] - before->dropped[v] < lost)
			continue;
		owner = MBUF_OWNER_VERDICTS + v;
		found++;
	}
	return found == 1 ? owner : MBUF_OWNER_port;
}
