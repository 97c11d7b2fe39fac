// SPDX-License-Identifier: BSD-3-Clause

#include "tests/unit/unit.h"

#include <weir/log_recent.h>

// Runs body with stderr going to a pipe; what it wrote is in out.
static size_t capture(void (*body)(void), char *out, size_t cap)
{
	int fds[2];
	assert_int_equal(pipe(fds), 0);
	assert_int_equal(fcntl(fds[1], F_SETPIPE_SZ, 1 << 20) > 0, 1);
	int saved = dup(STDERR_FILENO);
	dup2(fds[1], STDERR_FILENO);
	close(fds[1]);
	body();
	dup2(saved, STDERR_FILENO);
	close(saved);
	size_t len = 0;
	ssize_t n;
	while ((n = read(fds[0], out + len, cap - 1 - len)) > 0)
		len += (size_t)n;
	out[len] = 0;
	close(fds[0]);
	return len;
}

static void say_live(void)
{
	log_init("prog", LOG_LEVEL_INFO);
	log_debug("quiet");
	log_set_level(LOG_LEVEL_DEBUG);
	log_debug("loud");
	log_set_level(LOG_LEVEL_ERROR);
	log_warning("quiet");
	log_set_level(LOG_LEVEL_INFO);
}

TEST(test_level_changes_live)
{
	char out[1024];
	capture(say_live, out, sizeof(out));
	assert_string_equal(out, "<7>prog: loud\n");
}

static void say_formats(void)
{
	log_init("prog", LOG_LEVEL_INFO);
	log_set_format(LOG_FORMAT_JSON);
	log_error("bad \"%s\"", "name");
	log_foreign("EAL: one\n", 9);
	log_foreign("\n", 1);
	log_set_format(LOG_FORMAT_TEXT);
	log_info("text");
	log_foreign("EAL: two\n", 9);
}

TEST(test_format_changes_live)
{
	char out[2048];
	capture(say_formats, out, sizeof(out));
	assert_memory_equal(out, "{\"time\":\"2", 10);
	assert_non_null(strstr(out, text_from("\"E%08x\"", (unsigned)log_recent_id("bad \"%s\""))));
	assert_non_null(strstr(out, "\"message\":\"bad \\\"name\\\"\"}\n{\"time\":"));
	const char *text = strstr(out, "\"message\":\"EAL: one\"}\n");
	assert_non_null(text);
	assert_string_equal(strchr(text, '\n'), "\n<6>prog: text\nEAL: two\n");
}

static void say_levels(void)
{
	log_init("prog", LOG_LEVEL_WARNING);
	log_error("bad %d", 7);
	log_info("quiet");
}

TEST(test_levels)
{
	char out[1024];
	capture(say_levels, out, sizeof(out));
	assert_string_equal(out, "<3>prog: bad 7\n");
}

static void say_long(void)
{
	char text[4000];
	memset(text, 'x', sizeof(text));
	text[sizeof(text) - 1] = 0;
	log_error("%s", text);
}

TEST(test_long_line_is_cut)
{
	char out[8192];
	size_t len = capture(say_long, out, sizeof(out));
	assert_true(len <= 1024);
	assert_int_equal(out[len - 1], '\n');
}

static void say_much(void)
{
	for (int i = 0; i < 100000; i++)
		log_error("again");
}

TEST(test_flood_is_bounded)
{
	static char out[1 << 20];
	size_t len = capture(say_much, out, sizeof(out));
	unsigned lines = 0;
	for (size_t i = 0; i < len; i++)
		lines += out[i] == '\n';
	assert_true(lines <= 1000); // 100 a second; the loop lasts well under ten
	assert_int_equal(log_suppressed() + lines, 100000 + 0u);
}

// The reader stands still: nobody who logs waits for it, what finds no room is lost and counted,
// and the reader gets their number once it goes on.
TEST(test_stalled_reader)
{
	static char text[LOG_OUT_BYTES / 64 - 1], got[4 * LOG_OUT_BYTES];
	enum { LINES = 200 };
	int fds[2];
	assert_int_equal(pipe(fds), 0);
	int saved = dup(STDERR_FILENO);
	dup2(fds[1], STDERR_FILENO);
	close(fds[1]);
	memset(text, 'x', sizeof(text));
	text[sizeof(text) - 1] = '\n';
	assert_int_equal(log_out_start("prog"), 0);
	const uint64_t began = clock_mono_ms();
	for (unsigned i = 0; i < LINES; i++)
		log_out_write(text, sizeof(text));
	assert_true(clock_mono_ms() - began < 5000);
	const uint64_t lost = log_out_lost();
	assert_in_range(lost, 1, LINES - 64);
	size_t len = 0;
	const char *notice = NULL;
	const char *expected = text_from("prog: [%u log lines lost", (unsigned)lost);
	while (!notice && len < sizeof(got) - 1) {
		ssize_t n = read(fds[0], got + len, sizeof(got) - 1 - len);
		assert_true(n > 0);
		len += (size_t)n;
		got[len] = 0;
		notice = strstr(got, expected);
	}
	assert_non_null(notice);
	assert_int_equal((size_t)(notice - got), (LINES - lost) * sizeof(text));
	log_out_write("last\n", 5);
	log_out_stop();
	log_out_write("direct\n", 7);
	dup2(saved, STDERR_FILENO);
	close(saved);
	while (len < sizeof(got) - 1) {
		ssize_t n = read(fds[0], got + len, sizeof(got) - 1 - len);
		if (n <= 0)
			break;
		len += (size_t)n;
	}
	got[len] = 0;
	close(fds[0]);
	assert_non_null(strstr(got, "\nlast\ndirect\n"));
	assert_int_equal(log_out_lost(), lost);
}
