// SPDX-License-Identifier: BSD-3-Clause
// The section `updates`: the public key, and the keys that a check needs.

#include "config_keys.h"
#include "config_sections.h"

#include <string.h>
#include <weir/base64.h>
#include <weir/url.h>

static int url_check(const struct config_doc *doc, const struct config_updates *u)
{
	static const char key[] = "updates.url";
	struct url url;
	if (!*u->url)
		return u->check ? config_refuse(doc, key, "`updates.check` needs it") : 0;
	if (url_parse(u->url, &url) < 0)
		return config_refuse(doc, key, "is not a URL with http or https");
	if (url.userinfo_len)
		return config_refuse(doc, key, "must be without a user");
	return 0;
}

// A SubjectPublicKeyInfo of Ed25519 (RFC 8410 4) is these bytes and the key.
static int key_take(const struct config_doc *doc, struct config_updates *u)
{
	static const char key[] = "updates.key";
	static const uint8_t head[] = {
		0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00};
	uint8_t der[sizeof(head) + CONFIG_UPDATE_KEY_LEN];
	if (!*u->key)
		return u->check ? config_refuse(doc, key, "`updates.check` needs it") : 0;
	if (base64_read(u->key, strlen(u->key), der, sizeof(der)) != (int)sizeof(der)
		|| memcmp(der, head, sizeof(head)) != 0)
		return config_refuse(doc, key,
			"is no Ed25519 public key in base64: 60 characters that begin with "
			"MCowBQYDK2VwAyEA");
	memcpy(u->public_key, der + sizeof(head), sizeof(u->public_key));
	return 0;
}

static int updates_apply(const struct config_doc *doc, struct config *out)
{
	return config_worse(url_check(doc, &out->updates), key_take(doc, &out->updates));
}

// The section `updates`: the public key, and the keys that `check` needs.
const struct config_step config_updates_step = {.apply = updates_apply};
