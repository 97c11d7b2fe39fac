// SPDX-License-Identifier: BSD-3-Clause

// The engine behind TCP/53 and the UDP sockets: one cache and one set of questions with the data
// plane's clients, sessions that die, tables that are full, and messages of any bytes.
#include "controlplane/frontend/frontend_internal.h"
#include "frontend_rig.h"
#include "tests/unit/clock_still.h"
#include "tests/unit/core/dns/dns_rand.h"

// A second send, over TCP.
static int setup_for_tcp(void **state)
{
	rig_max_sends = 6;
	const int rc = frontend_rig_setup(state);
	rig_max_sends = 1;
	return rc;
}

static void expect_said(enum frontend_outcome outcome, uint16_t id, unsigned rcode)
{
	assert_int_equal(outcome, FRONTEND_REPLY);
	assert_int_equal(get_u16(frontend_said), id);
	assert_true(get_u16(frontend_said + 2) & DNS_FLAG_QR);
	assert_int_equal(get_u16(frontend_said + 2) & DNS_FLAG_RCODE, rcode);
}

static int setup_small(void **state)
{
	rig_setup_small(state);
	frontend_rig_open();
	frontend_rig_admit_all();
	return 0;
}

// A miss is answered later, with the client's letter case, id and address; then it is a hit for
// every transport and for the data plane.
TEST_WITH(test_miss_then_hits, frontend_rig_setup, frontend_rig_teardown)
{
	FRONTEND_WAITS(FRONTEND_UDP, .name = "wWw.Example", .id = 7);
	const struct frontend_rig_reply *l = expect_later(0);
	assert_int_equal(get_u16(l->msg), 7);
	assert_int_equal(get_u16(l->msg + 6), 1);
	assert_memory_equal(l->msg + DNS_HEADER_LEN, "\3wWw\7Example", 12);
	assert_int_equal(l->client.v4.sin_port, htons(4000));
	assert_int_equal(l->opt, 0);

	expect_said(FRONTEND_ASK(FRONTEND_TCP, .name = "www.example", .id = 8, .udp_size = 1232), 8,
		DNS_RCODE_NOERROR);
	assert_int_equal(frontend_said_reply.opt, frontend_said_reply.len - DNS_OPT_FIXED_LEN);
	ask("www.example", 9);
	expect_answer(9, DNS_RCODE_NOERROR, ANSWER_CACHED);
	assert_int_equal(rig_asked(), 1);
	assert_int_equal(frontend_counts(FRONTEND_UDP).verdict[VERDICT_miss], 1);
	assert_int_equal(frontend_counts(FRONTEND_UDP).answers, 1);
	assert_int_equal(frontend_counts(FRONTEND_TCP).verdict[VERDICT_hit], 1);
	assert_int_equal(frontend_now().pending, 0);
}

// The question of a worker's client and those of both transports is one.
TEST_WITH(test_joined, frontend_rig_setup, frontend_rig_teardown)
{
	fake[0].held = true;
	ask("joined.example", 1);
	const struct frontend_rig_query q = {.name = "joined.example", .type = DNS_TYPE_A, .id = 2};
	assert_int_equal(frontend_rig_ask(FRONTEND_TCP, &q), FRONTEND_LATER);
	assert_int_equal(frontend_rig_ask(FRONTEND_UDP, &q), FRONTEND_LATER);
	WAIT_FOR(status().coalesced >= 2);
	fake[0].held = false;
	expect_answer(1, DNS_RCODE_NOERROR, ANSWER_UPSTREAM);
	expect_later(1);
	assert_int_equal(later[0].transport + later[1].transport, FRONTEND_UDP + FRONTEND_TCP);
	assert_int_equal(rig_asked(), 1);
	assert_int_equal(status().coalesced, 2);
}

// A name of 250 bytes, all of one letter.
static struct dns_name long_name(char letter)
{
	char text[256];
	struct dns_name name;
	memset(text, letter, sizeof(text));
	for (unsigned i = 50; i < 250; i += 50)
		text[i - 1] = '.';
	assert_int_equal(dns_name_from_text(text, 249, &name), 0);
	return name;
}

// Over UDP no longer than the client says, over TCP whatever it says.
TEST_WITH(test_sizes, frontend_rig_setup, frontend_rig_teardown)
{
	static struct dns_name target;
	const struct dns_name name = long_name('q');
	char text[DNS_NAME_TEXT_MAX];
	target = long_name('t');
	dns_name_to_text(&name, text);
	for (unsigned i = 0; i < 2; i++) {
		fake[i].alias = target.wire;
		fake[i].mode = FAKE_ALIAS;
	}
	const struct frontend_rig_query q = {.name = text, .type = DNS_TYPE_A, .id = 1};
	assert_int_equal(frontend_rig_ask(FRONTEND_TCP, &q), FRONTEND_LATER);
	const struct frontend_rig_reply *whole = expect_later(0);
	assert_int_equal(get_u16(whole->msg + 6), 2);
	assert_true(whole->len > DNS_UDP_PLAIN_MAX);
	expect_said(frontend_rig_ask(FRONTEND_TCP, &q), 1, DNS_RCODE_NOERROR);
	assert_int_equal(frontend_said_reply.len, whole->len);

	expect_said(frontend_rig_ask(FRONTEND_UDP, &q), 1, DNS_RCODE_NOERROR);
	assert_true(get_u16(frontend_said + 2) & DNS_FLAG_TC);
	assert_true(frontend_said_reply.len <= DNS_UDP_PLAIN_MAX);
	assert_int_equal(frontend_counts(FRONTEND_UDP).truncated, 1);
	expect_said(FRONTEND_ASK(FRONTEND_UDP, .name = text, .id = 1, .udp_size = 1232), 1,
		DNS_RCODE_NOERROR);
	assert_int_equal(get_u16(frontend_said + 6), 2);
	assert_int_equal(frontend_counts(FRONTEND_TCP).truncated, 0);
}

// A connection that dies takes its questions with it, and nobody else's.
TEST_WITH(test_session_ends, frontend_rig_setup, frontend_rig_teardown)
{
	fake[0].held = true;
	for (uint16_t i = 0; i < 3; i++) {
		FRONTEND_WAITS(
			FRONTEND_TCP, .name = i % 2 ? "one.example" : "two.example", .id = i);
	}
	FRONTEND_WAITS(FRONTEND_UDP, .name = "one.example", .id = 9);
	assert_int_equal(frontend_now().pending, 4);
	frontend_rig_end(FRONTEND_TCP);
	assert_int_equal(frontend_session[FRONTEND_TCP].pending, 0);
	fake[0].held = false;
	assert_int_equal(expect_later(0)->transport, FRONTEND_UDP);
	clock_pass_ms(50);
	assert_int_equal(later_count, 1);
	assert_int_equal(frontend_counts(FRONTEND_TCP).left, 3);
	assert_int_equal(frontend_counts(FRONTEND_TCP).answers, 0);
	// Their places are used again, and the tickets of before lead nowhere.
	expect_said(
		FRONTEND_ASK(FRONTEND_TCP, .name = "two.example", .id = 10), 10, DNS_RCODE_NOERROR);
}

static void lose_a_place(void *used)
{
	struct table_registry tables = {0};
	assert_true(share_take(&rig.frontend->pending, FRONTEND_PENDING_MAX, 1));
	frontend_tables(rig.frontend, &tables);
	for (unsigned i = 0; i < tables.count; i++)
		if (strcmp(tables.table[i].name, "frontend_pending") == 0)
			*(uint64_t *)used = tables.table[i].used;
	struct frontend_status s;
	frontend_status(rig.frontend, &s);
	assert_int_equal(s.pending, 1);
	share_give(&rig.frontend->pending, FRONTEND_PENDING_MAX, 1);
}

// One that is taken of the bound and that no question has.
TEST_WITH(test_a_lost_place_shows, frontend_rig_setup, frontend_rig_teardown)
{
	uint64_t used = 0;
	on_loop(lose_a_place, &used);
	assert_int_equal(used, 1);
}

// A question that waits takes a place, until it is answered; a hit takes none.
TEST_WITH(test_places_are_counted, frontend_rig_setup, frontend_rig_teardown)
{
	const struct frontend_rig_query cached = {
		.name = "hot.example", .type = DNS_TYPE_A, .id = 1};
	const struct frontend_rig_query waits = {
		.name = "two.example", .type = DNS_TYPE_A, .id = 2};
	assert_int_equal(frontend_rig_ask(FRONTEND_UDP, &cached), FRONTEND_LATER);
	expect_later(0);
	fake[0].held = true;
	assert_int_equal(frontend_rig_ask(FRONTEND_UDP, &waits), FRONTEND_LATER);
	assert_int_equal(frontend_now().pending_max, 1);
	expect_said(frontend_rig_ask(FRONTEND_UDP, &cached), 1, DNS_RCODE_NOERROR);
	assert_int_equal(frontend_now().pending_max, 1);
	assert_int_equal(frontend_now().pending, 1);
	fake[0].held = false;
	expect_later(1);
	assert_int_equal(frontend_now().pending, 0);
}

enum { PORTION = 1000 };

struct many {
	unsigned asked;
	enum frontend_outcome last;
};

// As many as the ring of the resolver has room for; the next portion when it has taken these.
static void ask_portion(void *arg)
{
	struct many *m = arg;
	union client_address client = {.v4 = {.sin_family = AF_INET, .sin_port = htons(4000)}};
	struct frontend_reply reply;
	uint8_t msg[600];
	for (unsigned i = 0; i < PORTION; i++, m->asked++) {
		const char *name = text_from("n%u.example", m->asked / 1000);
		const struct frontend_rig_query q = {.name = name,
			.type = DNS_TYPE_A,
			.id = (uint16_t)m->asked,
			.udp_size = 512};
		size_t len = query_write(msg, &q);
		m->last = frontend_ask(
			rig.frontend, &frontend_session[FRONTEND_TCP], &client, msg, len, &reply);
		if (m->last != FRONTEND_LATER)
			return;
	}
}

static void ask_in_one_turn(void *arg)
{
	struct many *m = arg;
	while (m->last == FRONTEND_LATER && m->asked < FRONTEND_PENDING_MAX)
		ask_portion(m);
}

static void ask_many(struct many *m)
{
	*m = (struct many){.last = FRONTEND_LATER};
	const uint64_t before = status().client_questions;
	while (m->last == FRONTEND_LATER && m->asked < FRONTEND_PENDING_MAX + PORTION) {
		on_loop(ask_portion, m);
		WAIT_FOR(status().client_questions >= before + m->asked);
	}
}

// With a full table cached answers are still given, stale or not; other questions are refused at
// once, and those before them in time, with SERVFAIL and an extended error.
TEST_WITH(test_full, frontend_rig_setup, frontend_rig_teardown)
{
	struct many m;
	const struct frontend_rig_query cached = {
		.name = "hot.example", .type = DNS_TYPE_A, .id = 1};
	const struct frontend_rig_query stale = {
		.name = "old.example", .type = DNS_TYPE_A, .id = 3};
	assert_int_equal(frontend_rig_ask(FRONTEND_UDP, &cached), FRONTEND_LATER);
	expect_later(0);
	fake[0].ttl_s = fake[1].ttl_s = 1;
	assert_int_equal(frontend_rig_ask(FRONTEND_UDP, &stale), FRONTEND_LATER);
	expect_later(1);
	clock_pass_ms(1050); // past soft expiry
	fake[0].mode = fake[1].mode = FAKE_SILENT;
	ask_many(&m);
	assert_int_equal(m.asked, FRONTEND_PENDING_MAX);
	assert_int_equal(m.last, FRONTEND_REPLY);
	expect_said(frontend_rig_ask(FRONTEND_UDP, &cached), 1, DNS_RCODE_NOERROR);
	expect_said(frontend_rig_ask(FRONTEND_UDP, &stale), 3, DNS_RCODE_NOERROR);
	assert_int_equal(get_u32(frontend_said + frontend_said_reply.len - 10), 30);
	assert_int_equal(frontend_counts(FRONTEND_UDP).verdict[VERDICT_hit_stale], 1);
	expect_said(
		FRONTEND_ASK(FRONTEND_UDP, .name = "more.example", .id = 2), 2, DNS_RCODE_SERVFAIL);
	assert_int_equal(frontend_counts(FRONTEND_TCP).verdict[VERDICT_servfail_ring_full], 1);
	assert_int_equal(frontend_counts(FRONTEND_UDP).verdict[VERDICT_servfail_ring_full], 1);
	assert_int_equal(frontend_counts(FRONTEND_UDP).verdict[VERDICT_hit], 1);
	const struct frontend_rig_reply *l = expect_later(FRONTEND_PENDING_MAX + 1);
	assert_int_equal(get_u16(l->msg + 2) & DNS_FLAG_RCODE, DNS_RCODE_SERVFAIL);
	assert_int_equal(l->opt, l->len - DNS_OPT_FIXED_LEN - 6);
	assert_int_equal(frontend_counts(FRONTEND_TCP).answers_servfail, FRONTEND_PENDING_MAX);
	assert_int_equal(frontend_now().pending, 0);
	assert_int_equal(frontend_now().pending_max, FRONTEND_PENDING_MAX);
}

// One question has so many waiters at most; the next gets its error at once, as a stream asks but
// once.
TEST_WITH(test_too_many_waiters, setup_small, frontend_rig_teardown)
{
	fake[0].mode = fake[1].mode = FAKE_SILENT;
	for (uint16_t i = 0; i < 9; i++) {
		FRONTEND_WAITS(FRONTEND_TCP, .name = "popular.example", .id = i);
	}
	const struct frontend_rig_reply *first = expect_later(0);
	assert_int_equal(get_u16(first->msg), 8);
	assert_int_equal(get_u16(first->msg + 2) & DNS_FLAG_RCODE, DNS_RCODE_SERVFAIL);
	assert_int_equal(status().refused_waiters, 1);
}

// Questions in one turn for which the resolver's ring has no room are refused at once, and counted;
// those that it took are answered, and then others find room.
TEST_WITH(test_full_ring, frontend_rig_setup, frontend_rig_teardown)
{
	enum { MORE = 8 * PORTION };
	struct many m = {.last = FRONTEND_LATER};
	fake[0].held = fake[1].held = true;
	on_loop(ask_in_one_turn, &m);
	assert_int_equal(m.last, FRONTEND_REPLY);
	assert_in_range(m.asked, PORTION, MORE);
	assert_int_equal(frontend_now().pending, m.asked);
	assert_int_equal(frontend_counts(FRONTEND_TCP).verdict[VERDICT_servfail_ring_full], 1);
	fake[0].held = fake[1].held = false;
	expect_later(m.asked - 1);
	FRONTEND_WAITS(FRONTEND_TCP, .name = "next.example");
	expect_later(m.asked);
	assert_int_equal(frontend_now().pending, 0);
}

static unsigned rcode_of(const struct frontend_rig_reply *l)
{
	return get_u16(l->msg + 2) & DNS_FLAG_RCODE;
}

// One answer for many clients, and so long that half of the ring takes few: the others get
// SERVFAIL.
TEST_WITH(test_long_answers_leave_room, setup_for_tcp, frontend_rig_teardown)
{
	struct many m = {.last = FRONTEND_LATER};
	unsigned whole = 0;
	for (unsigned i = 0; i < 2; i++) {
		fake[i].mode = FAKE_TRUNCATE;
		fake[i].addresses = 400;
		fake[i].held = true;
	}
	on_loop(ask_portion, &m);
	WAIT_FOR(status().client_questions >= PORTION);
	fake[0].held = fake[1].held = false;
	expect_later(PORTION - 1);
	for (unsigned i = 0; i < PORTION; i++) {
		whole += rcode_of(&later[i]) == DNS_RCODE_NOERROR;
		if (rcode_of(&later[i]) != DNS_RCODE_NOERROR)
			assert_int_equal(rcode_of(&later[i]), DNS_RCODE_SERVFAIL);
	}
	assert_in_range(whole, 1, PORTION / 2);
	assert_int_equal(frontend_counts(FRONTEND_TCP).answers_servfail, PORTION - whole);
	assert_int_equal(frontend_counts(FRONTEND_TCP).lost, 0);
	assert_int_equal(frontend_now().pending, 0);
}

static void bound_clients(void *)
{
	rig.config.limits.client_waiters = 2;
	assert_int_equal(resolver_reconfigure(rig.resolver, &rig.config), 0);
	frontend_configure(rig.frontend, &rig.config);
}

static const struct frontend_rig_reply *expect_refused(unsigned n, uint16_t id)
{
	const struct frontend_rig_reply *l = expect_later(n);
	assert_int_equal(l->transport, FRONTEND_UDP);
	assert_int_equal(get_u16(l->msg), id);
	assert_int_equal(get_u16(l->msg + 2) & DNS_FLAG_RCODE, DNS_RCODE_SERVFAIL);
	return l;
}

// Over UDP a client waits for so many answers at most, as its address may be forged; a stream has
// bounds of its own.
TEST_WITH(test_a_client_waits_for_so_much, frontend_rig_setup, frontend_rig_teardown)
{
	on_loop(bound_clients, NULL);
	fake[0].mode = fake[1].mode = FAKE_SILENT;
	for (unsigned i = 0; i < 4; i++) {
		const char *name = text_from("n%u.example", i);
		const struct frontend_rig_query q = {
			.name = name, .type = DNS_TYPE_A, .id = (uint16_t)i};
		assert_int_equal(frontend_rig_ask(FRONTEND_UDP, &q), FRONTEND_LATER);
		if (i >= 2)
			expect_refused(i - 2, (uint16_t)i);
		assert_int_equal(frontend_rig_ask(FRONTEND_TCP, &q), FRONTEND_LATER);
	}
	assert_int_equal(status().refused_client, 2);
	// A query with an OPT is told the bound, and the transport finds the OPT before its text.
	const char text[] = "limits.client_waiters reached";
	FRONTEND_WAITS(FRONTEND_UDP, .name = "n9.example", .id = 9, .udp_size = 1232);
	const struct frontend_rig_reply *l = expect_refused(2, 9);
	const size_t behind = DNS_OPT_FIXED_LEN + DNS_OPT_EDE_LEN + sizeof(text) - 1;
	assert_int_equal(l->opt, l->len - behind);
	assert_memory_equal(l->msg + l->len - sizeof(text) + 1, text, sizeof(text) - 1);
}

struct odd {
	const char *what;
	uint8_t msg[64];
	size_t len;
	enum frontend_outcome outcome;
	unsigned rcode;
	enum verdict verdict;
};

#define HEAD(flags, qd) 0, 5, flags, 0, 0, qd, 0, 0, 0, 0, 0, 0

TEST_WITH(test_odd_messages, frontend_rig_setup, frontend_rig_teardown)
{
	static const struct odd odd[] = {
		{"empty", {0}, 0, FRONTEND_BROKEN, 0, VERDICT_drop_dns_short},
		{"short", {HEAD(1, 1)}, 11, FRONTEND_BROKEN, 0, VERDICT_drop_dns_short},
		{"response", {HEAD(0x80, 1), 0, 0, 1, 0, 1}, 17, FRONTEND_BROKEN, 0,
			VERDICT_drop_dns_response},
		{"no question", {HEAD(1, 0)}, 12, FRONTEND_REPLY, 1, VERDICT_formerr},
		{"two questions", {HEAD(1, 2), 0, 0, 1, 0, 1, 0, 0, 1, 0, 1}, 22, FRONTEND_REPLY, 1,
			VERDICT_formerr},
		{"cut question", {HEAD(1, 1), 3, 'w'}, 14, FRONTEND_REPLY, 1, VERDICT_formerr},
		{"update", {HEAD(0x28, 1), 0, 0, 1, 0, 1}, 17, FRONTEND_REPLY, 4, VERDICT_notimp},
		{"transfer", {HEAD(1, 1), 0, 0, 252, 0, 1}, 17, FRONTEND_REPLY, 5, VERDICT_refused},
		{"chaos", {HEAD(1, 1), 0, 0, 16, 0, 3}, 17, FRONTEND_REPLY, 5, VERDICT_refused},
		{"mailb", {HEAD(1, 1), 0, 0, 253, 0, 1}, 17, FRONTEND_REPLY, 4, VERDICT_notimp},
		{"EDNS 1",
			{0, 5, 1, 0, 0, 1, 0, 0, 0, 0, 0, 1, 0, 0, 1, 0, 1, 0, 0, 41, 4, 208, 0, 1,
				0, 0, 0, 0},
			28, FRONTEND_REPLY, 0, VERDICT_badvers},
	};
	for (unsigned i = 0; i < ARRAY_LEN(odd); i++) {
		const struct odd *o = &odd[i];
		enum frontend_outcome outcome =
			frontend_rig_ask_bytes(FRONTEND_TCP, "198.18.0.2", o->msg, o->len);
		if (outcome != o->outcome || frontend_counts(FRONTEND_TCP).verdict[o->verdict] == 0)
			fail_msg("%s: outcome %d", o->what, outcome);
		if (outcome == FRONTEND_REPLY)
			expect_said(outcome, 5, o->rcode);
	}
	assert_int_equal(rig_asked(), 0);
}

enum { MUTANTS = 20000 };

struct mutants {
	unsigned asked, bad;
};

// Not asserted here, as this runs on the loop's thread.
static bool reply_fits(const struct frontend_reply *reply, const uint8_t *msg)
{
	return reply->len >= DNS_HEADER_LEN && memcmp(reply->msg, msg, 2) == 0
	       && (get_u16(reply->msg + 2) & DNS_FLAG_QR)
	       && (reply->opt == 0 || reply->opt + DNS_OPT_FIXED_LEN <= reply->len);
}

static void ask_mutants(void *arg)
{
	struct dns_rand rand = {.state = 20261120};
	union client_address client = {.v6 = {.sin6_family = AF_INET6, .sin6_port = htons(1)}};
	struct mutants *m = arg;
	for (m->asked = 0; m->asked < MUTANTS; m->asked++) {
		uint8_t msg[600];
		struct frontend_reply reply;
		const struct frontend_rig_query q = {.name = "mutant.example",
			.type = DNS_TYPE_A,
			.id = (uint16_t)m->asked,
			.udp_size = 1232};
		size_t len = dns_rand_mutate(&rand, msg, query_write(msg, &q), sizeof(msg));
		enum frontend_outcome outcome = frontend_ask(rig.frontend,
			&frontend_session[m->asked % FRONTEND_TRANSPORTS], &client, msg, len,
			&reply);
		m->bad += outcome == FRONTEND_REPLY && !reply_fits(&reply, msg);
	}
}

// Whatever comes: one verdict, and no reply that is none.
TEST_WITH(test_mutants, frontend_rig_setup, frontend_rig_teardown)
{
	struct mutants m = {0};
	uint64_t sum = 0;
	on_loop(ask_mutants, &m);
	struct frontend_status s = frontend_now();
	for (unsigned t = 0; t < FRONTEND_TRANSPORTS; t++)
		for (unsigned v = 0; v < VERDICT_COUNT; v++)
			sum += s.of[t].verdict[v];
	assert_int_equal(m.asked, MUTANTS);
	assert_int_equal(m.bad, 0);
	assert_int_equal(sum, MUTANTS);
	assert_true(s.of[FRONTEND_UDP].verdict[VERDICT_formerr] > 100);
}

TEST_GROUP(rig_sends_once, NULL)
