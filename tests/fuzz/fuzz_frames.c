// SPDX-License-Identifier: BSD-3-Clause

// A client's frame through worker_turn and all stages, on rings in place of wires: with cached,
// stale, blocked and absent names. One frame brings one reply at most; that and its way back are
// judged by the oracles, and it is counted once.
//
// The first octet chooses how the rest is taken (enum): as a frame, or as a DNS message in a sound
// one.

#include "../dp/harness.h"
#include "frame_oracle.h"
#include "fuzz.h"
#include "reply_oracle.h"

enum {
	MODE_MESSAGE = 1, // in a frame of ours
	MODE_IPV6 = 2,    // that
	MODE_VLAN = 4,    // likewise
	MODE_SEALED = 8,  // a frame: its checksums are put right
	MODE_CHAINED = 16,
	FRAME_MIN = 15, // shorter ones no driver gives
	FRAME_MOST = 1600,
};

static struct harness *h;

int LLVMFuzzerInitialize(int *, char ***)
{
	static const char *const listed[] = {"ads.example"};
	const struct harness_record warm = {.name = "warm.example", .count = 3};
	const struct harness_record large = {.name = "large.example", .count = 60};
	const struct harness_record old = {.name = "a.b.c.d.e.f.g.old.example",
		.count = 2,
		.created_ms = -70000,
		.soft_ms = 60000};
	FUZZ_CHECK(harness_start(NULL) == 0);
	h = harness_begin(&(struct harness_options){.rx_csum_compute = true});
	harness_put(h, &warm);
	harness_put(h, &large);
	harness_put(h, &old);
	harness_block(h, listed, 1);
	h->tables.config.stale_mode = STALE_IMMEDIATE;
	h->tables.config.cookies = (struct dns_cookie_terms){.is_on = 1, .count = 1};
	strcpy(h->tables.config.identity.nsid, "box");
	strcpy(h->tables.config.identity.version, "1");
	return 0;
}

// Checksums as a sender would have them, where there is room for the headers.
static void seal(uint8_t *frame, size_t len)
{
	struct frame_udp udp;
	if (!frame_oracle_read(frame, len, &udp))
		return;
	uint8_t *l4 = frame + (udp.ports - frame), *ip = frame + (udp.addresses - frame) - 8;
	size_t l4_len = udp.dns_len + 8;
	if (udp.addresses_len == 8) {
		ip -= 4;
		size_t ip_len = 4 * (ip[0] & 15u);
		wire_put16(ip + 10, 0);
		wire_put16(ip + 10, (uint16_t)~wire_fold(wire_sum(ip, ip_len)));
	}
	wire_put16(l4 + 6, 0);
	uint16_t sum = wire_fold(wire_sum(udp.addresses, udp.addresses_len) + 17 + (uint32_t)l4_len
				 + wire_sum(l4, l4_len));
	wire_put16(l4 + 6, sum == 0xffff ? 0xffff : (uint16_t)~sum);
}

static size_t make(uint8_t *frame, unsigned mode, const uint8_t *data, size_t len)
{
	if (mode & MODE_MESSAGE) {
		const struct wire_query q = {.name = "",
			.version = mode & MODE_IPV6 ? 6 : 4,
			.has_vlan = mode & MODE_VLAN};
		return wire_make_udp(&q, data, len, frame);
	}
	memcpy(frame, data, len);
	if (mode & MODE_SEALED)
		seal(frame, len);
	return len;
}

static void check_out(const uint8_t *frame, size_t len)
{
	uint8_t out[WIRE_MAX];
	struct frame_udp query, reply;
	size_t n = harness_take(h, out);
	if (n == 0 || !frame_oracle_check(out, n, &reply))
		return;
	FUZZ_CHECK(frame_oracle_read(frame, len, &query));
	frame_oracle_check_ends(&query, &reply);
	const struct reply_oracle o = {.query = query.dns,
		.query_len = query.dns_len,
		.limit = h->tables.config.udp_limit,
		.any_rdata = true};
	reply_oracle_check(&o, reply.dns, reply.dns_len);
	FUZZ_CHECK(harness_waiting(h) == 0);
}

static uint64_t verdicts(void)
{
	uint64_t n = 0;
	for (unsigned i = 0; i < VERDICT_COUNT; i++)
		n += harness_verdict(h, i);
	return n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	uint8_t frame[WIRE_MAX], question[300];
	struct msg_miss miss;
	if (len < 1 + FRAME_MIN || len > FRAME_MOST)
		return 0;
	uint64_t before = verdicts();
	size_t n = make(frame, data[0], data + 1, len - 1);
	if (data[0] & MODE_CHAINED)
		harness_inject_chained(h, frame, n, 1 + n / 2);
	else
		harness_inject(h, frame, n);
	harness_turns(h);
	FUZZ_CHECK(verdicts() == before + 1);
	check_out(frame, n);
	while (harness_miss(h, &miss, question))
		FUZZ_CHECK(miss.question_len >= 5 && miss.question_len <= 259);
	return 0;
}
