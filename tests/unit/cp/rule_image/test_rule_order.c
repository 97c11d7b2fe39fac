// SPDX-License-Identifier: BSD-3-Clause

// Rules of lists that meet at a name: which one decides, whatever else the lists hold.

#include "controlplane/lists/list_parse.h"
#include "rule_fixture.h"

#include <weir/rule_data.h>

// Images of lists as text, and what they decide.

static void rule_text_add(struct rule_builder *b, const char *title, const char *text)
{
	const struct list_options options = {0};
	struct list_parser p;
	assert_int_equal(rule_builder_source(b, title), 0);
	list_parse_begin(&p, &options, rule_builder_rule, b);
	assert_int_equal(list_parse_feed(&p, text, strlen(text)), 0);
	assert_int_equal(list_parse_end(&p), 0);
}

// Of up to four lists, "list 0" the first; empty operator's entries are in front of them.
static struct rule_reader rule_texts_image(const char *const text[4], struct rule_arena *out)
{
	struct rule_builder *b = fixture_builder();
	struct rule_reader r;
	char why[128];
	rule_text_add(b, "allow entries", "");
	rule_text_add(b, "deny entries", "");
	for (unsigned i = 0; i < 4 && text[i]; i++)
		rule_text_add(b, text_from("list %u", i), text[i]);
	fixture_finish(b, out);
	assert_int_equal(rule_reader_init(&r, out->base, out->size, true, why), 0);
	return r;
}

// "pass", or the action, the reply and the list: "block nxdomain 0".
static const char *rule_texts_say(const struct rule_reader *r, const char *name, uint16_t qtype)
{
	static const uint64_t all[4] = {UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX};
	const struct dns_name asked = fixture_name(name);
	struct rule_verdict v;
	rule_decide(r, &asked, qtype, all, &v);
	if (!v.d.matched)
		return "pass";
	return text_from("%s %s %u", v.d.allowed ? "allow" : rule_action_name[v.d.action],
		rule_reply_name[v.d.reply], rule_list_info(r, v.d.list)->source - 2U);
}

struct meeting {
	const char *lists[4], *name, *says;
};

static void meet(const struct meeting *m, const char *first)
{
	struct rule_arena *a = fixture_arena();
	const char *lists[4];
	for (unsigned i = 0; i < ARRAY_LEN(lists); i++)
		lists[i] = m->lists[i] ? text_from("%s%s", first, m->lists[i]) : NULL;
	struct rule_reader r = rule_texts_image(lists, a);
	const char *said = rule_texts_say(&r, m->name, DNS_TYPE_A);
	if (strcmp(said, m->says) != 0)
		fail_msg("%s behind \"%s\": %s, not %s", m->lists[0], first, said, m->says);
}

// Whatever kinds of rules occurred first, in this list and in the image before.
TEST(test_reply_at_one_name)
{
	static const struct meeting meetings[] = {
		{{"||a.test^\n||a.test^$dnsrewrite=192.0.2.1\n"}, "a.test", "data data 0"},
		{{"||a.test^$dnsrewrite=192.0.2.1\n||a.test^\n"}, "a.test", "data data 0"},
		{{"||a.test^$dnsrewrite=192.0.2.1\n||a.test^$dnsrewrite=NXDOMAIN\n"}, "a.test",
			"block nxdomain 0"},
		{{"||a.test^$dnsrewrite=NXDOMAIN\n||a.test^$dnsrewrite=REFUSED\n"}, "a.test",
			"block refused 0"},
		{{"||a.test^$dnsrewrite=NOERROR\n||a.test^$dnsrewrite=192.0.2.1\n"}, "a.test",
			"data data 0"},
		{{"||a.test^$important\n||a.test^$important,dnsrewrite=192.0.2.1\n"}, "a.test",
			"data data 0"},
		{{"0.0.0.0 a.test\naddress=/a.test/192.0.2.1\n"}, "a.test", "data data 0"},
		{{"a.test\n", "||a.test^$dnsrewrite=192.0.2.1\n"}, "a.test", "data data 1"},
		{{"||a.test^$dnsrewrite=192.0.2.1\n", "||a.test^$dnsrewrite=REFUSED\n"}, "a.test",
			"data data 0"},
	};
	static const char *const first[] = {"", "||x.test^$dnsrewrite=192.0.2.9\n",
		"||x.test^$dnsrewrite=NXDOMAIN\n", "||x.test^\n", "||x.test^$important\n",
		"||x.test^$dnsrewrite=REFUSED\n", "||x.test^$dnsrewrite=NOERROR\n",
		"||x.test^$important,dnsrewrite=192.0.2.9\n"};
	for (unsigned i = 0; i < ARRAY_LEN(meetings); i++)
		for (unsigned k = 0; k < ARRAY_LEN(first); k++)
			meet(&meetings[i], first[k]);
}

// An exception is of the rule that names it, and of no other.
TEST(test_exceptions)
{
	static const struct meeting meetings[] = {
		{{"||a.test^$denyallow=x.ads.a.test\n"}, "x.ads.a.test", "pass"},
		{{"||a.test^$denyallow=x.ads.a.test\n"}, "www.x.ads.a.test", "pass"},
		{{"||a.test^$denyallow=x.ads.a.test\n"}, "ads.a.test", "block group 0"},
		{{"||a.test^$denyallow=x.ads.a.test\n||ads.a.test^\n"}, "x.ads.a.test",
			"block group 0"},
		{{"||ads.a.test^\n||a.test^$denyallow=x.ads.a.test\n"}, "x.ads.a.test",
			"block group 0"},
		{{"||a.test^\n||a.test^$denyallow=x.a.test\n"}, "x.a.test", "block group 0"},
		{{"||a.test^$denyallow=x.a.test|y.a.test\n"}, "y.a.test", "pass"},
		{{"||a.test^$denyallow=x.ads.a.test\n||ads.a.test^$denyallow=y.ads.a.test\n"},
			"x.ads.a.test", "block group 0"},
		{{"||a.test^$denyallow=x.ads.a.test\n||ads.a.test^$denyallow=x.ads.a.test\n"},
			"x.ads.a.test", "pass"},
		{{"||a.test^$denyallow=x.a.test\n||a.test^$dnstype=A\n"}, "x.a.test",
			"block group 0"},
		{{"||a.test^$denyallow=x.a.test,dnstype=A\n||a.test^$dnstype=A\n"}, "x.a.test",
			"block group 0"},
		{{"||a.test^$denyallow=x.a.test\n", "a.test\n"}, "x.a.test", "block group 1"},
		{{"||a.test^$denyallow=x.a.test\n||x.a.test^\n"}, "x.a.test", "block group 0"},
	};
	for (unsigned i = 0; i < ARRAY_LEN(meetings); i++) {
		meet(&meetings[i], "");
		meet(&meetings[i], "||other.test^$denyallow=x.other.test\n");
	}
}

// RFC 4592 3.3.1: a wildcard is not for names at, or below, one that the zone has.
TEST(test_zone_wildcards)
{
	static const struct meeting meetings[] = {
		{{"*.a.test CNAME .\n"}, "x.y.a.test", "block nxdomain 0"},
		{{"*.a.test CNAME .\n"}, "a.test", "pass"},
		{{"*.a.test CNAME .\nsub.a.test CNAME *.\n"}, "sub.a.test", "block nodata 0"},
		{{"*.a.test CNAME .\nsub.a.test CNAME *.\n"}, "x.sub.a.test", "pass"},
		{{"sub.a.test CNAME *.\n*.a.test CNAME .\n"}, "y.x.sub.a.test", "pass"},
		{{"*.a.test CNAME .\nsub.a.test CNAME *.\n"}, "x.other.a.test", "block nxdomain 0"},
		{{"*.a.test CNAME .\nx.ent.a.test CNAME *.\n"}, "ent.a.test", "pass"},
		{{"*.a.test CNAME .\nx.ent.a.test CNAME *.\n"}, "y.ent.a.test", "pass"},
		{{"*.a.test CNAME .\n*.sub.a.test CNAME *.\n"}, "sub.a.test", "pass"},
		{{"*.a.test CNAME .\n*.sub.a.test CNAME *.\n"}, "x.sub.a.test", "block nodata 0"},
		{{"*.a.test CNAME rpz-passthru.\nsub.a.test CNAME .\n"}, "x.sub.a.test", "pass"},
		{{"*.a.test CNAME rpz-passthru.\nsub.a.test CNAME .\n", "sub.a.test\n"},
			"x.sub.a.test", "block group 1"},
		// Of one zone alone.
		{{"*.a.test CNAME .\n", "sub.a.test CNAME *.\n"}, "x.sub.a.test",
			"block nxdomain 0"},
	};
	for (unsigned i = 0; i < ARRAY_LEN(meetings); i++)
		meet(&meetings[i], "");
}

// The first zone that has a rule decides, and in it the nearest name.
TEST(test_zones)
{
	static const struct meeting meetings[] = {
		{{"a.test CNAME .\n", "a.test CNAME rpz-passthru.\n"}, "a.test",
			"block nxdomain 0"},
		{{"a.test CNAME rpz-passthru.\n", "a.test CNAME .\n"}, "a.test", "allow group 0"},
		{{"*.a.test CNAME .\n", "b.a.test CNAME *.\n"}, "b.a.test", "block nxdomain 0"},
		{{"b.a.test CNAME *.\n", "*.a.test CNAME .\n"}, "b.a.test", "block nodata 0"},
		{{"*.a.test CNAME rpz-passthru.\n*.x.a.test CNAME .\n"}, "y.x.a.test",
			"block nxdomain 0"},
		{{"*.a.test CNAME .\n*.x.a.test CNAME rpz-passthru.\n"}, "y.x.a.test",
			"allow group 0"},
		{{"a.test CNAME rpz-passthru.\n", "a.test\n"}, "a.test", "allow group 0"},
		{{"a.test\n", "a.test CNAME rpz-passthru.\n"}, "a.test", "allow group 1"},
		{{"a.test CNAME .\n", "@@||a.test^\n"}, "a.test", "allow group 1"},
		{{"a.test CNAME rpz-passthru.\n", "||a.test^$important\n"}, "a.test",
			"block group 1"},
		{{"a.test CNAME garden.test.\n"}, "a.test", "resolve resolve 0"},
	};
	for (unsigned i = 0; i < ARRAY_LEN(meetings); i++)
		meet(&meetings[i], "");
}

// It takes rewrites back, of any list and wherever in the name, and nothing else.
TEST(test_exceptions_for_rewrites)
{
	static const struct meeting meetings[] = {
		{{"||a.test^$dnsrewrite=192.0.2.1\n@@||a.test^$dnsrewrite\n"}, "a.test", "pass"},
		{{"||a.test^$dnsrewrite=192.0.2.1\n", "@@||a.test^$dnsrewrite\n"}, "x.a.test",
			"pass"},
		{{"@@||a.test^$dnsrewrite\n", "||x.a.test^$dnsrewrite=o.test\n"}, "x.a.test",
			"pass"},
		{{"||a.test^$dnsrewrite=SERVFAIL\n", "@@||x.a.test^$dnsrewrite\n"}, "a.test",
			"block servfail 0"},
		{{"||a.test^$dnsrewrite=FORMERR\n", "@@||a.test^$dnsrewrite\n"}, "a.test", "pass"},
		{{"||a.test^$dnsrewrite=FORMERR\n"}, "a.test", "block group 0"},
		{{"||x*.a.test^$dnsrewrite=REFUSED\n", "@@||*x.a.test^$dnsrewrite\n"}, "xx.a.test",
			"pass"},
		{{"||x*.a.test^$dnsrewrite=REFUSED\n", "@@||*y.a.test^$dnsrewrite\n"}, "xx.a.test",
			"block refused 0"},
		{{"||a.test^$dnsrewrite=NXDOMAIN\n", "@@||a.test^$dnsrewrite=NXDOMAIN\n"}, "a.test",
			"pass"},
		{{"||a.test^$dnsrewrite=NXDOMAIN\n||a.test^$dnsrewrite=192.0.2.1\n",
			 "@@||a.test^$dnsrewrite=NXDOMAIN\n"},
			"a.test", "data data 0"},
		{{"||a.test^$dnsrewrite=REFUSED\n", "@@||a.test^$dnsrewrite=NXDOMAIN\n"}, "a.test",
			"block refused 0"},
		{{"||a.test^$dnsrewrite=REFUSED\na.test\n", "@@||a.test^$dnsrewrite\n"}, "a.test",
			"block group 0"},
		{{"address=/a.test/192.0.2.1\n", "@@||a.test^$dnsrewrite\n"}, "a.test",
			"data data 0"},
		{{"||a.test^$important,dnsrewrite=REFUSED\n", "@@||a.test^$dnsrewrite\n"}, "a.test",
			"block refused 0"},
		{{"||a.test^$important,dnsrewrite=REFUSED\n", "@@||a.test^$dnsrewrite,important\n"},
			"a.test", "pass"},
		{{"||a.test^$dnsrewrite=REFUSED\n", "@@||a.test^$dnsrewrite,dnstype=AAAA\n"},
			"a.test", "block refused 0"},
		{{"||a.test^$dnsrewrite=REFUSED\n", "@@||a.test^$dnsrewrite,dnstype=A\n"}, "a.test",
			"pass"},
		{{"||a.test^$dnsrewrite=NXDOMAIN\n||a.test^$dnsrewrite=REFUSED,badfilter\n",
			 "@@||a.test^$dnsrewrite\n@@||a.test^$dnsrewrite,badfilter\n"},
			"a.test", "block nxdomain 0"},
	};
	for (unsigned i = 0; i < ARRAY_LEN(meetings); i++) {
		meet(&meetings[i], "");
		meet(&meetings[i], "||other.test^$denyallow=x.other.test\n");
	}
}

// $badfilter takes the same rule of its list away, in front of it or behind, and nothing else.
TEST(test_badfilter)
{
	static const struct meeting meetings[] = {
		{{"||a.test^\n||a.test^$badfilter\n"}, "a.test", "pass"},
		{{"||a.test^$badfilter\n||a.test^\n||a.test^\n"}, "x.a.test", "pass"},
		{{"a.test\n||a.test^$badfilter\n"}, "a.test", "pass"},
		{{"||a.test^\n||b.test^$badfilter\n"}, "a.test", "block group 0"},
		{{"||a.test^\n||x.a.test^$badfilter\n"}, "x.a.test", "block group 0"},
		{{"||a.test^\n|a.test^$badfilter\n"}, "a.test", "block group 0"},
		{{"||a.test^\n||a.test^$important,badfilter\n"}, "a.test", "block group 0"},
		{{"||a.test^$important\n||a.test^$badfilter\n"}, "a.test", "block group 0"},
		{{"||a.test^$important\n||a.test^$badfilter,important\n"}, "a.test", "pass"},
		{{"||a.test^$dnstype=A\n||a.test^$dnstype=A,badfilter\n"}, "a.test", "pass"},
		{{"||a.test^$dnstype=A\n||a.test^$dnstype=AAAA,badfilter\n"}, "a.test",
			"block group 0"},
		{{"||a.test^\n@@||a.test^\n@@||a.test^$badfilter\n"}, "a.test", "block group 0"},
		{{"||a.test^$badfilter\n", "||a.test^\n"}, "a.test", "block group 1"},
		{{"||a.test^\n", "||a.test^$badfilter\n"}, "a.test", "block group 0"},
		{{"||a*.b.test^\n||a*.b.test^$badfilter\n"}, "a1.b.test", "pass"},
		{{"||a*.b.test^\n||*1.b.test^\n||a*.b.test^$badfilter\n"}, "a1.b.test",
			"block group 0"},
		{{"||a*.b.test^\n||*2.b.test^\n||a*.b.test^$badfilter\n"}, "a1.b.test", "pass"},
		{{"||a*.b.test^\n||b*.b.test^$badfilter\n"}, "a1.b.test", "block group 0"},
		{{"||a.test^$dnsrewrite=192.0.2.1\n||a.test^$dnsrewrite=192.0.2.1,badfilter\n"},
			"a.test", "pass"},
		{{"||a.test^$dnsrewrite=192.0.2.1\n||a.test^$dnsrewrite=192.0.2.2,badfilter\n"},
			"a.test", "data data 0"},
		{{"||a.test^$dnsrewrite=b.test\n||a.test^$dnsrewrite=b.test,badfilter\n"}, "a.test",
			"pass"},
		{{"||a.test^$dnsrewrite=REFUSED\n||a.test^$dnsrewrite=REFUSED,badfilter\n"},
			"a.test", "pass"},
	};
	for (unsigned i = 0; i < ARRAY_LEN(meetings); i++) {
		meet(&meetings[i], "");
		meet(&meetings[i], "||other.test^$badfilter\n||other.test^\n");
	}
}

// Of the records of a name, and of patterns and prefixes, the ones that it does not name stay.
TEST(test_badfilter_leaves)
{
	static const char *const lists[4] = {"/^p1/\n||192.0.2.7^\n",
		"||a.test^$dnsrewrite=192.0.2.1\n||a.test^$dnsrewrite=192.0.2.2\n"
		"||a.test^$dnsrewrite=192.0.2.1,badfilter\n||b.test^$dnsrewrite=192.0.2.1\n"
		"/^p1/\n/^p2/\n/^p1/$badfilter\n||192.0.2.7^\n||192.0.2.8^\n"
		"||192.0.2.7^$badfilter\n"};
	static const uint64_t all[4] = {UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX};
	struct rule_reader r = rule_texts_image(lists, fixture_arena());
	struct rule_verdict v;
	struct dns_name name = fixture_name("a.test");
	struct dns_answer_view view;
	rule_decide(&r, &name, DNS_TYPE_A, all, &v);
	assert_true(v.d.matched);
	assert_true(rule_data_find(&r, v.hash, v.d.list, DNS_TYPE_A, &view));
	assert_int_equal(view.ancount, 1);
	assert_memory_equal(view.bytes + view.len - 4, "\xc0\x00\x02\x02", 4);
	assert_int_equal(r.pattern_count, 2);
	assert_int_equal(r.prefix_count, 2);
}
