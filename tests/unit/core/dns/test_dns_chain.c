// SPDX-License-Identifier: BSD-3-Clause

// Answers over CNAMEs and DNAMEs: order, bounds, ends, and CNAMEs that the reply lacks.

#include "dns_build.h"

static struct dns_build b;
static struct dns_answer answer;

static const char *print(void)
{
	return build_print(&b, &answer);
}

TEST(test_chain_in_any_order)
{
	build_reply(&b, 0, "a.example.com", DNS_TYPE_A);
	build_a(&b, "c.cdn.net", 20, "\1\2\3\4");
	build_cname(&b, "b.example.com", 100, "c.cdn.net");
	build_cname(&b, "a.example.com", 60, "B.example.com");
	build_cname(&b, "x.example.com", 60, "a.example.com");
	assert_int_equal(build_read(&b, &build_wide, false, &answer), 0);
	assert_int_equal(answer.kind, DNS_ANSWER_POSITIVE);
	assert_int_equal(answer.cname_count, 2);
	assert_int_equal(answer.ttl_s, 20);
	assert_string_equal(print(), "a.example.com 60 5 b.example.com\n"
				     "b.example.com 100 5 c.cdn.net\n"
				     "c.cdn.net 20 1 [4]\n");
}

static void build_chain(unsigned hops)
{
	char from[32], to[32];
	build_reply(&b, 0, "n0.example", DNS_TYPE_A);
	for (unsigned i = 0; i < hops; i++) {
		snprintf(from, sizeof(from), "n%u.example", i);
		snprintf(to, sizeof(to), "n%u.example", i + 1);
		build_cname(&b, from, 60, to);
	}
	build_a(&b, to, 60, "\1\2\3\4");
}

TEST(test_chain_limit)
{
	build_chain(DNS_ANSWER_CNAME_MAX);
	assert_int_equal(DNS_ANSWER_CNAME_MAX, 16); // docs/reference/bounds.md
	assert_int_equal(build_read(&b, &build_wide, false, &answer), 0);
	assert_int_equal(answer.cname_count, DNS_ANSWER_CNAME_MAX);
	assert_int_equal(answer.kind, DNS_ANSWER_POSITIVE);
	build_chain(DNS_ANSWER_CNAME_MAX + 1);
	assert_int_equal(build_read(&b, &build_wide, false, &answer), -ELOOP);

	build_reply(&b, 0, "a.example", DNS_TYPE_A);
	build_cname(&b, "a.example", 60, "b.example");
	build_cname(&b, "b.example", 60, "a.example");
	assert_int_equal(build_read(&b, &build_wide, false, &answer), -ELOOP);
	build_reply(&b, 0, "a.example", DNS_TYPE_CNAME); // asked for itself it is no chain
	build_cname(&b, "a.example", 60, "a.example");
	assert_int_equal(build_read(&b, &build_wide, false, &answer), 0);
	assert_int_equal(answer.cname_count, 0);
}

TEST(test_dname)
{
	build_reply(&b, 0, "x.old.example", DNS_TYPE_A);
	build_dname(&b, "old.example", 50, "new.example");
	build_rrsig(&b, SECTION_ANSWER, "old.example", DNS_TYPE_DNAME, 50);
	build_dname(&b, "example", 50, "elsewhere");
	build_cname(&b, "x.old.example", 50, "x.new.example");
	build_a(&b, "x.new.example", 60, "\1\2\3\4");
	assert_int_equal(build_read(&b, &build_wide, false, &answer), 0);
	assert_string_equal(print(), "old.example 50 39 new.example\n"
				     "x.old.example 50 5 x.new.example\n"
				     "x.new.example 60 1 [4]\n");
	assert_int_equal(build_read(&b, &build_wide, true, &answer), 0);
	assert_int_equal(answer.ancount, 4);
}

TEST(test_dname_of_a_cname_asked_for)
{
	static const uint16_t types[] = {DNS_TYPE_CNAME, DNS_TYPE_ANY};
	for (size_t i = 0; i < ARRAY_LEN(types); i++) {
		build_reply(&b, 0, "x.old.example", types[i]);
		build_dname(&b, "old.example", 50, "new.example");
		build_rrsig(&b, SECTION_ANSWER, "old.example", DNS_TYPE_DNAME, 50);
		build_dname(&b, "example", 50, "elsewhere");
		build_cname(&b, "x.old.example", 50, "x.new.example");
		assert_int_equal(build_read(&b, &build_wide, false, &answer), 0);
		assert_string_equal(print(), "old.example 50 39 new.example\n"
					     "x.old.example 50 5 x.new.example\n");
		assert_int_equal(build_read(&b, &build_wide, true, &answer), 0);
		assert_int_equal(answer.ancount, 3);
	}
}

// A DNAME may come without its CNAME: who caches makes it (RFC 6672 3.4, 5.3.1).
TEST(test_dname_without_its_cname)
{
	build_reply(&b, 0, "A.x.old.example", DNS_TYPE_A);
	build_a(&b, "a.x.newer.example", 60, "\1\2\3\4");
	build_dname(&b, "new.example", 40, "newer.example");
	build_dname(&b, "old.example", 50, "New.example");
	build_rrsig(&b, SECTION_ANSWER, "old.example", DNS_TYPE_DNAME, 50);
	assert_int_equal(build_read(&b, &build_wide, false, &answer), 0);
	assert_int_equal(answer.kind, DNS_ANSWER_POSITIVE);
	assert_int_equal(answer.cname_count, 2);
	assert_int_equal(answer.ttl_s, 40);
	assert_string_equal(print(), "old.example 50 39 new.example\n"
				     "a.x.old.example 50 5 a.x.new.example\n"
				     "new.example 40 39 newer.example\n"
				     "a.x.new.example 40 5 a.x.newer.example\n"
				     "a.x.newer.example 60 1 [4]\n");
	assert_int_equal(build_read(&b, &build_wide, true, &answer), 0);
	assert_int_equal(answer.ancount, 6);
}

// It holds for the names below its owner alone, and records at the name itself come first.
TEST(test_dname_that_makes_no_cname)
{
	static const char *const names[] = {"old.example", "xold.example", "example"};
	for (unsigned i = 0; i < ARRAY_LEN(names); i++) {
		build_reply(&b, 0, names[i], DNS_TYPE_A);
		build_dname(&b, "old.example", 50, "new.example");
		assert_int_equal(build_read(&b, &build_wide, false, &answer), 0);
		assert_int_equal(answer.ancount, 0);
	}
	build_reply(&b, 0, "x.old.example", DNS_TYPE_A);
	build_dname(&b, "old.example", 50, "new.example");
	build_a(&b, "x.old.example", 60, "\1\2\3\4");
	assert_int_equal(build_read(&b, &build_wide, false, &answer), 0);
	assert_string_equal(print(), "x.old.example 60 1 [4]\n");
}

TEST(test_cname_of_a_dname_asked_for)
{
	static const uint16_t types[] = {DNS_TYPE_CNAME, DNS_TYPE_ANY};
	for (size_t i = 0; i < ARRAY_LEN(types); i++) {
		build_reply(&b, 0, "x.old.example", types[i]);
		build_dname(&b, "old.example", 50, "new.example");
		assert_int_equal(build_read(&b, &build_wide, false, &answer), 0);
		assert_int_equal(answer.kind, DNS_ANSWER_POSITIVE);
		assert_int_equal(answer.cname_count, 0);
		assert_string_equal(print(), "old.example 50 39 new.example\n"
					     "x.old.example 50 5 x.new.example\n");
	}
}

// Circles of DNAMEs, and one below its own target, end as those of CNAMEs do.
TEST(test_dnames_without_end)
{
	static const char *const targets[] = {"new.example", "y.old.example"};
	for (unsigned i = 0; i < ARRAY_LEN(targets); i++) {
		build_reply(&b, 0, "x.old.example", DNS_TYPE_A);
		build_dname(&b, "old.example", 50, targets[i]);
		build_dname(&b, "new.example", 50, "old.example");
		assert_int_equal(build_read(&b, &build_wide, false, &answer), -ELOOP);
	}
}

// CNAMEs without records or a SOA for the name that they lead to; a SOA of that name's zone, or
// NXDOMAIN, is an end.
TEST(test_a_chain_without_end)
{
	static const struct {
		unsigned rcode;
		const char *soa;
		bool is_open;
	} cases[] = {{0, NULL, true}, {0, "here.example", true}, {0, "there.example", false},
		{DNS_RCODE_NXDOMAIN, NULL, false}, {DNS_RCODE_NXDOMAIN, "here.example", false}};
	for (unsigned i = 0; i < ARRAY_LEN(cases); i++) {
		build_reply(&b, cases[i].rcode, "a.here.example", DNS_TYPE_A);
		build_cname(&b, "a.here.example", 60, "b.there.example");
		if (cases[i].soa)
			build_soa(&b, cases[i].soa, 900, 600);
		assert_int_equal(build_read(&b, &build_wide, false, &answer), 0);
		assert_int_equal(answer.is_open, cases[i].is_open);
		assert_int_equal(answer.reply_cnames, 1);
	}
	build_reply(&b, 0, "a.here.example", DNS_TYPE_A);
	assert_int_equal(build_read(&b, &build_wide, false, &answer), 0);
	assert_false(answer.is_open);
	build_reply(&b, 0, "a.here.example", DNS_TYPE_CNAME);
	build_cname(&b, "a.here.example", 60, "b.there.example");
	assert_int_equal(build_read(&b, &build_wide, false, &answer), 0);
	assert_false(answer.is_open);
}

// Two replies and a local CNAME between them, as one answer. Of the first one only two of three
// CNAMEs count.
TEST(test_a_chain_of_two_replies)
{
	static uint8_t first[DNS_MESSAGE_MAX];
	struct dns_alias local = {.ttl_s = 70, .target = name_of_text("d.test")};
	struct dns_name first_name = name_of_text("a.x.old.example");
	memcpy(local.spelling, "\1D\4test", 8);
	build_reply(&b, DNS_RCODE_NXDOMAIN, "A.x.old.example", DNS_TYPE_A);
	build_dname(&b, "old.example", 50, "new.example");
	build_cname(&b, "a.x.new.example", 60, "c.test");
	build_cname(&b, "c.test", 60, "elsewhere.test");
	build_rrsig(&b, SECTION_ANSWER, "a.x.new.example", DNS_TYPE_CNAME, 60);
	build_soa(&b, "test", 900, 600);
	const struct dns_query q = build_query(&b, true);
	struct dns_chain chain = {.asked = &first_name};
	assert_int_equal(
		dns_answer_read_chain(b.buf, b.w.pos, &chain, &q, 2, &build_wide, &answer), 0);
	assert_int_equal(answer.kind, DNS_ANSWER_NODATA);
	assert_true(answer.is_open);
	assert_int_equal(answer.rcode, 0);
	assert_int_equal(answer.nscount, 0);
	assert_int_equal(answer.ancount, 4);
	chain.before = first;
	chain.before_len = build_whole(&answer, &q, first);
	build_reply(&b, 0, "d.test", DNS_TYPE_A);
	build_a(&b, "D.test", 40, "\1\2\3\4");
	chain.asked = &local.target;
	chain.alias = &local;
	chain.count = 1;
	assert_int_equal(
		dns_answer_read_chain(b.buf, b.w.pos, &chain, &q, 0, &build_wide, &answer), 0);
	assert_int_equal(answer.kind, DNS_ANSWER_POSITIVE);
	assert_int_equal(answer.cname_count, 3);
	assert_int_equal(answer.reply_cnames, 0);
	assert_int_equal(answer.ttl_s, 40);
	build_reply(&b, 0, "A.x.old.example", DNS_TYPE_A);
	assert_string_equal(print(), "old.example 50 39 new.example\n"
				     "a.x.old.example 50 5 a.x.new.example\n"
				     "a.x.new.example 60 5 c.test\n"
				     "a.x.new.example 60 46 [34]\n"
				     "c.test 70 5 d.test\n"
				     "d.test 40 1 [4]\n");
}

// A signed CNAME at `owner`, of two labels or made of a wildcard, and a signed NSEC.
static struct dns_query signed_hop(const char *owner)
{
	build_reply(&b, 0, owner, DNS_TYPE_A);
	build_cname(&b, owner, 60, "c.test");
	build_rrsig(&b, SECTION_ANSWER, owner, DNS_TYPE_CNAME, 60);
	build_a(&b, "c.test", 60, "\1\2\3\4");
	build_rr(&b, SECTION_AUTHORITY, "m.example", DNS_TYPE_NSEC, 60, "\1z\7example\0\0\1\2", 14);
	build_rrsig(&b, SECTION_AUTHORITY, "m.example", DNS_TYPE_NSEC, 60);
	return build_query(&b, true);
}

// The proof that no name is nearer than the wildcard goes along with its CNAME, once; a validator
// believes none of the chain without it.
TEST(test_proofs_of_wildcards_go_along)
{
	static uint8_t first[DNS_MESSAGE_MAX];
	const struct dns_name asked = name_of_text("a.wild.example"), next = name_of_text("c.test");
	const struct dns_query q = signed_hop("a.wild.example");
	struct dns_chain chain = {.asked = &asked};
	assert_int_equal(
		dns_answer_read_chain(b.buf, b.w.pos, &chain, &q, 1, &build_wide, &answer), 0);
	assert_int_equal(answer.nscount, 2);
	chain = (struct dns_chain){
		.asked = &next, .before = first, .before_len = build_whole(&answer, &q, first)};
	for (unsigned twice = 0; twice < 2; twice++) {
		build_reply(&b, 0, "c.test", DNS_TYPE_A);
		build_a(&b, "c.test", 40, "\1\2\3\4");
		build_rr(&b, SECTION_AUTHORITY, twice ? "m.example" : "n.example", DNS_TYPE_NSEC,
			60, "\1z\7example\0\0\1\2", 14);
		assert_int_equal(
			dns_answer_read_chain(b.buf, b.w.pos, &chain, &q, 0, &build_wide, &answer),
			0);
		assert_int_equal(answer.ancount, 3);
		assert_int_equal(answer.nscount, twice ? 2 : 3);
		build_reply(&b, 0, "a.wild.example", DNS_TYPE_A);
		assert_string_equal(print(), twice ? "a.wild.example 60 5 c.test\n"
						     "a.wild.example 60 46 [34]\n"
						     "c.test 40 1 [4]\n"
						     "m.example 60 47 [14]\n"
						     "m.example 60 46 [34]\n"
						   : "a.wild.example 60 5 c.test\n"
						     "a.wild.example 60 46 [34]\n"
						     "c.test 40 1 [4]\n"
						     "n.example 60 47 [14]\n"
						     "m.example 60 47 [14]\n"
						     "m.example 60 46 [34]\n");
	}
}

// They say nothing of a CNAME that is there, and go to nobody else.
TEST(test_proofs_of_other_names_stay_behind)
{
	const struct dns_name there = name_of_text("a.example"),
			      made = name_of_text("a.wild.example");
	struct dns_query q = signed_hop("a.example");
	struct dns_chain chain = {.asked = &there};
	assert_int_equal(
		dns_answer_read_chain(b.buf, b.w.pos, &chain, &q, 1, &build_wide, &answer), 0);
	assert_int_equal(answer.nscount, 0);
	q = signed_hop("a.wild.example");
	q.dnssec_ok = false;
	chain.asked = &made;
	assert_int_equal(
		dns_answer_read_chain(b.buf, b.w.pos, &chain, &q, 1, &build_wide, &answer), 0);
	assert_int_equal(answer.nscount, 0);
}

// The server did not send what is before its reply.
TEST(test_what_is_before_is_no_fault_of_the_reply)
{
	const struct dns_name next = name_of_text("c.test");
	struct dns_query q = signed_hop("a.wild.example");
	const struct dns_chain chain = {
		.asked = &next, .before = (const uint8_t *)"no message", .before_len = 10};
	build_reply(&b, 0, "c.test", DNS_TYPE_A);
	build_a(&b, "c.test", 40, "\1\2\3\4");
	assert_int_equal(dns_answer_read_chain(b.buf, b.w.pos, &chain, &q, 0, &build_wide, &answer),
		-EPROTO);
}

// What a DNAME makes too long is answered by YXDOMAIN and the DNAME (RFC 6672 2.2), also at the end
// of a chain; a YXDOMAIN without one that does is a failure like any other rcode.
TEST(test_dname_that_makes_too_long)
{
	enum { LONG = 250, FITS = 4 }; // of the target, and of the label that goes in front of it
	char target[LONG], text[512];
	for (unsigned i = 0; i < LONG - 2; i++)
		target[i] = i % 50 == 49 ? '.' : 'x';
	target[LONG - 2] = 0;
	for (unsigned label = FITS; label <= FITS + 1; label++) {
		build_reply(&b, DNS_RCODE_YXDOMAIN,
			text_from("%.*s.old.example", (int)label, "yyyyyy"), DNS_TYPE_A);
		build_dname(&b, "example", 70, "elsewhere");
		build_dname(&b, "old.example", 50, target);
		build_rrsig(&b, SECTION_ANSWER, "old.example", DNS_TYPE_DNAME, 50);
		assert_int_equal(build_read(&b, &build_wide, false, &answer), 0);
		assert_int_equal(answer.rcode, DNS_RCODE_YXDOMAIN);
		assert_int_equal(
			answer.kind, label == FITS ? DNS_ANSWER_FAILURE : DNS_ANSWER_POSITIVE);
		snprintf(text, sizeof(text), "old.example 50 39 %s\n", target);
		assert_string_equal(print(), label == FITS ? "" : text);
		assert_int_equal(answer.ttl_s, label == FITS ? 0 : 50);
		assert_int_equal(build_read(&b, &build_wide, true, &answer), 0);
		assert_int_equal(answer.ancount, label == FITS ? 0 : 2);
	}
	build_reply(&b, DNS_RCODE_YXDOMAIN, "a.example", DNS_TYPE_A);
	build_cname(&b, "a.example", 60, "yyyyy.old.example");
	build_dname(&b, "old.example", 50, target);
	assert_int_equal(build_read(&b, &build_wide, false, &answer), 0);
	assert_int_equal(answer.kind, DNS_ANSWER_POSITIVE);
	assert_int_equal(answer.ancount, 2);
	build_reply(&b, DNS_RCODE_YXDOMAIN, "a.example", DNS_TYPE_A);
	build_a(&b, "a.example", 60, "\1\2\3\4");
	assert_int_equal(build_read(&b, &build_wide, false, &answer), 0);
	assert_int_equal(answer.kind, DNS_ANSWER_FAILURE);
	assert_int_equal(answer.ancount, 0);
}

// The same where the server leaves that to weir, as it leaves the CNAME: NOERROR and the DNAME.
TEST(test_dname_that_weir_finds_too_long)
{
	char target[249];
	for (unsigned i = 0; i < sizeof(target) - 1; i++)
		target[i] = i % 50 == 49 ? '.' : 'x';
	target[sizeof(target) - 1] = 0;
	for (unsigned alias = 0; alias < 2; alias++) {
		build_reply(&b, 0, alias ? "a.example" : "yyyyy.old.example", DNS_TYPE_A);
		if (alias)
			build_cname(&b, "a.example", 60, "yyyyy.old.example");
		build_dname(&b, "old.example", 50, target);
		assert_int_equal(build_read(&b, &build_wide, false, &answer), 0);
		assert_int_equal(answer.rcode, DNS_RCODE_YXDOMAIN);
		assert_int_equal(answer.kind, DNS_ANSWER_POSITIVE);
		assert_int_equal(answer.ancount, 1 + alias);
		assert_int_equal(answer.ttl_s, 50);
		assert_false(answer.is_open);
	}
}

// It may be above its own target, and have made the CNAMEs before.
TEST(test_dname_that_makes_longer_and_longer)
{
	char label[50] = {0}, target[200], made[204];
	memset(label, 'x', sizeof(label) - 1);
	snprintf(target, sizeof(target), "%s.%s.%s.d.example", label, label, label);
	snprintf(made, sizeof(made), "a.%s", target);
	build_reply(&b, DNS_RCODE_YXDOMAIN, "a.d.example", DNS_TYPE_A);
	build_dname(&b, "d.example", 50, target);
	build_cname(&b, "a.d.example", 50, made);
	assert_int_equal(build_read(&b, &build_wide, false, &answer), 0);
	assert_int_equal(answer.kind, DNS_ANSWER_POSITIVE);
	assert_int_equal(answer.ancount, 2);
}
