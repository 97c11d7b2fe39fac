// SPDX-License-Identifier: BSD-3-Clause

#include "json_in.h"

#include "json_out.h"

#include <jansson.h>

#include <stdio.h>

// A json_in is a json_t of jansson under another name, without fields.
static json_t *value_of(const struct json_in *v)
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
	json_memory_count();
	json_t *root = json_loadb(text, len, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &error);
	if (!root)
		snprintf(why, JSON_IN_WHY_MAX, "line %d, column %d: %s", error.line, error.column,
			error.text);
	return (struct json_in *)(void *)root;
}

void json_in_free(struct json_in *v)
{
	json_decref(value_of(v));
}

enum json_in_kind json_in_kind(const struct json_in *v)
{
	const json_t *value = value_of(v);
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
	return in_of(json_object_get(value_of(object), key));
}

size_t json_in_count(const struct json_in *list)
{
	return json_array_size(value_of(list));
}

const struct json_in *json_in_at(const struct json_in *list, size_t i)
{
	return in_of(json_array_get(value_of(list), i));
}

const char *json_in_text(const struct json_in *v)
{
	const char *text = json_string_value(value_of(v));
	return text ? text : "";
}

int64_t json_in_number(const struct json_in *v)
{
	return json_integer_value(value_of(v));
}

bool json_in_flag(const struct json_in *v)
{
	return json_is_true(value_of(v));
}

const char *json_in_other(const struct json_in *object,
	bool (*knows)(const void *arg, const char *key), const void *arg)
{
	const char *key;
	json_t *value;
	json_object_foreach(value_of(object), key, value) if (!knows(arg, key)) return key;
	return NULL;
}
