// SPDX-License-Identifier: BSD-3-Clause

#include "list_rig.h"
#include "tests/unit/unit.h"

#define GOOD       LIST_REJECT_COUNT
#define NO(reason) LIST_REJECT_##reason
#define HEAD       "$TTL 60\n@ SOA localhost. root.localhost. 1 2 3 4 5\n  NS localhost.\n"

static const struct list_row rules[] = {
	{HEAD, "", GOOD},
	{HEAD "example.com CNAME .", "=example.com{nxdomain}", GOOD},
	{HEAD "example.com\tIN\tCNAME\t.", "=example.com{nxdomain}", GOOD},
	{HEAD "example.com 300 IN CNAME . ; why", "=example.com{nxdomain}", GOOD},
	{HEAD "example.com IN 5m CNAME .", "=example.com{nxdomain}", GOOD},
	{HEAD "example.com. CNAME .", "=example.com{nxdomain}", GOOD},
	{HEAD "*.example.com CNAME .", "*.example.com{nxdomain}", GOOD},
	{HEAD "example.com CNAME *.", "=example.com{nodata}", GOOD},
	{HEAD "example.com CNAME rpz-passthru.", "allow:=example.com", GOOD},
	{HEAD "*.example.com CNAME rpz-passthru.", "allow:*.example.com", GOOD},
	{HEAD "example.com CNAME example.com.", "allow:=example.com", GOOD},
	{HEAD "example.com CNAME RPZ-DROP.", "=example.com{drop}", GOOD},
	{HEAD "example.com CNAME rpz-tcp-only.", "", NO(ZONE_ACTION)},
	{HEAD "example.com CNAME garden.example.",
		"=example.com{resolve}{CNAME,60,0667617264656e076578616d706c6500}", GOOD},
	{HEAD "*.example.com CNAME *.garden.example.",
		"*.example.com{resolve}{CNAME,60,012a0667617264656e076578616d706c6500}", GOOD},
	{HEAD "example.com CNAME", "", NO(ZONE_SYNTAX)},
	{HEAD "example.com CNAME . .", "", NO(ZONE_SYNTAX)},
	{HEAD "example.com A 192.0.2.1", "=example.com{A,60,c0000201}", GOOD},
	{HEAD "example.com 1h A 192.0.2.1\n\tAAAA 2001:db8::1",
		"=example.com{A,3600,c0000201} "
		"=example.com{AAAA,60,20010db8000000000000000000000001}",
		GOOD},
	{HEAD "example.com TXT \"a; (b\" \"c\"", "=example.com{TXT,60,05613b2028620163}", GOOD},
	{HEAD "example.com MX 10 m.example.", "=example.com{MX,60,000a016d076578616d706c6500}",
		GOOD},
	{HEAD "example.com A nonsense", "", NO(ZONE_SYNTAX)},
	{HEAD "example.com TYPE65280 \\# 0", "=example.com{nodata}", GOOD},
	{HEAD "example.com NS ns.example.", "=example.com{nodata}", GOOD},
	{HEAD "example.com DS 1 8 2 00", "", NO(ZONE_ACTION)},
	{HEAD "com CNAME .", "", NO(SINGLE_LABEL)},
	{HEAD "*.co.uk CNAME .", "", NO(PUBLIC_SUFFIX)},
	{HEAD "* CNAME .", "", NO(SINGLE_LABEL)},
	{HEAD "*.*.example.com CNAME .", "", NO(CHARACTER)},
	{HEAD "a\\032b.example CNAME .", "", NO(CHARACTER)},
	{HEAD "b\xc3\xbc"
	      "cher.example CNAME .",
		"=xn--bcher-kva.example{nxdomain}", GOOD},
	{HEAD "*.b\xc3\xbc"
	      "cher.example CNAME .",
		"*.xn--bcher-kva.example{nxdomain}", GOOD},
	{HEAD "example.com", "", NO(ZONE_SYNTAX)},
	{HEAD "example.com ANY .", "", NO(ZONE_SYNTAX)},
	{HEAD "a..example CNAME .", "", NO(ZONE_SYNTAX)},
	{HEAD "$INCLUDE /etc/passwd", "", NO(ZONE_SYNTAX)},
	{HEAD "$GENERATE 1-9 a$.example CNAME .", "", NO(ZONE_SYNTAX)},
	{HEAD "example.com TXT \"open", "", NO(ZONE_SYNTAX)},
	{HEAD "example.com CNAME . )", "", NO(ZONE_SYNTAX)},
	{HEAD "32.1.2.0.192.rpz-ip CNAME .", "[192.0.2.1/32]{nxdomain}", GOOD},
	{HEAD "24.0.2.0.192.rpz-ip CNAME rpz-passthru.", "allow:[192.0.2.0/24]", GOOD},
	{HEAD "128.1.zz.db8.2001.rpz-ip CNAME *.", "[2001:db8::1/128]{nodata}", GOOD},
	{HEAD "48.zz.1.db8.2001.rpz-ip CNAME .", "[2001:db8:1::/48]{nxdomain}", GOOD},
	{HEAD "128.8.7.6.5.4.3.2.2001.rpz-ip CNAME .", "[2001:2:3:4:5:6:7:8/128]{nxdomain}", GOOD},
	{HEAD "32.10.2.0.192.rpz-ip CNAME .", "[192.0.2.10/32]{nxdomain}", GOOD},
	{HEAD "128.10.zz.db8.2001.rpz-ip CNAME .", "[2001:db8::10/128]{nxdomain}", GOOD},
	{HEAD "128.10.az.db8.2001.rpz-ip CNAME .", "", NO(PREFIX)},
	{HEAD "zz.1.db8.2001.rpz-ip CNAME .", "", NO(PREFIX)},
	{HEAD "128.1.zz.rpz-ip CNAME .", "[::1/128]{nxdomain}", GOOD},
	{HEAD "8.1.2.0.192.rpz-ip CNAME .", "", NO(PREFIX)},
	{HEAD "33.1.2.0.192.rpz-ip CNAME .", "", NO(PREFIX)},
	{HEAD "32.1.2.0.256.rpz-ip CNAME .", "", NO(PREFIX)},
	{HEAD "128.1.zz.2.zz.2001.rpz-ip CNAME .", "", NO(PREFIX)},
	{HEAD "32.zz.rpz-ip CNAME .", "[::/32]{nxdomain}", GOOD},
	{HEAD "rpz-ip CNAME .", "", NO(PREFIX)},
	{HEAD "32.1.2.0.192.rpz-ip A 192.0.2.2", "[192.0.2.1/32]{nodata}", GOOD},
	{HEAD "32.1.2.0.192.rpz-ip CNAME garden.example.", "[192.0.2.1/32]", GOOD},
	{HEAD "32.1.2.0.192.rpz-client-ip CNAME .", "", NO(ZONE_TRIGGER)},
	{HEAD "32.1.2.0.192.rpz-nsip CNAME .", "", NO(ZONE_TRIGGER)},
	{HEAD "ns.example.rpz-nsdname CNAME .", "", NO(ZONE_TRIGGER)},
};

static const struct list_row names[] = {
	{"$ORIGIN rpz.example.\n@ SOA a. b. 1 2 3 4 5\nevil.test CNAME .", "=evil.test{nxdomain}",
		GOOD},
	{"rpz.example. 60 IN SOA a. b. 1 2 3 4 5\nevil.test CNAME .\n*.evil.test CNAME .",
		"=evil.test{nxdomain} *.evil.test{nxdomain}", GOOD},
	{"$ORIGIN rpz.example.\n@ SOA a. b. 1 2 3 4 5\nevil.test.rpz.example. CNAME .",
		"=evil.test{nxdomain}", GOOD},
	{"$ORIGIN rpz.example.\n@ SOA a. b. 1 2 3 4 5\nevil.test. CNAME .", "", NO(ZONE_OWNER)},
	{"$ORIGIN rpz.example.\n@ SOA a. b. 1 2 3 4 5\n$ORIGIN test\nevil CNAME .",
		"=evil.test{nxdomain}", GOOD},
	{"$ORIGIN rpz.example.\n32.1.2.0.192.rpz-ip CNAME .", "[192.0.2.1/32]{nxdomain}", GOOD},
	// A header is not needed where the line tells by itself.
	{"example.com CNAME .\n*.example.com 60 IN CNAME .\nplain.example",
		"=example.com{nxdomain} *.example.com{nxdomain} plain.example", GOOD},
	{"; comment\nexample.com CNAME rpz-passthru.", "allow:=example.com", GOOD},
	{"example.com CNAME a b", "", NO(WORDS)},
	{"example.com CNAME", "", NO(WORDS)},
	{"example.com A 192.0.2.1", "", NO(WORDS)},
	// Parentheses.
	{"@ SOA a. b. (\n 1 ; serial\n 2\n 3 4 5 )\nevil.test CNAME .", "=evil.test{nxdomain}",
		GOOD},
	{"$TTL 1h\nevil.test TXT ( \"a\"\n ; why (\n \"b\" )", "=evil.test{TXT,3600,01610162}",
		GOOD},
	{"$TTL 1h\nevil.test TXT ( \"a\"\n", "", NO(ZONE_SYNTAX)},
	{"$TTL 2147483648\n", "", NO(ZONE_SYNTAX)},
};

TEST(test_rules)
{
	static const struct list_options block = {0};
	list_rig_check(&block, rules, ARRAY_LEN(rules));
}

TEST(test_names)
{
	static const struct list_options block = {0};
	list_rig_check(&block, names, ARRAY_LEN(names));
}

TEST(test_forced)
{
	static const struct list_options zone = {.format = LIST_FORMAT_RPZ, .force = true};
	static const struct list_row rows[] = {
		{"evil.test CNAME .", "=evil.test{nxdomain}", GOOD},
		{"top CNAME .\n*.top CNAME .", "=top{nxdomain} *.top{nxdomain}", GOOD},
		{"plain.example", "", NO(ZONE_SYNTAX)},
	};
	list_rig_check(&zone, rows, ARRAY_LEN(rows));
}

TEST(test_role_allow)
{
	static const struct list_options allow = {.role = LIST_ROLE_ALLOW};
	static const struct list_row rows[] = {
		{HEAD "example.com CNAME .", "allow:=example.com", GOOD},
		{HEAD "*.example.com CNAME rpz-passthru.", "allow:*.example.com", GOOD},
		{HEAD "example.com A 192.0.2.1", "allow:=example.com", GOOD},
	};
	list_rig_check(&allow, rows, ARRAY_LEN(rows));
}

// A parenthesis that never closes costs the lines of one record at most, and not the list.
TEST(test_open_parenthesis)
{
	static struct list_rig r;
	static const struct list_options block = {0};
	static char text[1 << 16];
	int len = snprintf(text, sizeof(text), "$TTL 60\nevil.test TXT (\n");
	for (unsigned i = 0; i < LIST_RECORD_LINES_MAX; i++)
		len += snprintf(text + len, sizeof(text) - (size_t)len, "\"x\"\n");
	len += snprintf(text + len, sizeof(text) - (size_t)len, "last.test CNAME .\n");
	list_rig_parse(&r, &block, text, (size_t)len, 1000);
	assert_string_equal(r.text, "=last.test{nxdomain} ");
	assert_int_equal(r.counts.rejected[LIST_REJECT_ZONE_SYNTAX], 1);
	memset(text, 'a', 3 * 3000);
	memcpy(text, "$TTL 60\nevil.test TXT (", 23);
	text[3000] = text[6000] = '\n';
	memcpy(text + 6001, "last.test CNAME .\n", 18);
	list_rig_parse(&r, &block, text, 6019, 1000);
	assert_string_equal(r.text, "=last.test{nxdomain} ");
}

// The line of a rule is the first of its record.
TEST(test_line_numbers)
{
	static struct list_rig r = {.number_lines = true};
	static const struct list_options block = {0};
	static const char text[] = "$TTL 60\n@ SOA a. b. (\n1 2 3\n4 5)\n; x\nevil.test A (\n\n"
				   "192.0.2.1)\n\nx.test CNAME .\n";
	list_rig_parse(&r, &block, text, sizeof(text) - 1, 4096);
	assert_string_equal(r.text, "6:=evil.test{A,60,c0000201} 10:=x.test{nxdomain} ");
}

// A backslash takes away what the next byte means, if there is one.
TEST(test_tokens)
{
	static const struct {
		const char *text, *token, *rest;
	} cases[] = {{"a b", "a", "b"}, {"a", "a", ""}, {"", "", ""}, {"\"a b\" c", "\"a b\"", "c"},
		{"\\\"a b", "\\\"a", "b"}, {"\\ a", "\\ a", ""}, {"a\\ b c", "a\\ b", "c"},
		{"a\\", "a\\", ""}, {"\\", "\\", ""}, {"\"a\\\" b\" c", "\"a\\\" b\"", "c"}};
	for (unsigned i = 0; i < ARRAY_LEN(cases); i++) {
		struct list_text rest = {cases[i].text, strlen(cases[i].text)};
		const struct list_text token = list_zone_token(&rest);
		assert_int_equal(token.len, strlen(cases[i].token));
		assert_memory_equal(token.at, cases[i].token, token.len);
		rest = list_text_trim(rest);
		assert_int_equal(rest.len, strlen(cases[i].rest));
		assert_memory_equal(rest.at, cases[i].rest, rest.len);
	}
}

// A dot that is escaped ends no name, and what stands before the name does not count.
TEST(test_an_escaped_dot_at_the_end)
{
	static const struct {
		const char *text, *name; // behind a backslash
	} cases[] = {{"\\a.", "a."}, {"\\a\\.", "a\\..rpz.example."}, {"\\a\\\\.", "a\\\\."},
		{"\\\\.", "\\..rpz.example."}, {"\\\\\\.", "\\\\."}};
	static struct list_zone z;
	struct dns_name name, expected;
	assert_int_equal(dns_name_from_text("rpz.example.", 12, &z.origin), 0);
	for (unsigned i = 0; i < ARRAY_LEN(cases); i++) {
		const struct list_text text = {cases[i].text + 1, strlen(cases[i].text + 1)};
		assert_int_equal(
			dns_name_from_text(cases[i].name, strlen(cases[i].name), &expected), 0);
		assert_true(list_zone_name(&z, text, &name));
		assert_true(dns_name_equal(&name, &expected));
	}
}
