// SPDX-License-Identifier: BSD-3-Clause

// What the control plane puts on a worker's answer ring: any bytes, or a message whose return path
// the input decides in part. What a worker sends of it is a sound frame to somebody who may ask;
// everything else is counted, and the ring goes on.
//
// The first byte chooses: & 1: the rest is the message as it is; else it is laid over a sound one,
// from the second byte on. & 2: over the ring's own bytes too.

#include "frame_oracle.h"
#include "fuzz.h"
#include "tests/dp/harness.h"

#include <arpa/inet.h>

enum { RAW = 1, HEADER = 2, DNS_LEN = 64, INPUT_MOST = 5000 };

static struct harness *h;
static uint8_t *message;

int LLVMFuzzerInitialize(int *, char ***)
{
	FUZZ_CHECK(harness_start(NULL) == 0);
	h = harness_begin(NULL);
	h->any_replies = true; // only frames are judged here
	message = malloc(INPUT_MOST + sizeof(struct msg_answer) + DNS_LEN);
	FUZZ_CHECK(message);
	return 0;
}

static struct msg_answer sound(void)
{
	struct msg_answer a = {
		.dp_incarnation = h->w.dp_incarnation,
		.path = {.worker = h->w.index,
			.ip_version = 4,
			.client_udp = htons(4242),
			.service_udp = htons(53)},
		.dns_len = DNS_LEN,
	};
	FUZZ_CHECK(inet_pton(AF_INET, WIRE_CLIENT4, a.path.client_ip) == 1);
	FUZZ_CHECK(inet_pton(AF_INET, WIRE_SERVICE4, a.path.service_ip) == 1);
	memcpy(a.path.client_mac, wire_client_mac, 6);
	memcpy(a.path.service_mac, wire_service_mac, 6);
	return a;
}

// Its length.
static size_t make(const uint8_t *data, size_t len)
{
	struct msg_answer a = sound();
	uint8_t *dns = message + sizeof(a);
	if (data[0] & RAW) {
		memcpy(message, data + 2, len - 2);
		return len - 2;
	}
	for (unsigned i = 0; i < DNS_LEN; i++)
		dns[i] = i == 2 ? 0x81 : (uint8_t)i;
	memcpy(message, &a, sizeof(a));
	size_t at = data[1] % (sizeof(a) + DNS_LEN), n = len - 2, whole = sizeof(a) + DNS_LEN;
	if (n > whole - at)
		n = whole - at;
	memcpy(message + at, data + 2, n);
	memcpy(&a, message, sizeof(a));
	a.sum = at < sizeof(a) && a.sum ? a.sum : wire_fold(wire_sum(dns, DNS_LEN));
	memcpy(message, &a, sizeof(a));
	return whole;
}

static uint64_t counted(void)
{
	return harness_counter(h, COUNTER_answer_bad) + harness_counter(h, COUNTER_answer_foreign)
	       + harness_counter(h, COUNTER_answer_large);
}

// The words between the two sides as they should be, and nothing on the way.
static void ring_reset(void)
{
	uint64_t end = h->answer.published;
	h->answer.next = end;
	atomic_store(&h->answer.tail->units, end);
	h->w.answer.next = h->w.answer.tail_seen = end;
	atomic_store(&h->w.answer.head->units, end);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	uint8_t out[WIRE_MAX];
	struct frame_udp udp;
	if (len < 3 || len > INPUT_MOST)
		return 0;
	size_t n = make(data, len), frame_len;
	uint64_t before = counted();
	uint8_t *slot = ring_reserve(&h->answer, MSG_ANSWER, (uint32_t)n);
	FUZZ_CHECK(slot);
	memcpy(slot, message, n);
	if (data[0] & HEADER)
		memcpy(slot - sizeof(struct ring_unit), data + 1, len - 1 < 8 ? len - 1 : 8);
	ring_publish(&h->answer);
	(void)stage_answer(&h->w);
	unsigned frames = 0;
	for (; (frame_len = harness_take(h, out)) != 0; frames++) {
		FUZZ_CHECK(frame_oracle_check(out, frame_len, &udp));
		FUZZ_CHECK(udp.ports[0] == 0 && udp.ports[1] == 53);
	}
	if (!(data[0] & HEADER))
		FUZZ_CHECK(frames + (counted() - before) == 1);
	ring_reset();
	return 0;
}
