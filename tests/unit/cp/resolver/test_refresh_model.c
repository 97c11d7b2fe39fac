// SPDX-License-Identifier: BSD-3-Clause
// Ten minutes of Zipf traffic in fake time, through the real L0 writer and the real refresh code,
// with an upstream that answers after 50 ms: no name of 20 questions a minute or more is met
// expired or missing after its first fill. The same without refresh-ahead tells what that costs.
#include "controlplane/resolver/refresh.h"
#include "dataplane/state/mark.h"
#include "refresh_shipped.h"
#include "tests/unit/core/l0/l0_audit.h"
#include "tests/unit/core/l0/l0_fixture.h"
#include "tests/unit/unit.h"

enum {
	NAMES = 100000,
	PER_MS = 5, // 5,000 q/s
	SPAN_MS = 600000,
	LATENCY_MS = 50,
	HOT_PER_MINUTE = 20,
	WARM_PER_MINUTE = 2,
	TTL_MIN_S = 60,
	TTL_MAX_S = 300,
	ASKS_MAX = 1 << 16,
	STEP_BUCKETS = 1024, // each 2 ms
};

struct ask {
	uint64_t ready_ms;
	uint32_t id;
	struct refresh_request *request; // NULL: clients wait
};

struct name {
	struct box_name wire;
	struct l0_key key;
	uint32_t ttl_s;
	uint16_t waiters;
	bool filled, asked, hot, warm;
};

struct model {
	struct box b;
	struct refresh *refresh;
	_Atomic uint8_t *marks;
	struct name *name;
	double *below; // share of the traffic of names up to this one
	uint64_t now_ms, seed;
	struct ask ask[ASKS_MAX]; // a ring
	uint32_t first, count;
	bool sweeping;
	uint64_t misses, hot_late, warm_late, upstream, hot_names;
	uint32_t inflight_max;
};

static uint32_t under_way(const struct refresh *f)
{
	struct refresh_report r;
	refresh_report(f, clock_mono_ms(), &r);
	return r.inflight;
}

static void ask_upstream(struct model *m, uint32_t id, struct refresh_request *request)
{
	assert_true(m->count < ASKS_MAX);
	m->ask[(m->first + m->count++) % ASKS_MAX] =
		(struct ask){m->now_ms + LATENCY_MS, id, request};
	m->upstream++;
}

static uint32_t id_of(const struct refresh_request *q)
{
	uint32_t id = 0;
	for (unsigned i = 0; i < 8; i++)
		id |= (uint32_t)(q->name[1 + i] - 'a') << 4 * i;
	return id;
}

static enum refresh_started on_start(void *arg, struct refresh_request *q)
{
	struct model *m = arg;
	uint32_t id = id_of(q);
	assert_true(id < NAMES && q->hash == m->name[id].key.hash);
	if (m->name[id].asked)
		return REFRESH_IS_ASKED;
	ask_upstream(m, id, q);
	m->name[id].asked = true;
	return REFRESH_UNDER_WAY;
}

static void store(struct model *m, uint32_t id, bool renews)
{
	static struct box_put p;
	struct name *n = &m->name[id];
	box_put_fill(l0_writer_reader(m->b.w), &p, id, 1, 48, m->now_ms, 0);
	p.put.soft_ms = n->ttl_s * 1000;
	p.put.hard_ms = (n->ttl_s + 3600) * 1000;
	p.put.auth_ttl_s = n->ttl_s;
	p.put.refresh_ms = refresh_told_ms(refresh_policy(m->refresh), p.put.soft_ms, n->ttl_s);
	p.put.hits = n->waiters;
	p.put.renews = renews;
	assert_int_equal(l0_writer_put(m->b.w, &p.put), 0);
	n->waiters = 0;
	n->filled = true;
	refresh_stored(m->refresh, &n->key, p.put.refresh_ms, m->now_ms);
}

static void answers_arrive(struct model *m)
{
	while (m->count && m->ask[m->first].ready_ms <= m->now_ms) {
		const struct ask a = m->ask[m->first];
		m->first = (m->first + 1) % ASKS_MAX;
		m->count--;
		m->name[a.id].asked = false;
		store(m, a.id, a.request && m->name[a.id].waiters == 0);
		if (a.request)
			refresh_ended(m->refresh, a.request, REFRESH_DONE, m->now_ms);
	}
}

static void miss(struct model *m, struct name *n, uint32_t id)
{
	m->misses++;
	m->hot_late += n->filled && n->hot;
	m->warm_late += n->filled && n->warm && !n->hot;
	n->waiters++;
	if (!n->asked)
		ask_upstream(m, id, NULL);
	n->asked = true;
}

// As stage_lookup does it.
static void query(struct model *m, uint32_t id)
{
	struct name *n = &m->name[id];
	const struct l0_reader *r = l0_writer_reader(m->b.w);
	struct l0_view v;
	uint64_t anomalies = 0;
	uint32_t record = l0_find(r, &n->key, l0_candidate(r, n->key.hash), &anomalies);
	if (record == L0_NONE || !l0_record_read(r, record, &v)
		|| l0_age_of(&v, m->now_ms) != L0_FRESH) {
		miss(m, n, id);
		return;
	}
	uint8_t mark = m->marks[record];
	m->marks[record] = mark_hit(mark) | MARK_VISITED;
	if (m->now_ms - v.created_ms >= v.refresh_ms && !(mark & MARK_REFRESH)) {
		m->marks[record] |= MARK_REFRESH;
		refresh_hit(m->refresh, &n->key, m->now_ms);
	}
}

static uint32_t zipf(struct model *m)
{
	double at = (double)(rnd(&m->seed) >> 11) / (double)(UINT64_C(1) << 53);
	uint32_t low = 0, high = NAMES - 1;
	while (low < high) {
		uint32_t mid = (low + high) / 2;
		if (m->below[mid] < at)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

static void names_make(struct model *m)
{
	double sum = 0;
	for (uint32_t i = 0; i < NAMES; i++) {
		sum += 1.0 / (i + 1);
		m->below[i] = sum;
	}
	for (uint32_t i = 0; i < NAMES; i++) {
		struct name *n = &m->name[i];
		m->below[i] /= sum;
		n->key = box_key(l0_writer_reader(m->b.w), i, &n->wire);
		n->ttl_s = TTL_MIN_S + rnd_below(&m->seed, TTL_MAX_S - TTL_MIN_S + 1);
		double per_minute = PER_MS * 60000.0 / sum / (i + 1);
		n->hot = per_minute >= HOT_PER_MINUTE;
		n->warm = per_minute >= WARM_PER_MINUTE;
		m->hot_names += n->hot;
	}
}

static struct model *model_open(bool enabled)
{
	struct config_refresh config = refresh_shipped;
	struct model *m = calloc(1, sizeof(*m));
	assert_non_null(m);
	m->seed = 4;
	m->name = calloc(NAMES, sizeof(*m->name));
	m->below = calloc(NAMES, sizeof(*m->below));
	assert_true(m->name && m->below);
	assert_true(box_open(&m->b, 64 << 20, 3));
	m->marks = box_marks(&m->b, 0);
	const struct refresh_ops ops = {on_start, m};
	assert_int_equal(refresh_new(&m->refresh, m->b.w, &ops), 0);
	config.enabled = enabled;
	refresh_configure(m->refresh, &config, &(struct config_cache){0}, 4096);
	names_make(m);
	m->now_ms = 1000000;
	return m;
}

static void timers(struct model *m, uint64_t at_ms)
{
	if (at_ms % 100 == 0) {
		refresh_run(m->refresh, m->now_ms);
		l0_writer_reclaim(m->b.w);
	}
	if (at_ms % 15000 == 0) {
		assert_false(m->sweeping);
		refresh_sweep_begin(m->refresh, m->now_ms);
		m->sweeping = true;
	}
	if (at_ms % 2 == 0 && m->sweeping)
		m->sweeping = !refresh_sweep_step(m->refresh, m->now_ms, STEP_BUCKETS);
	if (under_way(m->refresh) > m->inflight_max)
		m->inflight_max = under_way(m->refresh);
}

static void model_run(struct model *m)
{
	for (uint64_t at_ms = 1; at_ms <= SPAN_MS; at_ms++) {
		m->now_ms++;
		answers_arrive(m);
		timers(m, at_ms);
		for (unsigned i = 0; i < PER_MS; i++)
			query(m, zipf(m));
	}
}

static void model_close(struct model *m)
{
	char why[128] = "";
	if (l0_audit(m->b.w, why) != 0)
		fail_msg("audit: %s", why);
	refresh_free(m->refresh);
	box_close(&m->b);
	free(m->name);
	free(m->below);
	free(m);
}

TEST(test_no_hot_name_is_ever_late)
{
	struct refresh_counts sum;
	struct model *without = model_open(false), *with = model_open(true);
	model_run(without);
	model_run(with);
	refresh_stats_sum(refresh_stats(with->refresh), with->now_ms, 60, &sum);
	uint64_t saved = without->misses - with->misses;
	uint64_t spent = with->upstream - without->upstream;
	print_message("%llu hot names; late: hot %llu, warm %llu (without: %llu, %llu)\n",
		(unsigned long long)with->hot_names, (unsigned long long)with->hot_late,
		(unsigned long long)with->warm_late, (unsigned long long)without->hot_late,
		(unsigned long long)without->warm_late);
	print_message("misses %llu (without: %llu), upstream queries %llu (%llu): %.2f more for "
		      "each miss saved\n",
		(unsigned long long)with->misses, (unsigned long long)without->misses,
		(unsigned long long)with->upstream, (unsigned long long)without->upstream,
		(double)spent / (double)saved);
	print_message("refreshes: asked %u, done %u, dropped %u, used %u, missed %u; at most %u at "
		      "once\n",
		sum.asked, sum.done, sum.dropped, sum.used, sum.hot_missed, with->inflight_max);
	assert_true(with->hot_names > 1000);
	assert_int_equal(with->hot_late, 0);
	assert_true(without->hot_late > 1000); // or the traffic would prove nothing
	assert_true(with->warm_late * 5 < without->warm_late);
	assert_int_equal(sum.hot_stale, 0);
	assert_in_range(with->inflight_max, 1, 100);
	// A refresh that saves no miss is waste; so many are not.
	assert_true(spent < saved);
	model_close(without);
	model_close(with);
}
