// SPDX-License-Identifier: BSD-3-Clause

#include "config_raw.h"

#include "config_keys.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <weir/heap_site.h>
#include <weir/text.h>

// What a walk through nodes and schema has: the path so far, and the worst result.
struct walk {
	struct config_doc *doc;
	char path[CONFIG_PATH_MAX];
	unsigned unknown; // keys that were refused
	int rc;
};

static size_t path_add(struct walk *w, const char *key)
{
	const size_t len = strlen(w->path);
	snprintf(w->path + len, sizeof(w->path) - len, "%s%s", len ? "." : "", key);
	return len;
}

static size_t path_add_item(struct walk *w, unsigned i)
{
	const size_t len = strlen(w->path);
	snprintf(w->path + len, sizeof(w->path) - len, "[%u]", i);
	return len;
}

static const struct config_field *field_find(
	const struct config_field *fields, const char *key, const char **nearest)
{
	struct text_near near;
	text_near_begin(&near, key);
	for (; fields->key && strcmp(fields->key, key) != 0; fields++)
		text_near_try(&near, fields->key);
	*nearest = near.best;
	return fields->key ? fields : NULL;
}

// Refuses the keys of a mapping, and of all below it, that the schema does not know; what is below
// these says nothing.
static void unknown_refuse(
	struct walk *w, const struct config_node *n, const struct config_field *fields)
{
	const char *nearest;
	if (n->kind == CONFIG_NODE_TEXT || !fields)
		return;
	for (unsigned i = 0; i < n->count && w->unknown < CONFIG_ERRORS_MAX; i++) {
		const struct config_node *child = n->child[i];
		const bool is_item = n->kind == CONFIG_NODE_LIST;
		const struct config_field *f =
			is_item ? NULL : field_find(fields, child->key, &nearest);
		const size_t len = is_item ? path_add_item(w, i) : path_add(w, child->key);
		if (is_item && child->kind == CONFIG_NODE_MAPPING) {
			unknown_refuse(w, child, fields);
		} else if (!is_item && !f) {
			(void)config_refuse_node(w->doc, child, w->path, nearest, "unknown key");
			w->unknown++;
		} else if (!is_item && (child->kind == f->kind)) {
			unknown_refuse(w, child, f->fields);
		}
		w->path[len] = '\0';
	}
}

static int version_check(const struct config_doc *doc, const char *text)
{
	int64_t version = 0;
	int rc = config_number_parse(doc, "version", text, 1, UINT32_MAX, &version);
	if (rc == 0 && version > CONFIG_VERSION)
		rc = config_refuse(doc, "version",
			"%lld is newer than this weir, which knows version %d; install a newer "
			"weir, or use a file of version %d",
			(long long)version, CONFIG_VERSION, CONFIG_VERSION);
	return rc;
}

// The first node that is of another kind than the schema says, or too long a list, ends the walk.
static int shape_refuse(struct walk *w, const struct config_node *n, enum config_node_kind wanted)
{
	static const char *const reasons[] = {[CONFIG_NODE_TEXT] = "expected one value",
		[CONFIG_NODE_LIST] = "expected a list",
		[CONFIG_NODE_MAPPING] = "expected keys below it"};
	return config_refuse_node(
		w->doc, n, w->path[0] ? w->path : "document", NULL, "%s", reasons[wanted]);
}

static int mapping_check(
	struct walk *w, const struct config_node *n, const struct config_field *fields);

static int list_check(struct walk *w, const struct config_node *n, const struct config_field *f)
{
	int rc = 0;
	for (unsigned i = 0; i < n->count && rc == 0; i++) {
		const struct config_node *item = n->child[i];
		const size_t len = path_add_item(w, i);
		if (i == f->max) {
			w->path[len] = '\0';
			return config_refuse_node(
				w->doc, n, w->path, NULL, "more than %u entries", f->max);
		}
		if (f->fields)
			rc = mapping_check(w, item, f->fields);
		else if (item->kind != CONFIG_NODE_TEXT)
			rc = shape_refuse(w, item, CONFIG_NODE_TEXT);
		w->path[len] = '\0';
	}
	return rc;
}

static int field_check(struct walk *w, const struct config_node *n, const struct config_field *f)
{
	if (f->kind != CONFIG_NODE_TEXT && config_node_is_empty(n))
		return 0;
	if (n->kind != f->kind)
		return shape_refuse(w, n, f->kind);
	if (f->kind == CONFIG_NODE_TEXT)
		return 0;
	return f->kind == CONFIG_NODE_LIST ? list_check(w, n, f) : mapping_check(w, n, f->fields);
}

// Unknown keys were refused before.
static int mapping_check(
	struct walk *w, const struct config_node *n, const struct config_field *fields)
{
	const char *nearest;
	int rc = 0;
	if (n->kind != CONFIG_NODE_MAPPING)
		return shape_refuse(w, n, CONFIG_NODE_MAPPING);
	for (unsigned i = 0; i < n->count && rc == 0; i++) {
		const struct config_node *child = n->child[i];
		const struct config_field *f = field_find(fields, child->key, &nearest);
		const size_t len = path_add(w, child->key);
		if (f)
			rc = field_check(w, child, f);
		w->path[len] = '\0';
	}
	return rc;
}

int config_raw_check(struct config_doc *doc)
{
	struct walk w = {.doc = doc};
	int rc = config_tree_read(doc, &doc->tree);
	if (rc < 0 || !doc->tree.root)
		return rc;
	const char *version = config_node_text(doc->tree.root, "version");
	if (version)
		rc = version_check(doc, version);
	// The keys of a newer version are unknown, so they say nothing.
	if (rc == 0 && doc->tree.root->kind == CONFIG_NODE_MAPPING)
		unknown_refuse(&w, doc->tree.root, config_schema);
	return rc;
}

int config_raw_shape(struct config_doc *doc)
{
	struct walk w = {.doc = doc};
	struct config_node *root = doc->tree.root;
	if (config_node_is_empty(root) && !doc->is_included)
		return config_refuse(doc, "document", "is empty");
	return config_node_is_empty(root) ? 0 : mapping_check(&w, root, config_schema);
}

static bool mapping_fill(struct config_tree *t, const struct config_node *n,
	const struct config_field *fields, void *to);

static bool list_fill(
	struct config_tree *t, const struct config_node *n, const struct config_field *f, void *to)
{
	const size_t size = f->fields ? f->size : sizeof(char *);
	const unsigned count = n->kind == CONFIG_NODE_LIST ? n->count : 0;
	char *items = count ? config_tree_memory(t, count * size) : NULL;
	if (count && !items)
		return false;
	bool whole = true;
	for (unsigned i = 0; i < count && whole; i++) {
		if (f->fields)
			whole = mapping_fill(t, n->child[i], f->fields, items + i * size);
		else
			((const char **)(void *)items)[i] = n->child[i]->text;
	}
	*(void **)(void *)((char *)to + f->offset) = items;
	*(unsigned *)(void *)((char *)to + f->count_offset) = count;
	return whole;
}

static bool field_fill(
	struct config_tree *t, const struct config_node *n, const struct config_field *f, void *to)
{
	void **member = (void *)((char *)to + f->offset);
	if (f->kind == CONFIG_NODE_LIST)
		return list_fill(t, n, f, to);
	if (f->kind == CONFIG_NODE_TEXT) {
		*(const char **)(void *)member = n->text;
		return true;
	}
	if (config_node_is_empty(n))
		return true;
	*member = config_tree_memory(t, f->size);
	return *member && mapping_fill(t, n, f->fields, *member);
}

static bool mapping_fill(struct config_tree *t, const struct config_node *n,
	const struct config_field *fields, void *to)
{
	const char *nearest;
	bool whole = true;
	for (unsigned i = 0; i < n->count && whole; i++) {
		const struct config_field *f = field_find(fields, n->child[i]->key, &nearest);
		whole = !f || field_fill(t, n->child[i], f, to);
	}
	return whole;
}

// Sections that the file leaves out.
static bool raw_complete(struct config_tree *t, struct config_raw *raw)
{
#define RAW_COMPLETE(section) \
	(raw->section || (raw->section = config_tree_memory(t, sizeof(*raw->section))) != NULL)
	bool whole = RAW_COMPLETE(runtime) && RAW_COMPLETE(dataplane) && RAW_COMPLETE(cache)
		     && RAW_COMPLETE(refresh) && RAW_COMPLETE(blocking) && RAW_COMPLETE(upstreams)
		     && RAW_COMPLETE(limits) && RAW_COMPLETE(access) && RAW_COMPLETE(cookies)
		     && RAW_COMPLETE(proxy_protocol) && RAW_COMPLETE(tls) && RAW_COMPLETE(dot)
		     && RAW_COMPLETE(doh) && RAW_COMPLETE(dnssec) && RAW_COMPLETE(tcp)
		     && RAW_COMPLETE(controlplane) && RAW_COMPLETE(fallback) && RAW_COMPLETE(redis)
		     && RAW_COMPLETE(local) && RAW_COMPLETE(query_log) && RAW_COMPLETE(identity)
		     && RAW_COMPLETE(ipv6) && RAW_COMPLETE(metrics) && RAW_COMPLETE(control)
		     && RAW_COMPLETE(events) && RAW_COMPLETE(updates) && RAW_COMPLETE(client_names)
		     && RAW_COMPLETE(blocking->update) && RAW_COMPLETE(query_log->store)
		     && RAW_COMPLETE(query_log->clickhouse) && RAW_COMPLETE(query_log->requests)
		     && RAW_COMPLETE(query_log->dnstap);
	if (whole) {
		raw->blocking_update = raw->blocking->update;
		raw->query_log_store = raw->query_log->store;
		raw->query_log_requests = raw->query_log->requests;
		raw->query_log_dnstap = raw->query_log->dnstap;
		raw->query_log_clickhouse = raw->query_log->clickhouse;
	}
	return whole;
#undef RAW_COMPLETE
}

struct config_raw *config_raw_make(struct config_doc *doc)
{
	struct config_tree *t = &doc->tree;
	struct config_raw *raw = config_tree_memory(t, sizeof(*raw));
	if (!raw
		|| (!config_node_is_empty(t->root)
			&& !mapping_fill(t, t->root, config_schema, raw)))
		return NULL;
	return raw_complete(t, raw) ? raw : NULL;
}

// Two nodes of one key, in the document and in the part.
static int nodes_merge(struct walk *w, const struct config_doc *part, struct config_node *to,
	struct config_node *from, const struct config_field *f);

static int mappings_merge(struct walk *w, const struct config_doc *part, struct config_node *to,
	const struct config_node *from, const struct config_field *fields)
{
	const char *nearest;
	int rc = 0;
	for (unsigned i = 0; i < from->count && rc != -ENOMEM; i++) {
		struct config_node *child = from->child[i], *own = config_node_find(to, child->key);
		const struct config_field *f = field_find(fields, child->key, &nearest);
		const size_t len = path_add(w, child->key);
		if (!f || !own)
			rc = config_worse(rc, config_node_move(&w->doc->tree, to, child));
		else
			rc = config_worse(rc, nodes_merge(w, part, own, child, f));
		w->path[len] = '\0';
	}
	return rc;
}

static int lists_merge(struct walk *w, const struct config_doc *part, struct config_node *to,
	const struct config_node *from, const struct config_field *f)
{
	if (to->count + from->count > f->max)
		return config_refuse_node(part, from, w->path, NULL,
			"more than %u entries, with those of other files", f->max);
	int rc = 0;
	for (unsigned i = 0; i < from->count && rc == 0; i++)
		rc = config_node_move(&w->doc->tree, to, from->child[i]);
	return rc;
}

static int nodes_merge(struct walk *w, const struct config_doc *part, struct config_node *to,
	struct config_node *from, const struct config_field *f)
{
	if (f->kind == CONFIG_NODE_TEXT)
		return config_refuse_node(part, from, w->path, NULL,
			"has a value in another file, too: %s:%u:%u",
			config_doc_file(w->doc, to->file)->path, to->line, to->column);
	if (config_node_is_empty(from))
		return 0;
	if (config_node_is_empty(to)) {
		to->kind = from->kind;
		to->count = 0;
	}
	return f->kind == CONFIG_NODE_LIST ? lists_merge(w, part, to, from, f)
					   : mappings_merge(w, part, to, from, f->fields);
}

int config_raw_merge(struct config_doc *doc, const struct config_doc *part)
{
	struct walk w = {.doc = doc};
	struct config_node *from = part->tree.root;
	if (config_node_is_empty(from))
		return 0;
	return mappings_merge(&w, part, doc->tree.root, from, config_schema);
}
