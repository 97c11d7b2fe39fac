// SPDX-License-Identifier: BSD-3-Clause

// An upstream's reply. What was kept, put behind its question and read again, must come out as it
// went in: same bytes, no TTL longer; or its names lead too far, as less was kept than the reply
// had. The oracle checks the replies for several kinds of clients.

#include "fuzz.h"
#include "tests/oracle/reply_oracle.h"

#include <weir/dns_answer.h>

static const struct dns_answer_rules limits = {.min_s = 5, .max_s = 86400, .negative_s = 3600};
static struct dns_answer first, second; // too large for a stack
static uint8_t whole[DNS_MESSAGE_MAX];

// The question that this reply would be an answer to.
static bool question_of(const uint8_t *data, size_t len, struct dns_query *q)
{
	uint8_t msg[DNS_HEADER_LEN + DNS_NAME_MAX + 4 + DNS_OPT_FIXED_LEN];
	struct dns_name name;
	struct rd r = rd_init(data, len);
	rd_skip(&r, DNS_HEADER_LEN);
	if (dns_name_read(&r, &name) || rd_left(&r) < 4)
		return false;
	uint16_t question_len = (uint16_t)(name.len + 4);
	const uint8_t *question = data + DNS_HEADER_LEN;
	uint16_t n = dns_query_write(
		msg, sizeof(msg), 1, question, question_len, false, data[3] & DNS_FLAG_AD);
	FUZZ_CHECK(dns_query_parse(msg, n, q) == DNS_QUERY_OK);
	q->has_opt = false;
	memcpy(whole, msg, DNS_HEADER_LEN + question_len);
	if (dns_answer_matches(data, len, get_u16(data), question, question_len, true))
		FUZZ_CHECK(dns_answer_matches(
			data, len, get_u16(data), question, question_len, false));
	return true;
}

// `whole` begins with the question. A client with an OPT of `size` bytes (0: none), `age_s` after
// it was kept.
static void tell(const struct dns_query *asked, unsigned size, uint32_t age_s, uint16_t limit)
{
	static uint8_t reply[DNS_MESSAGE_MAX];
	uint8_t msg[DNS_HEADER_LEN + DNS_NAME_MAX + 4 + DNS_OPT_FIXED_LEN];
	struct dns_query q;
	uint16_t sum, n = dns_query_write(msg, sizeof(msg), 1, whole + DNS_HEADER_LEN,
			      asked->question_len, false, asked->dnssec_ok);
	put_u16(msg + 10, size ? 1 : 0);
	if (!size)
		n -= DNS_OPT_FIXED_LEN;
	else
		put_u16(msg + n - DNS_OPT_FIXED_LEN + 3, (uint16_t)size);
	FUZZ_CHECK(dns_query_parse(msg, n, &q) == DNS_QUERY_OK);
	memcpy(reply, msg, n);
	struct dns_answer_view view = dns_answer_view_of(&first);
	const struct dns_reply_opts o = {
		.age_s = age_s, .ttl_cap_s = 600, .ede = DNS_EDE_STALE_ANSWER, .limit = limit};
	const struct reply_oracle oracle = {.query = msg, .query_len = n, .limit = limit};
	uint16_t len = dns_reply_answer(reply, sizeof(reply), &q, &view, &o, &sum);
	FUZZ_CHECK(len > 0 && sum == csum_partial(reply, len));
	reply_oracle_check(&oracle, reply, len);
}

// The same reply to a client whose name the operator has made an alias of the one asked: the alias
// in front, behind it what `kept` records there were.
static void read_aliased(
	const uint8_t *data, size_t len, const struct dns_query *asked, unsigned kept)
{
	static const uint8_t name[] = "\3www\5alias\4test";
	static struct dns_alias alias = {.ttl_s = 60};
	uint8_t msg[DNS_HEADER_LEN + sizeof(name) + 4 + DNS_OPT_FIXED_LEN];
	uint8_t question[sizeof(name) + 4], reply[DNS_EDNS_SIZE];
	struct dns_query client;
	memcpy(question, name, sizeof(name));
	put_u16(question + sizeof(name), asked->qtype);
	put_u16(question + sizeof(name) + 2, asked->qclass);
	uint16_t sum,
		n = dns_query_write(msg, sizeof(msg), 1, question, sizeof(question), false, false);
	FUZZ_CHECK(dns_query_parse(msg, n, &client) == DNS_QUERY_OK);
	client.dnssec_ok = asked->dnssec_ok;
	alias.target = asked->name;
	memcpy(alias.spelling, asked->name.wire, asked->name.len);
	const struct dns_chain chain = {.asked = &asked->name, .alias = &alias, .count = 1};
	int rc = dns_answer_read_chain(data, len, &chain, &client, 0, &limits, &second);
	FUZZ_CHECK(rc == 0 || rc == -E2BIG);
	if (rc)
		return;
	FUZZ_CHECK(second.ancount == kept + 1 && second.kind == first.kind);
	FUZZ_CHECK(second.sum == csum_partial(second.bytes, second.len));
	FUZZ_CHECK(second.ttl_s <= first.ttl_s && second.ttl_s <= alias.ttl_s);
	memcpy(reply, msg, n);
	struct dns_answer_view view = dns_answer_view_of(&second);
	const struct dns_reply_opts o = {.ede = DNS_EDE_NONE, .limit = DNS_EDNS_SIZE};
	const struct reply_oracle oracle = {.query = msg, .query_len = n, .limit = DNS_EDNS_SIZE};
	uint16_t reply_len = dns_reply_answer(reply, sizeof(reply), &client, &view, &o, &sum);
	FUZZ_CHECK(reply_len > 0 && sum == csum_partial(reply, reply_len));
	reply_oracle_check(&oracle, reply, reply_len);
}

// Of what came with a chain only proofs of wildcards go along, for a client that validates.
static bool has_proofs_alone(const struct dns_query *q)
{
	return second.nscount == 0 || (q->dnssec_ok && second.nscount <= first.nscount);
}

// A chain that leads on, as the message before a further reply (here none): all of its answer
// records come out again, with no TTL longer.
static void read_before(const struct dns_query *q, size_t len)
{
	const struct dns_chain chain = {.asked = &q->name, .before = whole, .before_len = len};
	int rc = dns_answer_read_chain(NULL, 0, &chain, q, 0, &limits, &second);
	FUZZ_CHECK(rc == 0 || rc == -E2BIG || rc == -EPROTO);
	if (rc)
		return;
	FUZZ_CHECK(second.ancount == first.ancount && second.cname_count == first.cname_count);
	FUZZ_CHECK(second.reply_cnames == 0 && has_proofs_alone(q) && !second.is_open);
	FUZZ_CHECK(second.sum == csum_partial(second.bytes, second.len));
}

// The first CNAMEs of it alone.
static void read_hops(const uint8_t *data, size_t len, const struct dns_query *q)
{
	const struct dns_chain chain = {.asked = &q->name};
	for (unsigned hops = 1; hops <= first.cname_count; hops++) {
		int rc = dns_answer_read_chain(data, len, &chain, q, hops, &limits, &second);
		FUZZ_CHECK(rc == 0 || rc == -E2BIG);
		if (rc)
			return;
		FUZZ_CHECK(second.kind == DNS_ANSWER_NODATA && second.rcode == 0);
		FUZZ_CHECK(second.cname_count == hops && second.is_open && has_proofs_alone(q));
		FUZZ_CHECK(second.ancount >= hops && second.ancount <= first.ancount);
	}
}

// Without parameters that services may lose: no other record has changed, and no signature of a
// service that has.
static void read_stripped(const uint8_t *data, size_t len, const struct dns_query *q)
{
	struct dns_answer_rules rules = limits;
	rules.svc_strip = DNS_SVC_ECH | DNS_SVC_IPV4HINT | DNS_SVC_IPV6HINT;
	FUZZ_CHECK(dns_answer_read(data, len, q, &rules, &second) == 0);
	FUZZ_CHECK(second.sum == csum_partial(second.bytes, second.len));
	FUZZ_CHECK(second.ancount <= first.ancount && second.nscount == first.nscount);
	FUZZ_CHECK(second.is_stripped || second.len == first.len);
	struct rd r = rd_init(second.bytes, second.len);
	for (unsigned i = 0; i < second.ancount; i++) {
		dns_name_skip(&r);
		const uint16_t type = rd_u16(&r);
		rd_skip(&r, 6);
		const uint16_t rdata_len = rd_u16(&r);
		struct rd rdata = rd_init(r.base, r.pos + rdata_len);
		rdata.pos = r.pos;
		rd_skip(&r, rdata_len);
		FUZZ_CHECK(rd_ok(&r));
		if (type != DNS_TYPE_HTTPS && type != DNS_TYPE_SVCB)
			continue;
		rd_skip(&rdata, 2);
		dns_name_skip(&rdata);
		for (int before = -1; rd_left(&rdata);) {
			const uint16_t key = rd_u16(&rdata);
			rd_skip(&rdata, rd_u16(&rdata));
			FUZZ_CHECK(rd_ok(&rdata) && key > before && (key < 4 || key > 6));
			before = key;
		}
	}
}

// What was read of `first` is the same, but for TTLs, which `first` has from `second` then.
static void check_again(void)
{
	FUZZ_CHECK(second.kind == first.kind && second.rcode == first.rcode);
	FUZZ_CHECK(second.ancount == first.ancount && second.nscount == first.nscount);
	FUZZ_CHECK(second.len == first.len && second.ttl_s == first.ttl_s);
	// Sets that share a cell share their least TTL, which a SOA's new one may have become.
	for (unsigned i = 0; i < first.ttl_count; i++) {
		uint8_t *kept = first.bytes + first.ttl_off[i];
		const uint8_t *again = second.bytes + second.ttl_off[i];
		FUZZ_CHECK(second.ttl_off[i] == first.ttl_off[i]);
		FUZZ_CHECK(get_u32(again) <= get_u32(kept));
		memcpy(kept, again, 4);
	}
	FUZZ_CHECK(memcmp(second.bytes, first.bytes, first.len) == 0);
	first.sum = second.sum;
}

FUZZ_BODY(data, len)
{
	struct dns_query q;
	if (!question_of(data, len, &q) || dns_answer_read(data, len, &q, &limits, &first))
		return 0;
	if (first.truncated || first.kind == DNS_ANSWER_FAILURE) {
		FUZZ_CHECK(first.len == 0 && first.ancount == 0 && first.ttl_count == 0);
		return 0;
	}
	FUZZ_CHECK(first.ttl_count == first.ancount + first.nscount && first.arcount == 0);
	FUZZ_CHECK(first.sum == csum_partial(first.bytes, first.len));
	FUZZ_CHECK(first.ttl_s <= limits.max_s && first.cname_count <= DNS_ANSWER_CNAME_MAX);
	for (unsigned i = 0; i < first.ttl_count; i++) {
		FUZZ_CHECK(i == 0 || first.ttl_off[i] >= first.ttl_off[i - 1] + 11);
		FUZZ_CHECK(first.ttl_off[i] + 6 <= first.len);
		FUZZ_CHECK(get_u32(first.bytes + first.ttl_off[i]) >= first.ttl_s);
	}

	read_stripped(data, len, &q);
	read_aliased(data, len, &q, first.ancount);
	read_hops(data, len, &q);
	const struct dns_reply_opts o = {.ede = DNS_EDE_NONE, .limit = DNS_MESSAGE_MAX};
	struct dns_answer_view view = dns_answer_view_of(&first);
	uint16_t sum;
	uint16_t n = dns_reply_answer(whole, sizeof(whole), &q, &view, &o, &sum);
	FUZZ_CHECK(n == DNS_HEADER_LEN + q.question_len + first.len);
	FUZZ_CHECK(sum == csum_partial(whole, n));
	if (first.is_open)
		read_before(&q, n);
	int rc = dns_answer_read(whole, n, &q, &limits, &second);
	FUZZ_CHECK(rc == 0 || (rc == -E2BIG && n < len));
	if (rc == 0)
		check_again();
	tell(&q, 0, 0, DNS_EDNS_SIZE);
	tell(&q, DNS_EDNS_SIZE, 7, DNS_EDNS_SIZE);
	tell(&q, 600, UINT32_MAX, REPLY_ORACLE_TCP);
	return 0;
}
