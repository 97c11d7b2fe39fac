// SPDX-License-Identifier: BSD-3-Clause
// The list of questions in flight: the oldest first, how many clients each has, and what it waits
// for.

#include "controlplane/querylog/upstream_book.h"
#include "resolver_rig.h"

enum { KEPT = 4 };

static struct {
	_Atomic bool there;
	struct resolver_pending p;
	struct pending_question question[KEPT];
} seen;

static void on_pending(void *, const struct resolver_pending *p)
{
	assert_true(p->count <= KEPT);
	seen.p = *p;
	memcpy(seen.question, p->question, p->count * sizeof(p->question[0]));
	seen.there = true;
}

static void look(unsigned limit)
{
	seen.there = false;
	assert_int_equal(resolvers_pending(&rig.all, limit, rig.loop, on_pending, NULL), 0);
	WAIT_FOR(seen.there);
}

static void await_clients(unsigned clients)
{
	WAIT_FOR(status().waiters == clients);
}

static void expect(unsigned i, const char *name, unsigned clients, enum pending_step step)
{
	char text[DNS_NAME_TEXT_MAX];
	const struct pending_question *q = &seen.question[i];
	assert_string_equal(dns_name_to_text(&q->name, text), name);
	assert_int_equal(q->qtype, DNS_TYPE_A);
	assert_int_equal(q->clients, clients);
	assert_int_equal(q->step, step);
	assert_false(q->is_renewal);
}

TEST_WITH(test_nothing_is_pending, rig_setup, rig_teardown)
{
	look(KEPT);
	assert_int_equal(seen.p.total, 0);
	assert_int_equal(seen.p.count, 0);
}

TEST_WITH(test_questions_are_listed, rig_setup, rig_teardown)
{
	fake[0].mode = fake[1].mode = FAKE_SILENT;
	ask("one.example", 1);
	await_clients(1);
	ask("two.example", 2);
	ask("two.example", 3);
	await_clients(3);
	look(KEPT);
	assert_int_equal(seen.p.total, 2);
	assert_int_equal(seen.p.clients, 3);
	assert_int_equal(seen.p.count, 2);
	expect(0, "one.example", 1, PENDING_udp);
	expect(1, "two.example", 2, PENDING_udp);
	assert_true(seen.question[0].attempts >= 1);
	assert_true(seen.question[0].age_ms >= seen.question[1].age_ms);
	assert_in_range(seen.question[0].age_ms, 0, 60000); // none waits for so long
	assert_true(upstream_book_name(rig.book, seen.question[0].server)[0] != '\0');
	look(1);
	assert_int_equal(seen.p.total, 2);
	assert_int_equal(seen.p.count, 1);
	expect(0, "one.example", 1, PENDING_udp);
}
