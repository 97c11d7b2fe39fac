// SPDX-License-Identifier: BSD-3-Clause

#include "tests/unit/unit.h"

#include <weir/attr.h>

TEST(test_taken)
{
	static const struct {
		const char *text, *name;
		int ret;
	} good[] = {
		{"ads.example", "ads.example", 0},
		{"Ads.Example", "ads.example", 0},
		{"ads.example.", "ads.example", 0},
		{".", ".", 0},
		{"_dmarc.ads.example", "_dmarc.ads.example", 0},
		{"*.ads.example", "*.ads.example", 0},
		{"a\\032b\\,c.example", "a\\032b,c.example", 0},
		{"1.0/25.2.0.192.in-addr.arpa", "1.0/25.2.0.192.in-addr.arpa", 0},
		{"1.0/25.2.0.192.IN-ADDR.arpa.", "1.0/25.2.0.192.in-addr.arpa", 0},
		{"a/b.example", "a/b.example", 0},
		{"a?b.example", "a?b.example", 0},
		{"http://a/b.example", "a", 1},
		{"a.b/c.example", "a.b", 1},
		{" ads.example\n", "ads.example", 1},
		{"ads.example,", "ads.example", 1},
		{"ads.example;, ", "ads.example", 1},
		{"ads.example:443", "ads.example", 1},
		{"ads.example/banner.js?a=b", "ads.example", 1},
		{"https://Ads.Example/", "ads.example", 1},
		{"https://ads.example", "ads.example", 1},
		{"http://user:pw@ads.example:8080/p@th?x=y:1#z", "ads.example", 1},
		{"ftp://1.2.0.192.in-addr.arpa/x.arpa", "1.2.0.192.in-addr.arpa", 1},
	};
	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		struct dns_name name;
		const char *why;
		char text[DNS_NAME_TEXT_MAX];
		int ret = name_paste(good[i].text, &name, &why);
		if (ret != good[i].ret)
			fail_msg("%d for \"%s\"", ret, good[i].text);
		assert_null(why);
		assert_string_equal(dns_name_to_text(&name, text), good[i].name);
	}
}

TEST(test_refused)
{
	static const struct {
		const char *text, *why;
	} bad[] = {
		{"", "is not a domain name"},
		{" , ", "is not a domain name"},
		{"https://", "is not a domain name"},
		{"https:///path", "is not a domain name"},
		{"a..example", "is not a domain name"},
		{"a.example,b.example", "is more than one name"},
		{"a.example b.example", "is more than one name"},
		{"a.example;b.example", "is more than one name"},
		{"a\tb", "is more than one name"},
		{"somebody@mail.example", "is not a domain name"},
		{"\"a.example\"", "is not a domain name"},
		{"fd53::1", "is not a domain name"},
		{":443", "is not a domain name"},
		{"a.example:", "is not a domain name"},
		{"a\x01.example", "is not a domain name"},
		{"a\x7f.example", "is not a domain name"},
		{"b\xc3\xbc"
		 "cher.example",
			"is not ASCII: write it with xn--"},
		{"a\\", "is not a domain name"},
	};
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct dns_name name;
		const char *why;
		int ret = name_paste(bad[i].text, &name, &why);
		if (ret != -EINVAL)
			fail_msg("%d for \"%s\"", ret, bad[i].text);
		assert_string_equal(why, bad[i].why);
	}
}
