// SPDX-License-Identifier: BSD-3-Clause
// Replies of upstream servers on a miss ring that is full or nearly so, and floods of forged ones.
#include "dataplane/stage/ask.h"
#include "servers_rig.h"
#include "tests/unit/core/shm/ring_used.h"

PACKET_TEST_OF(test_ring_full, begin(64))
{
	const struct wire_query q = reply_of(4, LOCAL);
	unsigned heard_count = 0;
	for (unsigned i = 0; i < 200; i++) {
		if (i % ASKED_REPLIES == 0)
			ask(h, 4, LOCAL);
		inject(h, &q);
	}
	while (hear_on(&h->miss))
		heard_count++;
	assert_true(heard_count > 0 && heard_count < 64);
	assert_int_equal(harness_verdict(h, VERDICT_upstream_reply), heard_count);
	assert_int_equal(harness_verdict(h, VERDICT_upstream_reply_ring_full), 200 - heard_count);
	ask(h, 4, LOCAL);
	inject(h, &q);
	assert_true(hear_on(&h->miss));
}

// Forged replies to every port, of which a query left from a few: a resolver gets at most
// ASKED_REPLIES for each of these, and cached names and misses go on.
PACKET_TEST_OF(test_flood, begin(0))
{
	enum { FIRST = 2000, PORTS = 2000, EACH = 100, ASKED = PORTS / EACH, LAPS = 20 };
	struct wire_query hit = {.name = "hot.example"}, q = reply_of(4, LOCAL);
	uint64_t heard_count = 0;
	char name[32];
	HARNESS_PUT(h, .name = "hot.example", .count = 1);
	for (unsigned i = 0; i < ASKED; i++)
		ask(h, 4, (uint16_t)(FIRST + i * EACH));
	for (unsigned i = 0; i < LAPS * PORTS; i++) {
		q.dst_port = (uint16_t)(FIRST + i % PORTS);
		inject(h, &q);
		(void)harness_take_kernel(h, frame);
		if (i % EACH)
			continue;
		while (hear_on(&h->miss))
			heard_count++;
		harness_ask(h, &hit, VERDICT_hit);
		snprintf(name, sizeof(name), "cold%u.example", i);
		(void)harness_ask_missed(h, QUERY(.name = name));
	}
	assert_int_equal(heard_count, ASKED * ASKED_REPLIES);
	assert_int_equal(harness_verdict(h, VERDICT_upstream_reply), heard_count);
	assert_int_equal(harness_verdict(h, VERDICT_upstream_reply_ring_full), 0);
	assert_int_equal(
		harness_verdict(h, VERDICT_to_kernel), LAPS * PORTS - ASKED * ASKED_REPLIES);
}

// Misses that nobody reads leave room for replies.
TEST(test_room_for_replies)
{
	enum { UNITS = 1024 };
	for (unsigned by_port = 0; by_port < 2; by_port++) {
		struct harness *h = begin(UNITS);
		char name[32];
		ask(h, 4, LOCAL);
		image.server_count = by_port ? 2 : 0;
		use_image(h);
		for (unsigned i = 0; ring_producer_used(&h->w.miss[0]) < UNITS / 2; i++) {
			snprintf(name, sizeof(name), "cold%u.example", i);
			harness_ask_dropped(h, QUERY(.name = name), VERDICT_miss);
		}
		// Past half of the ring clients have shares, so each miss is of another one.
		uint64_t full = 0;
		for (unsigned i = 1; !full && i < 250; i++) {
			char src[32];
			snprintf(src, sizeof(src), "198.19.%u.7", i);
			snprintf(name, sizeof(name), "x.of%u.example", i);
			const struct wire_query miss = {.name = name, .src = src};
			harness_send(h, frame, wire_make(&miss, frame));
			harness_drain(h);
			full = harness_verdict(h, VERDICT_servfail_ring_full);
		}
		assert_int_equal(full, 1);
		const uint64_t used = ring_producer_used(&h->w.miss[0]);
		assert_int_equal(used < UNITS - UNITS / ASK_REPLIES_SHARE / 2, by_port);
		const struct wire_query q = reply_of(4, LOCAL);
		inject(h, &q);
		assert_int_equal(harness_verdict(h, VERDICT_upstream_reply), by_port);
		(void)harness_take_kernel(h, frame);
		harness_end(h);
	}
}
