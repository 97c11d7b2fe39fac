// SPDX-License-Identifier: BSD-3-Clause

// What the control plane puts on a worker's answer ring: any bytes, or an answer or a resolver's
// query whose numbers the input decides in part. The frames that a worker sends are sound and go to
// clients that may ask, or to a server of the hops image; everything else is counted, and the ring
// goes on.
//
// The first byte chooses: & 1: the rest is the message as it is; else it is laid over a sound one,
// from the second byte on. & 2: over the ring's own bytes too. & 4: a query (MSG_SEND).

#include "fuzz.h"
#include "tests/dp/harness.h"
#include "tests/dp/servers_image.h"
#include "tests/oracle/frame_oracle.h"

enum { RAW = 1, HEADER = 2, QUERY = 4, DNS_LEN = 64, INPUT_MOST = 5000 };

static struct harness *h;
static uint8_t *message;
static struct hops_image image;

FUZZ_BEGIN
{
	h = harness_begin(NULL);
	h->any_replies = true; // only frames are checked here
	servers_image(&image);
	servers_use(&h->tables.hops, &image);
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

static struct msg_send sound_query(void)
{
	struct msg_send m = {.dp_incarnation = h->w.dp_incarnation,
		.server_port = SERVER_PORT,
		.local_port = LOCAL,
		.ip_version = 4,
		.dns_len = DNS_LEN};
	memcpy(m.server_ip, image.server[0].ip, sizeof(m.server_ip));
	return m;
}

static size_t make_query(const uint8_t *data, size_t len)
{
	struct msg_send m = sound_query();
	uint8_t *dns = message + sizeof(m);
	memset(dns, 0x35, DNS_LEN);
	memcpy(message, &m, sizeof(m));
	size_t at = data[1] % (sizeof(m) + DNS_LEN), n = len - 2, whole = sizeof(m) + DNS_LEN;
	memcpy(message + at, data + 2, n < whole - at ? n : whole - at);
	memcpy(&m, message, sizeof(m));
	m.sum = at < sizeof(m) && m.sum ? m.sum : wire_fold(wire_sum(dns, DNS_LEN));
	memcpy(message, &m, sizeof(m));
	return whole;
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
	if (data[0] & QUERY)
		return make_query(data, len);
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
	       + harness_counter(h, COUNTER_answer_large) + harness_counter(h, COUNTER_upstream_bad)
	       + harness_counter(h, COUNTER_upstream_foreign)
	       + harness_counter(h, COUNTER_upstream_unknown)
	       + harness_counter(h, COUNTER_upstream_large);
}

// The words between the two sides as they should be, and nothing on the way.
static void ring_reset(void)
{
	uint64_t end = h->answer.published;
	h->answer.next = end;
	atomic_store(&h->answer.tail->units, end);
	h->w.answer[0].next = h->w.answer[0].tail_seen = end;
	atomic_store(&h->w.answer[0].head->units, end);
}

// A frame to a client from the DNS port, or to a server from our address and a port of the image.
static void check_frame(const uint8_t *frame, size_t len)
{
	struct frame_udp udp;
	FUZZ_CHECK(frame_oracle_check(frame, len, &udp));
	if (wire_u16(udp.ports) == 53)
		return;
	const uint8_t *source = udp.addresses, *server = source + udp.addresses_len / 2;
	const bool v6 = udp.addresses_len == 32;
	FUZZ_CHECK(memcmp(source, v6 ? image.source_v6 : image.source_v4, v6 ? 16 : 4) == 0);
	FUZZ_CHECK(memcmp(server, image.server[v6].ip, v6 ? 16 : 4) == 0);
	FUZZ_CHECK(wire_u16(udp.ports + 2) == SERVER_PORT);
	FUZZ_CHECK(hops_port_is_ours(&h->tables.hops, wire_u16(udp.ports)));
	FUZZ_CHECK(udp.tag == (v6 ? 0x10007u : 0) && len <= (v6 ? MTU6 + 18 : MTU4 + 14));
}

// A query that could not be sent is reported, nothing else.
static void check_heard(void)
{
	static alignas(8) uint8_t buf[sizeof(struct msg_heard) + MSG_DNS_MAX];
	struct msg_heard m;
	uint16_t type;
	for (int len; (len = ring_read(&h->miss, buf, sizeof(buf), &type)) != 0;) {
		FUZZ_CHECK(type == MSG_HEARD && msg_heard_read(&m, buf, (size_t)len));
		FUZZ_CHECK(m.kind == HEARD_REFUSED && m.dns_len == 0);
	}
	ring_release(&h->miss);
}

// A sound one of a question that a rule drops leaves no trace.
static bool may_drop(uint16_t type, size_t len)
{
	return type == MSG_ANSWER && len > sizeof(struct msg_answer)
	       && message[offsetof(struct msg_answer, dropped)] == 1;
}

FUZZ_BODY(data, len)
{
	uint8_t out[WIRE_MAX];
	if (len < 3 || len > INPUT_MOST)
		return 0;
	size_t n = make(data, len), frame_len;
	uint64_t before = counted();
	const uint16_t type = data[0] & QUERY ? MSG_SEND : MSG_ANSWER;
	uint8_t *slot = ring_reserve(&h->answer, type, (uint32_t)n);
	FUZZ_CHECK(slot);
	memcpy(slot, message, n);
	if (data[0] & HEADER)
		memcpy(slot - sizeof(struct ring_unit), data + 1, len - 1 < 8 ? len - 1 : 8);
	ring_publish(&h->answer);
	(void)stage_answer(&h->w);
	unsigned frames = 0;
	for (; (frame_len = harness_take(h, out)) != 0; frames++)
		check_frame(out, frame_len);
	check_heard();
	const uint64_t seen = frames + (counted() - before);
	if (!(data[0] & HEADER))
		FUZZ_CHECK(seen == 1 || (seen == 0 && may_drop(type, n)));
	ring_reset();
	return 0;
}
