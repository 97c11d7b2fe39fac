// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// JSON in and out. Of weirctl only json_doc.c includes jansson.
//
// Functions that read accept NULL nodes and return 0, "" or NULL for a value that is absent or of
// another kind, so that a control plane of another version never breaks the output. Functions that
// write leave the value out if there is no memory.

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct json_doc;
struct json_node; // lives as long as its document

struct json_doc *json_doc_parse(const char *text, size_t len); // NULL: not a JSON object
struct json_doc *json_doc_new(void);                           // an empty object
void json_doc_free(struct json_doc *doc);                      // NULL is fine
struct json_node *json_doc_root(const struct json_doc *doc);
void json_doc_print(const struct json_doc *doc); // on stdout, indented
void json_doc_end(struct json_doc *doc);         // prints and frees it
char *json_doc_text(const struct json_doc *doc); // the caller frees; NULL: out of memory
void json_print_line(const struct json_node *n); // on stdout, in ASCII

struct json_node *json_get(const struct json_node *n, const char *key);
size_t json_length(const struct json_node *n); // number of items of an array
struct json_node *json_at(const struct json_node *n, size_t i);
const char *json_text(const struct json_node *n, const char *key);
const char *json_item_text(const struct json_node *n, size_t i);
int64_t json_signed(const struct json_node *n, const char *key);
// Reads a number; a bool is 1 or 0. False: it is neither.
bool json_number(const struct json_node *n, double *out);
// The object's key whose spelling is nearest to `key`, or NULL.
const char *json_key_near(const struct json_node *n, const char *key);
// A negative number counts as 0.
unsigned long long json_count(const struct json_node *n, const char *key);
bool json_flag(const struct json_node *n, const char *key);

void json_put_text(struct json_node *n, const char *key, const char *text);
void json_put_count(struct json_node *n, const char *key, uint64_t value);
void json_put_real(struct json_node *n, const char *key, double value);
void json_put_bool(struct json_node *n, const char *key, bool value);
struct json_node *json_put_object(struct json_node *n, const char *key); // NULL key: array
struct json_node *json_put_array(struct json_node *n, const char *key);
void json_put_copy(struct json_node *list, const struct json_node *item); // appends a copy
// Copies all keys of the object `from` into the object `n`.
void json_put_all(struct json_node *n, const struct json_node *from);
