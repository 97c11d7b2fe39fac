// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// JSON of a request, read by json_out.c. The text may be any bytes; a value is of the kind that
// json_in_kind says, and functions for another kind return 0, "" or NULL for it. Values live as
// long as their document. Any thread.

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct json_in; // a value

enum json_in_kind {
	JSON_IN_NONE, // NULL, or `null`
	JSON_IN_TEXT,
	JSON_IN_NUMBER, // a whole one
	JSON_IN_FLAG,
	JSON_IN_LIST,
	JSON_IN_OBJECT,
	JSON_IN_OTHER
};

enum { JSON_IN_WHY_MAX = 200 };

// Reads one value, which the caller frees. An object must not have a key twice, nor a text a zero
// byte or what is no UTF-8; arrays and objects lie within each other 2048 times at most. NULL:
// `why`.
struct json_in *json_in_read(const char *text, size_t len, char why[JSON_IN_WHY_MAX]);
void json_in_free(struct json_in *v); // NULL is fine
enum json_in_kind json_in_kind(const struct json_in *v);
const struct json_in *json_in_get(
	const struct json_in *object, const char *key); // NULL: it has no such key
size_t json_in_count(const struct json_in *list);
const struct json_in *json_in_at(const struct json_in *list, size_t i);
const char *json_in_text(const struct json_in *v);
int64_t json_in_number(const struct json_in *v);
bool json_in_flag(const struct json_in *v);
// A key of the object that `knows` does not know; NULL: it knows all.
const char *json_in_other(const struct json_in *object,
	bool (*knows)(const void *arg, const char *key), const void *arg);
