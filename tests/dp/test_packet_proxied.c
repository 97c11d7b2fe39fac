// SPDX-License-Identifier: BSD-3-Clause
// Queries that balancers forward: the client that a PROXY header names has its own access, rate,
// group, misses and rows of the query log.
#include "dataplane/state/worker.h"
#include "proxy_wire.h"

enum { LOG_UNITS = 1024, KIDS = 1 };

PACKET_TEST_OF(test_access_is_the_clients, begin())
{
	struct ip_address allow[] = {
		address_of_text("203.0.113.0/24"), address_of_text("2001:db8::/32")};
	struct ip_address deny = address_of_text(KID);
	struct config_access access = {
		.allow = allow, .allow_count = 2, .deny = &deny, .deny_count = 1};
	const struct wire_query q = {.name = "a.example", .has_vlan = true, .vlan_tci = 9},
				q6 = {.name = "a.example", .version = 6};
	const struct header ours = naming(CLIENT4, 0), ours6 = naming(CLIENT6, 0),
			    denied = naming(KID, 0), foreign = naming("2001:db9::1", 0);
	struct wire_reply r;
	harness_access(h, &access);
	answered(h, &q, &ours, VERDICT_hit, &r);
	answered(h, &q6, &ours6, VERDICT_hit, &r);
	dropped(h, &q, &denied, VERDICT_drop_denied);
	dropped(h, &q6, &denied, VERDICT_drop_denied);
	dropped(h, &q, &foreign, VERDICT_drop_denied);
	access.refuse = true;
	harness_access(h, &access);
	answered(h, &q, &denied, VERDICT_refused_denied, &r);
	answered(h, &q6, &foreign, VERDICT_refused_denied, &r);
	assert_int_equal(r.rcode, DNS_RCODE_REFUSED);
}

// One client's rate is not the balancer's, behind which the others go on.
PACKET_TEST_OF(test_rate_is_the_clients, begin())
{
	enum { RATE = 10, BURST_S = 2 };
	struct ip_address allow[] = {address_of_text("0.0.0.0/0"), address_of_text("::/0")};
	const struct config_access access = {
		.allow = allow, .allow_count = 2, .rate = RATE, .burst_s = BURST_S};
	const struct wire_query q = {.name = "a.example"};
	const struct header flood = naming(CLIENT4, 0), other = naming("198.51.100.7", 0),
			    six = naming(CLIENT6, 0);
	uint8_t frame[WIRE_MAX];
	struct wire_reply r;
	harness_access_at(h, &access, 1000);
	for (unsigned i = 0; i < 4 * RATE * BURST_S; i++)
		harness_inject(h, frame, frame_make(&q, &flood, frame));
	harness_turns(h);
	assert_int_equal(harness_verdict(h, VERDICT_hit), RATE * BURST_S);
	assert_int_equal(harness_verdict(h, VERDICT_drop_limited), 3 * RATE * BURST_S);
	harness_drain(h);
	answered(h, &q, &other, VERDICT_hit, &r);
	answered(h, &q, &six, VERDICT_hit, &r);
}

// A buffer that had a balancer's query has a client's own later, next to a balancer's.
PACKET_TEST_OF(test_buffers_change_hands, begin())
{
	const struct wire_query theirs = {.name = "a.example"},
				own = {.name = "a.example", .src = "198.18.0.9"};
	const struct header header = naming(CLIENT4, 0);
	uint8_t frame[WIRE_MAX];
	struct wire_reply r;
	answered(h, &theirs, &header, VERDICT_hit, &r);
	for (unsigned i = 1; i < h->pool_baseline; i++) // its turn comes after all others
		harness_ask(h, &own, VERDICT_hit);
	harness_inject(h, frame, wire_make(&own, frame));
	harness_inject(h, frame, frame_make(&theirs, &header, frame));
	harness_turns(h);
	wire_check_answers(frame, harness_take(h, frame), &own, &r);
	wire_check_answers(frame, harness_take(h, frame), &theirs, &r);
}

// By the address alone: the tag and the MAC address of the frame are the balancer's.
PACKET_TEST_OF(test_group_is_the_clients, begin())
{
	static const char *const listed[] = {"ads.example"};
	static const char *const prefixes[] = {KID " 2001:db8::/64", "02:00:00:00:00:22 vlan7"};
	static const struct policy_group groups[] = {
		{.lists = {0}}, {.lists = {7}}, {.lists = {7}}};
	harness_groups(h, prefixes, 2, groups);
	harness_block(h, listed, 1);
	HARNESS_PUT(h, .name = "ads.example", .count = 1);
	for (unsigned i = 0; i < 4; i++) {
		const struct wire_query q = {.name = "ads.example",
			.version = i & 1 ? 6 : 4,
			.has_vlan = i & 2,
			.vlan_tci = 7,
			.edns = true};
		const struct header kid = naming(KID, 0), other = naming(CLIENT4, 0),
				    six = naming(CLIENT6, 0), local = plain(LOCAL, 0, 0);
		struct wire_reply r;
		answered(h, &q, &kid, VERDICT_blocked, &r);
		assert_int_equal(r.ede, DNS_EDE_BLOCKED);
		answered(h, &q, &six, VERDICT_blocked, &r);
		answered(h, &q, &other, VERDICT_hit, &r);
		answered(h, &q, &local, VERDICT_blocked, &r);
	}
	assert_int_equal(h->stats.group[KIDS], 8);
}

// The miss names the client, and the answer finds the balancer.
static void miss_and_answer(
	struct harness *h, const struct wire_query *q, const char *client, unsigned id)
{
	const struct header header = naming(client, id % 3);
	uint8_t dns[12 + 300], frame[WIRE_MAX], wanted[16] = {0};
	struct wire_reply r;
	dropped(h, q, &header, VERDICT_miss);
	const struct msg_miss m = harness_miss(h);
	assert_int_equal(m.path.ip_version, strchr(client, ':') ? 6 : 4);
	assert_int_equal(inet_pton(m.path.ip_version == 6 ? AF_INET6 : AF_INET, client, wanted), 1);
	assert_memory_equal(m.path.client_ip, wanted, 16);
	assert_int_equal(wire_u16((const uint8_t *)&m.path.client_udp), 999);
	assert_int_equal(m.path.via.ip_version, q->version == 6 ? 6 : 4);
	assert_int_equal(m.query_len, 12 + m.question_len);
	const struct msg_answer head = harness_answer_to(&m, 0x8180, dns);
	ANSWER_TAKEN(h, &head, dns, head.dns_len);
	wire_check_answers(frame, harness_take(h, frame), q, &r);
}

PACKET_TEST_OF(test_misses, begin())
{
	static const char *const clients[] = {CLIENT4, CLIENT6};
	for (unsigned i = 0; i < 16; i++) {
		const struct wire_query q = {.name = "Cold.example",
			.version = i & 1 ? 6 : 4,
			.has_vlan = i & 2,
			.vlan_tci = 99,
			.csum = i & 8 && !(i & 1) ? WIRE_CSUM_ZERO : WIRE_CSUM_RIGHT,
			.id = (uint16_t)(100 + i),
			.src_port = (uint16_t)(1000 + i)};
		miss_and_answer(h, &q, clients[i / 4 % 2], i);
	}
	assert_int_equal(harness_counter(h, COUNTER_answers), 16);
}

static struct {
	alignas(CACHE_LINE) struct ring_index tail, head;
	alignas(CACHE_LINE) uint8_t data[LOG_UNITS * RING_UNIT];
	_Atomic uint64_t owed;
	struct ring_consumer ring;
	uint16_t type;
	uint8_t msg[LOG_WHOLE_MAX];
	struct log_record record;
	struct log_whole_view view;
} end;

// The record of a query, with its messages where they are kept. `tlvs`: bytes of the header's TLVs.
static void recorded(struct harness *h, const struct wire_query *q, const char *client,
	unsigned tlvs, const char *service, enum verdict v)
{
	const struct header header = naming(client, tlvs);
	uint8_t bytes[16] = {0}, dns[WIRE_MAX];
	struct wire_reply r;
	const bool is_six = strchr(client, ':'), is_six_service = strchr(service, ':');
	answered(h, q, &header, v, &r);
	const int len = ring_read(&end.ring, end.msg, sizeof(end.msg), &end.type);
	ring_release(&end.ring);
	assert_true(len > 0);
	memcpy(&end.record, end.msg, sizeof(end.record));
	assert_int_equal(end.record.verdict, v);
	assert_int_equal(!!(end.record.flags & LOG_IPV6), is_six);
	assert_int_equal(inet_pton(is_six ? AF_INET6 : AF_INET, client, bytes), 1);
	assert_memory_equal(end.record.client, bytes, 16);
	assert_int_equal(end.record.client_port, 999);
	assert_int_equal(end.record.query_len, wire_make_dns(q, dns));
	assert_int_equal(end.record.reply_len, r.dns_len);
	if (end.type != MSG_LOG_WHOLE)
		return;
	assert_int_equal(log_whole_read(end.msg, (size_t)len, &end.view), 0);
	memset(bytes, 0, sizeof(bytes));
	assert_int_equal(inet_pton(is_six_service ? AF_INET6 : AF_INET, service, bytes), 1);
	assert_memory_equal(end.view.ends.service, bytes, 16);
	assert_int_equal(end.view.ends.service_port, 53);
	assert_int_equal(end.view.ends.service_version, is_six_service ? 6 : 4);
	assert_non_null(end.view.query);
	assert_memory_equal(end.view.query, dns, end.record.query_len);
	assert_non_null(end.view.reply);
}

TEST(test_log_has_the_client)
{
	static const enum log_detail details[] = {LOG_DETAIL_NONE, LOG_DETAIL_MESSAGES};
	static const char *const listed[] = {"ads.example"};
	for (unsigned d = 0; d < ARRAY_LEN(details); d++) {
		struct harness *h = begin();
		memset(&end, 0, sizeof(end));
		h->tables.config.log_detail = (uint8_t)details[d];
		log_writer_init(&h->w.log, &end.tail, &end.head, end.data, LOG_UNITS, &end.owed);
		log_writer_set(&h->w.log, 1, 0);
		ring_consumer_init(&end.ring, &end.tail, &end.head, end.data, LOG_UNITS);
		harness_block(h, listed, 1);
		for (unsigned i = 0; i < 16; i++) {
			const struct wire_query q = {.name = i & 4 ? "ads.example" : "a.example",
				.version = i & 1 ? 6 : 4,
				.has_vlan = true,
				.vlan_tci = 3};
			recorded(h, &q, i & 2 ? CLIENT6 : CLIENT4, i >> 3,
				i & 1 ? WIRE_SERVICE6 : WIRE_SERVICE4,
				i & 4 ? VERDICT_blocked : VERDICT_hit);
			assert_int_equal(end.type, d ? MSG_LOG_WHOLE : MSG_LOG);
		}
		harness_end(h);
	}
}
