// SPDX-License-Identifier: BSD-3-Clause
// GET /doctor: the report of `weirctl doctor --save`, and files that are none.

#include "api_rig.h"

#include <sys/stat.h>
#include <weir/doctor_file.h>

#define BEGIN   "{\"format\":1,\"checked_unix_s\":1795780800,\"version\":\"1.2.3\","
#define NUMBERS "\"ok\":7,\"warnings\":1,\"wrong\":1,\"not_checked\":0,\"left_out\":2,"
#define FINDING                                                                           \
	"{\"verdict\":\"wrong\",\"check\":\"ports\",\"text\":\"no \\u00fc\",\"do\":\"ip " \
	"\\\"link\\\"\"}"

static const char *report_path(void)
{
	return text_from("%s/" DOCTOR_REPORT_NAME, api_folder);
}

static void report_bytes(const char *bytes, size_t len)
{
	FILE *f = fopen(report_path(), "we");
	assert_non_null(f);
	assert_int_equal(fwrite(bytes, 1, len, f), len);
	assert_int_equal(fclose(f), 0);
}

static void report_put(const char *text)
{
	report_bytes(text, strlen(text));
}

TEST(no_report_is_no_error)
{
	assert_reply("GET /doctor", 200, "\"state\":\"none\"", "no report is there yet",
		"\"requested_unix_s\":0");
	assert_null(strstr(reply, "findings"));
}

TEST(a_report_is_shown_with_its_age)
{
	report_put(BEGIN NUMBERS "\"findings\":[" FINDING
				 ",{\"verdict\":\"ok\",\"check\":\"swap\",\"text\":\"off\"}]}");
	assert_reply("GET /doctor", 200, "\"state\":\"saved\",\"why\":\"\"",
		"\"checked_unix_s\":1795780800,\"age_s\":", "\"version\":\"1.2.3\"",
		"\"ok\":7,\"warnings\":1,\"wrong\":1,\"not_checked\":0,\"left_out\":2",
		"{\"verdict\":\"wrong\",\"check\":\"ports\",\"text\":\"no \xc3\xbc\","
		"\"do\":\"ip \\\"link\\\"\"}",
		"{\"verdict\":\"ok\",\"check\":\"swap\",\"text\":\"off\"}]");
}

// The time of a request is shown, until root takes the file.
TEST(a_request_is_shown)
{
	const char *request = text_from("%s/" DOCTOR_REQUEST_NAME, api_folder);
	const struct timespec times[2] = {{.tv_sec = 1795780000}, {.tv_sec = 1795780000}};
	int fd = open(request, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(futimens(fd, times), 0);
	close(fd);
	assert_reply("GET /doctor", 200, "\"requested_unix_s\":1795780000");
	assert_int_equal(unlink(request), 0);
	assert_reply("GET /doctor", 200, "\"requested_unix_s\":0");
}

TEST(another_text_is_no_report)
{
	static const char *const bad[][2] = {{"", "is no report: "}, {"7", "it is no object"},
		{BEGIN, "is no report: "}, {"{\"format\":2}", "format"},
		{"{\"format\":1,\"checked_unix_s\":-1}", "checked_unix_s"},
		{"{\"format\":1,\"checked_unix_s\":\"1\"}", "checked_unix_s"},
		{"{\"format\":1,\"checked_unix_s\":1,\"version\":7}", "version"},
		{BEGIN "\"findings\":[]}", "ok"}, {BEGIN "\"ok\":1,\"warnings\":-1}", "warnings"},
		{BEGIN NUMBERS "\"findings\":{}}", "findings"},
		{BEGIN NUMBERS "\"x\":1}", "findings"},
		{BEGIN NUMBERS "\"findings\":[7]}", "one of them"},
		{BEGIN NUMBERS "\"findings\":[" FINDING ",null]}", "one of them"},
		{BEGIN NUMBERS
			"\"findings\":[{\"verdict\":\"bad\",\"check\":\"a\",\"text\":\"b\"}]}",
			"one of them"},
		{BEGIN NUMBERS "\"findings\":[{\"verdict\":\"ok\",\"check\":\"a\"}]}",
			"one of them"},
		{BEGIN NUMBERS "\"findings\":[{\"verdict\":\"ok\",\"check\":\"a\",\"text\":\"b\","
			       "\"do\":7}]}",
			"one of them"}};
	for (unsigned i = 0; i < ARRAY_LEN(bad); i++) {
		report_put(bad[i][0]);
		assert_reply("GET /doctor", 200, "\"state\":\"bad\"",
			"/doctor is no report: ", bad[i][1]);
		assert_null(strstr(reply, "checked_unix_s\":1795780800"));
	}
}

// No cut of a good report is one, nor does any make the API read too far.
TEST(a_cut_report_is_none)
{
	static const char good[] = BEGIN NUMBERS "\"findings\":[" FINDING "]}";
	for (size_t len = 0; len < sizeof(good) - 1; len++) {
		report_bytes(good, len);
		assert_reply("GET /doctor", 200, "\"state\":\"bad\"");
	}
	report_bytes(good, sizeof(good) - 1);
	assert_reply("GET /doctor", 200, "\"state\":\"saved\"");
}

TEST(a_report_has_bounds)
{
	static char text[DOCTOR_REPORT_MAX + 2];
	memset(text, ' ', sizeof(text));
	memcpy(text, BEGIN NUMBERS "\"findings\":[]}", strlen(BEGIN NUMBERS "\"findings\":[]}"));
	report_bytes(text, DOCTOR_REPORT_MAX);
	assert_reply("GET /doctor", 200, "\"state\":\"saved\"");
	report_bytes(text, DOCTOR_REPORT_MAX + 1);
	assert_reply("GET /doctor", 200, "\"state\":\"bad\"", strerror(EFBIG));
	size_t len = (size_t)sprintf(text, BEGIN NUMBERS "\"findings\":[");
	for (unsigned i = 0; i <= DOCTOR_FINDINGS_MAX; i++)
		len += (size_t)sprintf(text + len, "%s" FINDING, i ? "," : "");
	len += (size_t)sprintf(text + len, "]}");
	report_bytes(text, len);
	assert_reply("GET /doctor", 200, "is no report: findings\"");
}

// A link in the place of the file is not followed, a FIFO not waited for.
TEST(another_kind_of_file_is_no_report)
{
	assert_int_equal(unlink(report_path()), 0);
	assert_int_equal(mkfifo(report_path(), 0600), 0);
	assert_reply("GET /doctor", 200, "\"state\":\"bad\"", "/doctor: ", strerror(EPERM));
	assert_int_equal(unlink(report_path()), 0);
	assert_int_equal(symlink("/etc/hostname", report_path()), 0);
	assert_reply("GET /doctor", 200, "\"state\":\"bad\"", "/doctor: ", strerror(EPERM));
	assert_int_equal(unlink(report_path()), 0);
}

static int setup(void **)
{
	return api_rig_open((struct api_deps){0});
}

static int teardown(void **)
{
	api_rig_end();
	return api_rig_close(NULL);
}

TEST_GROUP(setup, teardown)
