// SPDX-License-Identifier: BSD-3-Clause
// Layers 2 to 4: what is ours, what is the kernel's, what is dropped and why.
#include "harness.h"

static const struct wire_query plain = {.name = "cold.example"};

// After a change of the IPv4 header of an untagged frame.
static void fix_ip_csum(uint8_t *frame)
{
	uint8_t *ip = frame + 14;
	wire_put16(ip + 10, 0);
	wire_put16(ip + 10, 0xffff - wire_fold(wire_sum(ip, (ip[0] & 15U) * 4)));
}

static void drops(struct harness *h, const uint8_t *frame, size_t len, enum verdict v)
{
	uint64_t before = harness_verdict(h, v);
	harness_send(h, frame, len);
	assert_int_equal(harness_verdict(h, v), before + 1);
	assert_int_equal(harness_waiting(h), 0);
}

static void goes_to_kernel(struct harness *h, const uint8_t *frame, size_t len)
{
	uint8_t got[WIRE_MAX];
	drops(h, frame, len, VERDICT_to_kernel);
	assert_int_equal(harness_take_kernel(h, got), len);
	assert_memory_equal(got, frame, len);
}

PACKET_TEST_OF(test_headers, harness_begin(&(struct harness_options){.has_exception = true}))
{
	uint8_t f[WIRE_MAX];
	size_t len = wire_make(&plain, f);
	drops(h, f, 13, VERDICT_drop_runt);
	drops(h, f, 14 + 19, VERDICT_drop_runt);
	drops(h, f, len - 1, VERDICT_drop_ip_header); // total length over the frame's end
	f[14] = 0x44;
	drops(h, f, len, VERDICT_drop_ip_header);
	f[14] = 0x55;
	drops(h, f, len, VERDICT_drop_ip_header);
	wire_make(&plain, f);
	wire_put16(f + 16, 19);
	drops(h, f, len, VERDICT_drop_ip_header);
	wire_put16(f + 16, 20); // a header, and nothing behind it
	fix_ip_csum(f);
	drops(h, f, len, VERDICT_drop_udp_header);
	wire_make(&plain, f);
	f[24] ^= 1;
	drops(h, f, len, VERDICT_drop_ip_csum);

	struct wire_query v6 = {.name = "cold.example", .version = 6, .has_vlan = true};
	len = wire_make(&v6, f);
	drops(h, f, 17, VERDICT_drop_runt);
	drops(h, f, 18 + 39, VERDICT_drop_runt);
	drops(h, f, len - 1, VERDICT_drop_ip_header);
	f[18] = 0x42;
	drops(h, f, len, VERDICT_drop_ip_header);
	assert_int_equal(harness_verdict(h, VERDICT_drop_runt), 4);
	assert_int_equal(harness_verdict(h, VERDICT_drop_ip_header), 6);
}

PACKET_TEST_OF(test_udp, harness_begin(&(struct harness_options){.has_exception = true}))
{
	uint8_t f[WIRE_MAX];
	size_t len = wire_make(&plain, f);
	uint8_t *udp = f + 34;
	wire_put16(udp + 4, 7);
	drops(h, f, len, VERDICT_drop_udp_header);
	wire_put16(udp + 4, (unsigned)(len - 34 + 1));
	drops(h, f, len, VERDICT_drop_udp_header);
	wire_make(&plain, f);
	wire_put16(f + 16, 20 + 7); // IP payload shorter than a UDP header
	fix_ip_csum(f);
	drops(h, f, len, VERDICT_drop_udp_header);
	struct wire_query q = plain;
	q.zero_src_port = true;
	harness_ask_dropped(h, &q, VERDICT_drop_udp_header);
	q = plain;
	q.csum = WIRE_CSUM_BAD;
	harness_ask_dropped(h, &q, VERDICT_drop_udp_csum);
	q.version = 6;
	harness_ask_dropped(h, &q, VERDICT_drop_udp_csum);
	q.csum = WIRE_CSUM_ZERO;
	harness_ask_dropped(h, &q, VERDICT_drop_udp_csum);
	assert_int_equal(harness_counter(h, COUNTER_csum_absent), 0);
	assert_int_equal(harness_verdict(h, VERDICT_to_kernel), 0);
}

// Every difference of one bit between a checksum and what it sums is found, whole or partial.
static void flips_are_dropped(struct harness *h, const struct wire_query *q)
{
	uint8_t f[WIRE_MAX];
	const size_t len = wire_make(q, f), udp = q->version == 6 ? 54 : 34;
	const size_t end = q->csum == WIRE_CSUM_PARTIAL ? udp + 8 : len;
	for (size_t at = udp + 6; at < end; at++)
		for (unsigned bit = 0; bit < 8; bit++) {
			f[at] ^= (uint8_t)(1 << bit);
			drops(h, f, len, VERDICT_drop_udp_csum);
			f[at] ^= (uint8_t)(1 << bit);
		}
}

// As a kernel sender leaves them on veth: what is partial is the pseudo header's sum exactly, and
// everything else is whole. The reply is whole.
PACKET_TEST_OF(
	test_partial_checksums, harness_begin(&(struct harness_options){.has_partial = true}))
{
	static const enum wire_csum right[] = {WIRE_CSUM_RIGHT, WIRE_CSUM_PARTIAL};
	HARNESS_PUT(h, .name = "warm.example", .count = 3);
	for (unsigned i = 0; i < 16; i++) {
		struct wire_query q = {.name = "warm.example",
			.version = i & 1 ? 6 : 4,
			.csum = right[i >> 1 & 1],
			.has_vlan = i & 4,
			.ip_option_len = i & 8 && !(i & 1) ? 8 : 0};
		harness_ask(h, &q, VERDICT_hit);
		q.csum = WIRE_CSUM_BAD;
		harness_ask_dropped(h, &q, VERDICT_drop_udp_csum);
		if (i < 4) {
			q.csum = right[i >> 1];
			flips_are_dropped(h, &q);
		}
	}
	struct wire_query zero = {.name = "warm.example", .version = 6, .csum = WIRE_CSUM_ZERO};
	harness_ask_dropped(h, &zero, VERDICT_drop_udp_csum);
}

// Where none is partial, the pseudo header's sum is a wrong checksum.
PACKET_TEST(test_no_partial_checksums)
{
	for (unsigned version = 4; version <= 6; version += 2) {
		struct wire_query q = {
			.name = "warm.example", .version = version, .csum = WIRE_CSUM_PARTIAL};
		harness_ask_dropped(h, &q, VERDICT_drop_udp_csum);
	}
}

// What is the kernel's goes there as it came, whatever its checksum: TCP, and UDP to other ports.
PACKET_TEST_OF(test_kernel_checksums,
	harness_begin(&(struct harness_options){.has_exception = true, .has_partial = true}))
{
	uint8_t f[WIRE_MAX];
	for (enum wire_csum csum = 0; csum <= WIRE_CSUM_PARTIAL; csum++)
		for (unsigned version = 4; version <= 6; version += 2) {
			struct wire_query q = {.name = "warm.example",
				.version = version,
				.csum = csum,
				.dst_port = 5353};
			goes_to_kernel(h, f, wire_make(&q, f));
			q.dst_port = 0;
			const size_t len = wire_make(&q, f);
			f[version == 6 ? 20 : 23] = 6;
			if (version == 4)
				fix_ip_csum(f);
			goes_to_kernel(h, f, len);
		}
	assert_int_equal(harness_verdict(h, VERDICT_drop_udp_csum), 0);
}

PACKET_TEST(test_sources)
{
	static const char *const bad4[] = {"0.0.0.0", "0.1.2.3", "127.0.0.1", "224.0.0.1",
		"239.255.255.250", "240.0.0.1", "255.255.255.255", WIRE_SERVICE4, WIRE_BROADCAST4};
	static const char *const bad6[] = {
		"::", "::1", "::198.18.0.2", "::ffff:198.18.0.2", "ff02::1", WIRE_SERVICE6};
	static const char *const good6[] = {"fe80::1", "2001:db8::1", "::1:0:0:2"};
	for (size_t i = 0; i < sizeof(bad4) / sizeof(bad4[0]); i++) {
		struct wire_query q = {.name = "a.example", .src = bad4[i]};
		harness_ask_dropped(h, &q, VERDICT_drop_source);
	}
	for (size_t i = 0; i < sizeof(bad6) / sizeof(bad6[0]); i++) {
		struct wire_query q = {.name = "a.example", .version = 6, .src = bad6[i]};
		harness_ask_dropped(h, &q, VERDICT_drop_source);
	}
	for (size_t i = 0; i < sizeof(good6) / sizeof(good6[0]); i++) {
		struct wire_query q = {.name = "a.example", .version = 6, .src = good6[i]};
		harness_ask_dropped(h, &q, VERDICT_miss);
	}
	uint8_t f[WIRE_MAX];
	size_t len = wire_make(&plain, f);
	f[6] |= 1; // from a group
	drops(h, f, len, VERDICT_drop_mac);
	wire_make(&plain, f);
	memset(f, 0xff, 6); // to all
	drops(h, f, len, VERDICT_drop_mac);
}

PACKET_TEST_OF(test_fragments, harness_begin(&(struct harness_options){.has_exception = true}))
{
	uint8_t f[WIRE_MAX];
	struct wire_query q = plain;
	q.fragment = 0x2000; // first, more to come
	harness_ask_dropped(h, &q, VERDICT_drop_fragment);
	q.fragment = 0x2001;
	goes_to_kernel(h, f, wire_make(&q, f));
	q.fragment = 0x0005; // last
	goes_to_kernel(h, f, wire_make(&q, f));
	q.fragment = 0x4000; // only DF: no fragment
	harness_ask_dropped(h, &q, VERDICT_miss);
	q.fragment = 0x2000;
	q.dst_port = 5353;
	goes_to_kernel(h, f, wire_make(&q, f));

	// A fragment header in front of UDP: first to our port, to another one, and a later one.
	struct wire_query v6 = {.name = "cold.example", .version = 6};
	size_t len = wire_make(&v6, f);
	memmove(f + 62, f + 54, len - 54);
	memcpy(f + 54, "\x11\0\0\1\0\0\0\1", 8);
	f[20] = 44;
	len += 8;
	wire_put16(f + 18, (unsigned)(len - 54));
	drops(h, f, len, VERDICT_drop_fragment);
	wire_put16(f + 64, 5353);
	goes_to_kernel(h, f, len);
	wire_put16(f + 64, 53);
	wire_put16(f + 56, 8);
	goes_to_kernel(h, f, len);
	assert_int_equal(harness_verdict(h, VERDICT_drop_fragment), 2);
}

// Headers between IPv6 and UDP: a query behind them gets no answer, and no port unreachable of the
// kernel either; all else is the kernel's.
PACKET_TEST_OF(test_extensions, harness_begin(&(struct harness_options){.has_exception = true}))
{
	static const uint8_t types[] = {0, 43, 60};
	uint8_t f[WIRE_MAX];
	struct wire_query v6 = {.name = "cold.example", .version = 6};
	for (unsigned i = 0; i < 3; i++) {
		size_t len = wire_make(&v6, f);
		memmove(f + 54 + 24, f + 54, len - 54);
		memset(f + 54, 0, 24);
		f[20] = types[i];
		f[54] = 60; // then destination options
		f[55] = 1;  // 16 bytes
		f[70] = 17;
		len += 24;
		wire_put16(f + 18, (unsigned)(len - 54));
		drops(h, f, len, VERDICT_drop_ip_header);
		wire_put16(f + 80, 5353);
		goes_to_kernel(h, f, len);
		wire_put16(f + 80, 53);
		f[70] = 6;
		goes_to_kernel(h, f, len);
		// The first fragment, more options behind.
		f[70] = 17;
		f[20] = 44;
		f[54] = 60, f[55] = 0, f[56] = 0, f[57] = 1;
		f[62] = 17, f[63] = 1;
		drops(h, f, len, VERDICT_drop_fragment);
		f[63] = 255; // longer than the frame
		drops(h, f, len, VERDICT_drop_fragment);
		f[20] = types[i];
		drops(h, f, len, VERDICT_drop_ip_header);
	}
	// More headers than anyone sends.
	size_t len = wire_make(&v6, f);
	memmove(f + 54 + 128, f + 54, len - 54);
	memset(f + 54, 0, 128);
	f[20] = 60;
	for (unsigned i = 0; i < 16; i++)
		f[54 + 8 * i] = i < 15 ? 60 : 17;
	len += 128;
	wire_put16(f + 18, (unsigned)(len - 54));
	drops(h, f, len, VERDICT_drop_ip_header);
}

// The frames that go to the kernel, unchanged, and the frames from it.
PACKET_TEST_OF(test_exception, harness_begin(&(struct harness_options){.has_exception = true}))
{
	uint8_t f[WIRE_MAX];
	struct wire_query q = {.name = "a.example", .dst = "198.18.0.54"};
	goes_to_kernel(h, f, wire_make(&q, f)); // UDP/53, but not to us
	q = (struct wire_query){.name = "a.example", .dst_port = 5353};
	goes_to_kernel(h, f, wire_make(&q, f));
	q = (struct wire_query){.name = "a.example", .version = 6, .dst = "ff02::1"};
	goes_to_kernel(h, f, wire_make(&q, f));
	size_t len = wire_make(&plain, f);
	f[23] = 6; // TCP
	fix_ip_csum(f);
	goes_to_kernel(h, f, len);
	// Hop-by-hop options, 8 bytes of them, and then a protocol 16.
	q = (struct wire_query){.name = "a.example", .version = 6, .src_port = 0x1000};
	len = wire_make(&q, f);
	f[20] = 0;
	goes_to_kernel(h, f, len);
	wire_put16(f + 12, 0x0806);
	goes_to_kernel(h, f, len);
	wire_put16(f + 12, 0x88cc); // LLDP
	goes_to_kernel(h, f, len);
	wire_put16(f + 12, 0x8100); // two tags
	wire_put16(f + 16, 0x8100);
	goes_to_kernel(h, f, len);
	assert_int_equal(harness_counter(h, COUNTER_kernel_tx), 8);

	len = wire_make(&plain, f);
	uint8_t got[WIRE_MAX];
	for (unsigned i = 0; i < 40; i++)
		harness_inject_kernel(h, f, len);
	assert_int_equal(stage_exceptions(&h->w, 0), 32);
	assert_int_equal(stage_exceptions(&h->w, 0), 8);
	assert_int_equal(stage_exceptions(&h->w, 0), 0);
	for (unsigned i = 0; i < 40; i++) {
		assert_int_equal(harness_take(h, got), len);
		assert_memory_equal(got, f, len);
	}
	assert_int_equal(harness_counter(h, COUNTER_kernel_rx), 40);
	assert_int_equal(harness_counter(h, COUNTER_tx_bytes), 40 * len);
}

// The kernel's side takes no more: dropped and counted, nothing waits.
PACKET_TEST_OF(test_exception_full, harness_begin(&(struct harness_options){.has_exception = true}))
{
	struct wire_query q = {.name = "a.example", .dst_port = 80};
	uint8_t f[WIRE_MAX];
	size_t len = wire_make(&q, f);
	for (unsigned i = 0; i < 1100; i++) {
		harness_send(h, f, len);
	}
	assert_int_equal(harness_verdict(h, VERDICT_to_kernel), 1023);
	assert_int_equal(harness_verdict(h, VERDICT_drop_exception_full), 77);
	while (harness_take_kernel(h, f))
		continue;
}

// Frames in several segments: the kernel's are passed on whole, ours are not answered.
PACKET_TEST_OF(test_chained, harness_begin(&(struct harness_options){.has_exception = true}))
{
	uint8_t f[WIRE_MAX], got[WIRE_MAX];
	size_t len = wire_make(&plain, f);
	harness_inject_chained(h, f, len, 50);
	harness_inject_chained(h, f, len, 36); // inside the UDP header
	harness_inject_chained(h, f, len, 20); // inside the IP header
	struct wire_query q = {.name = "a.example", .dst_port = 80};
	len = wire_make(&q, f);
	harness_inject_chained(h, f, len, 50);
	harness_turns(h);
	assert_int_equal(harness_verdict(h, VERDICT_drop_chained), 2);
	assert_int_equal(harness_verdict(h, VERDICT_drop_runt), 1);
	assert_int_equal(harness_verdict(h, VERDICT_to_kernel), 1);
	assert_int_equal(harness_take_kernel(h, got), len);
	assert_memory_equal(got, f, len);
}

// Of a port with VLANs only their frames are taken; a tag that the driver took off counts, and the
// reply has it again (wire_check_answers).
PACKET_TEST(test_vlans)
{
	static const uint64_t vlans[CONFIG_VLANS / 64] = {1 << 0 | 1 << 7};
	struct wire_query q = {.name = "a.example"};
	HARNESS_PUT(h, .name = "a.example", .count = 1);
	q.has_vlan = true;
	q.vlan_tci = 8;
	harness_ask(h, &q, VERDICT_hit); // all are taken
	h->w.port[0].is_screened = true;
	harness_ask(h, &q, VERDICT_hit);
	h->w.port[0].vlans = vlans;
	harness_ask_dropped(h, &q, VERDICT_drop_vlan);
	q.vlan_tci = 0x2000 | 7; // and a priority
	harness_ask(h, &q, VERDICT_hit);
	h->strip_vlan = true;
	harness_ask(h, &q, VERDICT_hit);
	q.vlan_tci = 8;
	harness_ask_dropped(h, &q, VERDICT_drop_vlan);
	h->strip_vlan = false;
	uint8_t f[WIRE_MAX];
	const uint64_t dropped = harness_verdict(h, VERDICT_drop_vlan);
	(void)wire_make(&q, f);
	harness_inject(h, f, 16); // ends with its tag
	harness_inject(h, f, 15); // within it
	harness_turns(h);
	assert_int_equal(harness_verdict(h, VERDICT_drop_vlan), dropped + 1);
	assert_int_equal(harness_verdict(h, VERDICT_drop_runt), 1);
	q.has_vlan = false;
	harness_ask(h, &q, VERDICT_hit);
}

// A port that sees frames for other hosts takes those for its addresses and for many, and drops the
// rest, the kernel's too. Ports without the list take all.
PACKET_TEST_OF(test_other_hosts, harness_begin(&(struct harness_options){.has_exception = true}))
{
	static const uint8_t router[] = {0, 0, 0x5e, 0, 1, 5}, other[] = {2, 0, 0, 0, 0, 0x54},
			     above[] = {2, 0, 0, 0, 0, 0x53, 1}, many[] = {1, 0, 0x5e, 0, 0, 5};
	struct worker_port *port = &h->w.port[0];
	struct wire_query q = {.name = "a.example", .to_mac = other}, kernels = {.dst_port = 5353};
	uint8_t f[WIRE_MAX];
	HARNESS_PUT(h, .name = "a.example", .count = 1);
	harness_ask(h, &q, VERDICT_hit);
	port->is_screened = true;
	memcpy(&port->macs[port->mac_count++], wire_service_mac, 6);
	memcpy(&port->macs[port->mac_count++], router, 6);
	harness_ask_dropped(h, &q, VERDICT_drop_other_host);
	q.has_vlan = true;
	harness_ask_dropped(h, &q, VERDICT_drop_other_host);
	q.to_mac = above; // the type behind the address does not count
	harness_ask(h, &q, VERDICT_hit);
	q.to_mac = router;
	harness_ask(h, &q, VERDICT_hit);
	q.to_mac = many;
	harness_ask_dropped(h, &q, VERDICT_drop_mac);
	kernels.name = "a.example";
	kernels.to_mac = other;
	harness_ask_dropped(h, &kernels, VERDICT_drop_other_host);
	kernels.to_mac = many;
	size_t len = wire_make(&kernels, f);
	harness_inject(h, f, len);
	harness_send(h, f, 5); // of its address one byte is missing
	assert_int_equal(harness_verdict(h, VERDICT_to_kernel), 1);
	assert_int_equal(harness_take_kernel(h, f), len);
	assert_int_equal(harness_verdict(h, VERDICT_drop_runt), 1);
}
