// SPDX-License-Identifier: BSD-3-Clause
// The model is the tree of the text (config_tree.h). Values of records are equal if their RDATA is:
// two verbs may write one value differently.

#include "core/config/config_entries.h"
#include "managed_model.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <weir/ascii.h>
#include <weir/config/managed.h>
#include <weir/dns_proto.h>
#include <weir/heap_site.h>
#include <weir/rdata_parse.h>

// Functions that print the tree of a configuration as YAML: every key that has a value, in the
// order of the schema, and each item of a list on a line. Loading the printed text gives the same
// values; comments and the order of the loaded text are lost.

// How many bytes at `p` YAML does not keep in quotes: controls, line separators, a byte order mark,
// `"` and `\`. 0: it keeps the first byte.
static unsigned broken_len(const unsigned char *p)
{
	if (*p < 0x20 || *p == 0x7f || *p == '"' || *p == '\\')
		return 1;
	if (p[0] == 0xc2 && p[1] >= 0x80 && p[1] < 0xa0)
		return 2;
	if (p[0] == 0xe2 && p[1] == 0x80 && (p[2] == 0xa8 || p[2] == 0xa9))
		return 3;
	return p[0] == 0xef && p[1] == 0xbb && p[2] == 0xbf ? 3 : 0;
}

static void text_print(const char *text, FILE *out)
{
	const unsigned char *p = (const unsigned char *)text;
	fputc('"', out);
	while (*p) {
		const unsigned len = broken_len(p);
		if (len == 0)
			fputc(*p, out);
		else if (len == 1)
			fprintf(out, *p == '"' || *p == '\\' ? "\\%c" : "\\x%02x", *p);
		else if (len == 2)
			fprintf(out, "\\x%02x", p[1]);
		else
			fprintf(out, "\\u%04x",
				(p[0] & 0x0fu) << 12 | (p[1] & 0x3fu) << 6 | (p[2] & 0x3fu));
		p += len ? len : 1;
	}
	fputc('"', out);
}

// Verbs leave the lists at depths 0 and 1 empty when they remove the last item. Below, an empty
// list of the overrides is a value.
enum { EMPTY_LISTS_DEPTH = 2 };

static bool fields_have(const struct config_field *f, const struct config_node *mapping, int depth);

// The node of a field in a mapping; NULL: it has no value.
static const struct config_node *value_of(
	const struct config_field *f, const struct config_node *mapping, int depth)
{
	const struct config_node *n = config_node_find(mapping, f->key);
	if (!n || n->kind != f->kind)
		return NULL;
	if (n->kind == CONFIG_NODE_MAPPING)
		return fields_have(f->keys, n, depth + 1) ? n : NULL;
	return n->kind == CONFIG_NODE_TEXT || n->count || depth >= EMPTY_LISTS_DEPTH ? n : NULL;
}

const struct config_node *managed_value(
	const struct config_field *f, const struct config_node *mapping)
{
	const struct config_node *n = value_of(f, mapping, EMPTY_LISTS_DEPTH);
	return n && n->kind == CONFIG_NODE_LIST && n->count == 0 ? NULL : n;
}

static bool fields_have(const struct config_field *f, const struct config_node *mapping, int depth)
{
	for (; f->key; f++)
		if (value_of(f, mapping, depth))
			return true;
	return false;
}

static void flow_print(const struct config_field *f, const struct config_node *n, FILE *out);

static void flow_fields_print(
	const struct config_field *f, const struct config_node *mapping, FILE *out)
{
	const char *between = "";
	fputc('{', out);
	for (; f->key; f++) {
		const struct config_node *n = value_of(f, mapping, EMPTY_LISTS_DEPTH);
		if (!n)
			continue;
		fprintf(out, "%s%s: ", between, f->key);
		flow_print(f, n, out);
		between = ", ";
	}
	fputc('}', out);
}

// Prints an item of a list on one line.
static void item_print(const struct config_field *f, const struct config_node *item, FILE *out)
{
	if (f->keys)
		flow_fields_print(f->keys, item, out);
	else
		text_print(item->text, out);
}

static void flow_print(const struct config_field *f, const struct config_node *n, FILE *out)
{
	if (n->kind == CONFIG_NODE_TEXT) {
		text_print(n->text, out);
		return;
	}
	if (n->kind == CONFIG_NODE_MAPPING) {
		flow_fields_print(f->keys, n, out);
		return;
	}
	fputc('[', out);
	for (unsigned i = 0; i < n->count; i++) {
		fputs(i ? ", " : "", out);
		item_print(f, n->child[i], out);
	}
	fputc(']', out);
}

static void block_print(const struct config_field *f, const struct config_node *mapping, int depth,
	bool keeps_empty, FILE *out)
{
	for (; f->key; f++)
		managed_field_print(f, mapping, depth, keeps_empty, out);
}

void managed_field_print(const struct config_field *f, const struct config_node *mapping, int depth,
	bool keeps_empty, FILE *out)
{
	const struct config_node *n = value_of(f, mapping, keeps_empty ? EMPTY_LISTS_DEPTH : depth);
	if (!n)
		return;
	fprintf(out, "%*s%s:", 2 * depth, "", f->key);
	if (n->kind == CONFIG_NODE_TEXT) {
		fputc(' ', out);
		text_print(n->text, out);
	} else if (n->kind == CONFIG_NODE_LIST && n->count == 0) {
		fputs(" []", out);
	}
	fputc('\n', out);
	if (n->kind == CONFIG_NODE_MAPPING)
		block_print(f->keys, n, depth + 1, keeps_empty, out);
	for (unsigned i = 0; n->kind == CONFIG_NODE_LIST && i < n->count; i++) {
		fprintf(out, "%*s- ", 2 * depth + 2, "");
		item_print(f, n->child[i], out);
		fputc('\n', out);
	}
}

// The stream has the errors.
static void config_print(const struct config_node *root, FILE *out)
{
	block_print(config_schema, root, 0, false, out);
}

// Gives the tree of an empty text a mapping as its root.
static int root_make(struct config_tree *t)
{
	if (!config_node_is_empty(t->root))
		return 0;
	t->root = config_node_new(t, CONFIG_NODE_MAPPING, NULL);
	return t->root ? 0 : -ENOMEM;
}

int managed_parse(const char *path, const char *text, size_t max, struct config_managed **out,
	char why[CONFIG_WHY_MAX])
{
	struct config_errors *errors = heap_calloc(1, sizeof(*errors));
	struct config_managed *m = heap_calloc(1, sizeof(*m));
	struct config_doc doc = {
		.path = path, .len = strlen(text), .errors = errors, .is_included = true};
	int rc = -ENOMEM;
	snprintf(why, CONFIG_WHY_MAX, "%s: out of memory", path);
	if (doc.len > max) {
		snprintf(why, CONFIG_WHY_MAX, "%s: more than %zu bytes", path, max);
		rc = -EFBIG;
	} else if (errors && m && (doc.text = (uint8_t *)heap_strdup(text)) != NULL) {
		rc = config_schema_read(&doc);
		if (rc == 0)
			rc = config_schema_check(&doc);
		if (rc == 0 && errors->count > 0)
			rc = -EINVAL;
		if (rc == -EINVAL)
			snprintf(why, CONFIG_WHY_MAX, "%s", errors->text[0]);
	}
	if (rc == 0)
		rc = root_make(&doc.tree);
	FREE_AND_NULL(doc.text);
	heap_free(errors);
	if (rc < 0) {
		config_tree_free(&doc.tree);
		heap_free(m);
		return rc;
	}
	m->tree = doc.tree;
	*out = m;
	return 0;
}

int config_managed_parse(const char *text, struct config_managed **out, char why[CONFIG_WHY_MAX])
{
	return managed_parse("managed.yaml", text, CONFIG_MANAGED_MAX, out, why);
}

void config_managed_free(struct config_managed *m)
{
	if (m)
		config_tree_free(&m->tree);
	heap_free(m);
}

char *config_managed_text(const struct config_managed *m, const char *head)
{
	char *text = NULL;
	size_t len = 0;
	FILE *f = open_memstream(&text, &len);
	if (!f)
		return NULL;
	fputs(head, f);
	const long head_len = ftell(f);
	config_print(m->tree.root, f);
	const bool is_empty = ftell(f) == head_len;
	if (fclose(f) != 0) {
		heap_free(text);
		return NULL;
	}
	if (is_empty)
		text[0] = '\0';
	return text;
}

static const struct managed_items entries = {NULL, "entries", CONFIG_DATED_MAX},
				  members = {NULL, "group_members", CONFIG_MEMBERS_MAX},
				  lists = {"blocking", "lists", CONFIG_LISTS_MAX},
				  disabled = {"blocking", "disabled_lists", CONFIG_LISTS_MAX},
				  records = {"local", "records", CONFIG_RECORDS_MAX},
				  servers = {"upstreams", "servers", CONFIG_UPSTREAMS_MAX};

// Are both NULL, or equal?
static bool same_text(const char *a, const char *b)
{
	return a && b ? strcmp(a, b) == 0 : a == b;
}

const struct managed_items *managed_items_at(unsigned i)
{
	static const struct managed_items *const made[] = {
		&entries, &members, &lists, &disabled, &records, &servers};
	return i < ARRAY_LEN(made) ? made[i] : NULL;
}

// Do verbs make that key, of a section or (NULL) of the document?
static bool is_made(const char *section, const char *key)
{
	const struct managed_items *l;
	for (unsigned i = 0; (l = managed_items_at(i)) != NULL; i++)
		if (same_text(l->section, section) && strcmp(l->key, key) == 0)
			return true;
	return !section && (strcmp(key, "overrides") == 0 || strcmp(key, "unset") == 0);
}

const char *config_managed_other(const struct config_managed *m)
{
	const struct config_node *root = m->tree.root;
	for (unsigned i = 0; i < root->count; i++) {
		const struct config_node *child = root->child[i];
		if (is_made(NULL, child->key))
			continue;
		if (child->kind != CONFIG_NODE_MAPPING)
			return child->key;
		for (unsigned k = 0; k < child->count; k++)
			if (!is_made(child->key, child->child[k]->key))
				return child->child[k]->key;
	}
	return NULL;
}

// NULL: the text has no such list.
static struct config_node *list_of(const struct config_managed *m, const struct managed_items *l)
{
	const struct config_node *root = m->tree.root;
	return config_node_list(l->section ? config_node_mapping(root, l->section) : root, l->key);
}

// Adds an item to the list, which it makes if it is missing.
static int item_append(
	struct config_managed *m, const struct managed_items *l, struct config_node *item)
{
	struct config_tree *t = &m->tree;
	struct config_node *at = t->root;
	if (l->section)
		at = config_node_make(t, at, CONFIG_NODE_MAPPING, l->section);
	at = at ? config_node_make(t, at, CONFIG_NODE_LIST, l->key) : NULL;
	return at ? config_node_move(t, at, item) : -ENOMEM;
}

struct item_text {
	const char *key, *text; // NULL: not given
};

// Adds a list of the words of a text.
static int words_add(
	struct config_tree *t, struct config_node *item, const char *key, const char *text)
{
	struct config_node *list = config_node_make(t, item, CONFIG_NODE_LIST, key);
	int rc = list ? 0 : -ENOMEM;
	for (const char *at = text; rc == 0 && at;) {
		const char *end = strchrnul(at, ',');
		struct config_node *word = config_node_new(t, CONFIG_NODE_TEXT, NULL);
		char *copy = heap_strndup(at, (size_t)(end - at));
		rc = word && copy ? config_node_text_set(t, word, copy) : -ENOMEM;
		if (rc == 0)
			rc = config_node_move(t, list, word);
		heap_free(copy);
		at = *end ? end + 1 : NULL;
	}
	return rc;
}

static int item_add(struct config_managed *m, const struct managed_items *l,
	const struct item_text *texts, unsigned count)
{
	if (config_list_count(list_of(m, l)) >= l->max)
		return -E2BIG;
	struct config_node *item = config_node_new(&m->tree, CONFIG_NODE_MAPPING, NULL);
	int rc = item ? 0 : -ENOMEM;
	for (unsigned i = 0; i < count && rc == 0; i++)
		rc = config_node_text_add(&m->tree, item, texts[i].key, texts[i].text);
	return rc == 0 ? item_append(m, l, item) : rc;
}

static bool has_text(const struct config_node *item, const char *key, const char *text)
{
	return same_text(config_node_text(item, key), text);
}

// The number of the item whose key has that text; the count of items: no item has.
static unsigned item_find(const struct config_node *list, const char *key, const char *text)
{
	unsigned i = 0;
	while (i < config_list_count(list) && !has_text(list->child[i], key, text))
		i++;
	return i;
}

static unsigned entry_find(const struct config_node *list, const struct managed_entry *e)
{
	unsigned i = 0;
	while (i < config_list_count(list)
		&& !(has_text(list->child[i], "name", e->name)
			&& has_text(list->child[i], "group", e->group)
			&& (!e->verdict || has_text(list->child[i], "verdict", e->verdict))))
		i++;
	return i;
}

int config_managed_entry_set(struct config_managed *m, const struct managed_entry *e)
{
	const struct item_text texts[] = {{"name", e->name}, {"verdict", e->verdict},
		{"invert", e->inverts ? "true" : NULL}, {"reply", e->reply}, {"group", e->group},
		{"until", e->until}, {"why", e->why}};
	const struct managed_entry any = {.name = e->name, .group = e->group};
	const unsigned before = entry_find(list_of(m, &entries), &any);
	const bool is_there = before < config_list_count(list_of(m, &entries));
	const struct managed_items room = {entries.section, entries.key, entries.max + is_there};
	int rc = item_add(m, &room, texts, ARRAY_LEN(texts));
	if (rc < 0)
		return rc;
	struct config_node *list = list_of(m, &entries);
	if (e->types)
		rc = words_add(&m->tree, list->child[list->count - 1], "types", e->types);
	if (rc < 0)
		config_node_remove(list, list->count - 1);
	if (rc < 0 || !is_there)
		return rc;
	const int replaced = config_node_text(list->child[before], "until") ? 1 : 2;
	struct config_node *old = list->child[before];
	list->child[before] = list->child[list->count - 1];
	list->child[list->count - 1] = old;
	config_node_remove(list, list->count - 1);
	return replaced;
}

int config_managed_entry_remove(struct config_managed *m, const struct managed_entry *e)
{
	struct config_node *list = list_of(m, &entries);
	const unsigned i = entry_find(list, e);
	if (i == config_list_count(list))
		return -ENOENT;
	config_node_remove(list, i);
	return 0;
}

unsigned config_managed_entry_count(const struct config_managed *m)
{
	return config_list_count(list_of(m, &entries));
}

unsigned config_managed_record_count(const struct config_managed *m)
{
	return config_list_count(list_of(m, &records));
}

unsigned config_managed_entries_end(struct config_managed *m, int64_t now)
{
	struct config_node *list = list_of(m, &entries);
	unsigned ended = 0;
	for (unsigned i = 0; i < config_list_count(list);) {
		const char *text = config_node_text(list->child[i], "until");
		int64_t until;
		if (text && config_time_parse(text, &until) == 0 && until <= now) {
			config_node_remove(list, i);
			ended++;
		} else {
			i++;
		}
	}
	return ended;
}

// The number of a client's item; the names of clients are alike in any letter case.
static unsigned member_find(const struct config_node *list, const char *client)
{
	for (unsigned i = 0; i < config_list_count(list); i++) {
		const char *own = config_node_text(list->child[i], "client");
		if (own && strcasecmp(own, client) == 0)
			return i;
	}
	return config_list_count(list);
}

int config_managed_member_add(struct config_managed *m, const char *group, const char *client)
{
	const struct item_text texts[] = {{"group", group}, {"client", client}};
	const struct config_node *list = list_of(m, &members);
	if (member_find(list, client) < config_list_count(list))
		return -EEXIST;
	return item_add(m, &members, texts, ARRAY_LEN(texts));
}

int config_managed_member_remove(struct config_managed *m, const char *group, const char *client)
{
	struct config_node *list = list_of(m, &members);
	const unsigned i = member_find(list, client);
	if (i == config_list_count(list) || (group && !has_text(list->child[i], "group", group)))
		return -ENOENT;
	config_node_remove(list, i);
	return 0;
}

const char *config_managed_member_group(const struct config_managed *m, const char *client)
{
	const struct config_node *list = list_of(m, &members);
	const unsigned i = member_find(list, client);
	return i < config_list_count(list) ? config_node_text(list->child[i], "group") : NULL;
}

const char *config_managed_override_group(const struct config_managed *m, const char *client)
{
	const struct config_node *groups =
		config_node_list(config_node_mapping(m->tree.root, "overrides"), "groups");
	char text[CONFIG_ITEM_GROUP_MAX];
	for (unsigned g = 0; g < config_list_count(groups); g++) {
		const struct config_node *list = config_node_list(groups->child[g], "clients");
		for (unsigned i = 0; i < config_list_count(list); i++)
			if (strcasecmp(config_client_text(list->child[i]->text, text), client) == 0)
				return config_node_text(groups->child[g], "name");
	}
	return NULL;
}

// A list without a name has that of its file.
static unsigned list_find(const struct config_node *list, const char *name)
{
	char found[CONFIG_TITLE_MAX + 1];
	unsigned i = 0;
	for (; i < config_list_count(list); i++) {
		const struct config_node *one = list->child[i];
		const char *own = config_node_text(one, "name");
		own = own ? own
			  : config_list_name(config_node_text(one, "path"),
				  config_node_text(one, "url"), found);
		if (same_text(own, name))
			break;
	}
	return i;
}

int config_managed_list_add(struct config_managed *m, const struct managed_list *l)
{
	const struct item_text texts[] = {{"name", l->name}, {"path", l->path}, {"url", l->url},
		{"format", l->format}, {"allow", l->allow ? "true" : NULL}};
	const struct config_node *list = list_of(m, &lists);
	if (list_find(list, l->name) < config_list_count(list))
		return -EEXIST;
	int rc = item_add(m, &lists, texts, ARRAY_LEN(texts));
	if (rc == 0)
		(void)!config_managed_list_enable(m, l->name);
	return rc;
}

int config_managed_list_remove(struct config_managed *m, const char *name)
{
	struct config_node *list = list_of(m, &lists);
	const unsigned i = list_find(list, name);
	if (i == config_list_count(list))
		return -ENOENT;
	config_node_remove(list, i);
	(void)!config_managed_list_enable(m, name);
	return 0;
}

static unsigned disabled_find(const struct config_node *list, const char *name)
{
	unsigned i = 0;
	while (i < config_list_count(list) && strcmp(list->child[i]->text, name) != 0)
		i++;
	return i;
}

int config_managed_list_disable(struct config_managed *m, const char *name)
{
	const struct config_node *list = list_of(m, &disabled);
	if (disabled_find(list, name) < config_list_count(list))
		return -EEXIST;
	if (config_list_count(list) == disabled.max)
		return -E2BIG;
	struct config_node *item = config_node_new(&m->tree, CONFIG_NODE_TEXT, NULL);
	if (!item || config_node_text_set(&m->tree, item, name) < 0)
		return -ENOMEM;
	return item_append(m, &disabled, item);
}

int config_managed_list_enable(struct config_managed *m, const char *name)
{
	struct config_node *list = list_of(m, &disabled);
	const unsigned i = disabled_find(list, name);
	if (i == config_list_count(list))
		return -ENOENT;
	config_node_remove(list, i);
	return 0;
}

int config_managed_server_add(struct config_managed *m, const char *address, const char *name)
{
	const struct item_text texts[] = {{"address", address}, {"name", name}};
	const struct config_node *list = list_of(m, &servers);
	const unsigned i = item_find(list, "address", address);
	if (i < config_list_count(list))
		return !name || has_text(list->child[i], "name", name) ? 1 : -EEXIST;
	return item_add(m, &servers, texts, ARRAY_LEN(texts));
}

int config_managed_server_remove(struct config_managed *m, const char *address)
{
	struct config_node *list = list_of(m, &servers);
	const unsigned i = item_find(list, "address", address);
	if (i == config_list_count(list))
		return -ENOENT;
	config_node_remove(list, i);
	return 0;
}

struct data {
	uint16_t len;
	uint8_t bytes[RDATA_PARSE_MAX];
};

// Is `text` the RDATA as `\# LEN HEX` (RFC 3597), which GET /local shows for types without a text
// form?
static bool is_generic(const struct data *d, const char *text)
{
	char part[16];
	const int head = snprintf(part, sizeof(part), "\\# %u ", d->len);
	if (strncmp(text, part, (size_t)head) != 0 || strlen(text + head) != 2 * (size_t)d->len)
		return false;
	for (unsigned i = 0; i < d->len; i++) {
		(void)snprintf(part, sizeof(part), "%02x", d->bytes[i]);
		if (strncasecmp(text + head + 2 * (size_t)i, part, 2) != 0)
			return false;
	}
	return true;
}

// Where the domain name begins that ends the RDATA, and whose letter case does not count.
static size_t name_at(uint16_t type)
{
	switch (type) {
	case DNS_TYPE_CNAME:
	case DNS_TYPE_PTR:
		return 0;
	case DNS_TYPE_MX:
		return 2;
	case DNS_TYPE_SRV:
		return 6;
	default:
		return RDATA_PARSE_MAX;
	}
}

static bool data_take(uint16_t type, const char *text, struct data *out)
{
	const char *why;
	if (rdata_parse(type, text, strlen(text), out->bytes, &out->len, &why) < 0)
		return false;
	for (size_t i = name_at(type); i < out->len; i++)
		out->bytes[i] = ascii_lower(out->bytes[i]);
	return true;
}

// `has`: the value of a record of this type.
static bool same_value(const char *type_text, const char *has, const char *wanted)
{
	uint16_t type;
	struct data x, y;
	if (same_text(has, wanted))
		return true;
	if (!has || !type_text || !rdata_parse_type(type_text, &type) || !data_take(type, has, &x))
		return false;
	if (!data_take(type, wanted, &y))
		return is_generic(&x, wanted);
	return x.len == y.len && memcmp(x.bytes, y.bytes, x.len) == 0;
}

static unsigned record_find(
	const struct config_node *list, const struct managed_record *r, unsigned i)
{
	for (; i < config_list_count(list); i++) {
		const struct config_node *one = list->child[i];
		const char *type = config_node_text(one, "type");
		if (has_text(one, "name", r->name) && (!r->type || same_text(type, r->type))
			&& (!r->value
				|| same_value(type, config_node_text(one, "value"), r->value)))
			break;
	}
	return i;
}

// "060" is 60.
static bool same_ttl(const char *a, const char *b)
{
	static const char digits[] = "0123456789";
	const bool are_numbers =
		a && b && *a && *b && !a[strspn(a, digits)] && !b[strspn(b, digits)];
	return are_numbers ? strtoull(a, NULL, 10) == strtoull(b, NULL, 10) : same_text(a, b);
}

int config_managed_record_add(struct config_managed *m, const struct managed_record *r)
{
	const struct item_text texts[] = {
		{"name", r->name}, {"type", r->type}, {"value", r->value}, {"ttl", r->ttl}};
	const struct config_node *list = list_of(m, &records);
	const unsigned i = record_find(list, r, 0);
	if (i < config_list_count(list)) {
		const char *ttl = config_node_text(list->child[i], "ttl");
		return !r->ttl || same_ttl(ttl ? ttl : r->usual_ttl, r->ttl) ? 1 : -EEXIST;
	}
	return item_add(m, &records, texts, ARRAY_LEN(texts));
}

int config_managed_record_remove(struct config_managed *m, const struct managed_record *r)
{
	struct config_node *list = list_of(m, &records);
	unsigned i = 0, removed = 0;
	while ((i = record_find(list, r, i)) < config_list_count(list)) {
		config_node_remove(list, i);
		removed++;
	}
	return removed ? (int)removed : -ENOENT;
}

int config_managed_override(struct config_managed *m, const char *text, char why[CONFIG_WHY_MAX])
{
	struct config_managed *change;
	int rc = managed_parse("the change", text, CONFIG_MANAGED_MAX, &change, why);
	if (rc < 0)
		return rc;
	const char *bad = config_override_bad(change->tree.root, config_schema);
	struct config_tree *t = &m->tree;
	char secret[CONFIG_PATH_MAX] = "";
	if (bad) {
		snprintf(why, CONFIG_WHY_MAX, "%s cannot be set so", bad);
		rc = -EINVAL;
	} else if (config_override_secret(change->tree.root, config_schema, secret)) {
		snprintf(
			why, CONFIG_WHY_MAX, "%.200s is a secret: set %.200s_file", secret, secret);
		rc = -EINVAL;
	} else {
		struct config_node *to =
			config_node_make(t, t->root, CONFIG_NODE_MAPPING, "overrides");
		const struct config_node *copy = config_node_copy(t, change->tree.root);
		rc = to && copy ? config_override_merge(t, to, copy, config_schema) : -ENOMEM;
	}
	config_managed_free(change);
	return rc;
}

// Is it YAML of a list or a mapping? `[2001:db8::1]:53` is none.
static bool is_flow(const char *value)
{
	const size_t len = strlen(value);
	return len > 1
	       && ((value[0] == '[' && value[len - 1] == ']')
		       || (value[0] == '{' && value[len - 1] == '}'));
}

// Prints the texts between the commas as a list.
static void words_print(const char *value, FILE *out)
{
	const char *between = "[";
	for (const char *at = value; at;) {
		const char *end = strchrnul(at, ',');
		char *word = heap_strndup(at, (size_t)(end - at));
		fputs(between, out);
		text_print(word ? word : "", out);
		heap_free(word);
		between = ", ";
		at = *end ? end + 1 : NULL;
	}
	fputc(']', out);
}

// Prints a checked path as YAML, down to its value. Returns the last step.
static struct config_path_step path_print(const char *path, FILE *out)
{
	const struct config_field *keys = config_schema;
	struct config_path_step step = {0};
	for (int depth = 0; *path; depth += 2) {
		path = config_path_next(path, keys, &step);
		keys = step.field->keys;
		fprintf(out, "%s%*s%s:", depth ? "\n" : "", depth, "", step.key);
		if (!*step.item || !*path)
			continue;
		depth += 2;
		fprintf(out, "\n%*s- %s: ", depth, "", keys[0].key);
		text_print(step.item, out);
	}
	return step;
}

// Returns the last step of the path.
static struct config_path_step set_print(const char *path, const char *value, FILE *out)
{
	const struct config_path_step last = path_print(path, out);
	fputc(' ', out);
	if (last.field->kind != CONFIG_NODE_TEXT && is_flow(value))
		fputs(value, out);
	else if (last.field->kind == CONFIG_NODE_LIST)
		words_print(value, out);
	else
		text_print(value, out);
	return last;
}

bool managed_has_name_alone(const struct config_node *item)
{
	for (unsigned i = 1; i < item->count; i++)
		if (item->child[i]->kind == CONFIG_NODE_TEXT || item->child[i]->count)
			return false;
	return true;
}

static struct config_node *override_find(
	const struct config_managed *m, const char *path, struct config_node **parent)
{
	return config_path_find(config_node_mapping(m->tree.root, "overrides"), path, parent);
}

// Removes the groups, schedules and so on around a removed path that have nothing but their names.
static void names_remove(struct config_managed *m, const char *path)
{
	char around[CONFIG_WAY_MAX];
	snprintf(around, sizeof(around), "%s", path);
	for (char *end = strrchr(around, '.'); end; end = strrchr(around, '.')) {
		struct config_node *parent = NULL;
		*end = '\0';
		if (end[-1] != ']') // a key, or inside the name of an item
			continue;
		const struct config_node *item = override_find(m, around, &parent);
		if (!item || !managed_has_name_alone(item)
			|| strcmp(item->child[0]->key, "name") != 0)
			return;
		config_child_remove(parent, item);
	}
}

unsigned managed_unset_clear(struct config_managed *m, const char *path)
{
	struct config_node *unset = config_node_list(m->tree.root, "unset");
	const size_t len = strlen(path);
	unsigned removed = 0;
	for (unsigned i = config_list_count(unset); i-- > 0;) {
		const char *has = unset->child[i]->text;
		if (strncmp(has, path, len) != 0 || (has[len] && !strchr(".[", has[len])))
			continue;
		config_node_remove(unset, i);
		removed++;
	}
	return removed;
}

static bool override_remove(struct config_managed *m, const char *path)
{
	struct config_node *parent = NULL;
	const struct config_node *n = override_find(m, path, &parent);
	if (!n)
		return false;
	config_child_remove(parent, n);
	names_remove(m, path);
	return true;
}

int config_managed_override_clear(
	struct config_managed *m, const char *path, char why[CONFIG_WHY_MAX])
{
	if (!config_path_check(path, why))
		return -EINVAL;
	const bool was_set = override_remove(m, path);
	snprintf(why, CONFIG_WHY_MAX, "%.200s is not set", path);
	return managed_unset_clear(m, path) || was_set ? 0 : -ENOENT;
}

int config_managed_unset(struct config_managed *m, const char *path, char why[CONFIG_WHY_MAX])
{
	struct config_tree *t = &m->tree;
	struct config_node *unset = config_node_make(t, t->root, CONFIG_NODE_LIST, "unset");
	if (!config_path_check(path, why))
		return -EINVAL;
	if (!unset)
		return -ENOMEM;
	const bool was_set = override_remove(m, path), was_unset = managed_unset_clear(m, path);
	if (unset->count == CONFIG_UNSET_MAX)
		return -E2BIG;
	struct config_node *item = config_node_new(t, CONFIG_NODE_TEXT, NULL);
	int rc = item ? config_node_text_set(t, item, path) : -ENOMEM;
	if (rc == 0)
		rc = config_node_move(t, unset, item);
	return rc == 0 && was_unset && !was_set ? -EEXIST : rc;
}

int config_managed_set(
	struct config_managed *m, const char *path, const char *value, char why[CONFIG_WHY_MAX])
{
	char *text = NULL;
	size_t len = 0;
	if (!config_path_check(path, why))
		return -EINVAL;
	for (const unsigned char *p = (const unsigned char *)value; *p; p++) {
		if (*p < 0x20) {
			snprintf(why, CONFIG_WHY_MAX, "a value has no control characters");
			return -EINVAL;
		}
	}
	FILE *out = open_memstream(&text, &len);
	if (!out)
		return -ENOMEM;
	const struct config_path_step last = set_print(path, value, out);
	int rc = fclose(out) == 0 ? 0 : -ENOMEM;
	if (rc == 0 && *last.item) {
		snprintf(why, CONFIG_WHY_MAX, "%.200s: name a key of the item, or the list", path);
		rc = -EINVAL;
	}
	// Items with names would be merged with those of the files.
	if (rc == 0 && last.field->is_named)
		rc = config_managed_unset(m, path, why);
	if (rc == 0 || rc == -EEXIST)
		rc = config_managed_override(m, text, why);
	heap_free(text);
	return rc;
}

struct override_walk {
	config_override_use *use;
	void *arg;
	char path[CONFIG_WAY_MAX];
};

static int value_use(
	struct override_walk *w, const struct config_field *f, const struct config_node *n)
{
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);
	if (!out)
		return -ENOMEM;
	flow_print(f, n, out);
	const int rc = fclose(out) == 0 ? 0 : -ENOMEM;
	if (rc == 0)
		w->use(w->arg, w->path, text);
	heap_free(text);
	return rc;
}

// `name`: an item of a list whose items have names, "[name]"; else a key.
static size_t path_add(struct override_walk *w, const char *name, bool is_item)
{
	const size_t len = strlen(w->path);
	snprintf(w->path + len, sizeof(w->path) - len, is_item ? "[%s]" : len ? ".%s" : "%s", name);
	return len;
}

// Names the values below a mapping, `first` fields of which are skipped.
static int values_walk(struct override_walk *w, const struct config_field *fields,
	const struct config_node *mapping, unsigned first)
{
	int rc = 0;
	for (const struct config_field *f = fields + first; f->key && rc == 0; f++) {
		const struct config_node *n = value_of(f, mapping, EMPTY_LISTS_DEPTH);
		if (!n)
			continue;
		const size_t len = path_add(w, f->key, false);
		if (n->kind == CONFIG_NODE_MAPPING)
			rc = values_walk(w, f->keys, n, 0);
		else if (!f->is_named)
			rc = value_use(w, f, n);
		for (unsigned i = 0; f->is_named && i < n->count && rc == 0; i++) {
			const char *name = config_node_text(n->child[i], f->keys[0].key);
			const size_t at = path_add(w, name ? name : "", true);
			rc = name && managed_has_name_alone(n->child[i])
				     ? value_use(w, f->keys,
					     config_node_find(n->child[i], f->keys[0].key))
				     : values_walk(w, f->keys, n->child[i], name != NULL);
			w->path[at] = '\0';
		}
		w->path[len] = '\0';
	}
	return rc;
}

int config_managed_overrides(const struct config_managed *m, config_override_use *use, void *arg)
{
	struct override_walk w = {.use = use, .arg = arg};
	const struct config_node *unset = config_node_list(m->tree.root, "unset");
	for (unsigned i = 0; i < config_list_count(unset); i++)
		use(arg, unset->child[i]->text, NULL);
	return values_walk(&w, config_schema, config_node_mapping(m->tree.root, "overrides"), 0);
}
