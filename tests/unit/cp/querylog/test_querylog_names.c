// SPDX-License-Identifier: BSD-3-Clause
// Names of groups, by the policy image that let the client in, and titles of lists.

#include "controlplane/querylog/querylog_row.h"
#include "querylog_rig.h"
#include "tests/unit/unit.h"

#include <weir/log_msg.h>

static struct config_group one[] = {{.name = (char *)(uintptr_t) "child\x1bren"}};
static struct config_group two[] = {
	{.name = (char *)(uintptr_t) "guests"}, {.name = (char *)(uintptr_t) "children"}};

static struct querylog_names *names_of(struct config_group *groups, unsigned count)
{
	const struct config c = {.groups = groups, .group_count = count};
	struct querylog_names *n = querylog_names_new(&c, NULL, 0, NULL);
	assert_non_null(n);
	return n;
}

// A row of a record, which goes with the batch.
static const struct querylog_row *row_of(struct querylog_batch *b, const struct log_record *r,
	const struct querylog_names *n, struct client_book *book)
{
	static const struct querylog_hide hide;
	static struct querylog_macs macs;
	const struct querylog_maker by = {
		.names = n, .hide = &hide, .macs = &macs, .clients = book};
	uint64_t weight;
	assert_int_equal(querylog_row_make(b, &by, (const uint8_t *)r, sizeof(*r), NULL, &weight),
		QUERYLOG_MADE);
	return &b->row[0];
}

static struct log_record record_of(uint8_t group, uint16_t list)
{
	return (struct log_record){.time_us = 5,
		.weight = 1,
		.group = group,
		.list = list,
		.ede = LOG_NO_EDE,
		.upstream = LOG_NO_UPSTREAM,
		.client = {192, 168, 0, 7}};
}

static void expect_group(const struct querylog_names *n, uint8_t logged, const char *name)
{
	const struct log_record r = record_of(logged, LOG_NO_LIST);
	struct querylog_rig rig;
	querylog_rig_open(&rig, 1);
	struct querylog_batch *b = querylog_rig_empty(&rig);
	assert_string_equal(row_of(b, &r, n, NULL)->group.at, name);
	querylog_release(b);
	querylog_rig_close(&rig);
}

static void expect(const struct querylog_names *n, unsigned group, uint64_t image, const char *name)
{
	expect_group(n, group_in_image(group, image), name);
}

static void expect_list(const struct querylog_names *n, uint16_t number, const char *title)
{
	const struct log_record r = record_of(0, number);
	struct querylog_rig rig;
	querylog_rig_open(&rig, 1);
	struct querylog_batch *b = querylog_rig_empty(&rig);
	const struct querylog_text list = row_of(b, &r, n, NULL)->list;
	assert_int_equal(list.len, strlen(title));
	assert_memory_equal(list.at, title, list.len);
	querylog_release(b);
	querylog_rig_close(&rig);
}

TEST(test_images_before_keep_their_names)
{
	struct querylog_names *first = names_of(one, 1), *next = names_of(two, 2);
	querylog_names_follow(next, first, 70);
	querylog_names_release(first);
	expect(next, 1, 70, "guests");
	expect(next, 2, 70, "children");
	for (uint64_t image = 67; image < 70; image++) {
		expect(next, 1, image, "child\\x1bren");
		expect(next, 2, image, "");
	}
	struct querylog_names *last = names_of(one, 1);
	querylog_names_follow(last, next, 71);
	querylog_names_release(next);
	expect(last, 1, 71, "child\\x1bren");
	expect(last, 1, 70, "guests");
	expect(last, 1, 69, "child\\x1bren");
	querylog_names_release(last);
}

// The same image, in which a group has another name: that of its number.
TEST(test_a_group_renamed)
{
	struct querylog_names *first = names_of(two, 2), *next = names_of(one, 1);
	querylog_names_follow(next, first, 70);
	querylog_names_release(first);
	struct querylog_names *again = names_of(two, 2);
	querylog_names_follow(again, next, 70);
	querylog_names_release(next);
	expect(again, 1, 70, "guests");
	querylog_names_release(again);
}

static struct querylog_names *names_with(const struct rule_list_info *lists, unsigned count)
{
	static const struct config none;
	struct querylog_names *n = querylog_names_new(&none, lists, count, NULL);
	assert_non_null(n);
	return n;
}

// A row of a query before the reload has the title of that time, until the number is given away.
TEST(test_a_list_that_left_keeps_its_title)
{
	static const struct rule_list_info both[] = {{.title = "ads"}, {.title = "trackers"}};
	static const struct rule_list_info other[] = {{.title = ""}, {.title = "new"}};
	struct querylog_names *first = names_with(both, 2), *next = names_with(both, 1);
	querylog_names_follow(next, first, 70);
	querylog_names_release(first);
	expect_list(next, 0, "ads");
	expect_list(next, 1, "trackers");
	expect_list(next, 2, "");
	expect_list(next, RULE_LISTS_MAX, "");
	expect_list(next, LOG_NO_LIST, "");
	struct querylog_names *last = names_with(other, 2);
	querylog_names_follow(last, next, 71);
	querylog_names_release(next);
	expect_list(last, 0, "ads");
	expect_list(last, 1, "new");
	querylog_names_release(last);
}

// Whatever byte a ring holds.
TEST(test_any_byte)
{
	struct querylog_names *n = names_of(two, 2);
	for (unsigned byte = 0; byte <= UINT8_MAX; byte++) {
		unsigned group = byte % 64;
		expect_group(n, (uint8_t)byte,
			group == 1   ? "guests"
			: group == 2 ? "children"
				     : "");
	}
	querylog_names_release(n);
}

static const char *name_in_row(
	const struct querylog_names *n, struct client_book *book, struct querylog_rig *rig)
{
	static char said[CLIENT_NAME_MAX];
	const struct log_record r = record_of(0, LOG_NO_LIST);
	struct querylog_batch *b = querylog_rig_empty(rig);
	const struct querylog_text name = row_of(b, &r, n, book)->client_name;
	assert_int_equal(name.len, strlen(name.at));
	snprintf(said, sizeof(said), "%s", name.at);
	querylog_release(b);
	return said;
}

// That of the configuration counts first; a hidden client has none.
TEST(test_names_that_were_found)
{
	const struct client_entry e = {
		.address = {.version = 4, .bytes = {192, 168, 0, 7}}, .name = "laptop"};
	struct ip_address address = {.version = 4, .prefix_len = 32, .bytes = {192, 168, 0, 7}};
	struct config_client client = {
		.name = (char *)(uintptr_t) "ann", .address_count = 1, .addresses = &address};
	struct config c = {0};
	struct querylog_rig rig;
	struct client_book *book;
	querylog_rig_open(&rig, 1);
	assert_int_equal(client_book_open(&book), 0);
	client_book_put(book, &e, 0);
	struct querylog_names *n = querylog_names_new(&c, NULL, 0, NULL);
	assert_string_equal(name_in_row(n, NULL, &rig), "");
	assert_string_equal(name_in_row(n, book, &rig), "laptop");
	querylog_names_release(n);
	c.clients = &client;
	c.client_count = 1;
	n = querylog_names_new(&c, NULL, 0, NULL);
	assert_string_equal(name_in_row(n, book, &rig), "ann");
	querylog_names_release(n);
	c = (struct config){.query_log.anonymize = LOG_CLIENTS_TRUNCATED};
	n = querylog_names_new(&c, NULL, 0, NULL);
	assert_string_equal(name_in_row(n, book, &rig), "");
	querylog_names_release(n);
	client_book_close(book);
	querylog_rig_close(&rig);
}
