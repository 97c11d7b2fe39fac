// SPDX-License-Identifier: BSD-3-Clause

#include "controlplane/l1/l1_key.h"
#include "tests/unit/core/dns/dns_rand.h"
#include "tests/unit/unit.h"

#include <fnmatch.h>

static struct l0_key key_of(const struct dns_name *n, uint16_t qtype, uint8_t flags)
{
	return (struct l0_key){
		.name = n->wire, .name_len = n->len, .qtype = qtype, .qclass = 1, .flags = flags};
}

static void expect_key(
	const char *name, uint16_t qtype, uint8_t flags, uint64_t view, const char *want)
{
	struct l1_key k;
	struct dns_name n = name_of_text(name);
	struct l0_key l0 = key_of(&n, qtype, flags);
	l1_key_write("weir", &l0, view, &k);
	assert_string_equal(k.text, want);
	assert_int_equal(k.len, strlen(want));
}

TEST(test_names)
{
	expect_key("www.Example.COM.", 1, 0, 0, "weir:www.example.com:1:1");
	expect_key(".", 2, L0_KEY_DO | L0_KEY_CD, 0, "weir:.:2:1:do:cd");
	expect_key("a.example", 65535, L0_KEY_DO, 0xabc,
		"weir:a.example:65535:1:do:v0000000000000abc");
	expect_key("a\\.b\\058\\{c\\*.x", 1, 0, 0, "weir:a\\.b\\058\\123c\\042.x:1:1");
	expect_key("\\000\\255\\032.x", 1, 0, 0, "weir:\\000\\255\\032.x:1:1");
}

static void random_name(struct dns_rand *r, struct dns_name *n)
{
	static const char telling[] = ".:\\*?[]{}-a \t\"";
	size_t most = dns_rand_below(r, 4) ? 20 : DNS_NAME_MAX - 1, at = 0;
	uint8_t wire[DNS_NAME_MAX];
	while (at + 1 < most && dns_rand_below(r, 5)) {
		uint32_t room = (uint32_t)(most - at - 1), len = 1 + dns_rand_below(r, 63);
		if (len > room)
			len = room;
		wire[at++] = (uint8_t)len;
		for (; len; len--)
			wire[at++] = dns_rand_below(r, 2) ? (
					     uint8_t)telling[dns_rand_below(r, sizeof(telling) - 1)]
							  : (uint8_t)dns_rand_next(r);
	}
	wire[at++] = 0;
	struct rd rd = rd_init(wire, at);
	assert_int_equal(dns_name_read(&rd, n), 0);
}

// Every key comes back as what it was made of, and fits its patterns alone.
TEST(test_there_and_back)
{
	struct dns_rand r = {.state = 7};
	for (unsigned i = 0; i < 20000; i++) {
		struct dns_name n, other;
		struct l1_key k, pattern;
		struct l1_key_parts parts;
		random_name(&r, &n);
		struct l0_key l0 = key_of(&n, (uint16_t)dns_rand_next(&r), dns_rand_below(&r, 4));
		uint64_t view = dns_rand_below(&r, 2) ? dns_rand_next(&r) : 0;
		l1_key_write("weir", &l0, view, &k);
		assert_null(strpbrk(k.text, "*?[]{} "));
		assert_true(l1_key_parse("weir", k.text, k.len, &parts));
		assert_true(dns_name_equal(&parts.name, &n));
		assert_int_equal(parts.qtype, l0.qtype);
		assert_int_equal(parts.flags, l0.flags);
		assert_int_equal(parts.view_hash, view);
		l1_key_pattern("weir", &n, false, &pattern);
		assert_int_equal(strlen(pattern.text), pattern.len);
		assert_int_equal(fnmatch(pattern.text, k.text, 0), 0);
		l1_key_pattern("weir", &n, true, &pattern);
		assert_int_equal(fnmatch(pattern.text, k.text, 0), 0);
		random_name(&r, &other);
		l1_key_pattern("weir", &other, false, &pattern);
		if (!dns_name_equal(&n, &other))
			assert_int_equal(fnmatch(pattern.text, k.text, 0), FNM_NOMATCH);
	}
}

TEST(test_below)
{
	struct l1_key p;
	struct dns_name n = name_of_text("example.com");
	l1_key_pattern("weir", &n, true, &p);
	assert_string_equal(p.text, "weir:*example.com:*");
	l1_key_pattern("weir", &n, false, &p);
	assert_string_equal(p.text, "weir:example.com:*");
	n = name_of_text(".");
	l1_key_pattern("weir", &n, true, &p);
	assert_string_equal(p.text, "weir:*:*");
}

// Keys of one namespace are none of another, also where one begins with the other.
TEST(test_namespaces)
{
	static const char longest[] = "abcdefghijklmnopqrstuvwxyz012345"; // CONFIG_NAMESPACE_MAX
	static const char *const spaces[] = {"weir", "weir2", "we", "a-b_c.D", longest};
	struct dns_name n = name_of_text("www.example");
	for (unsigned i = 0; i < ARRAY_LEN(spaces); i++) {
		struct l1_key k, pattern;
		struct l1_key_parts parts;
		struct l0_key l0 = key_of(&n, 1, 0);
		l1_key_write(spaces[i], &l0, 7, &k);
		assert_string_equal(
			k.text, text_from("%s:www.example:1:1:v0000000000000007", spaces[i]));
		l1_key_pattern(spaces[i], &n, true, &pattern);
		assert_int_equal(fnmatch(pattern.text, k.text, 0), 0);
		for (unsigned j = 0; j < ARRAY_LEN(spaces); j++) {
			assert_int_equal(l1_key_parse(spaces[j], k.text, k.len, &parts), i == j);
			l1_key_pattern(spaces[j], &n, true, &pattern);
			assert_int_equal(fnmatch(pattern.text, k.text, 0) == 0, i == j);
		}
	}
}

// Nothing but what l1_key_write writes is taken.
TEST(test_hostile_keys)
{
	static const char *const bad[] = {"", "weir:", "weir::1:1", "weir:a", "weir:a:1",
		"weir:a:1:", "weir:a:1:1:", "weir:a:1:1:cd:do", "weir:a:01:1", "weir:a:+1:1",
		"weir:a: 1:1", "weir:a:65536:1", "weir:a:99999999999999999999:1", "weir:A:1:1",
		"weir:a.:1:1", "weir:a..b:1:1", "weir:\\097:1:1", "weir:a:1:1:v0000000000000000",
		"weir:a:1:1:vg", "weir:a:1:1:v00000000000000001", "weir:a:1:1:V0000000000000001",
		"dns:a:1:1", "weir:a{b}:1:1", "weir:a:1:1 ", "weir-meta:expiry"};
	struct l1_key_parts parts;
	for (unsigned i = 0; i < ARRAY_LEN(bad); i++)
		if (l1_key_parse("weir", bad[i], strlen(bad[i]), &parts))
			fail_msg("taken: %s", bad[i]);
	assert_false(l1_key_parse("weir", "weir:a:1:1\0", 11, &parts));
	char longest[4096];
	memset(longest, 'a', sizeof(longest));
	assert_false(l1_key_parse("weir", longest, sizeof(longest), &parts));
	struct dns_rand r = {.state = 9};
	for (unsigned i = 0; i < 50000; i++) {
		uint8_t text[64] = "weir:www.example.com:28:1:do:cd:v0123456789abcdef";
		size_t len = dns_rand_mutate(&r, text, strlen((char *)text), sizeof(text));
		uint8_t *exact = dns_exact_copy(text, len);
		(void)!l1_key_parse("weir", (char *)exact, len, &parts);
		free(exact);
	}
}
