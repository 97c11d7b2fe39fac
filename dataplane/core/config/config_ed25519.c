// SPDX-License-Identifier: BSD-3-Clause
#include "config_ed25519.h"

#include <string.h>
#include <weir/base64.h>

enum { HEAD_MAX = 16 };

// DER that has these bytes, then the key, then its end.
static bool der_read(const char *text, size_t len, const uint8_t *head, size_t head_len,
	uint8_t out[CONFIG_ED25519_LEN])
{
	uint8_t der[HEAD_MAX + CONFIG_ED25519_LEN];
	const size_t want = head_len + CONFIG_ED25519_LEN;
	const bool is_key =
		base64_read(text, len, der, want) == (int)want && memcmp(der, head, head_len) == 0;
	if (is_key)
		memcpy(out, der + head_len, CONFIG_ED25519_LEN);
	explicit_bzero(der, sizeof(der));
	return is_key;
}

// A SubjectPublicKeyInfo.
bool config_ed25519_public(const char *text, uint8_t out[CONFIG_ED25519_LEN])
{
	static const uint8_t head[] = {
		0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00};
	return der_read(text, strlen(text), head, sizeof(head), out);
}

// A OneAsymmetricKey without a public key.
bool config_ed25519_private(const char *text, size_t len, uint8_t out[CONFIG_ED25519_LEN])
{
	static const uint8_t head[HEAD_MAX] = {0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03,
		0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20};
	return der_read(text, len, head, sizeof(head), out);
}
