// SPDX-License-Identifier: BSD-3-Clause

#include "tls_crypto.h"

#include "tls_internal.h"

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
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

bool tls_ed25519_sign(const uint8_t key[TLS_ED25519_KEY_LEN], const void *bytes, size_t len,
	uint8_t out[TLS_ED25519_SIGNATURE_LEN])
{
	size_t out_len = TLS_ED25519_SIGNATURE_LEN;
	ERR_set_mark();
	EVP_PKEY *k =
		EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, key, TLS_ED25519_KEY_LEN);
	EVP_MD_CTX *c = k ? EVP_MD_CTX_new() : NULL;
	const bool ok = c && EVP_DigestSignInit(c, NULL, NULL, NULL, k) == 1
			&& EVP_DigestSign(c, out, &out_len, bytes, len) == 1;
	EVP_MD_CTX_free(c);
	EVP_PKEY_free(k);
	ERR_pop_to_mark();
	return ok;
}

struct tls_hmac *tls_hmac_new(const char *digest, const uint8_t *key, size_t len)
{
	EVP_PKEY *k = EVP_PKEY_new_raw_private_key(EVP_PKEY_HMAC, NULL, key, len);
	EVP_MD_CTX *c = k ? EVP_MD_CTX_new() : NULL;

	if (c && EVP_DigestSignInit_ex(c, NULL, digest, NULL, NULL, k, NULL) != 1) {
		EVP_MD_CTX_free(c);
		c = NULL;
	}
	EVP_PKEY_free(k);
	return (struct tls_hmac *)c;
}

bool tls_hmac_add(struct tls_hmac *h, const void *bytes, size_t len)
{
	return EVP_DigestSignUpdate((EVP_MD_CTX *)h, bytes, len) == 1;
}

bool tls_hmac_end(struct tls_hmac *h, uint8_t out[TLS_HMAC_MAX], size_t *len)
{
	bool ok = out && EVP_DigestSignFinal((EVP_MD_CTX *)h, out, len) == 1;

	EVP_MD_CTX_free((EVP_MD_CTX *)h);
	return ok;
}

void tls_digest(
	const uint8_t secret[TLS_SECRET_LEN], const uint8_t label[16], uint8_t out[TLS_DIGEST_LEN])
{
	// It fails only without memory; keys that are not made from the secret are no danger.
	if (!HMAC(EVP_sha512(), secret, TLS_SECRET_LEN, label, 16, out, NULL))
		(void)RAND_bytes(out, TLS_DIGEST_LEN);
}
