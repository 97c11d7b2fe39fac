// SPDX-License-Identifier: BSD-3-Clause
// Days of a simulated box: how many false alarms, and how soon a leak is an alarm. WEIR_MONTHS: so
// many months in place of ten days.

#include "judge_box.h"
#include "tests/unit/unit.h"

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
