// SPDX-License-Identifier: BSD-3-Clause
//
// A file of version 1, which has no validation: a search reads it as it is, and a writer that goes
// on with it upgrades it.

#include "controlplane/querylog/store/query_folder.h"
#include "controlplane/querylog/store/query_schema.h"
#include "controlplane/querylog/store/query_search.h"
#include "query_rows.h"
#include "tests/unit/unit.h"

enum { HOUR = 472222 };

static char path[PATH_MAX];

// As it was, to the letter.
static const char version_1[] =
	"BEGIN;"
	"CREATE TABLE file(middle_us INTEGER NOT NULL);"
	"CREATE TABLE names(id INTEGER PRIMARY KEY, text TEXT NOT NULL);"
	"CREATE TABLE clients(id INTEGER PRIMARY KEY, address TEXT NOT NULL, name TEXT NOT NULL,"
	" grp TEXT NOT NULL, version INTEGER NOT NULL);"
	"CREATE TABLE kinds(id INTEGER PRIMARY KEY, box TEXT NOT NULL, verdict TEXT NOT NULL,"
	" list TEXT NOT NULL, upstream TEXT NOT NULL, transport TEXT NOT NULL,"
	" tier TEXT NOT NULL, qtype INTEGER NOT NULL, qclass INTEGER NOT NULL,"
	" rcode INTEGER NOT NULL, ede INTEGER NOT NULL, answered INTEGER NOT NULL,"
	" blocked INTEGER NOT NULL);"
	"CREATE TABLE rows(id INTEGER PRIMARY KEY, time INTEGER NOT NULL,"
	" weight INTEGER NOT NULL, name INTEGER NOT NULL, client INTEGER NOT NULL,"
	" kind INTEGER NOT NULL, port INTEGER NOT NULL, dataplane_us INTEGER NOT NULL,"
	" total_us INTEGER NOT NULL, query_len INTEGER NOT NULL, reply_len INTEGER NOT NULL);"
	"CREATE VIEW queries AS SELECT r.id AS id, k.verdict AS verdict FROM rows r"
	" LEFT JOIN kinds k ON k.id = r.kind;"
	"INSERT INTO names VALUES(1, 'old.example.');"
	"INSERT INTO clients VALUES(1, '192.0.2.7', '', '', 4);"
	"INSERT INTO kinds VALUES(1, 'box', 'hit', '', '', 'udp', 'l0', 1, 1, 0, 65535, 1, 0);"
	"INSERT INTO rows VALUES(1, 0, 1, 1, 1, 1, 53, 1, 1, 40, 56);"
	"PRAGMA application_id=0x77656972; PRAGMA user_version=1; COMMIT;";

static struct {
	unsigned rows;
	char name[4][64], validation[4][16];
} seen;

static void on_found(void *, const struct query_found *f)
{
	assert_true(seen.rows < 4);
	snprintf(seen.name[seen.rows], 64, "%.63s", f->name);
	snprintf(seen.validation[seen.rows++], 16, "%.15s", f->kind.validation);
}

static unsigned search_both(const char *verdict, const char *validation)
{
	const _Atomic bool stop = false;
	struct query_filter f = {.until_us = INT64_MAX, .rows = 10, .for_ms = 10000};
	struct query_outcome end;
	snprintf(f.validation, sizeof(f.validation), "%s", validation);
	snprintf(f.verdict, sizeof(f.verdict), "%s", verdict);
	seen.rows = 0;
	assert_int_equal(query_search(own_folder, &f, &stop, on_found, NULL, &end), 0);
	assert_int_equal(end.unreadable, 0);
	return seen.rows;
}

static unsigned search(const char *validation)
{
	return search_both("", validation);
}

static void sql_on_file(const char *sql)
{
	struct sql *db;
	assert_int_equal(sql_open(&db, path, SQL_WRITE), 0);
	assert_int_equal(sql_run(db, sql), 0);
	sql_close(db);
}

static int64_t number_of(const char *sql)
{
	struct sql *db;
	int64_t n;
	assert_int_equal(sql_open(&db, path, SQL_READ), 0);
	assert_int_equal(sql_number(db, sql, &n), 0);
	sql_close(db);
	return n;
}

static int setup(void **state)
{
	if (own_folder_setup(state) || query_folder_path(own_folder, HOUR, 1, path))
		return -1;
	sql_on_file(version_1);
	sql_on_file(text_from("INSERT INTO file VALUES(%lld)",
		(long long)(HOUR * QUERY_HOUR_US + QUERY_HOUR_US / 2)));
	return 0;
}

TEST_WITH(test_read_as_it_is, setup, own_folder_teardown)
{
	assert_int_equal(search(""), 1);
	assert_string_equal(seen.name[0], "old.example.");
	assert_string_equal(seen.validation[0], "none");
	assert_int_equal(search("none"), 1);
	assert_int_equal(search("secure"), 0);
	assert_int_equal(number_of("PRAGMA user_version"), 1);
}

static void write_row(uint8_t validation)
{
	struct querylog_row row = query_rows_row(HOUR, 2);
	struct query_file *f;
	row.validation = validation;
	assert_int_equal(query_file_new(&f), 0);
	assert_int_equal(query_file_open(f, path, HOUR), 0);
	assert_int_equal(query_file_put(f, "box", &row, 1), 0);
	assert_int_equal(query_file_commit(f), 0);
	query_file_free(f);
}

TEST_WITH(test_upgraded_by_its_writer, setup, own_folder_teardown)
{
	write_row(QUERYLOG_SECURE);
	write_row(QUERYLOG_INSECURE); // opened once more: upgraded once
	assert_int_equal(number_of("PRAGMA user_version"), QUERY_SCHEMA_VERSION);
	assert_int_equal(search(""), 3);
	assert_string_equal(seen.validation[0], "none");
	assert_string_equal(seen.validation[1], "secure");
	assert_string_equal(seen.validation[2], "insecure");
	assert_int_equal(search("secure"), 1);
	assert_string_equal(seen.name[0], "other.test.");
	assert_int_equal(search_both("hit", "secure"), 1); // both have to fit
	assert_int_equal(search_both("resolved", "secure"), 0);
	assert_int_equal(
		number_of("SELECT count(*) FROM queries WHERE validation = 'insecure'"), 1);
	assert_int_equal(number_of("SELECT count(*) FROM queries WHERE client = '192.0.2.7'"), 1);
}

static int64_t late_by_reader(void)
{
	struct query_reader *r;
	assert_int_equal(query_reader_open(&r, path, NULL, NULL), 0);
	const int64_t late_us = query_reader_late_us(r);
	query_reader_close(r);
	return late_us;
}

// An earlier version that goes on with a file knows nothing of the bound: its rows may have any
// order.
TEST_WITH(test_rows_of_a_version_put_back, own_folder_setup, own_folder_teardown)
{
	assert_int_equal(query_folder_path(own_folder, HOUR, 1, path), 0);
	write_row(QUERYLOG_SECURE);
	assert_int_equal(number_of(QUERY_LATE), QUERY_SLACK_US);
	assert_int_equal(late_by_reader(), QUERY_SLACK_US);
	sql_on_file(
		"INSERT INTO rows SELECT id + 1, time - 3000000000, weight, name, client, kind, "
		"port, dataplane_us, total_us, query_len, reply_len FROM rows");
	assert_int_equal(late_by_reader(), QUERY_SPAN_US);
	write_row(QUERYLOG_SECURE);
	assert_int_equal(number_of(QUERY_LATE), QUERY_SPAN_US);
	assert_int_equal(late_by_reader(), QUERY_SPAN_US);
}

TEST_WITH(test_a_later_version_is_refused, setup, own_folder_teardown)
{
	struct query_file *f;
	sql_on_file("PRAGMA user_version=3");
	assert_int_equal(query_file_new(&f), 0);
	assert_int_equal(query_file_open(f, path, HOUR), -EUCLEAN);
	query_file_free(f);
	assert_int_equal(number_of("PRAGMA user_version"), 3);
}
