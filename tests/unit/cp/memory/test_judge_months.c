// SPDX-License-Identifier: BSD-3-Clause
// Days of a simulated box: how many false alarms, and how soon a leak is an alarm. WEIR_MONTHS: so
// many months in place of ten days.

#include "controlplane/base/table_registry.h"
#include "controlplane/memory/memory_judge.h"
#include "tests/unit/unit.h"

#include <math.h>
#include <stdint.h>
#include <string.h>

// A box in simulated time: the samples of a home or an office with its day, its bursts, a level of
// load that is new and stays, reloads, outages of upstreams and of ClickHouse, caches that fill for
// weeks, and the wavering of a recorded lab. Deterministic by its seed.

// A lab's control plane, second by second: 40 s idle, 60 s at 500 new names a second, 50 s at
// 4,000, TCP clients, three reloads of lists and configuration, 500 again. Bytes over the least of
// each.

enum { RECORDED_S = 300 };
static const uint32_t recorded_unexplained[RECORDED_S] = {5384, 5384, 5384, 5384, 5384, 5384, 5384,
	5384, 5384, 5384, 5384, 5384, 5384, 5384, 5384, 5384, 5384, 5384, 5384, 5384, 5384, 5384,
	5384, 5384, 5384, 5384, 5384, 5384, 5384, 5384, 5384, 5384, 5384, 5384, 5384, 5384, 5384,
	5384, 5384, 5384, 5384, 5384, 5384, 5384, 5360, 5296, 5224, 5176, 5112, 5040, 4992, 4928,
	4864, 4816, 4744, 4680, 4632, 4560, 4496, 4448, 4376, 4312, 4256, 4200, 4136, 4080, 4016,
	3944, 3896, 3824, 3760, 3704, 3632, 3568, 3512, 3448, 3384, 3328, 3256, 3192, 3136, 3064,
	3000, 2944, 2872, 2808, 2752, 2688, 2616, 2560, 2496, 2424, 2376, 2304, 2240, 2168, 2104,
	2048, 1976, 1920, 1856, 1784, 1648, 1608, 1608, 1608, 1608, 1608, 1608, 1608, 1608, 1608,
	1608, 1608, 1608, 1608, 1608, 1608, 1608, 1608, 1608, 1608, 1608, 1608, 1608, 1608, 1608,
	1608, 1608, 1608, 1608, 1608, 1608, 1608, 1608, 1608, 1608, 1608, 1608, 1608, 1608, 1608,
	1608, 1608, 1608, 1608, 1608, 1608, 1608, 1608, 1608, 1608, 1608, 1608, 1608, 1608, 1608,
	1608, 1608, 1608, 1608, 1608, 1608, 1608, 1608, 1608, 1608, 1608, 1608, 1608, 1608, 1608,
	1608, 1608, 1608, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
	0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1696, 1696, 1696, 1696, 1696, 1696, 1696, 1696,
	1696, 1696, 1696, 1696, 1696, 1696, 1696, 1696, 1696, 1696, 1696, 1696, 1696, 1696, 1696,
	1696, 1696, 1696, 1696, 1696, 1696, 1696, 1696, 1696, 1696, 1696, 1696, 1696, 1696, 1696,
	1696, 1696, 1696, 1696, 1696, 1696, 1696, 1696, 1696, 1696, 1696, 1696, 1696, 1696, 1696,
	1696, 1696, 1696, 1696, 1696, 1696, 1696, 1696, 1696, 1696, 1696, 1696, 1696, 1696, 1696,
	1696, 1696, 1696, 1696, 1696, 1696, 1696, 1696, 1696, 1696, 1696, 1696, 1696, 1696, 1696,
	1696, 1696};

enum { BOX_DAY = 86400 };

struct box {
	uint64_t random, second, start; // `start`: second of the first day at which it starts
	uint64_t misses, burst_until, outage_until, away_until, build_from, build_until, next_build;
	double load, burst, missing, batch, outbox, pages, image, config, wander, clients;
	// A leak: of an item by name, units a second, in blocks of `block`.
	const char *leak;
	double leak_rate, leak_block, leaked;
};

static double box_random(struct box *b)
{
	b->random ^= b->random << 13;
	b->random ^= b->random >> 7;
	b->random ^= b->random << 17;
	return (double)(b->random >> 11) / 9007199254740992.0;
}

static double box_noise(struct box *b)
{
	return box_random(b) + box_random(b) + box_random(b) + box_random(b) - 2;
}

static void box_open(struct box *b, uint64_t seed, uint64_t start)
{
	*b = (struct box){.random = seed * 2654435761u + 88172645463325252u,
		.start = start,
		.next_build = 600,
		.image = 40e6,
		.config = 8e3};
}

// Something that begins once in `mean_s` seconds and lasts up to `most_s`.
static void box_event(struct box *b, uint64_t *until, double mean_s, double most_s)
{
	if (b->second >= *until && box_random(b) * mean_s < 1)
		*until = b->second + 20 + (uint64_t)(box_random(b) * most_s);
}

static void box_load(struct box *b)
{
	const double at = (double)((b->second + b->start) % BOX_DAY) / BOX_DAY;
	const double day = 0.05 + fmax(0, sin((at - 0.27) * 2 * M_PI));
	const uint64_t days = (b->second + b->start) / BOX_DAY;
	bool was = b->second < b->burst_until;
	box_event(b, &b->burst_until, 5000, 600);
	if (b->second < b->burst_until && !was)
		b->burst = 3 + 17 * box_random(b);
	// From the 4th day on there are three times as many clients, from the 8th half of these.
	double level = days < 4 ? 300 : days < 8 ? 900 : 450;
	double want = level * day * (b->second < b->burst_until ? b->burst : 1);
	b->load += (want - b->load) / 8; // clients come within seconds
	double misses = fmax(0, b->load * (0.2 + 0.02 * box_noise(b)));
	b->misses += (uint64_t)misses;
	box_event(b, &b->outage_until, 2 * BOX_DAY, 300);
	box_event(b, &b->away_until, 3 * BOX_DAY, 7200);
	b->missing = misses * (b->second < b->outage_until ? 2 : 0.03);
	b->clients += (level * day / 4 - b->clients) / 300 + 0.2 * box_noise(b);
}

// Rules are built when a list is due, for one to three minutes.
static void box_build(struct box *b)
{
	if (b->second >= b->next_build) {
		b->build_from = b->second;
		b->build_until = b->second + 60 + (uint64_t)(120 * box_random(b));
		b->next_build = b->second + 3600 + (uint64_t)(box_random(b) * BOX_DAY / 2);
	}
	if (b->second == b->build_until) {
		b->image *= 1 + 0.03 * box_noise(b);
		b->config += 500 * box_noise(b);
	}
}

static double box_leak(const struct box *b, const char *name)
{
	if (!b->leak || strcmp(b->leak, name) != 0)
		return 0;
	return floor(b->leaked / b->leak_block) * b->leak_block;
}

static void box_bytes(const struct box *b, struct memory_sample *s, const char *name, double bytes)
{
	memory_sample_bytes(s, name, (uint64_t)fmax(0, bytes + box_leak(b, name)));
}

static void box_table(struct memory_sample *s, const char *name, enum table_kind kind, double used,
	uint64_t cap, double bytes)
{
	memory_sample_table(s, &(struct table_info){.name = name,
				       .kind = kind,
				       .used = (uint64_t)fmax(0, used),
				       .cap = cap,
				       .bytes = (uint64_t)fmax(0, bytes)});
}

// What the query log and its sinks hold: batches, a chunk each 5 s, an outbox while ClickHouse is
// away, and SQLite's pages of the hour's file.
static void box_log(struct box *b, struct memory_sample *s)
{
	b->batch = b->second % 2 ? b->load * 200 : b->load * 90;
	double chunk = b->load * 100 * (double)(b->second % 5);
	if (b->second < b->away_until)
		b->outbox = fmin(64e6, b->outbox + b->load * 60);
	else
		b->outbox *= 0.9;
	b->pages = b->second % 3600 == 0 ? 0 : fmin(2.36e6, b->pages + b->load * 80);
	box_bytes(b, s, "query_log", 12.6e6 + b->batch * 1.04);
	box_table(s, "log_batches", TABLE_WORK, b->batch / 1e5, 64, b->batch);
	box_bytes(b, s, "export", 3e5 + chunk * 1.03 + b->outbox * 1.03);
	box_table(s, "clickhouse_chunk", TABLE_WORK, chunk / 100, 100000, chunk);
	box_table(s, "clickhouse_outbox", TABLE_WORK, b->outbox / 1e6, 64, b->outbox);
	box_bytes(b, s, "libraries",
		3.2e5 + b->pages + b->clients * 150 + (box_random(b) < 0.3) * 2e5 * box_random(b));
	box_table(s, "sqlite_pages", TABLE_CACHE, b->pages, 8 << 20, b->pages);
}

static void box_work(struct box *b, struct memory_sample *s)
{
	const double fill = 8.4e6 * (1 - exp(-(double)b->second / (7.0 * BOX_DAY)));
	const double sockets = 1024 + fmax(0, b->missing * 2 + 4 * box_noise(b));
	box_bytes(b, s, "l0", 1.5e6 + fill * 1.05);
	box_table(s, "l0", TABLE_CACHE, fill / 4, 2 << 20, fill);
	box_bytes(b, s, "resolver", 115.5e6 + b->missing * 300);
	box_table(s, "inflight", TABLE_WORK, b->missing + box_leak(b, "inflight entries"), 4096, 0);
	box_bytes(b, s, "upstream", 17.4e6 + sockets * 420);
	box_table(s, "upstream_sockets", TABLE_WORK, sockets, 65536, sockets * 352);
	box_bytes(b, s, "frontend", 1.9e6 + b->clients * 700);
	memory_sample_table(
		s, &(struct table_info){.name = "frontend_pending",
			   TABLE_WORK_FOR(1900),
			   .used = (uint64_t)(fmax(0, b->missing)
					      + box_leak(b, "frontend_pending entries")),
			   .cap = 16384});
	box_table(s, "tcp_connections", TABLE_WORK, b->clients, 12288, b->clients * 640);
	box_bytes(b, s, "http", 13568 + (box_random(b) < 0.3) * 3e5 * box_random(b));
}

static void box_process(struct box *b, struct memory_sample *s)
{
	const unsigned r = (unsigned)(b->second % RECORDED_S);
	b->wander = 0.999 * b->wander + 2000 * box_noise(b);
	double build = s->builds ? 8e5 * (double)(b->second - b->build_from) : 0;
	box_bytes(b, s, "images", b->image + build);
	box_bytes(b, s, "config", b->config);
	box_bytes(b, s, "unexplained", 5e5 + recorded_unexplained[r] + b->wander);
	box_bytes(b, s, "mappings anonymous", 13.6e6 + 4 * b->wander);
	box_bytes(b, s, "mappings regions", 82e6 + b->image / 20);
	box_bytes(b, s, "dataplane.images", b->image / 100);
	box_bytes(b, s, "dataplane.unexplained", 900);
	box_bytes(b, s, "dataplane.mappings huge", 64e6);
	memory_sample_count(s, "descriptors socket",
		1037 + (uint64_t)(3 * box_random(b)) + (uint64_t)box_leak(b, "descriptors socket"));
	memory_sample_count(
		s, "descriptors file", 11 + (b->second % 3600 < 5) + 2 * (b->second % 15 == 0));
	memory_sample_count(s, "mappings", 284 + (uint64_t)(4 * box_random(b)));
	memory_sample_count(s, "dataplane.buffers",
		(uint64_t)(3 * box_random(b)) + (uint64_t)box_leak(b, "dataplane.buffers"));
}

static void box_second(struct box *b, struct memory_sample *s)
{
	b->second++;
	box_load(b);
	box_build(b);
	if (b->leak)
		b->leaked += b->leak_rate * (1 + 0.5 * box_noise(b));
	*s = (struct memory_sample){.uptime_ms = b->second * 1000,
		.wall_s = b->second,
		.questions = b->misses,
		.builds = b->second < b->build_until};
	box_work(b, s);
	box_log(b, s);
	box_process(b, s);
}

enum { DAYS = 10, MONTH = 30 };

static struct memory_judge *judge;
static struct memory_sample sample;
static struct box box;

static void box_start(uint64_t seed, uint64_t start)
{
	memory_judge_close(judge);
	assert_int_equal(memory_judge_open(&judge), 0);
	box_open(&box, seed, start);
}

static const struct judge_status *second(void)
{
	box_second(&box, &sample);
	memory_judge_take(judge, &sample);
	return memory_judge_status(judge);
}

TEST(a_month_has_one_false_alarm_at_most)
{
	const char *given = getenv("WEIR_MONTHS");
	const unsigned months = given ? (unsigned)atoi(given) : 1, days = given ? MONTH : DAYS;
	uint64_t raised = 0;
	for (unsigned m = 0; m < months; m++) {
		box_start(m + 1, 0);
		for (unsigned i = 0; i < days * BOX_DAY; i++)
			(void)second();
		raised += memory_judge_status(judge)->raised;
	}
	print_message("%llu false alarms in %u times %u days\n", (unsigned long long)raised, months,
		days);
	assert_true(raised <= (given ? months : 0));
}

struct planted {
	const char *item;
	enum judge_kind kind;
	const char *name;
	double rate, block; // units a second
	unsigned most_s;
};

// Hours into a day of it; how long until the alarm.
static unsigned planted_run(const struct planted *p, uint64_t seed, const struct judge_alarm **out)
{
	const struct judge_status *s = NULL;
	box_start(seed, seed * 4321 % BOX_DAY);
	for (unsigned i = 0; i < 3700 + seed * 37; i++)
		s = second();
	if (s->raised)
		return UINT32_MAX;
	box.leak = p->item;
	box.leak_rate = p->rate;
	box.leak_block = p->block;
	for (unsigned n = 1; n <= 2 * p->most_s; n++)
		if ((s = second())->count) {
			*out = &s->alarm[0];
			return n;
		}
	return 2 * p->most_s;
}

static void planted_check(const struct planted *p, unsigned runs)
{
	unsigned worst = 0, late = 0, wrong = 0;
	for (unsigned i = 1; i <= runs; i++) {
		const struct judge_alarm *a = NULL;
		unsigned took = planted_run(p, i, &a);
		worst = took > worst ? took : worst;
		late += took > p->most_s;
		wrong += a && (a->kind != p->kind || strcmp(a->name, p->name) != 0);
	}
	print_message("%-20s %10.1f a second: %u s at most, %u of %u late\n", p->item, p->rate,
		worst, late, runs);
	assert_int_equal(wrong, 0);
	assert_true(late * 10 <= runs); // as a build or a burst may be in the way
}

TEST(leaks_alarm_in_time)
{
	static const char *const account[] = {
		"resolver", "upstream", "http", "query_log", "libraries", "frontend", "l0"};
	static const struct {
		double mib_an_hour, block;
		unsigned most_s;
	} rate[] = {{1024, 4096, 60}, {400, 60000, 94}, {215, 60000, 126}, {100, 4096, 180},
		{10, 1024, 900}, {1, 256, 3600}};
	for (unsigned i = 0; i < ARRAY_LEN(rate); i++)
		for (unsigned k = 0; k < ARRAY_LEN(account); k++)
			planted_check(&(struct planted){.item = account[k],
					      .kind = JUDGE_ACCOUNT,
					      .name = account[k],
					      .rate = rate[i].mib_an_hour * 1048576 / 3600,
					      .block = rate[i].block,
					      .most_s = rate[i].most_s},
				rate[i].most_s < 900 ? 10 : 2);
}

TEST(other_leaks_alarm_in_time)
{
	const double mib = 1048576.0 / 3600;
	const struct planted leak[] = {
		{"unexplained", JUDGE_HEAP, "unexplained", 100 * mib, 4096, 180},
		{"mappings regions", JUDGE_MAPPINGS, "regions", 1024 * mib, 262144, 60},
		{"dataplane.buffers", JUDGE_BUFFERS, "buffers", 0.5, 1, 60},
		{"descriptors socket", JUDGE_DESCRIPTORS, "socket", 0.5, 1, 60},
		{"frontend_pending entries", JUDGE_TABLE, "frontend_pending", 10, 1, 60},
		{"frontend_pending entries", JUDGE_TABLE, "frontend_pending", 5.6, 1, 98},
		{"descriptors socket", JUDGE_DESCRIPTORS, "socket", 1 / 300.0, 1, 3600}};
	for (unsigned i = 0; i < ARRAY_LEN(leak); i++)
		planted_check(&leak[i], 5);
}

FIXTURE(judge_end, memory_judge_close(judge))

TEST_GROUP(NULL, judge_end)
