// SPDX-License-Identifier: BSD-3-Clause
// The section `dnssec`: its anchors, and which files and names are refused.

#include "config_text.h"

#define MINIMAL                                               \
	"dataplane:\n  ports:\n  - device: net_null0\n"       \
	"  service_addresses: [203.0.113.53/25, 192.0.2.1]\n" \
	"upstreams:\n  servers:\n  - address: 9.9.9.9\n"

static char anchors[] = "/tmp/weir-test-anchors-XXXXXX";

static int setup(void **)
{
	int fd = mkstemp(anchors);
	if (fd < 0 || write(fd, ". IN DS 1 13 2 00\n", 18) != 18)
		return -1;
	return close(fd);
}

static int teardown(void **)
{
	return unlink(anchors);
}

static uint64_t hash_with(const char *keys)
{
	char text[1024];
	snprintf(text, sizeof(text), MINIMAL "dnssec: {anchors: %s, %s}\n", anchors, keys);
	struct config *c = config_text_load(text);
	uint64_t hash = c->dnssec.hash;
	config_free(c);
	return hash;
}

TEST(test_off)
{
	struct config *c = config_text_load(MINIMAL "dnssec: {anchors: /nonexistent}\n");
	assert_false(c->dnssec.validate);
	assert_true(c->dnssec.hash == 0);
	config_free(c);
}

TEST(test_negative_anchors)
{
	char text[1024];
	snprintf(text, sizeof(text),
		MINIMAL
		"dnssec: {anchors: %s, validate: true, negative_anchors: [a.test, B.test]}\n",
		anchors);
	struct config *c = config_text_load(text);
	assert_true(c->dnssec.validate);
	assert_string_equal(c->dnssec.anchors, anchors);
	assert_int_equal(c->dnssec.negative_count, 2);
	assert_memory_equal(c->dnssec.negative[1].wire, "\1b\4test", 7);
	config_free(c);
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

static void anchors_write(const char *text)
{
	int fd = open(anchors, O_WRONLY | O_TRUNC);
	assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	close(fd);
}

#define KEPT_HEAD "; autotrust trust anchor file\n;;id: . 1\n;;query_interval: 43200\n"
#define KEPT(tag, state, count)                                                            \
	".\t3600\tIN\tDNSKEY\t257 3 13 key" #tag "== ;{id = " #tag " (ksk), size = 256b} " \
	";;state=" #state " [ WORD ] ;;count=" #count " ;;lastchange=17 ;;Mon Nov 23\n"

// Of a file that is kept by RFC 5011, valid keys alone: neither pending nor revoked ones.
TEST(test_kept_file)
{
	char text[1024];
	snprintf(text, sizeof(text), MINIMAL "dnssec: {anchors: %s, validate: true}\n", anchors);
	anchors_write(KEPT_HEAD KEPT(1, 2, 0) KEPT(2, 1, 1) KEPT(3, 3, 0) KEPT(4, 4, 0)
			KEPT(5, 0, 0) KEPT(6, 5, 0));
	struct config *c = config_text_load(text);
	assert_string_equal(c->dnssec.keys, ". IN DNSKEY 257 3 13 key1==\n"
					    ". IN DNSKEY 257 3 13 key3==\n");
	config_free(c);
	const uint64_t before = hash_with("validate: true");
	anchors_write(KEPT_HEAD ";;last_success: 9\n" KEPT(3, 2, 7) KEPT(1, 3, 0) KEPT(2, 1, 2));
	assert_true(hash_with("validate: true") == before); // the same keys, after a probe
	anchors_write(KEPT_HEAD KEPT(3, 2, 7) KEPT(1, 3, 0) KEPT(2, 2, 2));
	assert_true(hash_with("validate: true") != before);
	anchors_write(". IN DS 1 13 2 00\n");
	c = config_text_load(text);
	assert_null(c->dnssec.keys);
	config_free(c);
}

// The validator asks without a client.
TEST(test_no_client_subnets)
{
	char text[1024];
	anchors_write(KEPT_HEAD KEPT(1, 2, 0));
	snprintf(text, sizeof(text),
		MINIMAL "  client_subnet_ipv4: 24\ndnssec: {anchors: %s, validate: true}\n",
		anchors);
	config_text_refused(text, "dnssec.validate: weir validates answers without a client");
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
	char text[1024];
	snprintf(text, sizeof(text), MINIMAL "dnssec: {anchors: %s, validate: true}\n", anchors);
	for (unsigned i = 0; i < ARRAY_LEN(bad); i++) {
		anchors_write(bad[i]);
		config_text_refused(text, "dnssec.anchors: has a line that no keeper");
	}
	anchors_write(KEPT_HEAD KEPT(1, 1, 1) KEPT(2, 4, 0));
	config_text_refused(text, "dnssec.anchors: has no valid key");
	anchors_write(KEPT(1, 2, 0)); // cut off behind the state is no harm
	config_free(config_text_load(text));
}

TEST(test_refused)
{
	char text[1024];
	config_text_refused(MINIMAL "dnssec: {validate: true, anchors: /nonexistent/anchors}\n",
		"dnssec.anchors: cannot be read");
	config_text_refused(MINIMAL "dnssec: {anchors: anchors}\n", "dnssec.anchors");
	config_text_refused(MINIMAL "dnssec: {anchors: '/a\"b'}\n", "dnssec.anchors");
	config_text_refused(
		MINIMAL "dnssec: {negative_anchors: ['a\"b']}\n", "dnssec.negative_anchors[0]");
	snprintf(text, sizeof(text), MINIMAL "dnssec: {anchors: %s, negative_anchors: ['a..b']}\n",
		anchors);
	config_text_refused(text, "dnssec.negative_anchors[0]");
	assert_int_equal(truncate(anchors, 0), 0);
	snprintf(text, sizeof(text), MINIMAL "dnssec: {anchors: %s, validate: true}\n", anchors);
	config_text_refused(text, "dnssec.anchors: has no DNSKEY");
}

TEST_GROUP(setup, teardown)
