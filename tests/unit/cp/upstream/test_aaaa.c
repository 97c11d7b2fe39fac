// SPDX-License-Identifier: BSD-3-Clause

// DNS64 and replies without AAAA, as messages (controlplane/upstream/aaaa.h).

#include "controlplane/upstream/aaaa.h"
#include "tests/unit/unit.h"

#include <weir/dns_answer.h>

static uint8_t out[DNS_MESSAGE_MAX];
static struct dns_name www;

struct message {
	uint8_t bytes[1024];
	struct wr w;
};

static void message_begin(struct message *m, uint16_t type, uint16_t flags)
{
	m->w = wr_init(m->bytes, sizeof(m->bytes));
	wr_u16(&m->w, 7);
	wr_u16(&m->w, DNS_FLAG_QR | flags);
	wr_u16(&m->w, 1);
	wr_bytes(&m->w, (const uint8_t[6]){0}, 6);
	wr_bytes(&m->w, www.wire, www.len);
	wr_u16(&m->w, type);
	wr_u16(&m->w, DNS_CLASS_IN);
}

// With a pointer to the name of the question as owner.
static void message_add(
	struct message *m, uint16_t type, uint32_t ttl_s, const void *rdata, uint16_t len)
{
	wr_u16(&m->w, 0xc000 | DNS_HEADER_LEN);
	wr_u16(&m->w, type);
	wr_u16(&m->w, DNS_CLASS_IN);
	wr_u32(&m->w, ttl_s);
	wr_u16(&m->w, len);
	wr_bytes(&m->w, rdata, len);
	put_u16(m->bytes + 6, (uint16_t)(get_u16(m->bytes + 6) + 1));
	assert_true(wr_ok(&m->w));
}

static void record_add(struct message *m, const struct dns_name *owner, uint16_t type,
	const void *rdata, uint16_t len)
{
	wr_bytes(&m->w, owner->wire, owner->len);
	wr_u16(&m->w, type);
	wr_u16(&m->w, DNS_CLASS_IN);
	wr_u32(&m->w, 800);
	wr_u16(&m->w, len);
	wr_bytes(&m->w, rdata, len);
	put_u16(m->bytes + 6, (uint16_t)(get_u16(m->bytes + 6) + 1));
}

static const uint8_t ipv4[] = {192, 0, 2, 33};

// The one AAAA of an answer that is made with this prefix, as text.
static const char *made_with(const char *prefix_text)
{
	static char text[INET6_ADDRSTRLEN];
	const struct ip_address prefix = address_of_text(prefix_text);
	struct message m;
	message_begin(&m, DNS_TYPE_A, DNS_FLAG_AD);
	message_add(&m, DNS_TYPE_A, 60, ipv4, 4);
	size_t n = aaaa_made(&prefix, m.bytes, m.w.pos, AAAA_TTL_MAX_S, out, sizeof(out));
	assert_true(n > 16);
	assert_int_equal(get_u16(out + 2) & DNS_FLAG_AD, 0);
	assert_non_null(inet_ntop(AF_INET6, out + n - 16, text, sizeof(text)));
	return text;
}

// The table of RFC 6052 2.4.
TEST(test_each_length_of_rfc6052)
{
	assert_string_equal(made_with("2001:db8::/32"), "2001:db8:c000:221::");
	assert_string_equal(made_with("2001:db8:100::/40"), "2001:db8:1c0:2:21::");
	assert_string_equal(made_with("2001:db8:122::/48"), "2001:db8:122:c000:2:2100::");
	assert_string_equal(made_with("2001:db8:122:300::/56"), "2001:db8:122:3c0:0:221::");
	assert_string_equal(made_with("2001:db8:122:344::/64"), "2001:db8:122:344:c0:2:2100:0");
	assert_string_equal(made_with("2001:db8:122:344::/96"), "2001:db8:122:344::c000:221");
	assert_string_equal(made_with("64:ff9b::/96"), "64:ff9b::c000:221");
}

static struct dns_answer answer;

static void answer_read(size_t n)
{
	static const struct dns_answer_rules limits = {.max_s = 86400, .negative_s = 3600};
	struct dns_query q = {.name = www, .qtype = DNS_TYPE_AAAA, .qclass = DNS_CLASS_IN};
	assert_int_equal(dns_answer_read(out, n, &q, &limits, &answer), 0);
}

TEST(test_a_chain_is_read_as_an_answer_to_aaaa)
{
	const struct ip_address prefix = address_of_text("64:ff9b::/96");
	const struct dns_name target = name_of_text("host.example");
	struct message m;
	message_begin(&m, DNS_TYPE_A, 0);
	message_add(&m, DNS_TYPE_CNAME, 900, target.wire, target.len);
	for (unsigned i = 0; i < 2; i++) {
		wr_bytes(&m.w, target.wire, target.len);
		wr_u16(&m.w, DNS_TYPE_A);
		wr_u16(&m.w, DNS_CLASS_IN);
		wr_u32(&m.w, 800);
		wr_u16(&m.w, 4);
		wr_bytes(&m.w, (const uint8_t[]){192, 0, 2, (uint8_t)i}, 4);
	}
	message_add(&m, DNS_TYPE_RRSIG, 800, ipv4, 4);
	put_u16(m.bytes + 6, 4);
	answer_read(aaaa_made(&prefix, m.bytes, m.w.pos, 500, out, sizeof(out)));
	assert_int_equal(answer.kind, DNS_ANSWER_POSITIVE);
	assert_int_equal(answer.ancount, 3);
	assert_int_equal(answer.auth_ttl_s, 500);
}

// A DNAME of the chain stays, the CNAME of it too, or is made of it.
TEST(test_a_dname_stays)
{
	const struct ip_address prefix = address_of_text("64:ff9b::/96");
	const struct dns_name old = name_of_text("example"), new = name_of_text("test");
	const struct dns_name target = name_of_text("www.test");
	for (unsigned has_cname = 0; has_cname <= 1; has_cname++) {
		struct message m;
		message_begin(&m, DNS_TYPE_A, 0);
		record_add(&m, &old, DNS_TYPE_DNAME, new.wire, new.len);
		if (has_cname)
			record_add(&m, &www, DNS_TYPE_CNAME, target.wire, target.len);
		record_add(&m, &target, DNS_TYPE_A, ipv4, 4);
		answer_read(aaaa_made(&prefix, m.bytes, m.w.pos, 500, out, sizeof(out)));
		assert_int_equal(answer.kind, DNS_ANSWER_POSITIVE);
		assert_int_equal(answer.ancount, 3);
		assert_int_equal(answer.cname_count, 1);
	}
}

TEST(test_what_has_no_a_only_changes_its_type)
{
	const struct ip_address prefix = address_of_text("64:ff9b::/96");
	struct message m;
	message_begin(&m, DNS_TYPE_A, DNS_RCODE_NXDOMAIN);
	size_t n = aaaa_made(&prefix, m.bytes, m.w.pos, 500, out, sizeof(out));
	assert_int_equal(n, m.w.pos);
	assert_int_equal(get_u16(out + n - 4), DNS_TYPE_AAAA);
	assert_int_equal(get_u16(out + 2) & DNS_FLAG_RCODE, DNS_RCODE_NXDOMAIN);
}

TEST(test_what_counts_as_no_aaaa)
{
	static const uint8_t mapped[16] = {[10] = 0xff, [11] = 0xff, [12] = 192};
	static const uint8_t real[16] = {0x20, 1, 0xd, 0xb8};
	struct message m;
	message_begin(&m, DNS_TYPE_AAAA, 0);
	assert_true(aaaa_is_empty(m.bytes, m.w.pos));
	message_add(&m, DNS_TYPE_AAAA, 60, mapped, 16);
	assert_true(aaaa_is_empty(m.bytes, m.w.pos));
	message_add(&m, DNS_TYPE_AAAA, 60, real, 16);
	assert_false(aaaa_is_empty(m.bytes, m.w.pos));
	message_begin(&m, DNS_TYPE_AAAA, DNS_RCODE_NXDOMAIN);
	assert_false(aaaa_is_empty(m.bytes, m.w.pos));
}

// Every cut of a message is refused, and nothing is read behind its end (under ASan).
TEST(test_cut_messages)
{
	const struct ip_address prefix = address_of_text("64:ff9b::/96");
	const struct dns_name target = name_of_text("host.example");
	struct message m;
	message_begin(&m, DNS_TYPE_A, 0);
	message_add(&m, DNS_TYPE_A, 60, ipv4, 4);
	message_add(&m, DNS_TYPE_CNAME, 60, target.wire, target.len);
	for (size_t n = 0; n < m.w.pos; n++) {
		uint8_t *cut = malloc(n ? n : 1);
		memcpy(cut, m.bytes, n);
		assert_false(aaaa_is_empty(cut, n));
		size_t made = aaaa_made(&prefix, cut, n, 60, out, sizeof(out));
		assert_true(made == 0 || made == n); // not an answer
		free(cut);
	}
	for (size_t cap = 0; cap < m.w.pos; cap++)
		assert_int_equal(aaaa_made(&prefix, m.bytes, m.w.pos, 60, out, cap), 0);
}

TEST(test_none_is_kept_for_its_time)
{
	size_t n = aaaa_none(&www, out, sizeof(out));
	answer_read(n);
	assert_int_equal(answer.kind, DNS_ANSWER_NODATA);
	assert_int_equal(answer.auth_ttl_s, AAAA_NONE_TTL_S);
	assert_int_equal(aaaa_none(&www, out, n - 1), 0);
}

#define TAIL_96 "0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.b.9.f.f.4.6.0.0.ip6.arpa"

TEST(test_reverse_names)
{
	const struct ip_address prefix = address_of_text("64:ff9b::/96");
	const struct ip_address longer = address_of_text("2001:db8:122:344::/64");
	struct dns_name name = name_of_text("1.2.2.0.0.0.0.c." TAIL_96), found;
	assert_true(aaaa_reverse(&prefix, &name, &found));
	struct dns_name right = name_of_text("33.2.0.192.in-addr.arpa");
	assert_true(dns_name_equal(&found, &right));
	name = name_of_text(
		"0.0.0.0.0.0.1.2.2.0.0.0.0.c.0.0.4.4.3.0.2.2.1.0.8.b.d.0.1.0.0.2.ip6.arpa");
	assert_true(aaaa_reverse(&longer, &name, &found));
	assert_true(dns_name_equal(&found, &right));
	static const char *const others[] = {
		"1.2.2.0.0.0.0.c.1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.b.9.f.f.4.6.0.0.ip6.arpa",
		"ip6.arpa", "2.0.0.0.0.0.c." TAIL_96, "g.2.2.0.0.0.0.c." TAIL_96, "www.example",
		"11.2.2.0.0.0.0.c.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.b.9.f.f.4.6.0.0.ip6.arpa"};
	for (unsigned i = 0; i < ARRAY_LEN(others); i++) {
		name = name_of_text(others[i]);
		assert_false(aaaa_reverse(&prefix, &name, &found));
	}
}

FIXTURE(www_set, www = name_of_text("www.example"))
TEST_GROUP(www_set, NULL)
