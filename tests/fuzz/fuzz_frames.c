// SPDX-License-Identifier: BSD-3-Clause

// A client's frame through all stages of a worker (frame_play.h). The first byte chooses how the
// rest is taken (enum): as a frame, or as a DNS message in a sound one.

#include "frame_play.h"
#include "fuzz.h"
#include "tests/dp/servers_image.h"
#include "tests/oracle/frame_oracle.h"

enum {
	MODE_MESSAGE = 1, // in a frame made here
	MODE_IPV6 = 2,    // in an IPv6 frame
	MODE_VLAN = 4,    // in a frame with a VLAN tag
	MODE_SEALED = 8,  // a frame: its checksums are put right
	MODE_CHAINED = 16,
	MODE_SERVER = 32,   // a message: an upstream server's
	MODE_BALANCER = 64, // a message: a balancer's; sealed: behind the signature of a header
};

FUZZ_BEGIN
{
	(void)frame_play_begin();
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
	const bool server = mode & MODE_SERVER, v6 = mode & MODE_IPV6;
	if (mode & MODE_MESSAGE) {
		const bool balancer = mode & MODE_BALANCER;
		const struct wire_query q = {.name = "",
			.version = v6 ? 6 : 4,
			.has_vlan = mode & MODE_VLAN,
			.src = server     ? v6 ? SERVER6 : SERVER4
			       : balancer ? v6 ? FRAME_PLAY_BALANCER6 : FRAME_PLAY_BALANCER4
					  : NULL,
			.dst = server ? v6 ? SOURCE6 : SOURCE4 : NULL,
			.src_port = server ? SERVER_PORT : 0,
			.dst_port = server ? LOCAL : 0};
		uint8_t message[FRAME_PLAY_MOST + FRAME_PLAY_SIGNATURE];
		const size_t at = balancer && mode & MODE_SEALED ? FRAME_PLAY_SIGNATURE : 0;
		memcpy(message, frame_play_signature, at);
		memcpy(message + at, data, len);
		return wire_make_udp(&q, message, at + len, frame);
	}
	memcpy(frame, data, len);
	if (mode & MODE_SEALED)
		seal(frame, len);
	return len;
}

FUZZ_BODY(data, len)
{
	uint8_t frame[WIRE_MAX];
	if (len < 1 + FRAME_PLAY_MIN || len > FRAME_PLAY_MOST)
		return 0;
	size_t n = make(frame, data[0], data + 1, len - 1);
	frame_play(frame, n, data[0] & MODE_CHAINED);
	return 0;
}
