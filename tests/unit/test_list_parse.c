// SPDX-License-Identifier: BSD-3-Clause

#include "../../controlplane/list_parse.h"
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct taken {
	char text[8192];
	unsigned count;
	int refuse_after;
};

static int take(void *arg, const struct dns_name *name)
{
	struct taken *t = arg;
	char text[DNS_NAME_TEXT_MAX];
	if (t->refuse_after && (int)t->count == t->refuse_after)
		return -12;
	t->count++;
	if (strlen(t->text) + 300 < sizeof t->text) {
		strcat(t->text, dns_name_to_text(name, text));
		strcat(t->text, " ");
	}
	return 0;
}

static struct list_counts parse(const char *octets, size_t len, struct taken *t)
{
	static struct list_parser p;
	memset(t, 0, sizeof *t);
	list_parse_begin(&p, take, t);
	assert_int_equal(list_parse_feed(&p, octets, len), 0);
	assert_int_equal(list_parse_end(&p), 0);
	return p.counts;
}

// What each line yields: the names, or the reason for which it is rejected.
static const struct {
	const char *line, *names;
	enum list_reject reject; // LIST_REJECT_COUNT: none
} lines[] = {
	{"example.com", "example.com ", LIST_REJECT_COUNT},
	{"  Example.COM.  \r", "example.com ", LIST_REJECT_COUNT},
	{"*.example.com", "example.com ", LIST_REJECT_COUNT},
	{"_dmarc.-x_y-.example.com", "_dmarc.-x_y-.example.com ", LIST_REJECT_COUNT},
	{"xn--bcher-kva.example", "xn--bcher-kva.example ", LIST_REJECT_COUNT},
	{"example.com # why", "example.com ", LIST_REJECT_COUNT},
	{"0.0.0.0 a.example b.example\tc.example", "a.example b.example c.example ",
		LIST_REJECT_COUNT},
	{"127.0.0.1 a.example#why", "a.example ", LIST_REJECT_COUNT},
	{"::1 a.example # see b.example", "a.example ", LIST_REJECT_COUNT},
	{"fe80::1%lo0 a.example", "a.example ", LIST_REJECT_COUNT},
	{"0.0.0.0 localhost a.example", "a.example ", LIST_REJECT_SPECIAL},
	{"0.0.0.0 *.a.example.", "a.example ", LIST_REJECT_COUNT},
	{"# comment", "", LIST_REJECT_COUNT},
	{"! comment", "", LIST_REJECT_COUNT},
	{"##.banner", "", LIST_REJECT_COUNT},
	{"", "", LIST_REJECT_COUNT},
	{" \t\r", "", LIST_REJECT_COUNT},
	{"com", "", LIST_REJECT_SINGLE_LABEL},
	{"*.com", "", LIST_REJECT_SINGLE_LABEL},
	{"com.", "", LIST_REJECT_SINGLE_LABEL},
	{"0.0.0.0 com", "", LIST_REJECT_SINGLE_LABEL},
	{"localhost", "", LIST_REJECT_SPECIAL},
	{"LocalHost.LocalDomain", "", LIST_REJECT_SPECIAL},
	{"255.255.255.255 broadcasthost", "", LIST_REJECT_SPECIAL},
	{"ff02::1 ip6-allnodes", "", LIST_REJECT_SPECIAL},
	{"local", "", LIST_REJECT_SPECIAL},
	{"in-addr.arpa", "", LIST_REJECT_SPECIAL},
	{"0.0.0.0 0.0.0.0", "", LIST_REJECT_ADDRESS},
	{"0.0.0.0 ::1", "", LIST_REJECT_ADDRESS},
	{"1.2.3", "", LIST_REJECT_ADDRESS},
	{"ads.1.2.3.4", "", LIST_REJECT_ADDRESS},
	{"192.0.2.1", "", LIST_REJECT_NO_NAME},
	{"2001:db8::1 # x", "", LIST_REJECT_NO_NAME},
	{"a..example", "", LIST_REJECT_EMPTY_LABEL},
	{".example.com", "", LIST_REJECT_EMPTY_LABEL},
	{"example.com..", "", LIST_REJECT_EMPTY_LABEL},
	{".", "", LIST_REJECT_EMPTY_LABEL},
	{"*.", "", LIST_REJECT_CHARACTER},
	{"a.*.example", "", LIST_REJECT_CHARACTER},
	{"*", "", LIST_REJECT_CHARACTER},
	{"a\\.b.example", "", LIST_REJECT_CHARACTER},
	{"example.com:8080", "", LIST_REJECT_CHARACTER},
	{"b\xc3\xbc"
	 "cher.example",
		"", LIST_REJECT_NON_ASCII},
	{"example.com##.ad", "", LIST_REJECT_FILTER},
	{"example.com#@#.ad", "", LIST_REJECT_FILTER},
	{"example.com#?#.ad > b", "", LIST_REJECT_FILTER},
	{"example.com#x", "", LIST_REJECT_FILTER},
	{"0.0.0.0 example.com##.ad # see other.example", "", LIST_REJECT_FILTER},
	{"||example.com^", "", LIST_REJECT_FILTER},
	{"||example.com^$third-party", "", LIST_REJECT_FILTER},
	{"@@||example.com^", "", LIST_REJECT_FILTER},
	{"|https://example.com/", "", LIST_REJECT_FILTER},
	{"[Adblock Plus 2.0]", "", LIST_REJECT_FILTER},
	{"example.com$image", "", LIST_REJECT_FILTER},
	{"example.com,example.org##.ad", "", LIST_REJECT_FILTER},
	{"/^ad[0-9]/", "", LIST_REJECT_URL},
	{"/banner/", "", LIST_REJECT_URL},
	{"https://example.com/x", "", LIST_REJECT_URL},
	{"example.com/path", "", LIST_REJECT_URL},
	{"192.0.2.0/24", "", LIST_REJECT_URL},
	{"address=/example.com/0.0.0.0", "", LIST_REJECT_FILTER},
	{"example.com CNAME .", "", LIST_REJECT_WORDS},
	{"<p>Not found, see example.com</p>", "", LIST_REJECT_WORDS},
};

static void test_lines(void **)
{
	for (size_t i = 0; i < ARRAY_LEN(lines); i++) {
		struct taken t;
		struct list_counts c = parse(lines[i].line, strlen(lines[i].line), &t);
		unsigned rejected = lines[i].reject != LIST_REJECT_COUNT;
		if (strcmp(t.text, lines[i].names) != 0 || list_counts_rejected(&c) != rejected
			|| (rejected && c.rejected[lines[i].reject] != 1))
			fail_msg("line <%s>: names <%s>, %u rejected", lines[i].line, t.text,
				(unsigned)list_counts_rejected(&c));
		assert_int_equal(c.lines, lines[i].line[0] != 0);
	}
}

static void test_octet_by_octet_zero(void **)
{
	static const char text[] = "a.exa\0mple.com\nb.example\n\0\n";
	struct taken t;
	struct list_counts c = parse(text, sizeof text - 1, &t);
	assert_string_equal(t.text, "b.example ");
	assert_int_equal(c.rejected[LIST_REJECT_CHARACTER], 2);
}

static void test_lengths(void **)
{
	char text[600];
	struct taken t;
	memset(text, 'a', sizeof text);
	strcpy(text + 63, ".example");
	assert_int_equal(parse(text, strlen(text), &t).names, 1);
	memset(text, 'a', sizeof text);
	strcpy(text + 64, ".example");
	assert_int_equal(parse(text, strlen(text), &t).rejected[LIST_REJECT_TOO_LONG], 1);
	// 253 octets of text are 255 on the wire.
	memset(text, 'a', sizeof text);
	for (unsigned i = 60; i < 250; i += 61)
		text[i] = '.';
	text[253] = 0;
	assert_int_equal(parse(text, 253, &t).names, 1);
	text[253] = 'a';
	assert_int_equal(parse(text, 254, &t).rejected[LIST_REJECT_TOO_LONG], 1);
	text[253] = '.';
	assert_int_equal(parse(text, 254, &t).names, 1);
	// 40 labels pass, 41 do not.
	for (unsigned labels = 40; labels <= 41; labels++) {
		for (unsigned i = 0; i < labels; i++)
			memcpy(text + 2 * i, "b.", 2);
		assert_int_equal(parse(text, 2 * labels - 1, &t).names, labels == 40);
	}
}

static void test_long_line_costs_itself_only(void **)
{
	char *text = malloc(1 << 20);
	struct taken t;
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
	struct list_counts c = parse(text, n, &t);
	assert_null(strstr(t.text, "evil"));
	assert_int_equal(c.rejected[LIST_REJECT_LINE_TOO_LONG], 2);
	assert_int_equal(c.lines, 5);
	assert_non_null(strstr(t.text, "before1.example n0.example"));
	assert_int_equal(list_counts_rejected(&c), 2);
	free(text);
}

static void test_whole_file(void **)
{
	static const char text[] =
		"\xef\xbb\xbf# title\r\n0.0.0.0 a.example\r\n\r\nb.example\r\ncom";
	struct taken t;
	struct list_counts c = parse(text, sizeof text - 1, &t);
	assert_string_equal(t.text, "a.example b.example ");
	assert_int_equal(c.bytes, sizeof text - 1);
	assert_int_equal(c.lines, 5);
	assert_int_equal(c.comments, 2);
	assert_int_equal(c.names, 2);
	assert_int_equal(c.rejected[LIST_REJECT_SINGLE_LABEL], 1);
}

// However the octets are cut into pieces, the result is the same.
static void test_pieces(void **)
{
	static const char alphabet[] = "ab.\n\n.#! \t0:/|\xef\xbb\xbf*\r%-_1\0Z";
	static struct list_parser p;
	srand(7);
	for (unsigned round = 0; round < 3000; round++) {
		char text[9000];
		size_t len = (size_t)rand() % (round % 50 ? 200 : sizeof text);
		for (size_t i = 0; i < len; i++)
			text[i] = alphabet[(size_t)rand() % (sizeof alphabet - 1)];
		struct taken whole, cut = {0};
		struct list_counts c = parse(text, len, &whole);
		list_parse_begin(&p, take, &cut);
		for (size_t at = 0; at < len;) {
			size_t piece = 1 + (size_t)rand() % (round % 50 ? 9 : 3000);
			piece = piece < len - at ? piece : len - at;
			assert_int_equal(list_parse_feed(&p, text + at, piece), 0);
			at += piece;
		}
		assert_int_equal(list_parse_end(&p), 0);
		assert_memory_equal(&p.counts, &c, sizeof c);
		assert_string_equal(cut.text, whole.text);
	}
}

static void test_taker_stops(void **)
{
	static struct list_parser p;
	struct taken t = {.refuse_after = 2};
	static const char text[] = "1.1.1.1 a.example b.example c.example d.example\ne.example\n";
	list_parse_begin(&p, take, &t);
	assert_int_equal(list_parse_feed(&p, text, sizeof text - 1), -12);
	assert_int_equal(list_parse_feed(&p, text, sizeof text - 1), -12);
	assert_int_equal(list_parse_end(&p), -12);
	assert_int_equal(p.counts.names, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lines),
		cmocka_unit_test(test_octet_by_octet_zero),
		cmocka_unit_test(test_lengths),
		cmocka_unit_test(test_long_line_costs_itself_only),
		cmocka_unit_test(test_whole_file),
		cmocka_unit_test(test_pieces),
		cmocka_unit_test(test_taker_stops),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
