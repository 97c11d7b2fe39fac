// SPDX-License-Identifier: BSD-3-Clause

// The hops image against a list that is searched from end to end, its checks one by one, and the
// readers of the messages that go with it.

#include "tests/unit/unit.h"

#include <weir/hops.h>
#include <weir/shm_msg.h>

static struct hops_image image;
static struct hops_reader reader;
static char why[128];

// Two hops, source addresses of both versions, two ranges of ports and as many servers, in turn of
// each version.
static void make(unsigned servers)
{
	image = (struct hops_image){
		.hop_count = 2,
		.server_count = (uint16_t)servers,
		.source_v4 = {198, 18, 0, 53},
		.has_v4 = 1,
		.has_v6 = 1,
		.resolvers = 3,
		.range_count = 2,
		.source_v6 = {0xfd, 0x53, [15] = 0x53},
		.range = {{1024, 32767}, {61000, 65535}},
		.hop = {{.destination = {2, 0, 0, 0, 0, 1},
				.source = {2, 0, 0, 0, 0, 9},
				.mtu = 1500},
			{.destination = {2, 0, 0, 0, 0, 2},
				.source = {2, 0, 0, 0, 0, 9},
				.port = 1,
				.vlan = 7,
				.mtu = 9000}},
	};
	for (unsigned i = 0; i < servers; i++) {
		struct hops_server *s = &image.server[i];
		*s = (struct hops_server){.port = (uint16_t)(53 + i % 3),
			.ip_version = i % 2 ? 6 : 4,
			.hop = (uint8_t)(i % 5 == 0)};
		if (s->ip_version == 4) {
			const uint8_t ip[] = {192, 0, (uint8_t)(i / 200), (uint8_t)(i % 200)};
			memcpy(s->ip, ip, sizeof(ip));
		} else {
			s->ip[0] = 0x20;
			s->ip[14] = (uint8_t)(i >> 8);
			s->ip[15] = (uint8_t)i;
			s->ip[1] = 1;
		}
	}
}

static int take(void)
{
	hops_image_seal(&image);
	return hops_reader_init(&reader, &image, sizeof(image), why);
}

static const struct hops_server *model(const struct hops_server *key)
{
	for (unsigned i = 0; i < image.server_count; i++)
		if (memcmp(&image.server[i], key, offsetof(struct hops_server, hop)) == 0)
			return &image.server[i];
	return NULL;
}

static void compare(const struct hops_server *key)
{
	const struct hops_server *want = model(key), *got = hops_server_find(&reader,
							     key->ip_version, key->ip, key->port);
	assert_int_equal(!want, !got);
	if (want)
		assert_memory_equal(got, want, sizeof(*got));
}

// Each server, and its neighbours by one bit.
TEST(test_servers)
{
	static const unsigned counts[] = {1, 2, 17, 400, HOPS_SERVERS_MAX};
	for (unsigned c = 0; c < ARRAY_LEN(counts); c++) {
		make(counts[c]);
		assert_int_equal(take(), 0);
		assert_true(reader.has_servers);
		for (unsigned i = 0; i < counts[c]; i++) {
			struct hops_server key = image.server[i];
			compare(&key);
			for (unsigned bit = 0; bit < 128; bit++) {
				key.ip[bit / 8] ^= (uint8_t)(1 << bit % 8);
				compare(&key);
				key.ip[bit / 8] ^= (uint8_t)(1 << bit % 8);
			}
			key.port ^= 1;
			compare(&key);
			key.port ^= 1;
			key.ip_version ^= 2; // the same bytes over the other protocol
			compare(&key);
		}
	}
}

TEST(test_ports)
{
	make(1);
	assert_int_equal(take(), 0);
	for (unsigned port = 0; port <= UINT16_MAX; port++) {
		bool ours = (port >= 1024 && port <= 32767) || port >= 61000;
		assert_int_equal(hops_port_is_ours(&reader, (uint16_t)port), ours);
		assert_int_equal(hops_resolver_of(&reader, (uint16_t)port), port % 3);
	}
}

TEST(test_without_servers)
{
	image = (struct hops_image){0};
	assert_int_equal(take(), 0);
	assert_false(reader.has_servers);
	make(1);
	assert_null(hops_server_find(&reader, 4, image.server[0].ip, 53));
	assert_false(hops_port_is_ours(&reader, 1024));
}

TEST(test_damaged)
{
	make(3);
	hops_image_seal(&image);
	uint8_t *bytes = (uint8_t *)&image;
	for (size_t at = 0; at < sizeof(image); at++) {
		bytes[at] ^= 1;
		assert_int_equal(hops_reader_init(&reader, &image, sizeof(image), why), -EPROTO);
		bytes[at] ^= 1;
	}
	assert_int_equal(hops_reader_init(&reader, &image, sizeof(image) - 1, why), -EPROTO);
	assert_int_equal(hops_reader_init(&reader, &image, sizeof(image), why), 0);
}

// One number of a good image is another, with a sum that fits.
#define LIE(field, value)                          \
	do {                                       \
		make(4);                           \
		image.field = (value);             \
		why[0] = 0;                        \
		assert_int_equal(take(), -EPROTO); \
		assert_true(why[0]);               \
	} while (0)

TEST(test_lies)
{
	LIE(hop_count, HOPS_MAX + 1);
	LIE(hop_count, 1); // and a server is behind the second
	LIE(server_count, HOPS_SERVERS_MAX + 1);
	LIE(server_count, 5); // of zeros
	LIE(has_v4, 2);
	LIE(has_v6, 2);
	LIE(has_v4, 0);
	LIE(has_v6, 0);
	LIE(source_v4[0], 0);
	LIE(source_v4[0], 127);
	LIE(source_v4[0], 224);
	LIE(source_v6[0], 0xff);
	LIE(resolvers, 0);
	LIE(resolvers, SHM_RESOLVERS_MAX + 1);
	LIE(range_count, 0);
	LIE(range_count, HOPS_RANGES_MAX + 1);
	LIE(range[0].first, 1023);
	LIE(range[1].first, 0);
	LIE(range[0].last, 1023);
	LIE(hop[0].destination[0], 3);
	LIE(hop[0].source[0], 1);
	LIE(hop[1].port, 4);
	LIE(hop[1].vlan, 4095);
	LIE(hop[1].mtu, 575);
	LIE(hop[0].mtu, 1279); // an IPv6 server is behind it
	LIE(server[0].ip_version, 5);
	LIE(server[0].ip_version, 0);
	LIE(server[0].ip[0], 255);
	LIE(server[0].ip[15], 1);
	LIE(server[1].ip[0], 0xff);
	LIE(server[2].port, 0);
	LIE(server[3].hop, 2);
	LIE(server[2], image.server[0]); // twice
	LIE(hop[0], (struct hops_hop){.mtu = 1500});
}

// A version of which there is no server needs no source address.
TEST(test_one_version)
{
	make(1);
	image.has_v6 = 0;
	memset(image.source_v6, 0, sizeof(image.source_v6));
	image.hop[0].mtu = image.hop[1].mtu = HOPS_MTU_LEAST;
	assert_int_equal(take(), 0);
	assert_false(reader.has_v6);
}

static union {
	struct msg_send send;
	struct msg_heard heard;
	uint8_t bytes[sizeof(struct msg_heard) + MSG_DNS_MAX + 1];
} message;

TEST(test_send_read)
{
	struct msg_send out;
	const size_t head = sizeof(out);
	message.send = (struct msg_send){.ip_version = 4, .dns_len = 12, .local_port = 2000};
	assert_true(msg_send_read(&out, &message, head + 12));
	assert_int_equal(out.local_port, 2000);
	assert_false(msg_send_read(&out, &message, head + 11));
	assert_false(msg_send_read(&out, &message, head + 13));
	assert_false(msg_send_read(&out, &message, head - 1));
	message.send.dns_len = 11;
	assert_false(msg_send_read(&out, &message, head + 11));
	message.send.dns_len = MSG_DNS_MAX;
	assert_true(msg_send_read(&out, &message, head + MSG_DNS_MAX));
	message.send.dns_len = MSG_DNS_MAX + 1;
	assert_false(msg_send_read(&out, &message, head + MSG_DNS_MAX + 1));
	message.send = (struct msg_send){.ip_version = 5, .dns_len = 12};
	assert_false(msg_send_read(&out, &message, head + 12));
}

TEST(test_heard_read)
{
	struct msg_heard out;
	const size_t head = sizeof(out);
	message.heard = (struct msg_heard){.ip_version = 6, .dns_len = 12, .code = 4};
	assert_true(msg_heard_read(&out, &message, head + 12));
	assert_int_equal(out.code, 4);
	assert_false(msg_heard_read(&out, &message, head + 11));
	assert_false(msg_heard_read(&out, &message, head + 13));
	assert_false(msg_heard_read(&out, &message, head - 1));
	message.heard.dns_len = MSG_DNS_MAX + 1;
	assert_false(msg_heard_read(&out, &message, head + MSG_DNS_MAX + 1));
	message.heard.dns_len = 3;
	assert_false(msg_heard_read(&out, &message, head + 3));
	message.heard.kind = HEARD_UNREACHABLE; // which may quote as little
	assert_true(msg_heard_read(&out, &message, head + 3));
	message.heard.kind = HEARD_KINDS;
	assert_false(msg_heard_read(&out, &message, head + 3));
	message.heard = (struct msg_heard){.kind = HEARD_REFUSED};
	assert_false(msg_heard_read(&out, &message, head)); // of no version
	message.heard.ip_version = 4;
	assert_true(msg_heard_read(&out, &message, head));
}
