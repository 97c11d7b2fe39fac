// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Frames as a client makes and reads them, byte by byte, for the packet tests. Shares no code
// with the product (no rte_ headers, no bytes.h, an own checksum), so that a mistake there cannot
// hide itself here. Checks fail the running cmocka test.

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { WIRE_MAX = 4500, WIRE_RECORDS_MAX = 64, WIRE_NAME_TEXT_MAX = 260 };

enum wire_csum { WIRE_CSUM_RIGHT, WIRE_CSUM_ZERO, WIRE_CSUM_BAD, WIRE_CSUM_PARTIAL };

// A query to make; all zero but `name` is an A query over IPv4 without EDNS and with RD.
struct wire_query {
	const char *name; // labels by dots, letter case kept; "" is the root
	unsigned version; // 0 is 4
	bool has_vlan;
	uint16_t vlan_tci;
	const char *src, *dst; // addresses, NULL: the client's and the service's
	const uint8_t *mac;    // NULL: wire_client_mac
	const uint8_t *to_mac; // NULL: wire_service_mac
	uint16_t src_port;     // 0: 4242
	uint16_t dst_port;     // 0: 53
	bool zero_src_port;
	enum wire_csum csum;
	unsigned ip_option_len; // bytes of NOPs in the IPv4 header, multiple of 4
	uint16_t fragment;      // IPv4 flags and offset
	uint16_t id;            // 0: 0x1234
	uint16_t flags;         // 0: RD
	uint16_t qtype;         // 0: A
	uint16_t qclass;        // 0: IN
	bool edns, dnssec_ok;
	uint16_t edns_size; // 0: 1232
	uint8_t edns_version;
	unsigned padding;     // bytes behind the IP packet
	unsigned extra_bytes; // of rubbish behind the DNS message, in the UDP length
};

extern const uint8_t wire_client_mac[6], wire_service_mac[6];
#define WIRE_CLIENT4    "198.18.0.2"
#define WIRE_SERVICE4   "198.18.0.53"
#define WIRE_BROADCAST4 "198.18.0.255" // of the service's network
#define WIRE_CLIENT6    "fd53::2"
#define WIRE_SERVICE6   "fd53::53"

// The frame's length; `out` holds WIRE_MAX bytes.
size_t wire_make(const struct wire_query *q, uint8_t *out);
// A UDP frame with any message, addressed by `q`.
size_t wire_make_udp(const struct wire_query *q, const uint8_t *dns, size_t len, uint8_t *out);
size_t wire_make_dns(const struct wire_query *q, uint8_t *out);
size_t wire_name(const char *text, uint8_t *out); // bytes written

struct wire_record {
	unsigned section; // 0 answer, 1 authority, 2 additional
	uint16_t type, klass;
	uint32_t ttl_s;
	uint16_t rdata_len;
	const uint8_t *rdata;
	char owner[WIRE_NAME_TEXT_MAX];
};

struct wire_reply {
	unsigned version;
	bool has_vlan;
	uint16_t vlan_tci;
	uint16_t src_port, dst_port;
	bool zero_csum;
	uint16_t dns_len;
	uint16_t id, flags;
	unsigned rcode; // OPT's high bits included
	char question[WIRE_NAME_TEXT_MAX];
	bool has_question;
	uint16_t qtype, qclass;
	unsigned count; // records but the OPT
	struct wire_record record[WIRE_RECORDS_MAX];
	bool has_opt, dnssec_ok;
	uint16_t opt_size;
	int ede; // -1: none
	const uint8_t *frame;
};

// Takes a frame apart and checks every length and checksum on the way: IPv4 header and UDP sums,
// IP and UDP lengths against the frame, no IPv4 option, every record up to the last byte.
void wire_check(const uint8_t *frame, size_t len, struct wire_reply *out);
// And that it answers `q`: addresses, ports, tag, id, question with its letter case, QR, OPT if and
// only if asked with one, not longer than the client can take.
void wire_check_answers(
	const uint8_t *frame, size_t len, const struct wire_query *q, struct wire_reply *out);

// RFC 1071 over `len` bytes, one byte at a time.
uint32_t wire_sum(const uint8_t *p, size_t len);
uint16_t wire_fold(uint32_t sum);
uint16_t wire_u16(const uint8_t *p);
uint32_t wire_u32(const uint8_t *p);
void wire_put16(uint8_t *p, unsigned v);
