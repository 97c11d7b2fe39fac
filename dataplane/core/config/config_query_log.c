// SPDX-License-Identifier: BSD-3-Clause

#include "config_entries.h"
#include "config_file.h"
#include "config_keys.h"
#include "config_sections.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <weir/heap_site.h>
#include <weir/url.h>

enum { CLICKHOUSE_URL_MAX = 400, DNS_PORT = 53 };

// weir writes names of tables into statements without quotes.
static int identifier_check(const struct config_doc *doc, const char *key, const char *text)
{
	static const char first[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_",
			  rest[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_"
				   "0123456789";
	if (strspn(text, first) >= 1 && text[strspn(text, rest)] == '\0')
		return 0;
	return config_refuse(doc, key, "must be letters, digits and _, a letter or _ first");
}

static int clickhouse_url_check(const struct config_doc *doc, const char *key, const char *text)
{
	struct url u;
	if (url_parse(text, &u) < 0)
		return config_refuse(doc, key, "is no http or https URL");
	if (u.userinfo_len || u.has_query || strchr(text, '#'))
		return config_refuse(doc, key,
			"must be without user, query and fragment (user and password_file are)");
	return 0;
}

static uint16_t url_port(const struct url *u)
{
	return u->port_len ? (uint16_t)strtoul(u->port, NULL, 10) : u->https ? 443 : 80;
}

// An empty path means "/".
static size_t url_path_len(const struct url *u)
{
	return u->path_len ? u->path_len : 1;
}

// Do both URLs mean one server, however each is spelled?
static bool is_same_server(const char *a, const char *b)
{
	struct url x, y;
	return url_parse(a, &x) == 0 && url_parse(b, &y) == 0 && x.https == y.https
	       && url_port(&x) == url_port(&y) && x.host_len == y.host_len
	       && strncasecmp(x.host, y.host, x.host_len) == 0
	       && url_path_len(&x) == url_path_len(&y)
	       && strncmp(x.path_len ? x.path : "/", y.path_len ? y.path : "/", url_path_len(&x))
			  == 0;
}

static int clickhouse_url_take(const struct config_doc *doc, const char *key, const char *text,
	struct config_query_log_clickhouse *c)
{
	char **url = &c->urls[c->url_count];
	int rc = config_text_take(doc, key, text, CLICKHOUSE_URL_MAX, url);
	if (rc < 0)
		return rc;
	c->url_count++;
	rc = clickhouse_url_check(doc, key, *url);
	for (unsigned i = 0; rc == 0 && i + 1 < c->url_count; i++)
		if (is_same_server(c->urls[i], *url))
			rc = config_refuse(doc, key, "given twice");
	return rc;
}

// Reads the items of `urls`, or `url` as the only one.
static int clickhouse_urls_take(const struct config_doc *doc, const struct config_node *node,
	struct config_query_log_clickhouse *c)
{
	static const char one[] = "query_log.clickhouse.url", list[] = "query_log.clickhouse.urls";
	char key[CONFIG_PATH_MAX];
	int rc = 0;
	if (*c->url && config_node_count(node, "urls"))
		return config_refuse(doc, list, "goes not with query_log.clickhouse.url");
	if (*c->url)
		return clickhouse_url_take(doc, one, c->url, c);
	for (unsigned i = 0; i < config_node_count(node, "urls"); i++)
		rc = config_worse(rc, clickhouse_url_take(doc, config_item_key(key, list, i, NULL),
					      config_node_item_text(node, "urls", i), c));
	return rc;
}

// weir sends the password in an HTTP header.
static int password_check(const struct config_doc *doc, const char *key, const char *text)
{
	for (const char *at = text; *at; at++)
		if ((unsigned char)*at < 0x20 || *at == 0x7f)
			return config_refuse(doc, key, "has a control character");
	return 0;
}

static int path_check(const struct config_doc *doc, const char *key, const char *path)
{
	return *path && *path != '/' ? config_refuse(doc, key, "must be an absolute path") : 0;
}

static int clickhouse_apply(const struct config_doc *doc, const struct config_node *node,
	struct config_query_log_clickhouse *c)
{
	static const char password_key[] = "query_log.clickhouse.password_file";
	int rc = clickhouse_urls_take(doc, node, c);
	rc = config_worse(rc, identifier_check(doc, "query_log.clickhouse.database", c->database));
	rc = config_worse(rc, identifier_check(doc, "query_log.clickhouse.table", c->table));
	rc = config_worse(
		rc, path_check(doc, "query_log.clickhouse.spool_directory", c->spool_directory));
	rc = config_worse(rc, path_check(doc, "query_log.clickhouse.ca_file", c->ca_file));
	if (c->url_count && *c->password_file)
		rc = config_worse(rc,
			config_password_read(doc, password_key, c->password_file, &c->password));
	return c->password ? config_worse(rc, password_check(doc, password_key, c->password)) : rc;
}

static int webhook_take(const struct config_doc *doc, unsigned i, const struct config_node *node,
	struct config_webhook *w)
{
	const char *list = "query_log.webhooks";
	char owner[CONFIG_PATH_MAX];
	int rc = config_webhook_take(doc, list, i, node, &w->to);
	config_item_key(owner, list, i, NULL);
	rc = config_worse(rc, config_bool_of(doc, owner, node, "on_block", &w->on_block));
	rc = config_worse(rc, config_bool_of(doc, owner, node, "on_error", &w->on_error));
	return config_worse(rc, config_bool_of(doc, owner, node, "summary", &w->summary));
}

static int webhooks_take(
	const struct config_doc *doc, const struct config_node *node, struct config_query_log *out)
{
	if (config_node_count(node, "webhooks") == 0)
		return 0;
	out->webhooks = heap_calloc(config_node_count(node, "webhooks"), sizeof(*out->webhooks));
	if (!out->webhooks)
		return -ENOMEM;
	out->webhook_count = config_node_count(node, "webhooks");
	int rc = 0;
	for (unsigned i = 0; i < config_node_count(node, "webhooks"); i++)
		rc = config_worse(rc, webhook_take(doc, i, config_node_item(node, "webhooks", i),
					      &out->webhooks[i]));
	return rc;
}

// Accepts what dnstap.c of the control plane can open.
static int dnstap_check(const struct config_doc *doc, const char *to)
{
	static const char key[] = "query_log.dnstap.socket", tcp[] = "tcp:";
	struct socket_address address;
	if (!*to || *to == '/')
		return 0;
	if (strncmp(to, tcp, sizeof(tcp) - 1) != 0
		|| socket_address_parse(to + sizeof(tcp) - 1, 0, &address) < 0 || address.port == 0)
		return config_refuse(doc, key,
			"must be an absolute path, or an address with port such as "
			"\"tcp:192.0.2.1:6000\" or \"tcp:[2001:db8::1]:6000\"");
	return config_address_is_host(&address.ip)
		       ? 0
		       : config_refuse(doc, key, "must not be a multicast or broadcast address");
}

static int query_log_apply(const struct config_doc *doc, struct config *out)
{
	const struct config_node *node = config_section(doc, "query_log");
	struct config_query_log *c = &out->query_log;
	int rc = path_check(doc, "query_log.store.directory", c->store.directory);
	rc = config_worse(
		rc, path_check(doc, "query_log.requests.directory", c->requests.directory));
	rc = config_worse(rc, dnstap_check(doc, c->dnstap.socket));
	rc = config_worse(rc, webhooks_take(doc, node, c));
	rc = config_worse(rc, config_names_apply(doc, "query_log.exclude_domains",
				      config_node_list(node, "exclude_domains"),
				      &c->exclude_domains, &c->exclude_domain_count));
	rc = config_worse(rc, config_prefixes_apply(doc, "query_log.exclude_clients",
				      config_node_list(node, "exclude_clients"),
				      &c->exclude_clients, &c->exclude_client_count));
	return config_worse(
		rc, clickhouse_apply(doc, config_node_mapping(node, "clickhouse"), &c->clickhouse));
}

static void query_log_free(struct config *c)
{
	FREE_AND_NULL(c->query_log.exclude_domains);
	FREE_AND_NULL(c->query_log.exclude_clients);
	char *password = c->query_log.clickhouse.password;
	if (password)
		explicit_bzero(password, strlen(password));
	FREE_AND_NULL(c->query_log.clickhouse.password);
	for (unsigned i = 0; i < c->query_log.clickhouse.url_count; i++)
		FREE_AND_NULL(c->query_log.clickhouse.urls[i]);
	for (unsigned i = 0; i < c->query_log.webhook_count; i++)
		config_webhook_free(&c->query_log.webhooks[i].to);
	FREE_AND_NULL(c->query_log.webhooks);
}

// The section `client_names`.
static int lease_add(const struct config_doc *doc, const char *key, const char *path,
	struct config_client_names *out)
{
	if (!path || path[0] != '/')
		return config_refuse(doc, key, "must be an absolute path");
	if (strlen(path) > CONFIG_LEASE_PATH_MAX)
		return config_refuse(doc, key, "is longer than %d bytes", CONFIG_LEASE_PATH_MAX);
	for (unsigned i = 0; i < out->lease_file_count; i++)
		if (strcmp(out->lease_files[i], path) == 0)
			return config_refuse(doc, key, "given twice");
	char *to = out->lease_files[out->lease_file_count++];
	snprintf(to, sizeof(out->lease_files[0]), "%s", path);
	return 0;
}

static int server_add(const struct config_doc *doc, const char *key, const char *text,
	struct config_client_names *out)
{
	struct socket_address *a = &out->ptr_servers[out->ptr_server_count];
	if (!text || socket_address_parse(text, DNS_PORT, a) < 0)
		return config_refuse(doc, key,
			"is not an IP address, with or without port (\"192.0.2.1\", "
			"\"[fd53::1]:5353\")");
	if (!config_address_is_host(&a->ip))
		return config_refuse(doc, key, "is not the address of a host");
	out->ptr_server_count++;
	return 0;
}

static int client_sources_apply(const struct config_doc *doc, struct config *out)
{
	const struct config_node *r = config_section(doc, "client_names");
	struct config_client_names *n = &out->client_names;
	char key[CONFIG_PATH_MAX];
	int rc = 0;
	for (unsigned i = 0; i < config_node_count(r, "lease_files"); i++)
		rc = config_worse(rc,
			lease_add(doc, config_item_key(key, "client_names.lease_files", i, NULL),
				config_node_item_text(r, "lease_files", i), n));
	for (unsigned i = 0; i < config_node_count(r, "ptr_servers"); i++)
		rc = config_worse(rc,
			server_add(doc, config_item_key(key, "client_names.ptr_servers", i, NULL),
				config_node_item_text(r, "ptr_servers", i), n));
	return rc;
}

// The lists of the section `client_names`.
const struct config_step config_client_sources_step = {.apply = client_sources_apply};

// The lists of the section `query_log`; config_keys.h has its keys with one value.
const struct config_step config_query_log_step = {.apply = query_log_apply, .free = query_log_free};
