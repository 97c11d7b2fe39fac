// SPDX-License-Identifier: BSD-3-Clause
// Names out of hosts files and out of the lease files of three servers, as their documentation and
// sources have the formats, and what hostile lines give.

#include "controlplane/client_names/client_file.h"
#include "tests/unit/unit.h"

static struct client_book *book;
static struct client_entry found;
static struct client_file_counts counts;
static const int64_t now = 1700000000;

static void parse(enum client_file_kind kind, const char *text)
{
	client_lines_parse(book, kind, text, strlen(text), 1, now, &counts);
}

static const char *name_of(const char *address)
{
	uint8_t bytes[16] = {0};
	const bool is_v6 = strchr(address, ':');
	assert_int_equal(inet_pton(is_v6 ? AF_INET6 : AF_INET, address, bytes), 1);
	return client_book_find(book, is_v6 ? 6 : 4, bytes, now, &found) ? found.name : "";
}

FIXTURE_OF(setup, client_book_open(&book))

FIXTURE(teardown, client_book_close(book))

TEST_WITH(test_hosts, setup, teardown)
{
	parse(CLIENT_FILE_HOSTS, "127.0.0.1 localhost\n::1 localhost ip6-localhost\n"
				 "0.0.0.0 ads.example\n# 192.168.0.9 not\n\n"
				 "192.168.0.7\tlaptop.lan laptop # mine\r\n"
				 "  fd53::7  tv\nff02::1 ip6-allnodes\nnonsense\n192.168.0.8\n"
				 "192.168.0.300 x\n192.168.0.10 last");
	assert_string_equal(name_of("192.168.0.7"), "laptop.lan");
	assert_string_equal(name_of("fd53::7"), "tv");
	assert_string_equal(name_of("192.168.0.10"), "last");
	assert_string_equal(name_of("127.0.0.1"), "");
	assert_string_equal(name_of("::1"), "");
	assert_string_equal(name_of("192.168.0.9"), "");
	assert_int_equal(counts.names, 3);
	assert_int_equal(counts.bad, 3);
}

TEST_WITH(test_dnsmasq, setup, teardown)
{
	parse(CLIENT_FILE_LEASES,
		"1700003600 02:00:5e:10:00:01 192.168.0.7 laptop 01:02:00:5e:10:00:01\n"
		"1700003600 02:00:5e:10:00:02 192.168.0.8 * *\n"
		"1600000000 02:00:5e:10:00:03 192.168.0.9 ended *\n"
		"0 06-02:00:5e:10:00:04 192.168.0.10 for-ever *\n"
		"duid 00:01:00:01:2b:00:00:00:02:00:5e:10:00:01\n"
		"1700003600 5244161 fd53::7 laptop6 00:01:00:01\nx y z\n");
	assert_string_equal(name_of("192.168.0.7"), "laptop");
	assert_true(found.has_mac && found.mac[0] == 2 && found.mac[5] == 1);
	assert_int_equal(found.ends_s, 1700003600);
	assert_string_equal(name_of("192.168.0.8"), "");
	assert_string_equal(name_of("192.168.0.9"), "");
	assert_string_equal(name_of("192.168.0.10"), "for-ever");
	assert_true(found.has_mac);
	assert_string_equal(name_of("fd53::7"), "laptop6");
	assert_false(found.has_mac);
	assert_int_equal(counts.bad, 1);
}

static const char dhcpd[] =
	"# The format of this file is documented in the dhcpd.leases(5) manual page.\n"
	"authoring-byte-order little-endian;\n\n"
	"lease 192.168.0.7 {\n  starts 2 2023/11/14 22:00:00;\n  ends 2 2023/11/14 23:13:20;\n"
	"  cltt 2 2023/11/14 22:00:00;\n  binding state active;\n  next binding state free;\n"
	"  hardware ethernet 02:00:5e:10:00:01;\n  uid \"\\001\\002}\";\n"
	"  client-hostname \"laptop\";\n}\n"
	"lease 192.168.0.8 {\n  ends never;\n  client-hostname \"old\";\n}\n"
	"lease 192.168.0.8 {\n  ends never;\n  binding state free;\n  client-hostname \"old\";\n}\n"
	"lease 192.168.0.9 {\n  ends epoch 1700003600; # Tue\n  client-hostname "
	"\"new\\040tv\";\n}\n"
	"lease 192.168.0.10 {\n  ends 2 2020/01/01 00:00:00;\n  client-hostname \"ended\";\n}\n"
	"lease 192.168.0.11 {\n  client-hostname \"cut short\";\n";

TEST_WITH(test_dhcpd, setup, teardown)
{
	parse(CLIENT_FILE_LEASES, dhcpd);
	assert_string_equal(name_of("192.168.0.7"), "laptop");
	assert_int_equal(found.ends_s, now + 3600);
	assert_true(found.has_mac && found.mac[5] == 1);
	assert_string_equal(name_of("192.168.0.8"), "");
	assert_string_equal(name_of("192.168.0.9"), "new\\x5c040tv");
	assert_string_equal(name_of("192.168.0.10"), "");
	assert_string_equal(name_of("192.168.0.11"), "");
	assert_int_equal(counts.bad, 0);
}

TEST_WITH(test_kea, setup, teardown)
{
	parse(CLIENT_FILE_LEASES,
		"address,hwaddr,client_id,valid_lifetime,expire,subnet_id,fqdn_fwd,fqdn_rev,"
		"hostname,state,user_context,pool_id\n"
		"192.168.0.7,02:00:5e:10:00:01,01:02,3600,1700003600,1,0,0,laptop.lan.,0,,0\n"
		"192.168.0.8,02:00:5e:10:00:02,,3600,1700003600,1,0,0,gone,0,,0\n"
		"192.168.0.8,02:00:5e:10:00:02,,0,1700003600,1,0,0,gone,0,,0\n"
		"192.168.0.9,02:00:5e:10:00:03,,3600,1700003600,1,0,0,declined,1,,0\n"
		"192.168.0.10,02:00:5e:10:00:04,,4294967295,1699990000,1,0,0,ever,0,,0\n"
		"192.168.0.11,02:00:5e:10:00:05,,3600\n");
	assert_string_equal(name_of("192.168.0.7"), "laptop.lan");
	assert_true(found.has_mac && found.mac[5] == 1);
	assert_string_equal(name_of("192.168.0.8"), "");
	assert_string_equal(name_of("192.168.0.9"), "");
	assert_string_equal(name_of("192.168.0.10"), "ever");
	assert_int_equal(counts.bad, 1);
	parse(CLIENT_FILE_LEASES,
		"address,duid,valid_lifetime,expire,subnet_id,pref_lifetime,lease_type,iaid,"
		"prefix_len,fqdn_fwd,fqdn_rev,hostname,hwaddr,state\n"
		"fd53::7,00:01,3600,1700003600,1,1800,0,9,128,0,0,six,02:00:5e:10:00:06,0\n");
	assert_string_equal(name_of("fd53::7"), "six");
	assert_true(found.has_mac && found.mac[5] == 6);
}

// Every beginning of a file, and every file with one byte changed, is read without harm.
TEST_WITH(test_any_bytes, setup, teardown)
{
	char text[sizeof(dhcpd)];
	for (size_t len = 0; len < sizeof(dhcpd); len++) {
		char *cut = malloc(len ? len : 1); // so that a sanitizer sees a read behind it
		assert_non_null(cut);
		memcpy(cut, dhcpd, len);
		client_lines_parse(book, CLIENT_FILE_LEASES, cut, len, 1, now, &counts);
		client_lines_parse(book, CLIENT_FILE_HOSTS, cut, len, 1, now, &counts);
		free(cut);
		memcpy(text, dhcpd, sizeof(text));
		text[len] = (char)(text[len] ^ 0x5f);
		client_lines_parse(
			book, CLIENT_FILE_LEASES, text, sizeof(text) - 1, 1, now, &counts);
	}
	struct client_book_status s;
	client_book_status(book, &s);
	assert_true(s.entries < 200);
}

TEST_WITH(test_files, setup, teardown)
{
	const char *path = file_with(dhcpd);
	assert_int_equal(client_file_read(book, CLIENT_FILE_LEASES, path, 1, now, &counts), 0);
	assert_string_equal(name_of("192.168.0.7"), "laptop");
	assert_int_equal(truncate(path, CLIENT_FILE_BYTES_MAX + 1), 0);
	assert_int_equal(client_file_read(book, CLIENT_FILE_LEASES, path, 1, now, &counts), -EFBIG);
	unlink(path);
	assert_int_equal(
		client_file_read(book, CLIENT_FILE_LEASES, path, 1, now, &counts), -ENOENT);
	assert_int_equal(
		client_file_read(book, CLIENT_FILE_HOSTS, "/dev", 1, now, &counts), -EINVAL);
	assert_int_equal(counts.names, 0);
}
