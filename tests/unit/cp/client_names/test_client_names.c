// SPDX-License-Identifier: BSD-3-Clause
// The thread that finds names: files that come, change and go; other settings; PTR for what has no
// name.

#include "controlplane/client_names/client_names.h"
#include "ptr_server.h"
#include "tests/unit/clock_shift.h"
#include "tests/unit/few_files.h"

static struct client_names *names;
static struct config config;
static char path[sizeof(config.client_names.lease_files[0])];

static void leases_write(const char *name)
{
	const char *next = text_from("%s.next", path);
	text_to_file(next, text_from("0 02:00:5e:10:00:01 192.168.0.7 %s *\n", name));
	assert_int_equal(rename(next, path), 0);
}

static bool is_called(unsigned last, const char *name)
{
	const uint8_t bytes[16] = {192, 168, 0, (uint8_t)last};
	struct client_entry found;
	const bool has =
		client_book_find_or_ask(client_names_book(names), 4, bytes, time(NULL), &found);
	return *name ? has && strcmp(found.name, name) == 0 : !has;
}

static int setup(void **)
{
	config = (struct config){0};
	snprintf(path, sizeof(path), "/tmp/weir-names-%d", (int)getpid());
	snprintf(config.client_names.lease_files[0], sizeof(path), "%s", path);
	config.client_names.lease_file_count = 1;
	return client_names_open(&names);
}

FIXTURE(teardown, client_names_close(names))

TEST_WITH(test_files, setup, teardown)
{
	struct client_names_status s;
	leases_write("first");
	assert_int_equal(client_names_configure(names, &config), 0);
	WAIT_FOR(is_called(7, "first"));
	leases_write("second");
	WAIT_FOR(is_called(7, "second"));
	client_names_status(names, &s);
	assert_int_equal(s.file_count, 1);
	assert_string_equal(s.file[0].path, path);
	assert_int_equal(s.file[0].names, 1);
	unlink(path);
	WAIT_FOR(is_called(7, ""));
	client_names_status(names, &s);
	assert_string_equal(s.file[0].why, "No such file or directory");
	leases_write("third");
	WAIT_FOR(is_called(7, "third"));
	config.client_names.lease_file_count = 0;
	assert_int_equal(client_names_configure(names, &config), 0);
	WAIT_FOR(is_called(7, ""));
	unlink(path);
}

static bool is_out_of_files(void)
{
	struct client_names_status s;
	client_names_status(names, &s);
	const unsigned last = s.file_count - 1; // others are Kea's of that path
	return s.file_count > 0 && strcmp(s.file[last].why, "Too many open files") == 0;
}

// A file that has not changed for long, while the process has no descriptor left.
TEST_WITH(test_a_failure_that_passes, setup, teardown)
{
	struct few_files few;
	leases_write("first");
	clock_step_ms(60 * 1000);
	few_files_begin(&few, 64);
	const int last = dup(0);
	assert_int_equal(client_names_configure(names, &config), 0);
	WAIT_FOR(is_out_of_files());
	assert_true(is_called(7, ""));
	few_files_lift(&few);
	few_files_close(&few);
	close(last);
	WAIT_FOR(is_called(7, "first"));
	unlink(path);
}

static bool is_at(const char *name, const char *where)
{
	struct lease_names *held = NULL;
	uint8_t label[64] = {(uint8_t)strlen(name)};
	memcpy(label + 1, name, label[0]);
	const struct lease_names *leases = lease_names_now(&held);
	const struct lease_name *l = lease_names_find(leases, label, 4, time(NULL));
	const bool is = l && strcmp(lease_names_path(leases, l), where) == 0;
	lease_names_release(held);
	return is;
}

static bool is_served(const char *name)
{
	return is_at(name, path);
}

// With a domain weir answers the names of leases; a client cannot be wpad.
TEST_WITH(test_published, setup, teardown)
{
	struct client_names_status s;
	char longest[65] = "";
	leases_write("laptop");
	assert_int_equal(client_names_configure(names, &config), 0);
	WAIT_FOR(is_called(7, "laptop"));
	assert_false(is_served("laptop"));
	assert_int_equal(dns_name_from_text("lan", 3, &config.local.house), 0);
	assert_int_equal(client_names_configure(names, &config), 0);
	WAIT_FOR(is_served("laptop"));
	client_names_status(names, &s);
	assert_int_equal(s.leases.names, 1);
	assert_true(s.lease_bytes > 0);
	leases_write("wpad");
	WAIT_FOR(is_called(7, "wpad"));
	WAIT_FOR(!is_served("laptop"));
	assert_false(is_served("wpad"));
	client_names_status(names, &s);
	assert_int_equal(s.leases.reserved, 1);
	memset(longest, 'a', 64); // too long a label is no name, and not a shorter one
	leases_write(longest);
	longest[63] = '\0';
	WAIT_FOR(is_called(7, longest));
	WAIT_FOR((client_names_status(names, &s), s.leases.bad_name == 1));
	assert_false(is_served(longest));
	leases_write(longest);
	WAIT_FOR(is_served(longest));
	leases_write("tv");
	WAIT_FOR(is_served("tv"));
	config.local.house = (struct dns_name){0};
	assert_int_equal(client_names_configure(names, &config), 0);
	WAIT_FOR(!is_served("tv"));
	unlink(path);
}

static void kea_write(const char *at, const char *lines)
{
	text_to_file(at, text_from("address,hwaddr,client_id,valid_lifetime,expire,subnet_id,"
				   "hostname,state\n%s",
				 lines));
}

// kea-lfc moves the file to PATH.1, and leaves its result in PATH.2: newer lines win.
TEST_WITH(test_kea_clean_up, setup, teardown)
{
	char older[2][sizeof(path) + 8];
	for (unsigned i = 0; i < 2; i++)
		snprintf(older[i], sizeof(older[i]), "%s.%u", path, i + 1);
	kea_write(older[1], "192.168.0.7,,,3600,4000000000,1,oldest,0\n");
	kea_write(older[0], "192.168.0.7,,,3600,4000000000,1,laptop,0\n"
			    "192.168.0.9,,,3600,4000000000,1,gone,0\n");
	kea_write(path, "192.168.0.9,,,0,4000000000,1,gone,0\n"
			"192.168.0.8,,,3600,4000000000,1,tv,0\n");
	assert_int_equal(client_names_configure(names, &config), 0);
	WAIT_FOR(is_called(8, "tv"));
	WAIT_FOR(is_called(7, "laptop"));
	WAIT_FOR(is_called(9, ""));
	unlink(older[0]);
	WAIT_FOR(is_called(7, "oldest"));
	unlink(path);
	unlink(older[1]);
}

TEST_WITH(test_ptr, setup, teardown)
{
	struct client_names_status s;
	struct ptr_server silent, server;
	config.client_names.ptr_servers[0] = ptr_server_start(&silent, PTR_SERVFAIL);
	config.client_names.ptr_servers[1] = ptr_server_start(&server, PTR_NAME);
	leases_write("first");
	assert_int_equal(client_names_configure(names, &config), 0);
	assert_true(is_called(8, ""));
	WAIT_FOR(is_called(7, "first"));
	leases_write("second");
	assert_int_equal(client_names_configure(names, &config), 0);
	WAIT_FOR(is_called(7, "second")); // a turn later
	unlink(path);
	assert_int_equal(silent.asked + server.asked, 0); // weir asks nobody by default
	config.client_names.lease_file_count = 0;
	config.client_names.ptr_server_count = 2;
	assert_int_equal(client_names_configure(names, &config), 0);
	WAIT_FOR(is_called(8, "box.lan"));
	assert_int_equal(server.asked, 1);
	server.mode = silent.mode = PTR_NXDOMAIN;
	(void)is_called(9, "");
	WAIT_FOR(silent.asked >= 2);
	WAIT_FOR(is_called(9, "")); // and is not asked for again
	assert_int_equal(silent.asked, 2);
	assert_int_equal(server.asked, 1); // NXDOMAIN counts as an answer
	client_names_status(names, &s);
	assert_int_equal(s.asked, 2);
	assert_int_equal(s.failed, 0);
	assert_int_equal(s.book.used[CLIENT_FROM_PTR], 1);
	config.client_names.ptr_server_count = 0;
	assert_int_equal(client_names_configure(names, &config), 0);
	WAIT_FOR(is_called(8, "")); // with its server
	ptr_server_stop(&silent);
	ptr_server_stop(&server);
}

// Names of PTR are answered, and asked for again when their TTL ends: what the router says then
// counts, and a router that is silent takes no name away.
TEST_WITH(test_router_names, setup, teardown)
{
	struct client_names_status s;
	struct ptr_server server;
	config.client_names.ptr_servers[0] = ptr_server_start(&server, PTR_NAME);
	config.client_names.ptr_server_count = 1;
	config.client_names.lease_file_count = 0;
	assert_int_equal(dns_name_from_text("lan", 3, &config.local.house), 0);
	assert_int_equal(client_names_configure(names, &config), 0);
	WAIT_FOR(is_called(8, "box.lan"));
	assert_false(is_at("box", "127.0.0.1")); // local.router_names is off
	config.local.router_names = true;
	assert_int_equal(client_names_configure(names, &config), 0);
	WAIT_FOR(is_at("box", "127.0.0.1"));
	client_names_status(names, &s);
	assert_int_equal(s.router.names, 1);
	assert_int_equal(s.leases.names, 0);
	assert_int_equal(server.asked, 1);
	clock_step_ms(91 * 1000);
	WAIT_FOR(server.asked == 2);
	WAIT_FOR(is_at("box", "127.0.0.1"));
	server.mode = PTR_SERVFAIL;
	clock_step_ms(91 * 1000);
	WAIT_FOR((client_names_status(names, &s), s.failed > 0));
	assert_true(is_called(8, "box.lan"));
	assert_true(is_at("box", "127.0.0.1"));
	server.mode = PTR_NXDOMAIN;
	clock_step_ms(61 * 1000);
	WAIT_FOR(!is_at("box", "127.0.0.1"));
	assert_true(is_called(8, ""));
	ptr_server_stop(&server);
}

// The clock was a year ahead when the names came: they are no truth for a year.
TEST_WITH(test_clock_set_back, setup, teardown)
{
	static const int64_t year_ms = INT64_C(365) * 86400 * 1000;
	struct ptr_server server;
	config.client_names.ptr_servers[0] = ptr_server_start(&server, PTR_NAME);
	config.client_names.ptr_server_count = 1;
	assert_int_equal(dns_name_from_text("lan", 3, &config.local.house), 0);
	config.local.router_names = true;
	text_to_file(path, text_from("%lld 02:00:5e:10:00:01 192.168.0.7 laptop *\n",
				   (long long)time(NULL) + 86400));
	clock_step_ms(year_ms);
	client_names_close(names);
	assert_int_equal(client_names_open(&names), 0);
	assert_int_equal(client_names_configure(names, &config), 0);
	WAIT_FOR(is_called(8, "box.lan"));
	WAIT_FOR(is_at("box", "127.0.0.1"));
	assert_false(is_called(7, "laptop")); // its lease has ended
	server.mode = PTR_SERVFAIL;
	const unsigned asked = server.asked;
	clock_step_ms(-year_ms);
	WAIT_FOR(is_called(7, "laptop"));
	WAIT_FOR(server.asked > asked); // no host has to ask first
	assert_true(is_called(8, "box.lan"));
	assert_true(is_at("box", "127.0.0.1"));
	server.mode = PTR_NXDOMAIN;
	clock_step_ms(61 * 1000);
	WAIT_FOR(!is_at("box", "127.0.0.1"));
	assert_true(is_called(8, ""));
	unlink(path);
	ptr_server_stop(&server);
}
