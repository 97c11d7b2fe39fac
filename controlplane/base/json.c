// SPDX-License-Identifier: BSD-3-Clause

#include "json.h"

#include <jansson.h>

#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <weir/heap_site.h>

// A json_node is a json_t of jansson under another name, without fields.
struct json_out {
	json_t *root;
	bool failed;
};

static json_t *node_value(struct json_node *n)
{
	return (json_t *)(void *)n;
}

static pthread_once_t counted = PTHREAD_ONCE_INIT;

static void count_memory(void)
{
	json_set_alloc_funcs(heap_jansson_malloc, heap_free);
}

struct json_out *json_out_new(void)
{
	pthread_once(&counted, count_memory);
	struct json_out *o = heap_calloc(1, sizeof(*o));
	if (o)
		o->root = json_object();
	if (o && !o->root)
		o->failed = true;
	return o;
}

struct json_node *json_out_root(struct json_out *o)
{
	return o ? (struct json_node *)(void *)o->root : NULL;
}

// Takes the reference to `value`, also on failure.
static struct json_node *node_add(
	struct json_out *o, struct json_node *parent, const char *key, json_t *value)
{
	json_t *p = node_value(parent);
	if (!o || !p || !value) {
		json_decref(value);
		if (o)
			o->failed = true;
		return NULL;
	}
	int rc = key ? json_object_set_new(p, key, value) : json_array_append_new(p, value);
	if (rc < 0) {
		o->failed = true;
		return NULL;
	}
	return (struct json_node *)(void *)value;
}

struct json_node *json_out_object(struct json_out *o, struct json_node *parent, const char *key)
{
	return node_add(o, parent, key, json_object());
}

struct json_node *json_out_array(struct json_out *o, struct json_node *parent, const char *key)
{
	return node_add(o, parent, key, json_array());
}

static json_t *text_escaped(const char *text)
{
	size_t cap = 4 * strlen(text) + 1, n = 0;
	char *escaped = heap_malloc(cap);
	if (!escaped)
		return NULL;
	for (const unsigned char *p = (const unsigned char *)text; *p; p++) {
		if (*p >= 0x20 && *p < 0x7f)
			escaped[n++] = (char)*p;
		else
			n += (size_t)snprintf(escaped + n, cap - n, "\\x%02x", *p);
	}
	json_t *value = json_stringn(escaped, n);
	heap_free(escaped);
	return value;
}

void json_out_text(struct json_out *o, struct json_node *parent, const char *key, const char *text)
{
	json_t *value = json_string(text);
	node_add(o, parent, key, value ? value : text_escaped(text));
}

void json_out_count(struct json_out *o, struct json_node *parent, const char *key, uint64_t n)
{
	json_out_signed(o, parent, key, n > INT64_MAX ? INT64_MAX : (int64_t)n);
}

void json_out_signed(struct json_out *o, struct json_node *parent, const char *key, int64_t n)
{
	node_add(o, parent, key, json_integer(n));
}

void json_out_bool(struct json_out *o, struct json_node *parent, const char *key, bool b)
{
	node_add(o, parent, key, json_boolean(b));
}

char *json_out_finish(struct json_out *o)
{
	if (!o)
		return NULL;
	char *text = o->failed ? NULL : json_dumps(o->root, JSON_COMPACT);
	json_decref(o->root);
	heap_free(o);
	return text;
}

char *json_out_error(const char *fmt, ...)
{
	char text[512];
	va_list args;
	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	struct json_out *o = json_out_new();
	json_out_text(o, json_out_root(o), "error", text);
	return json_out_finish(o);
}

bool json_text_is_object(const char *text, size_t len)
{
	json_t *root = json_loadb(text, len, 0, NULL);
	const bool is = root && json_typeof(root) == JSON_OBJECT;
	json_decref(root);
	return is;
}

// A json_in is a json_t of jansson under another name, without fields.
static json_t *in_value(const struct json_in *v)
{
	return (json_t *)(uintptr_t)v;
}

static const struct json_in *in_of(const json_t *value)
{
	return (const void *)value;
}

struct json_in *json_in_read(const char *text, size_t len, char why[JSON_IN_WHY_MAX])
{
	json_error_t error = {0};
	pthread_once(&counted, count_memory);
	json_t *root = json_loadb(text, len, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &error);
	if (!root)
		snprintf(why, JSON_IN_WHY_MAX, "line %d, column %d: %s", error.line, error.column,
			error.text);
	return (struct json_in *)(void *)root;
}

void json_in_free(struct json_in *v)
{
	json_decref(in_value(v));
}

enum json_in_kind json_in_kind(const struct json_in *v)
{
	const json_t *value = in_value(v);
	return !value || json_is_null(value) ? JSON_IN_NONE
	       : json_is_string(value)       ? JSON_IN_TEXT
	       : json_is_integer(value)      ? JSON_IN_NUMBER
	       : json_is_boolean(value)      ? JSON_IN_FLAG
	       : json_is_array(value)        ? JSON_IN_LIST
	       : json_is_object(value)       ? JSON_IN_OBJECT
					     : JSON_IN_OTHER;
}

const struct json_in *json_in_get(const struct json_in *object, const char *key)
{
	return in_of(json_object_get(in_value(object), key));
}

size_t json_in_count(const struct json_in *list)
{
	return json_array_size(in_value(list));
}

const struct json_in *json_in_at(const struct json_in *list, size_t i)
{
	return in_of(json_array_get(in_value(list), i));
}

const char *json_in_text(const struct json_in *v)
{
	const char *text = json_string_value(in_value(v));
	return text ? text : "";
}

int64_t json_in_number(const struct json_in *v)
{
	return json_integer_value(in_value(v));
}

bool json_in_flag(const struct json_in *v)
{
	return json_is_true(in_value(v));
}

char *json_in_dump(const struct json_in *v)
{
	return json_dumps(in_value(v), JSON_ENCODE_ANY);
}

const char *json_in_other(const struct json_in *object,
	bool (*knows)(const void *arg, const char *key), const void *arg)
{
	const char *key;
	json_t *value;
	json_object_foreach(in_value(object), key, value) if (!knows(arg, key)) return key;
	return NULL;
}
