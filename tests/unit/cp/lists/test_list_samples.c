// SPDX-License-Identifier: BSD-3-Clause

// Lists as people publish them, headers and oddities included; all names are ours.

#include "list_rig.h"
#include "tests/unit/unit.h"

static const struct list_options block = {0};

static const char *const hosts_sample[] = {
	"# Title: StevenBlack/hosts",
	"#",
	"# This hosts file is a merged collection of hosts from reputable sources,",
	"# with a dash of crowd sourcing via GitHub",
	"",
	"127.0.0.1 localhost",
	"127.0.0.1 localhost.localdomain",
	"127.0.0.1 local",
	"255.255.255.255 broadcasthost",
	"::1 localhost",
	"::1 ip6-localhost",
	"fe80::1%lo0 localhost",
	"ff00::0 ip6-localnet",
	"0.0.0.0 0.0.0.0",
	"",
	"# Start StevenBlack",
	"#=====================================",
	"0.0.0.0 ads.sample.example",
	"0.0.0.0 track_er.sample.example #[tracker]",
	"0.0.0.0 xn--80ak6aa92e.sample.example",
};

static void join(const char *const *line, size_t count, const char *end, char *out, size_t room)
{
	out[0] = 0;
	for (size_t i = 0; i < count; i++)
		snprintf(out + strlen(out), room - strlen(out), "%s%s", line[i], end);
}

TEST(test_hosts)
{
	static const char *const ends[] = {"\n", "\r\n", "\r"};
	static struct list_rig r = {.number_lines = true};
	char text[4096];
	for (size_t i = 0; i < ARRAY_LEN(ends); i++) {
		join(hosts_sample, ARRAY_LEN(hosts_sample), ends[i], text, sizeof(text));
		list_rig_parse(&r, &block, text, strlen(text), 100);
		assert_string_equal(r.text, "18:ads.sample.example 19:track_er.sample.example "
					    "20:xn--80ak6aa92e.sample.example ");
		assert_int_equal(r.counts.rejected[LIST_REJECT_SPECIAL], 8);
		assert_int_equal(r.counts.rejected[LIST_REJECT_ADDRESS], 1);
		assert_int_equal(list_counts_rejected(&r.counts), 9);
		assert_int_equal(r.counts.comments, 8);
	}
}

TEST(test_adblock)
{
	static const char text[] = "[Adblock Plus]\n"
				   "! Title: HaGeZi's Pro DNS Blocklist\n"
				   "! Expires: 1 day\n"
				   "! Number of entries: 3\n"
				   "||ads.sample.example^\n"
				   "||metrics.sample.example^\n"
				   "@@||cdn.metrics.sample.example^\n"
				   "||b\xc3\xbc"
				   "cher.sample.example^$important\n";
	static struct list_rig r;
	list_rig_parse(&r, &block, text, sizeof(text) - 1, 64);
	assert_string_equal(r.text, "ads.sample.example metrics.sample.example "
				    "allow:cdn.metrics.sample.example "
				    "block!:xn--bcher-kva.sample.example ");
	assert_int_equal(list_counts_rejected(&r.counts), 0);
	assert_int_equal(r.counts.comments, 4);
}

// A list for browsers, loaded by mistake: its rules about names are taken, those of paths are not.
TEST(test_page_filters)
{
	static const char text[] = "[Adblock Plus 2.0]\n"
				   "! *** easylist_general_block.txt ***\n"
				   "-ad-300x250.\n"
				   "&adserver=\n"
				   "/ads/banner/*\n"
				   "/pagead/js?\n"
				   "||ads.sample.example^\n"
				   "||sample.example^$third-party\n"
				   "||sample.example/ads/$script,domain=news.example\n"
				   "||pop.sample.example^$popup,third-party\n"
				   "@@||news.example^$generichide\n"
				   "@@||news.example/player.js$script\n"
				   "news.example,shop.example##.sponsored\n"
				   "news.example#@#.sponsored\n"
				   "###ad-top\n"
				   "##.ad-banner\n"
				   "shop.example##+js(set, ads, true)\n";
	static struct list_rig r;
	list_rig_parse(&r, &block, text, sizeof(text) - 1, 64);
	assert_string_equal(r.text, "/-ad-300x250\\./ ads.sample.example ");
	assert_int_equal(r.counts.rejected[LIST_REJECT_MODIFIER], 3);
	assert_int_equal(r.counts.ruled, 2);
}

TEST(test_rpz)
{
	static const char text[] =
		"$TTL 300\n"
		"@ SOA localhost. root.localhost. 1700000000 43200 3600 86400 300\n"
		"  NS  localhost.\n"
		";\n"
		"; Title: OISD small\n"
		";\n"
		"ads.sample.example CNAME .\n"
		"*.ads.sample.example CNAME .\n";
	static struct list_rig r;
	list_rig_parse(&r, &block, text, sizeof(text) - 1, 64);
	assert_string_equal(r.text, "=ads.sample.example{nxdomain} "
				    "*.ads.sample.example{nxdomain} ");
	assert_int_equal(list_counts_rejected(&r.counts), 0);
}

// What a server sends when the list is gone.
TEST(test_html)
{
	static const char text[] = "<!DOCTYPE html>\n<html>\n<head><title>404</title></head>\n"
				   "<body>\n<h1>Not Found</h1>\n"
				   "<p>See <a href=\"https://sample.example/\">home</a>.</p>\n"
				   "</body>\n</html>\n";
	static struct list_rig r;
	list_rig_parse(&r, &block, text, sizeof(text) - 1, 64);
	assert_string_equal(r.text, "");
	assert_int_equal(r.counts.refused, 8);
}
