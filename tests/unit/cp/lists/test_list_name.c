// SPDX-License-Identifier: BSD-3-Clause

// Names as lists write them, each check at its bound.
#include "controlplane/lists/list_name.h"
#include "tests/unit/cp/rule_image/rule_fixture.h"

#include <weir/rule_image.h>

static struct list_text text_of(const char *text)
{
	return (struct list_text){text, strlen(text)};
}

static enum list_reject read_name(const char *text)
{
	struct dns_name name;
	return list_name_read(text_of(text), true, &name);
}

static bool is_host(const char *text)
{
	const struct dns_name name = fixture_name(text);
	return list_name_is_host(&name);
}

TEST(test_hosts)
{
	assert_true(is_host("a"));
	assert_true(is_host("a-b_c.0.example"));
	assert_false(is_host("."));
	assert_false(is_host("*.example"));
	assert_false(is_host("a.example*"));
}

TEST(test_bytes)
{
	assert_int_equal(read_name("a.example"), LIST_REJECT_COUNT);
	assert_int_equal(read_name("a\x7f.example"), LIST_REJECT_CHARACTER);
	assert_int_equal(read_name("a\x80.example"), LIST_REJECT_NON_ASCII); // no UTF-8
	assert_int_equal(read_name("\xc3\xa4.example"), LIST_REJECT_COUNT);
	assert_int_equal(read_name("a b.example"), LIST_REJECT_CHARACTER);
	assert_int_equal(read_name("a..example"), LIST_REJECT_EMPTY_LABEL);
	assert_int_equal(read_name(".a.example"), LIST_REJECT_EMPTY_LABEL);
}

TEST(test_lengths)
{
	char text[400];
	for (unsigned label = 62; label <= 65; label++) {
		memset(text, 'a', label);
		strcpy(text + label, ".example");
		assert_int_equal(read_name(text),
			label <= DNS_LABEL_MAX ? LIST_REJECT_COUNT : LIST_REJECT_TOO_LONG);
		strcpy(text, "example.");
		memset(text + 8, 'a', label);
		text[8 + label] = 0;
		assert_int_equal(read_name(text),
			label <= DNS_LABEL_MAX ? LIST_REJECT_COUNT : LIST_REJECT_TOO_LONG);
	}
	for (unsigned wire = DNS_NAME_MAX - 2; wire <= DNS_NAME_MAX + 2; wire++) {
		const unsigned bytes = wire - 2; // of the text
		for (unsigned i = 0; i < bytes; i++)
			text[i] = i % 60 == 59 && i != bytes - 1 ? '.' : 'a';
		text[bytes] = 0;
		enum list_reject wanted =
			wire <= DNS_NAME_MAX ? LIST_REJECT_COUNT : LIST_REJECT_TOO_LONG;
		assert_int_equal(read_name(text), wanted);
		strcpy(text + bytes, ".");
		assert_int_equal(read_name(text), wanted);
	}
}

TEST(test_labels)
{
	char text[4 * RULE_LABELS_MAX] = "";
	for (unsigned labels = 1; labels <= RULE_LABELS_MAX + 1; labels++) {
		strcat(text, labels > 1 ? ".a" : "a");
		assert_int_equal(read_name(text),
			labels <= RULE_LABELS_MAX ? LIST_REJECT_COUNT : LIST_REJECT_TOO_LONG);
	}
}

static bool is_special(const char *text)
{
	const struct dns_name name = fixture_name(text);
	return list_name_is_special(&name);
}

TEST(test_special)
{
	static const char *const special[] = {"localhost", "local", "ip6-allhosts", "in-addr.arpa",
		"ip6.arpa", "home.arpa", "localhost.localdomain", "localhost4.localdomain4"};
	static const char *const not [] = {".", "arpa", "example", "a.arpa", "home.example",
		"localhost.example", "x.localdomain", "localhost4.localdomain6", "a.home.arpa",
		"localhost.localdomai"};
	for (unsigned i = 0; i < ARRAY_LEN(special); i++)
		assert_true(is_special(special[i]));
	for (unsigned i = 0; i < ARRAY_LEN(not ); i++)
		assert_false(is_special(not [i]));
}

static enum list_reject answer_policy(const char *text, bool force)
{
	const struct dns_name name = fixture_name(text);
	return list_name_check(&name, force);
}

TEST(test_last_labels)
{
	assert_int_equal(answer_policy("a.123", true), LIST_REJECT_ADDRESS);
	assert_int_equal(answer_policy("a.0", true), LIST_REJECT_ADDRESS);
	assert_int_equal(answer_policy("a.12a", true), LIST_REJECT_COUNT);
	assert_int_equal(answer_policy("a.a12", true), LIST_REJECT_COUNT);
	assert_int_equal(answer_policy("a.1:", true), LIST_REJECT_COUNT);
	assert_int_equal(answer_policy("a.1/", true), LIST_REJECT_COUNT);
}

static bool prefix(const char *text)
{
	struct ip_address a;
	return list_prefix_read(text_of(text), &a);
}

TEST(test_prefixes)
{
	assert_true(prefix("192.0.2.1"));
	assert_true(prefix("192.0.2.1/32"));
	assert_false(prefix("192.0.2.1/33"));
	assert_true(prefix("128.0.0.0/1"));
	assert_false(prefix("0.0.0.0/0"));
	assert_true(prefix("192.0.2.0/24"));
	assert_false(prefix("192.0.2.0/22"));
	assert_true(prefix("2001:db8::/32"));
	assert_true(prefix("2001:db8::1/128"));
	assert_false(prefix("2001:db8::1/129"));
	assert_false(prefix("2001:db8::1/127"));
	assert_false(prefix("::/0"));
	assert_false(prefix("example"));
}
