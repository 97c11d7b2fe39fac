// SPDX-License-Identifier: BSD-3-Clause
#include "controlplane/answer_policy/answer_records.h"
#include "tests/unit/core/dns/dns_build.h"

static struct dns_build build;
static struct dns_answer answer;
static struct dns_name question;

static const struct dns_answer_rules limits = {.max_s = 86400, .negative_s = 3600};

static struct dns_answer_view read_back(uint16_t qtype)
{
	const struct dns_query q = {.name = question, .qtype = qtype, .qclass = DNS_CLASS_IN};
	assert_int_equal(dns_answer_read(build.buf, build.w.pos, &q, &limits, &answer), 0);
	return dns_answer_view_of(&answer);
}

static void ask(const char *name, uint16_t qtype)
{
	question = name_of_text(name);
	build_reply(&build, 0, name, qtype);
}

// By the last walk: addresses, and all targets as text, each followed by a space.
static struct {
	unsigned count;
	unsigned bytes[8];
	uint8_t address[8][16];
	char names[65536];
} seen;

static void on_address(void *, const uint8_t *address, unsigned bytes)
{
	assert_true(seen.count < 8);
	seen.bytes[seen.count] = bytes;
	memcpy(seen.address[seen.count++], address, bytes);
}

static void walk(const struct dns_answer_view *v)
{
	struct answer_records r = answer_records_of(&question, v);
	struct answer_record record;
	char text[DNS_NAME_TEXT_MAX];
	seen.count = 0;
	seen.names[0] = 0;
	while (answer_records_next(&r, &record)) {
		struct dns_name target;
		if (answer_record_target(&r, &record, &target)) {
			strcat(seen.names, dns_name_to_text(&target, text));
			strcat(seen.names, " ");
		}
		answer_record_addresses(&r, &record, on_address, NULL);
	}
}

static void walk_reply(uint16_t qtype)
{
	const struct dns_answer_view v = read_back(qtype);
	walk(&v);
}

TEST(test_chain)
{
	ask("www.shop.example", DNS_TYPE_A);
	build_rr_name(&build, SECTION_ANSWER, "www.shop.example", DNS_TYPE_CNAME, 60,
		"Shop.Tracker.EXAMPLE");
	build_rr_name(&build, SECTION_ANSWER, "shop.tracker.example", DNS_TYPE_CNAME, 60,
		"edge.shop.example");
	build_rr_name(&build, SECTION_ANSWER, "edge.shop.example", DNS_TYPE_CNAME, 60, "example");
	build_rr(&build, SECTION_ANSWER, "example", DNS_TYPE_A, 60, "\xc0\0\2\1", 4);
	build_rr(&build, SECTION_ANSWER, "example", DNS_TYPE_A, 60, "\xc0\0\2\2", 4);
	walk_reply(DNS_TYPE_A);
	assert_string_equal(seen.names, "shop.tracker.example edge.shop.example example ");
	assert_int_equal(seen.count, 2);
	assert_memory_equal(seen.address[1], "\xc0\0\2\2", 4);
}

TEST(test_service)
{
	static const uint8_t rdata[] = "\0\1\3svc\7example\0"
				       "\0\1\0\3\2h2"
				       "\0\4\0\x08\x0a\0\0\1\x0a\0\0\2"
				       "\0\6\0\x10\xfd\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1";
	ask("www.example", DNS_TYPE_HTTPS);
	build_rr(&build, SECTION_ANSWER, "www.example", DNS_TYPE_HTTPS, 60, rdata,
		sizeof(rdata) - 1);
	build_rr(&build, SECTION_ANSWER, "www.example", DNS_TYPE_HTTPS, 60, "\0\1\0", 3);
	walk_reply(DNS_TYPE_HTTPS);
	assert_string_equal(seen.names, "svc.example "); // the owner itself is no target
	assert_int_equal(seen.count, 3);
	assert_memory_equal(seen.address[1], "\x0a\0\0\2", 4);
	assert_int_equal(seen.bytes[2], 16);
	assert_int_equal(seen.address[2][0], 0xfd);
}

// RFC 9460 2.2 forbids it; a client that reads it all the same must not get what is hidden there.
TEST(test_addresses_behind_a_compressed_target)
{
	static const uint8_t rdata[] = "\0\1\xc0\x0c\0\4\0\4\x0a\0\0\1";
	ask("www.example", DNS_TYPE_HTTPS);
	build_rr(&build, SECTION_ANSWER, "www.example", DNS_TYPE_HTTPS, 60, rdata,
		sizeof(rdata) - 1);
	walk_reply(DNS_TYPE_HTTPS);
	assert_int_equal(seen.count, 1);
	assert_memory_equal(seen.address[0], "\x0a\0\0\1", 4);
}

TEST(test_other_types_and_sections_are_left_alone)
{
	ask("example", DNS_TYPE_MX);
	build_rr(&build, SECTION_ANSWER, "example", DNS_TYPE_MX, 60, "\0\5\4mail\7example\0", 16);
	walk_reply(DNS_TYPE_MX);
	assert_string_equal(seen.names, "");
	assert_int_equal(seen.count, 0);
	ask("none.example", DNS_TYPE_AAAA);
	build_reply(&build, DNS_RCODE_NXDOMAIN, "none.example", DNS_TYPE_AAAA);
	walk_reply(DNS_TYPE_AAAA);
	assert_string_equal(seen.names, "");
}

// Bytes that nobody ever made: the walk ends, and ASan says when it left the answer.
TEST(test_damaged)
{
	struct dns_rand rand = {.state = 3};
	ask("www.shop.example", DNS_TYPE_A);
	for (unsigned i = 0; i < 6; i++) {
		const char *from = text_from("c%u.shop.example", i);
		build_rr_name(&build, SECTION_ANSWER, i ? from : "www.shop.example", DNS_TYPE_CNAME,
			60, text_from("c%u.shop.example", i + 1));
	}
	build_rr(&build, SECTION_ANSWER, "c6.shop.example", DNS_TYPE_A, 60, "\xc0\0\2\1", 4);
	const struct dns_answer_view whole = read_back(DNS_TYPE_A);
	for (unsigned i = 0; i < 20000; i++) {
		uint8_t bytes[1024];
		memcpy(bytes, whole.bytes, whole.len);
		size_t len = dns_rand_mutate(&rand, bytes, whole.len, sizeof(bytes));
		struct dns_answer_view v = whole;
		uint8_t *exact = dns_exact_copy(bytes, len);
		v.bytes = exact;
		v.len = (uint32_t)len;
		walk(&v);
		free(exact);
	}
}

TEST(test_pointer_loops_end)
{
	// Owner c00c, CNAME, rdata: a pointer to itself (12 + 9 + 4 bytes before the view).
	static const uint8_t bytes[] = {0xc0, 12, 0, 5, 0, 1, 0, 0, 0, 9, 0, 2, 0xc0, 37};
	const struct dns_answer_view v = {.bytes = bytes, .len = sizeof(bytes), .ancount = 1};
	struct answer_record record;
	struct dns_name target;
	question = name_of_text("example");
	struct answer_records r = answer_records_of(&question, &v);
	assert_true(answer_records_next(&r, &record));
	assert_false(answer_record_target(&r, &record, &target));
	assert_false(answer_records_next(&r, &record));
}

// A pointer of which the answer has the first byte alone, whatever lies behind it.
TEST(test_half_a_pointer)
{
	static const uint8_t bytes[] = {0xc0, 12, 0, 5, 0, 1, 0, 0, 0, 9, 0, 2, 0xc0, 12};
	static const uint8_t half[] = {0xc0, 12, 0, 5, 0, 1, 0, 0, 0, 9, 0, 1, 0xc0, 12};
	struct dns_answer_view v = {.bytes = bytes, .len = sizeof(bytes), .ancount = 1};
	struct answer_record record;
	struct dns_name target;
	question = name_of_text("example");
	struct answer_records r = answer_records_of(&question, &v);
	assert_true(answer_records_next(&r, &record));
	assert_true(answer_record_target(&r, &record, &target));
	assert_true(dns_name_equal(&target, &question));
	v.bytes = half;
	v.len = sizeof(half) - 1;
	r = answer_records_of(&question, &v);
	assert_true(answer_records_next(&r, &record));
	assert_false(answer_record_target(&r, &record, &target));
}

// An owner in full, one that ends in a pointer, and the label types that nobody uses.
TEST(test_owners_in_full)
{
	static const uint8_t full[] = "\3www\7example\0\0\1\0\1\0\0\0\x9\0\4\xc0\0\2\1"
				      "\3www\xc0\x0c\0\1\0\1\0\0\0\x9\0\4\xc0\0\2\2"
				      "\0\0\1\0\1\0\0\0\x9\0\4\xc0\0\2\3";
	uint8_t bytes[sizeof(full) - 1];
	memcpy(bytes, full, sizeof(bytes));
	const struct dns_answer_view v = {.bytes = bytes, .len = sizeof(bytes), .ancount = 3};
	question = name_of_text("example");
	walk(&v);
	assert_int_equal(seen.count, 3);
	for (unsigned i = 0; i < seen.count; i++)
		assert_int_equal(seen.address[i][3], i + 1);
	for (unsigned first = 0x40; first < 0xc0; first += 0x40) {
		bytes[0] = (uint8_t)first;
		walk(&v);
		assert_int_equal(seen.count, 0);
	}
}
