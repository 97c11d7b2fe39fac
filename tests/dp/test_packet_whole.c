// SPDX-License-Identifier: BSD-3-Clause
// Records of the query log with both ends and both messages: byte for byte what was on the wire,
// whatever became of the query; and what is left out, when.
#include "harness.h"

#include <weir/log_msg.h>

enum { UNITS = 1024, ETHER = 14, TAG = 4, UDP = 8 };

static struct {
	alignas(CACHE_LINE) struct ring_index tail, head;
	alignas(CACHE_LINE) uint8_t data[UNITS * RING_UNIT];
	_Atomic uint64_t owed;
	struct ring_consumer ring;
} end;

// The last record read.
static struct {
	uint16_t type;
	uint8_t msg[LOG_WHOLE_MAX];
	struct log_record record;
	struct log_whole_view view;
} got;

static struct harness *begin(enum log_detail detail)
{
	struct harness *h = harness_begin(NULL);
	memset(&end, 0, sizeof(end));
	h->tables.config.log_detail = (uint8_t)detail;
	log_writer_init(&h->w.log, &end.tail, &end.head, end.data, UNITS, &end.owed);
	log_writer_set(&h->w.log, 1, 0);
	ring_consumer_init(&end.ring, &end.tail, &end.head, end.data, UNITS);
	return h;
}

static bool next(void)
{
	int len = ring_read(&end.ring, got.msg, sizeof(got.msg), &got.type);
	ring_release(&end.ring);
	assert_true(len >= 0);
	if (len == 0)
		return false;
	memcpy(&got.record, got.msg, sizeof(got.record));
	if (got.type == MSG_LOG_WHOLE)
		assert_int_equal(log_whole_read(got.msg, (size_t)len, &got.view), 0);
	return true;
}

// Where a frame that we made has its DNS message.
static size_t dns_at(const struct wire_query *q)
{
	size_t ip = q->version == 6 ? 40 : 20 + q->ip_option_len;
	return ETHER + (q->has_vlan ? TAG : 0) + ip + UDP;
}

static void expect_ends(const struct wire_query *q)
{
	uint8_t client[16] = {0}, service[16] = {0};
	const bool is_six = q->version == 6;
	const int family = is_six ? AF_INET6 : AF_INET;
	assert_int_equal(inet_pton(family, is_six ? WIRE_CLIENT6 : WIRE_CLIENT4, client), 1);
	assert_int_equal(inet_pton(family, is_six ? WIRE_SERVICE6 : WIRE_SERVICE4, service), 1);
	assert_memory_equal(got.record.client, client, 16);
	assert_memory_equal(got.view.ends.service, service, 16);
	assert_int_equal(got.record.client_port, q->src_port ? q->src_port : 4242);
	assert_int_equal(got.view.ends.service_port, 53);
}

// The query and its reply, or its want of one, as a record has them.
static void expect_exchange(struct harness *h, const struct wire_query *q, enum verdict v)
{
	uint8_t asked[WIRE_MAX], reply[WIRE_MAX];
	const size_t at = dns_at(q), asked_len = wire_make(q, asked);
	const uint64_t before = harness_verdict(h, v);
	harness_send(h, asked, asked_len);
	assert_int_equal(harness_verdict(h, v), before + 1);
	const size_t reply_len = harness_take(h, reply);
	assert_true(next());
	assert_int_equal(got.type, MSG_LOG_WHOLE);
	assert_int_equal(got.record.verdict, v);
	expect_ends(q);
	assert_int_equal(got.record.query_len, asked_len - at - q->padding);
	assert_non_null(got.view.query);
	assert_memory_equal(got.view.query, asked + at, got.record.query_len);
	assert_int_equal(got.view.reply != NULL, reply_len > 0);
	if (reply_len) {
		// A reply has no IP options, and no padding here.
		const size_t from = at - q->ip_option_len;
		assert_int_equal(got.record.reply_len, reply_len - from);
		assert_memory_equal(got.view.reply, reply + from, got.record.reply_len);
	}
	assert_false(next());
}

PACKET_TEST_OF(test_whatever_becomes_of_it, begin(LOG_DETAIL_MESSAGES))
{
	static const struct harness_rule rules[] = {
		{"nx.example", RULE_CLASS_BLOCK, RULE_REPLY_NXDOMAIN, 0, 0, NULL},
		{"drop.example", RULE_CLASS_BLOCK, RULE_REPLY_DROP, 0, 0, NULL},
	};
	static const struct {
		struct wire_query q;
		enum verdict v;
	} cases[] = {
		{{.name = "WwW.example"}, VERDICT_hit},
		{{.name = "www.EXAMPLE", .edns = true, .dnssec_ok = true, .src_port = 999},
			VERDICT_hit},
		{{.name = "www.example", .version = 6, .has_vlan = true, .vlan_tci = 5},
			VERDICT_hit},
		{{.name = "www.example", .ip_option_len = 12, .csum = WIRE_CSUM_ZERO}, VERDICT_hit},
		{{.name = "www.example", .padding = 7}, VERDICT_hit},
		{{.name = "a.nx.example", .edns = true}, VERDICT_blocked},
		{{.name = "drop.example", .version = 6}, VERDICT_drop_rule},
		{{.name = "x.example", .edns = true, .edns_version = 1}, VERDICT_badvers},
		{{.name = "x.example", .flags = 0x2800}, VERDICT_notimp},
		{{.name = "www.example", .extra_bytes = 3}, VERDICT_hit},
		{{.name = "x.example", .flags = 0x0130, .qtype = 252}, VERDICT_refused},
	};
	harness_all_lists(h);
	harness_rules(h, rules, ARRAY_LEN(rules));
	HARNESS_PUT(h, .name = "www.example", .count = 3);
	HARNESS_PUT(h, .name = "www.example", .key_flags = L0_KEY_DO, .count = 20);
	for (unsigned i = 0; i < ARRAY_LEN(cases); i++)
		expect_exchange(h, &cases[i].q, cases[i].v);
	h->w.port[0].is_screened = h->strip_vlan = true; // whose tag is put back
	expect_exchange(h, &cases[2].q, cases[2].v);
	h->w.port[0].is_screened = h->strip_vlan = false;
}

// Its record comes from the control plane, which gets the query along with the miss.
PACKET_TEST_OF(test_a_miss, begin(LOG_DETAIL_MESSAGES))
{
	uint8_t asked[WIRE_MAX];
	const struct wire_query q = {.name = "Miss.Example", .edns = true};
	const size_t len = wire_make_dns(&q, asked);
	const struct msg_miss m = harness_ask_missed(h, &q);
	assert_int_equal(m.whole_len, len);
	assert_int_equal(m.query_len, len);
	assert_memory_equal(harness_question + m.question_len, asked, len);
	assert_false(next());
	h->tables.config.log_detail = LOG_DETAIL_ENDS;
	assert_int_equal(harness_ask_missed(h, QUERY(.name = "other.example")).whole_len, 0);
}

PACKET_TEST_OF(test_only_the_ends, begin(LOG_DETAIL_ENDS))
{
	const struct wire_query q = {.name = "www.example"}, six = {"www.example", .version = 6};
	HARNESS_PUT(h, .name = "www.example", .count = 1);
	harness_ask(h, &q, VERDICT_hit);
	assert_true(next());
	assert_int_equal(got.type, MSG_LOG_WHOLE);
	expect_ends(&q);
	assert_null(got.view.query);
	assert_null(got.view.reply);
	harness_ask(h, &six, VERDICT_hit);
	assert_true(next());
	expect_ends(&six);
	h->tables.config.log_detail = LOG_DETAIL_NONE;
	harness_ask(h, &q, VERDICT_hit);
	assert_true(next());
	assert_int_equal(got.type, MSG_LOG);
}

// One that is longer than what is kept of a frame is left out, and its reply is there.
PACKET_TEST_OF(test_a_query_that_is_too_long, begin(LOG_DETAIL_MESSAGES))
{
	uint8_t asked[WIRE_MAX], reply[WIRE_MAX];
	const struct wire_query q = {.name = "www.example", .extra_bytes = 1600};
	HARNESS_PUT(h, .name = "www.example", .count = 1);
	harness_send(h, asked, wire_make(&q, asked));
	assert_true(harness_take(h, reply) > 0);
	assert_true(next());
	assert_true(got.record.query_len > 1600);
	assert_null(got.view.query);
	assert_non_null(got.view.reply);
}

// Nobody reads. Records go on without messages once half of the ring is full, so there are more of
// them than if each had its messages; and every message is whole.
PACKET_TEST_OF(test_records_come_first, begin(LOG_DETAIL_MESSAGES))
{
	uint64_t weight = 0;
	unsigned with = 0, without = 0, asked = 0;
	const struct wire_query q = {.name = "www.example", .edns = true};
	HARNESS_PUT(h, .name = "www.example", .count = 20);
	for (; asked < 2 * UNITS; asked++)
		harness_ask(h, &q, VERDICT_hit);
	while (next()) {
		assert_int_equal(got.type, MSG_LOG_WHOLE);
		assert_int_equal((got.view.query != NULL), (got.view.reply != NULL));
		*(got.view.query ? &with : &without) += 1;
		weight += got.record.weight;
	}
	assert_int_equal(weight + atomic_load(&end.owed), asked);
	assert_true(with > 0 && without > with);
	harness_ask(h, &q, VERDICT_hit);
	assert_true(next());
	assert_non_null(got.view.query); // there is room again
}
