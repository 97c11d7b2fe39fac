// SPDX-License-Identifier: BSD-3-Clause

// A value that a Redis server says we stored: from the bytes of its reply to the message inside,
// which is then an answer like any other, and to a client's reply. The first byte chooses: even:
// the rest is the server's reply; odd: the rest is age (2), TTL (2) and the message, in a sound
// reply.

#include "controlplane/l1/l1_value.h"
#include "controlplane/l1/redis_wire.h"
#include "fuzz.h"
#include "tests/oracle/reply_oracle.h"

enum { NOW_S = 1700000000, REPLY_MAX = L1_MESSAGE_MAX + 512, NUMBERS = 4, QUERY_MAX = 300 };

static const struct ttl_rules rules = {
	.limits = {.min_s = 0, .max_s = 86400, .negative_s = 3600}, .stale_window_s = 86400};

static size_t build(char *out, const uint8_t *data, size_t len)
{
	unsigned age = data[0] * 256u + data[1], ttl = data[2] * 256u + data[3];
	char created[12], soft[12], stored[12];
	int created_len = snprintf(created, sizeof(created), "%u", NOW_S - age);
	int soft_len = snprintf(soft, sizeof(soft), "%u", NOW_S - age + ttl);
	int stored_len = snprintf(stored, sizeof(stored), "%u", ttl);
	size_t n = (size_t)sprintf(out, "*7\r\n$1\r\n1\r\n$%zu\r\n", len - NUMBERS);
	memcpy(out + n, data + NUMBERS, len - NUMBERS);
	n += len - NUMBERS;
	return n
	       + (size_t)sprintf(out + n,
		       "\r\n$%d\r\n%s\r\n$%d\r\n%s\r\n$%d\r\n%s\r\n$%d\r\n%s\r\n$-1\r\n",
		       created_len, created, soft_len, soft, stored_len, stored, stored_len,
		       stored);
}

// As the resolver uses it: for the question that the message says it is about.
static void use(const struct l1_value *v)
{
	static struct dns_answer answer;
	static uint8_t reply[DNS_MESSAGE_MAX];
	uint8_t query[QUERY_MAX];
	struct dns_name name;
	struct dns_query q;
	struct rd r = rd_init(v->msg, v->len);
	rd_skip(&r, DNS_HEADER_LEN);
	if (dns_name_read(&r, &name) || rd_left(&r) < 4)
		return;
	uint16_t n = dns_query_write(query, sizeof(query), 7, v->msg + DNS_HEADER_LEN,
		(uint16_t)(r.pos + 4 - DNS_HEADER_LEN), false, v->len & 1);
	if (n == 0 || dns_query_parse(query, n, &q) != DNS_QUERY_OK
		|| dns_answer_read(v->msg, v->len, &q, &rules.limits, &answer)
		|| answer.kind == DNS_ANSWER_FAILURE)
		return;
	const struct dns_answer_view view = dns_answer_view_of(&answer);
	const struct dns_reply_opts o = {
		.age_s = v->age_s, .ede = DNS_EDE_NONE, .limit = DNS_EDNS_SIZE};
	uint16_t sum;
	memcpy(reply, query, n);
	n = dns_reply_answer(reply, sizeof(reply), &q, &view, &o, &sum);
	FUZZ_CHECK(n > 0 && sum == csum_partial(reply, n));
	const struct reply_oracle oracle = {.query = query,
		.query_len = DNS_HEADER_LEN + (size_t)q.question_len + DNS_OPT_FIXED_LEN,
		.limit = DNS_EDNS_SIZE};
	reply_oracle_check(&oracle, reply, n);
}

FUZZ_BODY(data, len)
{
	static char made[REPLY_MAX];
	struct redis_reader *reader;
	const struct redis_reply *reply;
	struct l1_value v;
	const void *bytes = data + 1;
	size_t n = len - 1;
	if (len < 1 + NUMBERS || len > L1_MESSAGE_MAX + 64)
		return 0;
	if (data[0] & 1) {
		n = build(made, data + 1, n);
		bytes = made;
	}
	struct growth growth = {0};
	FUZZ_CHECK(redis_reader_new(&reader, REDIS_REPLY_MAX, &growth) == 0);
	if (redis_reader_feed(reader, bytes, n) == 0 && redis_reader_next(reader, &reply) == 1
		&& l1_value_read(reply, &rules, NOW_S, &v) == L1_HIT) {
		FUZZ_CHECK(v.len >= DNS_HEADER_LEN && v.len <= L1_MESSAGE_MAX);
		FUZZ_CHECK(v.stored_ttl_s > 0 && v.stored_ttl_s <= TTL_MAX_S);
		FUZZ_CHECK(v.soft_left_s <= (int32_t)v.stored_ttl_s);
		use(&v);
	}
	redis_reader_free(reader);
	return 0;
}
