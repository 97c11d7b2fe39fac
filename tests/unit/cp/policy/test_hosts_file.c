// SPDX-License-Identifier: BSD-3-Clause

// Files of the form of /etc/hosts: what is read from them, and which files are refused.
#include "tests/unit/unit.h"

#include <weir/hosts_file.h>

enum { TAKEN_MAX = 16 };

static char path[64];
static struct {
	struct ip_address address;
	char name[DNS_NAME_TEXT_MAX];
	bool own;
	uint32_t line;
} taken[TAKEN_MAX];
static unsigned taken_count, stop_at;
static struct hosts_counts counts;

static int setup(void **)
{
	snprintf(path, sizeof(path), "/tmp/weir-test-hosts-%d", getpid());
	return 0;
}

FIXTURE_OF(teardown, unlink(path))

static int take(void *, const struct ip_address *address, const struct dns_name *name, bool own,
	uint32_t line)
{
	assert_true(taken_count < TAKEN_MAX);
	taken[taken_count].address = *address;
	(void)dns_name_to_text(name, taken[taken_count].name);
	taken[taken_count].own = own;
	taken[taken_count].line = line;
	return ++taken_count == stop_at ? -E2BIG : 0;
}

static int read_file(void)
{
	taken_count = 0;
	counts = (struct hosts_counts){0};
	return hosts_file_read(path, take, NULL, &counts);
}

static int read_text(const char *text)
{
	text_to_file(path, text);
	return read_file();
}

static void expect(unsigned i, const char *name, bool own, unsigned line)
{
	assert_true(i < taken_count);
	assert_string_equal(taken[i].name, name);
	assert_int_equal(taken[i].own, own);
	assert_int_equal(taken[i].line, line);
}

TEST_WITH(test_lines_and_words, setup, teardown)
{
	assert_int_equal(
		read_text("192.0.2.1 a.lan\tb.lan \r\n\n# all of it\n \t\r\n"
			  "\t192.0.2.2\t c.lan # d.lan\n#192.0.2.3 e.lan\n2001:db8::1 f.lan"),
		0);
	assert_int_equal(taken_count, 4);
	expect(0, "a.lan", true, 1);
	expect(1, "b.lan", false, 1);
	expect(2, "c.lan", true, 5);
	expect(3, "f.lan", true, 7);
	assert_int_equal(taken[2].address.bytes[3], 2);
	assert_int_equal(taken[3].address.version, 6);
	assert_int_equal(counts.lines, 7);
	assert_int_equal(counts.names, 4);
	assert_int_equal(counts.rejected, 0);
}

TEST_WITH(test_what_is_none_is_rejected, setup, teardown)
{
	assert_int_equal(read_text("192.0.2.1 . a\\b a..b good.lan\n"), 0);
	expect(0, "good.lan", true, 1);
	assert_int_equal(counts.rejected, 3);
	assert_int_equal(counts.names, 1);
	assert_int_equal(counts.not_ascii, 0);
	assert_int_equal(read_text("192.0.2.1 a.lan\n192.0.2.2 a..b\n\n192.0.2.3 b\303\274ro.lan\n"
				   "192.0.2.4 \303\244.lan\n"),
		0);
	assert_int_equal(counts.rejected, 3);
	assert_int_equal(counts.rejected_line, 2);
	assert_int_equal(counts.not_ascii, 2);
	assert_int_equal(counts.not_ascii_line, 4);
	// Each of them with all its names.
	assert_int_equal(read_text("192.0.2.0/24 a.lan b.lan\n192.0.2.256 a.lan\nname a.lan\n"
				   "fe80::1%lo a.lan\n"),
		0);
	assert_int_equal(taken_count, 0);
	assert_int_equal(counts.rejected, 4);
}

TEST_WITH(test_longest_address, setup, teardown)
{
	assert_int_equal(read_text("0000:0000:0000:0000:0000:ffff:192.168.100.200 a.lan\n"), 0);
	expect(0, "a.lan", true, 1);
	char text[200] = "";
	memset(text, '1', SOCKET_ADDRESS_TEXT_MAX);
	strcpy(text + SOCKET_ADDRESS_TEXT_MAX, " a.lan\n");
	assert_int_equal(read_text(text), 0);
	assert_int_equal(counts.rejected, 1);
}

TEST_WITH(test_a_taker_that_has_enough, setup, teardown)
{
	stop_at = 2;
	assert_int_equal(read_text("192.0.2.1 a.lan b.lan c.lan\n192.0.2.2 d.lan\n"), -E2BIG);
	assert_int_equal(taken_count, 2);
	stop_at = 0;
}

TEST_WITH(test_files, setup, NULL)
{
	assert_int_equal(read_text(""), 0);
	assert_int_equal(counts.lines, 0);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(read_file(), -ENOENT);
	assert_int_equal(mkdir(path, 0700), 0);
	assert_int_equal(read_file(), -EISDIR);
	assert_int_equal(rmdir(path), 0);
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_int_equal(read_file(), -EISDIR);
	assert_int_equal(unlink(path), 0);
}

TEST_WITH(test_largest_file, setup, teardown)
{
	assert_int_equal(read_text(""), 0);
	assert_int_equal(truncate(path, HOSTS_BYTES_MAX), 0);
	assert_int_equal(read_file(), 0);
	assert_int_equal(counts.lines, 1);
	assert_int_equal(counts.rejected, 1);
	assert_int_equal(truncate(path, HOSTS_BYTES_MAX + 1), 0);
	assert_int_equal(read_file(), -EFBIG);
	assert_int_equal(counts.lines, 0);
}

static void expect_reverse(const char *address, const char *wanted)
{
	struct dns_name name;
	char text[DNS_NAME_TEXT_MAX];
	struct ip_address a = address_of_text(address);
	hosts_reverse_name(&a, &name);
	(void)dns_name_to_text(&name, text);
	assert_string_equal(text, wanted);
}

TEST(test_reverse_names)
{
	expect_reverse("192.0.2.10", "10.2.0.192.in-addr.arpa");
	expect_reverse("2001:db8::fe",
		"e.f.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa");
}
