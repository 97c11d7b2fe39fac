// SPDX-License-Identifier: BSD-3-Clause
// Events as datagrams of the journal and as messages of syslog: whatever is in a value stays in it.

#include "controlplane/events/out/event_out_text.h"
#include "tests/unit/unit.h"

static struct event_record event;

static int fresh(void **)
{
	event = (struct event_record){.number = 17,
		.unix_ms = 1795615200123,
		.kind = EVENT_list_failed,
		.severity = EVENT_IS_warning,
		.box = "box1",
		.fields = 1,
		.text = "list \"ads\" failed",
		.name = {"why"},
		.value = {"a\"b\\c]d"}};
	return 0;
}

TEST_WITH(an_event_is_a_line_a_field, fresh, NULL)
{
	char text[EVENT_JOURNAL_MAX];
	static const char want[] = "MESSAGE=list \"ads\" failed\nPRIORITY=4\n"
				   "SYSLOG_IDENTIFIER=weir-events\nWEIR_EVENT=list_failed\n"
				   "WEIR_EVENT_NUMBER=17\nWEIR_SEVERITY=warning\nWEIR_BOX=box1\n"
				   "WEIR_WHY=a\"b\\c]d\n";
	assert_int_equal(event_journal_text(&event, text), sizeof(want) - 1);
	assert_memory_equal(text, want, sizeof(want) - 1);
}

TEST_WITH(a_value_with_a_line_end_makes_no_field, fresh, NULL)
{
	char text[EVENT_JOURNAL_MAX];
	static const char want[] = "WEIR_WHY\n\x0c\0\0\0\0\0\0\0a\nPRIORITY=0\n";
	strcpy(event.value[0], "a\nPRIORITY=0");
	const size_t len = event_journal_text(&event, text);
	assert_memory_equal(text + len - (sizeof(want) - 1), want, sizeof(want) - 1);
}

TEST_WITH(the_longest_event_fits, fresh, NULL)
{
	char text[EVENT_JOURNAL_MAX], syslog[EVENT_SYSLOG_MAX], box[400];
	memset(box, 'b', sizeof(box) - 1);
	box[sizeof(box) - 1] = '\0';
	memset(event.text, '\n', sizeof(event.text) - 1);
	event.fields = EVENT_FIELDS_MAX;
	for (unsigned i = 0; i < EVENT_FIELDS_MAX; i++) {
		event.name[i] = "incarnation";
		memset(event.value[i], i % 2 ? '\n' : '"', EVENT_VALUE_MAX - 1);
	}
	const size_t len = event_journal_text(&event, text);
	assert_true(len < EVENT_JOURNAL_MAX);
	assert_int_equal(text[len - 1], '\n');
	const size_t sent = event_syslog_text(&event, box, 4194304, syslog);
	assert_true(sent < EVENT_SYSLOG_MAX);
	assert_int_equal(syslog[sent - 1], '?'); // the text's last byte
}

TEST_WITH(a_message_of_syslog_has_the_fields_as_data, fresh, NULL)
{
	char text[EVENT_SYSLOG_MAX];
	static const char want[] = "<28>1 2026-11-25T14:00:00.123Z box-1 weir 42 list_failed "
				   "[event@32473 number=\"17\" severity=\"warning\" "
				   "why=\"a\\\"b\\\\c\\]d\"] list \"ads\" failed";
	assert_int_equal(event_syslog_text(&event, "box 1", 42, text), sizeof(want) - 1);
	assert_memory_equal(text, want, sizeof(want) - 1);
}

TEST_WITH(a_control_character_ends_nothing, fresh, NULL)
{
	char text[EVENT_SYSLOG_MAX];
	strcpy(event.text, "one\n<0>1 two\x7f");
	strcpy(event.value[0], "\x1b[31m");
	event.severity = EVENT_IS_error;
	const size_t len = event_syslog_text(&event, "", 1, text);
	text[len] = '\0';
	assert_non_null(strstr(text, "<27>1 "));
	assert_non_null(strstr(text, "Z - weir 1 "));
	assert_non_null(strstr(text, "why=\"?[31m\"] one?<0>1 two?"));
}
