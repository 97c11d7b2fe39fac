// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// JSON text, built from the top down. json.c alone includes jansson in the control plane.
//
// An allocation that fails marks the whole document, and json_out_finish returns NULL; no call in
// between needs a check. In an array `key` is NULL. Text that is not UTF-8 is escaped.

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct json_out; // a document
struct json_node;

struct json_out *json_out_new(void); // NULL: no memory; every function accepts NULL
struct json_node *json_out_root(struct json_out *o);

// Add to `parent`; nodes live as long as the document.
struct json_node *json_out_object(struct json_out *o, struct json_node *parent, const char *key);
struct json_node *json_out_array(struct json_out *o, struct json_node *parent, const char *key);
void json_out_text(struct json_out *o, struct json_node *parent, const char *key, const char *text);
void json_out_count(struct json_out *o, struct json_node *parent, const char *key, uint64_t n);
void json_out_signed(struct json_out *o, struct json_node *parent, const char *key, int64_t n);
void json_out_bool(struct json_out *o, struct json_node *parent, const char *key, bool b);

// Add counts under the names of their fields: JSON_COUNTS(o, parent, from, hits, misses) adds
// "hits" with from->hits and "misses" with from->misses; JSON_COUNTS_AS puts a text before each
// name. Up to 64 fields.
#define JSON_COUNTS(o, parent, from, ...) JSON_COUNTS_AS(o, parent, "", from, __VA_ARGS__)
#define JSON_COUNTS_AS(o, parent, as, from, ...)                         \
	do {                                                             \
		JSON_AGAIN(JSON_COUNT(o, parent, as, from, __VA_ARGS__)) \
	} while (0)
#define JSON_COUNT(o, parent, as, from, field, ...)          \
	json_out_count(o, parent, as #field, (from)->field); \
	__VA_OPT__(JSON_COUNT_MORE JSON_LATER(o, parent, as, from, __VA_ARGS__))
#define JSON_COUNT_MORE()  JSON_COUNT
#define JSON_LATER         ()
#define JSON_AGAIN(...)    JSON_AGAIN_16(JSON_AGAIN_16(JSON_AGAIN_16(JSON_AGAIN_16(__VA_ARGS__))))
#define JSON_AGAIN_16(...) JSON_AGAIN_4(JSON_AGAIN_4(JSON_AGAIN_4(JSON_AGAIN_4(__VA_ARGS__))))
#define JSON_AGAIN_4(...)  JSON_AGAIN_1(JSON_AGAIN_1(JSON_AGAIN_1(JSON_AGAIN_1(__VA_ARGS__))))
#define JSON_AGAIN_1(...)  __VA_ARGS__

char *json_out_finish(struct json_out *o); // frees the document; malloced text or NULL
// Whether the bytes are the text of one JSON object. Any bytes; allocates.
bool json_text_is_object(const char *text, size_t len);
char *json_out_error(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

// JSON of a request. The text may be any bytes; a value is of the kind that json_in_kind says, and
// functions for another kind return 0, "" or NULL for it. Values live as long as their document.
// Any thread.

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
char *json_in_dump(const struct json_in *v); // JSON text, for free(); NULL: no memory
// A key of the object that `knows` does not know; NULL: it knows all.
const char *json_in_other(const struct json_in *object,
	bool (*knows)(const void *arg, const char *key), const void *arg);
