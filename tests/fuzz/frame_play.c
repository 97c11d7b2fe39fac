// SPDX-License-Identifier: BSD-3-Clause
#include "frame_play.h"

#include "fuzz.h"
#include "tests/dp/servers_image.h"
#include "tests/oracle/frame_oracle.h"
#include "tests/oracle/reply_oracle.h"

static struct harness *h;
static struct hops_image image;
static uint8_t balancer[2][16]; // over IPv4 and IPv6
const uint8_t frame_play_signature[FRAME_PLAY_SIGNATURE] = "\r\n\r\n\0\r\nQUIT\n";

static void balancers_use(void)
{
	static const char *const text[] = {FRAME_PLAY_BALANCER4, FRAME_PLAY_BALANCER6};
	h->balancers.from_count = ARRAY_LEN(text);
	for (unsigned i = 0; i < ARRAY_LEN(text); i++) {
		FUZZ_CHECK(ip_address_parse(text[i], &h->balancers.from[i]) == 0);
		FUZZ_CHECK(inet_pton(i ? AF_INET6 : AF_INET, text[i], balancer[i]) == 1);
	}
	harness_access(h, &(struct config_access){0});
}

struct harness *frame_play_begin(void)
{
	static const char *const listed[] = {"ads.example"};
	const struct harness_record warm = {.name = "warm.example", .count = 3};
	const struct harness_record large = {.name = "large.example", .count = 60};
	const struct harness_record old = {.name = "a.b.c.d.e.f.g.old.example",
		.count = 2,
		.created_ms = -70000,
		.soft_ms = 60000};
	h = harness_begin(&(struct harness_options){.csums_verified = true});
	harness_put(h, &warm);
	harness_put(h, &large);
	harness_put(h, &old);
	harness_block(h, listed, 1);
	balancers_use();
	h->tables.config.stale_mode = STALE_IMMEDIATE;
	h->tables.config.cookies = (struct dns_cookie_terms){.is_on = 1, .count = 1};
	strcpy(h->tables.config.identity.nsid, "box");
	strcpy(h->tables.config.identity.version, "1");
	servers_image(&image);
	servers_use(&h->tables.hops, &image);
	return h;
}

// Bytes in front of the query, of which a worker has found them to be a header.
static size_t header_len(const struct frame_udp *query)
{
	enum { HEAD = 16 };
	const bool is_six = query->addresses_len == 32;
	if (memcmp(query->addresses, balancer[is_six], is_six ? 16 : 4) != 0)
		return 0;
	FUZZ_CHECK(query->dns_len >= HEAD
		   && memcmp(query->dns, frame_play_signature, FRAME_PLAY_SIGNATURE) == 0);
	const size_t header = HEAD + (size_t)wire_u16(query->dns + HEAD - 2);
	FUZZ_CHECK(header <= query->dns_len);
	return header;
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
	const size_t header = header_len(&query);
	const struct reply_oracle o = {.query = query.dns + header,
		.query_len = query.dns_len - header,
		.limit = h->tables.config.udp_limit,
		.any_rdata = true};
	reply_oracle_check(&o, reply.dns, reply.dns_len);
	FUZZ_CHECK(harness_waiting(h) == 0);
}

// Of IPv4, with more to come, or of IPv6, behind one tag or none.
static bool is_first_fragment(const uint8_t *frame, size_t len)
{
	const uint8_t *ip = frame + 14;
	if (wire_u16(ip - 2) == 0x8100)
		ip += 4;
	if (frame + len < ip + 20)
		return false;
	if (wire_u16(ip - 2) == 0x0800)
		return (wire_u16(ip + 6) & 0x3fff) == 0x2000;
	return frame + len >= ip + 48 && wire_u16(ip - 2) == 0x86dd && ip[6] == 44
	       && (wire_u16(ip + 42) & 0xfff8) == 0;
}

// What a resolver hears is from a server of the image, and as long as the frame says. Of a first
// fragment it hears that there is more.
static void check_heard(const uint8_t *buf, size_t buf_len, const uint8_t *frame, size_t len)
{
	struct msg_heard m;
	struct frame_udp udp;
	FUZZ_CHECK(msg_heard_read(&m, buf, buf_len));
	FUZZ_CHECK(m.local_port == LOCAL && m.server_port == SERVER_PORT);
	FUZZ_CHECK(memcmp(m.server_ip, image.server[m.ip_version == 6].ip, 16) == 0);
	const uint8_t *bytes = buf + sizeof(m);
	if (m.kind == HEARD_UNREACHABLE) { // a part of the frame
		FUZZ_CHECK(m.dns_len == 0 || memmem(frame, len, bytes, m.dns_len));
		return;
	}
	FUZZ_CHECK(m.kind == HEARD_REPLY && m.is_cut == is_first_fragment(frame, len));
	if (m.is_cut) {
		FUZZ_CHECK(memmem(frame, len, bytes, m.dns_len));
		return;
	}
	FUZZ_CHECK(frame_oracle_read(frame, len, &udp));
	FUZZ_CHECK(udp.dns_len == m.dns_len && memcmp(udp.dns, bytes, m.dns_len) == 0);
	// Others are not checked on this port (csums_verified).
	FUZZ_CHECK(wire_u16(udp.ports + 6) != 0 || m.ip_version == 4);
}

// What the control plane finds on the miss ring.
static void check_messages(const uint8_t *frame, size_t len)
{
	static alignas(8) uint8_t buf[sizeof(struct msg_heard) + MSG_DNS_MAX];
	struct msg_miss miss;
	uint16_t type;
	for (int n; (n = ring_read(&h->miss, buf, sizeof(buf), &type)) != 0;) {
		if (type == MSG_HEARD) {
			check_heard(buf, (size_t)n, frame, len);
			continue;
		}
		FUZZ_CHECK(type == MSG_MISS && (size_t)n >= sizeof(miss));
		memcpy(&miss, buf, sizeof(miss));
		FUZZ_CHECK(miss.question_len >= 5 && miss.question_len <= 259);
	}
	ring_release(&h->miss);
}

static uint64_t verdicts(void)
{
	uint64_t n = 0;
	for (unsigned i = 0; i < VERDICT_COUNT; i++)
		n += harness_verdict(h, i);
	return n;
}

void frame_play(const uint8_t *frame, size_t len, bool is_chained)
{
	uint64_t before = verdicts();
	asked_ports_note(&h->asked_ports, LOCAL, worker_clock_ms(&h->w));
	if (is_chained)
		harness_inject_chained(h, frame, len, 1 + len / 2);
	else
		harness_inject(h, frame, len);
	harness_turns(h);
	FUZZ_CHECK(verdicts() == before + 1);
	check_out(frame, len);
	check_messages(frame, len);
}
