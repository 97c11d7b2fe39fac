// SPDX-License-Identifier: BSD-3-Clause
// Tests the ring of events: numbers, reading, overwriting, and texts that are too long.

#include "controlplane/events/events.h"
#include "tests/unit/unit.h"

static struct events *events;
static uint64_t missed;

FIXTURE_OF(fresh, events_open(&events, "box"))

FIXTURE(gone, events_close(events))

static void add(unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		events_add(events, EVENT_list_changed, NULL, "change %u", i);
}

TEST_WITH(numbers_go_up_by_one, fresh, gone)
{
	const uint64_t before = events_newest(events);
	assert_null(events_next(events, 0, &missed));
	assert_null(events_next(events, before, &missed));
	add(3);
	assert_int_equal(events_newest(events), before + 3);
	uint64_t after = 0;
	for (unsigned i = 1; i <= 3; i++) {
		const struct event_record *e = events_next(events, after, &missed);
		assert_non_null(e);
		assert_int_equal(e->number, before + i);
		assert_int_equal(missed, 0);
		after = e->number;
	}
	assert_null(events_next(events, after, &missed));
}

// A process that is started later begins at a higher number.
TEST_WITH(numbers_go_on_after_a_restart, fresh, gone)
{
	struct events *later;
	add(5);
	const uint64_t last = events_newest(events);
	WAIT_FOR(clock_ms_of(CLOCK_REALTIME) > last);
	assert_int_equal(events_open(&later, "box"), 0);
	events_add(later, EVENT_process_started, NULL, "again");
	const struct event_record *e = events_next(later, last, &missed);
	assert_non_null(e);
	assert_true(e->number > last);
	assert_int_equal(missed, 0);
	events_close(later);
}

TEST_WITH(a_number_of_another_life_begins_at_the_oldest, fresh, gone)
{
	add(2);
	const struct event_record *e =
		events_next(events, events_newest(events) + 1000000, &missed);
	assert_non_null(e);
	assert_string_equal(e->text, "change 0");
}

TEST_WITH(the_oldest_is_overwritten_and_counted, fresh, gone)
{
	struct events_counts c;
	add(EVENTS_MAX);
	const uint64_t first = events_newest(events) - EVENTS_MAX + 1;
	events_counts(events, &c);
	assert_int_equal(c.overwritten, 0);
	add(10);
	events_counts(events, &c);
	assert_int_equal(c.overwritten, 10);
	assert_int_equal(c.used, EVENTS_MAX);
	assert_int_equal(c.of_kind[EVENT_list_changed], EVENTS_MAX + 10);
	assert_int_equal(c.of_kind[EVENT_list_failed], 0);
	const struct event_record *e = events_next(events, first + 3, &missed);
	assert_int_equal(e->number, first + 10);
	assert_int_equal(missed, 6);
	e = events_next(events, 0, &missed);
	assert_int_equal(e->number, first + 10);
	assert_int_equal(missed, 10);
	e = events_next(events, first + 10, &missed);
	assert_int_equal(e->number, first + 11);
	assert_int_equal(missed, 0);
}

TEST_WITH(texts_and_fields_are_cut, fresh, gone)
{
	char text[2 * EVENT_TEXT_MAX];
	memset(text, 'x', sizeof(text));
	text[sizeof(text) - 1] = '\0';
	events_add(events, EVENT_config_refused,
		EVENT_FIELDS({"a", text}, {"b", "2"}, {"c", ""}, {"d", "4"}, {"e", "5"}), "%s",
		text);
	const struct event_record *e = events_next(events, 0, &missed);
	assert_int_equal(strlen(e->text), EVENT_TEXT_MAX - 1);
	assert_int_equal(e->fields, EVENT_FIELDS_MAX);
	assert_int_equal(strlen(e->value[0]), EVENT_VALUE_MAX - 1);
	assert_string_equal(e->name[1], "b");
	assert_string_equal(e->value[1], "2");
	assert_string_equal(e->value[2], "");
	assert_string_equal(e->name[3], "d");
}

TEST_WITH(kinds_have_a_severity, fresh, gone)
{
	events_add(events, EVENT_config_refused, NULL, "1");
	events_add(events, EVENT_dataplane_went, NULL, "2");
	events_add(events, EVENT_process_started, NULL, "3");
	events_add_as(events, EVENT_config_reloaded, EVENT_IS_warning, NULL, "4");
	static const enum event_severity expected[] = {
		EVENT_IS_error, EVENT_IS_warning, EVENT_IS_info, EVENT_IS_warning};
	const struct event_record *e;
	uint64_t after = 0;
	for (unsigned i = 0; i < ARRAY_LEN(expected); i++, after = e->number) {
		e = events_next(events, after, &missed);
		assert_int_equal(e->severity, expected[i]);
		assert_true(e->unix_ms > 0);
	}
	assert_string_equal(event_kind_names[EVENT_dataplane_went], "dataplane_went");
	assert_string_equal(event_severity_names[EVENT_IS_warning], "warning");
}

// A poke between the look at what it is for and the wait.
TEST_WITH(no_poke_is_lost, fresh, gone)
{
	const uint64_t pokes = events_pokes(events), newest = events_newest(events);
	events_poke(events);
	const uint64_t began_ms = clock_mono_ms();
	assert_int_equal(events_wait(events, newest, pokes, 20000), newest);
	assert_true(clock_mono_ms() - began_ms < 20000);
	assert_int_equal(events_wait(events, newest, events_pokes(events), 1), newest);
}

TEST_WITH(no_ring_takes_nothing, fresh, gone)
{
	events_add(NULL, EVENT_list_changed, NULL, "to nobody");
	events_add_as(NULL, EVENT_list_changed, EVENT_IS_error, NULL, "to nobody");
	assert_null(events_next(events, 0, &missed));
}
