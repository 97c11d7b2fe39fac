// SPDX-License-Identifier: BSD-3-Clause
// The table of clients' names: the rank of sources, the end of entries, a full table.

#include "controlplane/client_names/client_book.h"
#include "tests/unit/unit.h"

static struct client_book *book;
static const int64_t now = 1000000;

static struct client_entry entry(
	unsigned last, const char *name, enum client_name_from from, int64_t ends_s)
{
	struct client_entry e = {.address = {.version = 4, .bytes = {192, 168, 0, (uint8_t)last}},
		.from = (uint8_t)from,
		.pass = 1,
		.ends_s = ends_s};
	snprintf(e.name, sizeof(e.name), "%s", name);
	return e;
}

static void put(const struct client_entry *e)
{
	client_book_put(book, e, now);
}

static const char *name_at(unsigned last, int64_t at_s)
{
	static struct client_entry found;
	const uint8_t bytes[16] = {192, 168, 0, (uint8_t)last};
	return client_book_find(book, 4, bytes, at_s, &found) ? found.name : "";
}

static void ask_for(unsigned last)
{
	struct client_entry found;
	const uint8_t bytes[16] = {192, 168, 0, (uint8_t)last};
	assert_false(client_book_find_or_ask(book, 4, bytes, now, &found));
}

FIXTURE_OF(setup, client_book_open(&book))

FIXTURE(teardown, client_book_close(book))

TEST_WITH(test_better_source_wins, setup, teardown)
{
	struct client_entry e = entry(1, "of-ptr", CLIENT_FROM_PTR, now + 60);
	put(&e);
	assert_string_equal(name_at(1, now), "of-ptr");
	e = entry(1, "of-lease", CLIENT_FROM_LEASE, now + 60);
	put(&e);
	e = entry(1, "of-hosts", CLIENT_FROM_HOSTS, 0);
	put(&e);
	e = entry(1, "of-lease", CLIENT_FROM_LEASE, now + 60);
	put(&e);
	e = entry(1, "of-ptr", CLIENT_FROM_PTR, now + 60);
	put(&e);
	assert_string_equal(name_at(1, now), "of-hosts");
	// The next pass finds it in no hosts file.
	e = entry(1, "of-lease", CLIENT_FROM_LEASE, now + 60);
	e.pass = 2;
	put(&e);
	assert_string_equal(name_at(1, now), "of-lease");
	assert_string_equal(name_at(1, now + 60), "");
}

TEST_WITH(test_sweep_and_drop, setup, teardown)
{
	struct client_entry e = entry(1, "stays", CLIENT_FROM_PTR, now + 60);
	put(&e);
	e = entry(2, "goes", CLIENT_FROM_HOSTS, 0);
	put(&e);
	e = entry(3, "lease", CLIENT_FROM_LEASE, 0);
	e.pass = 2;
	put(&e);
	client_book_sweep(book, 2);
	assert_string_equal(name_at(1, now), "stays");
	assert_string_equal(name_at(2, now), "");
	assert_string_equal(name_at(3, now), "lease");
	client_book_drop(book, &e.address, 2);
	assert_string_equal(name_at(3, now), "");
}

TEST_WITH(test_named, setup, teardown)
{
	struct client_entry e = entry(7, "Laptop.lan", CLIENT_FROM_LEASE, now + 60), found;
	put(&e);
	// The best source has it, wherever in the table it is.
	for (unsigned last = 100; last < 200; last++) {
		e = entry(last, "laptop.lan", CLIENT_FROM_PTR, now + 60);
		put(&e);
	}
	assert_true(client_book_named(book, "laptop.LAN", now, &found));
	assert_int_equal(found.address.bytes[3], 7);
	assert_false(client_book_named(book, "laptop", now, &found));
	assert_false(client_book_named(book, "", now, &found));
	assert_false(client_book_named(book, "laptop.lan", now + 60, &found));
	assert_false(client_book_named(NULL, "laptop.lan", now, &found));
}

// The lease of a MAC address, one of IPv4 before one of IPv6.
TEST_WITH(test_of_mac, setup, teardown)
{
	static const uint8_t mac[6] = {2, 0, 0x5e, 0x10, 0, 7}, other[6] = {2, 0, 0x5e, 0x10, 0, 8};
	struct client_entry four = entry(7, "pad", CLIENT_FROM_LEASE, now + 60), six = four, found;
	assert_false(client_book_of_mac(book, mac, now, &found));
	four.has_mac = true;
	memcpy(four.mac, mac, sizeof(mac));
	six = four;
	six.address = (struct client_ip){.version = 6, .bytes = {0xfd, 0x53}};
	put(&six);
	assert_true(client_book_of_mac(book, mac, now, &found));
	assert_int_equal(found.address.version, 6);
	put(&four);
	assert_true(client_book_of_mac(book, mac, now, &found));
	assert_int_equal(found.address.version, 4);
	assert_false(client_book_of_mac(book, other, now, &found));
	assert_false(client_book_of_mac(book, mac, now + 60, &found));
	assert_false(client_book_of_mac(NULL, mac, now, &found));
}

TEST_WITH(test_bounds, setup, teardown)
{
	struct client_book_status s;
	struct client_entry e = entry(1, "kept", CLIENT_FROM_HOSTS, 0);
	put(&e);
	for (unsigned i = 0; i < CLIENT_BOOK_MAX; i++) { // fills some sets whole
		e = entry(0, "host", CLIENT_FROM_HOSTS, 0);
		e.address.bytes[1] = 0x10;
		e.address.bytes[2] = (uint8_t)(i >> 8);
		e.address.bytes[3] = (uint8_t)i;
		put(&e);
	}
	client_book_status(book, &s);
	const unsigned hosts = s.used[CLIENT_FROM_HOSTS];
	const uint64_t evicted = s.evicted;
	assert_int_equal(hosts + evicted, CLIENT_BOOK_MAX + 1);
	assert_int_equal(s.refused, 0);
	for (unsigned i = 0; i < 4 * CLIENT_BOOK_MAX; i++) {
		e = entry(0, "flood", CLIENT_FROM_PTR, now + 60);
		e.address.bytes[1] = (uint8_t)(i >> 16);
		e.address.bytes[2] = (uint8_t)(i >> 8);
		e.address.bytes[0] = 10;
		e.address.bytes[3] = (uint8_t)i;
		put(&e);
	}
	client_book_status(book, &s);
	assert_true(s.entries <= CLIENT_BOOK_MAX && s.entries > CLIENT_BOOK_MAX * 9 / 10);
	assert_int_equal(s.entries + s.evicted + s.refused, 5 * CLIENT_BOOK_MAX + 1);
	assert_int_equal(s.used[CLIENT_FROM_HOSTS], hosts);
	assert_true(s.refused > 0 && s.evicted > evicted);
}

// Only private addresses are noted, each once, and no more than there is room for.
TEST_WITH(test_wanted, setup, teardown)
{
	static const uint8_t public[16] = {9, 9, 9, 9};
	struct client_book_status s;
	struct client_entry found;
	struct client_ip a;
	ask_for(1);
	assert_false(client_book_wanted(book, now, &a));
	client_book_ask(book, true);
	assert_false(client_book_find_or_ask(book, 4, public, now, &found));
	assert_string_equal(name_at(1, now), ""); // of the API: no question
	assert_false(client_book_wanted(book, now, &a));
	ask_for(1);
	ask_for(1);
	assert_true(client_book_wanted(book, now, &a));
	assert_int_equal(a.version, 4);
	assert_int_equal(a.bytes[3], 1);
	assert_false(client_book_wanted(book, now, &a));
	for (unsigned i = 2; i < 2 + CLIENT_BOOK_WANTED + 3; i++)
		ask_for(i);
	client_book_status(book, &s);
	assert_int_equal(s.not_asked, 3);
	struct client_entry e = entry(2, "of-lease", CLIENT_FROM_LEASE, now + 60);
	put(&e);
	assert_true(client_book_wanted(book, now, &a));
	assert_int_equal(a.bytes[3], 3); // 2 has a name since
	e = entry(3, "of-ptr", CLIENT_FROM_PTR, now + 60);
	put(&e);
	client_book_ask(book, false);
	assert_false(client_book_wanted(book, now, &a));
	assert_string_equal(name_at(2, now), "of-lease");
	assert_string_equal(name_at(3, now), "");
}

static void count(void *arg, const struct client_entry *e)
{
	unsigned *of = arg;
	of[e->from]++;
}

static void seen(unsigned last, int64_t at_s)
{
	struct client_entry found;
	const uint8_t bytes[16] = {192, 168, 0, (uint8_t)last};
	assert_true(client_book_find_or_ask(book, 4, bytes, at_s, &found));
}

// Names of PTR that are in use are given, and due when their TTL ends, while the client is there.
TEST_WITH(test_due, setup, teardown)
{
	unsigned given[CLIENT_FROM_COUNT] = {0}, house[CLIENT_FROM_COUNT] = {0};
	struct client_ip due[4];
	struct client_entry e = entry(1, "of-lease", CLIENT_FROM_LEASE, now + 60);
	put(&e);
	e = entry(2, "of-hosts", CLIENT_FROM_HOSTS, 0);
	put(&e);
	for (unsigned last = 3; last < 6; last++) {
		e = entry(last, last == 5 ? "" : "of-ptr", CLIENT_FROM_PTR, now + 660);
		e.due_s = now + 60;
		put(&e);
	}
	client_book_given(book, now, count, given);
	assert_int_equal(given[CLIENT_FROM_PTR], 0);
	seen(3, now);
	assert_int_equal(client_book_due(book, now + 60, due, 4), 0);
	client_book_use_ptr(book, true);
	client_book_given(book, now, count, given);
	assert_int_equal(given[CLIENT_FROM_PTR], 2);
	client_book_house(book, now, count, house);
	assert_int_equal(house[CLIENT_FROM_PTR] + house[CLIENT_FROM_LEASE], 3);
	assert_int_equal(house[CLIENT_FROM_HOSTS], 0);
	assert_int_equal(client_book_due(book, now + 59, due, 4), 0);
	assert_int_equal(client_book_due(book, now + 60, due, 4), 1); // 4 is not in the log
	assert_int_equal(due[0].bytes[3], 3);
	seen(4, now + 60);
	assert_int_equal(client_book_due(book, now + 60, due, 4), 2);
	assert_int_equal(client_book_due(book, now + CLIENT_UNSEEN_S, due, 4), 1);
	assert_int_equal(due[0].bytes[3], 4);
	// In turn, so that all get theirs.
	assert_int_equal(client_book_due(book, now + 60, due, 1), 1);
	assert_int_equal(client_book_due(book, now + 60, due + 1, 1), 1);
	assert_int_not_equal(due[0].bytes[3], due[1].bytes[3]);
}

// A name outlives servers that do not answer until its own end; the client that was seen stays so.
TEST_WITH(test_unanswered, setup, teardown)
{
	const struct client_ip a = {.version = 4, .bytes = {192, 168, 0, 3}};
	struct client_ip due[2];
	struct client_entry e = entry(3, "of-ptr", CLIENT_FROM_PTR, now + 660);
	client_book_use_ptr(book, true);
	put(&e);
	seen(3, now);
	client_book_unanswered(book, &a, now, now + 60);
	assert_string_equal(name_at(3, now), "of-ptr");
	assert_int_equal(client_book_due(book, now + 59, due, 2), 0);
	assert_int_equal(client_book_due(book, now + 60, due, 2), 1);
	e.due_s = now + 90;
	put(&e);
	assert_int_equal(client_book_due(book, now + 90, due, 2), 1);
	client_book_unanswered(book, &a, now + 660, now + 720);
	assert_string_equal(name_at(3, now + 660), "");
	assert_int_equal(client_book_due(book, now + 720, due, 2), 0);
}

// A flood of addresses without a name evicts no name of PTR, even one that ends first.
TEST_WITH(test_flood, setup, teardown)
{
	struct client_entry e = entry(3, "of-ptr", CLIENT_FROM_PTR, now + 60);
	put(&e);
	for (unsigned i = 0; i < 4 * CLIENT_BOOK_MAX; i++) {
		e = entry(0, "", CLIENT_FROM_PTR, now + 3600);
		e.address.bytes[0] = 10;
		e.address.bytes[2] = (uint8_t)(i >> 8);
		e.address.bytes[3] = (uint8_t)i;
		put(&e);
	}
	assert_string_equal(name_at(3, now), "of-ptr");
}

TEST(test_names_are_cleaned)
{
	static const struct {
		const char *text, *name;
	} cases[] = {{"laptop.lan.", "laptop.lan"}, {"My_TV-2", "My_TV-2"}, {"a b", "a\\x20b"},
		{"\033[31mred", "\\x1b\\x5b31mred"}, {"\xc3\xa4", "\\xc3\\xa4"},
		{"<b>", "\\x3cb\\x3e"}, {"a\\b\"", "a\\x5cb\\x22"}};
	char out[CLIENT_NAME_MAX], long_name[300];
	for (unsigned i = 0; i < ARRAY_LEN(cases); i++) {
		assert_true(client_name_clean(cases[i].text, strlen(cases[i].text), out));
		assert_string_equal(out, cases[i].name);
	}
	assert_false(client_name_clean("", 0, out));
	assert_false(client_name_clean(".", 1, out));
	assert_false(client_name_clean("192.168.1.10", 12, out));
	assert_false(client_name_clean("192.168.1.10.", 13, out));
	assert_true(client_name_clean("a\0b", 3, out));
	assert_string_equal(out, "a\\x00b");
	memset(long_name, '\xff', sizeof(long_name));
	assert_true(client_name_clean(long_name, sizeof(long_name), out));
	assert_int_equal(strlen(out), 60); // whole escapes alone
}
