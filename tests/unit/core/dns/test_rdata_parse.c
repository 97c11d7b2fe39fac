// SPDX-License-Identifier: BSD-3-Clause

// Record data from text: against bytes that dnspython 2.3 made of the same text, against libldns
// on random texts, and what is refused.

#include "dns_rand.h"
#include "tests/unit/unit.h"

#include <ldns/ldns.h>

#include <weir/rdata_parse.h>

struct example {
	uint16_t type;
	const char *text, *hex;
};

static const struct example dnspython[] = {
	{DNS_TYPE_A, "192.0.2.1", "c0000201"},
	{DNS_TYPE_AAAA, "2001:db8::1", "20010db8000000000000000000000001"},
	{DNS_TYPE_AAAA, "::ffff:192.0.2.1", "00000000000000000000ffffc0000201"},
	{DNS_TYPE_CNAME, "Host.Example.COM.", "04486f7374074578616d706c6503434f4d00"},
	{DNS_TYPE_CNAME, ".", "00"},
	{DNS_TYPE_CNAME, "a\\.b.\\099d.e\\032f.", "03612e620263640365206600"},
	{DNS_TYPE_PTR, "printer.lan.", "077072696e746572036c616e00"},
	{DNS_TYPE_MX, "10 mail.example.", "000a046d61696c076578616d706c6500"},
	{DNS_TYPE_MX, "0 .", "000000"},
	{DNS_TYPE_SRV, "1 2 5060 sip.example.", "0001000213c403736970076578616d706c6500"},
	{DNS_TYPE_TXT, "\"a b\" c \"\" \"d\\\"e\\\\f\\009g\"", "03612062016300076422655c660967"},
	{DNS_TYPE_TXT, "\"\"", "00"},
	{DNS_TYPE_TXT, "plain", "05706c61696e"},
	{DNS_TYPE_CAA, "0 issue \"letsencrypt.org; accounturi=https://x.example/1\"",
		"000569737375656c657473656e63727970742e6f72673b206163636f756e747572693d68747470733a"
		"2f2f782e6578616d706c652f31"},
	{DNS_TYPE_CAA, "128 iodef mailto:a@b.example",
		"8005696f6465666d61696c746f3a6140622e6578616d706c65"},
	{DNS_TYPE_CAA, "0 issue \"\"", "00056973737565"},
	{DNS_TYPE_HTTPS, "0 svc.example.", "000003737663076578616d706c6500"},
	{DNS_TYPE_HTTPS,
		"1 . alpn=h2,h3 port=8443 ipv4hint=192.0.2.1,192.0.2.2 ipv6hint=2001:db8::1",
		"000100000100060268320268330003000220fb00040008c0000201c00002020006001020010db80000"
		"00000000000000000001"},
	{DNS_TYPE_HTTPS,
		"1 . ipv6hint=2001:db8::1,2001:db8::2 alpn=\"h2\" no-default-alpn "
		"mandatory=ipv6hint,alpn ech=\"aGVsbG8=\"",
		"000100000000040001000600010003026832000200000005000568656c6c6f0006002020010db80000"
		"0000000000000000000120010db8000000000000000000000002"},
	{DNS_TYPE_SVCB,
		"16 foo.example.org. alpn=h2,h3-19 mandatory=ipv4hint,alpn ipv4hint=192.0.2.1",
		"001003666f6f076578616d706c65036f7267000000000400010004000100090268320568332d313900"
		"040004c0000201"},
	{DNS_TYPE_SVCB, "16 foo.example.org. alpn=\"f\\\\\\\\oo\\\\,bar,h2\"",
		"001003666f6f076578616d706c65036f7267000001000c08665c6f6f2c626172026832"},
	{DNS_TYPE_SVCB, "16 foo.example.org. alpn=f\\\\\\092oo\\092,bar,h2",
		"001003666f6f076578616d706c65036f7267000001000c08665c6f6f2c626172026832"},
	{DNS_TYPE_SVCB, "1 foo.example.com. key667=hello",
		"000103666f6f076578616d706c6503636f6d00029b000568656c6c6f"},
	{DNS_TYPE_SVCB, "1 foo.example.com. key667=\"hello\\210qoo\"",
		"000103666f6f076578616d706c6503636f6d00029b000968656c6c6fd2716f6f"},
	{DNS_TYPE_SVCB, "1 foo.example.com. ipv6hint=\"2001:db8::1,2001:db8::53:1\"",
		"000103666f6f076578616d706c6503636f6d000006002020010db80000000000000000000000012001"
		"0db8000000000000000000530001"},
	{DNS_TYPE_SVCB, "1 dns.example. alpn=dot port=853 dohpath=\"/dns-query{?dns}\"",
		"000103646e73076578616d706c65000001000403646f74000300020355000700102f646e732d717565"
		"72797b3f646e737d"},
	{DNS_TYPE_SVCB, "1 . ech=aGVsbG8hIQ==  alpn=h3",
		"000100000100030268330005000768656c6c6f2121"},
	{DNS_TYPE_HTTPS, "1 .", "000100"},
	{DNS_TYPE_SVCB, "3 a. key65400 port=0", "0003016100000300020000ff780000"},
};

struct refused {
	uint16_t type;
	const char *text, *why;
};

static const struct refused refused[] = {
	{DNS_TYPE_A, "", "too short"},
	{DNS_TYPE_A, "192.0.2", "not an address"},
	{DNS_TYPE_A, "192.0.2.1 192.0.2.2", "more than"},
	{DNS_TYPE_A, "2001:db8::1", "not an address"},
	{DNS_TYPE_A, "192.0.2.1;", "to be escaped"},
	{DNS_TYPE_AAAA, "192.0.2.1", "not an address"},
	{DNS_TYPE_AAAA, "2001:db8::1%eth0", "not an address"},
	{DNS_TYPE_AAAA, "0000:0000:0000:0000:0000:0000:0000:0000:0000:0000", "not an address"},
	{DNS_TYPE_CNAME, "a..b", "domain name"},
	{DNS_TYPE_CNAME, "a b", "more than"},
	{DNS_TYPE_CNAME, "a\\256b", "domain name"},
	{DNS_TYPE_MX, "mail.example", "number"},
	{DNS_TYPE_MX, "10", "too short"},
	{DNS_TYPE_MX, "65536 mail.example", "number"},
	{DNS_TYPE_MX, "-1 mail.example", "number"},
	{DNS_TYPE_SRV, "1 2 mail.example", "number"},
	{DNS_TYPE_TXT, "", "too short"},
	{DNS_TYPE_TXT, "\"open", "not closed"},
	{DNS_TYPE_TXT, "\"open\\\"", "not closed"},
	{DNS_TYPE_TXT, "\"a\"b", "behind a quote"},
	{DNS_TYPE_TXT, "\\300", "escape"},
	{DNS_TYPE_TXT, "\\12", "escape"},
	{DNS_TYPE_TXT, "a\\", "escape"},
	{DNS_TYPE_CAA, "256 issue x", "number"},
	{DNS_TYPE_CAA, "0 is-sue x", "letters and digits"},
	{DNS_TYPE_CAA, "0 issue", "too short"},
	{DNS_TYPE_SVCB, "1", "too short"},
	{DNS_TYPE_SVCB, "0 a. port=1", "alias"},
	{DNS_TYPE_SVCB, "1 . port=65536", "number"},
	{DNS_TYPE_SVCB, "1 . port", "leaves out"},
	{DNS_TYPE_SVCB, "1 . port=", "leaves out"},
	{DNS_TYPE_SVCB, "1 . port=1 port=2", "twice"},
	{DNS_TYPE_SVCB, "1 . alpn=a,,b", "identifier"},
	{DNS_TYPE_SVCB, "1 . alpn=a,", "identifier"},
	{DNS_TYPE_SVCB, "1 . no-default-alpn", "without `alpn`"},
	{DNS_TYPE_SVCB, "1 . alpn=a no-default-alpn=x", "a value that has none"},
	{DNS_TYPE_SVCB, "1 . mandatory=port", "calls mandatory"},
	{DNS_TYPE_SVCB, "1 . mandatory=port,port port=1", "mandatory key twice"},
	{DNS_TYPE_SVCB, "1 . mandatory=mandatory", "mandatory key twice"},
	{DNS_TYPE_SVCB, "1 . ipv4hint=", "leaves out"},
	{DNS_TYPE_SVCB, "1 . ipv4hint=192.0.2.1,", "not an address"},
	{DNS_TYPE_SVCB, "1 . ech=a", "base64"},
	{DNS_TYPE_SVCB, "1 . ech=a=bc", "base64"},
	{DNS_TYPE_SVCB, "1 . key3=x", "not known"},
	{DNS_TYPE_SVCB, "1 . key65535=x", "number"},
	{DNS_TYPE_SVCB, "1 . key007=x", "not known"},
	{DNS_TYPE_SVCB, "1 . other=x", "not known"},
	{DNS_TYPE_NS, "ns.example", "not known"},
};

static uint8_t got[RDATA_PARSE_MAX];
static uint16_t got_len;

static int parse(uint16_t type, const char *text, const char **why)
{
	// Exactly as long as it is, so that ASan sees a look behind it.
	size_t len = strlen(text);
	char *exact = malloc(len ? len : 1);
	assert_non_null(exact);
	memcpy(exact, text, len);
	int rc = rdata_parse(type, exact, len, got, &got_len, why);
	free(exact);
	return rc;
}

TEST(test_dnspython)
{
	for (size_t i = 0; i < ARRAY_LEN(dnspython); i++) {
		const struct example *e = &dnspython[i];
		char hex[2 * RDATA_PARSE_MAX + 1] = "";
		const char *why = "";
		if (parse(e->type, e->text, &why) != 0)
			fail_msg("%s: %s", e->text, why);
		for (size_t k = 0; k < got_len; k++)
			sprintf(hex + 2 * k, "%02x", got[k]);
		if (strcmp(hex, e->hex) != 0)
			fail_msg("%s: %s, not %s", e->text, hex, e->hex);
	}
}

TEST(test_refused)
{
	for (size_t i = 0; i < ARRAY_LEN(refused); i++) {
		const struct refused *e = &refused[i];
		const char *why = "";
		if (parse(e->type, e->text, &why) != -EINVAL)
			fail_msg("taken: %s", e->text);
		if (!strstr(why, e->why))
			fail_msg("%s: %s", e->text, why);
	}
}

TEST(test_types)
{
	uint16_t type;
	assert_true(rdata_parse_type("https", &type));
	assert_int_equal(type, DNS_TYPE_HTTPS);
	assert_string_equal(rdata_parse_type_text(DNS_TYPE_HTTPS), "HTTPS");
	assert_false(rdata_parse_type("NS", &type));
	assert_false(rdata_parse_type("", &type));
	assert_string_equal(rdata_parse_type_text(DNS_TYPE_NS), "");
}

// Where we go further than the format: a text without quotes, and strings over 255 bytes.
TEST(test_txt_long_and_bare)
{
	char text[700];
	const char *why;
	assert_int_equal(parse(DNS_TYPE_TXT, "  v=spf1 a:b -all;  ", &why), 0);
	assert_int_equal(got_len, 17);
	assert_memory_equal(got, "\x10v=spf1 a:b -all;", 17);
	memset(text, 'x', 600);
	text[600] = '\0';
	assert_int_equal(parse(DNS_TYPE_TXT, text, &why), 0);
	assert_int_equal(got_len, 603);
	assert_int_equal(got[0], 255);
	assert_int_equal(got[256], 255);
	assert_int_equal(got[512], 90);
	text[0] = text[256] = '"'; // 255 exactly
	text[257] = '\0';
	assert_int_equal(parse(DNS_TYPE_TXT, text, &why), 0);
	assert_int_equal(got_len, 256);
}

TEST(test_caa_tag)
{
	char text[320] = "0 ";
	const char *why = "";
	memset(text + 2, 'a', 255);
	strcpy(text + 257, " x");
	assert_int_equal(parse(DNS_TYPE_CAA, text, &why), 0);
	assert_int_equal(got_len, 258);
	assert_int_equal(got[1], 255);
	memset(text + 2, 'a', 256);
	strcpy(text + 258, " x");
	assert_int_equal(parse(DNS_TYPE_CAA, text, &why), -EINVAL);
	assert_non_null(strstr(why, "has a tag that is too long"));
}

TEST(test_caa_tag_letters)
{
	static const char good[] = "azAZ09mM5", bad[] = "`{@[/:.-_";
	for (const char *p = good; *p; p++) {
		char text[] = "0 ? x";
		const char *why = "";
		text[2] = *p;
		if (parse(DNS_TYPE_CAA, text, &why) != 0)
			fail_msg("%s: %s", text, why);
	}
	for (const char *p = bad; *p; p++) {
		char text[] = "0 ? x";
		const char *why = "";
		text[2] = *p;
		if (parse(DNS_TYPE_CAA, text, &why) != -EINVAL)
			fail_msg("taken: %s", text);
	}
}

// Three digits up to 255, or one character that is no digit.
TEST(test_escapes)
{
	static const char *const bad[] = {
		"\\", "\\1", "\\12", "\\1a2", "\\12a", "\\1ab", "\\256", "\\300", "\\999"};
	const char *why = "";
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		why = "";
		if (parse(DNS_TYPE_TXT, bad[i], &why) != -EINVAL)
			fail_msg("taken: %s", bad[i]);
	}
	assert_int_equal(parse(DNS_TYPE_TXT, "\\255\\000\\a\\199", &why), 0);
	assert_int_equal(got_len, 5);
	assert_memory_equal(got,
		"\x04\xff\x00"
		"a\xc7",
		5);
}

TEST(test_bounded)
{
	static char text[3 * RDATA_PARSE_MAX];
	const char *why = "";
	memset(text, 'x', sizeof(text) - 1);
	assert_int_equal(parse(DNS_TYPE_TXT, text, &why), -EINVAL);
	assert_string_equal(why, "is too long");
	char *p = stpcpy(text, "1 . ");
	for (unsigned i = 0; i < RDATA_PARSE_PARAMS_MAX; i++)
		p += sprintf(p, "key%u ", 1000 - i);
	assert_int_equal(parse(DNS_TYPE_SVCB, text, &why), 0);
	assert_int_equal(got_len, 3 + 4 * RDATA_PARSE_PARAMS_MAX);
	assert_int_equal(get_u16(got + 3), 1001 - RDATA_PARSE_PARAMS_MAX);
	sprintf(p, "key2000");
	assert_int_equal(parse(DNS_TYPE_SVCB, text, &why), -EINVAL);
	assert_string_equal(why, "has too many parameters");
	p = stpcpy(text, "1 . key9=");
	memset(p, 'x', RDATA_PARSE_MAX + 1);
	p[RDATA_PARSE_MAX + 1] = '\0';
	assert_int_equal(parse(DNS_TYPE_SVCB, text, &why), -EINVAL);
}

// Without \064, which ldns takes for the origin.
static char *name_make(struct dns_rand *r, char *p)
{
	for (unsigned n = 1 + dns_rand_below(r, 4); n > 0; n--) {
		for (unsigned i = 1 + dns_rand_below(r, 12); i > 0; i--) {
			uint32_t kind = dns_rand_below(r, 12);
			if (kind == 0)
				p += sprintf(p, "\\%03u", 65 + dns_rand_below(r, 191));
			else if (kind == 1)
				p += sprintf(p, "\\%c", ".\\A-"[dns_rand_below(r, 4)]);
			else
				*p++ = "abcXYZ019-_"[dns_rand_below(r, 11)];
		}
		*p++ = '.';
	}
	*p = '\0';
	return p;
}

static char *string_make(struct dns_rand *r, char *p)
{
	*p++ = '"';
	for (unsigned i = dns_rand_below(r, 60); i > 0; i--) {
		uint32_t kind = dns_rand_below(r, 10);
		if (kind == 0)
			p += sprintf(p, "\\%03u", dns_rand_below(r, 256));
		else if (kind == 1)
			p += sprintf(p, "\\%c", "\"\\ x"[dns_rand_below(r, 4)]);
		else
			*p++ = "abc XYZ;=,()."[dns_rand_below(r, 13)];
	}
	*p++ = '"';
	*p = '\0';
	return p;
}

static uint16_t text_make(struct dns_rand *r, char *p)
{
	switch (dns_rand_below(r, 5)) {
	case 0:
		name_make(r, p);
		return DNS_TYPE_CNAME;
	case 1:
		name_make(r, p + sprintf(p, "%u ", dns_rand_below(r, 65536)));
		return DNS_TYPE_MX;
	case 2:
		name_make(r, p
				     + sprintf(p, "%u\t %u %u ", dns_rand_below(r, 65536),
					     dns_rand_below(r, 100), dns_rand_below(r, 65536)));
		return DNS_TYPE_SRV;
	case 3:
		for (unsigned n = 1 + dns_rand_below(r, 4); n > 0; n--) {
			p = string_make(r, p);
			*p++ = ' ';
		}
		*p = '\0';
		return DNS_TYPE_TXT;
	default:
		string_make(r, p + sprintf(p, "%u issue ", dns_rand_below(r, 256)));
		return DNS_TYPE_CAA;
	}
}

TEST(test_random_against_ldns)
{
	struct dns_rand rnd = {21};
	char text[2048], line[2200];

	for (unsigned i = 0; i < 20000; i++) {
		uint16_t type = text_make(&rnd, text);
		const char *why = "";
		ldns_rr *rr = NULL;
		ldns_buffer *wire = ldns_buffer_new(4096);
		if (parse(type, text, &why) != 0)
			fail_msg("%s: %s", text, why);
		snprintf(line, sizeof(line), "x. 60 IN %s %s", rdata_parse_type_text(type), text);
		if (ldns_rr_new_frm_str(&rr, line, 60, NULL, NULL) != LDNS_STATUS_OK)
			fail_msg("ldns does not take: %s", line);
		assert_int_equal(ldns_rr_rdata2buffer_wire(wire, rr), LDNS_STATUS_OK);
		if (ldns_buffer_position(wire) != got_len
			|| memcmp(ldns_buffer_begin(wire), got, got_len) != 0)
			fail_msg("ldns has other bytes: %s", line);
		ldns_buffer_free(wire);
		ldns_rr_free(rr);
	}
}

// Whatever the text, nothing but a reason or data comes of it.
TEST(test_random_damage)
{
	struct dns_rand rnd = {22};
	char text[2600];

	for (unsigned i = 0; i < 40000; i++) {
		const char *why = NULL;
		uint16_t type = DNS_TYPE_SVCB;
		if (dns_rand_below(&rnd, 2) == 0)
			type = text_make(&rnd, text);
		else
			strcpy(text, dnspython[dns_rand_below(&rnd, ARRAY_LEN(dnspython))].text);
		size_t len = dns_rand_mutate(&rnd, (uint8_t *)text, strlen(text), 2500);
		char *exact = malloc(len ? len : 1);
		assert_non_null(exact);
		memcpy(exact, text, len);
		int rc = rdata_parse(type, exact, len, got, &got_len, &why);
		free(exact);
		assert_true(rc == 0 ? got_len <= RDATA_PARSE_MAX : why != NULL);
	}
}
