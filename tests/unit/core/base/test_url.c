// SPDX-License-Identifier: BSD-3-Clause
#include "tests/unit/unit.h"

#include <weir/url.h>

static void shown(const char *text, const char *expected)
{
	char out[64];
	assert_string_equal(url_shown(text, out, sizeof(out)), expected);
}

TEST(test_secrets_are_not_shown)
{
	shown("https://lists.example/ads.txt", "https://lists.example/ads.txt");
	shown("http://user:pass@lists.example:8080/a?token=secret#x",
		"http://lists.example:8080/a?...");
	shown("http://us@er:pa@lists.example", "http://lists.example");
	shown("http://[fd53::1]:80/#secret", "http://[fd53::1]:80/");
	shown("nonsense with secret", "?");
	shown("http://pa/ss@lists.example/", "http://pa/ss@lists.example/");
	shown("axfr://user:pass@[fd53::1]:53/rpz.example?secret",
		"axfr://[fd53::1]:53/rpz.example?...");
	shown("axfr+tls://ns.example@[fd53::1]/rpz.example", "axfr+tls://[fd53::1]/rpz.example");
	char out[12];
	assert_string_equal(url_shown("http://lists.example/", out, sizeof(out)), "http://list");
}

TEST(test_what_is_refused)
{
	static const char *const bad[] = {"", "http", "http://", "http:///a", "ftp://a/",
		"HTTP://a/", "file:///a", "http://a b/", "http://a\n/", "http://a:/",
		"http://a:123456/", "http://a:8x/", "http://[fd53::1/", "http://[fd53::1]x/",
		"http://user@/", "http://a\\b/", "http://\xc3\xa4/", "http://a%41/", "axfr://a/z"};
	struct url u;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		if (url_parse(bad[i], &u) != -EINVAL)
			fail_msg("taken: %s", bad[i]);
}

TEST(test_parts)
{
	struct url u;
	assert_int_equal(url_parse("https://u:p@h.example:1/a/b?c", &u), 0);
	assert_true(u.https && u.has_query);
	assert_int_equal(u.userinfo_len, 3);
	assert_int_equal(u.host_len, 9);
	assert_memory_equal(u.host, "h.example", 9);
	assert_int_equal(u.port_len, 1);
	assert_int_equal(u.path_len, 4);
	assert_memory_equal(u.path, "/a/b", 4);
	assert_int_equal(url_parse_list("axfr://h.example/rpz", &u), 0);
	assert_true(u.axfr && !u.https && !u.axfr_tls);
	assert_int_equal(url_parse_list("axfr+tls://ns.example@h.example:853/rpz", &u), 0);
	assert_true(u.axfr && !u.https && u.axfr_tls);
	assert_memory_equal(u.host, "h.example", u.host_len);
	assert_int_equal(u.userinfo_len, 10);
	assert_false(u.ixfr);
	assert_int_equal(url_parse_list("ixfr://h.example/rpz", &u), 0);
	assert_true(u.axfr && u.ixfr && !u.axfr_tls);
	assert_memory_equal(u.path, "/rpz", 5);
	assert_int_equal(url_parse_list("ixfr+tls://h.example/rpz", &u), 0);
	assert_true(u.axfr && u.ixfr && u.axfr_tls);
	assert_memory_equal(u.host, "h.example", u.host_len);
	assert_int_equal(url_parse("ixfr://h.example/rpz", &u), -EINVAL);
	assert_int_equal(url_parse_list("http://h.example/rpz", &u), 0);
	assert_false(u.axfr);
	assert_int_equal(url_parse_list("http+tls://h.example/rpz", &u), -EINVAL);
	assert_int_equal(url_parse_list("axfr:h.example/rpz", &u), -EINVAL);
	assert_int_equal(url_parse_list("ixfr", &u), -EINVAL);
	assert_int_equal(url_parse_list("ixfr+http://h.example/rpz", &u), -EINVAL);
}
