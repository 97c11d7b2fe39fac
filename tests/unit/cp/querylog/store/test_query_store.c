// SPDX-License-Identifier: BSD-3-Clause
//
// The query store from its sink to a search: real files in a folder of the test's own.

#include "controlplane/querylog/store/query_file.h"
#include "controlplane/querylog/store/query_folder.h"
#include "controlplane/querylog/store/query_search.h"
#include "controlplane/querylog/store/query_store.h"
#include "tests/unit/cp/querylog/querylog_rig.h"
#include "tests/unit/unit.h"

#include <sys/wait.h>
#include <weir/log_recent.h>

enum { RIG_HOUR = 472222 }; // 2023-11-14T22, where the rig's clock begins
#define RIG_HOUR_US (RIG_HOUR * INT64_C(3600000000))

static int64_t rig_unix_s(void)
{
	return INT64_C(1700000000);
}

static struct querylog_rig rig;

static int setup(void **state)
{
	querylog_rig_open(&rig, 1);
	return own_folder_setup(state);
}

static int teardown(void **state)
{
	querylog_rig_close(&rig);
	return own_folder_teardown(state);
}

static struct query_store *store_open(unsigned max_rate, uint64_t max_bytes)
{
	const struct query_store_settings settings = {.folder = own_folder,
		.hours = 10,
		.max_bytes = max_bytes,
		.max_rate = max_rate,
		.unix_s = rig_unix_s};
	struct query_store *s;
	assert_int_equal(query_store_open(&s, &settings), 0);
	return s;
}

// Waits for room, as the log thread does not.
static void give(struct query_store *s, const struct querylog_batch *b)
{
	struct querylog_sink sink = query_store_sink(s);
	WAIT_FOR(sink.fold(sink.arg, b, 0));
	querylog_release(b);
}

static void status_when_written(
	struct query_store *s, uint64_t weight, struct query_store_status *out)
{
	WAIT_FOR((query_store_status(s, out), out->weight + out->lost_weight >= weight));
}

struct sum {
	uint64_t rows, weight;
	int64_t last_us;
	bool unordered, newest_first;
	struct query_found row[8]; // the first ones
};

static void on_found(void *arg, const struct query_found *f)
{
	struct sum *s = arg;
	if (s->rows
		&& (s->newest_first ? f->raw.time_us > s->last_us : f->raw.time_us < s->last_us))
		s->unordered = true;
	s->last_us = f->raw.time_us;
	if (s->rows < 8)
		s->row[s->rows] = *f;
	s->rows++;
	s->weight += (uint64_t)f->raw.weight;
}

static struct query_filter filter_all(void)
{
	return (struct query_filter){.until_us = INT64_MAX, .rows = 1000, .for_ms = 10000};
}

// Page by page, as weirctl does.
static void search_all(struct query_filter f, struct sum *out, struct query_outcome *end)
{
	const _Atomic bool stop = false;
	memset(out, 0, sizeof(*out));
	out->newest_first = f.newest_first;
	do {
		char text[QUERY_PLACE_MAX];
		assert_int_equal(query_search(own_folder, &f, &stop, on_found, out, end), 0);
		query_place_print(&end->place, text);
		assert_true(end->complete || query_place_parse(text, &f.after));
	} while (!end->complete);
}

static struct querylog_row plain_row(int64_t time_us, const char *name, const char *client)
{
	return (struct querylog_row){.time_us = (uint64_t)time_us,
		.weight = 1,
		.qname = querylog_rig_text(name),
		.client = querylog_rig_text(client),
		.client_name = querylog_rig_text("laptop"),
		.group = querylog_rig_text("children"),
		.verdict = querylog_rig_text("blocked_answer"),
		.list = querylog_rig_text("ads"),
		.upstream = querylog_rig_text("192.0.2.53"),
		.dataplane_us = 7,
		.total_us = 4000000000,
		.qtype = 65535,
		.qclass = 1,
		.rcode = 4095,
		.ede = 15,
		.client_port = 65535,
		.query_len = 40,
		.reply_len = 65535,
		.client_version = 4,
		.transport = QUERYLOG_TCP,
		.tier = QUERYLOG_TIER_RULES,
		.validation = QUERYLOG_SECURE,
		.is_answered = true,
		.is_blocked = true};
}

TEST_WITH(test_every_column_comes_back, setup, teardown)
{
	struct sum sum;
	struct query_outcome end;
	const char *name = "a\\000\\255\\\".it's.%s%n.example.";
	struct query_store *s = store_open(0, 64 << 20);
	struct querylog_row row = plain_row(RIG_HOUR_US + 5, name, "192.0.2.7");
	row.weight = UINT64_C(1) << 40;
	give(s, querylog_rig_row(&rig, &row));
	query_store_close(s);
	search_all(filter_all(), &sum, &end);
	assert_int_equal(sum.rows, 1);
	const struct query_found *f = &sum.row[0];
	assert_int_equal(f->raw.time_us, row.time_us);
	assert_int_equal(f->raw.weight, row.weight);
	assert_string_equal(f->name, name);
	assert_string_equal(f->client.address, "192.0.2.7");
	assert_string_equal(f->client.name, "laptop");
	assert_string_equal(f->client.group, "children");
	assert_int_equal(f->client.version, 4);
	assert_string_equal(f->kind.box, "box-under-test");
	assert_string_equal(f->kind.verdict, "blocked_answer");
	assert_string_equal(f->kind.list, "ads");
	assert_string_equal(f->kind.upstream, "192.0.2.53");
	assert_string_equal(f->kind.transport, querylog_transport_names[QUERYLOG_TCP]);
	assert_string_equal(f->kind.tier, querylog_tier_names[QUERYLOG_TIER_RULES]);
	assert_string_equal(f->kind.validation, "secure");
	assert_int_equal(f->kind.qtype, 65535);
	assert_int_equal(f->kind.rcode, 4095);
	assert_int_equal(f->kind.ede, 15);
	assert_true(f->kind.answered && f->kind.blocked);
	assert_int_equal(f->raw.port, 65535);
	assert_int_equal(f->raw.dataplane_us, 7);
	assert_int_equal(f->raw.total_us, 4000000000);
	assert_int_equal(f->raw.query_len, 40);
	assert_int_equal(f->raw.reply_len, 65535);
}

TEST_WITH(test_all_rows_in_both_directions, setup, teardown)
{
	struct query_store_status st;
	struct sum up, down;
	struct query_outcome end;
	uint64_t weight = 0;
	struct query_store *s = store_open(0, 64 << 20);
	for (unsigned i = 0; i < 5; i++) {
		const struct querylog_batch *b = querylog_rig_batch(&rig, 1500);
		weight += b->weight;
		give(s, b);
	}
	status_when_written(s, weight, &st);
	assert_int_equal(st.rows, 7500);
	assert_int_equal(st.lost_rows, 0);
	search_all(filter_all(), &up, &end); // beside the writer
	query_store_close(s);
	assert_int_equal(up.rows, 7500);
	assert_int_equal(up.weight, weight);
	assert_false(up.unordered);
	struct query_filter f = filter_all();
	f.newest_first = true;
	search_all(f, &down, &end);
	assert_int_equal(down.rows, 7500);
	assert_int_equal(down.weight, weight);
	assert_false(down.unordered);
	f.until_us = up.last_us + 1;
	f.since_us = up.last_us;
	search_all(f, &down, &end);
	assert_true(down.rows >= 1 && down.rows < 7500);
}

TEST_WITH(test_filters, setup, teardown)
{
	static const struct {
		const char *name, *client, *verdict;
		unsigned rows;
	} cases[] = {
		{"example.com", "", "", 2},
		{"EXAMPLE.com.", "", "", 2},
		{"www.example.com.", "", "", 1},
		{"ample.com", "", "", 0},
		{"com", "", "", 4},
		{"", "192.0.2.7", "", 4},
		{"", "192.0.2.8", "", 1},
		{"", "LAPTOP", "", 5},
		{"com", "192.0.2.8", "", 0},
		{"", "", "blocked_answer", 5},
		{"", "", "blocked", 5},
		{"", "", "hit", 0},
		{"' OR 1=1 --", "", "", 0},
		{"", "' OR 1=1 --", "%", 0},
	};
	static const char *const names[] = {
		"example.com.", "www.Example.com.", "notexample.com.", "evil\\.example.com."};
	struct query_store *s = store_open(0, 64 << 20);
	for (unsigned i = 0; i < 4; i++) {
		struct querylog_row row = plain_row(RIG_HOUR_US + i, names[i], "192.0.2.7");
		give(s, querylog_rig_row(&rig, &row));
	}
	struct querylog_row row = plain_row(RIG_HOUR_US + 9, "other.test.", "192.0.2.8");
	give(s, querylog_rig_row(&rig, &row));
	query_store_close(s);
	for (unsigned i = 0; i < ARRAY_LEN(cases); i++) {
		struct query_filter f = filter_all();
		struct sum sum;
		struct query_outcome end;
		snprintf(f.name, sizeof(f.name), "%s", cases[i].name);
		snprintf(f.client, sizeof(f.client), "%s", cases[i].client);
		snprintf(f.verdict, sizeof(f.verdict), "%s", cases[i].verdict);
		search_all(f, &sum, &end);
		if (sum.rows != cases[i].rows)
			fail_msg("case %u: %llu rows", i, (unsigned long long)sum.rows);
	}
}

TEST_WITH(test_a_file_for_each_hour_and_old_ones_go, setup, teardown)
{
	struct query_folder files;
	struct sum sum;
	struct query_outcome end;
	struct query_store *s = store_open(0, 64 << 20);
	for (int hour = -13; hour <= 0; hour++) { // 10 are kept, and the one that runs
		struct querylog_row row = plain_row(
			RIG_HOUR_US + hour * INT64_C(3600000000), "example.com.", "192.0.2.7");
		give(s, querylog_rig_row(&rig, &row));
	}
	query_store_close(s);
	assert_int_equal(query_folder_scan(&files, own_folder), 0);
	assert_int_equal(files.count, 11);
	assert_int_equal(files.file[0].hour, RIG_HOUR - 10);
	query_folder_free(&files);
	struct query_filter f = filter_all();
	f.since_us = RIG_HOUR_US - 2 * INT64_C(3600000000);
	search_all(f, &sum, &end);
	assert_int_equal(sum.rows, 3);
}

static const char *logged(void)
{
	static struct log_recent kind;
	return log_recent_copy(&kind, 1, NULL) == 1 ? kind.text : "";
}

// A file that cannot be deleted is named, and keeps neither the store nor the files after it.
TEST_WITH(test_a_file_that_cannot_be_deleted, setup, teardown)
{
	struct query_store_status st;
	struct query_folder files;
	char stuck[PATH_MAX], old[PATH_MAX];
	assert_int_equal(query_folder_path(own_folder, RIG_HOUR - 13, 1, stuck), 0);
	assert_int_equal(mkdir(stuck, 0700), 0);
	assert_int_equal(query_folder_path(own_folder, RIG_HOUR - 12, 1, old), 0);
	text_to_file(old, "");
	struct query_store *s = store_open(0, 64 << 20);
	struct querylog_row row = plain_row(RIG_HOUR_US, "example.com.", "192.0.2.7");
	give(s, querylog_rig_row(&rig, &row));
	status_when_written(s, 1, &st);
	query_store_close(s);
	assert_int_equal(st.rows, 1);
	assert_int_equal(st.failures, 0);
	assert_int_equal(st.dropped_files, 1);
	assert_int_equal(st.oldest_unix_s, (RIG_HOUR - 13) * INT64_C(3600));
	assert_string_equal(
		logged(), text_from("query store: cannot delete %s: Is a directory; files that "
				    "stay: 1",
				  stuck));
	assert_int_equal(query_folder_scan(&files, own_folder), 0);
	assert_int_equal(files.count, 2);
	query_folder_free(&files);
}

// Files that stay and fill the bound alone: the others stay too, and the store says that it is
// full.
TEST_WITH(test_a_bound_that_files_which_stay_fill, setup, teardown)
{
	char path[PATH_MAX];
	struct query_tidied tidied;
	assert_int_equal(query_folder_make(own_folder), 0);
	assert_int_equal(query_folder_path(own_folder, RIG_HOUR - 3, 1, path), 0);
	assert_int_equal(mkdir(path, 0700), 0);
	const uint64_t stays = query_folder_bytes(path);
	assert_true(stays > 0);
	for (int i = 2; i >= 0; i--) {
		assert_int_equal(query_folder_path(own_folder, RIG_HOUR - i, 1, path), 0);
		text_to_file(path, "some");
	}
	struct query_keep k = {.hours = 10, .max_bytes = stays + 3 * 4};
	assert_int_equal(
		query_folder_tidy(own_folder, &k, RIG_HOUR * INT64_C(3600), NULL, 0, &tidied), 0);
	assert_int_equal(tidied.dropped, 0);
	k.max_bytes = stays + 2 * 4;
	assert_int_equal(
		query_folder_tidy(own_folder, &k, RIG_HOUR * INT64_C(3600), NULL, 0, &tidied), 0);
	assert_int_equal(tidied.dropped, 1);
	k.max_bytes = stays;
	assert_int_equal(
		query_folder_tidy(own_folder, &k, RIG_HOUR * INT64_C(3600), NULL, 0, &tidied),
		-EISDIR);
	assert_int_equal(tidied.dropped, 0);
}

static bool is_never(void *)
{
	return false;
}

// A search that had the file open at its end kept its journal; the next look at the folder does
// not. A file that a search has open then is left alone.
TEST_WITH(test_a_journal_that_a_search_kept, setup, teardown)
{
	struct query_store_status st;
	struct query_reader *reader[2];
	struct query_file *f;
	struct querylog_row row = plain_row(0, "example.com.", "192.0.2.7");
	char path[2][PATH_MAX];
	assert_int_equal(query_file_new(&f), 0);
	for (int i = 0; i < 2; i++) {
		const int64_t hour = RIG_HOUR - 2 + i;
		row.time_us = (uint64_t)(hour * INT64_C(3600000000));
		assert_int_equal(query_folder_path(own_folder, hour, 1, path[i]), 0);
		assert_int_equal(query_file_open(f, path[i], hour), 0);
		assert_int_equal(query_file_put(f, "box", &row, 1), 0);
		assert_int_equal(query_file_commit(f), 0);
		assert_int_equal(query_reader_open(&reader[i], path[i], is_never, NULL), 0);
		query_file_close(f);
		assert_int_equal(access(text_from("%s-wal", path[i]), F_OK), 0);
	}
	query_file_free(f);
	query_reader_close(reader[0]);
	struct query_store *s = store_open(0, 64 << 20);
	for (int i = -1; i <= 0; i++) { // two files to begin, each with a look at the folder
		row.time_us = (uint64_t)(RIG_HOUR_US + i * INT64_C(3600000000));
		give(s, querylog_rig_row(&rig, &row));
	}
	status_when_written(s, 2, &st);
	query_store_close(s);
	query_reader_close(reader[1]);
	assert_int_equal(st.failures, 0);
	assert_int_equal(access(text_from("%s-wal", path[0]), F_OK), -1);
	assert_int_equal(access(text_from("%s-shm", path[0]), F_OK), -1);
}

TEST_WITH(test_bytes_are_bounded_within_an_hour_too, setup, teardown)
{
	struct query_folder files;
	struct query_store *s = store_open(0, 1 << 20);
	for (unsigned i = 0; i < 40; i++)
		give(s, querylog_rig_batch(&rig, 2048));
	query_store_close(s);
	assert_int_equal(query_folder_scan(&files, own_folder), 0);
	assert_true(files.count > 1);
	uint64_t newest = files.file[files.count - 1].bytes;
	assert_true(files.bytes - newest <= 1 << 20);
	assert_true(files.file[0].part > 1);
	query_folder_free(&files);
}

TEST_WITH(test_sums_stay_when_rows_do_not, setup, teardown)
{
	struct sum sum;
	struct query_outcome end;
	uint64_t weight = 0;
	struct query_store *s = store_open(100, 64 << 20);
	for (unsigned i = 0; i < 10; i++) {
		const struct querylog_batch *b = querylog_rig_batch(&rig, 1000);
		weight += b->weight;
		give(s, b);
	}
	query_store_close(s);
	search_all(filter_all(), &sum, &end);
	assert_int_equal(sum.weight, weight);
	assert_true(sum.rows < 5000);
}

// Killed in the middle of its writing: what was committed is there and the file is sound.
TEST_WITH(test_kill, own_folder_setup, own_folder_teardown)
{
	struct query_store_status st;
	struct sum sum, again;
	struct query_outcome end;
	int pipe_fd[2];
	uint64_t committed = 0;
	assert_int_equal(pipe(pipe_fd), 0);
	pid_t child = fork();
	if (child == 0) {
		querylog_rig_open(&rig, 11);
		struct query_store *s = store_open(0, 64 << 20);
		for (;;) {
			give(s, querylog_rig_batch(&rig, 500));
			query_store_status(s, &st);
			if (write(pipe_fd[1], &st.weight, sizeof(st.weight)) < 0)
				_exit(1);
		}
	}
	close(pipe_fd[1]);
	uint64_t seen;
	for (unsigned past = 0;
		past < 20 && read(pipe_fd[0], &seen, sizeof(seen)) == sizeof(seen);) {
		committed = seen;
		past += committed > 0;
	}
	kill(child, SIGKILL);
	assert_int_equal(waitpid(child, NULL, 0), child);
	while (read(pipe_fd[0], &seen, sizeof(seen)) == sizeof(seen))
		committed = seen;
	close(pipe_fd[0]);
	assert_true(committed > 0);
	search_all(filter_all(), &sum, &end);
	assert_int_equal(end.unreadable, 0);
	assert_true(sum.weight >= committed);
	querylog_rig_open(&rig, 12);
	struct query_store *s = store_open(0, 64 << 20);
	const struct querylog_batch *b = querylog_rig_batch(&rig, 100);
	uint64_t weight = b->weight;
	give(s, b);
	status_when_written(s, weight, &st);
	assert_int_equal(st.failures, 0);
	query_store_close(s);
	search_all(filter_all(), &again, &end);
	assert_int_equal(again.weight, sum.weight + weight);
	querylog_rig_close(&rig);
}

static void damage(const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT, 0600);
	uint8_t bad[3 * 4096];
	memset(bad, 0xa5, sizeof(bad));
	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, bad, sizeof(bad), 0), sizeof(bad));
	close(fd);
}

// A damaged file is left alone, its hour goes on in another part, and searches pass it over.
TEST_WITH(test_damaged_file, setup, teardown)
{
	struct query_store_status st;
	struct sum sum;
	struct query_outcome end;
	char path[PATH_MAX];
	assert_int_equal(query_folder_path(own_folder, RIG_HOUR, 1, path), 0);
	damage(path);
	struct query_store *s = store_open(0, 64 << 20);
	struct querylog_row row = plain_row(RIG_HOUR_US, "example.com.", "192.0.2.7");
	st.rows = 0;
	WAIT_FOR(st.rows, give(s, querylog_rig_row(&rig, &row)); row.time_us++;
		 query_store_status(s, &st));
	assert_int_equal(st.damaged, 1);
	assert_true(st.lost_rows >= 1);
	assert_true(st.rows >= 1);
	assert_false(st.failing);
	query_store_close(s);
	search_all(filter_all(), &sum, &end);
	assert_int_equal(end.unreadable, 1);
	assert_int_equal(end.unread[0].hour, RIG_HOUR);
	assert_int_equal(end.unread[0].part, 1);
	assert_int_equal(end.unread[0].err, -EUCLEAN);
	assert_true(sum.rows >= 1);
}

// A folder that cannot be used is said, keeps nobody waiting, and used as soon as it can be.
TEST_WITH(test_folder_that_comes_later, setup, teardown)
{
	struct query_store_status st;
	char real[sizeof(own_folder)];
	strcpy(real, own_folder);
	assert_int_equal(rmdir(own_folder), 0);
	damage(own_folder); // a file where the folder should be
	struct query_store *s = store_open(0, 64 << 20);
	give(s, querylog_rig_batch(&rig, 10));
	WAIT_FOR((query_store_status(s, &st), st.failing));
	assert_true(st.why[0]);
	assert_true(st.lost_rows > 0 || !st.rows);
	assert_int_equal(system(text_from("rm -f %s", real)), 0);
	WAIT_FOR(!st.failing, query_store_status(s, &st)); // nobody asks anything
	assert_string_equal(st.why, "");
	give(s, querylog_rig_batch(&rig, 1));
	WAIT_FOR(st.rows, query_store_status(s, &st));
	assert_true(st.rows > 0);
	query_store_close(s);
}

TEST_WITH(test_foreign_files_are_left_alone, own_folder_setup, own_folder_teardown)
{
	static const char *const names[] = {"queries-20231114T22-1.sqlite",
		"queries-20231314T22-001.sqlite", "queries-20231114T22-001.sqlite.bak", "notes.txt",
		"queries-20231114T22-000001.sqlite"};
	struct query_folder files;
	for (unsigned i = 0; i < ARRAY_LEN(names); i++) {
		damage(text_from("%s/%s", own_folder, names[i]));
	}
	assert_int_equal(query_folder_scan(&files, own_folder), 0);
	assert_int_equal(files.count, 0);
	query_folder_free(&files);
}
