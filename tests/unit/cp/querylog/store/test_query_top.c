// SPDX-License-Identifier: BSD-3-Clause
//
// What was asked most, over files of several hours: equal to counts that the test keeps itself.

#include "controlplane/querylog/store/query_top.h"
#include "query_rows.h"
#include "tests/unit/unit.h"

enum { HOUR = 472222, HOURS = 3, NAMES = 40, ROWS = 2000 };

static uint64_t asked[HOURS][NAMES], blocked[HOURS][NAMES], of_client[2];

static const char *client_of(unsigned i)
{
	return i % 3 ? "198.18.0.2" : "fd53::1";
}

static bool is_blocked(unsigned name)
{
	return name % 5 == 4;
}

static void row_put(struct query_file *f, unsigned h, unsigned i)
{
	const unsigned n = i * i % NAMES;
	const char *name = text_from("n%u.example.", n);
	struct querylog_row row = query_rows_row(HOUR + h, 0);
	row.time_us += i * 1000;
	row.weight = 1 + i % 4;
	row.qname = querylog_rig_text(name);
	row.client = querylog_rig_text(client_of(i));
	row.client_version = i % 3 ? 4 : 6;
	row.is_blocked = is_blocked(n);
	row.list = querylog_rig_text(is_blocked(n) ? "ads" : "");
	row.rcode = is_blocked(n) || n % 5 == 3 ? 3 : 0;
	assert_int_equal(query_file_put(f, "box", &row, row.weight), 0);
	asked[h][n] += row.weight;
	blocked[h][n] += is_blocked(n) ? row.weight : 0;
	of_client[i % 3 != 0] += row.weight;
}

static int setup(void **state)
{
	if (own_folder_setup(state))
		return -1;
	for (unsigned h = 0; h < HOURS; h++) {
		struct query_file *f;
		char path[PATH_MAX];
		assert_int_equal(query_folder_path(own_folder, HOUR + h, 1, path), 0);
		assert_int_equal(query_file_new(&f), 0);
		assert_int_equal(query_file_open(f, path, HOUR + h), 0);
		for (unsigned i = 0; i < ROWS; i++)
			row_put(f, h, i);
		assert_int_equal(query_file_commit(f), 0);
		query_file_free(f);
	}
	return 0;
}

static struct query_top_report *find(const char *client, unsigned from_hour, unsigned for_ms)
{
	const _Atomic bool stop = false;
	struct query_top_report *r;
	struct query_top_wanted w = {.since_us = (HOUR + (int64_t)from_hour) * 3600000000,
		.until_us = INT64_MAX,
		.for_ms = for_ms};
	snprintf(w.client, sizeof(w.client), "%s", client);
	assert_int_equal(query_top_find(own_folder, &w, &stop, &r), 0);
	return r;
}

static uint64_t expected(unsigned name, unsigned from_hour)
{
	uint64_t sum = 0;
	for (unsigned h = from_hour; h < HOURS; h++)
		sum += asked[h][name];
	return sum;
}

static void names_check(const struct query_bag *b, unsigned from_hour)
{
	unsigned seen = 0;
	for (unsigned i = 0; i < b->count; i++) {
		unsigned n;
		assert_int_equal(sscanf(b->item[i].text, "n%u.example.", &n), 1);
		assert_int_equal(b->item[i].tally.queries, expected(n, from_hour));
		assert_int_equal(
			b->item[i].tally.blocked, is_blocked(n) ? expected(n, from_hour) : 0);
		if (i)
			assert_true(b->item[i - 1].tally.queries >= b->item[i].tally.queries);
		seen++;
	}
	for (unsigned n = 0; n < NAMES; n++)
		seen -= expected(n, from_hour) > 0;
	assert_int_equal(seen, 0);
}

TEST(test_names_of_all_hours)
{
	for (unsigned from = 0; from < HOURS; from++) {
		struct query_top_report *r = find("", from, 60000);
		assert_true(r->complete);
		assert_int_equal(r->hours,
			HOURS - from + (from > 0)); // and the one before, which may overlap
		query_bag_sort(&r->bag[QUERY_TOP_names], QUERY_BAG_QUERIES);
		names_check(&r->bag[QUERY_TOP_names], from);
		query_top_free(r);
	}
}

TEST(test_clients_and_lists)
{
	struct query_top_report *r = find("", 0, 60000);
	const struct query_bag *clients = &r->bag[QUERY_TOP_clients];
	uint64_t all_blocked = 0;
	for (unsigned h = 0; h < HOURS; h++)
		for (unsigned n = 0; n < NAMES; n++)
			all_blocked += blocked[h][n];
	assert_int_equal(clients->count, 2);
	for (unsigned i = 0; i < 2; i++)
		assert_int_equal(clients->item[i].tally.queries,
			of_client[strcmp(clients->item[i].text, "fd53::1") != 0]);
	assert_int_equal(r->bag[QUERY_TOP_lists].count, 1);
	assert_string_equal(r->bag[QUERY_TOP_lists].item[0].text, "ads");
	assert_int_equal(r->bag[QUERY_TOP_lists].item[0].tally.blocked, all_blocked);
	assert_int_equal(r->all.blocked, all_blocked);
	assert_int_equal(r->all.queries, of_client[0] + of_client[1]);
	query_top_free(r);
	r = find("FD53::1", 0, 60000);
	assert_int_equal(r->all.queries, of_client[0]);
	assert_int_equal(r->bag[QUERY_TOP_clients].count, 1);
	query_top_free(r);
	r = find("192.0.2.99", 0, 60000);
	assert_int_equal(r->all.queries, 0);
	assert_true(r->complete);
	query_top_free(r);
}

// A file that the filter rules out has been closed when the next one does not open.
TEST(test_a_damaged_file_after_one_that_is_ruled_out)
{
	char path[PATH_MAX];
	assert_int_equal(query_folder_path(own_folder, HOUR - 1, 1, path), 0);
	text_to_file(path, "no database, and longer than nothing");
	struct query_top_report *r = find("192.0.2.99", 0, 60000);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(r->unreadable, 1);
	assert_int_equal(r->all.queries, 0);
	query_top_free(r);
}

// Out of time it says so, and since when its figures are.
TEST(test_time)
{
	struct query_top_report *r = find("", 0, 0);
	assert_false(r->complete);
	assert_true(r->covered_us > HOUR * INT64_C(3600000000));
	query_top_free(r);
}

// A span of the longest kind is complete, though it has more hours than its length. The files
// have no rows.
TEST(test_longest)
{
	char many[] = "/tmp/weir-top-XXXXXX", path[PATH_MAX];
	const _Atomic bool stop = false;
	const struct query_top_wanted w = {.since_us = HOUR * INT64_C(3600000000) + 1,
		.until_us = (HOUR + QUERY_TOP_HOURS_MAX) * INT64_C(3600000000) + 1,
		.for_ms = 60000};
	struct query_top_report *r;
	assert_non_null(mkdtemp(many));
	for (unsigned h = 0; h < QUERY_TOP_HOURS_ROOM; h++) {
		assert_int_equal(query_folder_path(many, HOUR - 1 + h, 1, path), 0);
		FILE *f = fopen(path, "wx");
		assert_non_null(f);
		assert_int_equal(fclose(f), 0);
	}
	assert_int_equal(query_top_find(many, &w, &stop, &r), 0);
	assert_int_equal(r->hours, QUERY_TOP_HOURS_ROOM);
	assert_true(r->complete);
	assert_int_equal(r->covered_us, w.since_us);
	query_top_free(r);
	const struct query_top_wanted soon = {
		.since_us = w.since_us, .until_us = w.until_us, .for_ms = 0};
	assert_int_equal(query_top_find(many, &soon, &stop, &r), 0);
	assert_false(r->complete);
	assert_int_equal(r->covered_us, soon.until_us); // no row was read
	query_top_free(r);
	assert_int_equal(folder_remove(many, ""), 0);
}

static void late_put(const char *folder, int64_t hour, const int64_t *after_us, unsigned count)
{
	char path[PATH_MAX];
	struct query_file *f;
	assert_int_equal(query_folder_path(folder, hour, 1, path), 0);
	assert_int_equal(query_file_new(&f), 0);
	assert_int_equal(query_file_open(f, path, hour), 0);
	for (unsigned i = 0; i < count; i++) {
		struct querylog_row row = query_rows_row(hour, 0);
		row.time_us = (uint64_t)(hour * INT64_C(3600000000) + after_us[i]);
		assert_int_equal(query_file_put(f, "box", &row, 1), 0);
	}
	assert_int_equal(query_file_commit(f), 0);
	query_file_free(f);
}

// A row that came after the first one of the next hour is in the file of that, and counts in its
// own.
TEST(test_late_rows)
{
	static const int64_t first[] = {1000}, second[] = {5, -1000, 7, -2000};
	char folder[] = "/tmp/weir-top-XXXXXX";
	const _Atomic bool stop = false;
	const struct query_top_wanted w = {
		.since_us = HOUR * INT64_C(3600000000), .until_us = INT64_MAX, .for_ms = 60000};
	struct query_top_report *r;
	assert_non_null(mkdtemp(folder));
	late_put(folder, HOUR + 1, second, ARRAY_LEN(second));
	for (unsigned i = 0; i < 2; i++) { // without a file of the hour before, and with one
		assert_int_equal(query_top_find(folder, &w, &stop, &r), 0);
		assert_int_equal(r->hours, 2);
		assert_int_equal(r->hour[0].hour, HOUR);
		assert_int_equal(r->hour[0].tally.queries, 2 + i);
		assert_int_equal(r->hour[1].tally.queries, 2);
		query_top_free(r);
		late_put(folder, HOUR, first, ARRAY_LEN(first));
	}
	assert_int_equal(folder_remove(folder, ""), 0);
}

static struct query_top_report *find_all(const char *folder)
{
	const _Atomic bool stop = false;
	const struct query_top_wanted w = {
		.since_us = HOUR * INT64_C(3600000000), .until_us = INT64_MAX, .for_ms = 60000};
	struct query_top_report *r;
	assert_int_equal(query_top_find(folder, &w, &stop, &r), 0);
	return r;
}

// Queries without a row of their own count in the sums, and are no name, client or group.
TEST(test_unlogged)
{
	static const int64_t first[] = {1000};
	char folder[] = "/tmp/weir-top-XXXXXX", path[PATH_MAX];
	struct querylog_row rest = {.time_us = HOUR * UINT64_C(3600000000) + 2000,
		.verdict = querylog_rig_text("unlogged"),
		.ede = QUERYLOG_NO_EDE};
	struct query_file *f;
	assert_non_null(mkdtemp(folder));
	late_put(folder, HOUR, first, ARRAY_LEN(first));
	assert_int_equal(query_folder_path(folder, HOUR, 1, path), 0);
	assert_int_equal(query_file_new(&f), 0);
	assert_int_equal(query_file_open(f, path, HOUR), 0);
	rest.qname = rest.client = rest.client_name = rest.group = querylog_rig_text("");
	rest.list = rest.upstream = querylog_rig_text("");
	assert_int_equal(query_file_put(f, "box", &rest, 500), 0);
	assert_int_equal(query_file_commit(f), 0);
	query_file_free(f);
	struct query_top_report *r = find_all(folder);
	assert_int_equal(r->all.queries, 501);
	assert_int_equal(r->bag[QUERY_TOP_names].count, 1);
	assert_int_equal(r->bag[QUERY_TOP_clients].count, 1);
	assert_int_equal(r->bag[QUERY_TOP_groups].count, 1);
	assert_int_equal(r->bag[QUERY_TOP_groups].item[0].tally.queries, 1);
	query_top_free(r);
	assert_int_equal(folder_remove(folder, ""), 0);
}

// The frequent ones stay, whatever comes between.
TEST(test_bag_is_bounded)
{
	struct query_bag b;
	const struct query_tally one = {.queries = 1}, many = {.queries = 50};
	uint64_t sum = 0;
	assert_int_equal(query_bag_open(&b, 64), 0);
	for (unsigned i = 0; i < 10000; i++) {
		const char *text = text_from("rare%u", i);
		assert_int_equal(query_bag_add(&b, text, &one), 0);
		text = text_from("often%u", i % 8);
		assert_int_equal(query_bag_add(&b, text, &many), 0);
		assert_true(b.count <= 64);
	}
	query_bag_sort(&b, QUERY_BAG_QUERIES);
	for (unsigned i = 0; i < b.count; i++)
		sum += b.item[i].tally.queries;
	assert_int_equal(sum + b.left_out, 10000 * 51);
	for (unsigned i = 0; i < 8; i++)
		assert_int_equal(b.item[i].tally.queries, 10000 / 8 * 50);
	query_bag_close(&b);
}

TEST_GROUP(setup, own_folder_teardown)
