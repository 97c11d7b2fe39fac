// SPDX-License-Identifier: BSD-3-Clause

// How long entries have stayed says how many a load can put into a table.

#include "controlplane/memory/memory_judge.h"
#include "judge_rig.h"

// Places that are never given back, though no entry is old: within a minute, while the load is more
// than what is lost in that time.
TEST_WITH(places_without_an_entry_alarm, setup, teardown)
{
	enum { LOAD = 100, LOST = 10 };
	for (uint64_t n = 0; n < 3 * WARM + 60; n++) {
		const uint64_t lost = n > 3 * WARM ? (n - 3 * WARM) * LOST : 0;
		const struct table_info t = {.name = "frontend_pending",
			.kind = TABLE_WORK,
			.cap = 16384,
			.used = lost + n % 4,
			.oldest_ms = n % 4 * 30,
			.stay_ms = 5000,
			.has = TABLE_AGES};
		sample_begin();
		s.questions = n * LOAD;
		memory_sample_table(&s, &t);
		sample_end();
		assert_true(n > 3 * WARM || !status->count);
	}
	assert_alone(JUDGE_TABLE, "frontend_pending");
}

// Upstream servers become slow: questions stay, and are as old as that. At any load, up to the one
// that fills the table.
TEST_WITH(slow_answers_are_no_leak, setup, teardown)
{
	static const unsigned loads[] = {100, 1000, 3000};
	uint64_t questions = 0;
	for (unsigned i = 0; i < ARRAY_LEN(loads); i++)
		for (uint64_t n = 0; n < 1000; n++) {
			const uint64_t since = n < 3 * WARM ? 0 : n - 3 * WARM,
				       slow_ms = since == 0    ? 50
						 : since < 500 ? 50 + since * 9
							       : 5000;
			const struct table_info t = {.name = "frontend_pending",
				.kind = TABLE_WORK,
				.cap = 16384,
				.used = loads[i] * slow_ms / 1000,
				.oldest_ms = slow_ms,
				.stay_ms = 5000,
				.has = TABLE_AGES};
			sample_begin();
			s.questions = questions += loads[i];
			memory_sample_table(&s, &t);
			sample_end();
			if (status->raised)
				fail_msg("%u a second, %u ms each", loads[i], (unsigned)slow_ms);
		}
}

TEST(a_table_without_ages_is_allowed_its_longest_stay)
{
	struct judge_ages a = {0};
	const struct memory_table without = {.oldest_ms = 10},
				  with = {.oldest_ms = 10, .has_ages = true};
	for (uint64_t ms = 1000; ms < 4 * (uint64_t)AGES_SPAN_MS; ms += 1000)
		assert_true(judge_ages_see(&a, &without, ms, 5) == 5);
	a = (struct judge_ages){0};
	assert_true(judge_ages_see(&a, &with, 1000, 5) == 5); // not for long enough
	assert_true(judge_ages_see(&a, &with, 1000 + AGES_SPAN_MS, 5) < 1.1);
	assert_true(judge_ages_see(&a, &with, 2000 + AGES_SPAN_MS, 0.5) == 0.5);
	const struct memory_table old = {.oldest_ms = 4000, .has_ages = true};
	assert_true(judge_ages_see(&a, &old, 3000 + AGES_SPAN_MS, 5) == 5);
	assert_true(judge_ages_see(&a, &with, 1000 + 2 * (uint64_t)AGES_SPAN_MS, 5) == 5);
	assert_true(judge_ages_see(&a, &with, 1000 + 3 * (uint64_t)AGES_SPAN_MS, 5) < 1.1);
}
