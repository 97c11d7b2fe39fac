// SPDX-License-Identifier: BSD-3-Clause
// How much of what is not DNS goes to the kernel (punt.h): each class has its own, by time.
#include "../../dataplane/punt.h"
#include "harness.h"

#include <rte_cycles.h>

enum { L4_V4 = 34, L4_V6 = 54, TCP_FLAGS = 13, TCP_LEN = 20 };
enum { FIN = 0x01, SYN = 0x02, RST = 0x04, ACK = 0x10, BARE = 0x80 };

static size_t make(uint8_t *f, unsigned version, unsigned protocol, uint16_t src_port)
{
	const struct wire_query q = {
		.name = "a.long.name.for.a.tcp.header.example",
		.version = version,
		.src_port = src_port,
		.dst_port = 54,
	};
	size_t len = wire_make(&q, f);
	f[version == 6 ? 20 : 23] = (uint8_t)protocol;
	if (version != 6) {
		wire_put16(f + 24, 0);
		wire_put16(f + 24, 0xffff - wire_fold(wire_sum(f + 14, 20)));
	}
	return len;
}

static size_t make_tcp(uint8_t *f, unsigned version, uint8_t flags)
{
	size_t len = make(f, version, 6, 4242);
	f[(version == 6 ? L4_V6 : L4_V4) + TCP_FLAGS - 1] = TCP_LEN / 4 << 4;
	f[(version == 6 ? L4_V6 : L4_V4) + TCP_FLAGS] = flags;
	return len;
}

static size_t make_arp(uint8_t *f)
{
	size_t len = make(f, 4, 17, 4242);
	wire_put16(f + 12, 0x0806);
	return len;
}

static size_t make_icmpv6(uint8_t *f, uint8_t type, uint8_t hops)
{
	size_t len = make(f, 6, 58, 4242);
	f[21] = hops;
	f[L4_V6] = type;
	return len;
}

// Every kind of frame, and the class that it is of.
static size_t make_kind(uint8_t *f, unsigned kind, enum punt_class *c)
{
	static const struct {
		uint8_t version, protocol;
		uint16_t src_port;
		enum punt_class c;
	} plain[] = {{4, 17, 4242, PUNT_udp}, {6, 17, 4242, PUNT_udp}, {4, 17, 53, PUNT_answer},
		{6, 17, 53, PUNT_answer}, {4, 1, 4242, PUNT_icmp}, {4, 112, 4242, PUNT_other},
		{6, 89, 4242, PUNT_other}, {6, 44, 4242, PUNT_other}};
	static const struct {
		uint8_t version, flags;
		enum punt_class c;
	} tcp[] = {{4, SYN, PUNT_tcp_new}, {6, SYN, PUNT_tcp_new}, {4, ACK, PUNT_tcp},
		{6, ACK, PUNT_tcp}, {4, SYN | ACK, PUNT_tcp}, {4, RST, PUNT_tcp},
		{4, FIN | ACK, PUNT_tcp}};
	static const struct {
		uint8_t type, hops;
		enum punt_class c;
	} icmpv6[] = {{133, 255, PUNT_neighbour}, {135, 255, PUNT_neighbour},
		{137, 255, PUNT_neighbour}, {135, 254, PUNT_icmp}, {128, 255, PUNT_icmp},
		{138, 255, PUNT_icmp}};
	if (kind < ARRAY_LEN(plain)) {
		*c = plain[kind].c;
		size_t len =
			make(f, plain[kind].version, plain[kind].protocol, plain[kind].src_port);
		if (plain[kind].protocol == 44)
			wire_put16(f + L4_V6 + 2, 8); // a later fragment
		return len;
	}
	kind -= ARRAY_LEN(plain);
	if (kind < ARRAY_LEN(tcp)) {
		*c = tcp[kind].c;
		return make_tcp(f, tcp[kind].version, tcp[kind].flags);
	}
	kind -= ARRAY_LEN(tcp);
	if (kind < ARRAY_LEN(icmpv6)) {
		*c = icmpv6[kind].c;
		return make_icmpv6(f, icmpv6[kind].type, icmpv6[kind].hops);
	}
	kind -= ARRAY_LEN(icmpv6);
	*c = kind == 0 ? PUNT_neighbour : PUNT_other;
	size_t len = make_arp(f);
	if (kind == 1)
		wire_put16(f + 12, 0x88cc); // LLDP
	if (kind == 2) {
		const struct wire_query q = {.name = "a", .fragment = 0x2005, .dst_port = 54};
		len = wire_make(&q, f);
	}
	return kind < 3 ? len : 0;
}

static struct harness *begin(uint16_t hundreds)
{
	struct harness *h = harness_begin(&(struct harness_options){.has_exception = true});
	h->tables.config.kernel_hundreds = hundreds;
	return h;
}

// One frame in; whether the kernel got it, as it was. If not, it has the one verdict.
static bool passes(struct harness *h, const uint8_t *frame, size_t len)
{
	uint8_t got[WIRE_MAX];
	uint64_t passed = harness_verdict(h, VERDICT_to_kernel);
	uint64_t dropped = harness_verdict(h, VERDICT_drop_kernel_rate);
	harness_inject(h, frame, len);
	harness_turns(h);
	passed = harness_verdict(h, VERDICT_to_kernel) - passed;
	dropped = harness_verdict(h, VERDICT_drop_kernel_rate) - dropped;
	assert_int_equal(passed + dropped, 1);
	assert_int_equal(harness_take_kernel(h, got), passed ? len : 0);
	if (passed)
		assert_memory_equal(got, frame, len);
	assert_int_equal(harness_waiting(h), 0);
	return passed;
}

static unsigned flood(struct harness *h, const uint8_t *frame, size_t len, unsigned count)
{
	unsigned n = 0;
	for (unsigned i = 0; i < count; i++)
		n += passes(h, frame, len);
	return n;
}

static unsigned of_class(enum punt_class c)
{
	static const unsigned parts[] = {[PUNT_flow] = 1,
		[PUNT_tcp] = 3,
		[PUNT_tcp_new] = 4,
		[PUNT_answer] = 8,
		[PUNT_udp] = 40,
		[PUNT_other] = 40,
		[PUNT_icmp] = 80,
		[PUNT_neighbour] = 80};
	return parts[c];
}

static uint64_t over(const struct harness *h, enum punt_class c)
{
	return harness_counter(h, COUNTER_kernel_over_flow + c);
}

// Each kind comes until no more of it passes, which is when its class has had a batch and what the
// time brought since; kinds of the same class share that. What is over that is counted by class.
static void test_classes(void **)
{
	enum { RATE = 100, FRAMES = 2 * RATE };
	struct harness *h = begin(RATE / DP_KERNEL_FRAMES_UNIT);
	unsigned passed[WORKER_PUNT_CLASSES] = {0}, dropped[WORKER_PUNT_CLASSES] = {0}, kinds = 0;
	uint8_t f[WIRE_MAX];
	enum punt_class c;
	const double begun = (double)rte_rdtsc();
	for (size_t len; (len = make_kind(f, kinds, &c)); kinds++) {
		unsigned before = passed[c], more = flood(h, f, len, FRAMES);
		dropped[c] += FRAMES - more;
		passed[c] += more;
		assert_int_equal(over(h, c), dropped[c]);
		assert_true(before || passed[c] >= WORKER_BATCH);
		double s = ((double)rte_rdtsc() - begun) / (double)rte_get_tsc_hz();
		assert_true(passed[c] <= WORKER_BATCH + 1 + s * RATE / of_class(c));
	}
	assert_int_equal(kinds, 24);
	for (unsigned i = PUNT_tcp; i <= PUNT_neighbour; i++)
		assert_true(passed[i] >= WORKER_BATCH);
	harness_end(h);
}

// While SYNs come without end we can be found, connections that are there go on, and hits are
// answered, in the same burst.
static void test_syn_flood(void **)
{
	struct harness *h = begin(1);
	const struct harness_record record = {.name = "warm.example"};
	const struct wire_query q = {.name = "warm.example"};
	uint8_t syn[WIRE_MAX], f[WIRE_MAX];
	size_t syn_len = make_tcp(syn, 4, SYN);
	harness_put(h, &record);
	(void)flood(h, syn, syn_len, 2000);
	assert_true(harness_verdict(h, VERDICT_drop_kernel_rate) >= 1000);
	for (unsigned i = 0; i < 8; i++) {
		assert_true(passes(h, f, make_arp(f)));
		assert_true(passes(h, f, make_icmpv6(f, 135, 255)));
		assert_true(passes(h, f, make_tcp(f, 4, ACK)));
		assert_true(passes(h, f, make(f, 4, 17, 53)));
	}
	uint64_t frames = harness_counter(h, COUNTER_rx_frames);
	for (unsigned i = 0; i < WORKER_BATCH - 1; i++)
		harness_inject(h, syn, syn_len);
	harness_inject(h, f, wire_make(&q, f));
	assert_int_equal(worker_turn(&h->w, 0), WORKER_BATCH);
	assert_int_equal(harness_counter(h, COUNTER_rx_frames), frames + WORKER_BATCH);
	assert_int_equal(harness_verdict(h, VERDICT_hit), 1);
	assert_int_equal(harness_waiting(h), 1);
	harness_drain(h);
	harness_turns(h);
	while (harness_take_kernel(h, f))
		continue;
	harness_end(h);
}

// All of them in, while none goes on; how many found no place.
static unsigned fill(struct harness *h, const uint8_t *frame, size_t len, unsigned count)
{
	uint64_t before = harness_verdict(h, VERDICT_drop_exception_full);
	for (unsigned i = 0; i < count; i++)
		harness_inject(h, frame, len);
	while (worker_turn(&h->w, 0))
		continue;
	return (unsigned)(harness_verdict(h, VERDICT_drop_exception_full) - before);
}

static void turn_round(uint8_t *out, const uint8_t *frame, size_t len)
{
	const unsigned tag = frame[12] == 0x81 ? 4 : 0;
	const bool v6 = frame[12 + tag] == 0x86;
	const unsigned at = (v6 ? 22 : 26) + tag, one = v6 ? 16 : 4, ports = at + 2 * one;
	memcpy(out, frame, len);
	if (len < ports + 4)
		return;
	memcpy(out + at, frame + at + one, one);
	memcpy(out + at + one, frame + at, one);
	memcpy(out + ports, frame + ports + 2, 2);
	memcpy(out + ports + 2, frame + ports, 2);
}

static void kernel_sends(struct harness *h, const uint8_t *frame, size_t len)
{
	uint8_t f[WIRE_MAX];
	turn_round(f, frame, len);
	h->any_replies = true; // it may send what it likes
	harness_inject_kernel(h, f, len);
	assert_int_equal(stage_exception(&h->w, &h->w.port[0]), 1);
	harness_drain(h);
}

// It comes back by time alone.
static void test_again(void **)
{
	struct harness *h = begin(1);
	uint8_t f[WIRE_MAX];
	size_t len = make_tcp(f, 4, SYN);
	while (passes(h, f, len))
		continue;
	while (!passes(h, f, len)) // 40 ms a frame
		continue;
	assert_true(harness_verdict(h, VERDICT_to_kernel) > WORKER_BATCH);
	harness_end(h);
}

// A change of the setting holds at once, and 0 is no limit.
static void test_live(void **)
{
	struct harness *h = begin(1);
	uint8_t f[WIRE_MAX];
	size_t len = make(f, 4, 17, 4242);
	assert_true(flood(h, f, len, 200) < 200);
	h->tables.config.kernel_hundreds = 0;
	assert_int_equal(flood(h, f, len, 2000), 2000);
	h->tables.config.kernel_hundreds = 400; // 1,000 a second, 250 at once
	assert_true(flood(h, f, len, 2000) >= 250);
	assert_int_equal(h->w.punt.rate, 40000);
	harness_end(h);
}

static unsigned takes(struct punt *p, enum punt_class c, uint64_t now)
{
	unsigned n = 0;
	while (n < 100000 && punt_take(p, c, now))
		n++;
	return n;
}

// The bucket itself, by a clock of the test's.
static void test_bucket(void **)
{
	enum { HZ = 1000000, RATE = 1000, AT_ONCE = RATE / 4, LATER = 12345 };
	const uint64_t t = UINT64_C(1) << 40;
	static struct punt p;
	punt_set(&p, RATE, HZ);
	assert_int_equal(takes(&p, PUNT_flow, t) + takes(&p, PUNT_asked, t), 2 * AT_ONCE);
	assert_int_equal(takes(&p, PUNT_tcp_new, t), RATE / 16);
	assert_int_equal(takes(&p, PUNT_neighbour, t), WORKER_BATCH);
	assert_int_equal(takes(&p, PUNT_flow, t + HZ / RATE - 1), 0);
	assert_int_equal(takes(&p, PUNT_flow, t + HZ / RATE), 1);
	assert_int_equal(takes(&p, PUNT_tcp_new, t + HZ / RATE), 0);
	assert_int_equal(takes(&p, PUNT_tcp_new, t + 4 * HZ / RATE), 1);
	assert_int_equal(takes(&p, PUNT_flow, t + HZ / RATE + LATER), LATER / (HZ / RATE));
	assert_int_equal(takes(&p, PUNT_flow, t + 3600ULL * HZ), AT_ONCE); // no more than it holds
	// In a second, however it comes.
	unsigned n = 0;
	for (uint64_t now = t + 7200ULL * HZ; now < t + 7201ULL * HZ; now += 100)
		n += punt_take(&p, PUNT_icmp, now);
	assert_in_range(n, WORKER_BATCH + RATE / 80 - 1, WORKER_BATCH + RATE / 80);
	// The clock was set back: nothing waits for a time that was.
	assert_int_equal(takes(&p, PUNT_flow, t), AT_ONCE);
	punt_set(&p, RATE, 0);
	assert_int_equal(takes(&p, PUNT_flow, t), 100000);
}

// A burst for the kernel with a hit in it: the answer is out before any of the others, which follow
// in their order: one while clients wait too, or as many as there is time for.
static void test_turns(void **)
{
	struct harness *h = begin(0);
	const struct harness_record record = {.name = "warm.example"};
	const struct wire_query q = {.name = "warm.example"};
	uint8_t f[WIRE_MAX], got[WIRE_MAX];
	enum { FRAMES = WORKER_BATCH - 1 };
	harness_put(h, &record);
	for (unsigned i = 0; i < FRAMES; i++)
		harness_inject(h, f, make(f, 4, 17, (uint16_t)(1000 + i)));
	harness_inject(h, f, wire_make(&q, f));
	assert_int_equal(worker_turn(&h->w, 0), WORKER_BATCH);
	assert_int_equal(harness_waiting(h), 1);
	harness_drain(h);
	assert_int_equal(harness_take_kernel(h, got), 0);
	h->w.slow_cycles = 0; // no time at all
	assert_int_equal(stage_kernel(&h->w, false), 1);
	h->w.slow_cycles = rte_get_tsc_hz() * 3600;
	assert_int_equal(stage_kernel(&h->w, true), 1);
	assert_int_equal(stage_kernel(&h->w, false), FRAMES - 2);
	assert_int_equal(stage_kernel(&h->w, false), 0);
	for (unsigned i = 0; i < FRAMES; i++) {
		size_t len = make(f, 4, 17, (uint16_t)(1000 + i));
		assert_int_equal(harness_take_kernel(h, got), len);
		assert_memory_equal(got, f, len);
	}
	assert_int_equal(harness_counter(h, COUNTER_kernel_tx), FRAMES);
	assert_int_equal(harness_verdict(h, VERDICT_to_kernel), FRAMES);
	harness_end(h);
}

// Conversations have places that strangers have not, and what we are found by has the last ones.
static void test_full(void **)
{
	struct harness *h = begin(0);
	uint8_t f[WIRE_MAX];
	enum { MORE = 2 * WORKER_BATCH };
	size_t len = make(f, 4, 17, 4242);
	unsigned dropped = fill(h, f, len, PUNT_WAITING - PUNT_FOR_FLOWS + MORE);
	assert_int_equal(dropped, MORE);
	kernel_sends(h, f, make_tcp(f, 4, ACK));
	len = make_tcp(f, 4, ACK);
	dropped = fill(h, f, len, PUNT_FOR_FLOWS - PUNT_FOR_NEIGHBOURS + MORE);
	assert_int_equal(dropped, MORE);
	len = make_arp(f);
	assert_int_equal(fill(h, f, len, PUNT_FOR_NEIGHBOURS + MORE), MORE);
	assert_int_equal(harness_verdict(h, VERDICT_to_kernel), 0);
	assert_int_equal(harness_verdict(h, VERDICT_drop_kernel_rate), 0);
	harness_turns(h);
	assert_int_equal(harness_verdict(h, VERDICT_to_kernel), PUNT_WAITING);
	while (harness_take_kernel(h, f))
		continue;
	harness_end(h);
}

static enum punt_class class_at(
	const struct kernel_flows *flows, uint8_t *frame, size_t len, uint64_t now_ms)
{
	struct rte_mbuf m = {.buf_addr = frame, .data_len = (uint16_t)len};
	const bool v6 = frame[12] == 0x86;
	const struct packet p = {
		.m = &m, .l3 = 14, .l4 = v6 ? L4_V6 : L4_V4, .ip_version = v6 ? 6 : 4};
	return punt_class_of(&(struct punt_view){flows, now_ms}, &p,
		v6 ? RTE_ETHER_TYPE_IPV6 : RTE_ETHER_TYPE_IPV4);
}

static void sees(struct kernel_flows *flows, const uint8_t *frame, size_t len, uint64_t now_ms)
{
	uint8_t f[WIRE_MAX];
	turn_round(f, frame, len);
	const bool v6 = f[12] == 0x86;
	if (len > L4_V6 && f[v6 ? 20 : 23] == 6 && f[(v6 ? L4_V6 : L4_V4) + TCP_FLAGS] & BARE)
		wire_put16(f + (v6 ? 18 : 16), v6 ? TCP_LEN : 20 + TCP_LEN);
	const struct rte_mbuf m = {.buf_addr = f, .data_len = (uint16_t)len};
	kernel_flows_saw(flows, &m, now_ms);
}

// Not who got a RST, an accepted SYN or a bare ACK, as anybody does, but with whom it opens a
// connection, says something in it or ends it; that far end, and no other.
static void test_flows(void **)
{
	static const struct {
		uint8_t version, protocol, sent, comes;
		uint16_t src_port;
		enum punt_class before, after;
	} given[] = {
		{4, 6, RST, ACK, 1000, PUNT_tcp, PUNT_tcp},
		{4, 6, SYN | ACK, ACK, 1000, PUNT_tcp, PUNT_tcp},
		{4, 6, BARE | ACK, ACK, 1000, PUNT_tcp, PUNT_tcp},
		{6, 6, BARE | ACK, ACK, 1000, PUNT_tcp, PUNT_tcp},
		{4, 6, ACK, SYN, 1000, PUNT_tcp_new, PUNT_tcp_new},
		{4, 6, BARE | FIN | ACK, ACK, 1006, PUNT_tcp, PUNT_flow},
		{4, 6, ACK, ACK, 1001, PUNT_tcp, PUNT_flow},
		{6, 6, ACK, FIN | ACK, 1002, PUNT_tcp, PUNT_flow},
		{4, 6, SYN, SYN | ACK, 1003, PUNT_tcp, PUNT_flow},
		{6, 17, 0, 0, 853, PUNT_udp, PUNT_asked},
		{4, 17, 0, 0, 53, PUNT_answer, PUNT_asked},
		{4, 47, 0, 0, 1005, PUNT_other, PUNT_other},
	};
	const uint64_t now_ms = 1000000;
	static struct kernel_flows flows = {.secret = {HARNESS_SECRET}};
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
		// UDP has had its answer by then; a connection may be silent.
		assert_int_equal(class_at(&flows, f, len, now_ms + 2000), given[i].after);
		assert_int_equal(class_at(&flows, f, len, now_ms + 4096),
			given[i].protocol == 17 ? given[i].before : given[i].after);
		for (unsigned at = l4 - 8; at < l4 + 4; at++) { // addresses and ports
			f[at] ^= 0x80;
			assert_in_range(class_at(&flows, f, len, now_ms), PUNT_tcp, PUNT_neighbour);
			f[at] ^= 0x80;
		}
	}
}

// Frames that end before their ports, later fragments, ARP; and one with a tag in front.
static void test_odd_flows(void **)
{
	static struct kernel_flows flows = {.secret = {HARNESS_SECRET}};
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
	assert_int_equal(flows.used, 0);
	memcpy(odd, f, 12);
	wire_put16(odd + 12, 0x8100);
	wire_put16(odd + 14, 7);
	memcpy(odd + 16, f + 12, len - 12);
	sees(&flows, odd, len + 4, 0);
	assert_int_equal(flows.used, 1);
	assert_int_equal(class_at(&flows, f, len, 0), PUNT_flow);
}

// The table is full and no fuller, the last ones are in it, and who is sent to again stays.
static void test_flows_full(void **)
{
	enum { CAP = KERNEL_FLOW_SETS * KERNEL_FLOW_WAYS, FLOWS = 4 * CAP, OFTEN = 64 };
	static struct kernel_flows flows = {.secret = {HARNESS_SECRET}};
	uint8_t f[WIRE_MAX], often[WIRE_MAX];
	size_t len = make_tcp(f, 4, ACK), often_len = make_tcp(often, 6, ACK);
	for (unsigned i = 0; i < FLOWS; i++) {
		wire_put16(f + L4_V4, (uint16_t)i);
		if (i % OFTEN == 0)
			sees(&flows, often, often_len, 0);
		sees(&flows, f, len, 0);
	}
	assert_in_range(flows.used, CAP * 15 / 16, CAP);
	assert_in_range(flows.used + flows.evicted, FLOWS - 8, FLOWS + FLOWS / OFTEN);
	assert_int_equal(class_at(&flows, f, len, 0), PUNT_flow);
	assert_int_equal(class_at(&flows, often, often_len, 0), PUNT_flow);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_classes),
		cmocka_unit_test(test_syn_flood),
		cmocka_unit_test(test_again),
		cmocka_unit_test(test_live),
		cmocka_unit_test(test_bucket),
		cmocka_unit_test(test_turns),
		cmocka_unit_test(test_full),
		cmocka_unit_test(test_flows),
		cmocka_unit_test(test_odd_flows),
		cmocka_unit_test(test_flows_full),
	};
	return HARNESS_MAIN(tests);
}
