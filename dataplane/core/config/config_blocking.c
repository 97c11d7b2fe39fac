// SPDX-License-Identifier: BSD-3-Clause

// The section `blocking`: lists, keys of zone transfers, entries, answers, rebinding.

#include "config_entries.h"
#include "config_file.h"
#include "config_filter.h"
#include "config_keys.h"
#include "config_sections.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <weir/base64.h>
#include <weir/dns_answer.h>
#include <weir/heap_site.h>
#include <weir/text.h>
#include <weir/url.h>

static bool is_named(const struct config_node *node, const char *name)
{
	for (unsigned i = 0; i < config_node_count(node, "disabled_lists"); i++)
		if (strcmp(config_node_item_text(node, "disabled_lists", i), name) == 0)
			return true;
	return false;
}

// Refuses names in `disabled_lists` that no list has.
static int names_check(const struct config_doc *doc, const struct config_node *node,
	const struct config_blocking *b)
{
	unsigned *lists = NULL, count = 0;
	int rc = config_list_names_apply(doc, "blocking.disabled_lists",
		config_node_list(node, "disabled_lists"), b, &lists, &count);
	heap_free(lists);
	return rc;
}

// Moves the lists that `blocking.disabled_lists` names from `lists` to `disabled`. Must come after
// all checks that name a list by its number. -EINVAL by config_refuse, -ENOMEM.
static int disabled_apply(
	const struct config_doc *doc, const struct config_node *node, struct config_blocking *b)
{
	if (config_node_count(node, "disabled_lists") == 0)
		return 0;
	int rc = names_check(doc, node, b);
	if (rc < 0)
		return rc;
	b->disabled = heap_calloc(b->list_count, sizeof(*b->disabled));
	if (!b->disabled)
		return -ENOMEM;
	unsigned kept = 0;
	for (unsigned i = 0; i < b->list_count; i++) {
		if (is_named(node, b->lists[i].name))
			b->disabled[b->disabled_count++] = b->lists[i];
		else
			b->lists[kept++] = b->lists[i];
	}
	b->list_count = kept;
	return 0;
}

bool config_list_is_disabled(const struct config_blocking *b, const char *name)
{
	for (unsigned i = 0; i < b->disabled_count; i++)
		if (strcmp(b->disabled[i].name, name) == 0)
			return true;
	return false;
}

static const char tsig_keys[] = "blocking.tsig_keys";

// Stores the only secret. The error for a bad secret does not repeat it.
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

// The number of the key, from 1; 0: no such key.
static uint8_t tsig_find(const struct config_blocking *b, const char *text)
{
	struct dns_name name;
	if (dns_name_from_text(text, strlen(text), &name) < 0)
		return 0;
	for (unsigned i = 0; i < b->tsig_key_count; i++)
		if (dns_name_equal(&b->tsig_keys[i].name, &name))
			return (uint8_t)(i + 1);
	return 0;
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
	if (tsig_find(b, name))
		return config_refuse(doc, key, "is given twice");
	int rc = config_choice_of(doc, owner, node, "algorithm", "tsig_algorithm", &algorithm);
	k->algorithm = (uint8_t)algorithm;
	return config_worse(rc, secret_take(doc, config_node_text(node, "secret_file"), i, k));
}

static int tsig_apply(
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

static void tsig_free(struct config_blocking *b)
{
	if (b->tsig_keys)
		explicit_bzero(b->tsig_keys, b->tsig_key_count * sizeof(b->tsig_keys[0]));
	FREE_AND_NULL(b->tsig_keys);
	b->tsig_key_count = 0;
}

// The name before "@", or the server's name unless it is an address.
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

// Whom the server of a list with axfr+tls must be: the name in its URL, `pin` and `ca_file`.
// -EINVAL by config_refuse, -ENOMEM.
static int list_tls_apply(const struct config_doc *doc, const struct config_node *node, unsigned i,
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

enum { TTL_MIN_S = 1, TTL_MAX_S = 86400 };

// Reads an address; `text` NULL: leaves `out` as it is.
static int address_apply(const struct config_doc *doc, const char *owner, const char *of,
	const char *text, unsigned version, struct ip_address *out)
{
	char key[CONFIG_PATH_MAX];
	struct ip_address a;
	if (!text)
		return 0;
	config_sub_key(key, owner, of);
	if (strchr(text, '/') || ip_address_parse(text, &a) < 0 || a.version != version)
		return config_refuse(doc, key, "is not an IPv%u address", version);
	*out = a;
	return 0;
}

static int addresses_apply(const struct config_doc *doc, const char *owner, const char *ipv4,
	const char *ipv6, struct ip_address *v4, struct ip_address *v6)
{
	int rc = address_apply(doc, owner, "ipv4", ipv4, 4, v4);
	return config_worse(rc, address_apply(doc, owner, "ipv6", ipv6, 6, v6));
}

// Must come after config_keys_step. -EINVAL by config_refuse.
static int blocking_reply_apply(
	const struct config_doc *doc, const struct config_node *node, struct config_blocking *out)
{
	int rc = addresses_apply(doc, "blocking", config_node_text(node, "ipv4"),
		config_node_text(node, "ipv6"), &out->custom_v4, &out->custom_v6);
	if (rc == 0 && out->mode == DNS_BLOCK_CUSTOM && !out->custom_v4.version
		&& !out->custom_v6.version)
		rc = config_refuse(doc, "blocking.mode", "`address` needs `ipv4` or `ipv6`");
	return rc;
}

static int values_apply(const struct config_doc *doc, const char *base,
	const struct config_node *node, struct config_block *out)
{
	int64_t mode = 0, ttl = 0;
	int rc = config_choice_of(doc, base, node, "mode", "block_mode", &mode);
	rc = config_worse(rc, config_number_of(doc, base, node, "ttl", TTL_MIN_S, TTL_MAX_S, &ttl));
	out->mode = (enum dns_block_mode)mode;
	out->has_mode = config_node_text(node, "mode") != NULL;
	out->ttl_s = (uint32_t)ttl;
	out->has_ttl = config_node_text(node, "ttl") != NULL;
	return rc;
}

int config_block_apply(const struct config_doc *doc, const char *owner,
	const struct config_node *node, const struct config_blocking *everyone,
	struct config_block *out)
{
	char base[CONFIG_PATH_MAX], key[CONFIG_PATH_MAX];
	if (!node)
		return 0;
	config_sub_key(base, owner, "block");
	int rc = values_apply(doc, base, node, out);
	rc = config_worse(
		rc, addresses_apply(doc, base, config_node_text(node, "ipv4"),
			    config_node_text(node, "ipv6"), &out->custom_v4, &out->custom_v6));
	bool has_address = out->custom_v4.version || out->custom_v6.version
			   || everyone->custom_v4.version || everyone->custom_v6.version;
	if (rc == 0 && out->has_mode && out->mode == DNS_BLOCK_CUSTOM && !has_address)
		rc = config_refuse(
			doc, config_sub_key(key, base, "mode"), "`address` needs `ipv4` or `ipv6`");
	return rc;
}

static int rebinding_apply(
	const struct config_doc *doc, const struct config_node *node, struct config_rebinding *out)
{
	int rc = config_bool_of(doc, "blocking.rebinding", node, "enabled", &out->enabled);
	return config_worse(
		rc, config_names_apply(doc, "blocking.rebinding.allow",
			    config_node_list(node, "allow"), &out->allow, &out->allow_count));
}

static void rebinding_free(struct config_rebinding *r)
{
	FREE_AND_NULL(r->allow);
}

enum { LIST_PATH_MAX = 255 };

// The path, absolute: a relative one starts at the folder of the configuration file.
static int list_path_apply(
	const struct config_doc *doc, const char *key, const char *path, struct config_list *list)
{
	char *text = NULL;
	int rc = config_text_take(doc, key, path, LIST_PATH_MAX, &text);
	if (rc < 0)
		return rc;
	if (text[0] == '/') {
		list->path = text;
		return 0;
	}
	const char *slash = strrchr(doc->absolute, '/');
	int folder = slash ? (int)(slash - doc->absolute) : 0;
	if (asprintf(&list->path, "%.*s/%s", folder, doc->absolute, text) < 0)
		list->path = NULL;
	heap_free(text);
	if (!list->path)
		return -ENOMEM;
	if (strlen(list->path) > LIST_PATH_MAX)
		return config_refuse(doc, key, "with the file's folder in front it is too long");
	return 0;
}

// Is it axfr://SERVER[:PORT]/ZONE, or ixfr, with a zone that is not the root? Only over TLS may it
// have NAME@.
static bool is_zone(const struct url *u)
{
	struct dns_name zone;
	return (u->axfr_tls || !u->userinfo_len) && !u->has_query && u->path[u->path_len] == '\0'
	       && u->path_len > 1 && (!u->port_len || strtoul(u->port, NULL, 10) - 1 < UINT16_MAX)
	       && !memchr(u->path + 1, '/', u->path_len - 1)
	       && dns_name_from_text(u->path + 1, u->path_len - 1, &zone) == 0 && zone.labels;
}

// Reads `path` or `url`; a file:// URL becomes a path.
static int list_place_apply(const struct config_doc *doc, const struct config_node *node,
	unsigned i, struct config_list *list)
{
	static const char file[] = "file://";
	char key[CONFIG_PATH_MAX];
	config_item_key(key, "blocking.lists", i, config_node_text(node, "url") ? "url" : "path");
	if (!config_node_text(node, "url"))
		return list_path_apply(doc, key, config_node_text(node, "path"), list);
	if (config_node_text(node, "path"))
		return config_refuse(doc, key, "goes not with path");
	if (strncmp(config_node_text(node, "url"), file, strlen(file)) == 0) {
		const char *path = config_node_text(node, "url") + strlen(file);
		if (path[0] != '/' || strpbrk(path, "%?#"))
			return config_refuse(
				doc, key, "must be file:///path, with nothing encoded in it");
		return list_path_apply(doc, key, path, list);
	}
	struct url url;
	if (url_parse_list(config_node_text(node, "url"), &url) < 0)
		return config_refuse(
			doc, key, "is not a URL with http, https, file, axfr, ixfr or these +tls");
	if (url.axfr && !is_zone(&url))
		return config_refuse(doc, key,
			url.axfr_tls ? "must be %s+tls://[NAME@]SERVER[:PORT]/ZONE"
				     : "must be %s://SERVER[:PORT]/ZONE",
			url.ixfr ? "ixfr" : "axfr");
	return config_text_take(
		doc, key, config_node_text(node, "url"), CONFIG_URL_MAX, &list->url);
}

bool config_list_format(const char *word, uint8_t *out)
{
	int64_t value;
	bool known = config_choice_find("list_format", word, &value);
	if (known)
		*out = (uint8_t)value;
	return known;
}

const char *config_list_format_text(uint8_t format)
{
	return config_choice_word("list_format", format);
}

static bool is_transferred(const struct config_list *list)
{
	struct url url;
	return list->url && url_parse_list(list->url, &url) == 0 && url.axfr;
}

static int list_format_apply(const struct config_doc *doc, const char *owner,
	const struct config_node *node, struct config_list *list)
{
	char key[CONFIG_PATH_MAX];
	int64_t value = LIST_FORMAT_AUTO;
	int rc = config_choice_of(doc, owner, node, "format", "list_format", &value);
	list->format = (uint8_t)value;
	if (rc < 0 || !is_transferred(list))
		return rc;
	if (value != LIST_FORMAT_AUTO && value != LIST_FORMAT_RPZ)
		return config_refuse(doc, config_sub_key(key, owner, "format"),
			"must be rpz: a transferred zone is nothing else");
	list->format = LIST_FORMAT_RPZ;
	return 0;
}

static int list_tsig_apply(
	const struct config_doc *doc, const char *text, unsigned i, struct config_blocking *b)
{
	char key[CONFIG_PATH_MAX];
	config_item_key(key, "blocking.lists", i, "tsig");
	if (!text)
		return 0;
	if (!is_transferred(&b->lists[i]))
		return config_refuse(doc, key, "is for lists by zone transfer");
	b->lists[i].tsig = tsig_find(b, text);
	return b->lists[i].tsig ? 0 : config_refuse(doc, key, "no key of blocking.tsig_keys");
}

const char *config_list_name(
	const char *list_path, const char *list_url, char found[CONFIG_TITLE_MAX + 1])
{
	struct url url;
	const char *slash = list_path ? strrchr(list_path, '/') : NULL;
	if (list_path)
		return slash ? slash + 1 : list_path;
	if (!list_url || url_parse_list(list_url, &url) != 0)
		return NULL;
	const char *from = url.path;
	size_t len = url.path_len;
	for (size_t i = 0; i < url.path_len; i++) {
		if (url.path[i] == '/') {
			from = url.path + i + 1;
			len = url.path_len - i - 1;
		}
	}
	if (len == 0) {
		from = url.host;
		len = url.host_len;
	}
	snprintf(found, CONFIG_TITLE_MAX + 1, "%.*s", (int)len, from);
	return found;
}

static int list_name_apply(
	const struct config_doc *doc, const char *text, unsigned i, struct config_blocking *b)
{
	char key[CONFIG_PATH_MAX], found[CONFIG_TITLE_MAX + 1];
	struct config_list *list = &b->lists[i];
	config_item_key(key, "blocking.lists", i, "name");
	int rc = config_text_take(doc, key,
		text ? text : config_list_name(list->path, list->url, found), CONFIG_TITLE_MAX,
		&list->name);
	for (unsigned j = 0; rc == 0 && j < i; j++)
		if (b->lists[j].name && strcmp(b->lists[j].name, list->name) == 0)
			rc = config_refuse(doc, key, "the name \"%s\" is given twice", list->name);
	return rc;
}

static int list_apply(const struct config_doc *doc, const struct config_node *node, unsigned i,
	struct config_blocking *b)
{
	char owner[CONFIG_PATH_MAX], key[CONFIG_PATH_MAX];
	struct config_list *list = &b->lists[i];
	b->list_count = i + 1;
	const int place = list_place_apply(doc, node, i, list);
	config_item_key(owner, "blocking.lists", i, NULL);
	int rc = config_worse(place, config_bool_of(doc, owner, node, "allow", &list->allow));
	rc = config_worse(rc, config_bool_of(doc, owner, node, "force", &list->force));
	rc = config_worse(rc, config_bool_of(doc, owner, node, "exact", &list->exact));
	rc = config_worse(rc, list_format_apply(doc, owner, node, list));
	if (place == 0) {
		rc = config_worse(rc, list_tsig_apply(doc, config_node_text(node, "tsig"), i, b));
		rc = config_worse(rc, list_tls_apply(doc, node, i, list));
	}
	if (place == 0 || config_node_text(node, "name"))
		rc = config_worse(rc, list_name_apply(doc, config_node_text(node, "name"), i, b));
	for (unsigned j = 0; place == 0 && j < i; j++)
		if (list->url && b->lists[j].url && strcmp(b->lists[j].url, list->url) == 0)
			return config_refuse(doc, config_item_key(key, "blocking.lists", i, "url"),
				"is given twice");
	return rc;
}

static int lists_apply(
	const struct config_doc *doc, const struct config_node *node, struct config *out)
{
	if (config_node_count(node, "lists") == 0)
		return 0;
	out->blocking.lists =
		heap_calloc(config_node_count(node, "lists"), sizeof(*out->blocking.lists));
	if (!out->blocking.lists)
		return -ENOMEM;
	int rc = 0;
	for (unsigned i = 0; i < config_node_count(node, "lists") && rc != -ENOMEM; i++)
		rc = config_worse(
			rc, list_apply(doc, config_node_item(node, "lists", i), i, &out->blocking));
	return rc;
}

static int entries_apply(
	const struct config_doc *doc, const struct config_node *node, struct config *out)
{
	struct config_entries allow = {0}, deny = {0};
	struct config_blocking *b = &out->blocking;
	int rc = config_entries_apply(
		doc, "blocking.allow", config_node_list(node, "allow"), &allow);
	rc = config_worse(rc,
		config_entries_apply(doc, "blocking.deny", config_node_list(node, "deny"), &deny));
	b->allow = allow.names;
	b->allow_count = allow.count;
	b->allow_patterns = allow.patterns;
	b->allow_pattern_count = allow.pattern_count;
	b->deny = deny.names;
	b->deny_count = deny.count;
	b->deny_patterns = deny.patterns;
	b->deny_pattern_count = deny.pattern_count;
	return rc;
}

static int https_strip_apply(
	const struct config_doc *doc, const struct config_node *node, struct config_blocking *b)
{
	static const struct {
		const char *word;
		uint8_t bit;
	} params[CONFIG_HTTPS_STRIP_MAX] = {{"ech", DNS_SVC_ECH}, {"ipv4hint", DNS_SVC_IPV4HINT},
		{"ipv6hint", DNS_SVC_IPV6HINT}};
	char key[CONFIG_PATH_MAX];
	int rc = 0;
	for (unsigned i = 0; i < config_node_count(node, "https_strip"); i++) {
		const char *text = config_node_item_text(node, "https_strip", i);
		unsigned k = 0;
		while (k < ARRAY_LEN(params) && strcmp(text, params[k].word) != 0)
			k++;
		if (k < ARRAY_LEN(params))
			b->https_strip |= params[k].bit;
		else
			rc = config_worse(
				rc, config_refuse(doc,
					    config_item_key(key, "blocking.https_strip", i, NULL),
					    "must be one of: ech, ipv4hint, ipv6hint"));
	}
	return rc;
}

// Refuses names of lists that look like titles of weir's own lists in the rule image, which name
// groups, services and so on (group_sources.h).
static int titles_check(const struct config_doc *doc, const struct config *c)
{
	static const char *const taken[] = {"group ", "service ", "schedule ", "safe search ",
		"allow entries", "deny entries", "rebinding", "local data", "special-use names"};
	for (unsigned i = 0; i < c->blocking.list_count; i++) {
		const char *name = c->blocking.lists[i].name;
		char key[CONFIG_PATH_MAX];
		for (size_t k = 0; k < ARRAY_LEN(taken); k++)
			if (strncmp(name, taken[k], strlen(taken[k])) == 0)
				return config_refuse(doc,
					config_item_key(key, "blocking.lists", i, "name"),
					"begins with \"%s\", which weir's own lists do", taken[k]);
	}
	return 0;
}

static int config_lists_apply(const struct config_doc *doc, struct config *out)
{
	const struct config_node *b = config_section(doc, "blocking");
	int rc = tsig_apply(doc, b, &out->blocking); // lists name keys
	rc = config_worse(rc, lists_apply(doc, b, out));
	if (rc == 0)
		rc = titles_check(doc, out);
	if (rc == 0) // changes the numbers of lists
		rc = disabled_apply(doc, b, &out->blocking);
	rc = config_worse(rc, config_filter_apply(doc, "blocking", b, out, &out->blocking.filter));
	rc = config_worse(rc, entries_apply(doc, b, out));
	rc = config_worse(rc, config_types_apply(doc, "blocking.types",
				      config_node_list(b, "types"), false, &out->blocking.types));
	rc = config_worse(rc, https_strip_apply(doc, b, &out->blocking));
	rc = config_worse(rc, rebinding_apply(doc, config_node_mapping(b, "rebinding"),
				      &out->blocking.rebinding));
	return config_worse(rc, blocking_reply_apply(doc, b, &out->blocking));
}

static void lists_free(struct config_list *lists, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		FREE_AND_NULL(lists[i].name);
		FREE_AND_NULL(lists[i].path);
		FREE_AND_NULL(lists[i].url);
		FREE_AND_NULL(lists[i].tls);
	}
	heap_free(lists);
}

static void config_lists_free(struct config *c)
{
	lists_free(c->blocking.lists, c->blocking.list_count);
	lists_free(c->blocking.disabled, c->blocking.disabled_count);
	tsig_free(&c->blocking);
	struct config_blocking *b = &c->blocking;
	config_entries_free(&(struct config_entries){
		b->allow_count, b->allow_pattern_count, b->allow, b->allow_patterns});
	config_entries_free(&(struct config_entries){
		b->deny_count, b->deny_pattern_count, b->deny, b->deny_patterns});
	rebinding_free(&b->rebinding);
	config_filter_free(&b->filter);
}

static int update_apply(const struct config_doc *doc, struct config *out)
{
	struct config_update *u = &out->blocking.update;
	int rc = 0;
	if (u->interval_s && u->interval_s < CONFIG_UPDATE_INTERVAL_MIN_S)
		rc = config_refuse(doc, "blocking.update.interval", "must be 0 or at least %d",
			CONFIG_UPDATE_INTERVAL_MIN_S);
	return config_worse(
		rc, config_bootstrap_apply(doc, "blocking.update.bootstrap",
			    config_node_list(
				    config_node_mapping(config_section(doc, "blocking"), "update"),
				    "bootstrap"),
			    out, u->bootstrap, &u->bootstrap_count));
}

// The lists of the section `blocking`, its entries, and the reply for blocked names.
const struct config_step config_lists_step = {
	.apply = config_lists_apply, .free = config_lists_free};

// The list of blocking.update, and the relations between its values.
const struct config_step config_update_step = {.apply = update_apply};
