// SPDX-License-Identifier: BSD-3-Clause

// The signed file that names the newest version: as it is, which no key has signed, and with a
// right signature behind it. The reader stays within the file's bounds, and takes no file of the
// first kind.

#include "controlplane/updates/update_file.h"
#include "fuzz.h"

#include <openssl/evp.h>

static EVP_PKEY *key;
static uint8_t public_key[CONFIG_UPDATE_KEY_LEN];

FUZZ_BEGIN
{
	static const uint8_t secret[32] = {1};
	size_t len = sizeof(public_key);
	key = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, secret, sizeof(secret));
	FUZZ_CHECK(key && EVP_PKEY_get_raw_public_key(key, public_key, &len) == 1);
	return 0;
}

static enum update_fault read_it(const void *bytes, size_t len, struct update_file *out)
{
	char why[UPDATE_WHY_MAX] = "";
	char *copy = malloc(len ? len : 1); // of that size, so that a byte too many is seen
	FUZZ_CHECK(copy);
	memcpy(copy, bytes, len);
	const enum update_fault f = update_file_read(copy, len, public_key, out, why);
	free(copy);
	FUZZ_CHECK((f == UPDATE_GOOD) == (*why == '\0'));
	return f;
}

static size_t sign(const uint8_t *data, size_t len, char *out)
{
	uint8_t signature[64];
	size_t n = sizeof(signature);
	EVP_MD_CTX *c = EVP_MD_CTX_new();
	FUZZ_CHECK(c && EVP_DigestSignInit(c, NULL, NULL, NULL, key) == 1);
	FUZZ_CHECK(EVP_DigestSign(c, signature, &n, data, len) == 1);
	EVP_MD_CTX_free(c);
	memcpy(out, data, len);
	memcpy(out + len, "signature ", 10);
	len += 10;
	len += (size_t)EVP_EncodeBlock((uint8_t *)out + len, signature, (int)n);
	out[len++] = '\n';
	return len;
}

FUZZ_BODY(data, len)
{
	static char text[UPDATE_FILE_MAX + 128];
	struct update_file f;
	const enum update_fault plain = read_it(data, len, &f);
	FUZZ_CHECK(plain == (len > UPDATE_FILE_MAX ? UPDATE_TOO_LONG : UPDATE_UNSIGNED));
	if (len > UPDATE_FILE_MAX)
		return 0;
	const enum update_fault fault = read_it(text, sign(data, len, text), &f);
	if (fault != UPDATE_GOOD)
		return 0;
	FUZZ_CHECK(memchr(f.text, '\0', sizeof(f.text)) && *f.text);
	for (const char *c = f.text; *c; c++)
		FUZZ_CHECK(*c > ' ' && *c <= '~');
	FUZZ_CHECK(update_version_compare(&f.version, &f.version) == 0);
	FUZZ_CHECK(f.expires_unix_s > f.issued_unix_s);
	FUZZ_CHECK(f.expires_unix_s - f.issued_unix_s <= UPDATE_LIFE_MAX_S);
	return 0;
}
