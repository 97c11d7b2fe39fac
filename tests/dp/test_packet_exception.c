// SPDX-License-Identifier: BSD-3-Clause
// How much of what is not DNS goes to the kernel (exception.h): each class has its own, by time.
#include "dataplane/stage/exception.h"
#include "exception_frames.h"

#include <rte_cycles.h>

static size_t make_icmpv6(uint8_t *f, uint8_t type, uint8_t hops)
{
	size_t len = make(f, 6, 58, 4242);
	f[21] = hops;
	f[L4_V6] = type;
	return len;
}

// From our own link, unlike the one that `plain` below has.
static size_t make_vrrp(uint8_t *f, uint8_t version)
{
	size_t len = make(f, version, 112, 4242);
	f[version == 6 ? 21 : 22] = 255;
	if (version == 6)
		return len;
	wire_put16(f + 24, 0);
	wire_put16(f + 24, 0xffff - wire_fold(wire_sum(f + 14, 20)));
	return len;
}

// Every kind of frame, and the class that it is of.
static size_t make_kind(uint8_t *f, unsigned kind, enum exception_class *c)
{
	static const struct {
		uint8_t version, protocol;
		uint16_t src_port;
		enum exception_class c;
	} plain[] = {{4, 17, 4242, EXCEPTION_udp}, {6, 17, 4242, EXCEPTION_udp},
		{4, 17, 53, EXCEPTION_answer}, {6, 17, 53, EXCEPTION_answer},
		{4, 1, 4242, EXCEPTION_icmp}, {4, 112, 4242, EXCEPTION_other},
		{6, 89, 4242, EXCEPTION_other}, {6, 44, 4242, EXCEPTION_other}};
	static const struct {
		uint8_t version, flags;
		enum exception_class c;
	} tcp[] = {{4, SYN, EXCEPTION_tcp_new}, {6, SYN, EXCEPTION_tcp_new},
		{4, ACK, EXCEPTION_tcp}, {6, ACK, EXCEPTION_tcp}, {4, SYN | ACK, EXCEPTION_tcp},
		{4, RST, EXCEPTION_tcp}, {4, FIN | ACK, EXCEPTION_tcp}};
	static const struct {
		uint8_t type, hops;
		enum exception_class c;
	} icmpv6[] = {{133, 255, EXCEPTION_neighbour}, {135, 255, EXCEPTION_neighbour},
		{137, 255, EXCEPTION_neighbour}, {135, 254, EXCEPTION_icmp},
		{128, 255, EXCEPTION_icmp}, {138, 255, EXCEPTION_icmp}};
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
	*c = kind == 0 ? EXCEPTION_neighbour : EXCEPTION_other;
	size_t len = make_arp(f);
	if (kind == 1)
		wire_put16(f + 12, 0x88cc); // LLDP
	if (kind == 2) {
		const struct wire_query q = {.name = "a", .fragment = 0x2005, .dst_port = 54};
		len = wire_make(&q, f);
	}
	if (kind == 3 || kind == 4) {
		*c = EXCEPTION_neighbour;
		len = make_vrrp(f, kind == 3 ? 4 : 6);
	}
	return kind < 5 ? len : 0;
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
	harness_send(h, frame, len);
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

static unsigned of_class(enum exception_class c)
{
	static const unsigned parts[] = {[EXCEPTION_flow] = 1,
		[EXCEPTION_tcp] = 3,
		[EXCEPTION_tcp_new] = 4,
		[EXCEPTION_answer] = 8,
		[EXCEPTION_udp] = 40,
		[EXCEPTION_other] = 40,
		[EXCEPTION_icmp] = 80,
		[EXCEPTION_neighbour] = 80};
	return parts[c];
}

static uint64_t over(const struct harness *h, enum exception_class c)
{
	return harness_counter(h, COUNTER_kernel_over_flow + c);
}

// Each kind comes until no more of it passes, which is when its class has had a batch and what the
// time brought since; kinds of the same class share that. What is over that is counted by class.
TEST(test_classes)
{
	enum { RATE = 100, FRAMES = 2 * RATE };
	struct harness *h = begin(RATE / DP_KERNEL_FRAMES_UNIT);
	unsigned passed[WORKER_EXCEPTION_CLASSES] = {0}, dropped[WORKER_EXCEPTION_CLASSES] = {0},
		 kinds = 0;
	uint8_t f[WIRE_MAX];
	enum exception_class c;
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
	assert_int_equal(kinds, 26);
	for (unsigned i = EXCEPTION_tcp; i <= EXCEPTION_neighbour; i++)
		assert_true(passed[i] >= WORKER_BATCH);
	harness_end(h);
}

// While SYNs come without end we can be found, connections that are there go on, and hits are
// answered, in the same burst.
PACKET_TEST_OF(test_syn_flood, begin(1))
{
	const struct wire_query q = {.name = "warm.example"};
	uint8_t syn[WIRE_MAX], f[WIRE_MAX];
	size_t syn_len = make_tcp(syn, 4, SYN);
	HARNESS_PUT(h, .name = "warm.example");
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

// It comes back by time alone.
PACKET_TEST_OF(test_again, begin(1))
{
	uint8_t f[WIRE_MAX];
	size_t len = make_tcp(f, 4, SYN);
	while (passes(h, f, len))
		continue;
	while (!passes(h, f, len)) // 40 ms a frame
		continue;
	assert_true(harness_verdict(h, VERDICT_to_kernel) > WORKER_BATCH);
}

// A change of the setting holds at once, and 0 is no limit.
PACKET_TEST_OF(test_live, begin(1))
{
	uint8_t f[WIRE_MAX];
	size_t len = make(f, 4, 17, 4242);
	assert_true(flood(h, f, len, 200) < 200);
	h->tables.config.kernel_hundreds = 0;
	assert_int_equal(flood(h, f, len, 2000), 2000);
	h->tables.config.kernel_hundreds = 400; // 1,000 a second, 250 at once
	assert_true(flood(h, f, len, 2000) >= 250);
	assert_int_equal(h->w.exception.rate, 40000);
}

static unsigned takes(struct exception *p, enum exception_class c, uint64_t now)
{
	unsigned n = 0;
	while (n < 100000 && exception_take(p, c, now))
		n++;
	return n;
}

// The bucket itself, by a clock of the test's.
TEST(test_bucket)
{
	enum { HZ = 1000000, RATE = 1000, AT_ONCE = RATE / 4, LATER = 12345 };
	const uint64_t t = UINT64_C(1) << 40;
	static struct exception p;
	exception_set(&p, RATE, HZ);
	assert_int_equal(takes(&p, EXCEPTION_flow, t) + takes(&p, EXCEPTION_asked, t), 2 * AT_ONCE);
	assert_int_equal(takes(&p, EXCEPTION_tcp_new, t), RATE / 16);
	assert_int_equal(takes(&p, EXCEPTION_neighbour, t), WORKER_BATCH);
	assert_int_equal(takes(&p, EXCEPTION_flow, t + HZ / RATE - 1), 0);
	assert_int_equal(takes(&p, EXCEPTION_flow, t + HZ / RATE), 1);
	assert_int_equal(takes(&p, EXCEPTION_tcp_new, t + HZ / RATE), 0);
	assert_int_equal(takes(&p, EXCEPTION_tcp_new, t + 4 * HZ / RATE), 1);
	assert_int_equal(takes(&p, EXCEPTION_flow, t + HZ / RATE + LATER), LATER / (HZ / RATE));
	assert_int_equal(
		takes(&p, EXCEPTION_flow, t + 3600ULL * HZ), AT_ONCE); // no more than it holds
	// In a second, however it comes.
	unsigned n = 0;
	for (uint64_t now = t + 7200ULL * HZ; now < t + 7201ULL * HZ; now += 100)
		n += exception_take(&p, EXCEPTION_icmp, now);
	assert_in_range(n, WORKER_BATCH + RATE / 80 - 1, WORKER_BATCH + RATE / 80);
	// The clock was set back: nothing waits for a time that was.
	assert_int_equal(takes(&p, EXCEPTION_flow, t), AT_ONCE);
	exception_set(&p, RATE, 0);
	assert_int_equal(takes(&p, EXCEPTION_flow, t), 100000);
}

// A burst for the kernel with a hit in it: the answer is out before any of the others, which follow
// in their order: one while clients wait too, or as many as there is time for.
PACKET_TEST_OF(test_turns, begin(0))
{
	const struct wire_query q = {.name = "warm.example"};
	uint8_t f[WIRE_MAX], got[WIRE_MAX];
	enum { FRAMES = WORKER_BATCH - 1 };
	HARNESS_PUT(h, .name = "warm.example");
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
}

// A turn's frames have a bound, however much time there is.
PACKET_TEST_OF(test_turn_is_bounded, begin(0))
{
	enum { FRAMES = 3 * EXCEPTION_PER_TURN + 1 };
	uint8_t f[WIRE_MAX];
	assert_int_equal(fill(h, f, make(f, 4, 17, 4242), FRAMES), 0);
	h->w.slow_cycles = rte_get_tsc_hz() * 3600;
	for (unsigned left = FRAMES; left;
		left -= left > EXCEPTION_PER_TURN ? EXCEPTION_PER_TURN : left)
		assert_int_equal(stage_kernel(&h->w, false),
			left > EXCEPTION_PER_TURN ? EXCEPTION_PER_TURN : left);
	assert_int_equal(stage_kernel(&h->w, false), 0);
	while (harness_take_kernel(h, f))
		continue;
}

// A look at the kernel's frames that brings none is the last one for a while; a look that brings
// some is not. A clock that is set back delays no look.
TEST(test_looks)
{
	enum { APART = 1000 };
	const uint64_t t = UINT64_C(1) << 40;
	struct harness *h = begin(0);
	uint8_t f[WIRE_MAX];
	size_t len = make(f, 4, 17, 4242);
	h->any_replies = true;
	h->w.kernel_look_cycles = APART;
	harness_inject_kernel(h, f, len);
	assert_int_equal(stage_exceptions(&h->w, t), 1);
	harness_inject_kernel(h, f, len);
	assert_int_equal(stage_exceptions(&h->w, t + 1), 1);
	assert_int_equal(stage_exceptions(&h->w, t + 2), 0);
	harness_inject_kernel(h, f, len);
	assert_int_equal(stage_exceptions(&h->w, t + 2 + APART - 1), 0);
	assert_int_equal(stage_exceptions(&h->w, t + 2 + APART), 1);
	assert_int_equal(stage_exceptions(&h->w, t + 3 + APART), 0);
	harness_inject_kernel(h, f, len);
	assert_int_equal(stage_exceptions(&h->w, t), 1);
	harness_drain(h);
	harness_end(h);
}

// A worker that has to stop first passes on all waiting frames, in order.
PACKET_TEST_OF(test_stop, begin(0))
{
	enum { FRAMES = EXCEPTION_WAITING - EXCEPTION_FOR_FLOWS };
	uint8_t f[WIRE_MAX], got[WIRE_MAX];
	for (unsigned i = 0; i < FRAMES; i++)
		assert_int_equal(fill(h, f, make(f, 4, 17, (uint16_t)(1000 + i)), 1), 0);
	assert_int_equal(harness_take_kernel(h, got), 0);
	h->w.poll = POLL_BUSY;
	h->w.stop = 1;
	assert_int_equal(worker_main(&h->w), 0);
	for (unsigned i = 0; i < FRAMES; i++) {
		size_t len = make(f, 4, 17, (uint16_t)(1000 + i));
		assert_int_equal(harness_take_kernel(h, got), len);
		assert_memory_equal(got, f, len);
	}
	assert_int_equal(harness_verdict(h, VERDICT_to_kernel), FRAMES);
}

// Conversations have places that strangers have not, and what we are found by has the last ones.
PACKET_TEST_OF(test_full, begin(0))
{
	uint8_t f[WIRE_MAX];
	enum { MORE = 2 * WORKER_BATCH };
	size_t len = make(f, 4, 17, 4242);
	unsigned dropped = fill(h, f, len, EXCEPTION_WAITING - EXCEPTION_FOR_FLOWS + MORE);
	assert_int_equal(dropped, MORE);
	kernel_sends(h, &h->w, f, make_tcp(f, 4, ACK));
	len = make_tcp(f, 4, ACK);
	dropped = fill(h, f, len, EXCEPTION_FOR_FLOWS - EXCEPTION_FOR_NEIGHBOURS + MORE);
	assert_int_equal(dropped, MORE);
	len = make_arp(f);
	assert_int_equal(fill(h, f, len, EXCEPTION_FOR_NEIGHBOURS + MORE), MORE);
	assert_int_equal(harness_verdict(h, VERDICT_to_kernel), 0);
	assert_int_equal(harness_verdict(h, VERDICT_drop_kernel_rate), 0);
	harness_turns(h);
	assert_int_equal(harness_verdict(h, VERDICT_to_kernel), EXCEPTION_WAITING);
	while (harness_take_kernel(h, f))
		continue;
}
