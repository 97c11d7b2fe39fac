// SPDX-License-Identifier: BSD-3-Clause

#include "config_entries.h"
#include "config_filter.h"
#include "config_keys.h"
#include "config_sections.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <weir/heap_site.h>
#include <weir/url.h>

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

// axfr://SERVER[:PORT]/ZONE or ixfr, of a zone that is not the root; over TLS with or without
// NAME@.
static bool is_zone(const struct url *u)
{
	struct dns_name zone;
	return (u->axfr_tls || !u->userinfo_len) && !u->has_query && u->path[u->path_len] == '\0'
	       && u->path_len > 1 && (!u->port_len || strtoul(u->port, NULL, 10) - 1 < UINT16_MAX)
	       && !memchr(u->path + 1, '/', u->path_len - 1)
	       && dns_name_from_text(u->path + 1, u->path_len - 1, &zone) == 0 && zone.labels;
}

// `path` or `url`; a file:// URL is a path.
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
	b->lists[i].tsig = config_tsig_find(b, text);
	return b->lists[i].tsig ? 0 : config_refuse(doc, key, "no key of blocking.tsig_keys");
}

// The last part of the path, or the host without a path.
static const char *list_name_find(const struct config_list *list, char found[CONFIG_TITLE_MAX + 1])
{
	struct url url;
	if (list->path)
		return strrchr(list->path, '/') + 1;
	bool was_url = url_parse_list(list->url, &url) == 0; // list_place_apply took it
	assert(was_url);
	(void)was_url;
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
	int rc = config_text_take(
		doc, key, text ? text : list_name_find(list, found), CONFIG_TITLE_MAX, &list->name);
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
		rc = config_worse(rc, config_list_tls_apply(doc, node, i, list));
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

// Titles of the rule image that are made of names of groups, services and so on (group_sources.h).
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

int config_lists_apply(const struct config_doc *doc, struct config *out)
{
	const struct config_node *b = config_section(doc, "blocking");
	int rc = config_tsig_apply(doc, b, &out->blocking); // lists name keys
	rc = config_worse(rc, lists_apply(doc, b, out));
	if (rc == 0)
		rc = titles_check(doc, out);
	if (rc == 0) // items have other numbers from then on
		rc = config_disabled_apply(doc, b, &out->blocking);
	rc = config_worse(
		rc, config_filter_apply(doc, "blocking", b, &out->blocking, &out->blocking.filter));
	rc = config_worse(rc, entries_apply(doc, b, out));
	rc = config_worse(rc, config_rebinding_apply(doc, config_node_mapping(b, "rebinding"),
				      &out->blocking.rebinding));
	return config_worse(rc, config_blocking_reply_apply(doc, b, &out->blocking));
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

void config_lists_free(struct config *c)
{
	lists_free(c->blocking.lists, c->blocking.list_count);
	lists_free(c->blocking.disabled, c->blocking.disabled_count);
	config_tsig_free(&c->blocking);
	struct config_blocking *b = &c->blocking;
	config_entries_free(&(struct config_entries){
		b->allow_count, b->allow_pattern_count, b->allow, b->allow_patterns});
	config_entries_free(&(struct config_entries){
		b->deny_count, b->deny_pattern_count, b->deny, b->deny_patterns});
	config_rebinding_free(&b->rebinding);
	config_filter_free(&b->filter);
}

int config_update_apply(const struct config_doc *doc, struct config *out)
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
