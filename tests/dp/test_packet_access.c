// SPDX-License-Identifier: BSD-3-Clause
// Access and rates: the verdicts of packets from clients that may not ask, or not so often.
#include "dataplane/state/worker.h"
#include "harness.h"

enum { RATE = 10, NETWORK_RATE = 25, BURST_S = 2 };

struct lists {
	struct ip_address allow[2], deny[1], unlimited[2];
	struct config_access access;
};

// 198.18.0.0/16 and fd53::/48 may ask, the host .66 not; 198.18.1.0/24 and fd53:0:0:1::/64 as they
// like.
static const struct config_access *lists(struct lists *l, bool refuse, uint32_t slip)
{
	l->allow[0] = address_of_text("198.18.0.0/16");
	l->allow[1] = address_of_text("fd53::/48");
	l->deny[0] = address_of_text("198.18.0.66");
	l->unlimited[0] = address_of_text("198.18.1.0/24");
	l->unlimited[1] = address_of_text("fd53:0:0:1::/64");
	l->access = (struct config_access){
		.refuse = refuse,
		.allow = l->allow,
		.allow_count = 2,
		.deny = l->deny,
		.deny_count = 1,
		.unlimited = l->unlimited,
		.unlimited_count = 2,
		.rate = RATE,
		.network_rate = NETWORK_RATE,
		.burst_s = BURST_S,
		.slip = slip,
	};
	return &l->access;
}

static struct wire_query from(const char *address)
{
	return (struct wire_query){
		.name = "a.example", .src = address, .version = strchr(address, ':') ? 6 : 4};
}

PACKET_TEST(test_denied_gets_nothing)
{
	static const char *const denied[] = {
		"198.18.0.66", "198.19.0.1", "10.0.0.1", "fd54::1", "2001:db8::1"};
	static const char *const allowed[] = {"198.18.0.65", "198.18.255.255", "fd53::1"};
	struct lists l;
	HARNESS_PUT(h, .name = "a.example", .count = 1);
	harness_access(h, lists(&l, false, 0));
	for (size_t i = 0; i < ARRAY_LEN(denied); i++) {
		struct wire_query q = from(denied[i]);
		harness_ask_dropped(h, &q, VERDICT_drop_denied);
	}
	for (size_t i = 0; i < ARRAY_LEN(allowed); i++) {
		struct wire_query q = from(allowed[i]);
		harness_ask(h, &q, VERDICT_hit);
	}
}

// Only to a query: no other packet from there gets a reply.
PACKET_TEST(test_denied_is_told)
{
	struct lists l;
	struct wire_query q = from("198.18.0.66");
	harness_access(h, lists(&l, true, 0));
	struct wire_reply r = harness_ask(h, &q, VERDICT_refused_denied);
	assert_int_equal(r.rcode, DNS_RCODE_REFUSED);
	assert_int_equal(r.count, 0);
	q.edns = true;
	r = harness_ask(h, &q, VERDICT_refused_denied);
	assert_int_equal(r.ede, DNS_EDE_PROHIBITED);
	q.flags = 0x8000; // QR
	harness_ask_dropped(h, &q, VERDICT_drop_denied);
}

// As after a start whose policy image is not usable: the cache holds what others were let ask.
PACKET_TEST(test_closed_without_policy)
{
	struct lists l;
	struct wire_query q = from("198.18.0.65");
	HARNESS_PUT(h, .name = "a.example", .count = 1);
	h->tables.is_closed = true;
	q.edns = true;
	struct wire_reply r = harness_ask(h, &q, VERDICT_servfail_no_policy);
	assert_int_equal(r.rcode, DNS_RCODE_SERVFAIL);
	assert_int_equal(r.ede, DNS_EDE_NOT_READY);
	assert_int_equal(r.count, 0);
	q.flags = 0x8000; // QR
	harness_ask_dropped(h, &q, VERDICT_drop_denied);
	q.flags = 0;
	harness_access(h, lists(&l, false, 0));
	r = harness_ask(h, &q, VERDICT_hit);
}

// Without known limits few clients get a reply in all: forged queries make no reflector of it.
PACKET_TEST(test_closed_tells_few)
{
	enum { ASKED = 2000 };
	uint8_t frame[WIRE_MAX];
	const struct wire_query q = from("198.18.0.65");
	const size_t len = wire_make(&q, frame);
	h->tables.is_closed = true;
	for (unsigned i = 0; i < ASKED; i++) {
		harness_send(h, frame, len);
		harness_drain(h);
	}
	const uint64_t passed_ms = h->w.now_ms - h->start_ms,
		       failed = harness_verdict(h, VERDICT_servfail_no_policy);
	assert_true(failed >= CLOSED_BURST && failed <= CLOSED_BURST + passed_ms);
	assert_int_equal(harness_verdict(h, VERDICT_drop_limited), ASKED - failed);
}

static unsigned ask(struct harness *h, const char *address, unsigned count)
{
	uint8_t frame[WIRE_MAX];
	struct wire_query q = from(address);
	return harness_hits(h, frame, wire_make(&q, frame), count);
}

PACKET_TEST(test_rate_of_address_and_network)
{
	struct lists l;
	HARNESS_PUT(h, .name = "a.example", .count = 1);
	harness_access_at(h, lists(&l, false, 0), 1000);
	// An address has its burst, a network that of two and a half.
	assert_int_equal(ask(h, "198.18.2.1", 100), RATE * BURST_S);
	assert_int_equal(ask(h, "198.18.2.2", 100), RATE * BURST_S);
	assert_int_equal(ask(h, "198.18.2.3", 100), NETWORK_RATE * BURST_S - 2 * RATE * BURST_S);
	assert_int_equal(ask(h, "198.18.2.4", 100), 0);
	assert_int_equal(ask(h, "198.18.3.1", 100), RATE * BURST_S);
	// A /64 is one client, a /56 one network.
	assert_int_equal(ask(h, "fd53:0:0:201::1", 15), 15);
	assert_int_equal(ask(h, "fd53:0:0:201::2", 15), 5);
	assert_int_equal(ask(h, "fd53:0:0:202::2", 100), 20);
	assert_int_equal(ask(h, "fd53:0:0:203::2", 100), 10);
	// Neither applies to these.
	assert_int_equal(ask(h, "198.18.1.1", 200), 200);
	assert_int_equal(ask(h, "fd53:0:0:1::2", 200), 200);
	harness_limits_look(h, 1500);
	assert_int_equal(ask(h, "198.18.2.1", 100), RATE / 2);
	assert_int_equal(ask(h, "198.18.3.1", 100), RATE / 2);
}

// Whole batches of everyone: who runs out within one is turned away from there on, the others are
// not. Each how many-th client is unlimited, is denied, has a frame that says nothing, or a tag; 0:
// none.
struct each {
	unsigned unlimited, denied, damaged, tagged;
};

static bool is_each(unsigned n, unsigned each)
{
	return each && n % each == 0;
}

static void ask_in_batches(const struct each *each)
{
	enum { BATCH = 32, BATCHES = 4 };
	struct harness *h = harness_begin(NULL);
	struct lists l;
	unsigned left[2] = {RATE * BURST_S, RATE * BURST_S}, hits = 0, over = 0, denied = 0,
		 damaged = 0;
	HARNESS_PUT(h, .name = "a.example", .count = 1);
	harness_access_at(h, lists(&l, false, 0), 1000);
	for (unsigned n = 0; n < BATCHES * BATCH; n++) {
		uint8_t frame[WIRE_MAX];
		bool is_six = n % 3 == 0;
		struct wire_query q = from(is_six ? "fd53:0:0:201::1" : "198.18.2.1");
		if (is_each(n, each->unlimited)) {
			q = from(n % 2 ? "198.18.1.9" : "fd53:0:0:1::9");
			hits++;
		} else if (is_each(n, each->denied)) {
			q = from("198.18.0.66");
			denied++;
		} else if (is_each(n, each->damaged)) {
			q.csum = WIRE_CSUM_BAD;
			damaged++;
		} else if (left[is_six] > 0) {
			left[is_six]--;
			hits++;
		} else {
			over++;
		}
		q.has_vlan = is_each(n, each->tagged);
		harness_inject(h, frame, wire_make(&q, frame));
		if (n % BATCH != BATCH - 1)
			continue;
		assert_int_equal(worker_turn(&h->w, 0), BATCH);
		harness_drain(h);
		assert_int_equal(harness_verdict(h, VERDICT_hit), hits);
		assert_int_equal(harness_verdict(h, VERDICT_drop_limited), over);
		assert_int_equal(harness_verdict(h, VERDICT_drop_denied), denied);
		assert_int_equal(harness_verdict(h, VERDICT_drop_udp_csum), damaged);
	}
	assert_int_equal(left[0] + left[1], 0);
	harness_end(h);
}

TEST(test_limits_within_a_batch)
{
	static const struct each each[] = {
		{0},
		{.unlimited = 5},
		{.unlimited = 5, .denied = 7},
		{.unlimited = 5, .damaged = 4},
		{.unlimited = 5, .denied = 7, .damaged = 4},
		{.unlimited = 5, .tagged = 6},
		{.tagged = 1},
	};
	for (size_t i = 0; i < ARRAY_LEN(each); i++)
		ask_in_batches(&each[i]);
}

// A client over its rate is answered once there are no limits.
PACKET_TEST(test_limits_end)
{
	struct lists l;
	HARNESS_PUT(h, .name = "a.example", .count = 1);
	harness_access_at(h, lists(&l, false, 0), 1000);
	assert_int_equal(ask(h, "198.18.2.1", 100), RATE * BURST_S);
	assert_int_equal(ask(h, "198.18.1.1", 1), 1);
	assert_int_equal(ask(h, "198.18.2.2", 1), 1);
	h->tables.has_access = false;
	assert_int_equal(ask(h, "198.18.2.1", 100), 100);
}

// Without a rate no client is limited, except for denied clients.
PACKET_TEST(test_no_rate)
{
	enum { EACH = 8 };
	struct lists l;
	HARNESS_PUT(h, .name = "a.example", .count = 1);
	(void)lists(&l, false, 0);
	l.access.rate = l.access.network_rate = 0;
	harness_access_at(h, &l.access, 1000);
	for (unsigned n = 0; n < 10 * EACH; n++) {
		uint8_t frame[WIRE_MAX];
		struct wire_query q = from(n % 4 ? "198.18.2.1" : "198.18.0.66");
		harness_inject(h, frame, wire_make(&q, frame));
		if (n % EACH != EACH - 1)
			continue;
		assert_int_equal(worker_turn(&h->w, 0), EACH);
		harness_drain(h);
	}
	assert_int_equal(harness_verdict(h, VERDICT_hit), 10 * EACH * 3 / 4);
	assert_int_equal(harness_verdict(h, VERDICT_drop_denied), 10 * EACH / 4);
}

// Who gets long replies gets fewer, by hits as by answers that come later; others as before.
PACKET_TEST(test_reply_octets)
{
	enum { REPLY_BYTES = 100, COSTS = 4 }; // a reply of 12 + 15 + 20 * 16 bytes
	struct lists l;
	HARNESS_PUT(h, .name = "a.example", .count = 20);
	lists(&l, false, 0);
	l.access.network_rate = 0;
	l.access.reply_octets = REPLY_BYTES;
	harness_access_at(h, &l.access, 1000);
	assert_int_equal(ask(h, "198.18.2.1", 100), RATE * BURST_S / COSTS);
	assert_int_equal(ask(h, "fd53:0:0:201::1", 100), RATE * BURST_S / COSTS);
	assert_int_equal(ask(h, "198.18.1.1", 100), 100); // has no limit
	// A short one costs one query, as it did.
	HARNESS_PUT(h, .name = "a.example", .count = 1);
	assert_int_equal(ask(h, "198.18.2.2", 100), RATE * BURST_S);
}

// A long answer to a miss of this client, from the control plane.
static void answer_late(struct harness *h, const char *client)
{
	enum { ANSWER_LEN = 400 };
	struct wire_query q = from(client);
	uint8_t dns[ANSWER_LEN] = {0};
	q.name = "cold.example";
	const struct msg_miss miss = harness_ask_missed(h, &q);
	struct msg_answer head = harness_answer_to(&miss, 0x8180, dns);
	head.dns_len = ANSWER_LEN;
	ANSWER_TAKEN(h, &head, dns, ANSWER_LEN);
	harness_drain(h);
}

PACKET_TEST(test_late_answers_are_charged)
{
	enum { REPLY_BYTES = 100, MORE = 3 }; // that 400 bytes cost beside the query itself
	static const char *const limited[] = {"198.18.2.1", "fd53:0:0:201::1"};
	struct lists l;
	h->any_replies = true; // these are only long
	HARNESS_PUT(h, .name = "a.example", .count = 1);
	lists(&l, false, 0);
	l.access.network_rate = 0;
	l.access.reply_octets = REPLY_BYTES;
	harness_access_at(h, &l.access, 1000);
	for (unsigned i = 0; i < ARRAY_LEN(limited); i++) {
		answer_late(h, limited[i]);
		assert_int_equal(ask(h, limited[i], 100), RATE * BURST_S - 1 - MORE);
	}
	answer_late(h, "198.18.1.1"); // has no limit
	assert_int_equal(ask(h, "198.18.1.1", 100), 100);
	l.access.reply_octets = 0;
	harness_access_at(h, &l.access, 2000);
	answer_late(h, "198.18.3.1");
	assert_int_equal(ask(h, "198.18.3.1", 100), RATE * BURST_S - 1);
}

PACKET_TEST(test_slip)
{
	struct lists l;
	struct wire_query q = from("198.18.2.1");
	HARNESS_PUT(h, .name = "a.example", .count = 1);
	harness_access_at(h, lists(&l, false, 3), 1000);
	assert_int_equal(ask(h, "198.18.2.1", RATE * BURST_S), RATE * BURST_S);
	harness_ask_dropped(h, &q, VERDICT_drop_limited);
	harness_ask_dropped(h, &q, VERDICT_drop_limited);
	struct wire_reply r = harness_ask(h, &q, VERDICT_slip_limited);
	assert_true(r.flags & DNS_FLAG_TC);
	assert_int_equal(r.rcode, DNS_RCODE_NOERROR);
	assert_int_equal(r.count, 0);
	harness_ask_dropped(h, &q, VERDICT_drop_limited);
}

// Nothing that answers whatever it gets is answered.
PACKET_TEST(test_source_ports)
{
	static const uint16_t refused[] = {7, 13, 17, 19, 53}, taken[] = {1, 22, 52, 54, 65535};
	struct wire_query q = from("198.18.2.1");
	HARNESS_PUT(h, .name = "a.example", .count = 1);
	for (size_t i = 0; i < ARRAY_LEN(refused); i++) {
		q.src_port = refused[i];
		harness_ask_dropped(h, &q, VERDICT_drop_source_port);
	}
	for (size_t i = 0; i < ARRAY_LEN(taken); i++) {
		q.src_port = taken[i];
		harness_ask(h, &q, VERDICT_hit);
	}
}

// All hosts of a service network, whatever its size; RFC 3021 has no broadcast for two.
TEST(test_broadcast_sources)
{
	static const struct {
		const char *service, *broadcast, *host;
	} of[] = {
		{"198.18.4.53/24", "198.18.4.255", "198.18.5.255"},
		{"198.18.4.53/22", "198.18.7.255", "198.18.4.255"},
		{"10.1.2.3/8", "10.255.255.255", "10.1.2.255"},
		{"198.18.4.53/30", "198.18.4.55", "198.18.4.54"},
		{"198.18.4.52/31", "198.18.4.52", "198.18.4.53"},
		{"198.18.4.53", "198.18.4.53", "198.18.4.255"},
	};
	for (size_t i = 0; i < ARRAY_LEN(of); i++) {
		struct config_dataplane dp = {.address_count = 2};
		struct wire_query q = from(of[i].broadcast);
		struct harness *h = harness_begin(NULL);
		dp.addresses[0] = address_of_text(of[i].service);
		dp.addresses[1] = address_of_text(WIRE_SERVICE4);
		service_from_config(&h->service, &dp);
		HARNESS_PUT(h, .name = "a.example", .count = 1);
		harness_ask_dropped(h, &q, VERDICT_drop_source);
		q.src = of[i].host;
		harness_ask(h, &q, VERDICT_hit);
		harness_end(h);
	}
}
