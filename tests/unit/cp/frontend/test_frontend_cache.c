// SPDX-License-Identifier: BSD-3-Clause

// The cache as the frontend reads it by itself: hits that the resolver does not see but by their
// marks, stale answers, renewals that they ask for, and a reader that holds nothing back.
#include "frontend_rig.h"
#include "tests/unit/clock_shift.h"

#include <weir/shm_epoch.h>

enum { TTL_S = 300, HOT = 80 };

static void fill(const char *name)
{
	const unsigned before = later_count;
	assert_int_equal(ask_for(name), FRONTEND_LATER);
	expect_later(before);
}

static void hit(const char *name, unsigned times)
{
	for (unsigned i = 0; i < times; i++)
		assert_int_equal(ask_for(name), FRONTEND_REPLY);
}

static unsigned asked(void)
{
	return rig_asked();
}

static uint64_t verdicts(enum verdict v)
{
	return frontend_counts(FRONTEND_TCP).verdict[v];
}

struct heat {
	const char *name;
	uint32_t heat;
};

static void heat_look(void *arg)
{
	struct heat *h = arg;
	struct l0_writer *l0 = link_l0(rig.link, 0);
	struct dns_query q = {.qtype = DNS_TYPE_A, .qclass = DNS_CLASS_IN};
	struct l0_key key;
	if (dns_name_from_text(h->name, strlen(h->name), &q.name) < 0)
		return;
	l0_key_of_query(l0_writer_reader(l0), &q, 0, &key);
	h->heat = l0_writer_heat(l0, &key);
}

static uint32_t heat_of(const char *name)
{
	struct heat h = {.name = name};
	on_loop(heat_look, &h);
	return h.heat;
}

TEST_WITH(test_hits_are_the_frontends_own, frontend_rig_setup, frontend_rig_teardown)
{
	fill("www.example");
	hit("www.example", 9);
	assert_int_equal(status().client_questions, 1);
	assert_int_equal(verdicts(VERDICT_hit), 9);
	assert_int_equal(heat_of("www.example"), (1 + 9) * L0_HEAT_ONE);
}

// A hit past its time requests a renewal, once; so no client finds the record gone.
TEST_WITH(test_hits_renew, frontend_rig_setup, frontend_rig_teardown)
{
	fill("hot.example");
	hit("hot.example", HOT);
	assert_int_equal(status().refreshes, 0);
	clock_ahead_by_ms((TTL_S - 20) * 1000);
	hit("hot.example", 1);
	WAIT_FOR(asked() >= 2);
	WAIT_FOR(status().inflight == 0);
	assert_int_equal(asked(), 2);
	assert_int_equal(status().refreshes, 1);
	clock_ahead_by_ms(40000); // past the end of the first
	hit("hot.example", 1);
	assert_int_equal(verdicts(VERDICT_miss), 1);
}

static void stale_at_once(void *)
{
	rig.config.cache.stale_immediate = true;
	frontend_rig_configure();
}

// A record past its TTL is served where the configuration says so, and renewed.
TEST_WITH(test_stale_where_it_may, frontend_rig_setup, frontend_rig_teardown)
{
	rig.config.cache.stale_ttl_s = 30;
	fill("old.example");
	clock_ahead_by_ms((TTL_S + 10) * 1000);
	fake[0].mode = fake[1].mode = FAKE_SILENT;
	on_loop(stale_at_once, NULL);
	hit("old.example", 1);
	assert_int_equal(get_u32(frontend_said + frontend_said_reply.len - 10), 30);
	assert_int_equal(verdicts(VERDICT_hit_stale), 1);
	assert_int_equal(status().client_questions, 1);
}

struct hung {
	enum frontend_outcome old, unknown;
};

// As when the resolver's loop hangs, until that beats.
static void ask_hung(void *arg)
{
	struct hung *h = arg;
	const union client_address client = {.v4.sin_family = AF_INET};
	const uint64_t now_ms = clock_mono_ms();
	struct frontend_session *s = &frontend_session[FRONTEND_TCP];
	struct frontend_reply reply;
	uint8_t msg[600];
	size_t len;

	publisher_resolver_beat(rig.publisher, 0, now_ms);
	for (unsigned ms = 0; ms <= 3 * PUBLISH_HUNG_MS; ms += 100)
		publisher_frontend_beat(rig.publisher, 1, now_ms + ms);
	len = query_write(msg, &(const struct frontend_rig_query){.name = "old.example"});
	h->old = frontend_ask(rig.frontend, s, &client, msg, len, &reply);
	len = query_write(msg, &(const struct frontend_rig_query){.name = "new.example"});
	h->unknown = frontend_ask(rig.frontend, s, &client, msg, len, &reply);
}

// A stale answer does while the resolver hangs, and a question without one waits for it.
TEST_WITH(test_stale_while_the_resolver_hangs, frontend_rig_setup, frontend_rig_teardown)
{
	struct hung h = {0};
	fill("old.example");
	clock_ahead_by_ms((TTL_S + 10) * 1000);
	on_loop(ask_hung, &h);
	assert_int_equal(h.old, FRONTEND_REPLY);
	assert_int_equal(verdicts(VERDICT_hit_stale), 1);
	assert_int_equal(h.unknown, FRONTEND_LATER);
	expect_later(1);
}

static void set_any_minimal(void *)
{
	rig.config.access.any_minimal = true;
	frontend_rig_configure();
}

static enum frontend_outcome ask_any(const char *name)
{
	return FRONTEND_ASK(FRONTEND_TCP, .name = name, .type = DNS_TYPE_ANY, .id = 7);
}

// What `any: forward` has left in the cache is served until it expires, as by a worker.
TEST_WITH(test_any_of_the_cache, frontend_rig_setup, frontend_rig_teardown)
{
	assert_int_equal(ask_any("any.example"), FRONTEND_LATER);
	expect_later(0);
	on_loop(set_any_minimal, NULL);
	assert_int_equal(ask_any("any.example"), FRONTEND_REPLY);
	assert_int_equal(verdicts(VERDICT_hit), 1);
	assert_int_equal(ask_any("other.example"), FRONTEND_REPLY);
	assert_int_equal(verdicts(VERDICT_any_minimal), 1);
	clock_ahead_by_ms((TTL_S + 10) * 1000);
	assert_int_equal(ask_any("any.example"), FRONTEND_REPLY);
	assert_int_equal(verdicts(VERDICT_any_minimal), 2);
}

struct waiting {
	bool passed, held;
};

static void epoch_look(void *arg)
{
	struct waiting *w = arg;
	struct epoch_writer *e = publisher_epoch(rig.publisher, 0);
	struct publisher_reader reader;
	w->passed = epoch_passed(e, epoch_advance(e));
	if (publisher_reader(rig.publisher, EPOCH_OWN_MAX - 1, &reader) < 0)
		return;
	epoch_online(&reader.epoch);
	w->held = !epoch_passed(e, epoch_advance(e));
	epoch_offline(&reader.epoch);
}

// Between two look-ups the frontend delays no reclaim; a reader in the middle of one does.
TEST_WITH(test_idle_frontend_holds_nothing_back, frontend_rig_setup, frontend_rig_teardown)
{
	struct waiting w = {0};
	fake_dataplane_close(&dp);
	fill("www.example");
	hit("www.example", 1);
	on_loop(epoch_look, &w);
	assert_true(w.passed);
	assert_true(w.held);
	fake_dataplane_open(&dp, &rig.paths, 2);
}

TEST_GROUP(rig_sends_once, NULL)
