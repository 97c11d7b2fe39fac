// SPDX-License-Identifier: BSD-3-Clause
// The kernel's conversations (kernel_flows.h): which peers a worker recognises, and for how long.
#include "dataplane/stage/exception.h"
#include "exception_frames.h"

// One table for each test; the workers' holds of it.
static struct kernel_flow_table table;
static struct kernel_flows flows, others;

static int fresh(void **)
{
	memset(&table, 0, sizeof(table));
	table.secret = (struct keyhash_secret){HARNESS_SECRET};
	flows = others = (struct kernel_flows){.table = &table};
	return 0;
}

static enum exception_class class_at(
	const struct kernel_flows *by, uint8_t *frame, size_t len, uint64_t now_ms)
{
	struct rte_mbuf m = {.buf_addr = frame, .data_len = (uint16_t)len};
	const bool v6 = frame[12] == 0x86;
	const struct packet p = {
		.m = &m, .l3 = 14, .l4 = v6 ? L4_V6 : L4_V4, .ip_version = v6 ? 6 : 4};
	return exception_class_of(&(struct exception_view){by, now_ms}, &p,
		v6 ? RTE_ETHER_TYPE_IPV6 : RTE_ETHER_TYPE_IPV4);
}

static void sees(struct kernel_flows *by, const uint8_t *frame, size_t len, uint64_t now_ms)
{
	uint8_t f[WIRE_MAX];
	turn_round(f, frame, len);
	const bool v6 = f[12] == 0x86;
	if (len > L4_V6 && f[v6 ? 20 : 23] == 6 && f[(v6 ? L4_V6 : L4_V4) + TCP_FLAGS] & BARE)
		wire_put16(f + (v6 ? 18 : 16), v6 ? TCP_LEN : 20 + TCP_LEN);
	const struct rte_mbuf m = {.buf_addr = f, .data_len = (uint16_t)len};
	kernel_flows_saw(by, &m, now_ms);
}

// Not who got a RST, an accepted SYN or a bare ACK, as anybody does, but with whom it opens a
// connection, says something in it or ends it; that far end, and no other.
TEST_WITH(test_flows, fresh, NULL)
{
	static const struct {
		uint8_t version, protocol, sent, comes;
		uint16_t src_port;
		enum exception_class before, after;
	} given[] = {
		{4, 6, RST, ACK, 1000, EXCEPTION_tcp, EXCEPTION_tcp},
		{4, 6, SYN | ACK, ACK, 1000, EXCEPTION_tcp, EXCEPTION_tcp},
		{4, 6, BARE | ACK, ACK, 1000, EXCEPTION_tcp, EXCEPTION_tcp},
		{6, 6, BARE | ACK, ACK, 1000, EXCEPTION_tcp, EXCEPTION_tcp},
		{4, 6, ACK, SYN, 1000, EXCEPTION_tcp_new, EXCEPTION_tcp_new},
		{4, 6, BARE | FIN | ACK, ACK, 1006, EXCEPTION_tcp, EXCEPTION_flow},
		{4, 6, ACK, ACK, 1001, EXCEPTION_tcp, EXCEPTION_flow},
		{6, 6, ACK, FIN | ACK, 1002, EXCEPTION_tcp, EXCEPTION_flow},
		{4, 6, SYN, SYN | ACK, 1003, EXCEPTION_tcp, EXCEPTION_flow},
		{6, 17, 0, 0, 853, EXCEPTION_udp, EXCEPTION_asked},
		{4, 17, 0, 0, 53, EXCEPTION_answer, EXCEPTION_asked},
		{4, 47, 0, 0, 1005, EXCEPTION_other, EXCEPTION_other},
	};
	const uint64_t now_ms = 1000000;
	for (unsigned i = 0; i < ARRAY_LEN(given); i++) {
		uint8_t f[WIRE_MAX];
		const unsigned l4 = given[i].version == 6 ? L4_V6 : L4_V4;
		size_t len = make(f, given[i].version, given[i].protocol, given[i].src_port);
		uint8_t other[2] = {f[l4 + TCP_FLAGS - 1], f[l4 + TCP_FLAGS]},
			*flags = f + l4 + TCP_FLAGS;
		const bool tcp = given[i].protocol == 6;
		flags[-1] = tcp ? TCP_LEN / 4 << 4 : other[0];
		*flags = tcp ? given[i].comes : other[1];
		assert_int_equal(class_at(&flows, f, len, now_ms), given[i].before);
		*flags = tcp ? given[i].sent : other[1];
		sees(&flows, f, len, now_ms);
		*flags = tcp ? given[i].comes : other[1];
		assert_int_equal(class_at(&flows, f, len, now_ms), given[i].after);
		assert_int_equal(class_at(&others, f, len, now_ms), given[i].after);
		// UDP has had its answer by then; a connection may be silent.
		assert_int_equal(class_at(&flows, f, len, now_ms + 2000), given[i].after);
		assert_int_equal(class_at(&flows, f, len, now_ms + 2176),
			given[i].protocol == 17 ? given[i].before : given[i].after);
		for (unsigned at = l4 - 8; at < l4 + 4; at++) { // addresses and ports
			f[at] ^= 0x80;
			assert_in_range(class_at(&flows, f, len, now_ms), EXCEPTION_tcp,
				EXCEPTION_neighbour);
			f[at] ^= 0x80;
		}
	}
}

// Frames that end before their ports, later fragments, ARP; and one with a tag in front.
TEST_WITH(test_odd_flows, fresh, NULL)
{
	uint8_t f[WIRE_MAX], odd[WIRE_MAX];
	size_t len = make_tcp(f, 4, ACK);
	for (size_t cut = 0; cut < L4_V4 + TCP_LEN; cut++)
		sees(&flows, f, cut, 0);
	len = make_tcp(odd, 6, ACK);
	for (size_t cut = 0; cut < L4_V6 + TCP_LEN; cut++)
		sees(&flows, odd, cut, 0);
	len = make_arp(odd);
	sees(&flows, odd, len, 0);
	len = make_tcp(odd, 4, ACK);
	wire_put16(odd + 20, 0x2005);
	sees(&flows, odd, len, 0);
	assert_int_equal(flows.taken, 0);
	memcpy(odd, f, 12);
	wire_put16(odd + 12, 0x8100);
	wire_put16(odd + 14, 7);
	memcpy(odd + 16, f + 12, len - 12);
	sees(&flows, odd, len + 4, 0);
	assert_int_equal(flows.taken, 1);
	assert_int_equal(class_at(&flows, f, len, 0), EXCEPTION_flow);
}

// The table is full and no fuller, the last ones are in it, and who is sent to again stays.
TEST_WITH(test_full, fresh, NULL)
{
	enum { CAP = KERNEL_FLOW_SETS * KERNEL_FLOW_WAYS, FLOWS = 2 * CAP, OFTEN = 64 };
	uint8_t f[WIRE_MAX], often[WIRE_MAX];
	size_t len = make_tcp(f, 4, ACK), often_len = make_tcp(often, 6, ACK);
	uint64_t now_ms = 0;
	for (unsigned i = 0; i < FLOWS; i++, now_ms += 2) {
		wire_put16(f + L4_V4, (uint16_t)i);
		if (i % OFTEN == 0)
			sees(&flows, often, often_len, now_ms);
		sees(i % 2 ? &flows : &others, f, len, now_ms);
	}
	assert_in_range(flows.taken + others.taken, CAP * 15 / 16, CAP);
	assert_int_equal(flows.taken + others.taken + flows.evicted + others.evicted, FLOWS + 1);
	assert_int_equal(class_at(&flows, f, len, now_ms), EXCEPTION_flow);
	assert_int_equal(class_at(&flows, often, often_len, now_ms), EXCEPTION_flow);
}

// Questions that are over make way for new ones, so that a connection stays in which nothing is
// said for long.
TEST_WITH(test_silent, fresh, NULL)
{
	enum { ROUNDS = 16, ROUND_MS = 4096 };
	uint8_t f[WIRE_MAX], silent[WIRE_MAX];
	size_t len = make(f, 4, 17, 53), silent_len = make_tcp(silent, 6, ACK);
	sees(&flows, silent, silent_len, 0);
	for (unsigned i = 0; i < ROUNDS * KERNEL_FLOW_SETS; i++) {
		wire_put16(f + L4_V4 + 2, (uint16_t)i);
		sees(&flows, f, len, i / KERNEL_FLOW_SETS * ROUND_MS);
	}
	assert_int_equal(class_at(&flows, silent, silent_len, ROUNDS * ROUND_MS), EXCEPTION_flow);
	assert_in_range(flows.evicted, 0, ROUNDS);
	assert_true(flows.taken < KERNEL_FLOW_SETS * KERNEL_FLOW_WAYS);
}

// Workers look at the clock when a batch begins, so one's may be behind; ticks come round.
TEST_WITH(test_clocks, fresh, NULL)
{
	const uint64_t times_ms[] = {1000000, UINT64_C(128) << 24, (UINT64_C(128) << 24) - 100,
		(UINT64_C(128) << 24) + 1000};
	for (unsigned i = 0; i < ARRAY_LEN(times_ms); i++) {
		const uint64_t now_ms = times_ms[i];
		uint8_t f[WIRE_MAX];
		size_t len = make(f, 6, 17, 53);
		wire_put16(f + L4_V6 + 2, (uint16_t)i);
		sees(&flows, f, len, now_ms);
		assert_int_equal(class_at(&others, f, len, now_ms - 1900), EXCEPTION_asked);
		assert_int_equal(class_at(&others, f, len, now_ms), EXCEPTION_asked);
		assert_int_equal(class_at(&others, f, len, now_ms + 2000), EXCEPTION_asked);
		assert_int_equal(class_at(&others, f, len, now_ms + 2176), EXCEPTION_answer);
		sees(&others, f, len, now_ms + 5000);
		assert_int_equal(class_at(&flows, f, len, now_ms + 5000), EXCEPTION_asked);
	}
	assert_int_equal(flows.taken, ARRAY_LEN(times_ms));
	assert_int_equal(others.taken + others.evicted + flows.evicted, 0);
}

static struct worker second_worker(const struct harness *h, struct stats_worker *stats)
{
	struct worker w = h->w;
	w.index = h->w.index + 1;
	w.stats = stats;
	w.kernel_flows = (struct kernel_flows){.table = h->w.kernel_flows.table};
	return w;
}

// What one worker's queue of the kernel's port sent, and the segments of which come to another's:
// they are a connection's to both, whichever of them has strangers over their rate.
PACKET_TEST_OF(test_workers, harness_begin(&(struct harness_options){.has_exception = true}))
{
	enum { HUNDREDS = 1, STRANGERS = 200, SEGMENTS = WORKER_BATCH };
	h->tables.config.kernel_hundreds = HUNDREDS;
	static struct stats_worker stats;
	static struct worker other;
	other = second_worker(h, &stats);
	uint8_t f[WIRE_MAX];
	size_t len = make_tcp(f, 4, ACK);
	for (unsigned i = 0; i < STRANGERS; i++)
		harness_inject(h, f, len);
	while (worker_turn(&other, 0) + stage_kernel(&other, false))
		continue;
	assert_true(stats.counter[COUNTER_kernel_over_tcp] > 0);
	const uint64_t over = stats.counter[COUNTER_kernel_over_tcp];
	const uint64_t passed = stats.verdict[VERDICT_to_kernel];
	assert_int_equal(passed + over, STRANGERS);
	kernel_sends(h, &h->w, f, len);
	for (unsigned i = 0; i < SEGMENTS; i++)
		harness_inject(h, f, len);
	while (worker_turn(&other, 0) + stage_kernel(&other, false))
		continue;
	assert_int_equal(stats.verdict[VERDICT_to_kernel], passed + SEGMENTS);
	assert_int_equal(stats.counter[COUNTER_kernel_over_tcp], over);
	assert_int_equal(stats.counter[COUNTER_kernel_over_flow], 0);
	assert_int_equal(h->w.kernel_flows.taken, 1);
	assert_int_equal(other.kernel_flows.taken, 0);
	while (harness_take_kernel(h, f))
		continue;
}
