// SPDX-License-Identifier: BSD-3-Clause
#include "state/worker.h"

#include "stage/frame.h"
#include "stage/stage_cycles.h"
#include "stage/stages.h"

#include <rte_cycles.h>

#include <weir/bytes.h>

// A constant of each caller of turn(): of what is not measured nothing remains.
enum laps { LAPS_NONE, LAPS_RX, LAPS_ALL };

// The stage that ends here took the cycles since the one before it.
ATTR_INLINE void lap(struct stage_cycles *c, enum laps laps, enum stage s)
{
	if (laps == LAPS_NONE || (laps == LAPS_RX && s != STAGE_rx))
		return;
	uint64_t now = rte_rdtsc();
	c->cycles[s] += now - c->last;
	c->last = now;
}

static uint64_t ns_of(const struct worker *w, uint64_t cycles)
{
	return cycles * w->ns_shifted >> CYCLES_SHIFT;
}

ATTR_INLINE uint64_t verdict_of(const struct worker *w, enum verdict v)
{
	return atomic_load_explicit(&w->stats->verdict[v], memory_order_relaxed);
}

// The frames of a batch by outcome are what the verdicts grew by: nothing is noted of each.
ATTR_INLINE void outcomes(struct worker *w, uint64_t cycles, unsigned received)
{
	const uint64_t now[OUTCOME_other] = {
		[OUTCOME_hit] = verdict_of(w, VERDICT_hit) + verdict_of(w, VERDICT_hit_stale),
		[OUTCOME_ruled] = verdict_of(w, VERDICT_blocked)
				  + verdict_of(w, VERDICT_blocked_answer)
				  + verdict_of(w, VERDICT_local) + verdict_of(w, VERDICT_drop_rule),
		[OUTCOME_miss] = verdict_of(w, VERDICT_miss),
	};
	uint64_t ns = ns_of(w, cycles), other = received;
	for (unsigned o = 0; o < OUTCOME_other; o++) {
		uint64_t frames = now[o] - w->settled[o];
		if (frames == 0)
			continue;
		w->settled[o] = now[o];
		other -= frames;
		took_live_add(&w->stats->outcome[o], ns, frames);
	}
	if (unlikely_(other))
		took_live_add(&w->stats->outcome[OUTCOME_other], ns, other);
}

static void meter(struct stage_cycles *c, uint64_t busy, unsigned frames)
{
	c->busy += busy;
	c->frames += frames;
	c->turns++;
}

ATTR_INLINE unsigned turn(
	struct worker *w, unsigned port_index, enum laps laps, struct stage_cycles *c)
{
	// Not cleared: 32 packets are 50 KiB, and each stage fills in what the next one reads.
	struct batch b;
	b.w = w;
	b.port = &w->port[port_index];
	b.tx_count = b.kernel_count = b.drop_count = 0;
	b.rang = false;
	b.proven = 0;
	const bool watching = laps == LAPS_ALL && w->watching;
	b.logs = log_writer_is_on(&w->log) || watching;

	uint64_t start_tsc = rte_rdtsc();
	stage_rx(&b);
	unsigned received = b.count;
	if (received == 0)
		return 0;
	if (laps)
		c->last = start_tsc;
	b.tables = w->tables;
	b.now_ms = w->now_ms = worker_clock_ms(w);
	batch_see_rules(&b);
	b.control_alive = atomic_load_explicit(&w->control_alive, memory_order_acquire);
	if (unlikely_(b.logs)) {
		b.start_tsc = start_tsc;
		stage_log_begin(&b);
	}
	if (watching)
		stage_watch_begin(&b);
	lap(c, laps, STAGE_rx);
	stage_net(&b);
	lap(c, laps, STAGE_net);
	stage_policy(&b);
	lap(c, laps, STAGE_policy);
	stage_parse(&b);
	lap(c, laps, STAGE_parse);
	stage_rules(&b);
	lap(c, laps, STAGE_rules);
	stage_lookup(&b);
	lap(c, laps, STAGE_lookup);
	stage_miss(&b);
	lap(c, laps, STAGE_miss);
	if (unlikely_(b.logs) && log_writer_is_on(&w->log))
		stage_log(&b, received);
	if (watching)
		stage_watch(&b, received, c);
	stage_tx(&b);
	if (unlikely_(b.logs))
		stage_log_end(&b);
	lap(c, laps, STAGE_tx);
	uint64_t busy = rte_rdtsc() - start_tsc;
	stats_add(&w->stats->counter[COUNTER_busy_cycles], busy);
	if (unlikely_(busy > w->slow_cycles - 1)) // 0: there is no such time
		stats_add(&w->stats->counter[COUNTER_frames_slow], received);
	outcomes(w, busy, received);
	w->until_timed--;
	if (laps)
		meter(c, busy, received);
	return received;
}

// One batch in STATS_STAGE_SAMPLE is timed stage by stage.
static __attribute__((noinline)) unsigned turn_by_stage(struct worker *w, unsigned port_index)
{
	struct stage_cycles c = {0};
	unsigned frames = turn(w, port_index, LAPS_ALL, &c);
	for (unsigned s = 0; frames && s < STAGE_COUNT; s++)
		took_live_add(&w->stats->stage[s], ns_of(w, c.cycles[s]), 1);
	if (frames)
		w->until_timed = w->watching ? 0 : STATS_STAGE_SAMPLE;
	return frames;
}

unsigned worker_turn(struct worker *w, unsigned port_index)
{
	return likely_(w->until_timed) ? turn(w, port_index, LAPS_NONE, NULL)
				       : turn_by_stage(w, port_index);
}

unsigned worker_turn_timed(struct worker *w, unsigned port_index, struct stage_cycles *c)
{
	return turn(w, port_index, LAPS_ALL, c);
}

unsigned worker_turn_metered(struct worker *w, unsigned port_index, struct stage_cycles *c)
{
	return turn(w, port_index, LAPS_RX, c);
}

static void swap(uint8_t *a, uint8_t *b, unsigned len)
{
	uint8_t was[16];
	memcpy(was, a, len);
	memcpy(a, b, len);
	memcpy(b, was, len);
}

static void reflect(struct rte_mbuf *m)
{
	uint8_t *frame = rte_pktmbuf_mtod(m, uint8_t *);
	unsigned len = rte_pktmbuf_data_len(m);
	if (len < FRAME_ETHER_LEN + FRAME_VLAN_LEN)
		return;
	swap(frame, frame + 6, 6);
	bool has_vlan = get_u16(frame + 12) == RTE_ETHER_TYPE_VLAN;
	uint16_t ether_type = get_u16(frame + (has_vlan ? 16 : 12));
	unsigned ip = FRAME_ETHER_LEN + (has_vlan ? FRAME_VLAN_LEN : 0);
	if (ether_type == RTE_ETHER_TYPE_IPV4 && len >= ip + FRAME_IPV4_LEN + FRAME_UDP_LEN) {
		swap(frame + ip + 12, frame + ip + 16, 4);
		swap(frame + ip + FRAME_IPV4_LEN, frame + ip + FRAME_IPV4_LEN + 2, 2);
	} else if (ether_type == RTE_ETHER_TYPE_IPV6
		   && len >= ip + FRAME_IPV6_LEN + FRAME_UDP_LEN) {
		swap(frame + ip + 8, frame + ip + 24, 16);
		swap(frame + ip + FRAME_IPV6_LEN, frame + ip + FRAME_IPV6_LEN + 2, 2);
	}
}

unsigned worker_turn_reflect(struct worker *w, unsigned port_index, struct stage_cycles *c)
{
	struct batch b;
	b.w = w;
	b.port = &w->port[port_index];
	b.tx_count = b.kernel_count = b.drop_count = 0;
	b.rang = b.logs = false;
	uint64_t start_tsc = rte_rdtsc();
	stage_rx(&b);
	if (b.count == 0)
		return 0;
	c->last = start_tsc;
	lap(c, LAPS_RX, STAGE_rx);
	for (unsigned i = 0; i < b.count; i++) {
		reflect(b.store[i].m);
		b.tx[b.tx_count++] = b.store[i].m;
	}
	stats_add(&w->stats->verdict[VERDICT_reflected], b.count);
	stage_tx(&b);
	meter(c, rte_rdtsc() - start_tsc, b.count);
	return b.count;
}
