// SPDX-License-Identifier: BSD-3-Clause
#include "config_entries.h"
#include "config_file.h"
#include "config_sections.h"

#include <stdio.h>
#include <string.h>

enum { SECRET_TEXT = 2 * CONFIG_TICKET_SECRET_LEN, FILE_MAX = 1024, DNS_PORT = 53 };

static int path_take(const struct config_doc *doc, const char *key, const char *path,
	char out[CONFIG_CERTIFICATE_PATH_MAX + 1])
{
	if (!path || !*path)
		return config_refuse(doc, key, "is missing");
	if (path[0] != '/')
		return config_refuse(doc, key, "must be an absolute path");
	if (strlen(path) > CONFIG_CERTIFICATE_PATH_MAX)
		return config_refuse(
			doc, key, "has more than %d bytes", CONFIG_CERTIFICATE_PATH_MAX);
	snprintf(out, CONFIG_CERTIFICATE_PATH_MAX + 1, "%s", path);
	return 0;
}

static int certificates_take(
	const struct config_doc *doc, const struct config_raw_tls *raw, struct config_tls *out)
{
	static const char list[] = "tls.certificates";
	char key[CONFIG_PATH_MAX];
	int rc = 0;
	for (unsigned i = 0; i < raw->certificates_count; i++) {
		struct config_certificate *c = &out->certificate[out->count++];
		const struct config_raw_certificate *r = &raw->certificates[i];
		rc = config_worse(rc,
			path_take(doc, config_item_key(key, list, i, "cert"), r->cert, c->cert));
		rc = config_worse(
			rc, path_take(doc, config_item_key(key, list, i, "key"), r->key, c->key));
	}
	return rc;
}

static int secret_add(const struct config_doc *doc, const char *key, const char *text, size_t len,
	struct config_tls *t)
{
	if (t->secret_count == CONFIG_TICKET_SECRETS_MAX)
		return config_refuse(doc, key, "more than %d secrets", CONFIG_TICKET_SECRETS_MAX);
	if (len != SECRET_TEXT
		|| !config_hex_read(text, t->secret[t->secret_count], CONFIG_TICKET_SECRET_LEN))
		return config_refuse(doc, key, "a secret is 64 hexadecimal digits (32 bytes)");
	t->secret_count++;
	return 0;
}

static int tickets_take(const struct config_doc *doc, struct config_tls *t)
{
	static const char key[] = "tls.tickets_file";
	char text[FILE_MAX + 2];
	if (!t->tickets_file[0])
		return 0;
	if (t->tickets_file[0] != '/')
		return config_refuse(doc, key, "must be an absolute path");
	if (doc->leaves_secrets)
		return 0;
	int len = config_file_read(t->tickets_file, text, FILE_MAX + 1);
	int rc = 0;
	if (len < 0)
		return config_refuse(doc, key, "cannot be read: %s", strerror(-len));
	if (len > FILE_MAX)
		rc = config_refuse(doc, key, "has more than %d bytes", FILE_MAX);
	for (const char *p = text; rc == 0 && *p;) {
		size_t n = strcspn(p, " \t\r\n");
		if (n)
			rc = secret_add(doc, key, p, n, t);
		p += n;
		p += strspn(p, " \t\r\n");
	}
	explicit_bzero(text, sizeof(text));
	return rc == 0 && t->secret_count == 0 ? config_refuse(doc, key, "has no secret") : rc;
}

int config_tls_apply(const struct config_doc *doc, const struct config_raw *raw, struct config *out)
{
	int rc = certificates_take(doc, raw->tls, &out->tls);
	rc = config_worse(rc, tickets_take(doc, &out->tls));
	if (out->dot.enabled && out->tls.count == 0)
		rc = config_worse(
			rc, config_refuse(doc, "dot.enabled",
				    "needs a certificate and its key in tls.certificates"));
	if (out->dot.port == DNS_PORT)
		rc = config_worse(rc, config_refuse(doc, "dot.port",
					      "is that of DNS in clear text; 853 is usual"));
	return rc;
}

void config_tls_wipe(struct config *c)
{
	explicit_bzero(c->tls.secret, sizeof(c->tls.secret));
}
