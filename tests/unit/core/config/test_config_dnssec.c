// SPDX-License-Identifier: BSD-3-Clause
// The section `dnssec`: its anchors, and which files and names are refused.

#include "config_text.h"

static char *anchors;

FIXTURE(setup, anchors = file_with(". IN DS 1 13 2 00\n"))

static const char *text_with(const char *keys)
{
	return text_from(MINIMAL "dnssec: {anchors: %s, %s}\n", anchors, keys);
}

static struct config *with(const char *keys)
{
	return config_text_load(text_with(keys));
}

static uint64_t hash_with(const char *keys)
{
	return with(keys)->dnssec.hash;
}

TEST(test_off)
{
	struct config *c = config_text_load(MINIMAL "dnssec: {anchors: /nonexistent}\n");
	assert_false(c->dnssec.validate);
	assert_true(c->dnssec.hash == 0);
}

TEST(test_negative_anchors)
{
	struct config *c = with("validate: true, negative_anchors: [a.test, B.test]");
	assert_true(c->dnssec.validate);
	assert_string_equal(c->dnssec.anchors, anchors);
	assert_int_equal(c->dnssec.negative_count, 2);
	assert_memory_equal(c->dnssec.negative[1].wire, "\1b\4test", 7);
}

// Another hash stands for other answers.
TEST(test_hash)
{
	uint64_t none = hash_with("validate: true");
	assert_true(none != 0);
	assert_true(hash_with("validate: false") == 0);
	uint64_t two = hash_with("validate: true, negative_anchors: [a.test, b.test]");
	assert_true(two != none);
	assert_true(two == hash_with("validate: true, negative_anchors: [b.test, a.test]"));
	int fd = open(anchors, O_WRONLY | O_APPEND);
	assert_int_equal(write(fd, ". IN DS 2 13 2 00\n", 18), 18);
	close(fd);
	assert_true(hash_with("validate: true") != none);
}

#define KEPT_HEAD "; autotrust trust anchor file\n;;id: . 1\n;;query_interval: 43200\n"
#define KEPT(tag, state, count)                                                            \
	".\t3600\tIN\tDNSKEY\t257 3 13 key" #tag "== ;{id = " #tag " (ksk), size = 256b} " \
	";;state=" #state " [ WORD ] ;;count=" #count " ;;lastchange=17 ;;Mon Nov 23\n"

// Of a file that is kept by RFC 5011, valid keys alone: neither pending nor revoked ones.
TEST(test_kept_file)
{
	text_to_file(anchors, KEPT_HEAD KEPT(1, 2, 0) KEPT(2, 1, 1) KEPT(3, 3, 0) KEPT(4, 4, 0)
				      KEPT(5, 0, 0) KEPT(6, 5, 0));
	struct config *c = with("validate: true");
	assert_string_equal(c->dnssec.keys, ". IN DNSKEY 257 3 13 key1==\n"
					    ". IN DNSKEY 257 3 13 key3==\n");
	const uint64_t before = hash_with("validate: true");
	text_to_file(
		anchors, KEPT_HEAD ";;last_success: 9\n" KEPT(3, 2, 7) KEPT(1, 3, 0) KEPT(2, 1, 2));
	assert_true(hash_with("validate: true") == before); // the same keys, after a probe
	text_to_file(anchors, KEPT_HEAD KEPT(3, 2, 7) KEPT(1, 3, 0) KEPT(2, 2, 2));
	assert_true(hash_with("validate: true") != before);
	text_to_file(anchors, ". IN DS 1 13 2 00\n");
	assert_null(with("validate: true")->dnssec.keys);
}

// The validator asks without a client.
TEST(test_no_client_subnets)
{
	text_to_file(anchors, KEPT_HEAD KEPT(1, 2, 0));
	config_text_refused(
		text_from(MINIMAL
			"  client_subnet_ipv4: 24\ndnssec: {anchors: %s, validate: true}\n",
			anchors),
		"dnssec.validate: weir validates answers without a client");
}

TEST(test_kept_file_refused)
{
	static const char *const bad[] = {
		KEPT(1, 2, 0) ". IN DNSKEY 257 3 13 key2==\n", // without a state
		KEPT(1, 2, 0) ". IN DS 1 13 2 00 ;;state=2\n",
		KEPT(1, 2, 0) ". CH DNSKEY 257 3 13 key2== ;;state=2\n",
		KEPT(1, 2, 0) ". IN DNSKEY 257 3 13 ;;state=2\n",
		KEPT(1, 2, 0) ". IN DNSKEY 257 3 13 key\"== ;;state=2\n",
		KEPT(1, 2, 0) ". IN DNSKEY 257 3 13 key2== ;;state=",
		". IN DNSKEY 257 3 13 key1== ;;id\n;;state=2 is of another line: . 9\n",
	};
	const char *text = text_with("validate: true");
	for (unsigned i = 0; i < ARRAY_LEN(bad); i++) {
		text_to_file(anchors, bad[i]);
		config_text_refused(text, "dnssec.anchors: has a line that no keeper");
	}
	text_to_file(anchors, KEPT_HEAD KEPT(1, 1, 1) KEPT(2, 4, 0));
	config_text_refused(text, "dnssec.anchors: has no valid key");
	text_to_file(anchors, KEPT(1, 2, 0)); // cut off behind the state is no harm
	config_text_load(text);
}

TEST(test_refused)
{
	config_text_refused(MINIMAL "dnssec: {validate: true, anchors: /nonexistent/anchors}\n",
		"dnssec.anchors: cannot be read");
	config_text_refused(MINIMAL "dnssec: {anchors: anchors}\n", "dnssec.anchors");
	config_text_refused(MINIMAL "dnssec: {anchors: '/a\"b'}\n", "dnssec.anchors");
	config_text_refused(
		MINIMAL "dnssec: {negative_anchors: ['a\"b']}\n", "dnssec.negative_anchors[0]");
	config_text_refused(text_with("negative_anchors: ['a..b']"), "dnssec.negative_anchors[0]");
	assert_int_equal(truncate(anchors, 0), 0);
	config_text_refused(text_with("validate: true"), "dnssec.anchors: has no DNSKEY");
}

TEST_GROUP(setup, NULL)
