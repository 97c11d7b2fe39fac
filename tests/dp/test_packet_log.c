// SPDX-License-Identifier: BSD-3-Clause
// Records of the query log: one for each query that the worker ends, none for what is no query or
// goes to the control plane, with what the reply said; and the sum of weights over any traffic.
#include "harness.h"

enum { UNITS = 1024 };

struct log_end {
	alignas(CACHE_LINE) struct ring_index tail, head;
	alignas(CACHE_LINE) uint8_t data[UNITS * RING_UNIT];
	_Atomic uint64_t owed;
	struct ring_consumer ring;
	struct log_record record; // the last one read
	char name[DNS_NAME_TEXT_MAX];
	uint64_t weight, records;
};

static struct log_end end;

static struct harness *begin(uint32_t sample)
{
	struct harness *h = harness_begin(NULL);
	memset(&end, 0, sizeof(end));
	log_writer_init(&h->w.log, &end.tail, &end.head, end.data, UNITS, &end.owed);
	log_writer_set(&h->w.log, sample, 0);
	ring_consumer_init(&end.ring, &end.tail, &end.head, end.data, UNITS);
	return h;
}

static bool next(void)
{
	uint8_t msg[LOG_MESSAGE_MAX];
	struct dns_name name;
	uint16_t type;
	int len = ring_read(&end.ring, msg, sizeof(msg), &type);
	ring_release(&end.ring);
	if (len == 0)
		return false;
	assert_int_equal(type, MSG_LOG);
	memcpy(&end.record, msg, sizeof(end.record));
	assert_int_equal(len, sizeof(end.record) + end.record.name_len);
	end.name[0] = '\0';
	if (end.record.name_len) {
		struct rd rd = rd_init(msg + sizeof(end.record), end.record.name_len);
		assert_int_equal(dns_name_read(&rd, &name), 0);
		(void)dns_name_to_text(&name, end.name);
	}
	end.weight += end.record.weight;
	end.records++;
	return true;
}

// Exactly one record, of that verdict.
static const struct log_record *only(enum verdict v)
{
	assert_true(next());
	assert_int_equal(end.record.verdict, v);
	assert_int_equal(end.record.weight, 1);
	struct log_record kept = end.record;
	assert_false(next());
	end.record = kept;
	return &end.record;
}

static void expect_client(const struct log_record *r, const char *text)
{
	uint8_t bytes[16] = {0};
	int family = r->flags & LOG_IPV6 ? AF_INET6 : AF_INET;
	assert_int_equal(inet_pton(family, text, bytes), 1);
	assert_memory_equal(r->client, bytes, 16);
	assert_int_equal(r->client_port, 4242);
}

PACKET_TEST_OF(test_hits, begin(1))
{
	struct wire_query q = {.name = "WWW.example"};
	uint64_t before_us = h->start_ms * 1000;
	HARNESS_PUT(h, .name = "www.example", .count = 1);
	harness_ask(h, &q, VERDICT_hit);
	const struct log_record *r = only(VERDICT_hit);
	assert_string_equal(end.name, "www.example");
	expect_client(r, WIRE_CLIENT4);
	assert_int_equal(r->qtype, 1);
	assert_int_equal(r->qclass, 1);
	assert_int_equal(r->rcode, 0);
	assert_int_equal(r->query_len, 12 + 13 + 4);
	assert_int_equal(r->reply_len, 12 + 13 + 4 + 16);
	assert_int_equal(r->ede, LOG_NO_EDE);
	assert_int_equal(r->list, LOG_NO_LIST);
	assert_int_equal(r->flags, LOG_ANSWERED | LOG_TIER_L0 << LOG_TIER_SHIFT);
	assert_true(r->time_us >= before_us && r->time_us <= clock_mono_us());

	q.version = 6;
	q.has_vlan = true;
	q.vlan_tci = 5;
	harness_ask(h, &q, VERDICT_hit);
	r = only(VERDICT_hit);
	assert_true(r->flags & LOG_IPV6);
	expect_client(r, WIRE_CLIENT6);
	q = (struct wire_query){.name = "www.example", .ip_option_len = 12};
	harness_ask(h, &q, VERDICT_hit);
	expect_client(only(VERDICT_hit), WIRE_CLIENT4);
}

static unsigned validation_of(const struct log_record *r)
{
	assert_true(r->flags & LOG_ANSWERED);
	return r->rcode >> LOG_VALIDATION_SHIFT;
}

// Of each kind of hit by both forms of a record, whether or not the client asked for AD; and not of
// a question that the record does not answer.
TEST(test_validation)
{
	static const struct harness_record records[] = {
		{.name = "secure.example", .count = 1, .authenticated = true},
		{.name = "insecure.example", .count = 1, .insecure = true},
		{.name = "unknown.example", .count = 1},
		{.name = "old.example",
			.count = 1,
			.created_ms = -70000,
			.soft_ms = 60000,
			.authenticated = true},
	};
	static const unsigned expected[] = {LOG_VALIDATION_SECURE, LOG_VALIDATION_INSECURE,
		LOG_VALIDATION_NONE, LOG_VALIDATION_SECURE};
	static const char *const blocked[] = {"secure.example"};
	for (uint32_t sample = 1; sample <= 2; sample++) {
		struct harness *h = begin(sample);
		h->w.control_alive = 0;
		for (unsigned i = 0; i < ARRAY_LEN(records); i++) {
			const struct wire_query q = {.name = records[i].name};
			const enum verdict v =
				records[i].created_ms ? VERDICT_hit_stale : VERDICT_hit;
			harness_put(h, &records[i]);
			for (uint32_t n = 0; n < sample; n++)
				harness_ask(h, &q, v);
			assert_true(next());
			assert_int_equal(validation_of(&end.record), expected[i]);
		}
		harness_block(h, blocked, 1);
		for (uint32_t n = 0; n < sample; n++)
			harness_ask(h, QUERY(.name = blocked[0]), VERDICT_blocked);
		assert_true(next());
		assert_int_equal(validation_of(&end.record), LOG_VALIDATION_NONE);
		harness_end(h);
	}
}

PACKET_TEST_OF(test_error_without_room, begin(1))
{
	enum { SIZE = 512, TYPE = 65280, DATA_LEN = SIZE - 12 - 17 - 12 - 11 };
	struct wire_query q = {
		.name = "old.example", .qtype = TYPE, .edns = true, .edns_size = SIZE};
	h->w.control_alive = 0;
	HARNESS_PUT(h, .name = q.name, .qtype = TYPE, .count = 1, .rdata_len = DATA_LEN,
		.created_ms = -70000, .soft_ms = 60000);
	struct wire_reply reply = harness_ask(h, &q, VERDICT_hit_stale);
	assert_int_equal(reply.count, 1);
	assert_int_equal(reply.ede, -1);
	assert_int_equal(only(VERDICT_hit_stale)->ede, LOG_NO_EDE);
	q.edns_size = SIZE + 6;
	reply = harness_ask(h, &q, VERDICT_hit_stale);
	assert_int_equal(reply.ede, 3);
	assert_int_equal(only(VERDICT_hit_stale)->ede, 3);
}

PACKET_TEST_OF(test_rules, begin(1))
{
	static const struct harness_rule rules[] = {
		{"nx.example", RULE_CLASS_BLOCK, RULE_REPLY_NXDOMAIN, 0, 0, NULL},
		{"drop.example", RULE_CLASS_BLOCK, RULE_REPLY_DROP, 0, 0, NULL},
	};
	struct wire_query q = {.name = "a.nx.example", .edns = true};
	harness_all_lists(h);
	harness_rules(h, rules, ARRAY_LEN(rules));
	harness_ask(h, &q, VERDICT_blocked);
	const struct log_record *r = only(VERDICT_blocked);
	assert_string_equal(end.name, "a.nx.example");
	assert_int_equal(r->list, 2);
	assert_int_equal(r->rcode, 3);
	assert_int_equal(r->ede, 15);
	q = (struct wire_query){.name = "drop.example"};
	harness_ask_dropped(h, &q, VERDICT_drop_rule);
	r = only(VERDICT_drop_rule);
	assert_string_equal(end.name, "drop.example");
	expect_client(r, WIRE_CLIENT4);
	assert_int_equal(r->list, 3);
	assert_int_equal(r->reply_len, 0);
	assert_false(r->flags & LOG_ANSWERED);
}

PACKET_TEST_OF(test_what_has_no_answer_of_its_own, begin(1))
{
	struct wire_query q = {.name = "x.example", .edns = true, .edns_version = 1};
	harness_ask(h, &q, VERDICT_badvers);
	const struct log_record *r = only(VERDICT_badvers);
	assert_int_equal(r->rcode, 16);
	assert_string_equal(end.name, "x.example");
	q = (struct wire_query){.name = "x.example", .flags = 0x2800};
	harness_ask(h, &q, VERDICT_notimp);
	assert_int_equal(only(VERDICT_notimp)->rcode, 4);
	h->w.control_alive = 0;
	q = (struct wire_query){.name = "x.example", .edns = true};
	harness_ask(h, &q, VERDICT_servfail_no_control);
	r = only(VERDICT_servfail_no_control);
	assert_int_equal(r->rcode, 2);
	assert_int_equal(r->ede, 14);
	h->w.control_alive = 1;
	harness_ask_dropped(h, &q, VERDICT_miss); // the control plane's to record
	assert_false(next());
	q.flags = 0x8100;
	harness_ask_dropped(h, &q, VERDICT_drop_dns_response);
	assert_false(next());
}

// The question of a client that may not ask is not read, so the record has none.
PACKET_TEST_OF(test_denied_has_no_question, begin(1))
{
	struct ip_address other = address_of_text(WIRE_SERVICE4);
	harness_access(h, &(struct config_access){.allow = &other, .allow_count = 1});
	harness_ask_dropped(h, QUERY(.name = "asked.example"), VERDICT_drop_denied);
	assert_int_equal(only(VERDICT_drop_denied)->name_len, 0);
	assert_int_equal(end.record.qtype, 0);
}

PACKET_TEST_OF(test_the_longest_name, begin(1))
{
	char name[256];
	memset(name, 'a', sizeof(name));
	for (unsigned i = 63; i < 253; i += 64)
		name[i] = '.';
	name[253] = '\0';
	const struct wire_query q = {.name = name};
	HARNESS_PUT(h, .name = name, .count = 1);
	for (unsigned i = 0; i < 500; i++) { // over the ring's end and end again
		harness_ask(h, &q, VERDICT_hit);
		assert_int_equal(only(VERDICT_hit)->name_len, 255);
		assert_string_equal(end.name, name);
	}
}

// Anything in bursts, read now and then, one of `sample` recorded, over a ring that is often full.
static void weights(uint32_t sample)
{
	static const char *const names[] = {"www.example", "nx.example", "miss.example"};
	struct harness *h = begin(sample);
	uint8_t frame[WIRE_MAX];
	unsigned seed = sample;
	uint64_t logged = 0;
	HARNESS_PUT(h, .name = "www.example", .count = 1);
	harness_block(h, &names[1], 1);
	for (unsigned i = 0; i < 400; i++) {
		unsigned burst = (unsigned)rand_r(&seed) % 40;
		for (unsigned j = 0; j < burst; j++) {
			unsigned what = (unsigned)rand_r(&seed);
			const struct wire_query q = {.name = names[what % 3],
				.version = what / 3 % 2 ? 6 : 4,
				.flags = what / 6 % 20 == 0 ? 0x8100 : 0,
				.qclass = what / 120 % 10 == 0 ? 3 : 0};
			harness_inject(h, frame, wire_make(&q, frame));
		}
		harness_turns(h);
		harness_drain(h);
		if (i % 64 == 63)
			while (next())
				;
	}
	while (next())
		;
	static const enum verdict own[] = {
		VERDICT_hit, VERDICT_blocked, VERDICT_refused, VERDICT_miss_duplicate};
	for (unsigned i = 0; i < ARRAY_LEN(own); i++)
		logged += harness_verdict(h, own[i]);
	assert_true(logged > 2000);
	assert_int_equal(end.weight + atomic_load(&end.owed), logged);
	if (sample == 1)
		assert_true(h->w.log.full > 0);
	else
		assert_in_range(end.records, logged / sample - 1, logged / sample);
	harness_end(h);
}

TEST(test_weights)
{
	weights(1);
	weights(7);
	weights(100);
}

// A batch's records in one piece are as those taken one by one, which a debt of earlier queries
// asks for: the same but for the weight and the times.
static void expect_twins(struct harness *h, const struct wire_query *q, enum verdict v)
{
	enum { OWED = 2 };
	struct log_record one, two;
	harness_ask(h, q, v);
	assert_true(next());
	one = end.record;
	assert_string_equal(end.name, q->name);
	h->w.log.skipped = OWED;
	harness_ask(h, q, v);
	assert_true(next());
	two = end.record;
	assert_string_equal(end.name, q->name);
	assert_int_equal(one.weight, 1);
	assert_int_equal(two.weight, 1 + OWED);
	assert_true(two.time_us >= one.time_us);
	two.weight = one.weight;
	two.time_us = one.time_us;
	two.dataplane_us = one.dataplane_us;
	assert_memory_equal(&one, &two, sizeof(one));
	assert_false(next());
}

PACKET_TEST_OF(test_twins, begin(1))
{
	static const char *const prefixes[] = {WIRE_CLIENT4 " " WIRE_CLIENT6};
	static const struct policy_group group[2];
	char name[256];
	harness_groups(h, prefixes, ARRAY_LEN(prefixes), group);
	h->tables.policy_generation = 6;
	for (unsigned len = 1; len <= 253; len += 9) {
		memset(name, 'a', sizeof(name));
		for (unsigned i = 50; i + 1 < len; i += 51)
			name[i] = '.';
		name[len] = '\0';
		HARNESS_PUT(h, .name = name, .count = 1);
		for (unsigned k = 0; k < 4; k++) {
			const struct wire_query q = {
				.name = name, .version = k & 1 ? 6 : 4, .has_vlan = k & 2};
			expect_twins(h, &q, VERDICT_hit);
			assert_int_equal(end.record.group, group_in_image(1, 6));
			expect_client(&end.record, k & 1 ? WIRE_CLIENT6 : WIRE_CLIENT4);
		}
	}
	const struct wire_query chaos = {.name = "a.example", .qclass = 4, .edns = true};
	expect_twins(h, &chaos, VERDICT_refused);
}

PACKET_TEST_OF(test_off, begin(0))
{
	HARNESS_PUT(h, .name = "www.example", .count = 1);
	harness_ask(h, QUERY(.name = "www.example"), VERDICT_hit);
	assert_false(next());
	assert_int_equal(atomic_load(&end.owed), 0);
}
