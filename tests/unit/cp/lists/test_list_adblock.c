// SPDX-License-Identifier: BSD-3-Clause

#include "controlplane/lists/list_glob.h"
#include "list_rig.h"
#include "tests/unit/unit.h"

#define GOOD       LIST_REJECT_COUNT
#define NO(reason) LIST_REJECT_##reason

static const struct list_row rules[] = {
	{"||example.com^", "example.com", GOOD},
	{"||Example.COM^", "example.com", GOOD},
	{"||example.com", "example.com", GOOD},
	{"||example.com|", "example.com", GOOD},
	{"||example.com^|", "example.com", GOOD},
	{"|example.com|", "=example.com", GOOD},
	{"|example.com^", "=example.com", GOOD},
	{"|example.com", "/^example\\.com/", GOOD},
	{"example.com^", "example.com", GOOD},
	{"||*.example.com^", "*.example.com", GOOD},
	{"*.example.com^", "*.example.com", GOOD},
	{"@@||example.com^", "allow:example.com", GOOD},
	{"@@example.com", "allow:example.com", GOOD},
	{"@@|example.com^|", "allow:=example.com", GOOD},
	{"||example.com^$important", "block!:example.com", GOOD},
	{"@@||example.com^$important", "allow!:example.com", GOOD},
	{"example.com$important", "block!:example.com", GOOD},
	{"||b\xc3\xbc"
	 "cher.example^",
		"xn--bcher-kva.example", GOOD},
	{"||ads.*.example^", "/(^|\\.)ads\\..*\\.example$/", GOOD},
	{"||ads^", "", NO(SINGLE_LABEL)},
	{"||co.uk^", "", NO(PUBLIC_SUFFIX)},
	{"@@||co.uk^", "", NO(PUBLIC_SUFFIX)},
	{"||example.", "/(^|\\.)example\\./", GOOD},
	{"||ads.example.^", "", NO(FILTER)},
	{"||192.0.2.1^", "[192.0.2.1/32]", GOOD},
	{"@@||192.0.2.1^|", "allow:[192.0.2.1/32]", GOOD},
	{"|192.0.2.1^$important", "block!:[192.0.2.1/32]", GOOD},
	{"192.0.2.1^", "[192.0.2.1/32]", GOOD},
	{"||192.0.2.1^$client=kids", "[192.0.2.1/32]{client:kids}", GOOD},
	{"||192.0.2.1^$dnsrewrite=NXDOMAIN", "[192.0.2.1/32]{nxdomain}", GOOD},
	{"||192.0.2.1^$dnsrewrite=192.0.2.2", "[192.0.2.1/32]", GOOD},
	{"||192.0.2.1^$dnstype=A", "", NO(MODIFIER)},
	{"||192.0.2.1^$denyallow=a.example", "", NO(MODIFIER)},
	{"||2001:db8::1^", "[2001:db8::1/128]", GOOD},
	{"||[2001:db8::1]^", "[2001:db8::1/128]", GOOD},
	{"||192.0.2.", "[192.0.2.0/24]", GOOD},
	{"||198.51.", "[198.51.0.0/16]", GOOD},
	{"||192.0.2.0/24^", "", NO(URL)},
	{"||10.0.0.1^", "", NO(ADDRESS)},
	{"||192.0.2.1.example^", "192.0.2.1.example", GOOD},
	{"*.192.0.2.1^", "", NO(ADDRESS)},
	{"||localhost^", "", NO(SPECIAL)},
	{"||", "", NO(EMPTY_LABEL)},
	{"@@", "", NO(EMPTY_LABEL)},
	{"|", "", NO(FILTER)},
	{"||^", "", NO(EMPTY_LABEL)},
	{"*$denyallow=a.example", "", NO(FILTER)},
	{"||a.example^b.example^", "", NO(FILTER)},
};

static const struct list_row options[] = {
	{"||example.com^$denyallow=a.example.com|b.example.com",
		"example.com except:a.example.com except:b.example.com", GOOD},
	{"||example.com^$denyallow=other.example", "example.com", GOOD},
	{"||example.com^$denyallow=a.example.com|other.example", "example.com except:a.example.com",
		GOOD},
	{"||example.com^$denyallow=com", "", NO(MODIFIER)},
	{"||example.com^$denyallow=example.com|a.example.com", "", NO(MODIFIER)},
	{"||example.com^$denyallow=a.example.com|", "", NO(EMPTY_LABEL)},
	{"||example.com^$denyallow=a.example.com|*", "", NO(CHARACTER)},
	{"||example.com^$denyallow=", "", NO(MODIFIER)},
	{"||example.com^$denyallow=a.example.com,important", "", NO(MODIFIER)},
	{"@@||example.com^$denyallow=a.example.com", "", NO(MODIFIER)},
	{"||example.com^$dnstype=A", "example.com{types:A}", GOOD},
	{"||example.com^$dnstype=a|https", "example.com{types:A,HTTPS}", GOOD},
	{"||example.com^$dnstype=~A|~AAAA", "example.com{types:~A,AAAA}", GOOD},
	{"@@||example.com^$dnstype=AAAA", "allow:example.com{types:AAAA}", GOOD},
	{"||example.com^$dnstype=A|~AAAA", "", NO(MODIFIER)},
	{"||example.com^$dnstype=", "", NO(MODIFIER)},
	{"||example.com^$dnstype", "", NO(MODIFIER)},
	{"||example.com^$dnstype=HTTPS|A|AAAA|A", "example.com{types:A,AAAA,HTTPS}", GOOD},
	{"||example.com^$dnstype=A|NS|CNAME|SOA|PTR|MX|TXT|AAAA|SRV", "", NO(MODIFIER)},
	{"||example.com^$dnstype=NONSENSE", "", NO(MODIFIER)},
	{"||*^$dnstype=HTTPS", "/./{types:HTTPS}", GOOD},
	{"*$dnstype=HTTPS|SVCB,important", "block!:/./{types:SVCB,HTTPS}", GOOD},
	{"|*^$dnstype=AAAA,dnsrewrite=REFUSED", "/./{refused}{types:AAAA}", GOOD},
	{"||*^$dnstype=HTTPS,badfilter", "off:/./{types:HTTPS}", GOOD},
	{"||*^$dnstype=A", "", NO(FILTER)},
	{"||*^$dnstype=~HTTPS", "", NO(FILTER)},
	{"||*^", "", NO(FILTER)},
	{"@@||*^$dnstype=HTTPS", "", NO(FILTER)},
	{"||*^$dnstype=HTTPS,denyallow=a.example", "", NO(MODIFIER)},
	{"||example.com^$client=kids", "example.com{client:kids}", GOOD},
	{"||example.com^$client='kids'", "example.com{client:kids}", GOOD},
	{"||example.com^$client=kids,dnstype=A,important",
		"block!:example.com{types:A}{client:kids}", GOOD},
	{"||example.com^$denyallow=a.example.com,dnstype=A,client=kids",
		"example.com{types:A}{client:kids} except:a.example.com{types:A}{client:kids}",
		GOOD},
	{"||example.com^$client=~kids", "example.com{client:~kids}", GOOD},
	{"||example.com^$client=~tv|~'kids'", "example.com{client:~kids|~tv}", GOOD},
	{"||example.com^$client=~tv|a|~kids|b",
		"example.com{client:a|~kids|~tv} example.com{client:b|~kids|~tv}", GOOD},
	{"@@||example.com^$client=~kids", "allow:example.com{client:~kids}", GOOD},
	{"||example.com^$client=~", "", NO(CLIENT)},
	{"||example.com^$client=~~kids", "", NO(CLIENT)},
	{"||example.com^$client=kids|'tv'", "example.com{client:kids} example.com{client:tv}",
		GOOD},
	{"/^ads/$client=kids|tv", "/^ads/{client:kids} /^ads/{client:tv}", GOOD},
	{"||example.com^$client=a|b,denyallow=x.example.com",
		"example.com{client:a} example.com{client:b} "
		"except:x.example.com{client:a} except:x.example.com{client:b}",
		GOOD},
	{"||example.com^$client=kids|", "", NO(CLIENT)},
	{"||example.com^$client=kids|~tv", "example.com{client:kids|~tv}", GOOD},
	{"||example.com^$client=kids,client=tv", "", NO(CLIENT)},
	{"||example.com^$ctag=kids|~tv", "example.com{client:kids|~tv}", GOOD},
	{"||example.com^$ctag=kids,client=tv", "", NO(CLIENT)},
	{"||example.com^$ctag=192.0.2.1", "", NO(CLIENT)},
	{"||example.com^$ctag=", "", NO(CLIENT)},
	{"||example.com^$client=1|2|3|4|5|6|7|8|9", "", NO(CLIENT)},
	{"||example.com^$client=192.0.2.1/32", "example.com{client:192.0.2.1}", GOOD},
	{"||example.com^$client='192.0.2.0/24'|~192.0.2.1",
		"example.com{client:192.0.2.0/24|~192.0.2.1}", GOOD},
	{"||example.com^$client=2001:DB8:0:0::1|2001:db8:1::/64",
		"example.com{client:2001:db8::1} example.com{client:2001:db8:1::/64}", GOOD},
	{"||example.com^$client=192.0.2.1/24", "", NO(CLIENT)},
	{"||example.com^$client=0.0.0.0/0", "", NO(CLIENT)},
	{"||example.com^$client=192.0.2.1/33", "", NO(CLIENT)},
	{"||example.com^$client=fe80::1%lo", "", NO(CLIENT)},
	// 95 bytes fit, 96 do not.
	{"||example.com^$client=~0123456789012345678901234567890|~1123456789012345678901234567890|"
	 "~3123456789012345678901234567",
		"example.com{client:~0123456789012345678901234567890|~"
		"1123456789012345678901234567890|"
		"~3123456789012345678901234567}",
		GOOD},
	{"||example.com^$client=~0123456789012345678901234567890|~1123456789012345678901234567890|"
	 "~31234567890123456789012345678",
		"", NO(CLIENT)},
	{"||example.com^$client=02:00:00:00:00:01", "", NO(CLIENT)},
	{"||example.com^$client=", "", NO(CLIENT)},
	{"||example.com^$client=0123456789012345678901234567890",
		"example.com{client:"
		"0123456789012345678901234567890}",
		GOOD},
	{"||example.com^$client=01234567890123456789012345678901", "", NO(CLIENT)},
	{"||example.com^$dnsrewrite=NXDOMAIN", "example.com{nxdomain}", GOOD},
	{"||example.com^$dnsrewrite=NXDOMAIN;;", "example.com{nxdomain}", GOOD},
	{"||example.com^$dnsrewrite=refused", "example.com{refused}", GOOD},
	{"||example.com^$dnsrewrite=NOERROR", "example.com{nodata}", GOOD},
	{"||example.com^$dnsrewrite=192.0.2.1", "example.com{A,300,c0000201}", GOOD},
	{"||example.com^$dnsrewrite=NOERROR;A;192.0.2.1", "example.com{A,300,c0000201}", GOOD},
	{"||example.com^$dnsrewrite=2001:db8::1",
		"example.com{AAAA,300,20010db8000000000000000000000001}", GOOD},
	{"||example.com^$dnsrewrite=NOERROR;TXT;hi", "example.com{TXT,300,026869}", GOOD},
	{"||example.com^$dnsrewrite=NOERROR;MX;10 mail.example",
		"example.com{MX,300,000a046d61696c076578616d706c6500}", GOOD},
	{"||example.com^$dnsrewrite=192.0.2.1,important", "block!:example.com{A,300,c0000201}",
		GOOD},
	{"||example.com^$dnsrewrite=other.example",
		"example.com{resolve}{CNAME,300,056f74686572076578616d706c6500}", GOOD},
	{"||example.com^$dnsrewrite=NOERROR;CNAME;other.example",
		"example.com{resolve}{CNAME,300,056f74686572076578616d706c6500}", GOOD},
	{"||example.com^$dnsrewrite=nas,important",
		"block!:example.com{resolve}{CNAME,300,036e617300}", GOOD},
	{"||example.com^$dnsrewrite=other.example;;", "", NO(REWRITE)},
	{"||example.com^$dnsrewrite=NOERROR;CNAME;a..b", "", NO(REWRITE)},
	{"||example.com^$dnsrewrite=NOERROR;A;nonsense", "", NO(REWRITE)},
	{"||example.com^$dnsrewrite=SERVFAIL;;", "example.com{servfail}", GOOD},
	{"||example.com^$dnsrewrite=servfail", "example.com{servfail}", GOOD},
	{"||ads*.example.com^$dnsrewrite=SERVFAIL", "*.example.com{*.ads*}{servfail}", GOOD},
	{"/^ads/$dnsrewrite=SERVFAIL", "/^ads/{servfail}", GOOD},
	{"||example.com^$dnsrewrite=FORMERR;;", "example.com", GOOD},
	{"||example.com^$dnsrewrite=NOTIMP", "example.com", GOOD},
	{"||example.com^$dnsrewrite=", "", NO(REWRITE)},
	{"||example.com^$dnsrewrite", "", NO(REWRITE)},
	{"@@||example.com^$dnsrewrite", "back:example.com", GOOD},
	{"@@||example.com^$dnsrewrite=", "back:example.com", GOOD},
	{"@@||example.com^$dnsrewrite=REFUSED", "back:example.com{refused}", GOOD},
	{"@@|example.com^$dnsrewrite=NOERROR;;", "back:=example.com{nodata}", GOOD},
	{"@@||example.com^$dnsrewrite,important", "back:!example.com", GOOD},
	{"@@||example.com^$dnsrewrite,dnstype=A,client=kids",
		"back:example.com{types:A}{client:kids}", GOOD},
	{"@@||ads*.example.com^$dnsrewrite", "back:*.example.com{*.ads*}", GOOD},
	{"@@||example.com^$dnsrewrite,badfilter", "off:back:example.com", GOOD},
	{"@@||example.com^$dnsrewrite=192.0.2.1", "", NO(REWRITE)},
	{"@@||example.com^$dnsrewrite=other.example", "", NO(REWRITE)},
	{"@@||example.com^$dnsrewrite=FORMERR", "", NO(REWRITE)},
	{"@@||example.com^$dnsrewrite,denyallow=a.example.com", "", NO(MODIFIER)},
	{"@@||ads.$dnsrewrite", "", NO(REWRITE)},
	{"@@||ads.*.com^$dnsrewrite", "", NO(REWRITE)},
	{"@@/^ads/$dnsrewrite", "", NO(REWRITE)},
	{"@@||192.0.2.1^$dnsrewrite", "", NO(REWRITE)},
	{"||example.com^$badfilter", "off:example.com", GOOD},
	{"@@||example.com^$badfilter,important", "off:allow!:example.com", GOOD},
	{"|example.com^$dnstype=A,badfilter", "off:=example.com{types:A}", GOOD},
	{"||example.com^$dnsrewrite=192.0.2.1,badfilter", "off:example.com{A,300,c0000201}", GOOD},
	{"/^ads[0-9]/$badfilter", "off:/^ads[0-9]/", GOOD},
	{"||ads*.example.com^$badfilter", "off:*.example.com{*.ads*}", GOOD},
	{"||192.0.2.1^$badfilter", "off:[192.0.2.1/32]", GOOD},
	{"||example.com^$badfilter=1", "", NO(MODIFIER)},
	{"||example.com^$denyallow=a.example.com,badfilter", "", NO(MODIFIER)},
	{"||example.com^$third-party", "", NO(MODIFIER)},
	{"||example.com^$important,script", "", NO(MODIFIER)},
	{"||example.com^$document", "", NO(MODIFIER)},
	{"||example.com^$", "", NO(MODIFIER)},
	{"||example.com^$important,", "", NO(MODIFIER)},
	{"||example.com^$important=1", "", NO(MODIFIER)},
	{"@@||example.com^$document", "", NO(MODIFIER)},
};

// None of these may ever block a name.
static const struct list_row pages[] = {
	{"example.com##.ad", "", NO(COSMETIC)},
	{"example.com,example.org##.ad", "", NO(COSMETIC)},
	{"~example.com##.ad", "", NO(COSMETIC)},
	{"example.com#@#.ad", "", NO(COSMETIC)},
	{"example.com#?#.ad > b", "", NO(COSMETIC)},
	{"example.com#$#body { overflow: auto }", "", NO(COSMETIC)},
	{"example.com#%#//scriptlet('x')", "", NO(COSMETIC)},
	{"example.com#@?#.ad", "", NO(COSMETIC)},
	{"example.com$$script[tag-content=\"ad\"]", "", NO(COSMETIC)},
	{"##.banner", "", NO(COSMETIC)},
	{"##[id^=\"ad\"]", "", NO(COSMETIC)},
	{"#@#.banner", "", NO(COSMETIC)},
	{"## Section", "", GOOD},
	{"######## Section ########", "", GOOD},
	{"||example.com/ads.js", "", NO(URL)},
	{"||example.com/ads.js$script", "", NO(URL)},
	{"||example.com^*/ads/", "", NO(URL)},
	{"@@||example.com/ads.js", "", NO(URL)},
	{"|https://example.com/", "", NO(URL)},
	{"https://example.com/x$image", "", NO(URL)},
	{"/banner/*/img^", "", NO(URL)},
	{"/banner/*/img/", "", NO(URL)},
	{"/banner/", "", NO(URL)},
	{"/banner/ads.", "", NO(URL)},
	{"&ad_box_", "", NO(CHARACTER)},
	{".com/ads/$script", "", NO(URL)},
	{"example.com$image", "", NO(MODIFIER)},
	{"example.com,example.org", "", NO(FILTER)},
	{"[Adblock Plus 2.0]", "", GOOD},
	{"! Title: x", "", GOOD},
};

static const struct list_row patterns[] = {
	{"/^ad[0-9]+\\./", "/^ad[0-9]+\\./", GOOD},
	{"/ad$/", "/ad$/", GOOD},
	{"@@/^ad[0-9]/", "allow:/^ad[0-9]/", GOOD},
	{"/^ad[0-9]/$important", "block!:/^ad[0-9]/", GOOD},
	{"@@/^ad[0-9]$/$important,client=kids", "allow!:/^ad[0-9]$/{client:kids}", GOOD},
	{"/^ad[0-9]/$dnstype=A", "/^ad[0-9]/{types:A}", GOOD},
	{"/^ad[0-9]/$dnsrewrite=NXDOMAIN", "/^ad[0-9]/{nxdomain}", GOOD},
	{"/^ad[0-9]/$dnsrewrite=192.0.2.1", "/^ad[0-9]/", GOOD},
	{"/^ad[0-9]/$dnsrewrite=other.example", "/^ad[0-9]/", GOOD},
	{"/^ad[0-9]/$script", "", NO(MODIFIER)},
	{"/^ad[0-9]/$denyallow=a.example", "", NO(MODIFIER)},
	{"/^https?:\\/\\/ads\\./", "", NO(URL)},
	{"//", "", NO(PATTERN)},
	{"/", "", NO(URL)},
	{"/!+/", "/!+/", GOOD},
	{"/~+/", "/~+/", GOOD},
	{"/a b+/", "", NO(PATTERN)},
	{"/\x7f+/", "", NO(PATTERN)},
	{"/\xc3\xbc+/", "", NO(PATTERN)},
	{"/^ad[0-9]", "", NO(URL)},
};

// What is not about one whole name.
static const struct list_row globs[] = {
	{"||ads-*.example.com^", "*.example.com{*.ads-*}", GOOD},
	{"||ads-*.example.com", "*.example.com{*.ads-*}", GOOD},
	{"||Ads**X.Example.com^|", "*.example.com{*.ads*x}", GOOD},
	{"@@||app.*.example.com^|", "allow:*.example.com{*.app.*}", GOOD},
	{"|ads-*.example.com^", "*.example.com{.ads-*}", GOOD},
	{"ads-*.example.com^", "*.example.com{.*ads-*}", GOOD},
	{"||ads*.x.co.uk^", "*.x.co.uk{*.ads*}", GOOD},
	{"||a.*b.*c.d.example.com^", "*.d.example.com{*.a.*b.*c}", GOOD},
	{"||*-ads.example.com^", "*.example.com{.*-ads}", GOOD},
	{"@@-ds.metric.example.com^|", "allow:*.metric.example.com{.*-ds}", GOOD},
	{".example.com^", "*.example.com", GOOD},
	{"|*.example.com^", "*.example.com", GOOD},
	{"||example.com^*", "example.com", GOOD},
	{"*.ads*.example.com^", "*.example.com{.*.ads*}", GOOD},
	{".ads*.example.com^", "*.example.com{.*.ads*}", GOOD},
	{"||ads-*.example.com^$important,dnstype=A", "block!:*.example.com{*.ads-*}{types:A}",
		GOOD},
	{"||ads-*.example.com^$client=kids,dnsrewrite=NXDOMAIN",
		"*.example.com{*.ads-*}{nxdomain}{client:kids}", GOOD},
	{"||ads-*.example.com^$dnsrewrite=192.0.2.1", "*.example.com{*.ads-*}", GOOD},
	{"||ads-*.example.com^$denyallow=ads-1.example.com", "", NO(MODIFIER)},
	{"||ads-*.example.com^$script", "", NO(MODIFIER)},
	{"||ads.", "/(^|\\.)ads\\./", GOOD},
	{"@@||ads.", "allow:/(^|\\.)ads\\./", GOOD},
	{"||ads*", "/(^|\\.)ads/", GOOD},
	{"||ads*^", "/(^|\\.)ads/", GOOD},
	{"||ads.*^", "/(^|\\.)ads\\./", GOOD},
	{"|ads.", "/^ads\\./", GOOD},
	{"://ads.", "/^ads\\./", GOOD},
	{"://ads-*.example.com^", "*.example.com{.ads-*}", GOOD},
	{"||ads-", "/(^|\\.)ads-/", GOOD},
	{"ads-", "/ads-/", GOOD},
	{"-banner-ad.", "/-banner-ad\\./", GOOD},
	{"-120x600-", "/-120x600-/", GOOD},
	{".ads-banner.", "/\\.ads-banner\\./", GOOD},
	{".example.com", "*.example.com", GOOD},
	{".example.com # x", "*.example.com", GOOD},
	{".example.com.", "", NO(EMPTY_LABEL)},
	{"-ads.example.com", "-ads.example.com", GOOD}, // may be a name of a list of names
	{"||ads-^", "", NO(SINGLE_LABEL)},
	{"@@://x.example.com^", "allow:=x.example.com", GOOD},
	{"://x.example.com/a", "", NO(URL)},
	{"*adserver*^", "/adserver/", GOOD},
	{"||ads*.com^$important", "block!:/(^|\\.)ads.*\\.com$/", GOOD},
	{"||ads.*.co.uk^", "/(^|\\.)ads\\..*\\.co\\.uk$/", GOOD},
	{"||ads*.local^", "", NO(SPECIAL)},
	{"||*.com^", "", NO(SINGLE_LABEL)},
	{".com^", "", NO(SINGLE_LABEL)},
	{"||*.co.uk^", "", NO(PUBLIC_SUFFIX)},
	{"||*^", "", NO(FILTER)},
	{"||a*^", "", NO(FILTER)},
	{"||a*.com^", "", NO(FILTER)},
	{"*-*.com^", "", NO(FILTER)},
	{"*ads*^", "", NO(FILTER)},
	{"||.ads*.example.com^", "", NO(FILTER)},
	{"||ads..*.example.com^", "", NO(FILTER)},
	{"||ads*!.example.com^", "", NO(FILTER)},
	{"||ads*.192.0.2.1^", "", NO(ADDRESS)},
	{"@@||192.168.", "", NO(ADDRESS)},
};

TEST(test_globs)
{
	static const struct list_options block = {0};
	static struct list_rig r;
	char text[200];
	list_rig_check(&block, globs, ARRAY_LEN(globs));
	// As much as the image takes, and a pattern beyond.
	for (unsigned len = RULE_GLOB_LEN_MAX - 2; len <= RULE_GLOB_LEN_MAX - 1; len++) {
		memset(text, 'a', sizeof(text));
		memcpy(text, "||*", 3);
		text[1] = '|';
		memset(text + 2, 'a', len);
		text[20] = '.';
		text[50] = '*';
		strcpy(text + 2 + len, ".example.com^");
		list_rig_parse(&r, &block, text, strlen(text), 4096);
		assert_int_equal(r.counts.patterns, len == RULE_GLOB_LEN_MAX - 1);
		assert_int_equal(r.counts.names, len == RULE_GLOB_LEN_MAX - 2);
	}
}

TEST(test_rules)
{
	static const struct list_options block = {0};
	list_rig_check(&block, rules, ARRAY_LEN(rules));
}

TEST(test_options)
{
	static const struct list_options block = {0};
	list_rig_check(&block, options, ARRAY_LEN(options));
}

TEST(test_pages)
{
	static const struct list_options block = {0};
	list_rig_check(&block, pages, ARRAY_LEN(pages));
}

TEST(test_patterns)
{
	static const struct list_options block = {0};
	static struct list_rig r;
	char text[LIST_PATTERN_MAX + 4];
	list_rig_check(&block, patterns, ARRAY_LEN(patterns));
	memset(text, '.', sizeof(text));
	text[0] = text[LIST_PATTERN_MAX + 1] = '/';
	list_rig_parse(&r, &block, text, LIST_PATTERN_MAX + 2, 4096);
	assert_int_equal(r.counts.patterns, 1);
	text[LIST_PATTERN_MAX + 1] = '.';
	text[LIST_PATTERN_MAX + 2] = '/';
	list_rig_parse(&r, &block, text, LIST_PATTERN_MAX + 3, 4096);
	assert_int_equal(r.counts.rejected[LIST_REJECT_PATTERN], 1);
}

TEST(test_role_allow)
{
	static const struct list_options allow = {.role = LIST_ROLE_ALLOW};
	static const struct list_row rows[] = {
		{"||example.com^", "allow:example.com", GOOD},
		{"@@||example.com^", "allow:example.com", GOOD},
		{"||example.com^$important", "allow!:example.com", GOOD},
		{"|example.com|", "allow:=example.com", GOOD},
		{"/^cdn[0-9]/", "allow:/^cdn[0-9]/", GOOD},
		{"||example.com^$denyallow=a.example.com", "", NO(MODIFIER)},
		{"||example.com^$dnsrewrite=192.0.2.1", "", NO(REWRITE)},
		{"||example.com/x", "", NO(URL)},
	};
	list_rig_check(&allow, rows, ARRAY_LEN(rows));
}

static int take_none(void *, const struct list_rule *)
{
	return 0;
}

// Each rule is one for each client: what a list takes of memory stays near its size.
TEST(test_copies_have_a_bound)
{
	enum { LINES = 700, CLIENTS = 8 };
	static const struct list_options block = {0};
	static struct list_parser p;
	char line[LIST_LINE_MAX];
	size_t len = (size_t)sprintf(line, "||e.ab^$client=1|2|3|4|5|6|7|8,denyallow=x.e.ab");
	while (len + 16 < sizeof(line))
		len += (size_t)sprintf(line + len, "|%zx.e.ab", len);
	list_parse_begin(&p, &block, take_none, NULL);
	for (unsigned i = 0; i < LINES; i++) {
		assert_int_equal(list_parse_feed(&p, line, len), 0);
		assert_int_equal(list_parse_feed(&p, "\n", 1), 0);
	}
	const unsigned taken = (unsigned)(LIST_COPIES_MAX / ((CLIENTS - 1) * len));
	assert_true(taken < LINES);
	assert_int_equal(p.counts.ruled, taken);
	assert_int_equal(p.counts.rejected[NO(COPIES)], LINES - taken);
	// One client needs no copy.
	static const char alone[] = "||e.ab^$client=1,denyallow=x.e.ab\n";
	assert_int_equal(list_parse_feed(&p, alone, strlen(alone)), 0);
	assert_int_equal(p.counts.ruled, taken + 1);
}
