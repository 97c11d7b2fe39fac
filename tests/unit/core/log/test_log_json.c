// SPDX-License-Identifier: BSD-3-Clause
// Lines of the log as JSON: each is one object of one line, whatever the text; the time is that of
// the C library's calendar.

#include "dataplane/core/log/log.h"
#include "tests/unit/clock_shift.h"
#include "tests/unit/unit.h"

#include <jansson.h>

static char line[LOG_JSON_MAX];

static json_t *parse(const struct log_json *l)
{
	json_error_t error;
	const size_t len = log_json_line(line, l);
	assert_in_range(len, 2, LOG_JSON_MAX);
	assert_int_equal(line[len - 1], '\n');
	assert_ptr_equal(memchr(line, '\n', len), line + len - 1);
	json_t *root = json_loadb(line, len, 0, &error);
	if (!root)
		fail_msg("%s: %.*s", error.text, (int)len, line);
	return root;
}

static const char *text_of(const json_t *root, const char *key)
{
	const char *text = json_string_value(json_object_get(root, key));
	return text ? text : "(none)";
}

TEST(test_fields)
{
	assert_int_equal(pthread_setname_np(pthread_self(), "a \"thread\""), 0);
	json_t *root = parse(&(struct log_json){.level = LOG_LEVEL_ERROR,
		.id = 0xab,
		.process = "prog",
		.text = "list \"ads\": no \\ such\tfile",
		.suppressed = 12});
	assert_string_equal(text_of(root, "level"), "error");
	assert_string_equal(text_of(root, "id"), "E000000ab");
	assert_string_equal(text_of(root, "process"), "prog");
	assert_string_equal(text_of(root, "thread"), "a \"thread\"");
	assert_string_equal(text_of(root, "message"), "list \"ads\": no \\ such\\x09file");
	assert_int_equal(json_integer_value(json_object_get(root, "suppressed")), 12);
	assert_int_equal(json_object_size(root), 7);
	json_decref(root);
	root = parse(&(struct log_json){.level = LOG_LEVEL_INFO, .process = "prog", .text = ""});
	assert_string_equal(text_of(root, "level"), "info");
	assert_int_equal(json_object_size(root), 5);
	json_decref(root);
}

// The kind, the number and the fields of an event; any bytes in the longest values fit.
TEST(test_event)
{
	static char long_value[2 * LOG_FIELD_MAX];
	struct log_event e = {.kind = "upstream_down",
		.text = "server \"one\" is down",
		.number = INT64_MAX,
		.box = "box\"1",
		.count = 2,
		.field = {{"server", "\"one\""}, {"lasted_s", "3"}}};
	struct log_json l = {
		.level = LOG_LEVEL_WARNING, .process = "prog", .text = e.text, .event = &e};
	json_t *root = parse(&l);
	assert_string_equal(text_of(root, "message"), "server \"one\" is down");
	assert_string_equal(text_of(root, "event"), "upstream_down");
	assert_int_equal(json_integer_value(json_object_get(root, "number")), INT64_MAX);
	assert_string_equal(text_of(root, "box"), "box\"1");
	const json_t *fields = json_object_get(root, "fields");
	assert_string_equal(text_of(fields, "server"), "\"one\"");
	assert_string_equal(text_of(fields, "lasted_s"), "3");
	assert_int_equal(json_object_size(fields), 2);
	json_decref(root);
	memset(long_value, '\\', sizeof(long_value) - 1);
	e.count = LOG_EVENT_FIELDS_MAX;
	for (unsigned i = 0; i < 2 * e.count; i++) {
		static const char *const names[] = {"one", "two", "three", "four"};
		memset(long_value, i < e.count ? '\\' : 1, sizeof(long_value) - 1);
		e.box = long_value;
		e.field[i % e.count] = (struct log_field){names[i % e.count], long_value};
		json_decref(parse(&l));
	}
}

TEST(test_levels)
{
	static const struct {
		enum log_level level;
		const char *word, *id;
	} given[] = {{LOG_LEVEL_ERROR, "error", "E00000001"},
		{LOG_LEVEL_WARNING, "warning", "W00000001"}, {LOG_LEVEL_INFO, "info", "W00000001"},
		{LOG_LEVEL_DEBUG, "debug", "W00000001"}};
	for (unsigned i = 0; i < ARRAY_LEN(given); i++) {
		json_t *root = parse(&(struct log_json){
			.level = given[i].level, .id = 1, .process = "p", .text = "t"});
		assert_string_equal(text_of(root, "level"), given[i].word);
		assert_string_equal(text_of(root, "id"), given[i].id);
		json_decref(root);
	}
}

// All bytes, in texts of all lengths: each line is an object, and no line is too long.
TEST(test_any_text)
{
	char text[LOG_TEXT_MAX];
	for (unsigned byte = 1; byte < 256; byte++)
		for (unsigned len = byte; len < sizeof(text); len += 251) {
			memset(text, (int)byte, len);
			text[len] = '\0';
			json_decref(parse(&(struct log_json){.level = LOG_LEVEL_ERROR,
				.id = UINT32_MAX,
				.process = "weir-controlplane",
				.text = text,
				.suppressed = INT64_MAX}));
		}
	memset(text, '"', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	json_t *root = parse(&(struct log_json){
		.level = LOG_LEVEL_ERROR, .process = "weir-controlplane", .text = text});
	assert_true(strlen(text_of(root, "message")) > LOG_TEXT_MAX - 8);
	json_decref(root);
	root = parse(&(struct log_json){
		.level = LOG_LEVEL_INFO, .process = "p", .text = "gr\xc3\xbc\xc3"});
	assert_string_equal(text_of(root, "message"), "gr\xc3\xbc\\xc3");
	json_decref(root);
}

TEST(test_time)
{
	// Begins and ends of months and years, leap days, and every 41st day of 200 years.
	static const int64_t days[] = {951782400, 951868800, 1709164800, 1709251200, 1735689599,
		1735689600, 4107542399, 4107542400, 0, 86399, 68169600};
	for (unsigned i = 0; i < ARRAY_LEN(days) + 1780; i++) {
		const int64_t at = i < ARRAY_LEN(days) ? days[i] : (int64_t)(i * 41) * 86399;
		char early[32], late[32];
		struct timespec now;
		struct tm tm;
		clock_gettime(CLOCK_REALTIME, &now);
		clock_step_ms((at - now.tv_sec) * 1000);
		clock_gettime(CLOCK_REALTIME, &now);
		json_t *root = parse(
			&(struct log_json){.level = LOG_LEVEL_INFO, .process = "p", .text = ""});
		(void)strftime(early, sizeof(early), "%FT%T", gmtime_r(&now.tv_sec, &tm));
		now.tv_sec++;
		(void)strftime(late, sizeof(late), "%FT%T", gmtime_r(&now.tv_sec, &tm));
		const char *shown = text_of(root, "time");
		assert_int_equal(strlen(shown), 24);
		assert_true(strncmp(shown, early, 19) == 0 || strncmp(shown, late, 19) == 0);
		assert_int_equal(shown[19], '.');
		assert_int_equal(shown[23], 'Z');
		json_decref(root);
	}
}
