// SPDX-License-Identifier: BSD-3-Clause
#include "controlplane/querylog/row_text.h"
#include "controlplane/querylog/sinks/request_log.h"
#include "tests/unit/cp/querylog/querylog_rig.h"
#include "tests/unit/unit.h"

static _Atomic int64_t now_s;
static struct querylog_rig rig;

static int64_t clock_s(void)
{
	return now_s;
}

static int setup(void **state)
{
	now_s = 1795000000; // 2026-11-18T
	querylog_rig_open(&rig, 7);
	return own_folder_setup(state);
}

static int teardown(void **state)
{
	querylog_rig_close(&rig);
	return own_folder_teardown(state);
}

static struct request_log *open_log(bool json, uint64_t max_bytes)
{
	struct request_log *l;
	const struct request_log_settings s = {.folder = own_folder,
		.json = json,
		.days = 2,
		.max_bytes = max_bytes,
		.unix_s = clock_s};
	assert_int_equal(request_log_open(&l, &s), 0);
	return l;
}

static bool give(struct request_log *l, const struct querylog_batch *b)
{
	const struct querylog_sink sink = sink_thread_sink(request_log_thread(l));
	bool took = sink.take(sink.arg, b);
	querylog_release(b);
	return took;
}

static struct sink_status await(struct request_log *l, uint64_t written, uint64_t lost)
{
	struct sink_status s = {0};
	WAIT_FOR(s.written >= written && s.lost >= lost,
		sink_thread_status(request_log_thread(l), &s));
	assert_int_equal(s.written, written);
	assert_int_equal(s.lost, lost);
	return s;
}

// A batch of so many rows, then all that was written.
#define GIVEN(rows, written) \
	(assert_true(give(l, querylog_rig_batch(&rig, rows))), (void)await(l, written, 0))

// The whole file; NULL: no such file.
static char *file_of(const char *name)
{
	struct stat st;
	FILE *f = fopen(text_from("%s/%s", own_folder, name), "r");
	if (!f)
		return NULL;
	assert_int_equal(fstat(fileno(f), &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	char *text = calloc(1, (size_t)st.st_size + 1);
	assert_int_equal(fread(text, 1, (size_t)st.st_size, f), st.st_size);
	fclose(f);
	unit_at_end(free, text);
	return text;
}

static const struct querylog_text none = {"", 0};
#define TEXT(s) ((struct querylog_text){s, sizeof(s) - 1})

static struct querylog_row row_like(void)
{
	return (struct querylog_row){.time_us = UINT64_C(1795000000000123),
		.weight = 3,
		.qname = TEXT("a\\032b.example"),
		.client = TEXT("192.0.2.7"),
		.client_name = TEXT("my laptop"),
		.group = none,
		.verdict = TEXT("blocked"),
		.list = TEXT("ads"),
		.upstream = none,
		.dataplane_us = 12,
		.total_us = 13,
		.qtype = 28,
		.qclass = 1,
		.rcode = 3,
		.ede = 15,
		.client_port = 5353,
		.query_len = 40,
		.reply_len = 100,
		.client_version = 4,
		.client_bytes = {192, 0, 2, 7},
		.transport = QUERYLOG_TCP,
		.tier = QUERYLOG_TIER_RULES,
		.is_answered = true,
		.is_blocked = true};
}

TEST_WITH(test_a_line_of_words, setup, teardown)
{
	struct querylog_row row = row_like();
	char line[ROW_LINE_MAX];
	size_t len = row_text_line(&row, line, sizeof(line));
	const char *want = "2026-11-18T11:06:40.000123Z 192.0.2.7 5353 tcp a\\032b.example AAAA 1 "
			   "blocked 3 15 rules ads - 12 13 40 100 3 my\\x20laptop - none\n";
	assert_int_equal(len, strlen(want));
	assert_memory_equal(line, want, len);
	for (size_t cap = 0; cap < len; cap++)
		assert_int_equal(row_text_line(&row, line, cap), 0);
	assert_int_equal(row_text_line(&row, line, len), len);
	row.is_answered = false;
	row.ede = QUERYLOG_NO_EDE;
	line[row_text_line(&row, line, sizeof(line))] = '\0';
	assert_non_null(strstr(line, " blocked - - rules "));
}

static unsigned lines_of(const char *text)
{
	unsigned n = 0;
	for (; *text; text++)
		n += *text == '\n';
	return n;
}

TEST_WITH(test_a_file_a_day, setup, teardown)
{
	struct request_log *l = open_log(false, 1 << 20);
	for (unsigned day = 0; day < 3; day++) {
		GIVEN(10, 10 * (day + 1));
		now_s += 86400;
	}
	char *third = NULL;
	WAIT_FOR(third, third = file_of("requests-2026-11-21.log")); // today's, of the beat
	assert_string_equal(third, "");
	request_log_close(l);
	assert_null(file_of("requests-2026-11-18.log")); // older than two days
	assert_null(file_of("requests-2026-11-19.log"));
	char *text = file_of("requests-2026-11-20.log");
	assert_int_equal(lines_of(text), 10);
}

static void touch(const char *name)
{
	fclose(fopen(text_from("%s/%s", own_folder, name), "w"));
}

static bool is_there(const char *name)
{
	return access(text_from("%s/%s", own_folder, name), F_OK) == 0;
}

TEST_WITH(test_a_clock_400_days_ahead_deletes_nothing, setup, teardown)
{
	touch("requests-2026-11-17.log");
	struct request_log *l = open_log(false, 1 << 20);
	GIVEN(10, 10);
	now_s += INT64_C(400) * 86400;
	GIVEN(10, 20);
	request_log_close(l);
	assert_true(is_there("requests-2026-11-17.log"));
	assert_true(is_there("requests-2026-11-18.log"));
	assert_true(is_there("requests-2027-12-23.log"));
	// Two days later there are three files by that clock, which is proof.
	touch("requests-2027-12-24.log");
	now_s += INT64_C(2) * 86400;
	l = open_log(false, 1 << 20);
	GIVEN(10, 10);
	request_log_close(l);
	assert_false(is_there("requests-2026-11-17.log"));
	assert_false(is_there("requests-2026-11-18.log"));
	assert_true(is_there("requests-2027-12-24.log"));
}

#define TODAY "requests-2026-11-18.log"

static void file_write(const char *name, const char *bytes, size_t len)
{
	FILE *f = fopen(text_from("%s/%s", own_folder, name), "w");
	assert_int_equal(fchmod(fileno(f), 0600), 0);
	assert_int_equal(fwrite(bytes, 1, len, f), len);
	fclose(f);
}

// As logrotate does it without copytruncate, whoever owns the next file.
TEST_WITH(test_a_file_that_was_moved_is_left, setup, teardown)
{
	const char *from = text_from("%s/%s", own_folder, TODAY);
	const char *to = text_from("%s/moved", own_folder);
	struct request_log *l = open_log(false, 1 << 20);
	GIVEN(10, 10);
	assert_int_equal(rename(from, to), 0);
	WAIT_FOR(is_there(TODAY));
	GIVEN(7, 17);
	assert_int_equal(unlink(from), 0);
	WAIT_FOR(is_there(TODAY));
	GIVEN(5, 22);
	request_log_close(l);
	char *before = file_of("moved"), *after = file_of(TODAY);
	assert_int_equal(lines_of(before), 10);
	assert_int_equal(lines_of(after), 5);
}

// Room is what the file takes, not what was written to it.
TEST_WITH(test_a_file_that_was_copied_and_truncated, setup, teardown)
{
	struct stat st;
	const char *path = text_from("%s/%s", own_folder, TODAY);
	struct request_log *l = open_log(false, 4096);
	GIVEN(20, 20);
	assert_int_equal(stat(path, &st), 0);
	assert_true(st.st_size > 2048 && st.st_size <= 4096);
	assert_int_equal(truncate(path, 0), 0);
	GIVEN(20, 40);
	request_log_close(l);
	char *text = file_of(TODAY);
	assert_int_equal(lines_of(text), 20);
}

// What a power cut leaves: half a line, and NULs where no bytes came to the disk.
TEST_WITH(test_a_torn_end_is_cut_off, setup, teardown)
{
	static const char torn[] = "one whole line\nhalf a li\0\0\0\0\0\0\0\0";
	static const struct {
		const char *bytes;
		size_t len;
		unsigned lines; // kept
		uint64_t cut;
	} cases[] = {
		{torn, sizeof(torn) - 1, 1, sizeof(torn) - 1 - 15},
		{torn, 15, 1, 0},
		{torn, 16, 1, 1},
		{torn + 15, sizeof(torn) - 1 - 15, 0, sizeof(torn) - 1 - 15},
		{"\0\0\0\0", 4, 0, 4},
		{"", 0, 0, 0},
	};
	for (unsigned i = 0; i < ARRAY_LEN(cases); i++) {
		file_write(TODAY, cases[i].bytes, cases[i].len);
		struct request_log *l = open_log(false, 1 << 20);
		assert_true(give(l, querylog_rig_batch(&rig, 3)));
		struct sink_status s = await(l, 3, 0);
		request_log_close(l);
		assert_int_equal(s.cut_bytes, cases[i].cut);
		char *text = file_of(TODAY);
		assert_int_equal(lines_of(text), cases[i].lines + 3);
		if (cases[i].lines)
			assert_memory_equal(text, torn, 15);
	}
}

// Longer than what is read at a time.
TEST_WITH(test_a_long_torn_end, setup, teardown)
{
	enum { LEN = 200000 };
	char *bytes = calloc(1, LEN);
	memcpy(bytes, "whole\n", 6);
	file_write(TODAY, bytes, LEN);
	free(bytes);
	struct request_log *l = open_log(false, 1 << 20);
	assert_true(give(l, querylog_rig_batch(&rig, 3)));
	struct sink_status s = await(l, 3, 0);
	request_log_close(l);
	assert_int_equal(s.cut_bytes, LEN - 6);
	char *text = file_of(TODAY);
	assert_memory_equal(text, "whole\n2", 7);
}

// What ext4 leaves where it wrote the block behind and not the rest of the one before.
TEST_WITH(test_torn_in_the_middle, setup, teardown)
{
	enum { LINE = 100, LINES = 2000, TORN = 1200, NULS = 117 };
	char *bytes = malloc(LINE * LINES);
	for (unsigned i = 0; i < LINES; i++) {
		memset(bytes + i * LINE, 'a', LINE);
		bytes[i * LINE + LINE - 1] = '\n';
	}
	memset(bytes + TORN * LINE + 40, 0, NULS);
	file_write(TODAY, bytes, LINE * LINES);
	struct request_log *l = open_log(false, 1 << 20);
	assert_true(give(l, querylog_rig_batch(&rig, 3)));
	struct sink_status s = await(l, 3, 0);
	request_log_close(l);
	assert_int_equal(s.cut_bytes, (LINES - TORN) * LINE);
	char *text = file_of(TODAY);
	assert_int_equal(lines_of(text), TORN + 3);
	assert_memory_equal(text, bytes, TORN * LINE);
	free(bytes);
}

TEST_WITH(test_other_files_stay, setup, teardown)
{
	static const char *const others[] = {
		"requests-2001-01-01.log.gz", "requests-2001-13-01.log", "requests-2001-01-01.txt"};
	char path[128];
	for (unsigned i = 0; i < ARRAY_LEN(others); i++) {
		snprintf(path, sizeof(path), "%s/%s", own_folder, others[i]);
		fclose(fopen(path, "w"));
	}
	snprintf(path, sizeof(path), "%s/requests-2026-11-15.jsonl", own_folder);
	fclose(fopen(path, "w"));
	touch("requests-2026-11-16.log");
	touch("requests-2026-11-17.log");
	struct request_log *l = open_log(true, 1 << 20);
	GIVEN(3, 3);
	request_log_close(l);
	assert_int_equal(access(path, F_OK), -1);
	for (unsigned i = 0; i < ARRAY_LEN(others); i++) {
		snprintf(path, sizeof(path), "%s/%s", own_folder, others[i]);
		assert_int_equal(access(path, F_OK), 0);
	}
	char *text = file_of("requests-2026-11-18.jsonl");
	assert_int_equal(lines_of(text), 3);
	assert_memory_equal(text, "{\"time_us\":", 11);
}

TEST_WITH(test_a_day_has_a_bound, setup, teardown)
{
	struct request_log *l = open_log(false, 4096);
	struct sink_status s = {0};
	uint64_t given = 0;
	do {
		assert_true(give(l, querylog_rig_batch(&rig, 10)));
		given += 10;
		WAIT_FOR(
			s.written + s.lost == given, sink_thread_status(request_log_thread(l), &s));
	} while (s.lost == 0 && given < 1000);
	assert_true(s.lost > 0 && s.written > 0 && s.bytes <= 4096);
	assert_non_null(strstr(s.why, "is full"));
	assert_false(s.failing);
	now_s += 86400;
	assert_true(give(l, querylog_rig_batch(&rig, 1)));
	await(l, s.written + 1, s.lost);
	request_log_close(l);
}

TEST_WITH(test_what_fails_is_tried_again, setup, teardown)
{
	const char *deeper = text_from("%s/gone/deeper", own_folder); // its parent is not there
	snprintf(own_folder, sizeof(own_folder), "%s", deeper);
	struct request_log *l = open_log(false, 1 << 20);
	struct sink_status s = {0};
	WAIT_FOR(s.failing, sink_thread_status(request_log_thread(l), &s));
	assert_non_null(strstr(s.why, "No such file"));
	uint64_t wait_ms = s.retry_in_ms; // it does not stand still
	WAIT_FOR(s.retry_in_ms < wait_ms, sink_thread_status(request_log_thread(l), &s));
	assert_false(give(l, querylog_rig_batch(&rig, 1)));
	char *moved = text_from("%s", own_folder);
	*strrchr(moved, '/') = '\0';
	assert_int_equal(mkdir(moved, 0700), 0);
	WAIT_FOR(!s.failing, sink_thread_status(request_log_thread(l), &s));
	GIVEN(1, 1);
	request_log_close(l);
	*strrchr(own_folder, '/') = '\0';
	*strrchr(own_folder, '/') = '\0';
}
