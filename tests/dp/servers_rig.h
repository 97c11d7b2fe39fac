// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// A worker with a hops image of one server for each IP version, for the tests of what it sends to
// upstream servers and of what it hears from them.

#include "harness.h"
#include "servers_image.h"

static uint8_t frame[WIRE_MAX], dns[WIRE_MAX];
static struct hops_image image;

static inline void use_image(struct harness *h)
{
	servers_use(&h->tables.hops, &image);
}

// The worker's clock as the test has it, so that no pause of the machine ends what was asked.
static uint64_t now_ms;
static inline void hold_clock(struct harness *h)
{
	h->w.suspended_ms += now_ms - worker_clock_ms(&h->w);
	h->w.now_ms = now_ms;
}

static inline struct harness *begin_as(const struct harness_options *o)
{
	struct harness *h = harness_begin(o);
	servers_image(&image);
	use_image(h);
	now_ms = h->start_ms;
	return h;
}

static inline struct harness *begin(unsigned miss_units)
{
	return begin_as(&(struct harness_options){.has_exception = true, .miss_units = miss_units});
}

static inline struct msg_send query_to(unsigned version, uint16_t local_port)
{
	struct msg_send m = {.dp_incarnation = 0x1122334455667788,
		.server_port = SERVER_PORT,
		.local_port = local_port,
		.ip_version = (uint8_t)version};
	memcpy(m.server_ip, image.server[version == 6].ip, 16);
	return m;
}

static inline size_t make_dns(const char *name)
{
	const struct wire_query q = {.name = name, .edns = true, .id = 0x4711};
	return wire_make_dns(&q, dns);
}

// A message of `len` bytes of dns[] for the worker, with the right sum unless `m` has one.
static inline void put_send(struct harness *h, const struct msg_send *m, size_t len)
{
	uint8_t *room = ring_reserve(&h->answer, MSG_SEND, (uint32_t)(sizeof(*m) + len));
	assert_non_null(room);
	struct msg_send whole = *m;
	if (whole.sum == 0)
		whole.sum = wire_fold(wire_sum(dns, len));
	if (whole.dns_len == 0)
		whole.dns_len = (uint16_t)len;
	memcpy(room, &whole, sizeof(whole));
	memcpy(room + sizeof(whole), dns, len);
	ring_publish(&h->answer);
}

// A query leaves, so that its replies are heard.
static inline void ask(struct harness *h, unsigned version, uint16_t local_port)
{
	const struct msg_send m = query_to(version, local_port);
	hold_clock(h);
	put_send(h, &m, make_dns("asked.example"));
	assert_int_equal(stage_answer(&h->w), 1);
	harness_drain(h);
}

static struct {
	struct msg_heard head;
	uint8_t dns[MSG_DNS_MAX];
} heard;

// The next message for a resolver; false: none. Misses would fail the test.
static inline bool hear_on(struct ring_consumer *ring)
{
	static alignas(8) uint8_t buf[sizeof(heard)];
	uint16_t type = 0;
	int len = ring_read(ring, buf, sizeof(buf), &type);
	ring_release(ring);
	if (len == 0)
		return false;
	assert_int_equal(type, MSG_HEARD);
	assert_true(msg_heard_read(&heard.head, buf, (size_t)len));
	assert_int_equal(heard.head.dp_incarnation, 0x1122334455667788);
	memcpy(heard.dns, buf + sizeof(heard.head), heard.head.dns_len);
	assert_true(csum_agree(heard.head.sum, csum_partial(heard.dns, heard.head.dns_len)));
	return true;
}

// From the server to us, by the other port than the query needs to have left by.
static inline struct wire_query reply_of(unsigned version, uint16_t local_port)
{
	return (struct wire_query){.name = "Asked.Example",
		.version = version,
		.flags = 0x8180,
		.src = version == 6 ? SERVER6 : SERVER4,
		.dst = version == 6 ? SOURCE6 : SOURCE4,
		.src_port = SERVER_PORT,
		.dst_port = local_port};
}

static inline size_t inject(struct harness *h, const struct wire_query *q)
{
	const size_t len = wire_make_dns(q, dns);
	hold_clock(h);
	harness_send(h, frame, wire_make_udp(q, dns, len, frame));
	return len;
}
