// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Signed files as `openssl pkeyutl -sign -rawin` makes them.

#include "controlplane/updates/update_file.h"
#include "tests/unit/unit.h"

#include <openssl/evp.h>

struct update_key {
	EVP_PKEY *key;
	uint8_t public_key[CONFIG_UPDATE_KEY_LEN];
};

static inline void update_key_free(void *key)
{
	EVP_PKEY_free(key);
}

static inline struct update_key update_key_make(void)
{
	struct update_key k = {.key = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519")};
	size_t len = sizeof(k.public_key);
	assert_non_null(k.key);
	assert_int_equal(EVP_PKEY_get_raw_public_key(k.key, k.public_key, &len), 1);
	unit_at_end(update_key_free, k.key);
	return k;
}

// `body` and its signature's line in `out`; their length.
static inline size_t update_sign(
	const struct update_key *k, const char *body, char *out, size_t cap)
{
	uint8_t signature[64];
	char text[96];
	size_t len = sizeof(signature);
	EVP_MD_CTX *c = EVP_MD_CTX_new();
	assert_non_null(c);
	assert_int_equal(EVP_DigestSignInit(c, NULL, NULL, NULL, k->key), 1);
	assert_int_equal(
		EVP_DigestSign(c, signature, &len, (const uint8_t *)body, strlen(body)), 1);
	EVP_MD_CTX_free(c);
	EVP_EncodeBlock((uint8_t *)text, signature, (int)len);
	const int n = snprintf(out, cap, "%ssignature %s\n", body, text);
	assert_in_range(n, 1, cap - 1);
	return (size_t)n;
}

// The lines before the signature.
static inline char *update_body(
	char out[UPDATE_FILE_MAX], const char *version, int64_t issued, int64_t expires)
{
	char a[CONFIG_TIME_TEXT_MAX], b[CONFIG_TIME_TEXT_MAX];
	snprintf(out, UPDATE_FILE_MAX, "weir-update 1\nversion %s\nissued %s\nexpires %s\n",
		version, config_time_text(issued, a), config_time_text(expires, b));
	return out;
}
