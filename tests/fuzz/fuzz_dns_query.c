// SPDX-License-Identifier: BSD-3-Clause

// A client's packet: parsed, by the parser for plain queries too, which must agree; then answered
// in every way over a buffer of exactly the room given, and the oracle checks each reply.

#include "dataplane/core/dns/dns_query_fast.h"
#include "fuzz.h"
#include "tests/oracle/reply_oracle.h"

#include <weir/dns_reply.h>

enum { ROOM = 64 };

struct asked {
	const uint8_t *data;
	size_t len;
	const struct dns_query *q;
};

static void check_reply(
	const struct asked *a, const uint8_t *msg, size_t cap, uint16_t len, uint16_t sum)
{
	if (len == 0)
		return;
	FUZZ_CHECK(len >= DNS_HEADER_LEN + a->q->question_len && len <= cap);
	FUZZ_CHECK(sum == csum_partial(msg, len));
	const struct reply_oracle o = {.query = a->data,
		.query_len = a->len,
		.limit = cap < DNS_EDNS_SIZE ? cap : DNS_EDNS_SIZE};
	// One that has no room for its OPT goes without.
	if (cap >= DNS_HEADER_LEN + a->q->question_len + (size_t)DNS_OPT_FIXED_LEN)
		reply_oracle_check(&o, msg, len);
}

static void check_line(
	const uint8_t *data, size_t len, const struct dns_query *q, enum dns_query_status status)
{
	const struct keyhash_secret secret = {{1, 2, 3}};
	struct dns_query line;
	uint64_t hash;
	enum dns_query_kind kind = dns_query_fast(data, len, &secret, &line, &hash);
	if (kind == DNS_QUERY_ODD)
		return;
	FUZZ_CHECK(status == DNS_QUERY_OK && line.id == q->id && line.flags == q->flags);
	FUZZ_CHECK(line.qtype == q->qtype && line.qclass == q->qclass);
	FUZZ_CHECK(line.question_len == q->question_len && line.udp_size == q->udp_size);
	FUZZ_CHECK(line.has_opt == q->has_opt && line.dnssec_ok == q->dnssec_ok);
	FUZZ_CHECK(dns_name_equal(&line.name, &q->name) && line.name.labels == q->name.labels);
	FUZZ_CHECK(memcmp(line.label_off, q->label_off, q->name.labels) == 0);
	FUZZ_CHECK(hash == keyhash(&secret, q->name.wire, q->name.len));
	FUZZ_CHECK(q->cookie_len == (kind == DNS_QUERY_PLAIN ? 0 : DNS_COOKIE_LEN));
	FUZZ_CHECK(!q->asks_nsid);
	if (kind == DNS_QUERY_PLAIN_COOKIE)
		FUZZ_CHECK(line.cookie_len == DNS_COOKIE_LEN
			   && memcmp(line.cookie, q->cookie, DNS_COOKIE_LEN) == 0);
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

FUZZ_BODY(data, len)
{
	struct dns_query q;
	enum dns_query_status status = dns_query_parse(data, len, &q);
	if (status == DNS_QUERY_SHORT || status == DNS_QUERY_RESPONSE)
		return 0;
	if (q.question_len)
		check_query(&q, data);
	FUZZ_CHECK(q.question_len || status != DNS_QUERY_OK);
	check_line(data, len, &q, status);

	const struct asked a = {data, len, &q};
	size_t cap = len + len % ROOM;
	uint8_t *msg = malloc(cap);
	uint16_t sum = 0, n;
	FUZZ_CHECK(msg);
	memcpy(msg, data, len);
	uint16_t rcode = status == DNS_QUERY_FORMERR ? DNS_RCODE_FORMERR : DNS_RCODE_BADVERS;
	n = dns_reply_rcode(msg, cap, &q, rcode, DNS_EDE_OTHER, &sum);
	check_reply(&a, msg, cap, n, sum);
	for (unsigned mode = DNS_BLOCK_NXDOMAIN; status == DNS_QUERY_OK && mode <= DNS_BLOCK_MODES;
		mode++) {
		memcpy(msg, data, len);
		const struct dns_block block = {.mode = (uint8_t)mode,
			.ttl_s = 300,
			.has = (uint8_t)len,
			.v4 = {198, 18, 0, 80},
			.v6 = {0xfd, 0x53}};
		n = dns_reply_synthetic(msg, cap, &q, &block, DNS_EDE_BLOCKED, DNS_EDNS_SIZE, &sum);
		check_reply(&a, msg, cap, n, sum);
	}
	free(msg);
	return 0;
}
