// SPDX-License-Identifier: BSD-3-Clause

// A client's packet: parsed, then answered in every way over a buffer of exactly the room given.

#include "fuzz.h"

#include <weir/dns_reply.h>

enum { ROOM = 64 };

static void check_reply(
	const uint8_t *msg, size_t cap, uint16_t len, uint16_t sum, const struct dns_query *q)
{
	FUZZ_CHECK(len == 0 || (len >= DNS_HEADER_LEN + q->question_len && len <= cap));
	FUZZ_CHECK(len == 0 || sum == csum_partial(msg, len));
	FUZZ_CHECK(len == 0 || get_u16(msg) == q->id);
	FUZZ_CHECK(len == 0 || get_u16(msg + 2) & DNS_FLAG_QR);
}

static void check_query(const struct dns_query *q, const uint8_t *data)
{
	struct dns_name name;
	struct rd r = rd_init(data, DNS_HEADER_LEN + (size_t)q->question_len);
	rd_skip(&r, DNS_HEADER_LEN);
	FUZZ_CHECK(dns_name_read(&r, &name) == 0 && rd_left(&r) == 4);
	FUZZ_CHECK(dns_name_equal(&name, &q->name) && name.labels == q->name.labels);
	for (unsigned i = 0, at = 0; i < name.labels; at += 1u + name.wire[at], i++)
		FUZZ_CHECK(q->label_off[i] == at);
	FUZZ_CHECK(q->udp_size >= DNS_UDP_PLAIN_MAX);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct dns_query q;
	enum dns_query_status status = dns_query_parse(data, len, &q);
	if (status == DNS_QUERY_SHORT || status == DNS_QUERY_RESPONSE)
		return 0;
	if (q.question_len)
		check_query(&q, data);
	FUZZ_CHECK(q.question_len || status != DNS_QUERY_OK);

	size_t cap = len + len % ROOM;
	uint8_t *msg = malloc(cap);
	uint16_t sum = 0, n;
	FUZZ_CHECK(msg);
	memcpy(msg, data, len);
	n = dns_reply_rcode(msg, cap, &q, DNS_RCODE_BADVERS, DNS_EDE_OTHER, &sum);
	check_reply(msg, cap, n, sum, &q);
	for (unsigned mode = DNS_BLOCK_NXDOMAIN; mode <= DNS_BLOCK_MODES; mode++) {
		memcpy(msg, data, len);
		const struct dns_block block = {.mode = (uint8_t)mode,
			.ttl_s = 300,
			.has = (uint8_t)len,
			.v4 = {198, 18, 0, 80},
			.v6 = {0xfd, 0x53}};
		n = dns_reply_blocked(msg, cap, &q, &block, DNS_EDNS_SIZE, &sum);
		check_reply(msg, cap, n, sum, &q);
	}
	free(msg);
	return 0;
}
