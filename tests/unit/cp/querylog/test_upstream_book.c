// SPDX-License-Identifier: BSD-3-Clause
#include "controlplane/base/table_registry.h"
#include "controlplane/querylog/upstream_book.h"
#include "tests/unit/unit.h"

#include <weir/log_msg.h>

TEST(test_a_name_keeps_its_number)
{
	struct upstream_book *b;
	assert_int_equal(upstream_book_open(&b), 0);
	assert_int_equal(upstream_book_number(b, "one"), 0);
	assert_int_equal(upstream_book_number(b, "t\two"), 1);
	assert_int_equal(upstream_book_number(b, "one"), 0);
	assert_string_equal(upstream_book_name(b, 0), "one");
	assert_string_equal(upstream_book_name(b, 1), "t\\x09wo");
	assert_string_equal(upstream_book_name(b, 2), "");
	// And that is no place in the book.
	assert_ptr_equal(upstream_book_name(b, 2), upstream_book_name(NULL, 0));
	assert_ptr_not_equal(upstream_book_name(b, 1), upstream_book_name(NULL, 0));
	assert_string_equal(upstream_book_name(b, LOG_NO_UPSTREAM), "");
	upstream_book_close(b);
}

TEST(test_full)
{
	struct upstream_book *b;
	struct table_registry tables = {0};
	char name[32];
	assert_int_equal(upstream_book_open(&b), 0);
	for (unsigned i = 0; i < UPSTREAM_BOOK_MAX; i++) {
		snprintf(name, sizeof(name), "server %u", i);
		assert_int_equal(upstream_book_number(b, name), i);
	}
	assert_int_equal(upstream_book_number(b, "one more"), LOG_NO_UPSTREAM);
	assert_int_equal(upstream_book_number(b, "server 7"), 7);
	// The last name, and what would lie behind it.
	snprintf(name, sizeof(name), "server %u", UPSTREAM_BOOK_MAX - 1);
	assert_string_equal(upstream_book_name(b, UPSTREAM_BOOK_MAX - 1), name);
	assert_string_equal(upstream_book_name(b, UPSTREAM_BOOK_MAX), "");
	upstream_book_tables(b, &tables);
	assert_int_equal(tables.count, 1);
	assert_int_equal(tables.table[0].used, UPSTREAM_BOOK_MAX);
	upstream_book_close(b);
}

TEST(test_no_book)
{
	assert_int_equal(upstream_book_number(NULL, "one"), LOG_NO_UPSTREAM);
	assert_string_equal(upstream_book_name(NULL, 0), "");
}
