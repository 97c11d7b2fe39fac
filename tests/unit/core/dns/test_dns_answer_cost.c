// SPDX-License-Identifier: BSD-3-Clause

// Replies that are made to take long: how far their names may lead, and how often they are looked
// at.

#include "dataplane/core/dns/dns_records.h"
#include "dns_build.h"
#include "dns_one_hash.h"

static struct dns_build b;
static struct dns_answer answer;

// 2,048 records of one set whose name is as long as there are: each owner is a pointer to it, read
// once. With owners that are 100 pointers, by turns, each is read again, and 65,535 bytes do not
// make anybody walk through a million.
TEST(test_names_lead_through_no_more_than_a_few_bytes_each)
{
	enum { TURNS = 100 };
	for (unsigned by_turns = 0; by_turns < 2; by_turns++) {
		char name[2 * DNS_LABELS_MAX + 1] = "";
		for (unsigned i = 0; i < DNS_LABELS_MAX - 1; i++)
			strcat(name, "a.");
		build_reply(&b, 0, name, DNS_TYPE_A);
		size_t at = b.w.pos + 11; // data of a type that nobody reads
		wr_bytes(&b.w, "\0\xff\0\0\1\0\0\0\5", 9);
		wr_u16(&b.w, 2 * TURNS);
		for (unsigned i = 0; i < TURNS; i++)
			wr_u16(&b.w, (uint16_t)(0xc000 | (i ? at + i * 2 - 2 : DNS_HEADER_LEN)));
		for (unsigned i = 1; i < DNS_ANSWER_RECORDS_MAX; i++) {
			wr_u16(&b.w, (uint16_t)(0xc000 | (at + (by_turns ? i % TURNS * 2 : 0))));
			wr_bytes(&b.w, "\0\1\0\1\0\0\0\5\0\4", 10);
			wr_u32(&b.w, i);
		}
		put_u16(b.buf + SECTION_ANSWER, DNS_ANSWER_RECORDS_MAX);
		assert_int_equal(
			build_read(&b, &build_wide, false, &answer), by_turns ? -E2BIG : 0);
	}
	build_reply(&b, 0, "example.com", DNS_TYPE_A);
	build_a(&b, "example.com", 5, "\1\2\3\4");
	assert_int_equal(build_read(&b, &build_wide, false, &answer), 0);
}

// The same of the names in the data.
TEST(test_names_in_data_lead_through_no_more)
{
	for (unsigned n = 100; n <= 2000; n += 1900) {
		char name[2 * DNS_LABELS_MAX + 1] = "";
		for (unsigned i = 0; i < DNS_LABELS_MAX - 3; i++)
			strcat(name, "a.");
		build_reply(&b, 0, name, DNS_TYPE_NS);
		for (unsigned i = 0; i < n; i++) {
			wr_bytes(&b.w, "\xc0\x0c\0\2\0\1\0\0\0\5\0\6\3", 13);
			wr_bytes(&b.w, (uint8_t[]){'a', (uint8_t)i, (uint8_t)(i >> 8)}, 3);
			wr_bytes(&b.w, "\xc0\x0c", 2);
		}
		put_u16(b.buf + SECTION_ANSWER, (uint16_t)n);
		b.w.pos += n == 100 ? 4000 : 0; // what is behind the records is a message's, too
		assert_int_equal(
			build_read(&b, &build_wide, false, &answer), n == 100 ? 0 : -E2BIG);
	}
}

// Twins whose owners are two pointers to one name are one record.
TEST(test_twins_by_two_pointers)
{
	build_reply(&b, 0, "example.com", DNS_TYPE_A);
	wr_bytes(&b.w, "\0\xff\0\0\1\0\0\0\5\0\2\xc0\x0c", 13); // data that nobody reads
	for (unsigned i = 1; i < DNS_ANSWER_RECORDS_MAX; i++) {
		wr_u16(&b.w, i == 1 ? 0xc00c : (uint16_t)(0xc000 | 40));
		wr_bytes(&b.w, "\0\1\0\1\0\0\0\5\0\4\1\2\3\4", 14);
	}
	put_u16(b.buf + SECTION_ANSWER, DNS_ANSWER_RECORDS_MAX);
	assert_int_equal(get_u16(b.buf + 40), 0xc00c);
	assert_int_equal(build_read(&b, &build_wide, false, &answer), 0);
	assert_int_equal(answer.ancount, 1);
}

// One that came twice is kept for a step each of the chain that it leads through.
TEST(test_a_dname_of_two_steps_is_told_once)
{
	build_reply(&b, 0, "a.old.example", DNS_TYPE_A);
	for (unsigned i = 0; i < 2; i++)
		build_dname(&b, "old.example", 5, "example");
	build_cname(&b, "a.old.example", 5, "a.example");
	build_cname(&b, "a.example", 5, "b.old.example");
	build_cname(&b, "b.old.example", 5, "b.example");
	build_a(&b, "b.example", 5, "\1\2\3\4");
	assert_int_equal(build_read(&b, &build_wide, false, &answer), 0);
	assert_int_equal(answer.ancount, 5);
}

// A DNAME that would have made another target, or of another length, is not where the CNAME is
// from.
TEST(test_a_dname_of_another_target_is_left_out)
{
	static const struct {
		const char *target;
		bool is_made; // by the DNAME
	} cases[] = {{"x.new.example", true}, {"x.bad.example", false}, {"y.new.example", false},
		{"x.new.examples", false}, {"xx.new.example", false}, {"new.example", false}};
	for (unsigned i = 0; i < ARRAY_LEN(cases); i++) {
		build_reply(&b, 0, "x.old.example", DNS_TYPE_A);
		build_dname(&b, "old.example", 5, "new.example");
		build_cname(&b, "x.old.example", 5, cases[i].target);
		build_a(&b, cases[i].target, 5, "\1\2\3\4");
		assert_int_equal(build_read(&b, &build_wide, false, &answer), 0);
		assert_int_equal(answer.ancount, cases[i].is_made ? 3 : 2);
	}
}

// The DNAME is looked for among as many as a chain has hops.
TEST(test_a_dname_behind_many_others_is_left_out)
{
	for (unsigned others = DNS_ANSWER_CNAME_MAX - 1; others <= DNS_ANSWER_CNAME_MAX; others++) {
		build_reply(&b, 0, "x.old.example", DNS_TYPE_A);
		for (unsigned i = 0; i < others; i++)
			build_dname(&b, "example", 5, "elsewhere");
		build_dname(&b, "old.example", 5, "new.example");
		build_cname(&b, "x.old.example", 5, "x.new.example");
		build_a(&b, "x.new.example", 5, "\1\2\3\4");
		assert_int_equal(build_read(&b, &build_wide, false, &answer), 0);
		assert_int_equal(answer.ancount, others < DNS_ANSWER_CNAME_MAX ? 3 : 2);
	}
}

// Counts that no message of this length can hold are a lie; those that it could hold are too many.
TEST(test_counts_of_more_than_there_is_room_for)
{
	enum { TOTAL = DNS_ANSWER_RECORDS_MAX + 1, LEAST = TOTAL * 11 };
	static uint8_t msg[LEAST];
	static struct dns_records records;
	put_u16(msg + 6, TOTAL - 1);
	put_u16(msg + 8, 1);
	assert_int_equal(dns_records_read(msg, LEAST - 1, DNS_HEADER_LEN, &records), -EBADMSG);
	assert_int_equal(dns_records_read(msg, LEAST, DNS_HEADER_LEN, &records), -E2BIG);
	assert_int_equal(dns_records_read(msg, DNS_HEADER_LEN, DNS_HEADER_LEN, &records), -EBADMSG);
}

struct hashed {
	uint32_t hash, number;
};

static int by_hash(const void *one, const void *other)
{
	uint32_t x = ((const struct hashed *)one)->hash, y = ((const struct hashed *)other)->hash;
	return (x > y) - (x < y);
}

static const char *name_of(uint32_t number, const char *below)
{
	static char text[2][32];
	static unsigned turn;
	turn ^= 1;
	snprintf(text[turn], sizeof(text[turn]), "%08x%s", number * 2654435761u, below);
	return text[turn];
}

// Numbers of two names of one hash.
static void find_pair(const char *below, uint32_t pair[2])
{
	enum { NAMES = 300000 };
	struct hashed *h = calloc(NAMES, sizeof(*h));
	unsigned at = 0;
	assert_non_null(h);
	for (uint32_t i = 0; i < NAMES; i++) {
		struct dns_name name;
		const char *text = name_of(i, below);
		name = name_of_text(text);
		h[i] = (struct hashed){dns_name_hash(&name), i};
	}
	qsort(h, NAMES, sizeof(*h), by_hash);
	while (at + 1 < NAMES && h[at].hash != h[at + 1].hash)
		at++;
	assert_true(at + 1 < NAMES); // ten such pairs are expected
	pair[0] = h[at].number;
	pair[1] = h[at + 1].number;
	free(h);
}

// Two names of one hash, as the owners of a reply: many of the other one end the search.
TEST(test_names_of_one_hash_are_told_apart_so_many_times)
{
	static const char below[] = ".example.com";
	uint32_t pair[2];
	find_pair(below, pair);
	for (unsigned others = 0; others <= 2 * DNS_STRANGERS_MAX;
		others += DNS_STRANGERS_MAX / 4) {
		build_reply(&b, 0, name_of(pair[0], below), DNS_TYPE_A);
		for (unsigned i = 0; i < others; i++)
			build_a(&b, name_of(pair[1], below), 5, "\1\1\1\1");
		build_a(&b, name_of(pair[0], below), 5, "\1\2\3\4");
		assert_int_equal(build_read(&b, &build_wide, false, &answer), 0);
		assert_int_equal(answer.ancount, others < DNS_STRANGERS_MAX);
	}
}

// An NS record of the root for so many labels above `top`. Its name's length.
static size_t put_ns(unsigned labels, const char *top)
{
	char text[2 * DNS_LABELS_MAX + 32] = "";
	for (unsigned i = 0; i < labels; i++)
		strcat(text, "a.");
	strcat(text, top);
	size_t rdata = build_begin(&b, SECTION_ANSWER, ".", DNS_TYPE_NS, 5);
	build_name(&b, text);
	build_end(&b, rdata);
	return b.w.pos - rdata;
}

// Labels of one hash: all suffixes that end in them and are the same but for them share theirs.
// Each is compared, and once that was often enough a name is written whole.
TEST(test_suffixes_of_one_hash_are_compared_so_many_times)
{
	enum { OWNER = 1, FIXED = 10, POINTER = 2, LABEL = 2 };
	char top[2][4 * ONE_HASH_LEN];
	for (unsigned i = 0; i < 2; i++)
		one_hash_text(i, top[i]);
	for (unsigned labels = DNS_COMPRESS_STRANGERS / 2; labels <= 110; labels++) {
		bool compares = labels + 1 < DNS_COMPRESS_STRANGERS;
		build_reply(&b, 0, ".", DNS_TYPE_NS);
		size_t first = put_ns(labels, top[0]), other = put_ns(labels, top[1]),
		       last = put_ns(labels + 1, top[0]);
		assert_int_equal(build_read(&b, &build_wide, false, &answer), 0);
		assert_int_equal(answer.ancount, 3);
		assert_int_equal(answer.len,
			3 * (OWNER + FIXED) + first + other + (compares ? LABEL + POINTER : last));
	}
}

// A chain of names, each a label above the one before. Ours leads through so many pointers, then a
// name is written whole.
TEST(test_pointers_lead_through_so_many)
{
	enum { NAMES = 4 * DNS_COMPRESS_DEPTH };
	static uint8_t msg[DNS_MESSAGE_MAX];
	build_reply(&b, 0, ".", DNS_TYPE_NS);
	for (unsigned i = 0; i < NAMES; i++)
		put_ns(i, "example");
	assert_int_equal(build_read(&b, &build_wide, false, &answer), 0);
	assert_int_equal(answer.ancount, NAMES);
	struct dns_query q = build_query(&b, false);
	(void)build_whole(&answer, &q, msg);
	unsigned most = 0;
	for (unsigned i = 0; i < NAMES; i++) {
		size_t at = DNS_HEADER_LEN + 5u + answer.ttl_off[i] + 6u;
		unsigned pointers = 0;
		for (; msg[at]; at += msg[at] < 0xc0 ? 1u + msg[at] : 0)
			for (; msg[at] >= 0xc0; pointers++)
				at = get_u16(msg + at) & 0x3fff;
		most = pointers > most ? pointers : most;
	}
	assert_int_equal(most, DNS_COMPRESS_DEPTH);
}
