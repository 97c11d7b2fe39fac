// SPDX-License-Identifier: BSD-3-Clause
// Zone transfers of lists: keys that sign them, and whom a server over TLS must be.
#include "config_entries.h"
#include "config_file.h"
#include "config_keys.h"
#include "config_sections.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <weir/base64.h>
#include <weir/heap_site.h>
#include <weir/url.h>

static const char tsig_keys[] = "blocking.tsig_keys";

// Takes the one secret. The error for a bad one does not repeat it.
static int secret_add(const struct config_secrets *s, const char *text, size_t len)
{
	struct config_tsig_key *k = s->arg;
	if (k->secret_len)
		return config_refuse(s->doc, s->key, "has more than one secret");
	int n = base64_read(text, len, k->secret, sizeof(k->secret));
	if (n < CONFIG_TSIG_SECRET_MIN)
		return config_refuse(s->doc, s->key, "a secret is base64 of %d to %d bytes",
			CONFIG_TSIG_SECRET_MIN, CONFIG_TSIG_SECRET_MAX);
	k->secret_len = (uint8_t)n;
	return 0;
}

static int secret_take(
	const struct config_doc *doc, const char *path, unsigned i, struct config_tsig_key *k)
{
	char key[CONFIG_PATH_MAX];
	const struct config_secrets file = {.doc = doc,
		.key = config_item_key(key, tsig_keys, i, "secret_file"),
		.add = secret_add,
		.arg = k};
	if (!path || !*path)
		return config_refuse(doc, key, "missing");
	if (strlen(path) > CONFIG_TSIG_PATH_MAX)
		return config_refuse(doc, key, "has more than %d bytes", CONFIG_TSIG_PATH_MAX);
	strcpy(k->secret_file, path);
	return config_secrets_read(&file, path);
}

static int key_apply(const struct config_doc *doc, const struct config_node *node, unsigned i,
	struct config_blocking *b)
{
	struct config_tsig_key *k = &b->tsig_keys[i];
	char owner[CONFIG_PATH_MAX], key[CONFIG_PATH_MAX];
	const char *name = config_node_text(node, "name");
	int64_t algorithm = CONFIG_TSIG_SHA256;
	config_item_key(owner, tsig_keys, i, NULL);
	config_sub_key(key, owner, "name");
	if (!name || dns_name_from_text(name, strlen(name), &k->name) < 0 || k->name.labels == 0)
		return config_refuse(doc, key, "is no domain name");
	// Keys are compared byte by byte (rules_fetch.c).
	memset(k->name.wire + k->name.len, 0, sizeof(k->name.wire) - k->name.len);
	if (config_tsig_find(b, name))
		return config_refuse(doc, key, "is given twice");
	int rc = config_choice_of(doc, owner, node, "algorithm", "tsig_algorithm", &algorithm);
	k->algorithm = (uint8_t)algorithm;
	return config_worse(rc, secret_take(doc, config_node_text(node, "secret_file"), i, k));
}

int config_tsig_apply(
	const struct config_doc *doc, const struct config_node *node, struct config_blocking *out)
{
	if (config_node_count(node, "tsig_keys") == 0)
		return 0;
	out->tsig_keys =
		heap_calloc(config_node_count(node, "tsig_keys"), sizeof(out->tsig_keys[0]));
	if (!out->tsig_keys)
		return -ENOMEM;
	int rc = 0;
	for (; out->tsig_key_count < config_node_count(node, "tsig_keys") && rc != -ENOMEM;
		out->tsig_key_count++)
		rc = config_worse(
			rc, key_apply(doc, config_node_item(node, "tsig_keys", out->tsig_key_count),
				    out->tsig_key_count, out));
	return rc;
}

uint8_t config_tsig_find(const struct config_blocking *b, const char *text)
{
	struct dns_name name;
	if (dns_name_from_text(text, strlen(text), &name) < 0)
		return 0;
	for (unsigned i = 0; i < b->tsig_key_count; i++)
		if (dns_name_equal(&b->tsig_keys[i].name, &name))
			return (uint8_t)(i + 1);
	return 0;
}

void config_tsig_free(struct config_blocking *b)
{
	if (b->tsig_keys)
		explicit_bzero(b->tsig_keys, b->tsig_key_count * sizeof(b->tsig_keys[0]));
	FREE_AND_NULL(b->tsig_keys);
	b->tsig_key_count = 0;
}

// The name before "@", or that of the server unless it is an address.
static int name_apply(const struct config_doc *doc, unsigned i, const struct url *url,
	struct config_list_tls *tls)
{
	char key[CONFIG_PATH_MAX], host[CONFIG_TLS_NAME_MAX + 1];
	struct socket_address literal;
	config_item_key(key, "blocking.lists", i, "url");
	if (url->userinfo_len) {
		if (config_tls_name_take(url->userinfo, url->userinfo_len, tls->name))
			return 0;
		return config_refuse(doc, key, "the name before \"@\" is not that of a host");
	}
	if (url->host[0] == '[')
		return 0;
	snprintf(host, sizeof(host), "%.*s", (int)url->host_len, url->host);
	if (socket_address_parse(host, 1, &literal) == 0)
		return 0;
	return config_tls_name_take(url->host, url->host_len, tls->name)
		       ? 0
		       : config_refuse(doc, key, "the server is no address and no name of a host");
}

static int ca_file_apply(
	const struct config_doc *doc, unsigned i, const char *path, struct config_list_tls *tls)
{
	char key[CONFIG_PATH_MAX];
	config_item_key(key, "blocking.lists", i, "ca_file");
	if (!path)
		return 0;
	if (path[0] != '/')
		return config_refuse(doc, key, "must be an absolute path");
	if (strlen(path) > CONFIG_CA_FILE_MAX)
		return config_refuse(doc, key, "has more than %d bytes", CONFIG_CA_FILE_MAX);
	strcpy(tls->ca_file, path);
	return 0;
}

int config_list_tls_apply(const struct config_doc *doc, const struct config_node *node, unsigned i,
	struct config_list *list)
{
	static const char only[] = "is for lists with axfr+tls:// or ixfr+tls://";
	char key[CONFIG_PATH_MAX];
	struct url url;
	bool is_tls = list->url && url_parse_list(list->url, &url) == 0 && url.axfr_tls;
	config_item_key(key, "blocking.lists", i, "ca_file");
	if (!is_tls && config_node_text(node, "ca_file"))
		return config_refuse(doc, key, only);
	config_item_key(key, "blocking.lists", i, "pin");
	if (!is_tls && config_node_count(node, "pin"))
		return config_refuse(doc, key, only);
	if (!is_tls)
		return 0;
	list->tls = heap_calloc(1, sizeof(*list->tls));
	if (!list->tls)
		return -ENOMEM;
	list->tls->pin_count = config_node_count(node, "pin");
	int rc = config_pins_take(doc, key, config_node_list(node, "pin"), list->tls->pin);
	rc = config_worse(rc, ca_file_apply(doc, i, config_node_text(node, "ca_file"), list->tls));
	return config_worse(rc, name_apply(doc, i, &url, list->tls));
}
