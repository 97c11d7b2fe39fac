// SPDX-License-Identifier: BSD-3-Clause
// Signatures of versions: only a trusted key's one over exactly these values holds.

#include "controlplane/sync/sync_sign.h"
#include "controlplane/tls/tls_crypto.h"
#include "tests/unit/unit.h"

#include <errno.h>

// RFC 8032 7.1, TEST 1: a key and its signature of no bytes.
static const uint8_t key[] = {0x9d, 0x61, 0xb1, 0x9d, 0xef, 0xfd, 0x5a, 0x60, 0xba, 0x84, 0x4a,
	0xf4, 0x92, 0xec, 0x2c, 0xc4, 0x44, 0x49, 0xc5, 0x69, 0x7b, 0x32, 0x69, 0x19, 0x70, 0x3b,
	0xac, 0x03, 0x1c, 0xae, 0x7f, 0x60};
static const uint8_t trusted[][CONFIG_SYNC_KEY_LEN] = {
	{1},
	{0xd7, 0x5a, 0x98, 0x01, 0x82, 0xb1, 0x0a, 0xb7, 0xd5, 0x4b, 0xfe, 0xd3, 0xc9, 0x64, 0x07,
		0x3a, 0x0e, 0xe1, 0x72, 0xf3, 0xda, 0xa6, 0x23, 0x25, 0xaf, 0x02, 0x1a, 0x68, 0xf7,
		0x07, 0x51, 0x1a},
};
static const uint8_t signature[] = {0xe5, 0x56, 0x43, 0x00, 0xc3, 0x60, 0xac, 0x72, 0x90, 0x86,
	0xe2, 0xcc, 0x80, 0x6e, 0x82, 0x8a, 0x84, 0x87, 0x7f, 0x1e, 0xb8, 0xe5, 0xd9, 0x74, 0xd8,
	0x73, 0xe0, 0x65, 0x22, 0x49, 0x01, 0x55, 0x5f, 0xb8, 0x82, 0x15, 0x90, 0xa3, 0x3b, 0xac,
	0xc6, 0x1e, 0x39, 0x70, 0x1c, 0xf9, 0xb4, 0x6b, 0xd2, 0x5b, 0xf5, 0xf0, 0x59, 0x5b, 0xbe,
	0x24, 0x65, 0x51, 0x41, 0x43, 0x8e, 0x7a, 0x10, 0x0b};
static char why[SYNC_WHY_MAX];

static struct sync_offer offer_signed(void)
{
	struct sync_offer o = {
		.box = "box1", .epoch = 3, .version = 9, .author = "uid 0: deny a.test"};
	memset(o.digest, 'a', SYNC_DIGEST_LEN);
	assert_true(sync_sign(&o, key));
	return o;
}

static bool is_good(const struct sync_offer *o)
{
	return sync_signature_check(o, trusted, 2, why);
}

TEST(the_test_vector_of_rfc_8032)
{
	uint8_t got[TLS_ED25519_SIGNATURE_LEN];
	assert_true(tls_ed25519_sign(key, "", 0, got));
	assert_memory_equal(got, signature, sizeof(got));
	assert_true(tls_ed25519_verify(trusted[1], got, "", 0));
}

TEST(a_signature_of_a_trusted_key_holds)
{
	const struct sync_offer o = offer_signed();
	assert_true(is_good(&o));
	assert_false(sync_signature_check(&o, trusted, 1, why)); // the other key alone
	assert_non_null(strstr(why, "sync.trusted_keys"));
}

TEST(a_version_without_one_names_the_key_to_set)
{
	struct sync_offer o = offer_signed();
	o.signature[0] = '\0';
	assert_false(is_good(&o));
	assert_non_null(strstr(why, "version 9 of box1 is not signed: set sync.sign_key_file"));
}

TEST(each_value_is_signed)
{
	const struct sync_offer good = offer_signed();
	struct sync_offer bad[7];
	for (unsigned i = 0; i < 7; i++)
		bad[i] = good;
	bad[0].epoch++;
	bad[1].version--;
	bad[2].digest[63] ^= 1;
	bad[3].box[3] ^= 1;
	bad[4].box[3] = '\0';
	bad[5].signature[127] ^= 1;
	bad[6].author[4] = '1';
	for (unsigned i = 0; i < 7; i++)
		assert_false(is_good(&bad[i]));
}

TEST(it_is_part_of_the_line)
{
	const struct sync_offer o = offer_signed();
	struct sync_offer got;
	char *line = sync_line_write(&o);
	assert_int_equal(sync_line_read(line, strlen(line), &got, why), 0);
	assert_true(got.is_unchanged);
	assert_true(is_good(&got));
	strstr(line, o.signature)[5] = 'x';
	assert_int_equal(sync_line_read(line, strlen(line), &got, why), -EINVAL);
	assert_non_null(strstr(why, "signature"));
	free(line);
}
