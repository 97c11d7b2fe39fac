// SPDX-License-Identifier: BSD-3-Clause
#include "config_entries.h"
#include "config_file.h"
#include "config_sections.h"

#include <stdio.h>
#include <string.h>
#include <weir/ascii.h>

enum { SECRET_TEXT = 2 * CONFIG_TICKET_SECRET_LEN, DNS_PORT = 53 };

int config_certificate_path_take(const struct config_doc *doc, const char *key, const char *path,
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
	const struct config_doc *doc, const struct config_node *node, struct config_tls *out)
{
	static const char list[] = "tls.certificates";
	char key[CONFIG_PATH_MAX];
	int rc = 0;
	for (unsigned i = 0; i < config_node_count(node, "certificates"); i++) {
		struct config_certificate *c = &out->certificate[out->count++];
		const struct config_node *r = config_node_item(node, "certificates", i);
		rc = config_worse(
			rc, config_certificate_path_take(doc, config_item_key(key, list, i, "cert"),
				    config_node_text(r, "cert"), c->cert));
		rc = config_worse(
			rc, config_certificate_path_take(doc, config_item_key(key, list, i, "key"),
				    config_node_text(r, "key"), c->key));
	}
	return rc;
}

static int secret_add(const struct config_secrets *s, const char *text, size_t len)
{
	struct config_tls *t = s->arg;
	if (t->secret_count == CONFIG_TICKET_SECRETS_MAX)
		return config_refuse(
			s->doc, s->key, "more than %d secrets", CONFIG_TICKET_SECRETS_MAX);
	if (len != SECRET_TEXT
		|| !config_hex_read(text, t->secret[t->secret_count], CONFIG_TICKET_SECRET_LEN))
		return config_refuse(
			s->doc, s->key, "a secret is 64 hexadecimal digits (32 bytes)");
	t->secret_count++;
	return 0;
}

static int tickets_take(const struct config_doc *doc, struct config_tls *t)
{
	const struct config_secrets file = {
		.doc = doc, .key = "tls.tickets_file", .add = secret_add, .arg = t};
	return t->tickets_file[0] ? config_secrets_read(&file, t->tickets_file) : 0;
}

// Accepts only bytes that a request has unescaped: weir does not undo escapes.
static bool path_is_good(const char *path)
{
	return path[0] == '/'
	       && strspn(path, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
			       "-._~!$'()*+,;=:@/&")
			  == strlen(path);
}

static int doh_check(const struct config_doc *doc, const struct config *c)
{
	int rc = 0;
	if (c->doh.enabled && c->tls.count == 0)
		rc = config_refuse(
			doc, "doh.enabled", "needs a certificate and its key in tls.certificates");
	if (c->doh.port == DNS_PORT)
		rc = config_worse(rc, config_refuse(doc, "doh.port",
					      "is that of DNS in clear text; 443 is usual"));
	if (c->doh.enabled && c->dot.enabled && c->doh.port == c->dot.port)
		rc = config_worse(rc, config_refuse(doc, "doh.port", "is that of dot.port, too"));
	if (!path_is_good(c->doh.path))
		rc = config_worse(
			rc, config_refuse(doc, "doh.path",
				    "is no path: \"/\", and characters that a URL has unescaped"));
	return rc;
}

// Converts the name to what TLS compares: lower case, without the final dot.
static int name_take(const struct config_doc *doc, char *name)
{
	size_t len = strlen(name);
	struct dns_name wire;
	if (len == 0)
		return 0;
	for (size_t i = 0; i < len; i++)
		name[i] = (char)ascii_lower((uint8_t)name[i]);
	name[len - (name[len - 1] == '.')] = '\0';
	if (strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-_.") != strlen(name)
		|| dns_name_from_text(name, strlen(name), &wire) < 0 || wire.labels == 0)
		return config_refuse(doc, "tls.name", "is not the name of a host");
	return 0;
}

static int clients_check(const struct config_doc *doc, const struct config_tls *t)
{
	if (t->client_ca[0] && t->client_ca[0] != '/')
		return config_refuse(doc, "tls.client_ca", "must be an absolute path");
	return t->client_required && !t->client_ca[0]
		       ? config_refuse(doc, "tls.client_required", "needs tls.client_ca")
		       : 0;
}

static int tls_apply(const struct config_doc *doc, struct config *out)
{
	int rc = certificates_take(doc, config_section(doc, "tls"), &out->tls);
	rc = config_worse(rc, name_take(doc, out->tls.name));
	rc = config_worse(rc, tickets_take(doc, &out->tls));
	rc = config_worse(rc, clients_check(doc, &out->tls));
	if (out->dot.enabled && out->tls.count == 0)
		rc = config_worse(
			rc, config_refuse(doc, "dot.enabled",
				    "needs a certificate and its key in tls.certificates"));
	if (out->dot.port == DNS_PORT)
		rc = config_worse(rc, config_refuse(doc, "dot.port",
					      "is that of DNS in clear text; 853 is usual"));
	return config_worse(rc, doh_check(doc, out));
}

static void tls_wipe(struct config *c)
{
	explicit_bzero(c->tls.secret, sizeof(c->tls.secret));
}

// The sections `tls`, `dot` and `doh`: paths of certificates, secrets of session tickets, and
// ports. Does not read the certificates.
const struct config_step config_tls_step = {.apply = tls_apply, .free = tls_wipe};
