// SPDX-License-Identifier: BSD-3-Clause
// Conditions: one event at their begin, one at their end, however often a look sees them.

#include "controlplane/events/events.h"
#include "tests/unit/unit.h"

static const struct event_condition_kind alarm_kind = {
	EVENT_alarm_raised, EVENT_alarm_over, EVENT_IS_warning, "alarm", "over", 3};
static const struct event_condition_kind outage_kind = {
	EVENT_alarm_raised, EVENT_alarm_over, EVENT_IS_error, "alarm", "over", 3};
static const struct event_condition_kind server_kind = {
	EVENT_upstream_down, EVENT_upstream_up, EVENT_IS_warning, "server", "over", 1};

static struct events *events;
static struct event_conditions conditions;
static uint64_t now_ms, after;

static int fresh(void **)
{
	memset(&conditions, 0, sizeof(conditions));
	now_ms = 5000;
	after = 0;
	return events_open(&events, "box");
}

FIXTURE(gone, events_close(events))

static void see(const struct event_condition_kind *kind, const char *about)
{
	event_conditions_see(
		&conditions, events, kind, about, now_ms, "%s at %u", about, (unsigned)now_ms);
}

static void end(void)
{
	event_conditions_end(&conditions, events, now_ms);
	now_ms += 1000;
}

static const struct event_record *next(enum event_kind kind, const char *text)
{
	uint64_t missed;
	const struct event_record *e = events_next(events, after, &missed);
	assert_non_null(e);
	assert_int_equal(e->kind, kind);
	assert_string_equal(e->text, text);
	after = e->number;
	return e;
}

static void assert_quiet(void)
{
	uint64_t missed;
	assert_null(events_next(events, after, &missed));
}

TEST_WITH(begins_and_ends_once, fresh, gone)
{
	see(&server_kind, "a");
	const struct event_record *e = next(EVENT_upstream_down, "a at 5000");
	assert_string_equal(e->name[0], "server");
	assert_string_equal(e->value[0], "a");
	end();
	for (unsigned i = 0; i < 4; i++) {
		see(&server_kind, "a");
		end();
	}
	assert_quiet();
	end();
	e = next(EVENT_upstream_up, "over after 5 s: a at 5000");
	assert_string_equal(e->name[1], "lasted_s");
	assert_string_equal(e->value[1], "5");
	end();
	assert_quiet();
	assert_int_equal(conditions.count, 0);
}

TEST_WITH(ends_when_so_many_looks_have_not_seen_it, fresh, gone)
{
	see(&alarm_kind, "a");
	(void)next(EVENT_alarm_raised, "a at 5000");
	end();
	end();
	end();
	see(&alarm_kind, "a"); // back before the third
	end();
	end();
	end();
	assert_quiet();
	end();
	(void)next(EVENT_alarm_over, "over after 6 s: a at 5000");
	see(&alarm_kind, "a");
	(void)next(EVENT_alarm_raised, "a at 12000");
}

TEST_WITH(others_stay_when_one_ends, fresh, gone)
{
	see(&server_kind, "a");
	see(&alarm_kind, "a");
	see(&server_kind, "b");
	(void)next(EVENT_upstream_down, "a at 5000");
	(void)next(EVENT_alarm_raised, "a at 5000");
	(void)next(EVENT_upstream_down, "b at 5000");
	end();
	see(&alarm_kind, "a");
	see(&server_kind, "b");
	end();
	(void)next(EVENT_upstream_up, "over after 1 s: a at 5000");
	see(&alarm_kind, "a");
	see(&server_kind, "b");
	end();
	assert_quiet();
	assert_int_equal(conditions.count, 2);
}

// The same id, which stands for both: it is over when both are, since the first began.
TEST_WITH(an_alarm_that_becomes_an_outage_is_another, fresh, gone)
{
	see(&alarm_kind, "a");
	assert_int_equal(next(EVENT_alarm_raised, "a at 5000")->severity, EVENT_IS_warning);
	end();
	see(&outage_kind, "a");
	assert_int_equal(next(EVENT_alarm_raised, "a at 6000")->severity, EVENT_IS_error);
	for (unsigned i = 0; i < 4; i++) {
		see(&outage_kind, "a");
		end();
	}
	assert_quiet();
	assert_int_equal(conditions.count, 1);
	for (unsigned i = 0; i < 4; i++)
		end();
	(void)next(EVENT_alarm_over, "over after 7 s: a at 6000");
	see(&alarm_kind, "b");
	see(&outage_kind, "b");
	(void)next(EVENT_alarm_raised, "b at 14000");
	(void)next(EVENT_alarm_raised, "b at 14000");
	for (unsigned i = 0; i < 4; i++)
		end();
	(void)next(EVENT_alarm_over, "over after 3 s: b at 14000"); // once for both
	assert_quiet();
	assert_int_equal(conditions.count, 0);
}

TEST_WITH(more_than_the_cap_are_left_out_and_counted, fresh, gone)
{
	char about[16];
	for (unsigned i = 0; i < EVENT_CONDITIONS_MAX + 4; i++) {
		(void)snprintf(about, sizeof(about), "c%u", i);
		see(&server_kind, about);
	}
	assert_int_equal(conditions.count, EVENT_CONDITIONS_MAX);
	struct events_counts c;
	events_counts(events, &c);
	assert_int_equal(c.left_out, 4);
}

TEST_WITH(a_name_that_is_too_long_is_one_condition, fresh, gone)
{
	char about[2 * EVENT_ABOUT_MAX];
	memset(about, 'a', sizeof(about));
	about[sizeof(about) - 1] = '\0';
	see(&server_kind, about);
	see(&server_kind, about);
	assert_int_equal(conditions.count, 1);
}

TEST_WITH(the_latest_that_ended_are_kept, fresh, gone)
{
	char about[16];
	for (unsigned i = 0; i < EVENT_CONDITIONS_ENDED + 2; i++) {
		(void)snprintf(about, sizeof(about), "c%u", i);
		see(&server_kind, about);
		end();
		end();
		end();
	}
	assert_int_equal(conditions.count, 0);
	assert_int_equal(conditions.ended_count, EVENT_CONDITIONS_ENDED + 2);
	assert_string_equal(conditions.ended[0].about, "c32");
	assert_string_equal(conditions.ended[1].about, "c33");
	assert_string_equal(conditions.ended[2].about, "c2");
	assert_true(conditions.ended[1].until_ms > conditions.ended[1].since_ms);
}

TEST_WITH(one_that_lasts_is_found_by_its_begin, fresh, gone)
{
	see(&server_kind, "a");
	see(&alarm_kind, "b");
	assert_null(event_conditions_find(&conditions, EVENT_alarm_raised, "a"));
	assert_int_equal(
		event_conditions_find(&conditions, EVENT_alarm_raised, "b")->since_ms, now_ms);
}
