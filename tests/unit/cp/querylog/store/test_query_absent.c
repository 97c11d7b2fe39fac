// SPDX-License-Identifier: BSD-3-Clause
//
// Files that have no such name or client are passed over by a search, and no others are.

#include "controlplane/querylog/store/query_file.h"
#include "controlplane/querylog/store/query_search.h"
#include "query_rows.h"
#include "tests/unit/unit.h"

enum { HOUR = 472222, NAMES = 3000 };

static struct query_file *file_open(void)
{
	struct query_file *f;
	char path[PATH_MAX];
	assert_int_equal(query_folder_path(own_folder, HOUR, 1, path), 0);
	assert_int_equal(query_file_new(&f), 0);
	assert_int_equal(query_file_open(f, path, HOUR), 0);
	return f;
}

static void row_put(struct query_file *f, unsigned i, const char *name, const char *client)
{
	struct querylog_row row = query_rows_row(HOUR, 0);
	row.time_us += i;
	row.qname = querylog_rig_text(name);
	row.client = querylog_rig_text(client);
	row.client_name = querylog_rig_text("Ann's Laptop");
	assert_int_equal(query_file_put(f, "box", &row, 1), 0);
}

static void on_found(void *arg, const struct query_found *)
{
	++*(unsigned *)arg;
}

static struct query_outcome search(const char *name, const char *client, unsigned *found)
{
	const _Atomic bool stop = false;
	struct query_filter f = {.until_us = INT64_MAX, .rows = 1000, .for_ms = 10000};
	struct query_outcome end;
	snprintf(f.name, sizeof(f.name), "%s", name);
	snprintf(f.client, sizeof(f.client), "%s", client);
	*found = 0;
	assert_int_equal(query_search(own_folder, &f, &stop, on_found, found, &end), 0);
	assert_true(end.complete);
	return end;
}

static void has(const char *name, const char *client, unsigned rows)
{
	unsigned found;
	struct query_outcome end = search(name, client, &found);
	assert_int_equal(found, rows);
	assert_int_equal(end.ruled_out, 0);
}

static void lacks(const char *name, const char *client)
{
	unsigned found;
	struct query_outcome end = search(name, client, &found);
	assert_int_equal(found, 0);
	assert_int_equal(end.ruled_out, 1);
	assert_int_equal(end.looked_at, 0);
}

TEST_WITH(test_what_is_there_is_found_and_what_is_not_costs_nothing, own_folder_setup,
	own_folder_teardown)
{
	struct query_file *f = file_open();
	row_put(f, 0, "www.a\\.b.Example.", "192.0.2.7");
	row_put(f, 1, "other.test", "2001:db8::1");
	row_put(f, 2, ".", "192.0.2.7");
	assert_int_equal(query_file_commit(f), 0);
	has("nobody.invalid", "", 0); // no filter yet: read whole
	query_file_free(f);
	has("www.a\\.b.example", "", 1);
	has("A\\.B.EXAMPLE.", "", 1);
	has("example", "", 1);
	has("test.", "", 1);
	has("", "192.0.2.7", 2);
	has("", "ann's laptop", 3);
	has("", "2001:DB8::1", 1);
	has("other.test", "192.0.2.7", 0); // both are there, not in one row
	lacks("b.example", "");            // a dot of a label ends none
	lacks("nobody.invalid", "");
	lacks("xother.test", "");
	lacks("", "192.0.2.8");
	lacks("other.test", "192.0.2.8");
}

// Opened again for more rows a file has no filter until it is closed.
TEST_WITH(test_a_filter_is_never_older_than_the_rows, own_folder_setup, own_folder_teardown)
{
	struct query_file *f = file_open();
	row_put(f, 0, "first.test", "192.0.2.7");
	assert_int_equal(query_file_commit(f), 0);
	query_file_free(f);
	lacks("second.test", "");
	f = file_open();
	row_put(f, 1, "second.test", "192.0.2.7");
	assert_int_equal(query_file_commit(f), 0);
	has("second.test", "", 1);
	query_file_free(f);
	has("second.test", "", 1);
	has("first.test", "", 1);
	lacks("third.test", "");
}

// Of thousands of names none is missed, and few that are not there are looked for.
TEST_WITH(test_many_names, own_folder_setup, own_folder_teardown)
{
	char name[64];
	unsigned found, in_vain = 0;
	struct query_file *f = file_open();
	for (unsigned i = 0; i < NAMES; i++) {
		snprintf(name, sizeof(name), "host-%u.site%u.test.", i, i % 500);
		row_put(f, i, name, "192.0.2.7");
	}
	assert_int_equal(query_file_commit(f), 0);
	query_file_free(f);
	for (unsigned i = 0; i < NAMES; i += 97) {
		snprintf(name, sizeof(name), "host-%u.site%u.test", i, i % 500);
		has(name, "", 1);
	}
	for (unsigned i = 0; i < 500; i++) {
		snprintf(name, sizeof(name), "no-%u.site%u.test", i, i);
		in_vain += search(name, "", &found).ruled_out == 0;
		assert_int_equal(found, 0);
	}
	assert_true(in_vain <= 25);
}
