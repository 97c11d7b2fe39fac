// SPDX-License-Identifier: BSD-3-Clause

#include "controlplane/lists/list_name.h"
#include "controlplane/lists/list_parse.h"
#include "controlplane/lists/zone_suffix.h"
#include "list_rig.h"
#include "tests/unit/unit.h"

#define GOOD       LIST_REJECT_COUNT
#define NO(reason) LIST_REJECT_##reason

static const struct list_options block = {0}, allow = {.role = LIST_ROLE_ALLOW};

static const struct list_row domains[] = {
	{"example.com", "example.com", GOOD},
	{"  Example.COM.  \r", "example.com", GOOD},
	{"*.example.com", "example.com", GOOD},
	{"_dmarc.-x_y-.example.com", "_dmarc.-x_y-.example.com", GOOD},
	{"xn--bcher-kva.example", "xn--bcher-kva.example", GOOD},
	{"b\xc3\xbc"
	 "cher.example",
		"xn--bcher-kva.example", GOOD},
	{"*.B\xc3\x9c"
	 "CHER.example.",
		"xn--bcher-kva.example", GOOD},
	{"\xe4\xbe\x8b\xe3\x80\x82\xe4\xbe\x8b", "xn--fsq.xn--fsq", GOOD},
	{"fa\xc3\x9f.example", "xn--fa-hia.example", GOOD}, // IDNA2008: not fass
	{"b\xc3.example", "", NO(NON_ASCII)},
	{"\xff\xfe.example", "", NO(NON_ASCII)},
	{"\xe2\x98\xba\xe2\x80\x8b.exa mple", "", NO(WORDS)},
	{"example.com # why", "example.com", GOOD},
	{"# comment", "", GOOD},
	{"! comment", "", GOOD},
	{"; comment", "", GOOD},
	{"", "", GOOD},
	{" \t\r", "", GOOD},
	{"com", "", NO(SINGLE_LABEL)},
	{"*.com", "", NO(SINGLE_LABEL)},
	{"com.", "", NO(SINGLE_LABEL)},
	{"co.uk", "", NO(PUBLIC_SUFFIX)},
	{"*.co.uk.", "", NO(PUBLIC_SUFFIX)},
	{"GitHub.io", "", NO(PUBLIC_SUFFIX)},
	{"foo.ck", "", NO(PUBLIC_SUFFIX)}, // *.ck
	{"www.ck", "www.ck", GOOD},        // !www.ck
	{"x.co.uk", "x.co.uk", GOOD},
	{"xn--55qx5d.cn", "", NO(PUBLIC_SUFFIX)},
	{"\xe5\x85\xac\xe5\x8f\xb8.cn", "", NO(PUBLIC_SUFFIX)},
	{"localhost", "", NO(SPECIAL)},
	{"LocalHost.LocalDomain", "", NO(SPECIAL)},
	{"local", "", NO(SPECIAL)},
	{"in-addr.arpa", "", NO(SPECIAL)},
	{"home.arpa", "", NO(SPECIAL)},
	{"x.home.arpa", "x.home.arpa", GOOD},
	{"1.2.3", "", NO(ADDRESS)},
	{"ads.1.2.3.4", "", NO(ADDRESS)},
	{"a..example", "", NO(EMPTY_LABEL)},
	{".example.com", "*.example.com", GOOD},
	{"example.com..", "", NO(EMPTY_LABEL)},
	{".", "", NO(EMPTY_LABEL)},
	{"*.", "", NO(EMPTY_LABEL)},
	{"a.*.example", "", NO(CHARACTER)},
	{"*", "", NO(CHARACTER)},
	{"a\\.b.example", "", NO(CHARACTER)},
	{"example.com:8080", "", NO(CHARACTER)},
	{"example.com#x", "", NO(FILTER)},
	{"https://example.com/x", "", NO(URL)},
	{"example.com/path", "", NO(URL)},
	{"192.0.2.0/24", "[192.0.2.0/24]", GOOD},
	{"192.0.2.1/24", "", NO(URL)},
	{"10.0.0.0/8", "", NO(URL)},
	{"<p>Not found, see example.com</p>", "", NO(PAGE)},
	{"\n \n<!doctype html>", "", NO(PAGE)},
	{"example.com other.example", "", NO(WORDS)},
};

static const struct list_row hosts[] = {
	{"0.0.0.0 a.example b.example\tc.example", "a.example b.example c.example", GOOD},
	{"127.0.0.1 a.example#why", "a.example", GOOD},
	{"127.0.1.1 a.example", "a.example", GOOD},
	{":: a.example", "a.example", GOOD},
	{"::1 a.example # see b.example", "a.example", GOOD},
	{"0 a.example", "a.example", GOOD},
	{"0.0.0.0 localhost a.example", "a.example", NO(SPECIAL)},
	{"0.0.0.0 *.a.example.", "a.example", GOOD},
	{"0.0.0.0 com", "", NO(SINGLE_LABEL)},
	{"0.0.0.0 0.0.0.0", "", NO(ADDRESS)},
	{"0.0.0.0 ::1", "", NO(ADDRESS)},
	{"255.255.255.255 broadcasthost", "", NO(SPECIAL)},
	{"ff02::1 ip6-allnodes", "", NO(SPECIAL)},
	{"fe80::1%lo0 localhost", "", NO(SPECIAL)},
	{"192.0.2.1 a.example", "", NO(HOSTS_ADDRESS)},
	{"fe80::1%lo0 a.example", "", NO(HOSTS_ADDRESS)},
	{"192.0.2.1", "[192.0.2.1/32]", GOOD},
	{"2001:db8::1 # x", "[2001:db8::1/128]", GOOD},
	{"192.0.2.1#x", "", NO(FILTER)},
	{"0.0.0.0", "", NO(NO_NAME)},
	{"127.0.0.1", "", NO(NO_NAME)},
	{"192.168.1.1", "", NO(NO_NAME)},
	{"::1 # x", "", NO(NO_NAME)},
	{"fe80::1", "", NO(NO_NAME)},
	{"0.0.0.0 example.com##.ad # see other.example", "", NO(COSMETIC)},
};

static const struct list_row dnsmasq[] = {
	{"address=/a.example/", "a.example{nxdomain}", GOOD},
	{"address=/a.example/#", "a.example{null}", GOOD},
	{"address=/a.example/0.0.0.0", "a.example", GOOD},
	{"address=/a.example/::", "a.example", GOOD},
	{"address=/a.example/127.0.0.1 # why", "a.example", GOOD},
	{"address=/a.example/192.0.2.1", "a.example{A,300,c0000201}", GOOD},
	{"address=/a.example/2001:db8::1", "a.example{AAAA,300,20010db8000000000000000000000001}",
		GOOD},
	{"address=/a.example/b.example/c.example/",
		"a.example{nxdomain} b.example{nxdomain} "
		"c.example{nxdomain}",
		GOOD},
	{"address=/a.example/com/0.0.0.0", "a.example", NO(SINGLE_LABEL)},
	{"server=/a.example/", "a.example{nxdomain}", GOOD},
	{"local=/a.example/b.example/", "a.example{nxdomain} b.example{nxdomain}", GOOD},
	{"server=/a.example/192.0.2.1", "", NO(DNSMASQ)},
	{"server=/a.example/#", "", NO(DNSMASQ)},
	{"server=192.0.2.1", "", NO(DNSMASQ)},
	{"address=/.a.example/.b.example/#", "a.example{null} b.example{null}", GOOD},
	{"server=/.a.example/", "a.example{nxdomain}", GOOD},
	{"address=/..a.example/0.0.0.0", "", NO(EMPTY_LABEL)},
	{"address=/./0.0.0.0", "", NO(EMPTY_LABEL)},
	{"address=/#/0.0.0.0", "", NO(CHARACTER)},
	{"address=//", "", NO(EMPTY_LABEL)},
	{"address=/", "", NO(DNSMASQ)},
	{"address=", "", NO(DNSMASQ)},
	{"address=a.example", "", NO(DNSMASQ)},
	{"address=/a.example", "", NO(DNSMASQ)},
	{"address=/a.example/nonsense", "", NO(DNSMASQ)},
	{"address=/a.example/192.0.2.0/24", "", NO(DNSMASQ)},
	{"ipset=/a.example/set", "", NO(DNSMASQ)},
	{"bogus-nxdomain=192.0.2.1", "", NO(DNSMASQ)},
	{"conf-file=/etc/x", "", NO(DNSMASQ)},
};

static const struct list_row addresses[] = {
	{"192.0.2.1", "[192.0.2.1/32]", GOOD},
	{"192.0.2.0/24 ; SBL1", "[192.0.2.0/24]", GOOD},
	{"2001:db8::/32 # why", "[2001:db8::/32]", GOOD},
	{"::1", "[::1/128]", GOOD},
	{"# comment", "", GOOD},
	{"192.0.2.1/24", "", NO(PREFIX)},
	{"0.0.0.0/0", "", NO(PREFIX)},
	{"192.0.2.0/33", "", NO(PREFIX)},
	{"192.0.2.0/", "", NO(PREFIX)},
	{"192.0.2.0/x", "", NO(PREFIX)},
	{"192.0.2.1-192.0.2.9", "", NO(PREFIX)},
	{"example.com", "", NO(PREFIX)},
};

TEST(test_lines)
{
	list_rig_check(&block, domains, ARRAY_LEN(domains));
	list_rig_check(&block, hosts, ARRAY_LEN(hosts));
	list_rig_check(&block, dnsmasq, ARRAY_LEN(dnsmasq));
}

TEST(test_addresses)
{
	const struct list_options options = {.format = LIST_FORMAT_ADDRESSES};
	list_rig_check(&options, addresses, ARRAY_LEN(addresses));
	const struct list_options of_names = {.format = LIST_FORMAT_DOMAINS},
				  of_hosts = {.format = LIST_FORMAT_HOSTS};
	static const struct list_row alone[] = {{"192.0.2.1", "[192.0.2.1/32]", GOOD}},
				     none[] = {{"192.0.2.1", "", NO(NO_NAME)}};
	list_rig_check(&of_names, alone, 1);
	list_rig_check(&of_hosts, none, 1);
}

TEST(test_role_allow)
{
	static const struct list_row rows[] = {
		{"example.com", "allow:example.com", GOOD},
		{"*.example.com", "allow:example.com", GOOD},
		{"0.0.0.0 a.example b.example", "allow:a.example allow:b.example", GOOD},
		{"192.0.2.1 a.example", "allow:a.example", GOOD},
		{"address=/a.example/192.0.2.1", "allow:a.example", GOOD},
		{"server=/a.example/", "allow:a.example", GOOD},
		{"192.0.2.1", "allow:[192.0.2.1/32]", GOOD},
		{"co.uk", "", NO(PUBLIC_SUFFIX)},
	};
	list_rig_check(&allow, rows, ARRAY_LEN(rows));
}

TEST(test_force)
{
	const struct list_options options = {.force = true};
	static const struct list_row rows[] = {
		{"com", "com", GOOD},
		{"*.top", "top", GOOD},
		{"co.uk", "co.uk", GOOD},
		{"||zip^", "zip", GOOD},
		{"localhost", "", NO(SPECIAL)},
		{"1", "", NO(ADDRESS)},
	};
	list_rig_check(&options, rows, ARRAY_LEN(rows));
}

// As Pi-hole reads its lists: what says `below` itself still covers what is below.
TEST(test_exact)
{
	const struct list_options options = {.exact = true};
	static const struct list_row rows[] = {
		{"a.example", "=a.example", GOOD},
		{"0.0.0.0 a.example b.example", "=a.example =b.example", GOOD},
		{"*.a.example", "a.example", GOOD},
		{"||a.example^", "a.example", GOOD},
		{"local=/a.example/", "a.example{nxdomain}", GOOD},
	};
	list_rig_check(&options, rows, ARRAY_LEN(rows));
}

// A format that is configured takes its own lines and comments only.
TEST(test_formats)
{
	static const struct {
		enum list_format format;
		const char *line, *rules;
	} samples[] = {{LIST_FORMAT_HOSTS, "0.0.0.0 h.example", "h.example "},
		{LIST_FORMAT_DOMAINS, "d.example", "d.example "},
		{LIST_FORMAT_DOMAINS, "*.w.example", "w.example "},
		{LIST_FORMAT_ADBLOCK, "||a.example^", "a.example "},
		{LIST_FORMAT_DNSMASQ, "local=/m.example/", "m.example{nxdomain} "},
		{LIST_FORMAT_UNBOUND, "local-zone: u.example always_null", "u.example{null} "}};
	static struct list_rig r;
	for (unsigned format = LIST_FORMAT_HOSTS; format < LIST_FORMAT_RPZ; format++) {
		struct list_options options = {.format = (enum list_format)format};
		for (size_t i = 0; i < ARRAY_LEN(samples); i++) {
			bool own = format == samples[i].format;
			list_rig_parse(&r, &options, samples[i].line, strlen(samples[i].line), 99);
			assert_string_equal(r.text, own ? samples[i].rules : "");
			assert_int_equal(r.counts.rejected[LIST_REJECT_FORMAT], !own);
		}
	}
}

TEST(test_byte_by_byte_zero)
{
	static const char text[] = "a.exa\0mple.com\nb.example\n\0\n||\0.example^\n@@\0\n";
	static struct list_rig r;
	list_rig_parse(&r, &block, text, sizeof(text) - 1, 99);
	assert_string_equal(r.text, "b.example ");
	assert_int_equal(r.counts.rejected[LIST_REJECT_CHARACTER], 4);
}

static uint64_t parse_one(const char *text, size_t len, enum list_reject why)
{
	static struct list_rig r;
	list_rig_parse(&r, &block, text, len, 9999);
	return why == GOOD ? r.counts.names : r.counts.rejected[why];
}

TEST(test_lengths)
{
	char text[600];
	memset(text, 'a', sizeof(text));
	strcpy(text + 63, ".example");
	assert_int_equal(parse_one(text, strlen(text), GOOD), 1);
	memset(text, 'a', sizeof(text));
	strcpy(text + 64, ".example");
	assert_int_equal(parse_one(text, strlen(text), NO(TOO_LONG)), 1);
	// 253 bytes of text are 255 on the wire.
	memset(text, 'a', sizeof(text));
	for (unsigned i = 60; i < 250; i += 61)
		text[i] = '.';
	assert_int_equal(parse_one(text, 253, GOOD), 1);
	assert_int_equal(parse_one(text, 254, NO(TOO_LONG)), 1);
	text[253] = '.';
	assert_int_equal(parse_one(text, 254, GOOD), 1);
	// 40 labels pass, 41 do not.
	for (unsigned labels = 40; labels <= 41; labels++) {
		for (unsigned i = 0; i < labels; i++)
			memcpy(text + 2 * i, "b.", 2);
		assert_int_equal(parse_one(text, 2 * labels - 1, GOOD), labels == 40);
	}
	// An international name that is too long as A-labels.
	for (unsigned i = 0; i < 200; i += 2)
		memcpy(text + i, i % 40 == 38 ? "a." : "\xc3\xbc", 2);
	memcpy(text + 200, "example", 7);
	assert_int_equal(parse_one(text, 207, GOOD), 1);
	for (unsigned i = 0; i < 500; i += 2)
		memcpy(text + i, i % 40 == 38 ? "a." : "\xc3\xbc", 2);
	memcpy(text + 500, "example", 7);
	assert_int_equal(parse_one(text, 507, NO(NON_ASCII)), 1);
}

TEST(test_long_line_costs_itself_only)
{
	static struct list_rig r;
	char *text = malloc(1 << 20);
	size_t n = 0;
	for (unsigned i = 0; i < 2; i++) {
		n += (size_t)sprintf(text + n, "before%u.example\n", i);
		size_t long_line = i ? LIST_LINE_MAX + 1 : 500000;
		memset(text + n, 'x', long_line);
		memcpy(text + n, "0.0.0.0 evil.example ", 21);
		n += long_line;
		text[n++] = '\n';
	}
	n += (size_t)sprintf(text + n, "0.0.0.0 ");
	for (unsigned i = 0; n % LIST_LINE_MAX < 4000; i++)
		n += (size_t)sprintf(text + n, "n%u.example ", i);
	list_rig_parse(&r, &block, text, n, 1 << 16);
	assert_null(strstr(r.text, "evil"));
	assert_int_equal(r.counts.rejected[LIST_REJECT_LINE_TOO_LONG], 2);
	assert_int_equal(r.counts.lines, 5);
	assert_non_null(strstr(r.text, "before1.example n0.example"));
	assert_int_equal(list_counts_rejected(&r.counts), 2);
	free(text);
}

TEST(test_whole_file)
{
	static const char text[] =
		"\xef\xbb\xbf# title\r\n0.0.0.0 a.example\r\n\r\nb.example\r\ncom";
	static struct list_rig r = {.number_lines = true};
	list_rig_parse(&r, &block, text, sizeof(text) - 1, 99);
	assert_string_equal(r.text, "2:a.example 4:b.example ");
	assert_int_equal(r.counts.lines, 5);
	assert_int_equal(r.counts.comments, 2);
	assert_int_equal(r.counts.names, 2);
	assert_int_equal(r.counts.rejected[LIST_REJECT_SINGLE_LABEL], 1);
}

// LF, CR and CRLF; a CR that is the last byte of a piece.
TEST(test_line_ends)
{
	static const char text[] = "a.example\rb.example\r\nc.example\n\rd.example\r\r\ne.example";
	static struct list_rig r = {.number_lines = true};
	for (size_t piece = 1; piece < sizeof(text); piece++) {
		list_rig_parse(&r, &block, text, sizeof(text) - 1, piece);
		assert_string_equal(
			r.text, "1:a.example 2:b.example 3:c.example 5:d.example 7:e.example ");
		assert_int_equal(r.counts.lines, 7);
	}
}

// However the bytes are cut into pieces, the result is the same.
TEST(test_pieces)
{
	static const char *const words[] = {"a", "b.", ".example", "\n", "\r", "\r\n", "#", "! ",
		" ", "\t", "0.0.0.0 ", "::1 ", "/", "||", "|", "^", "$important", "$dnstype=A",
		"$denyallow=", "@@", "\xef\xbb\xbf", "*", "*.", "%", "-", "_", "\xc3\xbc", "Z",
		"$TTL 60\n", "@ SOA a. b. 1 2 3 4 5\n", "$ORIGIN x.\n", " CNAME .\n", "(", ")",
		"\"", ";", "\\", " A 192.0.2.1\n", "address=/", "server=/", "com", "co.uk", "##"};
	static struct list_rig whole = {.number_lines = true}, cut = {.number_lines = true};
	srand(7);
	for (unsigned round = 0; round < 3000; round++) {
		char text[9000];
		size_t len = 0, wanted = (size_t)rand() % (round % 50 ? 200 : 8900);
		while (len < wanted) {
			const char *word = words[(size_t)rand() % ARRAY_LEN(words)];
			memcpy(text + len, word, strlen(word));
			len += strlen(word);
		}
		if (round % 3 == 0 && len)
			text[(size_t)rand() % len] = (char)(rand() & 0xff);
		list_rig_parse(&whole, &block, text, len, sizeof(text));
		list_rig_parse(
			&cut, &block, text, len, 1 + (size_t)rand() % (round % 50 ? 9 : 3000));
		assert_memory_equal(&cut.counts, &whole.counts, sizeof(cut.counts));
		assert_string_equal(cut.text, whole.text);
	}
}

static int take_two(void *arg, const struct list_rule *)
{
	return ++*(unsigned *)arg == 3 ? -12 : 0;
}

TEST(test_taker_stops)
{
	static struct list_parser p;
	unsigned taken = 0;
	static const char text[] = "::1 a.example b.example c.example d.example\ne.example\n";
	list_parse_begin(&p, &block, take_two, &taken);
	assert_int_equal(list_parse_feed(&p, text, sizeof(text) - 1), -12);
	assert_int_equal(list_parse_feed(&p, text, sizeof(text) - 1), -12);
	assert_int_equal(list_parse_end(&p), -12);
	assert_int_equal(p.counts.names, 2);
	assert_int_equal(taken, 3);
}

struct found {
	char text[1024];
	unsigned count;
};

static void take_found(void *arg, const struct list_found *found)
{
	struct found *f = arg;
	size_t len = strlen(f->text);
	snprintf(f->text + len, sizeof(f->text) - len, "%u %u <%.*s> ", found->wanted,
		found->rule->line, (int)found->text_len, found->text);
	f->count++;
}

static void find(const struct list_wanted *wanted, unsigned count, unsigned found_max,
	const char *text, size_t piece, struct found *out)
{
	static struct list_finder f;
	size_t len = strlen(text);
	memset(out, 0, sizeof(*out));
	list_find_begin(&f, &block, wanted, count, found_max, take_found, out);
	for (size_t at = 0; at < len; at += piece)
		if (!list_find_feed(&f, text + at, piece < len - at ? piece : len - at))
			break;
	list_find_end(&f);
	assert_int_equal(f.found, out->count);
}

TEST(test_find)
{
	static const char text[] = "# title\nexample.com\n0.0.0.0 x.example example.com # why\n"
				   "www.example.com\n||example.com^$important\n/^ad[0-9]/\n"
				   "/^ad[0-9]+/\n@@||www.example.com^\n"
				   "$TTL 60\nexample.com TXT (\n  \"a\" )\nexample.com CNAME .";
	struct dns_name parent, self, other;
	struct found out;
	parent = name_of_text("example.com");
	self = name_of_text("www.example.com");
	other = name_of_text("other.example");
	const struct list_wanted wanted[] = {
		{.name = &self}, {.name = &parent}, {.pattern = "^ad[0-9]", .pattern_len = 8}};
	for (size_t piece = 1; piece < sizeof(text); piece += 7) {
		find(wanted, 3, 99, text, piece, &out);
		assert_string_equal(out.text,
			"1 2 <example.com> 1 3 <0.0.0.0 x.example example.com # why> "
			"0 4 <www.example.com> 1 5 <||example.com^$important> 2 6 </^ad[0-9]/> "
			"0 8 <@@||www.example.com^> 1 10 <example.com TXT     \"a\"> "
			"1 12 <example.com CNAME .> ");
	}
	find(wanted, 1, 99, text, 4096, &out);
	assert_string_equal(out.text, "0 4 <www.example.com> 0 8 <@@||www.example.com^> ");
	find(wanted, 3, 2, text, 4096, &out);
	assert_int_equal(out.count, 2);
	find(&(struct list_wanted){.name = &other}, 1, 99, text, 4096, &out);
	assert_int_equal(out.count, 0);
}

// The bitmap in front of libpsl keeps no suffix from it: all rules of the list, if it is there.
TEST(test_suffixes)
{
	static const char *const suffixes[] = {"co.uk", "github.io", "com.br", "kawasaki.jp",
		"foo.kawasaki.jp", "compute.amazonaws.com", "x.ck", "blogspot.com",
		"s3.amazonaws.com", "pvt.k12.ma.us"};
	static const char *const others[] = {"example.com", "google.com", "city.kawasaki.jp",
		"a.b.c.d.e.example", "doubleclick.net", "uk.co", "xco.uk"};
	struct dns_name name;
	for (size_t i = 0; i < ARRAY_LEN(suffixes); i++) {
		name = name_of_text(suffixes[i]);
		if (!suffix_is_public(&name))
			fail_msg("%s", suffixes[i]);
	}
	for (size_t i = 0; i < ARRAY_LEN(others); i++) {
		name = name_of_text(others[i]);
		if (suffix_is_public(&name))
			fail_msg("%s", others[i]);
	}
}
