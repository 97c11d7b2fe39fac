// SPDX-License-Identifier: BSD-3-Clause

#include "tests/unit/unit.h"

#include <weir/config.h>

TEST(test_ip_good)
{
	static const struct {
		const char *text;
		unsigned version, prefix_len;
		const char *plain, *with_prefix;
	} good[] = {
		{"198.18.0.53/24", 4, 24, "198.18.0.53", "198.18.0.53/24"},
		{"198.18.0.53", 4, 32, "198.18.0.53", "198.18.0.53/32"},
		{"0.0.0.0/0", 4, 0, "0.0.0.0", "0.0.0.0/0"},
		{"fd53::53", 6, 128, "fd53::53", "fd53::53/128"},
		{"FD53:0:0:0:0:0:0:53/64", 6, 64, "fd53::53", "fd53::53/64"},
		{"::ffff:198.18.0.1", 6, 128, "::ffff:198.18.0.1", "::ffff:198.18.0.1/128"},
	};
	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		char text[SOCKET_ADDRESS_TEXT_MAX];
		struct ip_address a = address_of_text(good[i].text);
		assert_int_equal(a.version, good[i].version);
		assert_int_equal(a.prefix_len, good[i].prefix_len);
		assert_string_equal(ip_address_text(&a, false, text), good[i].plain);
		assert_string_equal(ip_address_text(&a, true, text), good[i].with_prefix);
	}
}

TEST(test_ip_bad)
{
	static const char *const bad[] = {"", "/24", "198.18.0", "198.18.0.256", "198.18.0.1/33",
		"198.18.0.1/", "198.18.0.1/ 1", "198.18.0.1/+1", "198.18.0.1/024", "fd53::1/129",
		"fd53:::1", "fd53::1%lo", "[fd53::1]", "a.example", "198.18.0.1 ", " 198.18.0.1",
		"0x7f.1", "fd53::1/64/64", "198.18.0.1/4294967304",
		"0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000"};
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct ip_address a = {.version = 77};
		assert_int_equal(ip_address_parse(bad[i], &a), -EINVAL);
		assert_int_equal(a.version, 77);
	}
}

TEST(test_socket_good)
{
	static const struct {
		const char *text, *back;
	} good[] = {
		{"1.1.1.1", "1.1.1.1:53"},
		{"1.1.1.1:5301", "1.1.1.1:5301"},
		{"fd53::1", "[fd53::1]:53"},
		{"[fd53::1]", "[fd53::1]:53"},
		{"[fd53::1]:65535", "[fd53::1]:65535"},
	};
	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		struct socket_address a;
		char text[SOCKET_ADDRESS_TEXT_MAX];
		assert_int_equal(socket_address_parse(good[i].text, 53, &a), 0);
		assert_string_equal(socket_address_text(&a, text), good[i].back);
	}
}

TEST(test_socket_bad)
{
	static const char *const bad[] = {"", "1.1.1.1:", "1.1.1.1:0", "1.1.1.1:65536",
		"1.1.1.1:-1", "1.1.1.1:053", "1.1.1.1:53 ", "[fd53::1", "[fd53::1]53",
		"[fd53::1]:", "[1.1.1.1]:53", "[]:53", ":53", "dns.example:53", "1.1.1.1/32"};
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct socket_address a = {.port = 7};
		assert_int_equal(socket_address_parse(bad[i], 53, &a), -EINVAL);
		assert_int_equal(a.port, 7);
	}
}

TEST(test_sockaddr)
{
	struct socket_address a;
	struct sockaddr_storage ss;
	socklen_t len;
	assert_int_equal(socket_address_parse("198.18.0.1:5301", 53, &a), 0);
	assert_true(socket_address_to_sockaddr(&a, &ss, &len));
	const struct sockaddr_in *in = (const struct sockaddr_in *)(const void *)&ss;
	assert_int_equal(len, sizeof(*in));
	assert_int_equal(in->sin_family, AF_INET);
	assert_int_equal(ntohs(in->sin_port), 5301);
	assert_int_equal(ntohl(in->sin_addr.s_addr), 0xc6120001);

	assert_int_equal(socket_address_parse("[fd53::1]:54", 53, &a), 0);
	assert_true(socket_address_to_sockaddr(&a, &ss, &len));
	const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)(const void *)&ss;
	assert_int_equal(len, sizeof(*in6));
	assert_int_equal(in6->sin6_family, AF_INET6);
	assert_int_equal(ntohs(in6->sin6_port), 54);
	assert_int_equal(in6->sin6_addr.s6_addr[15], 1);

	a.ip.version = 0;
	assert_false(socket_address_to_sockaddr(&a, &ss, &len));
}
