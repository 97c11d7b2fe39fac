// SPDX-License-Identifier: BSD-3-Clause
#include "tls_secret.h"

#include "tls_ed25519.h"

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <string.h>

bool tls_secret_make(uint8_t *out, size_t len)
{
	return RAND_bytes(out, (int)len) == 1;
}

bool tls_sha256(const void *bytes, size_t len, uint8_t out[TLS_SHA256_LEN])
{
	return EVP_Digest(bytes, len, out, NULL, EVP_sha256(), NULL) == 1;
}

bool tls_scrypt(const char *password, const uint8_t salt[TLS_SALT_LEN], uint8_t out[TLS_SHA256_LEN])
{
	enum { N = 1 << 14, R = 8, P = 5, MEMORY_MAX = 20 << 20 };
	return EVP_PBE_scrypt(password, strlen(password), salt, TLS_SALT_LEN, N, R, P, MEMORY_MAX,
		       out, TLS_SHA256_LEN)
	       == 1;
}

bool tls_secret_same(const uint8_t *a, const uint8_t *b, size_t len)
{
	return CRYPTO_memcmp(a, b, len) == 0;
}

bool tls_ed25519_verify(const uint8_t key[TLS_ED25519_KEY_LEN],
	const uint8_t signature[TLS_ED25519_SIGNATURE_LEN], const void *bytes, size_t len)
{
	ERR_set_mark();
	EVP_PKEY *k = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, key, TLS_ED25519_KEY_LEN);
	EVP_MD_CTX *c = k ? EVP_MD_CTX_new() : NULL;
	bool is_right =
		c && EVP_DigestVerifyInit(c, NULL, NULL, NULL, k) == 1
		&& EVP_DigestVerify(c, signature, TLS_ED25519_SIGNATURE_LEN, bytes, len) == 1;
	EVP_MD_CTX_free(c);
	EVP_PKEY_free(k);
	ERR_pop_to_mark();
	return is_right;
}
