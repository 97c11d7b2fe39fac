// SPDX-License-Identifier: BSD-3-Clause
#include "config_entries.h"
#include "config_file.h"
#include "config_sections.h"

#include <string.h>

enum { SECRET_TEXT = 2 * DNS_COOKIE_SECRET_LEN };

// Adds a secret. The error for a bad secret does not repeat it.
static int secret_add(const struct config_secrets *s, const char *text, size_t len)
{
	struct config_cookies *c = s->arg;
	if (c->count == DNS_COOKIE_SECRETS_MAX)
		return config_refuse(
			s->doc, s->key, "more than %d secrets", DNS_COOKIE_SECRETS_MAX);
	if (len != SECRET_TEXT
		|| !config_hex_read(text, c->secret[c->count], DNS_COOKIE_SECRET_LEN))
		return config_refuse(
			s->doc, s->key, "a secret is 32 hexadecimal digits (16 bytes)");
	for (unsigned i = 0; i < c->count; i++)
		if (memcmp(c->secret[i], c->secret[c->count], DNS_COOKIE_SECRET_LEN) == 0)
			return config_refuse(s->doc, s->key, "has a secret twice");
	c->count++;
	return 0;
}

static int file_apply(const struct config_doc *doc, struct config_cookies *c)
{
	const struct config_secrets file = {
		.doc = doc, .key = "cookies.secret_file", .add = secret_add, .arg = c};
	if (!c->secret_file[0])
		return 0;
	if (c->count)
		return config_refuse(doc, file.key, "goes not with cookies.secrets");
	return config_secrets_read(&file, c->secret_file);
}

static int cookies_apply(const struct config_doc *doc, struct config *out)
{
	const struct config_node *r = config_section(doc, "cookies");
	int rc = 0;
	for (unsigned i = 0; i < config_node_count(r, "secrets"); i++) {
		char key[CONFIG_PATH_MAX];
		const char *text = config_node_item_text(r, "secrets", i)
					   ? config_node_item_text(r, "secrets", i)
					   : "";
		const struct config_secrets one = {.doc = doc,
			.key = config_item_key(key, "cookies.secrets", i, NULL),
			.arg = &out->cookies};
		rc = config_worse(rc, secret_add(&one, text, strlen(text)));
	}
	return rc < 0 ? rc : file_apply(doc, &out->cookies); // refuses a file beside `secrets`
}

static void cookies_wipe(struct config *c)
{
	explicit_bzero(c->cookies.secret, sizeof(c->cookies.secret));
}

// The section `cookies`: the secrets, from the configuration or from `secret_file`.
const struct config_step config_cookies_step = {.apply = cookies_apply, .free = cookies_wipe};
