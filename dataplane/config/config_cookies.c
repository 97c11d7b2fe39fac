// SPDX-License-Identifier: BSD-3-Clause
#include "config_entries.h"
#include "config_file.h"
#include "config_sections.h"

#include <string.h>

enum { SECRET_TEXT = 2 * DNS_COOKIE_SECRET_LEN, FILE_MAX = 1024 };

// Adds a secret. The error for a bad one does not repeat it.
static int secret_add(const struct config_doc *doc, const char *key, const char *text, size_t len,
	struct config_cookies *c)
{
	if (c->count == DNS_COOKIE_SECRETS_MAX)
		return config_refuse(doc, key, "more than %d secrets", DNS_COOKIE_SECRETS_MAX);
	if (len != SECRET_TEXT
		|| !config_hex_read(text, c->secret[c->count], DNS_COOKIE_SECRET_LEN))
		return config_refuse(doc, key, "a secret is 32 hexadecimal digits (16 bytes)");
	for (unsigned i = 0; i < c->count; i++)
		if (memcmp(c->secret[i], c->secret[c->count], DNS_COOKIE_SECRET_LEN) == 0)
			return config_refuse(doc, key, "has a secret twice");
	c->count++;
	return 0;
}

static int file_apply(const struct config_doc *doc, struct config_cookies *c)
{
	static const char key[] = "cookies.secret_file";
	char text[FILE_MAX + 2];
	if (!c->secret_file[0])
		return 0;
	if (c->count)
		return config_refuse(doc, key, "goes not with cookies.secrets");
	if (c->secret_file[0] != '/')
		return config_refuse(doc, key, "must be an absolute path");
	if (doc->leaves_secrets)
		return 0;
	int len = config_file_read(c->secret_file, text, FILE_MAX + 1);
	int rc = 0;
	if (len < 0)
		return config_refuse(doc, key, "cannot be read: %s", strerror(-len));
	if (len > FILE_MAX)
		rc = config_refuse(doc, key, "has more than %d bytes", FILE_MAX);
	for (const char *p = text; rc == 0 && *p;) {
		size_t n = strcspn(p, " \t\r\n");
		if (n)
			rc = secret_add(doc, key, p, n, c);
		p += n;
		p += strspn(p, " \t\r\n");
	}
	explicit_bzero(text, sizeof(text));
	return rc == 0 && c->count == 0 ? config_refuse(doc, key, "has no secret") : rc;
}

int config_cookies_apply(
	const struct config_doc *doc, const struct config_raw *raw, struct config *out)
{
	const struct config_raw_cookies *r = raw->cookies;
	for (unsigned i = 0; i < r->secrets_count; i++) {
		char key[CONFIG_PATH_MAX];
		const char *text = r->secrets[i] ? r->secrets[i] : "";
		config_item_key(key, "cookies.secrets", i, NULL);
		int rc = secret_add(doc, key, text, strlen(text), &out->cookies);
		if (rc < 0)
			return rc;
	}
	return file_apply(doc, &out->cookies);
}

void config_cookies_wipe(struct config *c)
{
	explicit_bzero(c->cookies.secret, sizeof(c->cookies.secret));
}
