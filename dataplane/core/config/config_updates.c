// SPDX-License-Identifier: BSD-3-Clause
// The section `updates`: the public key, and the keys that a check needs.

#include "config_ed25519.h"
#include "config_keys.h"
#include "config_sections.h"

#include <string.h>
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

static int key_take(const struct config_doc *doc, struct config_updates *u)
{
	static const char key[] = "updates.key";
	if (!*u->key)
		return u->check ? config_refuse(doc, key, "`updates.check` needs it") : 0;
	if (!config_ed25519_public(u->key, u->public_key))
		return config_refuse(doc, key,
			"is no Ed25519 public key in base64: 60 characters that begin with "
			"MCowBQYDK2VwAyEA");
	return 0;
}

static int updates_apply(const struct config_doc *doc, struct config *out)
{
	return config_worse(url_check(doc, &out->updates), key_take(doc, &out->updates));
}

// The section `updates`: the public key, and the keys that `check` needs.
const struct config_step config_updates_step = {.apply = updates_apply};
