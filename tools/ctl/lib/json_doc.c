// SPDX-License-Identifier: BSD-3-Clause

#include "json_doc.h"

#include <jansson.h>

#include <stdio.h>
#include <stdlib.h>
#include <weir/text.h>

struct json_doc {
	json_t *root;
};

// A node is a json_t of jansson.
static json_t *value_of(const struct json_node *n)
{
	return (json_t *)(uintptr_t)n;
}

static struct json_node *node_of(json_t *value)
{
	return (struct json_node *)(void *)value;
}

static struct json_doc *doc_of(json_t *root)
{
	struct json_doc *doc = json_is_object(root) ? malloc(sizeof(*doc)) : NULL;
	if (doc)
		doc->root = root;
	else
		json_decref(root);
	return doc;
}

struct json_doc *json_doc_parse(const char *text, size_t len)
{
	return doc_of(json_loadb(text, len, 0, NULL));
}

struct json_doc *json_doc_new(void)
{
	return doc_of(json_object());
}

void json_doc_free(struct json_doc *doc)
{
	if (doc)
		json_decref(doc->root);
	free(doc);
}

struct json_node *json_doc_root(const struct json_doc *doc)
{
	return doc ? node_of(doc->root) : NULL;
}

void json_doc_print(const struct json_doc *doc)
{
	if (doc && json_dumpf(doc->root, stdout, JSON_INDENT(2) | JSON_ENSURE_ASCII) == 0)
		putchar('\n');
}

void json_doc_end(struct json_doc *doc)
{
	json_doc_print(doc);
	json_doc_free(doc);
}

char *json_doc_text(const struct json_doc *doc)
{
	return json_dumps(doc->root, JSON_COMPACT);
}

struct json_node *json_get(const struct json_node *n, const char *key)
{
	return node_of(json_object_get(value_of(n), key));
}

size_t json_length(const struct json_node *n)
{
	return json_array_size(value_of(n));
}

struct json_node *json_at(const struct json_node *n, size_t i)
{
	return node_of(json_array_get(value_of(n), i));
}

const char *json_text(const struct json_node *n, const char *key)
{
	const char *text = json_string_value(value_of(json_get(n, key)));
	return text ? text : "";
}

const char *json_item_text(const struct json_node *n, size_t i)
{
	const char *text = json_string_value(value_of(json_at(n, i)));
	return text ? text : "";
}

int64_t json_signed(const struct json_node *n, const char *key)
{
	return json_integer_value(value_of(json_get(n, key)));
}

unsigned long long json_count(const struct json_node *n, const char *key)
{
	int64_t value = json_signed(n, key);
	return value < 0 ? 0 : (uint64_t)value;
}

bool json_number(const struct json_node *n, double *out)
{
	const json_t *value = value_of(n);
	*out = json_is_true(value) ? 1 : json_number_value(value);
	return json_is_number(value) || json_is_boolean(value);
}

const char *json_key_near(const struct json_node *n, const char *key)
{
	struct text_near near;
	const char *known;
	json_t *value;
	text_near_begin(&near, key);
	json_object_foreach(value_of(n), known, value) text_near_try(&near, known);
	return near.best;
}

bool json_flag(const struct json_node *n, const char *key)
{
	return json_is_true(value_of(json_get(n, key)));
}

static struct json_node *put(struct json_node *n, const char *key, json_t *value)
{
	int rc = key ? json_object_set_new(value_of(n), key, value)
		     : json_array_append_new(value_of(n), value);
	return rc == 0 ? node_of(value) : NULL;
}

void json_put_text(struct json_node *n, const char *key, const char *text)
{
	char shown[4096];
	json_t *value = json_string(text);
	if (!value) // not UTF-8, as a path may be
		value = json_string(text_escape(text, shown, sizeof(shown)));
	put(n, key, value);
}

void json_put_count(struct json_node *n, const char *key, uint64_t value)
{
	put(n, key, json_integer(value > INT64_MAX ? INT64_MAX : (json_int_t)value));
}

void json_put_real(struct json_node *n, const char *key, double value)
{
	put(n, key, json_real(value));
}

void json_put_bool(struct json_node *n, const char *key, bool value)
{
	put(n, key, json_boolean(value));
}

struct json_node *json_put_object(struct json_node *n, const char *key)
{
	return put(n, key, json_object());
}

struct json_node *json_put_array(struct json_node *n, const char *key)
{
	return put(n, key, json_array());
}

void json_put_copy(struct json_node *list, const struct json_node *item)
{
	put(list, NULL, json_deep_copy(value_of(item)));
}

void json_print_line(const struct json_node *n)
{
	(void)json_dumpf(value_of(n), stdout, JSON_COMPACT | JSON_ENSURE_ASCII);
	(void)putchar('\n');
}

void json_put_all(struct json_node *n, const struct json_node *from)
{
	if (n && from)
		(void)json_object_update(value_of(n), value_of(from));
}
